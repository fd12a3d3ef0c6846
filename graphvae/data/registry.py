"""Datasets by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphvae._check import InputError, one_of, resolve
from graphvae.data import embedded
from graphvae.data.cards import DatasetCard, read_card
from graphvae.data.graph import Graph
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
    "verify_dataset",
]

# Name of a dataset -> what reads it, given the card and whether features are wanted.
_BUILDERS: dict[str, Callable[[DatasetCard, bool], Graph]] = {
    "citeseer": lambda card, features: planetoid_graph(card, features=features),
    "cora": lambda card, features: planetoid_graph(card, features=features),
    "digits-knn": lambda card, features: embedded.digits_knn(),
    "karate": lambda card, features: embedded.karate(),
    "lesmis": lambda card, features: embedded.lesmis(),
    "pubmed": lambda card, features: planetoid_graph(card, features=features),
}


@dataclass(frozen=True)
class DatasetStatus:
    """Whether a dataset can be read here and now.

    Attributes:
        name: the dataset.
        state: ``"embedded"`` (needs no files), ``"present"`` or ``"missing"``.
        missing: paths, below a data folder, of the files that are missing.
        featureless: whether ``features=False`` can be read as it is.
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


def dataset_names() -> tuple[str, ...]:
    """The names that :func:`load_graph` knows, in alphabetical order."""
    return tuple(sorted(_BUILDERS))


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
    build = resolve("name", name, _BUILDERS)
    if not isinstance(features, bool):
        raise InputError(f"features={features!r}: expected True or False")
    graph = build(card(name), features)
    origin = {"kind": "dataset", "name": name, "features": features}
    graph = graph.replace(x=graph.x if features else None, origin=origin)
    _check_counts(graph, card(name), features)
    return graph


def dataset_status(name: str) -> DatasetStatus:
    """Which of a dataset's files are here, without reading them and without network."""
    known = card(name)
    if known.embedded:
        return DatasetStatus(name, "embedded", (), True)
    missing = tuple(file.path for file in needed_files(known) if find(file) is None)
    featureless = all(find(file) is not None for file in needed_files(known, features=False))
    return DatasetStatus(name, "missing" if missing else "present", missing, featureless)


def fetch_dataset(name: str) -> list[Path]:
    """Fetch what is missing of a dataset, verify all of it, and say where its files lie; nothing for an embedded one.

    Raises:
        MissingFilesError: if files cannot be fetched; the message says what to put where.
        InputError: if a file is not the one on the card.
    """
    files = needed_files(card(name))
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
            return [FileCheck(name, "ok", str(load_graph(name)))]
        except InputError as error:
            return [FileCheck(name, "wrong", str(error))]
    checks = []
    for file in known.files:
        path = find(file)
        if path is None:
            if file in needed_files(known):
                checks.append(FileCheck(file.path, "missing", f"from {file.url}"))
            continue
        try:
            read_verified(file)
            checks.append(FileCheck(file.path, "ok", str(path)))
        except InputError as error:
            checks.append(FileCheck(file.path, "wrong", str(error)))
    return checks


def _check_counts(graph: Graph, known: DatasetCard, features: bool) -> None:
    counts = known.counts
    found = {"nodes": graph.num_nodes, "edges": graph.num_edges}
    expected = {"nodes": counts.nodes, "edges": counts.edges}
    if features:
        found["features"], expected["features"] = graph.num_features, counts.features
    if graph.y is not None or features:
        found["classes"], expected["classes"] = graph.num_classes, counts.classes
    wrong = [f"{expected[what]} {what}, found {found[what]}" for what in expected if found[what] != expected[what]]
    if wrong:
        raise InputError(f"{known.name}: expected {'; '.join(wrong)} (see its card); nothing is returned")
