"""Every dataset has a card, a builder and a place in the wheel, and comes out as its card says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from graphvae._check import InputError
from graphvae.data import cards, registry
from graphvae.data.cards import CardFile, Counts, ImageCounts, card_folder, read_card
from graphvae.data.graph import Graph
from graphvae.data.images import Images
from graphvae.data.registry import card, dataset_names, dataset_status, load_graph, load_images, verify_dataset

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PLANETOID = "https://raw.githubusercontent.com/kimiyoung/planetoid/af6abf468a772cc055bec88c52e4d6f51b7c37e3/data/"
GRAPHS, IMAGES = dataset_names("graph"), dataset_names("images")
OTHERS = [name for name in GRAPHS if not card(name).embedded]
IDX = [name for name in IMAGES if not card(name).embedded]


def marked(names: tuple[str, ...]) -> list[Any]:
    return [name if card(name).embedded else pytest.param(name, marks=pytest.mark.data) for name in names]


def load(name: str, features: bool) -> Graph:
    """The dataset, or a skip that says which of its files is not on this machine."""
    status = dataset_status(name)
    if status.state == "missing" and (features or not status.featureless):
        pytest.skip(f"{', '.join(status.missing)} not there")
    return load_graph(name, features=features)


def test_builders_cards_and_the_wheel_name_the_same() -> None:
    assert card_folder() == ROOT / "datasets"
    with open(ROOT / "pyproject.toml", "rb") as stream:
        build: dict[str, Any] = tomllib.load(stream)["tool"]["hatch"]["build"]
    expected = {f"datasets/{name}.toml": f"graphvae/data/cards/{name}.toml" for name in dataset_names()}
    assert build["targets"]["wheel"]["force-include"] == expected
    assert {path.stem for path in card_folder().glob("*.toml")} == set(dataset_names())
    assert set(registry._GRAPHS) | set(registry._IMAGES) == set(dataset_names())
    assert not set(registry._GRAPHS) & set(registry._IMAGES)
    assert sorted(GRAPHS + IMAGES) == list(dataset_names())
    with pytest.raises(InputError, match=r"kind='graphs'.*did you mean 'graph'"):
        dataset_names("graphs")


def test_an_installed_package_finds_its_cards_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "checkout", lambda: None)
    assert card_folder() == ROOT / "graphvae" / "data" / "cards"


def test_the_folder_of_cards_is_no_package_and_lists_them_all() -> None:
    assert not list((ROOT / "datasets").rglob("*.py"))
    readme = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    for name in dataset_names():
        counts = vars(card(name).counts)
        if name in IMAGES:
            counts = counts | {"pixels": f"{counts['height']} x {counts['width']}"}
        columns = (
            ["images", "test", "pixels", "classes"] if name in IMAGES else ["nodes", "edges", "features", "classes"]
        )
        (row,) = (line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
        assert [cell.strip() for cell in row.split("|")[2:6]] == [str(counts[column] or "") for column in columns]


@pytest.mark.parametrize("name", dataset_names())
def test_a_card_is_complete(name: str) -> None:
    known = read_card(name)
    assert known.name == name
    assert known.kind == ("images" if name in IMAGES else "graph")
    assert isinstance(known.counts, ImageCounts if name in IMAGES else Counts)
    for field in (known.title, known.note, known.source, known.licence, known.citation):
        assert len(field) > 10
        assert "\n" not in field
    sizes = vars(known.counts)
    assert all(sizes[size] > 0 for size in (("images", "height", "width") if name in IMAGES else ("nodes", "edges")))


@pytest.mark.parametrize("name", OTHERS)
def test_every_file_is_pinned(name: str) -> None:
    files = {file.part: file for file in card(name).files}
    assert len(files) == len(card(name).files)
    assert set(files) == {"graph", "test.index", "ally", "ty", "allx", "tx", "x", "y"}
    for part, file in files.items():
        assert file.path == f"planetoid/ind.{name}.{part}"
        assert file.url == f"{PLANETOID}ind.{name}.{part}"
        assert file.needed_for in ("edges", "labels", "features", "split")
        assert_pinned(file)


@pytest.mark.parametrize("name", IDX)
def test_every_idx_file_is_pinned(name: str) -> None:
    files = {file.part: file for file in card(name).files}
    assert len(files) == len(card(name).files)
    assert set(files) == {f"{part}-{what}" for part in ("train", "test") for what in ("images", "labels")}
    counts = vars(card(name).counts)
    for part, file in files.items():
        lot, what = part.split("-")
        n = counts["test"] if lot == "test" else counts["images"] - counts["test"]
        middle = {"images": "images-idx3", "labels": "labels-idx1"}[what]
        assert file.path == f"{name}/{'t10k' if lot == 'test' else 'train'}-{middle}-ubyte"
        assert file.url.startswith("https://")
        assert file.url.endswith(f"/{Path(file.path).name}.gz")
        assert file.gzipped
        assert file.needed_for == lot
        assert file.size == (16 + n * counts["height"] * counts["width"] if what == "images" else 8 + n)
        assert_pinned(file)
    assert len({file.sha256 for name in IDX for file in card(name).files}) == 4 * len(IDX)


def assert_pinned(file: CardFile) -> None:
    if file.git_blob is None:
        assert file.size is not None
        assert file.sha256 is not None
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
    else:
        assert (file.path, file.size, file.sha256) == ("planetoid/ind.pubmed.allx", None, None)
        assert re.fullmatch("[0-9a-f]{40}", file.git_blob)


@pytest.mark.parametrize(
    ("name", "counts"),
    [("cora", (2708, 5278, 1433, 7)), ("citeseer", (3327, 4552, 3703, 6)), ("pubmed", (19717, 44324, 500, 3))],
)
def test_counts_are_those_published(name: str, counts: tuple[int, ...]) -> None:
    known = card(name).counts
    assert (known.nodes, known.edges, known.features, known.classes) == counts


def images_of(name: str, part: str | None = None) -> Images:
    """The images, or a skip that says which of their files is not on this machine."""
    status = dataset_status(name)
    if status.state == "missing":
        pytest.skip(f"{', '.join(status.missing)} not there")
    return load_images(name, part=part)


@pytest.mark.parametrize("name", marked(IMAGES))
def test_images_are_what_their_card_says(name: str) -> None:
    counts = vars(card(name).counts)
    sizes = {"all": counts["images"]}
    if counts["test"]:
        sizes = {"train": counts["images"] - counts["test"], "test": counts["test"]} | sizes
    for part, size in sizes.items():
        images = images_of(name, None if part == next(iter(sizes)) else part)  # the first is the default
        assert len(images) == size
        assert images.image_shape == (1, counts["height"], counts["width"])
        assert images.shape == (counts["height"] * counts["width"],)
        assert images.value_range == (0.0, 1.0)
        assert images.quantisation is not None
        assert (float(images.x.min()), float(images.x.max())) == (0.0, 1.0)
        assert images.y is not None
        assert set(images.y.tolist()) == set(range(counts["classes"]))
        assert images.origin == {"kind": "images", "name": name, "part": part}


@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize("name", marked(GRAPHS))
def test_a_dataset_is_what_its_card_says(name: str, features: bool) -> None:
    graph = load(name, features)
    counts = card(name).counts
    assert (graph.num_nodes, graph.num_edges) == (counts.nodes, counts.edges)
    assert graph.num_features == (counts.features if features else 0)
    assert graph.num_classes == counts.classes
    assert (graph.x is None) == (not features or counts.features == 0)
    assert graph.origin == {"kind": "dataset", "name": name, "features": features}
    assert not graph.directed
    source, target = graph.edge_index
    assert bool((source != target).all())
    if graph.y is not None:
        assert set(graph.y.tolist()) - {-1} == set(range(counts.classes))


@pytest.mark.parametrize("name", marked(GRAPHS))
@pytest.mark.parametrize("features", [True, False])
def test_a_dataset_is_the_same_each_time_but_for_its_features(name: str, features: bool) -> None:
    graph = load(name, features)
    assert graph.hash == load(name, features).hash
    assert graph.replace(x=None).hash == load(name, False).hash


@pytest.mark.parametrize("name", marked(GRAPHS))
def test_loading_leaves_torch_as_it_was(name: str) -> None:
    before = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    load(name, False)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.get_default_dtype()) == before[1:]


@pytest.mark.parametrize("name", marked(dataset_names()))
def test_what_is_there_verifies(name: str) -> None:
    states = {check.state for check in verify_dataset(name)}
    if states == {"missing"}:
        pytest.skip(f"no file of {name} there")
    assert states - {"missing"} == {"ok"}


@pytest.mark.data
def test_the_isolated_papers_of_citeseer_are_kept() -> None:
    graph = load("citeseer", True)
    assert graph.x is not None
    assert graph.y is not None
    unknown = graph.y == -1
    assert int(unknown.sum()) == 15
    assert int((graph.degrees == 0).sum()) == 48
    assert float(graph.x.to_dense()[unknown].abs().sum()) == 0
