"""The best pairs that are not known yet: of given nodes, or of the whole graph, never holding N x N scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from graphvae._check import InputError, integer
from graphvae.evaluation.blocks import blocks
from graphvae.evaluation.score_rows import BLOCK_SCORES, KnownPairs, ScoreRows, score_block

__all__ = ["top_k", "top_k_pairs"]


def top_k(score_rows: ScoreRows, rows: Any, k: int, known: KnownPairs) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` best partners of each of ``rows``, without the node itself and its known partners.

    Higher scores first; of equal ones the node of lower row number. A score of -inf is never among the best.

    Args:
        score_rows: see :data:`~graphvae.evaluation.score_rows.ScoreRows`.
        rows: ``(R,)`` rows, each in 0..N-1.
        k: at least 1; more than N - 1 is taken as that many.
        known: pairs to leave out.

    Returns:
        ``(R, k)`` int64 rows of the partners and their ``(R, k)`` scores; -1 and -inf where a node has fewer.

    Raises:
        InputError: for rows out of range, or scores of another shape or with NaN.
    """
    n = known.num_nodes
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise InputError(f"rows has shape {rows.shape}, {rows.dtype}: expected integers (R,)")
    rows = rows.astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        bad = rows.min() if rows.min() < 0 else rows.max()
        raise InputError(f"rows contains {bad}: expected rows from 0 to {n - 1}")
    k = min(integer("k", k, low=1), max(n - 1, 1))
    partners, best = np.full((rows.size, k), -1), np.full((rows.size, k), -np.inf)
    for part in blocks(np.full(rows.size, n), BLOCK_SCORES):
        block = _unknown(score_rows, rows[part], known)
        for i, row in enumerate(block, start=part.start):
            found = _best(row, k)
            partners[i, : found.size], best[i, : found.size] = found, row[found]
    return partners, best


def top_k_pairs(score_rows: ScoreRows, k: int, known: KnownPairs) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` best pairs u < v of the whole graph that are not known, from the scores of u with v.

    Higher scores first; of equal ones the pair of lower u, then of lower v. A score of -inf is never among the best.

    Args:
        score_rows: see :data:`~graphvae.evaluation.score_rows.ScoreRows`.
        k: at least 1.
        known: pairs to leave out.

    Returns:
        ``(2, K)`` int64 pairs and their ``(K,)`` scores; K is ``k``, or all pairs that are left.

    Raises:
        InputError: for scores of another shape or with NaN.
    """
    n, k = known.num_nodes, integer("k", k, low=1)
    pairs, best = np.empty((2, 0), dtype=np.int64), np.empty(0)
    for part in blocks(np.full(n, n), BLOCK_SCORES):
        rows = np.arange(part.start, part.stop)
        block = _unknown(score_rows, rows, known)
        block[np.arange(n) < rows[:, None]] = -np.inf
        # What is below the k-th of what has been found cannot be among the best; later pairs lose ties.
        flat = block.ravel()
        new = np.flatnonzero(flat > (best[-1] if best.size == k else -np.inf))
        new = new[_best(flat[new], k)]
        best = np.concatenate([best, flat[new]])
        pairs = np.concatenate([pairs, np.stack([rows[new // n], new % n])], axis=1)
        order = np.argsort(-best, kind="stable")[:k]
        best, pairs = best[order], pairs[:, order]
    return pairs, best


def _unknown(score_rows: ScoreRows, rows: np.ndarray, known: KnownPairs) -> np.ndarray:
    """Scores of ``rows``, the nodes themselves and known partners at -inf."""
    block = score_block(score_rows, rows, known.num_nodes)
    # A copy: the source may have handed out its own array.
    scores = block.cpu().numpy() if isinstance(block, torch.Tensor) else np.array(block)
    scores = scores if scores.dtype.kind == "f" else scores.astype(np.float64)
    columns, index = known.expand(rows)
    scores[index, columns] = -np.inf
    scores[np.arange(rows.size), rows] = -np.inf
    return scores


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices of the ``k`` largest above -inf, in falling order; of equal ones the lower index."""
    if scores.size > k:
        least = np.partition(scores, scores.size - k)[scores.size - k]
        higher = np.flatnonzero(scores > least)
        level = np.flatnonzero(scores == least)[: k - higher.size]
        chosen = np.sort(np.concatenate([higher, level]))
    else:
        chosen = np.arange(scores.size)
    chosen = chosen[scores[chosen] > -np.inf]
    return chosen[np.argsort(-scores[chosen], kind="stable")]
