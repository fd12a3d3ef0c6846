"""Datasets by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphvae._check import InputError, one_of, resolve
from graphvae.data import embedded
from graphvae.data.cards import CardFile, DatasetCard, read_card
from graphvae.data.graph import Graph
from graphvae.data.idx import idx_images
from graphvae.data.image_files import SUFFIXES, images_from_file
from graphvae.data.images import Images
from graphvae.data.planetoid import needed_files, planetoid_graph
from graphvae.data.storage import fetch, find, read_verified

__all__ = [
    "DatasetStatus",
    "FileCheck",
    "card",
    "dataset_names",
    "dataset_status",
    "fetch_dataset",
    "load_graph",
    "load_images",
    "verify_dataset",
]

# Name of a dataset of graphs -> what reads it, given the card and whether features are wanted.
_GRAPHS: dict[str, Callable[[DatasetCard, bool], Graph]] = {
    "citeseer": lambda card, features: planetoid_graph(card, features=features),
    "cora": lambda card, features: planetoid_graph(card, features=features),
    "digits-knn": lambda card, features: embedded.digits_knn(),
    "karate": lambda card, features: embedded.karate(),
    "lesmis": lambda card, features: embedded.lesmis(),
    "pubmed": lambda card, features: planetoid_graph(card, features=features),
}

# Name of a dataset of images -> what reads a part of it, given the card, as (N, C, H, W).
_IMAGES: dict[str, Callable[[DatasetCard, str], Images]] = {
    "digits": lambda card, part: embedded.digits(),
    "fashion-mnist": idx_images,
    "mnist": idx_images,
}

_KINDS = {"graph": tuple(sorted(_GRAPHS)), "images": tuple(sorted(_IMAGES))}


@dataclass(frozen=True)
class DatasetStatus:
    """Whether a dataset can be read here and now.

    Attributes:
        name: the dataset.
        state: ``"embedded"`` (needs no files), ``"present"`` or ``"missing"``.
        missing: paths, below a data folder, of the files that are missing.
        featureless: whether a graph can be read with ``features=False`` as it is; of images, whether all can be read.
    """

    name: str
    state: str
    missing: tuple[str, ...]
    featureless: bool


@dataclass(frozen=True)
class FileCheck:
    """What :func:`verify_dataset` found.

    Attributes:
        path: the file below a data folder, or the dataset's name for an embedded one.
        state: ``"ok"``, ``"missing"`` or ``"wrong"``.
        detail: where it lies, or what is wrong.
    """

    path: str
    state: str
    detail: str


def dataset_names(kind: str | None = None) -> tuple[str, ...]:
    """The names that :func:`load_graph` (kind ``"graph"``) or :func:`load_images` (``"images"``) knows, or both know.

    In alphabetical order.
    """
    return tuple(sorted(_GRAPHS | _IMAGES)) if kind is None else resolve("kind", kind, _KINDS)


def card(name: str) -> DatasetCard:
    """The card of a dataset: title, source, licence, citation, counts and files."""
    return read_card(one_of("name", name, dataset_names()))


def load_graph(name: str, *, features: bool = True) -> Graph:
    """A dataset as a :class:`Graph`, its counts compared with its card.

    Args:
        name: ``"cora"``, ``"citeseer"``, ``"pubmed"`` (Planetoid files, fetched if missing), or ``"digits-knn"``,
            ``"karate"``, ``"lesmis"`` (embedded: no network).
        features: whether ``x`` is wanted; without, it is None and the files that hold it are not needed.

    Raises:
        MissingFilesError: if files are missing and cannot be fetched; the message says what to put where.
        InputError: for an unknown name, a file that is not the one on the card, or counts that are not.

    Example:
        >>> load_graph("karate")
        Graph(num_nodes=34, num_edges=78, features=None)
    """
    if isinstance(name, str) and name in _IMAGES:
        raise InputError(f"name={name!r} is a dataset of images: load_images({name!r}) reads it")
    build = resolve("name", name, _GRAPHS)
    if not isinstance(features, bool):
        raise InputError(f"features={features!r}: expected True or False")
    graph = build(card(name), features)
    origin = {"kind": "dataset", "name": name, "features": features}
    graph = graph.replace(x=graph.x if features else None, origin=origin)
    _check_counts(graph, card(name), features)
    return graph


def load_images(name: str | Path, *, part: str | None = None, flatten: bool = True) -> Images:
    """A dataset or a file as :class:`Images`; a dataset's counts are compared with its card.

    Args:
        name: ``"digits"`` (embedded: no network), ``"mnist"``, ``"fashion-mnist"`` (IDX files, fetched if missing),
            or the path of a numpy file: ``.npy``, or ``.npz`` with the images as ``x`` and perhaps labels as ``y``; see
            :func:`graphvae.data.image_files.images_from_file`.
        part: ``"train"``, ``"test"``, or ``"all"``, the one after the other. By default ``"train"`` where the dataset
            has a test set, else ``"all"``, which is then the only one.
        flatten: whether ``x`` is ``(N, D)``, its ``image_shape`` ``(C, H, W)`` beside it; else it is ``(N, C, H, W)``.

    Raises:
        MissingFilesError: if files are missing and cannot be fetched; the message says what to put where.
        InputError: for an unknown name, a file that is not the one on the card, or counts that are not.

    Example:
        >>> load_images("digits")
        Images(1797, shape=(64,), image_shape=(1, 8, 8), classes=10, value_range=(0.0, 1.0))
    """
    if isinstance(name, str) and name in _GRAPHS:
        raise InputError(f"name={name!r} is a graph: load_graph({name!r}) reads it")
    if not isinstance(flatten, bool):
        raise InputError(f"flatten={flatten!r}: expected True or False")
    if _is_path(name):
        _part(part, ["all"])
        images = images_from_file(Path(name))
    else:
        try:
            build = resolve("name", name, _IMAGES)
        except InputError as error:
            raise InputError(f"{error}, or the path of a file in {' or '.join(SUFFIXES)}") from None
        known = card(str(name))
        part = _part(part, ["train", "test", "all"] if vars(known.counts)["test"] else ["all"])
        images = build(known, part)
        _check_image_counts(images, known, part)
    return images.flat() if flatten else images.unflat()


def dataset_status(name: str) -> DatasetStatus:
    """Which of a dataset's files are here, without reading them and without network."""
    known = card(name)
    if known.embedded:
        return DatasetStatus(name, "embedded", (), True)
    missing = tuple(file.path for file in _needed(known) if find(file) is None)
    featureless = all(find(file) is not None for file in _needed(known, features=False))
    return DatasetStatus(name, "missing" if missing else "present", missing, featureless)


