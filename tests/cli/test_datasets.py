"""``graphvae datasets``: what there is, and whether the files are right."""

from __future__ import annotations

import json

import pytest

from graphvae.cli import main
from graphvae.data.registry import card, dataset_names


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No Planetoid files, wherever the tests run, and a network that answers nobody."""
    monkeypatch.setattr("graphvae.data.storage.roots", lambda: (tmp_path / "data",))
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("no network")))
    return tmp_path / "data"


def put(root, name: str, content: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_the_list_has_every_data_set_and_its_counts(capsys):
    assert main(["datasets", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(dataset_names())
    cora = next(line for line in lines if line.startswith("cora")).split()
    counts = lines[0].split()
    assert dict(zip(counts, cora, strict=False)) | {"nodes": "2708", "edges": "5278", "features": "1433"} == dict(
        zip(counts, cora, strict=False)
    )
    assert "missing" in cora
    karate = next(line for line in lines if line.startswith("karate")).split()
    assert karate[1:4] == ["34", "78", "-"]
    assert "embedded" in karate


def test_the_list_as_json_says_what_is_missing(capsys):
    assert main(["datasets", "list", "--json"]) == 0
    data = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(data) == set(dataset_names())
    assert data["pubmed"]["edges"] == 44324
    assert "planetoid/ind.cora.graph" in data["cora"]["missing"]
    assert (data["lesmis"]["state"], data["lesmis"]["missing"]) == ("embedded", [])


def test_verify_takes_what_is_missing_amiss_only_if_it_was_asked_for(capsys):
    assert main(["datasets", "verify"]) == 0
    out = capsys.readouterr().out
    assert "missing  planetoid/ind.cora.graph" in out
    assert "ok       karate" in out
    assert main(["datasets", "verify", "karate", "cora"]) == 2
    out, err = capsys.readouterr()
    assert "ok       karate" in out
    assert err.startswith("graphvae: error: ")
    assert err.count("\n") == 1


def test_verify_finds_a_wrong_file_even_unasked(nowhere, capsys):
    put(nowhere, "planetoid/ind.cora.graph", b"not cora")
    assert main(["datasets", "verify", "--json"]) == 2
    out, err = capsys.readouterr()
    wrong = [entry for entry in json.loads(out) if entry["state"] == "wrong"]
    assert [entry["path"] for entry in wrong] == ["planetoid/ind.cora.graph"]
    assert "1 of " in err
    assert "planetoid/ind.cora.graph" in err


def test_fetching_without_a_network_says_what_to_put_where(nowhere, capsys):
    assert main(["datasets", "fetch", "cora"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    file = card("cora").files[0]
    assert f"save {file.url} as {nowhere / file.path}" in err
    assert not nowhere.exists()


def test_what_is_embedded_needs_no_fetching(capsys):
    assert main(["datasets", "fetch", "karate", "lesmis"]) == 0
    assert capsys.readouterr() == ("", "karate: nothing to fetch\nlesmis: nothing to fetch\n")


@pytest.mark.data
def test_files_that_are_there_are_present_and_verified(data_root, monkeypatch, capsys):
    monkeypatch.setattr("graphvae.data.storage.roots", lambda: (data_root,))
    assert main(["datasets", "verify", "cora"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"ok"}
    assert main(["datasets", "fetch", "cora"]) == 0
    assert str(data_root) in capsys.readouterr().err
