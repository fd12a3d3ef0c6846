"""``graphvae evaluate`` and ``graphvae embed`` on a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphvae as gv
from graphvae.cli import main


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    split = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=0)
    return str(gv.VGAE(epochs=3).fit(split).save(tmp_path_factory.mktemp("runs") / "lesmis"))


def test_the_report_is_the_estimators(run, capsys):
    assert main(["evaluate", run]) == 0
    assert capsys.readouterr().out == f"{gv.load(run).evaluate()}\n"


@pytest.mark.parametrize("part", ["test", "val"])
def test_the_report_as_json(run, capsys, part):
    assert main(["evaluate", run, "--part", part, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": run, part: gv.load(run).evaluate(part=part).to_dict()}


@pytest.mark.parametrize("source", ["prior", "posterior"])
def test_samples_stand_below_the_report(run, capsys, source):
    arguments = ["evaluate", run, "--samples", "2", "--source", source]
    expected = gv.load(run).evaluate_samples(samples=2, source=source)
    assert main(arguments) == 0
    assert capsys.readouterr().out.endswith(f"{expected}\n")
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["generation"] == expected.to_dict()


def test_a_gae_has_no_prior_to_sample_from(tmp_path, capsys):
    run = str(gv.GAE(epochs=1).fit(gv.split_links(gv.load_graph("karate"))).save(tmp_path / "run"))
    assert main(["evaluate", run, "--samples", "1"]) == 2
    assert 'expected source="posterior"' in capsys.readouterr().err
    assert main(["evaluate", run, "--samples", "1", "--source", "posterior"]) == 0


def test_evaluating_changes_no_file(run, capsys):
    before = {path.name: path.read_bytes() for path in Path(run).iterdir()}
    assert main(["evaluate", run]) == 0
    assert {path.name: path.read_bytes() for path in Path(run).iterdir()} == before


@pytest.mark.parametrize("suffix", ["npz", "parquet", "csv", "tsv"])
def test_embeddings_in_every_format(run, tmp_path, capsys, suffix):
    to = tmp_path / "new" / f"z.{suffix}"
    assert main(["embed", run, "--to", str(to)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"77 embeddings of dimension 16 written to {to}\n")
    read, own = gv.Embeddings.load(to), gv.load(run).embed()
    assert read.ids.tolist() == own.ids.tolist()
    assert np.array_equal(read.vectors, own.vectors)
    assert np.array_equal(read.scale, own.scale)


def test_features_that_are_gone_are_one_line(tmp_path, capsys):
    graph = gv.load_graph("karate").replace(x=np.eye(34, 2, dtype=np.float32))
    run = str(gv.VGAE(epochs=1).fit(gv.split_links(graph)).save(tmp_path / "run"))
    assert main(["embed", run, "--to", str(tmp_path / "z.csv")]) == 0
    capsys.readouterr()
    assert main(["evaluate", run]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "lived in memory only" in err


def test_runs_are_listed_with_their_test_figures(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 2
    assert "'runs' is no folder" in capsys.readouterr().err
    assert main(["train", "karate", "--epochs", "1", "--quiet", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["test"]
    broken = Path("runs", "broken")
    broken.mkdir()
    config = json.loads(Path("runs", "karate-vgae-0", "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "format": 99}))
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    header, line = out.splitlines()
    assert header.split() == ["run", "data", "model", "epochs", "test"]
    expected = [str(Path("runs", "karate-vgae-0")), "karate", "VGAE", "1", "auc", f"{figures['auc']:.4g}"]
    assert line.split()[:6] == expected
    assert "cannot be read" in err
    assert "format 99" in err
    assert main(["runs", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["runs"]
    assert [run["fault"] is None for run in data] == [False, True]
    assert data[1]["metrics"]["test"] == figures
    Path("empty").mkdir()
    assert main(["runs", "empty"]) == 0
    assert capsys.readouterr().out == "no runs below empty\n"
