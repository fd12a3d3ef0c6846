"""Link splits: the message graph and the pairs held out, checked for leaks whenever one is made."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer, number
from graphvae.data.graph import Graph
from graphvae.data.negatives import pair_ranks, sample_non_edges
from graphvae.data.pairs import both_directions

__all__ = ["LinkSet", "LinkSplit", "keep_edges", "split_links"]

HASH_VERSION = "graphvae-split-1"
NAMES = {"val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class LinkSet:
    """Pairs held out: edges and as many pairs that are none.

    Attributes:
        positive: ``(2, P)`` int64 rows of edges, u < v.
        negative: ``(2, Q)`` int64 rows of non-edges, u < v.

    Raises:
        InputError: for another shape or type, a negative row, or a pair without u < v.
    """

    positive: Tensor
    negative: Tensor

    def __post_init__(self) -> None:
        for name in ("positive", "negative"):
            object.__setattr__(self, name, _pairs(name, getattr(self, name)))

    def __repr__(self) -> str:
        return f"LinkSet(positive={self.positive.shape[1]}, negative={self.negative.shape[1]})"


@dataclass(frozen=True, eq=False)
class LinkSplit:
    """A graph's edges in three parts, with sampled non-edges; one that leaks cannot be made.

    Attributes:
        train: the message graph, which also gives the supervision: all nodes, and the edges that are not held out.
            Its ``origin`` is that of the full graph: nodes and features can be read from there.
        val: pairs for validation.
        test: pairs for the test.
        seed: the seed of :func:`split_links`, or None for a split drawn otherwise.
        fractions: the shares asked for, (val, test), or None.
        graph_hash: hash of the full graph.

    Raises:
        InputError: if any check of :meth:`report` fails, naming the check and a pair.
    """

    train: Graph
    val: LinkSet
    test: LinkSet
    seed: int | None
    fractions: tuple[float, float] | None
    graph_hash: str

    def __post_init__(self) -> None:
        for name, noun in {"train": Graph, "val": LinkSet, "test": LinkSet}.items():
            part = getattr(self, name)
            if not isinstance(part, noun):
                raise InputError(f"{name} is of type {type(part).__name__}: expected a {noun.__name__}")
        if self.train.directed:
            raise InputError("train is a directed graph: splits of directed graphs are not supported yet")
        if self.fractions is not None:
            object.__setattr__(self, "fractions", tuple(float(share) for share in self.fractions))
        n = self.train.num_nodes
        for name in NAMES:
            for kind in ("positive", "negative"):
                pairs = getattr(getattr(self, name), kind)
                if pairs.numel() and int(pairs.max()) >= n:
                    raise InputError(f"{name}.{kind} contains {int(pairs.max())}: expected rows from 0 to {n - 1}")
        for claim, offenders in _claims(self):
            if offenders.shape[1]:
                pair = tuple(offenders[:, 0].tolist())
                raise InputError(f"split leaks: {offenders.shape[1]} pairs, such as {pair}, break the rule: {claim}")

    def __repr__(self) -> str:
        sizes = f"train={self.train.num_edges}, val={self.val.positive.shape[1]}, test={self.test.positive.shape[1]}"
        return f"LinkSplit({sizes}, seed={self.seed})"

    @property
    def num_edges(self) -> int:
        """Number of edges of the full graph."""
        return self.train.num_edges + self.val.positive.shape[1] + self.test.positive.shape[1]

    @property
    def density(self) -> float:
        """Share of all pairs that are edges of the full graph."""
        return self.num_edges / self.train.num_pairs if self.train.num_pairs else 0.0

    @cached_property
    def hash(self) -> str:
        """Hex digest over the training graph and all held-out pairs, the same on every machine; versioned."""
        digest = hashlib.sha256(f"{HASH_VERSION};train={self.train.hash}".encode())
        for name in NAMES:
            for kind in ("positive", "negative"):
                pairs = getattr(getattr(self, name), kind)
                digest.update(f";{name}.{kind}={pairs.shape[1]};".encode())
                digest.update(np.ascontiguousarray(pairs.numpy()).astype("<i8", copy=False).tobytes())
        return digest.hexdigest()

    def description(self) -> dict[str, Any]:
        """Seed, fractions and hash, JSON-able; ``LinkSplit(train=, val=, test=, **description)`` is this split."""
        return {
            "seed": self.seed,
            "fractions": None if self.fractions is None else list(self.fractions),
            "graph_hash": self.graph_hash,
        }

    def report(self) -> str:
        """What was checked, in words, with counts; the checks are made anew for each report."""
        shares = "" if self.fractions is None else f", asked for {self.fractions[0]:g} and {self.fractions[1]:g}"
        lines = [
            f"Link split of {self.num_edges} undirected edges between {self.train.num_nodes} nodes "
            f"(seed {self.seed}{shares}):",
            f"  training    {self.train.num_edges} edges; messages pass along these only",
        ]
        for name, word in NAMES.items():
            part = getattr(self, name)
            lines.append(f"  {word:<11} {part.positive.shape[1]} edges, {part.negative.shape[1]} non-edges")
        lines.append("Checked:")
        for claim, offenders in _claims(self):
            verdict = f"FAILED ({offenders.shape[1]} pairs)" if offenders.shape[1] else "ok"
            lines.append(f"  {verdict}: {claim}")
        return "\n".join(lines)


def split_links(graph: Graph, val: float = 0.05, test: float = 0.10, *, seed: int = 0) -> LinkSplit:
    """Hold out edges of an undirected graph for validation and test, with as many non-edges for each.

    Sizes are ``floor(val E)`` and ``floor(test E)`` of the decimals as written (Cora: 263, 527 and 4488 for training).
    Non-edges are uniform over those of the full graph, all different. The same seed gives the same split in every
    process, and no global random state is touched.

    Args:
        graph: undirected; isolated nodes stay nodes.
        val: share of edges for validation, at least 0; 0 leaves the part empty.
        test: share of edges for the test, at least 0; ``val + test`` is less than 1.
        seed: a non-negative integer.

    Raises:
        InputError: for a directed graph, and for one with too few edges or non-edges, with the numbers.

    Example:
        >>> ring = Graph.from_edges([list(range(20)), [*range(1, 20), 0]])
        >>> split_links(ring, val=0.05, test=0.1)
        LinkSplit(train=17, val=1, test=2, seed=0)
    """
    if not isinstance(graph, Graph):
        raise InputError(f"graph is of type {type(graph).__name__}: expected a Graph")
    if graph.directed:
        raise InputError("graph has directed=True: expected an undirected graph; directed splits are not supported yet")
    seed = integer("seed", seed, low=0)
    shares = {"val": _share("val", val), "test": _share("test", test)}
    if sum(shares.values()) >= 1:
        raise InputError(f"val={val} and test={test} add up to 1 or more: expected some edges left for training")
    edges = graph.num_edges
    sizes = {name: math.floor(share * edges) for name, share in shares.items()}
    for name, share in shares.items():
        if share and not sizes[name]:
            raise InputError(
                f"{name}={float(share):g} of {edges} edges is less than one edge: "
                f"expected at least {math.ceil(1 / share)} edges, or {name}=0"
            )
    if edges == 0:
        raise InputError("graph has 0 edges: expected at least one for training")
    held = sum(sizes.values())
    non_edges = graph.num_pairs - edges
    if held > non_edges:
        raise InputError(
            f"val={val} and test={test} need {held} non-edges, as many as edges held out, and the graph of "
            f"{graph.num_nodes} nodes and {edges} edges has {non_edges}: expected smaller shares or a sparser graph"
        )
    rng = np.random.default_rng(seed)
    order = torch.from_numpy(rng.permutation(edges))
    negatives = sample_non_edges(graph.pairs, graph.num_nodes, held, rng)
    first = sizes["val"]
    parts = {
        "val": LinkSet(_tidy(graph.pairs[:, order[:first]]), _tidy(negatives[:, :first])),
        "test": LinkSet(_tidy(graph.pairs[:, order[first:held]]), _tidy(negatives[:, first:])),
    }
    return LinkSplit(
        train=keep_edges(graph, order[held:]),
        **parts,
        seed=seed,
        fractions=(float(shares["val"]), float(shares["test"])),
        graph_hash=graph.hash,
    )


def _claims(split: LinkSplit) -> Iterator[tuple[str, Tensor]]:
    """What must hold, in words, each with the ``(2, K)`` pairs that break it."""
    val, test, train = split.val, split.test, split.train
    none = torch.empty((2, 0), dtype=torch.int64)
    held = torch.cat([val.positive, test.positive], dim=1)
    drawn = torch.cat([val.negative, test.negative], dim=1)
    every = torch.cat([held, drawn], dim=1)
    both = torch.cat([held, held.flip(0)], dim=1)
    edges, n = train.edge_index, train.num_nodes
    yield (
        f"each of the {every.shape[1]} held-out pairs joins two different nodes and is written once, as u < v",
        every[:, every[0] >= every[1]],
    )
    yield f"the {held.shape[1]} held-out edges are {held.shape[1]} different pairs", _repeats(held)
    yield (
        f"no validation edge is a test edge ({val.positive.shape[1]} against {test.positive.shape[1]})",
        _shared(val.positive, test.positive),
    )
    yield (
        f"no held-out edge is among the {edges.shape[1]} directed training edges, in either direction "
        f"({both.shape[1]} compared)",
        both[:, torch.isin(both[0] * n + both[1], edges[0] * n + edges[1])] if both.numel() else none,
    )
    full = torch.cat([train.pairs, held], dim=1)
    yield (
        f"each of the {drawn.shape[1]} sampled non-edges is no edge of the full graph of {full.shape[1]} edges",
        _shared(drawn, full),
    )
    yield f"the {drawn.shape[1]} sampled non-edges are {drawn.shape[1]} different pairs", _repeats(drawn)
    yield (
        f"no validation non-edge is a test non-edge ({val.negative.shape[1]} against {test.negative.shape[1]})",
        _shared(val.negative, test.negative),
    )


def _shared(pairs: Tensor, others: Tensor) -> Tensor:
    """Those of ``pairs`` that occur in ``others``."""
    return pairs[:, torch.from_numpy(np.isin(pair_ranks(pairs), pair_ranks(others)))]


def _repeats(pairs: Tensor) -> Tensor:
    """Those of ``pairs`` that have occurred before."""
    is_first = np.zeros(pairs.shape[1], dtype=bool)
    is_first[np.unique(pair_ranks(pairs), return_index=True)[1]] = True
    return pairs[:, torch.from_numpy(~is_first)]


def _pairs(name: str, value: Any) -> Tensor:
    pairs = value.detach().cpu() if isinstance(value, Tensor) else torch.as_tensor(np.array(value))
    if pairs.dim() != 2 or pairs.shape[0] != 2:
        raise InputError(f"{name} has shape {tuple(pairs.shape)}: expected (2, P)")
    if pairs.numel() and (pairs.is_floating_point() or pairs.is_complex() or pairs.dtype == torch.bool):
        raise InputError(f"{name} is of type {pairs.dtype}: expected integers")
    pairs = pairs.to(torch.int64).clone().contiguous()
    wrong = (pairs[0] < 0) | (pairs[0] >= pairs[1])
    if bool(wrong.any()):
        pair = tuple(pairs[:, int(wrong.nonzero()[0])].tolist())
        raise InputError(f"{name} contains the pair {pair}: expected rows u < v, from 0")
    return pairs


def _share(name: str, value: Any) -> Fraction:
    """The share exactly as written: 0.29 of 100 edges is 29, although ``0.29 * 100`` is below 29 in floating point."""
    share = number(name, value, low=0, high=1)
    try:
        return Fraction(str(value))
    except ValueError:  # a number that does not print as one, such as a tensor
        return Fraction(str(share))


def _tidy(pairs: Tensor) -> Tensor:
    """``pairs`` sorted by u, then v, so that a part does not show the order in which it was drawn."""
    return pairs[:, torch.from_numpy(np.lexsort((pairs[1].numpy(), pairs[0].numpy())))]


def keep_edges(graph: Graph, rows: Tensor) -> Graph:
    """``graph`` with the edges ``rows`` of ``graph.pairs`` only, and their weights."""
    weight = None
    if graph.edge_weight is not None:
        weight = graph.edge_weight[graph.edge_index[0] < graph.edge_index[1]][rows].numpy()
    index, weight = both_directions(graph.pairs[:, rows].numpy(), weight)
    return graph.replace(edge_index=index, edge_weight=weight, origin=graph.origin)
