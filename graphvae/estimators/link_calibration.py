"""How the logits of a freshly fitted model become probabilities, and from which pairs that is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSet
from graphvae.kernels.negatives import edge_keys, sample_negative_pairs
from graphvae.training.loop import NonFiniteError
from graphvae.training.randomness import seeded

__all__ = ["calibrate"]

# Non-edges that an intercept is fitted on: all of them where there are no more than so many, else a sample.
CALIBRATION_PAIRS = 200_000


def calibrate(
    logits_of: Callable[[Tensor], np.ndarray], graph: Graph, validation: LinkSet | None, density: float, seed: int
) -> Any:
    """On validation pairs where there are any, else one intercept at the training density.

    Args:
        logits_of: from pairs of rows ``(2, P)`` to their logits ``(P,)``.
        graph: what was trained on.
        validation: pairs held out, or None.
        density: share of pairs that are edges.
        seed: of the non-edges drawn.

    Raises:
        NonFiniteError: if a logit is not finite.
    """
    from graphvae.evaluation.calibration import fit_calibration_intercept, fit_calibration_platt

    def logits(pairs: Tensor) -> np.ndarray:
        values = logits_of(pairs)
        if not np.isfinite(values).all():
            raise NonFiniteError("the last epoch: logits are not finite; expected finite ones (lower learning_rate?)")
        return values

    if validation is not None:
        return fit_calibration_platt(logits(validation.positive), logits(validation.negative), density)
    n, keys = graph.num_nodes, edge_keys(graph.pairs, graph.num_nodes)
    if graph.num_pairs <= CALIBRATION_PAIRS:
        every = torch.triu_indices(n, n, 1)
        others = every[:, ~torch.isin(every[0] * n + every[1], keys)]
    else:
        with seeded(seed, "calibrate"):
            others = sample_negative_pairs(keys, n, CALIBRATION_PAIRS)
    weight = (graph.num_pairs - graph.num_edges) / others.shape[1]
    return fit_calibration_intercept(logits(graph.pairs), logits(others), weight)
