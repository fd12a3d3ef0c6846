"""``graphvae benchmark``: a table beside published figures, and a file with every run and the command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from graphvae.cli import main
from graphvae.estimators.benchmark_result import BenchmarkResult
from graphvae.evaluation.heuristics import HEURISTICS


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


ARGUMENTS = ["benchmark", "--datasets", "karate,lesmis", "--models", "katz,common-neighbours", "--runs", "2"]


def test_a_row_for_each_data_set_and_model(capsys):
    assert main(ARGUMENTS) == 0
    out, err = capsys.readouterr()
    rows = out.splitlines()[1:7]
    names = [
        f"{data} {row}" for data in ("karate", "lesmis") for row in ("katz", "common-neighbours", "best of 2 baselines")
    ]
    assert [row.split("  ")[0] for row in rows] == names
    assert all("±" in row for row in rows)
    assert rows[0].split()[2] == "2"
    assert "mean ± standard error" in out
    assert len(err.splitlines()) == 8


def test_the_file_has_every_run_and_the_command(capsys):
    models = 'katz,vgae,epochs=2,decoder={name="mlp"}'
    arguments = ["benchmark", "--datasets", "karate,lesmis", "--models", models, "--runs", "2", "--val", "0.1"]
    assert main([*arguments, "--out", "results/out.json", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    written = json.loads(Path("results/out.json").read_text())
    assert written == shown
    assert len(written["runs"]) == 8
    again = shlex.split(written["command"])[1:]
    assert again[:9] == arguments[:9]
    assert main([*again, "--json", "--fresh"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["auc"] for row in rows] == [row["auc"] for row in written["rows"]]


def run(model, split, **figures):
    config = {"baseline": model} if model in HEURISTICS else {"estimator": "VGAE"}
    return {
        "dataset": "cora",
        "model": model,
        "split_hash": split,
        "config": config,
        "train_edges": 17,
        "test_edges": 2,
        **figures,
    }


def test_figures_in_percent_and_nats_with_published_ones_and_differences(monkeypatch, capsys):
    runs = [
        run("vgae", "a", auc=0.91, ap=0.92, elbo=-1000.0, heldout=-7.5),
        run("vgae", "b", auc=0.93, ap=0.94, elbo=-1002.0, heldout=-6.5),
        run("vgae:strong", "a", auc=0.96, ap=0.92),
        run("vgae:strong", "b", auc=0.9801, ap=0.94),
        run("katz", "a", auc=0.8, ap=0.8),
        run("jaccard", "a", auc=0.8, ap=0.8),
        run("jaccard", "b", auc=0.92, ap=0.94),
    ]
    monkeypatch.setattr("graphvae.estimators.benchmark.run_benchmark", lambda *args, **kwargs: BenchmarkResult(runs))
    assert main(["benchmark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ")[0] == "cora vgae"
    for text in ("92.0 ±1.0", "93.0 ±1.0", "91.4 / 92.6", "-1001 ±1", "-7.00 ±0.50"):
        assert text in lines[1]
    assert "80.0 " in lines[3]
    assert "±" not in lines[3]
    assert lines[5].split()[:7] == ["cora", "best", "of", "2", "baselines", "86.0", "±6.0"]
    found = {tuple(line.split()[:7]): line.split("  ")[-1] for line in lines}
    assert found["cora", "SIG-VAE", "96.0", "/", "95.8", "Hasanzadeh", "et"] == "Hasanzadeh et al. (2019), recalled"
    assert found["cora", "vgae", "-", "jaccard", "AUC", "%", "+6.00"] == "not decided"
    assert found["cora", "vgae:strong", "-", "vgae", "AUC", "%", "+5.00"] == "vgae:strong is better"
    assert found["cora", "vgae:strong", "-", "vgae", "AP", "%", "+0.00"] == "not decided"
    assert not any(line.startswith(("cora vgae - vgae", "cora katz -", "cora jaccard -")) for line in lines)


def test_finished_runs_are_kept_and_not_repeated(capsys):
    arguments = [*ARGUMENTS, "--no-ranking", "--json"]
    assert main(arguments) == 0
    first = json.loads(capsys.readouterr().out)
    assert len(list(Path("runs/benchmark").iterdir())) == 8
    assert first["command"].endswith("--no-ranking")
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["runs"] == first["runs"]
    assert err == "8 of 8 runs were found in runs/benchmark and not run again\n"
    assert "mrr" not in first["rows"][0]
    assert main(ARGUMENTS) == 0
    assert "MRR %" in capsys.readouterr().out
