"""From scores to probabilities: a scale and a bias on logits, for pairs drawn from a graph of a given density."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import number, one_of
from graphvae.evaluation.link_calibration import LinkCalibration
from graphvae.evaluation.logistic import finite_logits, fit_rising, held_out_weights, sigmoid
from graphvae.evaluation.reliability import open_share

__all__ = ["Calibration", "fit_calibration_intercept", "fit_calibration_platt"]

_HOW = {
    "intercept": "an intercept, fitted on the training graph so that expected edges equal its edges",
    "platt": "scale and bias, fitted on validation pairs weighted to the density (Platt scaling)",
}


@dataclass(frozen=True)
class Calibration(LinkCalibration):
    """``p = sigmoid(scale * logit + bias)``: the probability that a pair is an edge.

    The pair is taken as drawn uniformly from all pairs of a graph of density ``density``.

    Attributes:
        scale: positive factor on the logits.
        bias: added after scaling.
        method: ``"intercept"`` or ``"platt"``, how it was fitted.
        density: share of all pairs that are edges, in (0, 1).
    """

    scale: float
    bias: float
    method: str
    density: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", number("scale", self.scale, low=0.0, open_low=True))
        object.__setattr__(self, "bias", number("bias", self.bias))
        one_of("method", self.method, _HOW)
        object.__setattr__(self, "density", open_share("density", self.density))

    def __str__(self) -> str:
        return (
            f"calibrated by {_HOW[self.method]}: p = sigmoid({self.scale:.4g} s {self.bias:+.4g}) "
            f"for a pair of a graph of density {self.density:.4g}"
        )

    def _at(self, logits: np.ndarray) -> np.ndarray:
        return sigmoid(self.scale * logits + self.bias)


def fit_calibration_intercept(edge_logits: Any, other_logits: Any, other_weight: float) -> Calibration:
    """The intercept with which the expected number of edges is the number of edges.

    Solves ``sum_e sigma(s_e + b) + w sum_o sigma(s_o + b) = E`` for b by bisection; the left side rises in b, and
    ``logit(density) - max s`` and ``logit(density) - min s`` bracket the root. This is the maximum-likelihood bias
    of a Bernoulli model with these logits.

    Args:
        edge_logits: ``(E,)`` finite logits s of all edges.
        other_logits: ``(Q,)`` finite logits of a uniform sample of the pairs that are no edges.
        other_weight: w, the pairs without an edge for each one sampled (their number over Q), positive.

    Raises:
        InputError: if logits are empty or not finite, or the weight is not positive.
    """
    edges = finite_logits("edge_logits", edge_logits)
    others = finite_logits("other_logits", other_logits)
    weight = number("other_weight", other_weight, low=0.0, open_low=True)
    total = weight * others.size
    odds = math.log(edges.size) - math.log(total)
    low = odds - max(edges.max(), others.max())
    high = odds - min(edges.min(), others.min())
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        expected = sigmoid(edges + middle).sum() + weight * sigmoid(others + middle).sum()
        low, high = (middle, high) if expected < edges.size else (low, middle)
    return Calibration(1.0, float((low + high) / 2), "intercept", edges.size / (edges.size + total))


def fit_calibration_platt(positive_logits: Any, negative_logits: Any, density: float) -> Calibration:
    """Scale and bias by logistic regression on balanced held-out pairs, reweighted to the density (Platt, 1999).

    Minimises ``-mean_pos log sigma(a s + b) - (1 - pi) / pi mean_neg log sigma(-a s - b)``, the density-weighted nats
    per held-out edge, plus ``1e-4 (a'^2 / 2 - log a')`` with a' the scale of standardised logits. That weak convex
    prior keeps the scale positive where positives do not score higher, and finite where the two are separable;
    elsewhere it does not show.

    Args:
        positive_logits: ``(P,)`` finite logits of held-out edges.
        negative_logits: ``(Q,)`` finite logits of pairs drawn uniformly from those without an edge.
        density: pi in (0, 1), the share of all pairs that are edges where the probabilities will be used.

    Raises:
        InputError: if logits are empty or not finite, or the density is not inside (0, 1).
    """
    positive = finite_logits("positive_logits", positive_logits)
    negative = finite_logits("negative_logits", negative_logits)
    pi = open_share("density", density)
    scores = np.concatenate([positive, negative])
    centre = scores.mean()
    # Scores closer together than this are one score, told apart by rounding alone.
    spread = max(scores.std(), 1e-9 * abs(centre))
    spread = spread if spread > 1e-100 else 1.0
    design = np.stack([(scores - centre) / spread, np.ones_like(scores)])
    start = np.array([1.0, math.log(pi) - math.log1p(-pi)])
    slope, intercept = fit_rising(design, *held_out_weights(positive.size, negative.size, pi), start)
    scale = slope / spread
    return Calibration(float(scale), float(intercept - scale * centre), "platt", pi)
