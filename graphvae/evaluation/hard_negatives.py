"""Hard non-edges: for every node the partners that plain baselines take for its likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphvae._check import InputError, integer
from graphvae.evaluation.blocks import blocks
from graphvae.evaluation.score_rows import BLOCK_SCORES, KnownPairs, ScoreRows, score_block

__all__ = ["hard_partners"]


def hard_partners(judges: Sequence[ScoreRows], rows: Any, known: KnownPairs, size: int = 250) -> np.ndarray:
    """The ``size`` nodes that each of ``rows`` is least surely not linked to, by the mean rank among several baselines.

    In the manner of HeaRT: every judge ranks a node's partners by positive scores (1 is best, ties share the better
    rank, what scores 0 or less comes last together), known partners are left out, and the lowest mean ranks are taken.
    HeaRT's judges are resource allocation, personalised PageRank and the cosine of features; its 500 non-edges of an
    edge are 250 at each end. Two things are different here: held-out edges are left out as well as training edges,
    because they are no non-edges, and where mean ranks tie, one fixed order of the nodes decides instead of new draws,
    so that the result is the same each time.

    Args:
        judges: score sources, see :data:`~graphvae.evaluation.score_rows.ScoreRows`; positive scores count.
        rows: ``(R,)`` rows.
        known: every edge of the full graph.
        size: K.

    Returns:
        ``(R, K)`` int64 rows of partners, best first; -1 where a node has fewer.

    Raises:
        InputError: without judges, or for scores of another shape or with NaN.

    Reference:
        Li, Shomer, Mao, Zeng, Ma, Shah, Tang and Yin, Evaluating Graph Neural Networks for Link Prediction: Current
        Pitfalls and New Benchmarking (2023), section 4.
    """
    size, n = integer("size", size, low=1), known.num_nodes
    if not judges:
        raise InputError("judges is empty: expected at least one score source")
    rows = np.asarray(rows, dtype=np.int64)
    order = np.random.default_rng(0).permutation(n)
    chosen = np.full((rows.size, size), -1)
    for part in blocks(np.full(rows.size, len(judges) * n), BLOCK_SCORES):
        scored = [score_block(judge, rows[part], n) for judge in judges]
        total = np.sum([[_ranks(row) for row in _as_array(block)] for block in scored], axis=0)
        columns, index = known.expand(rows[part])
        total[index, columns] = np.iinfo(np.int64).max
        total[np.arange(len(total)), rows[part]] = np.iinfo(np.int64).max
        left = n - 1 - known.degrees[rows[part]]
        for i, ranks in enumerate(total):
            found = np.lexsort((order, ranks))[: min(size, int(left[i]))]
            chosen[part.start + i, : found.size] = found
    return chosen


def _ranks(scores: np.ndarray) -> np.ndarray:
    """``(N,)`` int64 ranks, 1 for the highest positive score; ties share the better rank, others come last together."""
    positive = scores > 0
    ranks = np.full(scores.size, np.count_nonzero(positive) + 1)
    falling = np.sort(-scores[positive])
    ranks[positive] = 1 + np.searchsorted(falling, -scores[positive], side="left")
    return ranks


def _as_array(block: Any) -> np.ndarray:
    return block if isinstance(block, np.ndarray) else block.cpu().numpy()
