"""Calibration without a shape: the best monotone function from logits to probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError
from graphvae.evaluation.link_calibration import LinkCalibration
from graphvae.evaluation.metrics import as_scores
from graphvae.evaluation.reliability import open_share, shift_prior

__all__ = ["IsotonicCalibration", "fit_calibration_isotonic"]


@dataclass(frozen=True, eq=False)
class IsotonicCalibration(LinkCalibration):
    """A monotone function from logits to probabilities at ``density``: linear between its knots, constant beyond them.

    Attributes:
        logits: ``(K,)`` knots, rising.
        values: ``(K,)`` probabilities there, rising.
        density: share of all pairs that are edges, in (0, 1).
    """

    logits: np.ndarray
    values: np.ndarray
    density: float

    method = "isotonic"

    def __post_init__(self) -> None:
        object.__setattr__(self, "density", open_share("density", self.density))
        for name in ("logits", "values"):
            object.__setattr__(self, name, as_scores(name, getattr(self, name)))
        rising = bool((np.diff(self.logits) >= 0).all() and (np.diff(self.values) >= 0).all())
        if self.logits.shape != self.values.shape or not rising or not 0 <= self.values[0] <= self.values[-1] <= 1:
            raise InputError("logits and values: expected as many knots, both rising, with values from 0 to 1")

    def __str__(self) -> str:
        return (
            f"calibrated by a monotone function of {len(self.logits)} knots, fitted on validation pairs weighted to "
            f"the density (isotonic regression), for a pair of a graph of density {self.density:.4g}"
        )

    def _at(self, logits: np.ndarray) -> np.ndarray:
        return np.interp(logits, self.logits, self.values)


def fit_calibration_isotonic(positive_logits: Any, negative_logits: Any, density: float) -> IsotonicCalibration:
    """Isotonic regression on balanced held-out pairs, the prior then shifted to the density.

    The classes weigh the same in the fit, and one pair of each at either end keeps every probability inside (0, 1): a
    finite sample cannot say that something never happens, and a single surprise would cost an infinite log-loss.

    Args:
        positive_logits: ``(P,)`` logits of held-out edges.
        negative_logits: ``(Q,)`` logits of pairs drawn uniformly from those without an edge.
        density: pi in (0, 1), the share of all pairs that are edges where the probabilities will be used.

    Raises:
        InputError: if logits are empty or NaN, or the density is not inside (0, 1).

    Reference:
        Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates (2002).
    """
    from sklearn.isotonic import IsotonicRegression

    density = open_share("density", density)
    positive, negative = as_scores("positive_logits", positive_logits), as_scores("negative_logits", negative_logits)
    every = np.concatenate([positive, negative])
    ends = [every.min(), every.max()]
    scores = np.concatenate([positive, ends, negative, ends])
    labels = np.repeat([1.0, 0.0], [positive.size + 2, negative.size + 2])
    weights = np.repeat([1.0 / (positive.size + 2), 1.0 / (negative.size + 2)], [positive.size + 2, negative.size + 2])
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, labels, sample_weight=weights)
    return IsotonicCalibration(
        np.asarray(fitted.X_thresholds_, dtype=np.float64),
        shift_prior(np.clip(fitted.y_thresholds_, 0.0, 1.0), 0.5, density),
        density,
    )
