"""Link splits: the message graph and the pairs held out, checked for leaks whenever one is made."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer, number, one_of
from graphvae.data.graph import Graph
from graphvae.data.leaks import Parts, rules
from graphvae.data.negatives import sample_non_edges
from graphvae.data.pairs import both_directions
from graphvae.data.protocols import all_edges_of_nodes, edge_order, without_nodes

__all__ = ["DRAWN", "LinkSet", "LinkSplit", "keep_edges", "split_links", "tidy"]

HASH_VERSION = "graphvae-split-1"
DRAWN = ("random", "connected", "temporal", "inductive")
"""Protocols of :func:`split_links`."""

PROTOCOLS = (*DRAWN, "fixed")
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
        protocol: how held-out edges were chosen: one of :data:`PROTOCOLS`.
        times: of a temporal split: times of ``train.pairs``, ``val.positive`` and ``test.positive`` by part, float64.
        new_nodes: of an inductive split: rows of the nodes held out, by part; ``train`` has them, without edges.

    Raises:
        InputError: if any check of :meth:`report` fails, naming the check and a pair.
    """

    train: Graph
    val: LinkSet
    test: LinkSet
    seed: int | None
    fractions: tuple[float, float] | None
    graph_hash: str
    protocol: str = "random"
    times: dict[str, Tensor] | None = None
    new_nodes: dict[str, Tensor] | None = None

    def __post_init__(self) -> None:
        for name, noun in {"train": Graph, "val": LinkSet, "test": LinkSet}.items():
            part = getattr(self, name)
            if not isinstance(part, noun):
                raise InputError(f"{name} is of type {type(part).__name__}: expected a {noun.__name__}")
        if self.train.directed:
            raise InputError("train is a directed graph: splits of directed graphs are not supported yet")
        if self.fractions is not None:
            object.__setattr__(self, "fractions", tuple(float(share) for share in self.fractions))
        one_of("protocol", self.protocol, PROTOCOLS)
        n = self.train.num_nodes
        for name in NAMES:
            for kind in ("positive", "negative"):
                pairs = getattr(getattr(self, name), kind)
                if pairs.numel() and int(pairs.max()) >= n:
                    raise InputError(f"{name}.{kind} contains {int(pairs.max())}: expected rows from 0 to {n - 1}")
        self._check_extras()
        for claim, offenders in rules(self.parts()):
            if offenders.shape[1]:
                pair = tuple(offenders[:, 0].tolist())
                raise InputError(f"split leaks: {offenders.shape[1]} pairs, such as {pair}, break the rule: {claim}")

    def __repr__(self) -> str:
        sizes = f"train={self.train.num_edges}, val={self.val.positive.shape[1]}, test={self.test.positive.shape[1]}"
        kind = "" if self.protocol == "random" else f", protocol={self.protocol!r}"
        return f"LinkSplit({sizes}, seed={self.seed}{kind})"

    def _check_extras(self) -> None:
        """Times and new nodes are there if and only if the protocol has them, in the shapes it says."""
        for name, protocol in (("times", "temporal"), ("new_nodes", "inductive")):
            if (getattr(self, name) is not None) != (self.protocol == protocol):
                raise InputError(f'{name}: expected with protocol="{protocol}" and with no other')
        sizes = {"train": self.train.num_edges, **{name: getattr(self, name).positive.shape[1] for name in NAMES}}
        for name, size in sizes.items() if self.times is not None else ():
            found = None if self.times is None else self.times.get(name)
            if found is None or tuple(found.shape) != (size,) or not bool(torch.isfinite(found).all()):
                raise InputError(f"times[{name!r}]: expected {size} finite numbers, one for each edge of the part")
        for name in NAMES if self.new_nodes is not None else ():
            rows = None if self.new_nodes is None else self.new_nodes.get(name)
            if rows is None or (rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < self.train.num_nodes):
                raise InputError(f"new_nodes[{name!r}]: expected rows from 0 to {self.train.num_nodes - 1}")

    def parts(self) -> Parts:
        """The pairs, times and nodes that :func:`~graphvae.data.leaks.rules` look at."""
        held = {name: getattr(self, name) for name in NAMES}
        return Parts(
            num_nodes=self.train.num_nodes,
            train=self.train.edge_index,
            positive={name: links.positive for name, links in held.items()},
            negative={name: links.negative for name, links in held.items()},
            times=self.times or {},
            new_nodes=self.new_nodes or {},
        )

    @cached_property
    def seen(self) -> Graph:
        """The graph to train on: ``train``, without the nodes that an inductive split holds out."""
        if self.new_nodes is None:
            return self.train
        gone = torch.zeros(self.train.num_nodes, dtype=torch.bool)
        gone[torch.cat(list(self.new_nodes.values()))] = True
        return without_nodes(self.train, gone)

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
        for field, kind in (("times", "<f8"), ("new_nodes", "<i8")):
            for name, values in sorted((getattr(self, field) or {}).items()):
                digest.update(f";{field}.{name}={len(values)};".encode() + values.numpy().astype(kind).tobytes())
        return digest.hexdigest()

    def description(self) -> dict[str, Any]:
        """Seed, fractions, hash and protocol, JSON-able: all but the tensors, of which times and new nodes are two."""
        return {
            "seed": self.seed,
            "fractions": None if self.fractions is None else list(self.fractions),
            "graph_hash": self.graph_hash,
            **({} if self.protocol == "random" else {"protocol": self.protocol}),
        }

    def report(self) -> str:
        """What was checked, in words, with counts; the checks are made anew for each report."""
        shares = "" if self.fractions is None else f", asked for {self.fractions[0]:g} and {self.fractions[1]:g}"
        kind = "" if self.protocol == "random" else f"{self.protocol}, "
        lines = [
            f"Link split of {self.num_edges} undirected edges between {self.train.num_nodes} nodes "
            f"({kind}seed {self.seed}{shares}):",
            f"  training    {self.train.num_edges} edges; messages pass along these only",
        ]
        for name, word in NAMES.items():
            part = getattr(self, name)
            lines.append(f"  {word:<11} {part.positive.shape[1]} edges, {part.negative.shape[1]} non-edges")
        lines.append("Checked:")
        for claim, offenders in rules(self.parts()):
            verdict = f"FAILED ({offenders.shape[1]} pairs)" if offenders.shape[1] else "ok"
            lines.append(f"  {verdict}: {claim}")
        return "\n".join(lines)


