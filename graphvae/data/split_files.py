"""Splits as files that people and other programs write: one row for each pair, with its part, by node id.

CSV (TSV, Parquet) columns, or arrays of the same names in an ``.npz`` file:

source, target   node ids
part             train, val or test
label            1 for an edge, 0 for a non-edge; 1 everywhere if the column is left out
time             of edges, for a temporal split; may be left out

An inductive split names its nodes as well, in arrays ``new_val`` and ``new_test`` of an ``.npz`` file.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, one_of
from graphvae._files import atomic_path, reading
from graphvae.data.columns import ids, numbers, open_table
from graphvae.data.edge_times import moments
from graphvae.data.graph import Graph
from graphvae.data.leaks import Parts
from graphvae.data.negatives import sample_non_edges
from graphvae.data.pairs import both_directions
from graphvae.data.splits import LinkSet, LinkSplit, keep_edges, tidy

__all__ = ["SplitRows", "load_split", "read_rows", "save_split"]

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class SplitRows:
    """The rows of a split, as they are: nothing is promised but that there are nodes of the names it has.

    Attributes:
        node_ids: ``(N,)`` sorted ids.
        pairs: ``(2, R)`` rows of nodes, the smaller one first.
        part: ``(R,)`` of :data:`PARTS`.
        edge: ``(R,)`` whether a row is an edge.
        time: ``(R,)`` float64, NaN where there is none; or None.
        new_nodes: rows of nodes held out by part; may be empty.
    """

    node_ids: np.ndarray
    pairs: Tensor
    part: np.ndarray
    edge: np.ndarray
    time: np.ndarray | None = None
    new_nodes: dict[str, Tensor] = field(default_factory=dict)

    def chosen(self, part: str, edge: bool) -> Tensor:
        """``(R',)`` rows of one part and label."""
        return torch.from_numpy(np.flatnonzero((self.part == part) & (self.edge == edge)))

    def parts(self) -> Parts:
        """What the rules of :mod:`graphvae.data.leaks` look at."""
        times = {}
        if self.time is not None:
            times = {part: torch.from_numpy(self.time)[self.chosen(part, True)] for part in PARTS}
        return Parts(
            num_nodes=len(self.node_ids),
            train=self.pairs[:, self.chosen("train", True)],
            positive={part: self.pairs[:, self.chosen(part, True)] for part in PARTS[1:]},
            negative={part: self.pairs[:, self.chosen(part, False)] for part in PARTS[1:]},
            times=times,
            new_nodes=self.new_nodes,
        )


def read_rows(file: str | Path, node_ids: np.ndarray | None = None) -> SplitRows:
    """The rows of a split file.

    Args:
        file: as this module describes it.
        node_ids: ``(N,)`` ids of the graph it is of; by default those it names.

    Raises:
        InputError: for what cannot be read, and for an id that is none of ``node_ids``.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"split={str(file)!r}: no such file")
    with reading(path):
        found = _read_npz(path) if path.suffix == ".npz" else _read_table(path, node_ids)
        ends = np.stack([found["source"], found["target"]])
        news = {part: found[f"new_{part}"] for part in PARTS[1:] if f"new_{part}" in found}
        known = np.unique(np.concatenate([ends.ravel(), *news.values()])) if node_ids is None else np.asarray(node_ids)
        row_of = {identifier: row for row, identifier in enumerate(known.tolist())}

        def rows(values: np.ndarray) -> np.ndarray:
            try:
                return np.array([row_of[value] for value in values.ravel().tolist()], np.int64).reshape(values.shape)
            except KeyError as error:
                raise InputError(f"node id {error.args[0]!r} is not in the graph of {len(known)} nodes") from None

        part, label = found["part"].astype(str), found.get("label", np.ones(ends.shape[1]))
        for value in np.unique(part).tolist():
            one_of("part", value, PARTS)
        if not np.isin(label, (0, 1)).all():
            raise InputError("label: expected 1 for an edge and 0 for a non-edge")
        if ((part == "train") & (label == 0)).any():
            raise InputError("part 'train' has rows of label 0: expected edges; estimators draw their own non-edges")
        numbered = np.sort(rows(ends), axis=0)
        new_nodes = {name: torch.from_numpy(np.sort(rows(values))) for name, values in news.items()}
        return SplitRows(known, torch.from_numpy(numbered), part, label == 1, found.get("time"), new_nodes)


def load_split(file: str | Path, graph: Graph | None = None, *, seed: int = 0) -> LinkSplit:
    """The split in a file: fixed, temporal if it has times, inductive if it names nodes held out.

    Training rows may be left out where there is a graph: its edges that are not held out. Non-edges of a part without
    any are drawn, as many as its edges.

    Args:
        file: CSV, TSV, Parquet or ``.npz``, written by :func:`save_split` or as that writes it.
        graph: gives nodes, features and weights; by default the nodes are those of the file, without features.
        seed: of the non-edges that are drawn.

    Raises:
        InputError: for a split that leaks, naming the rule and a pair, and for edges that are not those of ``graph``.
    """
    rows = read_rows(file, None if graph is None else graph.node_ids)
    with reading(Path(file)):
        return _split_of(rows, graph, np.random.default_rng(seed))


def _split_of(rows: SplitRows, graph: Graph | None, rng: np.random.Generator) -> LinkSplit:
    edges = rows.pairs[:, torch.from_numpy(rows.edge)]
    if graph is None:
        unique = torch.unique(edges, dim=1)
        index, _ = both_directions(unique.numpy(), None)
        graph = Graph(index, num_nodes=len(rows.node_ids), node_ids=rows.node_ids)
    elif graph.directed:
        raise InputError("graph has directed=True: expected an undirected graph")
    n = graph.num_nodes
    keys, own = edges[0] * n + edges[1], graph.pairs[0] * n + graph.pairs[1]
    trained = rows.pairs[:, rows.chosen("train", True)]
    for wrong, what in (
        (edges[:, ~torch.isin(keys, own)], "in this file and no edge of the graph"),
        (
            graph.pairs[:, ~torch.isin(own, keys)] if trained.shape[1] else edges[:, :0],
            "an edge of the graph and not here",
        ),
    ):
        if wrong.shape[1]:
            pair = tuple(graph.node_ids[wrong[:, 0].numpy()].tolist())
            raise InputError(f"{wrong.shape[1]} pairs, such as {pair}, are {what}: expected the split of this graph")
    parts, times = rows.parts(), None
    held = torch.cat(list(parts.positive.values()), 1)
    kept = torch.isin(own, trained[0] * n + trained[1]) if trained.shape[1] else ~torch.isin(own, held[0] * n + held[1])
    if parts.times:
        if not trained.shape[1]:
            raise InputError("time: expected training rows, whose times no edge held out may be older than")
        times = {part: _in_order(rows.pairs[:, rows.chosen(part, True)], parts.times[part]) for part in PARTS}
    given = torch.cat(list(parts.negative.values()), 1)
    taken = torch.unique(torch.cat([graph.pairs, given[:, given[0] < given[1]]], 1), dim=1)
    sets = {}
    for part in PARTS[1:]:
        positive, negative = parts.positive[part], parts.negative[part]
        if positive.shape[1] and not negative.shape[1]:
            negative = sample_non_edges(taken, n, positive.shape[1], rng)
            taken = torch.cat([taken, negative], 1)
        sets[part] = LinkSet(tidy(positive), tidy(negative))
    protocol = "inductive" if rows.new_nodes else "temporal" if times else "fixed"
    return LinkSplit(
        train=keep_edges(graph, torch.nonzero(kept).ravel()),
        val=sets["val"],
        test=sets["test"],
        seed=None,
        fractions=None,
        graph_hash=graph.hash,
        protocol=protocol,
        times=times,
        new_nodes=rows.new_nodes or None,
    )


def _in_order(pairs: Tensor, times: Tensor) -> Tensor:
    """Times in the order that :func:`tidy` gives their pairs."""
    return times[torch.from_numpy(np.lexsort((pairs[1].numpy(), pairs[0].numpy())))]


def save_split(split: LinkSplit, file: str | Path) -> Path:
    """Write a split as ``.npz`` or ``.csv``, by node id, for other programs and for :func:`load_split`.

    Raises:
        InputError: for another kind of file, and for an inductive split in a CSV file.
    """
    path = Path(file)
    if path.suffix not in (".npz", ".csv"):
        raise InputError(f"file={str(file)!r}: expected a name that ends in .npz or .csv")
    if split.new_nodes is not None and path.suffix == ".csv":
        raise InputError(f"file={str(file)!r}: an inductive split names its nodes as well; expected an .npz file")
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("source", "target", "part", "label", "time")}
    for part in PARTS:
        sets = [(split.train.pairs, 1)] if part == "train" else []
        if part != "train":
            links: LinkSet = getattr(split, part)
            sets = [(links.positive, 1), (links.negative, 0)]
        for pairs, label in sets:
            source, target = split.train.node_ids[pairs.numpy()]
            columns["source"].append(source)
            columns["target"].append(target)
            columns["part"].append(np.full(pairs.shape[1], part))
            columns["label"].append(np.full(pairs.shape[1], label))
            none = np.full(pairs.shape[1], np.nan)
            columns["time"].append(split.times[part].numpy() if split.times is not None and label else none)
    arrays: dict[str, Any] = {name: np.concatenate(column) for name, column in columns.items()}
    if split.times is None:
        del arrays["time"]
    for part, rows in (split.new_nodes or {}).items():
        arrays[f"new_{part}"] = split.train.node_ids[rows.numpy()]
    with atomic_path(path) as work:
        if path.suffix == ".npz":
            with open(work, "wb") as stream:
                np.savez_compressed(stream, **arrays)
        else:
            with open(work, "w", encoding="utf-8", newline="") as text:
                writer = csv.writer(text)
                writer.writerow(arrays)
                for row in zip(*(array.tolist() for array in arrays.values()), strict=True):
                    writer.writerow(["" if value != value else value for value in row])
    return path


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored.files}
    for name in ("source", "target", "part"):
        if name not in found:
            raise InputError(f"expected arrays source, target and part; found {', '.join(found) or 'none'}")
    lengths = {name: found[name].shape for name in ("source", "target", "part", "label", "time") if name in found}
    if len(set(lengths.values())) > 1 or len(found["source"].shape) != 1:
        raise InputError(f"expected arrays of one length, found {lengths}")
    if "time" in found:
        found["time"] = found["time"].astype(np.float64)
    return found


def _read_table(path: Path, node_ids: np.ndarray | None) -> dict[str, np.ndarray]:
    table = open_table("split", path)
    for name in ("source", "target", "part"):
        table.find(name, name)
    names = [name for name in ("source", "target", "part", "label", "time") if name in table.names]
    columns = dict(zip(names, table.read(names)[0], strict=True))
    kind = None if node_ids is None else int if node_ids.dtype.kind == "i" else str
    found = {}
    for name, column in columns.items():
        label = f"column {name!r}"
        if name in ("label", "time"):
            found[name] = numbers(column, label) if name == "label" else moments(column, label)
            continue
        values = ids(column, label, str if name == "part" else kind)
        if values.null_count:
            raise InputError(f"{label} has {values.null_count} rows without one")
        found[name] = values.to_numpy(zero_copy_only=False)
        if found[name].dtype == object:
            found[name] = found[name].astype(str)
    return found
