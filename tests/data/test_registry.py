"""Datasets by name: status, fetching, verification, and the comparison with the card."""

from __future__ import annotations

import dataclasses
import hashlib
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from graphvae._check import InputError
from graphvae.data import registry, storage
from graphvae.data.cards import DatasetCard, read_card
from graphvae.data.registry import (
    card,
    dataset_names,
    dataset_status,
    fetch_dataset,
    load_graph,
    load_images,
    verify_dataset,
)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, the only one, and no network."""
    monkeypatch.setenv("GRAPHVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "checkout", lambda: None)

    def offline(*args: Any, **kwargs: Any) -> Any:
        raise OSError("no network in this test")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    return tmp_path / "data"


def use(monkeypatch: pytest.MonkeyPatch, changed: DatasetCard) -> None:
    monkeypatch.setattr(registry, "read_card", lambda name: changed)


def local(tmp_path: Path) -> tuple[DatasetCard, dict[str, bytes]]:
    """Cora's card with files of this test's making, to be had from a folder."""
    contents = {file.part: f"content of {file.part}".encode() for file in read_card("cora").files}
    (tmp_path / "source").mkdir()
    files = []
    for file in read_card("cora").files:
        content = contents[file.part]
        path = tmp_path / "source" / Path(file.path).name
        path.write_bytes(content)
        pins = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "url": path.as_uri()}
        files.append(dataclasses.replace(file, **pins))
    return dataclasses.replace(read_card("cora"), files=tuple(files)), contents


@pytest.mark.parametrize("call", [load_graph, card, dataset_status, fetch_dataset, verify_dataset])
def test_an_unknown_name_suggests_the_closest(call: Any) -> None:
    with pytest.raises(InputError, match=r"name='karat'.*did you mean 'karate'"):
        call("karat")
    with pytest.raises(InputError, match="name=3"):
        call(3)


def test_names_are_those_of_the_design() -> None:
    assert dataset_names("graph") == ("citeseer", "cora", "digits-knn", "karate", "lesmis", "pubmed")
    assert dataset_names("images") == ("digits", "fashion-mnist", "mnist")
    assert set(dataset_names()) == {*dataset_names("graph"), *dataset_names("images")}


def test_features_is_a_flag() -> None:
    with pytest.raises(InputError, match="features=1"):
        load_graph("karate", features=1)  # type: ignore[arg-type]


def test_origin_says_how_to_read_the_graph_again() -> None:
    for features in (True, False):
        graph = load_graph("digits-knn", features=features)
        assert graph.origin == {"kind": "dataset", "name": "digits-knn", "features": features}
        assert (graph.x is not None) == features
        assert graph.y is not None


@pytest.mark.parametrize("what", ["nodes", "edges", "features", "classes"])
def test_counts_other_than_the_cards_are_an_error(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = read_card("digits-knn")
    wrong = getattr(known.counts, what) + 1
    use(monkeypatch, dataclasses.replace(known, counts=dataclasses.replace(known.counts, **{what: wrong})))
    with pytest.raises(InputError, match=f"digits-knn: expected {wrong} {what}, found {wrong - 1}"):
        load_graph("digits-knn")
    (check,) = verify_dataset("digits-knn")
    assert (check.path, check.state) == ("digits-knn", "wrong")
    assert f"expected {wrong} {what}" in check.detail


@pytest.mark.parametrize("name", ["karate", "lesmis", "digits-knn"])
def test_embedded_datasets_need_nothing(name: str, nowhere: Path) -> None:
    assert dataset_status(name) == registry.DatasetStatus(name, "embedded", (), True)
    assert fetch_dataset(name) == []
    (check,) = verify_dataset(name)
    assert (check.path, check.state) == (name, "ok")
    assert load_graph(name).num_nodes == card(name).counts.nodes
    assert not nowhere.exists()


def test_embedded_images_need_nothing(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dataset_status("digits") == registry.DatasetStatus("digits", "embedded", (), True)
    assert fetch_dataset("digits") == []
    (check,) = verify_dataset("digits")
    assert (check.path, check.state, check.detail) == ("digits", "ok", str(load_images("digits")))
    assert not nowhere.exists()
    known = read_card("digits")
    use(monkeypatch, dataclasses.replace(known, counts=dataclasses.replace(known.counts, images=1798)))
    (check,) = verify_dataset("digits")
    assert (check.state, check.detail.split(" (")[0]) == ("wrong", "digits: expected 1798 images, found 1797")


@pytest.mark.parametrize("name", ["cora", "citeseer", "pubmed"])
def test_without_network_every_missing_file_is_named(name: str, nowhere: Path) -> None:
    status = dataset_status(name)
    assert status.state == "missing"
    assert not status.featureless
    parts = ("graph", "test.index", "ally", "ty", "allx", "tx")
    assert status.missing == tuple(f"planetoid/ind.{name}.{part}" for part in parts)
    for call in (fetch_dataset, load_graph):
        with pytest.raises(storage.MissingFilesError, match="no network in this test") as caught:
            call(name)
        for path in status.missing:
            assert str(nowhere / path) in str(caught.value)
    assert "features=False" in str(caught.value)
    with pytest.raises(storage.MissingFilesError, match=rf"planetoid/ind\.{name}\.graph is missing"):
        load_graph(name, features=False)
    assert tuple(check.path for check in verify_dataset(name) if check.state == "missing") == status.missing
    assert not nowhere.exists()


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_without_network_every_missing_file_of_images_is_named(name: str, nowhere: Path) -> None:
    files = {file.part: file for file in card(name).files}
    assert dataset_status(name) == registry.DatasetStatus(name, "missing", tuple(f.path for f in files.values()), False)
    for part, needed in {"train": ("train",), "test": ("test",), "all": ("train", "test")}.items():
        with pytest.raises(storage.MissingFilesError, match="no network in this test") as caught:
            load_images(name, part=part)
        for file in files.values():
            order = f"{file.url} as {nowhere / file.path}.gz"
            assert (order in str(caught.value)) == (file.needed_for in needed)
    with pytest.raises(storage.MissingFilesError):
        fetch_dataset(name)
    assert [check.state for check in verify_dataset(name)] == ["missing"] * 4
    assert not nowhere.exists()


def test_fetch_status_and_verify_agree(nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("GRAPHVAE_DATA", str(nowhere))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "checkout", lambda: None)
    known, contents = local(tmp_path)
    use(monkeypatch, known)
    paths = fetch_dataset("cora")
    assert {path.name for path in paths} == {f"ind.cora.{part}" for part in contents if part not in ("x", "y")}
    assert dataset_status("cora") == registry.DatasetStatus("cora", "present", (), True)
    assert [check.state for check in verify_dataset("cora")] == ["ok"] * 6

    (nowhere / "planetoid" / "ind.cora.x").write_bytes(b"wrong, and read by nobody")
    (nowhere / "planetoid" / "ind.cora.ty").write_bytes(contents["ty"][::-1])
    (nowhere / "planetoid" / "ind.cora.tx").unlink()
    states = {check.path.removeprefix("planetoid/ind.cora."): check.state for check in verify_dataset("cora")}
    assert states["x"] == states["ty"] == "wrong"
    assert states["tx"] == "missing"
    assert [states[part] for part in ("graph", "test.index", "ally", "allx")] == ["ok"] * 4
    assert dataset_status("cora").missing == ("planetoid/ind.cora.tx",)
    assert dataset_status("cora").featureless
    with pytest.raises(InputError, match=r"ind\.cora\.ty: expected the SHA-256"):
        fetch_dataset("cora")
    with pytest.raises(InputError, match=r"ind\.cora\.ty: expected the SHA-256"):
        load_graph("cora")