def split_links(
    graph: Graph, val: float = 0.05, test: float = 0.10, *, seed: int = 0, protocol: str = "random", times: Any = None
) -> LinkSplit:
    """Hold out edges of an undirected graph for validation and test, with as many non-edges for each.

    Sizes are ``floor(val E)`` and ``floor(test E)`` of the decimals as written (Cora: 263, 527 and 4488 for training).
    Non-edges are uniform over those of the full graph, all different. The same seed gives the same split in every
    process, and no global random state is touched.

    Protocols:
        * ``"random"``: uniform over all edges.
        * ``"connected"``: uniform over those beside a random spanning forest, so that training edges connect what all
          edges do. Easier than ``"random"``, for no node loses its last edge.
        * ``"temporal"``: the newest edges are the test, those before them the validation, by ``times``.
        * ``"inductive"``: shares are of the *nodes* that have edges. A held-out node loses all its edges: those with an
          end held out for the test are the test, and of the rest those with one held out for validation are that.
          Non-edges of a part have such an end as well. Estimators train on :attr:`LinkSplit.seen`, which is without
          these nodes, and are told their features when they predict.

    Args:
        graph: undirected; isolated nodes stay nodes.
        val: share of edges for validation, at least 0; 0 leaves the part empty.
        test: share of edges for the test, at least 0; ``val + test`` is less than 1.
        seed: a non-negative integer.
        protocol: one of the above; splits from files are read by :func:`graphvae.load_split`.
        times: ``(E,)`` numbers in the order of ``graph.pairs``; see :func:`graphvae.edge_times`.

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
    one_of("protocol", protocol, DRAWN)
    if (times is not None) != (protocol == "temporal"):
        raise InputError('times: expected with protocol="temporal" and with no other')
    ages = None if times is None else _times(times, graph.num_edges)
    shares = {"val": _share("val", val), "test": _share("test", test)}
    if sum(shares.values()) >= 1:
        raise InputError(f"val={val} and test={test} add up to 1 or more: expected some edges left for training")
    inductive = protocol == "inductive"
    edges, unit = graph.num_edges, "node" if inductive else "edge"
    whole = int((graph.degrees > 0).sum()) if inductive else edges
    sizes = {name: math.floor(share * whole) for name, share in shares.items()}
    for name, share in shares.items():
        if share and not sizes[name]:
            raise InputError(
                f"{name}={float(share):g} of {whole} {unit}s is less than one {unit}: "
                f"expected at least {math.ceil(1 / share)} {unit}s, or {name}=0"
            )
    if edges == 0:
        raise InputError("graph has 0 edges: expected at least one for training")
    rng = np.random.default_rng(seed)
    common: dict[str, Any] = {
        "seed": seed,
        "fractions": (float(shares["val"]), float(shares["test"])),
        "graph_hash": graph.hash,
        "protocol": protocol,
    }
    if inductive:
        chosen, kept, found = all_edges_of_nodes(graph, sizes, rng)
        val_set, test_set = (LinkSet(*found[name]) for name in NAMES)
        return LinkSplit(train=keep_edges(graph, kept), val=val_set, test=test_set, new_nodes=chosen, **common)
    held = sum(sizes.values())
    non_edges = graph.num_pairs - edges
    if held > non_edges:
        raise InputError(
            f"val={val} and test={test} need {held} non-edges, as many as edges held out, and the graph of "
            f"{graph.num_nodes} nodes and {edges} edges has {non_edges}: expected smaller shares or a sparser graph"
        )
    connected = protocol == "connected"
    order = torch.from_numpy(edge_order(graph.pairs, graph.num_nodes, held, rng, connected=connected, times=ages))
    negatives = sample_non_edges(graph.pairs, graph.num_nodes, held, rng)
    first = sizes["val"]
    rows = {"val": order[:first], "test": order[first:held], "train": order[held:]}
    drawn = {"val": negatives[:, :first], "test": negatives[:, first:]}
    # Sorted by u, then v, as all edges are, so that a part does not show the order in which it was drawn.
    rows = {name: chosen.sort().values for name, chosen in rows.items()}
    if ages is not None:
        common["times"] = {name: ages[chosen] for name, chosen in rows.items()}
    val_set, test_set = (LinkSet(graph.pairs[:, rows[name]], tidy(drawn[name])) for name in NAMES)
    return LinkSplit(train=keep_edges(graph, rows["train"]), val=val_set, test=test_set, **common)


def _times(times: Any, num_edges: int) -> Tensor:
    values = torch.as_tensor(np.asarray(times), dtype=torch.float64)
    if tuple(values.shape) != (num_edges,) or not bool(torch.isfinite(values).all()):
        raise InputError(
            f"times has shape {tuple(values.shape)}: expected {num_edges} finite numbers, one for each edge"
        )
    return values


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


def tidy(pairs: Tensor) -> Tensor:
    """``pairs`` sorted by u, then v, so that a part does not show the order in which it was drawn."""
    return pairs[:, torch.from_numpy(np.lexsort((pairs[1].numpy(), pairs[0].numpy())))]


def keep_edges(graph: Graph, rows: Tensor) -> Graph:
    """``graph`` with the edges ``rows`` of ``graph.pairs`` only, and their weights."""
    weight = None
    if graph.edge_weight is not None:
        weight = graph.edge_weight[graph.edge_index[0] < graph.edge_index[1]][rows].numpy()
    index, weight = both_directions(graph.pairs[:, rows].numpy(), weight)
    return graph.replace(edge_index=index, edge_weight=weight, origin=graph.origin)
