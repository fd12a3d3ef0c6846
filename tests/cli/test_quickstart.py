"""``graphvae quickstart``: the whole job on embedded data, and the files it says it wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import graphvae as gv
from graphvae.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("quick")


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    # Neither files nor a network are needed.
    monkeypatch.setenv("GRAPHVAE_DATA", str(folder / "nowhere"))
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: pytest.fail("asked the network"))


def test_it_writes_the_files_it_lists(capsys):
    assert main(["quickstart", "--epochs", "3", "--out", "tmp", "--json"]) == 0
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert set(data["written"]) == {"embeddings", "picture", "training"}
    for path in data["written"].values():
        assert Path(path).stat().st_size > 0
        assert path in err
    for name in ("picture", "training"):
        assert Path(data["written"][name]).read_bytes().startswith(b"\x89PNG")
    assert "3/3" in err
    embeddings = gv.Embeddings.load(data["written"]["embeddings"], id_dtype=int)
    assert embeddings.vectors.shape == (1797, 16)
    assert sorted(p for p in os.listdir() if p.startswith(".")) == []
    loaded = gv.load("tmp")
    assert loaded.evaluate().to_dict() == data["test"]
    assert json.loads(Path("tmp/metrics.json").read_text())["test"] == data["test"]


def test_the_report_says_who_won_beside_plain_baselines(capsys):
    assert main(["quickstart", "--epochs", "3", "--out", "tmp"]) == 0
    out, err = capsys.readouterr()
    assert "wins on AUC" in out
    for name in ("VGAE", "common neighbours", "Katz", "feature cosine", "Erdős-Rényi"):
        assert name in out
    assert "next: graphvae evaluate tmp" in err


def test_an_earlier_quickstart_is_replaced_and_no_other_run(capsys):
    """The test above ran it twice in one folder. A run that took hours is another matter."""
    assert gv.load("tmp").epochs == 3
    assert main(["train", "karate", "--epochs", "1", "--out", "mine", "--quiet"]) == 0
    before = Path("mine/config.json").read_bytes()
    capsys.readouterr()
    assert main(["quickstart", "--epochs", "1", "--out", "mine"]) == 2
    assert "out='mine' exists" in capsys.readouterr().err
    assert Path("mine/config.json").read_bytes() == before