def fetch_dataset(name: str) -> list[Path]:
    """Fetch what is missing of a dataset, verify all of it, and say where its files lie; nothing for an embedded one.

    Raises:
        MissingFilesError: if files cannot be fetched; the message says what to put where.
        InputError: if a file is not the one on the card.
    """
    files = _needed(card(name))
    paths = fetch(files)
    for file in files:
        read_verified(file)
    return paths


def verify_dataset(name: str) -> list[FileCheck]:
    """Compare each file of a dataset with its card, or an embedded dataset's counts; without network.

    A file that nothing reads (``needed_for`` is ``"split"``) is compared if it is there, and not missed if not.
    """
    known = card(name)
    if known.embedded:
        try:
            return [FileCheck(name, "ok", str(load_graph(name) if known.kind == "graph" else load_images(name)))]
        except InputError as error:
            return [FileCheck(name, "wrong", str(error))]
    checks = []
    for file in known.files:
        path = find(file)
        if path is None:
            if file in _needed(known):
                checks.append(FileCheck(file.path, "missing", f"from {file.url}"))
            continue
        try:
            read_verified(file)
            checks.append(FileCheck(file.path, "ok", str(path)))
        except InputError as error:
            checks.append(FileCheck(file.path, "wrong", str(error)))
    return checks


def _is_path(name: object) -> bool:
    if isinstance(name, str) and name not in _IMAGES:
        return bool(Path(name).suffix or os.path.dirname(name) or os.path.isfile(name))
    return isinstance(name, Path)


def _part(part: str | None, parts: list[str]) -> str:
    """``part``, by default the first of ``parts``."""
    try:
        return parts[0] if part is None else one_of("part", part, parts)
    except InputError as error:
        hint = "; these images have no test set of their own, Images.split() draws one" if len(parts) == 1 else ""
        raise InputError(f"{error}{hint}") from None


def _needed(known: DatasetCard, *, features: bool = True) -> list[CardFile]:
    return needed_files(known, features=features) if known.kind == "graph" else list(known.files)


def _check_counts(graph: Graph, known: DatasetCard, features: bool) -> None:
    found = {"nodes": graph.num_nodes, "edges": graph.num_edges}
    if features:
        found["features"] = graph.num_features
    if graph.y is not None or features:
        found["classes"] = graph.num_classes
    _compare(known.name, found, vars(known.counts))


def _check_image_counts(images: Images, known: DatasetCard, part: str) -> None:
    counts = vars(known.counts)
    sizes = {"all": counts["images"], "test": counts["test"], "train": counts["images"] - counts["test"]}
    _, height, width = images.image_shape or (0, 0, 0)
    found = {"images": len(images), "height": height, "width": width, "classes": images.num_classes}
    _compare(known.name, found, counts | {"images": sizes[part]})


def _compare(name: str, found: dict[str, int], expected: dict[str, int]) -> None:
    wrong = [f"{expected[what]} {what}, found {found[what]}" for what in found if found[what] != expected[what]]
    if wrong:
        raise InputError(f"{name}: expected {'; '.join(wrong)} (see its card); nothing is returned")
