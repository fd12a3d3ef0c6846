"""Uniform draws of pairs that are no edges, exact at every density."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer

__all__ = ["pair_ranks", "ranks_to_pairs", "sample_non_edges"]


def pair_ranks(pairs: Tensor) -> np.ndarray:
    """``(P,)`` int64 ranks ``v (v - 1) / 2 + u`` of pairs (2, P), u < v: they count all pairs, whatever N is."""
    u, v = pairs.numpy()
    return v * (v - 1) // 2 + u


def ranks_to_pairs(ranks: np.ndarray) -> Tensor:
    """``(2, P)`` pairs u < v of ranks; the inverse of :func:`pair_ranks`."""
    v = ((1 + np.sqrt(1 + 8 * ranks.astype(np.float64))) / 2).astype(np.int64)
    # The root is rounded: v may be one off where v (v - 1) / 2 is close to the rank.
    v -= v * (v - 1) // 2 > ranks
    v += v * (v + 1) // 2 <= ranks
    return torch.from_numpy(np.stack([ranks - v * (v - 1) // 2, v]))


def sample_non_edges(
    pairs: Tensor, num_nodes: int, count: int, rng: np.random.Generator, *, replace: bool = False, first: int = 0
) -> Tensor:
    """``(2, count)`` pairs u < v that are no edges, uniform over all of them, or of those with ``v >= first``.

    No pair is drawn and then rejected for being an edge. Number the non-edges by rank: with the edges' sorted ranks
    ``r_0 < r_1 < ...``, exactly ``r_i - i`` non-edges come before edge i, so non-edge k has rank
    ``k + #{i : r_i - i <= k}``. Drawing k uniformly is exact for sparse and for dense graphs alike, in
    O((E + count) log E) and without ever holding N x N.

    Args:
        pairs: ``(2, P)`` edges, u < v, each once.
        num_nodes: N.
        count: number of pairs to draw.
        rng: source of randomness; its state moves on.
        replace: whether a pair may be drawn more than once.
        first: the lowest row that v may be; nodes in whose pairs one is interested are numbered last.

    Raises:
        InputError: if there are fewer than ``count`` non-edges (with ``replace``, if there is none).
    """
    count = integer("count", count, low=0)
    # Pairs with a lower v have all the lower ranks.
    start = max(first, 1) * (max(first, 1) - 1) // 2
    ranks = np.sort(pair_ranks(pairs)) - start
    ranks = ranks[ranks >= 0]
    gaps = ranks - np.arange(len(ranks))
    available = num_nodes * (num_nodes - 1) // 2 - start - len(gaps)
    if available < (min(count, 1) if replace else count):
        raise InputError(f"count={count}: the graph of {num_nodes} nodes has only {available} pairs that are no edges")
    drawn = rng.integers(available, size=count) if replace and count else _distinct(available, count, rng)
    return ranks_to_pairs(start + drawn + np.searchsorted(gaps, drawn, side="right"))


def _distinct(total: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``(count,)`` distinct integers below ``total``, uniform over all ordered choices, in O(count) memory."""
    if 2 * count >= total:
        return rng.permutation(total)[:count]
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < count:
        # Keep first occurrences in the order of drawing: the draws one would get one by one, repeats refused.
        more = rng.integers(total, size=count + count // 2 + 16)
        drawn = np.concatenate([drawn, more])
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    return drawn[:count]
