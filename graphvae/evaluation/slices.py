"""Link prediction by kinds of pairs: where a model's AUC comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphvae.evaluation.metrics import auc_and_ap

__all__ = ["SLICES", "slice_figures"]

# From the smaller degree of a pair's ends in the training graph, and their common neighbours there, to a choice.
SLICES = {
    "a node without training edges": lambda degree, common: degree == 0,
    "smaller degree 1 or 2": lambda degree, common: (degree >= 1) & (degree <= 2),
    "smaller degree 3 to 7": lambda degree, common: (degree >= 3) & (degree <= 7),
    "smaller degree 8 or more": lambda degree, common: degree >= 8,
    "no common neighbour": lambda degree, common: common == 0,
    "common neighbours": lambda degree, common: common > 0,
}
"""Kinds of pairs by name; the first four are all pairs, and so are the last two."""


def slice_figures(
    positive_scores: Any,
    negative_scores: Any,
    positive: tuple[np.ndarray, np.ndarray],
    negative: tuple[np.ndarray, np.ndarray],
) -> dict[str, dict[str, float | int | None]]:
    """AUC and AP among the pairs of each kind, edges against non-edges of the same kind.

    Args:
        positive_scores: ``(P,)`` scores of held-out edges.
        negative_scores: ``(Q,)`` scores of sampled non-edges.
        positive: smaller degree ``(P,)`` and common neighbours ``(P,)`` of the edges, in the training graph.
        negative: the same of the non-edges.

    Returns:
        By kind ``edges`` and ``non_edges`` (how many), ``auc`` and ``ap``, None where a class is empty.
    """
    figures: dict[str, dict[str, float | int | None]] = {}
    for name, choose in SLICES.items():
        edges, others = choose(*positive), choose(*negative)
        row: dict[str, float | int | None] = {"edges": int(edges.sum()), "non_edges": int(others.sum())}
        row["auc"], row["ap"] = None, None
        if row["edges"] and row["non_edges"]:
            row["auc"], row["ap"] = auc_and_ap(np.asarray(positive_scores)[edges], np.asarray(negative_scores)[others])
        figures[name] = row
    return figures
