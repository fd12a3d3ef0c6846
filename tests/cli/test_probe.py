"""``graphvae probe``: the report, by a file's labels or the graph's own."""

from __future__ import annotations

import json

import pytest

import graphvae as gv
from graphvae.cli import main
from graphvae.estimators.probing import probe


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(gv.VGAE(epochs=2).fit(gv.load_graph("karate")).save(tmp_path_factory.mktemp("runs") / "karate"))


def test_the_report_is_the_estimators(run, tmp_path, capsys):
    assert main(["probe", run]) == 0
    expected = probe(gv.load(run).fitted)
    assert capsys.readouterr().out == f"{expected}\n"
    y = gv.load_graph("karate").y.tolist()
    labels = tmp_path / "labels.csv"
    labels.write_text("n,id,club\n" + "".join(f"0,{i},{c}\n" for i, c in enumerate(y)))
    arguments = ["probe", run, "--labels", str(labels), "--label", "club", "--label-id", "id", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == {"run": run, **expected.to_dict()}


def test_images_have_no_nodes(tmp_path, capsys):
    run = gv.VAE(epochs=1, latent_dim=2, hidden_dims=(4,)).fit(gv.load_images("digits").x[:50]).save(tmp_path / "run")
    assert main(["probe", str(run)]) == 2
    assert "expected a graph model" in capsys.readouterr().err
