"""``graphvae compare``: graph and image runs in one table."""

from __future__ import annotations

import json

import pytest

from graphvae.cli import main


@pytest.fixture
def runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "karate", "--epochs", "2", "--quiet"]) == 0
    assert main(["train", "digits", "--model", "ae", "--epochs", "1", "--quiet"]) == 0
    capsys.readouterr()
    return ["runs/karate-vgae-0", "runs/digits-ae-0"]


def test_a_table_has_a_row_for_each_run_and_a_dash_for_what_there_is_not(runs, capsys):
    assert main(["compare", *runs, "--samples", "2"]) == 0
    _, karate, digits = capsys.readouterr().out.rstrip().splitlines()
    assert karate.startswith(runs[0])
    assert digits.startswith(runs[1])
    assert "–" in digits


def test_json_holds_the_same(runs, capsys):
    assert main(["compare", *runs, "--samples", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == runs
    assert rows[0]["elbo"] < 0
    assert rows[1]["elbo"] is None


def test_a_run_is_named_once(runs, capsys):
    assert main(["compare", runs[0], runs[0]]) == 2
    assert "named twice" in capsys.readouterr().err
