"""What a fitted model's link probabilities are worth: at the head of all pairs, and as a yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphvae._check import InputError, integer, resolve
from graphvae.data.splits import LinkSplit
from graphvae.estimators.fitting import Fitted
from graphvae.estimators.held_out import held_out, row_logits

if TYPE_CHECKING:
    from graphvae.evaluation.link_calibration import LinkCalibration
    from graphvae.evaluation.reliability import Reliability

__all__ = ["link_threshold", "recalibrate", "top_reliability", "validated_split", "validation_pairs"]


@torch.no_grad()
def top_reliability(fitted: Fitted, split: LinkSplit, part: str, pairs: int | None, bins: int) -> Reliability:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.reliability`."""
    from graphvae.evaluation.reliability import reliability, shift_prior
    from graphvae.evaluation.score_rows import KnownPairs
    from graphvae.evaluation.top_k import top_k_pairs

    held = held_out(split, part, False, 0)
    graph, sought = split.train, held.positive
    other = (split.val if part == "test" else split.test).positive
    # Training edges are no candidates; those of the other part are no edges and no non-edges here.
    known = KnownPairs.build(torch.cat([graph.pairs, other], 1).numpy(), graph.num_nodes)
    count = 2 * sought.shape[1] if pairs is None else integer("pairs", pairs, low=1)
    top, logits = top_k_pairs(row_logits(fitted.predictor()), count, known)
    density = sought.shape[1] / (graph.num_pairs - graph.num_edges - other.shape[1])
    probabilities = shift_prior(fitted.calibration.probabilities(logits), fitted.calibration.density, density)
    n = graph.num_nodes
    return reliability(probabilities, np.isin(top[0] * n + top[1], sought[0] * n + sought[1]), bins)


def link_threshold(fitted: Fitted, logits: tuple[np.ndarray, np.ndarray], precision: float | None) -> dict[str, float]:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.threshold`."""
    from graphvae.evaluation.reliability import choose_threshold

    positive, negative = (fitted.calibration.probabilities(values) for values in logits)
    return choose_threshold(positive, negative, fitted.calibration.density, precision=precision)


def recalibrate(fitted: Fitted, logits: tuple[np.ndarray, np.ndarray], method: str) -> LinkCalibration:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.calibrate`."""
    from graphvae.evaluation.calibration import fit_calibration_platt
    from graphvae.evaluation.isotonic import fit_calibration_isotonic
    from graphvae.evaluation.piecewise import fit_calibration_piecewise

    fits: dict[str, Any] = {
        "piecewise": fit_calibration_piecewise,
        "platt": fit_calibration_platt,
        "isotonic": fit_calibration_isotonic,
    }
    fitted.calibration = resolve("method", method, fits)(*logits, fitted.density)
    return fitted.calibration


def validation_pairs(fitted: Fitted, what: str) -> tuple[np.ndarray, np.ndarray]:
    """The validation pairs of :func:`validated_split`."""
    held = validated_split(fitted, what).val
    return held.positive.numpy(), held.negative.numpy()


def validated_split(fitted: Fitted, what: str) -> LinkSplit:
    """The fitted split, which has validation pairs, for ``what``.

    Raises:
        InputError: if there were none.
    """
    split = fitted.data()
    if not isinstance(split, LinkSplit) or split.val.positive.shape[1] == 0:
        raise InputError(f"{what}: this model was fitted without validation pairs; fit a split with val > 0")
    return split
