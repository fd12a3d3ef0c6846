"""The pairs of highest score that are not known yet, found exactly, in blocks, for any score of pairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

__all__ = ["KnownPairs", "PairScores", "top_pairs", "top_partners"]

# Numbers held for one block: 8 MiB of float32.
BLOCK = 1 << 21
# Blocks before the clock starts, and blocks it times.
WARM, TIMED = 8, 4

Announce = Callable[[float], None]
B = TypeVar("B")


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of pairs of N nodes, twice: quickly by the block, and each exactly.

    Two ways of adding the same products differ in the last bits, by which equal pairs would be put in an order that
    means nothing; so blocks only say which pairs may be among the best, and the exact scores decide.

    Attributes:
        num_nodes: N.
        block: maps two slices or index tensors to ``(R, C)`` scores and the slack, ``(R, 1)`` or a number: how far at
            most a score of the block may be from the exact one.
        exact: maps pairs ``(2, P)`` to their scores ``(P,)``.
        directed: whether (u, v) and (v, u) are different pairs.
        numbers: how many numbers are held for each score of a block.
    """

    num_nodes: int
    block: Callable[[Tensor | slice, slice], tuple[Tensor, Tensor | float]]
    exact: Callable[[Tensor], Tensor]
    directed: bool = False
    numbers: int = 1


class KnownPairs:
    """The pairs that are not to be found, by source; each node with itself among them.

    Args:
        pairs: ``(2, P)`` int64; both directions unless ``directed``.
        num_nodes: N.
        directed: whether (u, v) says nothing about (v, u).
    """

    def __init__(self, pairs: Tensor, num_nodes: int, *, directed: bool = False) -> None:
        loops = torch.arange(num_nodes).expand(2, -1)
        both = torch.cat([pairs, loops] if directed else [pairs, pairs.flip(0), loops], 1)
        key = torch.unique(both[0] * num_nodes + both[1])
        self.targets = key % max(num_nodes, 1)
        counts = torch.bincount(key // max(num_nodes, 1), minlength=num_nodes)
        self.starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])

    def inside(self, rows: Tensor, columns: slice) -> tuple[Tensor, Tensor]:
        """Positions in the block ``rows`` (R,) x ``columns`` of the pairs that are known."""
        first, count = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        at = torch.repeat_interleave(torch.arange(len(rows)), count)
        within = torch.arange(len(at)) - torch.repeat_interleave(count.cumsum(0) - count, count)
        target = self.targets[first[at] + within]
        kept = (target >= columns.start) & (target < columns.stop)
        return at[kept], target[kept] - columns.start


@torch.no_grad()
def top_partners(
    scores: PairScores, rows: Tensor, k: int, known: KnownPairs, announce: Announce | None = None, block: int = BLOCK
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each of ``rows`` the k partners of highest score among those that are not known.

    Equal scores are ordered by the partner's row, the lower one first. A node with fewer than k unknown partners has
    them all.

    Args:
        scores: of all pairs.
        rows: ``(M,)`` int64 nodes.
        k: how many for each.
        known: pairs left out.
        announce: is told after the first few blocks, if there are more, how many seconds these take; it may raise.
        block: numbers held at once, about.

    Returns:
        ``(L,)`` position in ``rows``, row of the partner, rank from 1, and score, by position and rank.
    """
    n = scores.num_nodes
    parts = []
    cuts = list(rows.split(max(1, block // scores.numbers // max(n, 1))))
    done, everyone = 0, slice(0, n)
    for part in _timed(cuts, announce):
        values, slack = scores.block(part, everyone)
        values[known.inside(part, everyone)] = -torch.inf
        # The k-th best of a row is within the slack of its exact score, and so is whatever beats it.
        bound = values.topk(min(k, n), dim=1).values[:, -1:] - 2 * slack
        at, target = ((values >= bound) & (values > -torch.inf)).nonzero().T.cpu()
        exact = scores.exact(torch.stack([part[at], target])).double().cpu().numpy()
        at, target = at.numpy(), target.numpy()
        order = np.lexsort((target, -exact, at))
        rank = np.arange(len(at)) - np.searchsorted(at, at) + 1  # at is sorted already
        kept = rank <= k
        parts.append((at[order][kept] + done, target[order][kept], rank[kept], exact[order][kept]))
        done += len(part)
    if not parts:
        return (np.zeros(0, dtype=np.int64),) * 3 + (np.zeros(0),)
    at, target, rank, exact = (np.concatenate(each) for each in zip(*parts, strict=True))
    return at, target, rank, exact


@torch.no_grad()
def top_pairs(
    scores: PairScores, k: int, known: KnownPairs, announce: Announce | None = None, block: int = BLOCK
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k pairs of highest score of all that are not known.

    Equal scores are ordered by the first row, then by the second, the lower one first. Undirected pairs have u < v.

    Args:
        scores: of all pairs.
        k: how many; fewer are found where there are fewer.
        known: pairs left out.
        announce: is told after the first few blocks, if there are more, how many seconds these take; it may raise.
        block: numbers held at once, about.

    Returns:
        ``(L,)`` first row, second row and score, the highest score first.
    """
    n, side = scores.num_nodes, max(1, int((block / scores.numbers) ** 0.5))
    found: tuple[np.ndarray, np.ndarray, np.ndarray] = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    cuts = [slice(i, min(i + side, n)) for i in range(0, n, side)]
    pairs_of_cuts = [(a, b) for i, a in enumerate(cuts) for b in (cuts if scores.directed else cuts[i:])]
    for rows, columns in _timed(pairs_of_cuts, announce):
        values, slack = scores.block(rows, columns)
        values[known.inside(torch.arange(rows.start, rows.stop), columns)] = -torch.inf
        if not scores.directed and rows == columns:
            values.masked_fill_(torch.ones_like(values, dtype=torch.bool).tril(), -torch.inf)
        bound = values.new_full((), found[2][-1] if len(found[2]) == k else -torch.inf)
        hit = (values > -torch.inf) & (values >= bound - slack)
        if int(hit.sum()) > 4 * k:
            bound = torch.maximum(bound, values.flatten().topk(k).values[-1])
            # Each row is within its own slack of its exact scores, the k-th best of the tile within the widest.
            widest = slack.max() if isinstance(slack, Tensor) else slack
            hit = (values > -torch.inf) & (values >= bound - widest - slack)
        if bool(hit.any()):
            at = hit.nonzero().T.cpu() + torch.tensor([[rows.start], [columns.start]])
            exact = scores.exact(at).double().cpu().numpy()
            u, v = at.numpy()
            u, v, exact = (np.concatenate(each) for each in zip(found, (u, v, exact), strict=True))
            order = np.lexsort((v, u, -exact))[:k]
            found = (u[order], v[order], exact[order])
    return found


def _timed(blocks: list[B], announce: Announce | None) -> Iterator[B]:
    """``blocks``; after a few, ``announce`` is told what the others will take. The first find more, and are slower."""
    start = 0.0
    for number, block in enumerate(blocks):
        if number == WARM:
            start = time.perf_counter()
        elif number == WARM + TIMED and announce is not None:
            announce((time.perf_counter() - start) / TIMED * (len(blocks) - number))
        yield block
