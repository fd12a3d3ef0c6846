"""``graphvae check``: a report on stdout, and an exit status that a script can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphvae as gv
from graphvae.cli import main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return gv.save_split(gv.split_links(gv.load_graph("karate"), 0.1, 0.2), tmp_path / "split.csv")


def test_a_sound_split_ends_well(file: Path, capsys) -> None:
    assert main(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{file}: no leak found"
    assert out.count("ok: ") == 7
    assert err == ""


def test_a_leak_is_named_and_ends_with_status_1(file: Path, capsys) -> None:
    rows = file.read_text().splitlines()
    test = next(row for row in rows if ",test,1" in row)
    file.write_text("\n".join([*rows, test.replace("test", "train")]) + "\n")
    assert main(["check", str(file), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["leaks"] is True
    (broken,) = [rule for rule in data["rules"] if rule["count"]]
    assert test.split(",")[:2] in [[str(node) for node in pair] for pair in broken["examples"]]
    assert main(["check", str(file)]) == 1
    assert "LEAKS" in capsys.readouterr().out


def test_a_run_folder(tmp_path: Path, capsys) -> None:
    run = tmp_path / "run"
    assert main(["train", "karate", "--epochs", "1", "--out", str(run), "--quiet"]) == 0
    assert main(["check", str(run)]) == 0
    assert f"{run}: no leak found" in capsys.readouterr().out
