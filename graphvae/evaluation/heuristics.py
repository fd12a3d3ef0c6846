"""Plain baselines of link prediction, by name: scores of node pairs straight from the adjacency or the features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError
from graphvae.evaluation.similarity import (
    Scorer,
    adamic_adar,
    common_neighbours,
    feature_cosine,
    jaccard,
    preferential_attachment,
    resource_allocation,
)
from graphvae.evaluation.spectral import spectral_embedding
from graphvae.evaluation.walks import katz, personalised_pagerank

__all__ = ["HEURISTICS", "Heuristic"]


@dataclass(frozen=True)
class Heuristic:
    """A baseline by name: what it is called in tables, whether it needs features, and how its scorer is made.

    ``make`` takes the adjacency, or the features where ``needs_features``. Reports leave it out where queries times
    directed edges are more than ``limit``, because it would take longer than some minutes.
    """

    label: str
    needs_features: bool
    make: Callable[[Any], Scorer]
    limit: float = math.inf

    def scorer(self, adjacency: Any, x: Any = None) -> Scorer:
        """Scores on one graph; ``x`` may be None for a heuristic that needs no features."""
        if self.needs_features and x is None:
            raise InputError(f"x=None: {self.label} needs node features")
        return self.make(x if self.needs_features else adjacency)

    def score(self, adjacency: Any, x: Any, pairs: Any) -> np.ndarray:
        """``(M,)`` scores of ``pairs`` (2, M)."""
        return self.scorer(adjacency, x).pairs(pairs)


HEURISTICS: dict[str, Heuristic] = {
    "common-neighbours": Heuristic("common neighbours", False, common_neighbours),
    "jaccard": Heuristic("Jaccard", False, jaccard),
    "adamic-adar": Heuristic("Adamic-Adar", False, adamic_adar),
    "resource-allocation": Heuristic("resource allocation", False, resource_allocation),
    "preferential-attachment": Heuristic("preferential attachment", False, preferential_attachment),
    "katz": Heuristic("Katz", False, katz, limit=2e10),
    "pagerank": Heuristic("personalised PageRank", False, personalised_pagerank, limit=1e9),
    "spectral": Heuristic("spectral embedding", False, spectral_embedding),
    "feature-cosine": Heuristic("feature cosine", True, feature_cosine),
}
"""Baselines by name."""
