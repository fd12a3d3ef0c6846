"""Held-out pairs of a split, and every figure of a score source on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphvae._check import InputError, integer, one_of
from graphvae.data.fields import is_sparse
from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSet, LinkSplit

if TYPE_CHECKING:
    from graphvae.evaluation.score_rows import KnownPairs
    from graphvae.evaluation.similarity import Scorer

__all__ = [
    "CHEAP",
    "HARD",
    "HeldOut",
    "binary_adjacency",
    "cost_of",
    "features_array",
    "held_out",
    "matrix_of_ones",
    "row_logits",
    "scorer_of",
]

CHEAP = 20_000_000
"""Queries times nodes up to which ranking against all nodes is part of a report unless declined: a few seconds."""

HARD = 250
"""Hard non-edges at each end of a held-out edge."""

PAIRS_AT_ONCE = 1 << 18
# Who says which non-edges are hard; feature cosine where there are features.
_JUDGES = ("resource-allocation", "pagerank", "feature-cosine")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a model and every baseline are scored on: the same pairs, queries and candidates.

    Attributes:
        part: ``"test"`` or ``"val"``.
        positive: ``(2, P)`` held-out edges.
        negative: ``(2, Q)`` sampled non-edges.
        graph: the training graph.
        queries: ``(2, 2P)`` each edge sought from both ends, or None where all nodes are not ranked.
        known: every edge of the full graph.
        candidates: ``(2P, K)`` hard non-edges of each query, or None.
    """

    part: str
    positive: np.ndarray
    negative: np.ndarray
    graph: Graph
    queries: np.ndarray | None = None
    known: KnownPairs | None = None
    candidates: np.ndarray | None = None

    def figures(
        self, positive: np.ndarray, negative: np.ndarray, rows: Callable[[np.ndarray], Any] | None
    ) -> dict[str, Any]:
        """AUC, AP and ``rankings`` (figures by candidate set) of scores of both classes and of a source of rows."""
        from graphvae.evaluation.metrics import auc_and_ap
        from graphvae.evaluation.ranking import rank_against, rank_nodes

        auc, ap = auc_and_ap(positive, negative)
        rankings = {"negatives": rank_against(positive, negative).figures()}
        if rows is not None and self.queries is not None and self.known is not None:
            every, hard = rank_nodes(rows, self.queries, self.known, self.candidates)
            rankings["all"] = every.figures()
            if hard is not None:
                rankings["hard"] = hard.figures()
        return {"auc": auc, "ap": ap, "rankings": rankings}

    def baseline(self, name: str) -> dict[str, Any]:
        """:meth:`figures` of a baseline computed on the training graph alone.

        Raises:
            InputError: if it needs features that there are not.
        """
        scorer = scorer_of(name, self.graph)
        rows = scorer.rows if self.queries is not None else None
        return self.figures(scorer.pairs(self.positive), scorer.pairs(self.negative), rows)

    def kinds(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smaller degree and common neighbours of ``pairs`` (2, M) in the training graph, ``(M,)`` each."""
        degrees = self.graph.degrees.numpy()
        return degrees[pairs].min(axis=0), scorer_of("common-neighbours", self.graph).pairs(pairs)

    @property
    def cost(self) -> int:
        """What the limits of baselines are in; see :func:`cost_of`."""
        return cost_of(self, self.graph)


def held_out(split: LinkSplit, part: str, ranking: bool | None, hard: int) -> HeldOut:
    """The pairs of one part, with what ranking needs.

    Args:
        split: any split.
        part: ``"test"`` or ``"val"``.
        ranking: rank against all nodes and hard non-edges; None does where queries times nodes are at most
            :data:`CHEAP`.
        hard: hard non-edges for each query, 0 for none.

    Raises:
        InputError: for an empty or unknown part.
    """
    from graphvae.evaluation.ranking import both_ways
    from graphvae.evaluation.score_rows import KnownPairs

    one_of("part", part, ("test", "val"))
    if ranking is not None and not isinstance(ranking, bool):
        raise InputError(f"ranking={ranking!r}: expected True, False or None")
    hard = integer("hard", hard, low=0)
    held = split.test if part == "test" else split.val
    if held.positive.shape[1] == 0:
        raise InputError(f'part="{part}": this split holds no {part} pairs; expected split_links(..., {part}=...) > 0')
    positive, negative, graph = held.positive.numpy(), held.negative.numpy(), split.train
    if not (ranking if ranking is not None else 2 * positive.shape[1] * graph.num_nodes <= CHEAP):
        return HeldOut(part, positive, negative, graph)
    edges = torch.cat([graph.pairs, split.val.positive, split.test.positive], 1)
    known, queries = KnownPairs.build(edges.numpy(), graph.num_nodes), both_ways(positive)
    candidates = None
    if hard:
        from graphvae.evaluation.hard_negatives import hard_partners
        from graphvae.evaluation.heuristics import HEURISTICS

        judges = [
            scorer_of(name, graph).rows
            for name in _JUDGES
            if graph.x is not None or not HEURISTICS[name].needs_features
        ]
        rows, back = np.unique(queries[0], return_inverse=True)
        candidates = hard_partners(judges, rows, known, hard)[back]
    return HeldOut(part, positive, negative, graph, queries, known, candidates)


def cost_of(held: HeldOut | LinkSet, graph: Graph) -> int:
    """Held-out pairs times directed training edges."""
    return int((held.positive.shape[1] + held.negative.shape[1]) * graph.edge_index.shape[1])


def row_logits(likelihood: Any) -> Callable[[np.ndarray], torch.Tensor]:
    """Logits ``(B, N)`` of rows with all nodes, for any likelihood of pairs."""
    z = likelihood.z

    @torch.no_grad()
    def rows(index: np.ndarray) -> torch.Tensor:
        chosen = torch.from_numpy(index).to(z.device)
        width = max(1, PAIRS_AT_ONCE // max(len(index), 1))
        every = torch.arange(z.shape[-2], device=z.device).split(width)
        return torch.cat([_block(likelihood, chosen, columns) for columns in every], 1)

    return rows


def _block(likelihood: Any, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    if hasattr(likelihood, "block_logits"):
        return likelihood.block_logits(rows, columns)
    return likelihood.z[rows] @ likelihood.z[columns].T * likelihood.scale + likelihood.bias


def scorer_of(name: str, graph: Graph) -> Scorer:
    """A baseline's scores on ``graph``."""
    from graphvae.evaluation.heuristics import HEURISTICS

    return HEURISTICS[name].scorer(binary_adjacency(graph), features_array(graph))


def features_array(graph: Graph) -> Any:
    """Features as a numpy array or a scipy CSR matrix; None without."""
    if graph.x is None:
        return None
    if not is_sparse(graph.x):
        return graph.x.numpy()
    from scipy.sparse import csr_array

    parts = (graph.x.values(), graph.x.col_indices(), graph.x.crow_indices())
    return csr_array(tuple(part.numpy() for part in parts), shape=(graph.num_nodes, graph.num_features))


def binary_adjacency(graph: Graph) -> Any:
    """The edges as a scipy CSR matrix of ones, whatever their weights."""
    return matrix_of_ones(graph.edge_index.numpy(), graph.num_nodes)


def matrix_of_ones(edge_index: np.ndarray, num_nodes: int) -> Any:
    """``(N, N)`` scipy CSR matrix of ones at ``edge_index`` ``(2, E)``."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(edge_index.shape[1]), tuple(edge_index)), shape=(num_nodes, num_nodes))
