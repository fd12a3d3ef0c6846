"""``graphvae benchmark``: a table beside published figures, and a file with every run and the command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from graphvae.cli import main
from graphvae.estimators.benchmark import BenchmarkResult


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


ARGUMENTS = ["benchmark", "--datasets", "karate,lesmis", "--models", "katz,common-neighbours", "--runs", "2"]


def test_a_row_for_each_data_set_and_model(capsys):
    assert main(ARGUMENTS) == 0
    out, err = capsys.readouterr()
    rows = out.splitlines()[1:5]
    names = ["karate katz", "karate common-neighbours", "lesmis katz", "lesmis common-neighbours"]
    assert [" ".join(row.split()[:2]) for row in rows] == names
    assert all(row.split()[2] == "2" and "±" in row for row in rows)
    assert "mean ± standard error" in out
    assert len(err.splitlines()) == 8


def test_the_file_has_every_run_and_the_command(capsys):
    assert main([*ARGUMENTS, "--val", "0.1", "--out", "results/out.json", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    written = json.loads(Path("results/out.json").read_text())
    assert written == shown
    assert len(written["runs"]) == 8
    assert written["command"] == f"graphvae {' '.join(ARGUMENTS)} --val 0.1 --test 0.1"
    again = shlex.split(written["command"])[1:]
    assert main([*again, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["auc"] for row in rows] == [row["auc"] for row in written["rows"]]


def test_figures_in_percent_and_nats_with_published_ones_beside(monkeypatch, capsys):
    runs = [
        {"dataset": "cora", "model": "vgae", "auc": 0.91, "ap": 0.92, "elbo": -1000.0, "heldout": -7.5},
        {"dataset": "cora", "model": "vgae", "auc": 0.93, "ap": 0.94, "elbo": -1002.0, "heldout": -7.5},
        {"dataset": "cora", "model": "katz", "auc": 0.8, "ap": 0.8},
    ]
    monkeypatch.setattr("graphvae.estimators.benchmark.run_benchmark", lambda *args, **kwargs: BenchmarkResult(runs))
    assert main(["benchmark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ")[0] == "cora vgae"
    for text in ("92.0 ±1.0", "93.0 ±1.0", "91.4 / 92.6", "-1001 ±1", "-7.50 ±0.00"):
        assert text in lines[1]
    assert "80.0 " in lines[2]
    assert "±" not in lines[2]
    assert lines[2].split()[-1] == "-"
