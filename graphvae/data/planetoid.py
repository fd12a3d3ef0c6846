"""Cora, CiteSeer and PubMed out of Planetoid's raw files (Yang, Cohen and Salakhutdinov, arXiv:1603.08861)."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.data.cards import CardFile, DatasetCard
from graphvae.data.graph import Graph
from graphvae.data.plain_pickle import CsrArrays, read_adjacency, read_csr, read_dense
from graphvae.data.storage import MissingFilesError, fetch, read_verified

__all__ = ["assemble", "needed_files", "planetoid_graph"]


def needed_files(card: DatasetCard, *, features: bool = True) -> list[CardFile]:
    """The files that :func:`planetoid_graph` cannot do without."""
    purposes = ("edges", "labels", "features") if features else ("edges",)
    return [file for file in card.files if file.needed_for in purposes]


def planetoid_graph(card: DatasetCard, *, features: bool = True) -> Graph:
    """The undirected citation graph of ``card``; missing files are fetched, all are verified before they are parsed.

    Without ``features`` only the file of the edges is needed; labels come if theirs can be had, and a warning says when
    not.

    Raises:
        MissingFilesError: if a needed file is missing and cannot be fetched.
        InputError: if a file is not the one that the card pins, or the files contradict each other.
    """
    files = needed_files(card, features=features)
    fetch(files, hint=". Without features fewer files are needed: features=False" if features else "")
    if not features:
        labels = [file for file in card.files if file.needed_for == "labels"]
        try:
            fetch(labels)
            files += labels
        except MissingFilesError as error:
            warnings.warn(f"{card.name} is read without labels: {error}", stacklevel=4)
    return assemble(card.name, {file.part: read_verified(file) for file in files})


def assemble(name: str, parts: Mapping[str, bytes]) -> Graph:
    """The graph that the contents of Planetoid's files describe.

    ``graph`` maps every node to a list of neighbours, some of them repeated, some the node itself, some in one
    direction only: an edge is every pair of different nodes that stands there. Features and labels come in two lots:
    row ``i`` of ``allx`` and ``ally`` is node ``i``, row ``i`` of ``tx`` and ``ty`` is node ``test.index[i]``. A node
    in neither lot (CiteSeer has 15) has zero features and the label -1.

    Args:
        name: the dataset's name, for messages.
        parts: contents by part. With ``ally``, ``ty`` and ``test.index`` the graph has labels ``(N,)``; with ``allx``,
            ``tx`` and ``test.index`` features ``(N, F)``, CSR float32, with the files' own values.

    Raises:
        InputError: if a file is malformed or the files contradict each other.
    """
    edge_index, n = _edges(parts["graph"], f"ind.{name}.graph")
    x = y = None
    if parts.keys() >= {"ally", "ty", "test.index"}:
        lots = [read_dense(parts[part], f"ind.{name}.{part}") for part in ("ally", "ty")]
        rows = _nodes_of_rows([len(lot) for lot in lots], parts["test.index"], n, f"ind.{name}.test.index")
        y = _labels(lots, rows, n, f"ind.{name}.ally and .ty")
    if parts.keys() >= {"allx", "tx", "test.index"}:
        matrices = [read_csr(parts[part], f"ind.{name}.{part}") for part in ("allx", "tx")]
        rows = _nodes_of_rows([m.shape[0] for m in matrices], parts["test.index"], n, f"ind.{name}.test.index")
        x = _features(matrices, rows, n, f"ind.{name}.allx and .tx")
    return Graph(edge_index, x, y, num_nodes=n)


def _edges(content: bytes, where: str) -> tuple[np.ndarray, int]:
    """``(2, E)`` edges in both directions, without self-loops and repetitions, and N."""
    adjacency = read_adjacency(content, where)
    n = len(adjacency)
    nodes = np.fromiter(adjacency, dtype=np.int64, count=n)
    if not np.array_equal(np.sort(nodes), np.arange(n)):
        raise InputError(f"{where}: expected an entry for each of the nodes 0 to {n - 1}")
    source = np.repeat(nodes, [len(neighbours) for neighbours in adjacency.values()])
    target = np.fromiter(itertools.chain.from_iterable(adjacency.values()), dtype=np.int64, count=len(source))
    if len(target) and not 0 <= int(target.min()) <= int(target.max()) < n:
        raise InputError(f"{where}: expected neighbours from 0 to {n - 1}, found {target.min()} to {target.max()}")
    low, high = np.minimum(source, target), np.maximum(source, target)
    low, high = np.divmod(np.unique((low * n + high)[low != high]), max(n, 1))
    return np.stack([np.concatenate([low, high]), np.concatenate([high, low])]), n


def _nodes_of_rows(sizes: list[int], content: bytes, n: int, where: str) -> np.ndarray:
    """The node of each row of the two lots, one below the other."""
    tokens = content.split()
    if not all(token.isdigit() and len(token) < 10 for token in tokens):
        raise InputError(f"{where}: expected one node index a line")
    test = np.array([int(token) for token in tokens], dtype=np.int64)
    first, size = sizes
    if len(test) != size:
        raise InputError(f"{where}: expected {size} nodes, one for each row of tx and ty, found {len(test)}")
    if first > n or len(np.unique(test)) != size or (size and not first <= int(test.min()) <= int(test.max()) < n):
        raise InputError(f"{where}: expected different nodes from {first}, the number of rows before them, to {n - 1}")
    return np.concatenate([np.arange(first), test])


def _labels(lots: list[np.ndarray], rows: np.ndarray, n: int, where: str) -> np.ndarray:
    """``(N,)`` classes out of one-hot rows; -1 where a node has no row, or a row of zeros."""
    if any(lot.ndim != 2 or lot.shape[1] != lots[0].shape[1] for lot in lots):
        raise InputError(
            f"{where}: expected one-hot labels of one width, found {' and '.join(str(a.shape) for a in lots)}"
        )
    one_hot = np.concatenate(lots)
    if not np.isin(one_hot, (0, 1)).all() or (one_hot.sum(axis=1) > 1).any():
        raise InputError(f"{where}: expected one-hot labels")
    y = np.full(n, -1, dtype=np.int64)
    y[rows] = np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), -1)
    return y


def _features(matrices: list[CsrArrays], rows: np.ndarray, n: int, where: str) -> Tensor:
    """``(N, F)`` sparse float32 features; zeros where a node has no row."""
    first, second = matrices
    if first.shape[1] != second.shape[1]:
        raise InputError(f"{where}: expected as many columns in both, found {first.shape[1]} and {second.shape[1]}")
    counts = np.concatenate([np.diff(matrix.indptr) for matrix in matrices])
    columns = np.concatenate([matrix.indices for matrix in matrices]).astype(np.int64)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and Graph refuses that
        values = np.concatenate([matrix.data for matrix in matrices]).astype(np.float32)
    places = torch.from_numpy(np.stack([np.repeat(rows, counts), columns]))
    return torch.sparse_coo_tensor(places, torch.from_numpy(values), (n, first.shape[1]), check_invariants=True)
