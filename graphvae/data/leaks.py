"""What must hold for a link split to be fair, each rule in words with the pairs that break it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from graphvae.data.negatives import pair_ranks

__all__ = ["Parts", "rules"]


@dataclass(frozen=True, eq=False)
class Parts:
    """The pairs of a split, as they are: nothing is promised.

    Attributes:
        num_nodes: N.
        train: ``(2, E)`` rows of training edges, in one direction or both.
        positive: ``(2, P)`` held-out edges by part, ``"val"`` and ``"test"``.
        negative: ``(2, Q)`` sampled non-edges by part.
        times: of training edges (``"train"``) and of each held-out one, by part, or empty.
        new_nodes: rows of the nodes held out by part, or empty.
    """

    num_nodes: int
    train: Tensor
    positive: dict[str, Tensor]
    negative: dict[str, Tensor]
    times: dict[str, Tensor] = field(default_factory=dict)
    new_nodes: dict[str, Tensor] = field(default_factory=dict)


def rules(parts: Parts) -> Iterator[tuple[str, Tensor]]:
    """What must hold, in words, each with the ``(2, K)`` pairs that break it."""
    n, train = parts.num_nodes, parts.train
    val, test = parts.positive["val"], parts.positive["test"]
    held = torch.cat([val, test], dim=1)
    drawn = torch.cat([parts.negative["val"], parts.negative["test"]], dim=1)
    every = torch.cat([held, drawn], dim=1)
    both = torch.cat([held, held.flip(0)], dim=1)
    yield (
        f"each of the {every.shape[1]} held-out pairs joins two different nodes and is written once, as u < v",
        every[:, every[0] >= every[1]],
    )
    yield f"the {held.shape[1]} held-out edges are {held.shape[1]} different pairs", _repeats(held)
    yield f"no validation edge is a test edge ({val.shape[1]} against {test.shape[1]})", _shared(val, test)
    yield (
        f"no held-out edge is among the {train.shape[1]} directed training edges, in either direction "
        f"({both.shape[1]} compared)",
        both[:, torch.isin(both[0] * n + both[1], train[0] * n + train[1])],
    )
    full = torch.unique(torch.cat([torch.stack([train.amin(0), train.amax(0)]), held], dim=1), dim=1)
    yield (
        f"each of the {drawn.shape[1]} sampled non-edges is no edge of the full graph of {full.shape[1]} edges",
        _shared(drawn, full),
    )
    yield f"the {drawn.shape[1]} sampled non-edges are {drawn.shape[1]} different pairs", _repeats(drawn)
    yield (
        f"no validation non-edge is a test non-edge ({parts.negative['val'].shape[1]} against "
        f"{parts.negative['test'].shape[1]})",
        _shared(parts.negative["val"], parts.negative["test"]),
    )
    if parts.times:
        yield from _rules_of_time(parts)
    if parts.new_nodes:
        yield from _rules_of_new_nodes(parts)


def _rules_of_time(parts: Parts) -> Iterator[tuple[str, Tensor]]:
    times = parts.times
    for name, word, before in (
        ("val", "validation edge is older than a training edge", ["train"]),
        ("test", "test edge is older than a training or validation edge", ["train", "val"]),
    ):
        earlier = torch.cat([times[part] for part in before])
        late = times[name] < earlier.max() if earlier.numel() else torch.zeros_like(times[name], dtype=torch.bool)
        yield f"no {word}", parts.positive[name][:, late]


def _rules_of_new_nodes(parts: Parts) -> Iterator[tuple[str, Tensor]]:
    new = {name: torch.zeros(parts.num_nodes, dtype=torch.bool) for name in ("val", "test")}
    for name, rows in parts.new_nodes.items():
        new[name][rows] = True
    train, count = parts.train, int((new["val"] | new["test"]).sum())
    twice = torch.nonzero(new["val"] & new["test"]).T
    yield "no node is held out for both validation and test", torch.cat([twice, twice])
    yield (
        f"none of the {count} held-out nodes has a training edge",
        train[:, (new["val"] | new["test"])[train].any(0)],
    )
    for name, word in (("val", "validation"), ("test", "test")):
        pairs = torch.cat([parts.positive[name], parts.negative[name]], dim=1)
        yield f"each {word} pair has an end among the nodes held out for it", pairs[:, ~new[name][pairs].any(0)]
    pairs = torch.cat([parts.positive["val"], parts.negative["val"]], dim=1)
    yield "no validation pair has an end among the nodes held out for the test", pairs[:, new["test"][pairs].any(0)]


def _shared(pairs: Tensor, others: Tensor) -> Tensor:
    """Those of ``pairs`` that occur in ``others``."""
    return pairs[:, torch.from_numpy(np.isin(pair_ranks(pairs), pair_ranks(others)))]


def _repeats(pairs: Tensor) -> Tensor:
    """Those of ``pairs`` that have occurred before."""
    is_first = np.zeros(pairs.shape[1], dtype=bool)
    is_first[np.unique(pair_ranks(pairs), return_index=True)[1]] = True
    return pairs[:, torch.from_numpy(~is_first)]
