"""Ranks of held-out edges among non-edges: filtered, in blocks, ties told apart from wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from graphvae._check import InputError, integer, resolve
from graphvae.evaluation.blocks import blocks
from graphvae.evaluation.metrics import as_scores
from graphvae.evaluation.score_rows import BLOCK_SCORES, KnownPairs, ScoreRows, check_rows, score_block

__all__ = ["HITS", "Ranks", "both_ways", "rank_against", "rank_all", "rank_candidates", "rank_nodes"]

HITS = (1, 3, 10, 50, 100)
"""The K of the Hits@K that reports show."""

TIES: dict[str, Callable[[Ranks], np.ndarray]] = {
    "optimistic": lambda ranks: ranks.optimistic,
    "realistic": lambda ranks: (ranks.optimistic + ranks.pessimistic) / 2,
    "pessimistic": lambda ranks: ranks.pessimistic,
}


@dataclass(frozen=True, eq=False)
class Ranks:
    """The rank of each query's edge among its candidates; 1 is best.

    Where candidates have the edge's own score its rank is not one number: before them it is the optimistic one, behind
    them the pessimistic one, and the realistic one is the mean of both, which is what a random order gives on average.
    A model that scores all pairs alike has an optimistic MRR of 1.

    Attributes:
        optimistic: ``(Q,)`` int64, one more than the candidates that score higher.
        pessimistic: ``(Q,)`` int64, one more than the candidates that score at least as high.
        candidates: ``(Q,)`` int64, non-edges each edge was ranked against.

    Reference:
        Berrendorf, Faerman, Vermue and Tresp, On the Ambiguity of Rank-Based Evaluation of Entity Alignment or Link
        Prediction Methods (2020), section 3.
    """

    optimistic: np.ndarray
    pessimistic: np.ndarray
    candidates: np.ndarray

    def ranks(self, ties: str = "realistic") -> np.ndarray:
        """``(Q,)`` ranks, ``"optimistic"``, ``"realistic"`` or ``"pessimistic"``."""
        return resolve("ties", ties, TIES)(self)

    def mrr(self, ties: str = "realistic") -> float:
        """Mean reciprocal rank ``1/Q sum_q 1 / rank_q``, in (0, 1].

        Raises:
            InputError: without queries, or for another kind of ``ties``.
        """
        ranks = self.ranks(ties)
        if ranks.size == 0:
            raise InputError("ranks are empty: expected at least one query")
        return float((1.0 / ranks).mean())

    def hits(self, k: int, ties: str = "realistic") -> float:
        """Hits@K: the share of queries of rank at most ``k``, in [0, 1].

        Raises:
            InputError: if some query has fewer than ``k`` candidates: every edge would then be a hit whatever the
                model; or without queries.
        """
        k = integer("k", k, low=1)
        ranks = self.ranks(ties)
        if ranks.size == 0:
            raise InputError("ranks are empty: expected at least one query")
        fewest = int(self.candidates.min())
        if fewest < k:
            raise InputError(f"k={k}: a query has {fewest} candidates; Hits@{k} means something from {k} on")
        return float((ranks <= k).mean())

    def figures(self, at: tuple[int, ...] = HITS) -> dict[str, float | None]:
        """``mrr``, its optimistic and pessimistic forms, and ``hits@K`` for each K, None where candidates are too few.

        Realistic ranks, but where the key says otherwise.
        """
        fewest = int(self.candidates.min()) if self.candidates.size else 0
        return {
            "mrr": self.mrr(),
            "mrr_optimistic": self.mrr("optimistic"),
            "mrr_pessimistic": self.mrr("pessimistic"),
            **{f"hits@{k}": self.hits(k) if k <= fewest else None for k in at},
        }


def both_ways(pairs: Any) -> np.ndarray:
    """``(2, 2P)`` queries of undirected edges ``(2, P)``: v is sought from u, then u from v."""
    pairs = np.asarray(pairs)
    return np.concatenate([pairs, pairs[::-1]], axis=1)


def rank_against(positive_scores: Any, negative_scores: Any) -> Ranks:
    """Rank every positive among all negatives, one query per edge.

    Args:
        positive_scores: ``(P,)`` scores of held-out edges.
        negative_scores: ``(Q,)`` scores of the non-edges, the same for every edge.

    Raises:
        InputError: if a class is empty, contains NaN or is not a vector of numbers.
    """
    positive = as_scores("positive_scores", positive_scores)
    negative = np.sort(as_scores("negative_scores", negative_scores))
    return Ranks(
        1 + negative.size - np.searchsorted(negative, positive, side="right"),
        1 + negative.size - np.searchsorted(negative, positive, side="left"),
        np.full(positive.size, negative.size),
    )


def rank_candidates(positive_scores: Any, candidate_scores: Any) -> Ranks:
    """Rank every edge among candidates of its own.

    Args:
        positive_scores: ``(Q,)`` scores of the edge of each query.
        candidate_scores: ``(Q, K)`` scores of its candidates; NaN where a query has fewer than K.

    Raises:
        InputError: for another shape, or positives that are empty or NaN.
    """
    positive = as_scores("positive_scores", positive_scores)[:, None]
    scores = np.asarray(candidate_scores, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[0] != len(positive):
        raise InputError(f"candidate_scores has shape {scores.shape}: expected ({len(positive)}, K)")
    return Ranks(
        1 + np.count_nonzero(scores > positive, axis=1),
        1 + np.count_nonzero(scores >= positive, axis=1),
        np.count_nonzero(~np.isnan(scores), axis=1),
    )


def rank_all(score_rows: ScoreRows, queries: Any, known: KnownPairs) -> Ranks:
    """Rank against all nodes: the first half of :func:`rank_nodes`."""
    return rank_nodes(score_rows, queries, known)[0]


def rank_nodes(
    score_rows: ScoreRows, queries: Any, known: KnownPairs, candidates: Any = None
) -> tuple[Ranks, Ranks | None]:
    """Rank the second node of each query among all nodes, known partners of the first and the first itself left out.

    By counting: ``rank = 1 + #{w: s_uw > s_uv}`` over all nodes, less the known ones counted in. So nothing is sorted,
    no mask is made, and one block of score rows is held at a time.

    Args:
        score_rows: see :data:`~graphvae.evaluation.score_rows.ScoreRows`; each distinct first node is asked for once.
        queries: ``(2, Q)`` rows (u, v): v is sought from u.
        known: every edge of the full graph, held-out ones included; the sought node may be among them.
        candidates: ``(Q, K)`` nodes to rank the sought one among as well, -1 where there are fewer.

    Returns:
        The ranks among all nodes, and those among the candidates, None without.

    Raises:
        InputError: for rows out of range, a query of a node for itself, or scores of another shape or with NaN.
    """
    n = known.num_nodes
    u, v = check_rows("queries", queries, n)
    if bool((u == v).any()):
        raise InputError(f"queries contains ({u[u == v][0]}, {u[u == v][0]}): expected two different nodes")
    order = np.argsort(u, kind="stable")
    above, level, others = (np.zeros(u.size, dtype=np.int64) for _ in range(3))
    chosen = None if candidates is None else _chosen(candidates, u.size, n)
    own_scores, chosen_scores = np.zeros(u.size), None if chosen is None else np.zeros(chosen.shape)
    first = np.diff(u[order], prepend=-1) != 0
    for part in blocks(known.degrees[u[order]] + n * first, BLOCK_SCORES):
        some = order[part]
        rows, index = np.unique(u[some], return_inverse=True)
        block = score_block(score_rows, rows, n)
        score = _take(block, index, v[some])
        more, ties = _count(block, index, score)
        own = _take(block, index, u[some])
        left_out, owner = known.expand(u[some])
        scores = _take(block, index[owner], left_out)
        # The sought node ties with itself, and is no candidate; where it is known it is taken out as such.
        is_known = _per_query(left_out == v[some][owner], owner, some.size)
        above[some] = more - _per_query(scores > score[owner], owner, some.size) - (own > score)
        level[some] = ties - _per_query(scores == score[owner], owner, some.size) - (own == score) - (1 - is_known)
        others[some] = n - 1 - known.degrees[u[some]] - (1 - is_known)
        if chosen is not None and chosen_scores is not None:
            own_scores[some] = score
            scores = _take(block, index[:, None], chosen[some])
            chosen_scores[some] = np.where(chosen[some] < 0, np.nan, scores)
    among_all = Ranks(1 + above, 1 + above + level, others)
    return among_all, None if chosen_scores is None else rank_candidates(own_scores, chosen_scores)


def _chosen(candidates: Any, queries: int, n: int) -> np.ndarray:
    """``candidates`` as ``(Q, K)`` int64 rows, checked."""
    chosen = np.asarray(candidates)
    if chosen.ndim != 2 or chosen.shape[0] != queries or chosen.dtype.kind not in "iu":
        raise InputError(f"candidates has shape {chosen.shape}, {chosen.dtype}: expected integers ({queries}, K)")
    if chosen.size and (chosen.min() < -1 or chosen.max() >= n):
        raise InputError(f"candidates contains {chosen.min()} to {chosen.max()}: expected rows up to {n - 1}, or -1")
    return chosen.astype(np.int64)


def _per_query(condition: np.ndarray, owner: np.ndarray, size: int) -> np.ndarray:
    """``(size,)`` how often the condition holds for each owner."""
    return np.bincount(owner[condition], minlength=size)


def _count(block: Any, index: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(Q,)`` entries of row ``index[q]`` of the block that are above ``score[q]``, and those that equal it."""
    if isinstance(block, np.ndarray):
        # numpy counts a vector of booleans ten times faster than along an axis.
        counts = [
            (np.count_nonzero(block[i] > s), np.count_nonzero(block[i] == s))
            for i, s in zip(index.tolist(), score, strict=True)
        ]
        more, ties = np.array(counts, dtype=np.int64).reshape(-1, 2).T
        return more, ties
    rows = block[torch.from_numpy(index).to(block.device)]
    limit = torch.from_numpy(score).to(block.device)[:, None]
    return (rows > limit).sum(1).cpu().numpy(), (rows == limit).sum(1).cpu().numpy()


def _take(block: Any, index: np.ndarray, columns: np.ndarray) -> np.ndarray:
    values = block[index, columns]
    return values if isinstance(values, np.ndarray) else values.cpu().numpy()
