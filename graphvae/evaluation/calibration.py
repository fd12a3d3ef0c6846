"""From scores to probabilities: a scale and a bias on logits, for pairs drawn from a graph of a given density."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError, number, one_of
from graphvae.evaluation.metrics import as_scores

__all__ = ["Calibration", "fit_calibration_intercept", "fit_calibration_platt"]

_HOW = {
    "intercept": "an intercept, fitted on the training graph so that expected edges equal its edges",
    "platt": "scale and bias, fitted on validation pairs weighted to the density (Platt scaling)",
}
# Strength of the weak prior on Platt's scale, in nats per held-out edge.
_RIDGE = 1e-4


@dataclass(frozen=True)
class Calibration:
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
        object.__setattr__(self, "density", _density(self.density))

    def __str__(self) -> str:
        return (
            f"calibrated by {_HOW[self.method]}: p = sigmoid({self.scale:.4g} s {self.bias:+.4g}) "
            f"for a pair of a graph of density {self.density:.4g}"
        )

    def probabilities(self, logits: Any) -> np.ndarray:
        """Probabilities in [0, 1], float64, of the shape of ``logits``; infinite logits give 0 or 1.

        Raises:
            InputError: if ``logits`` contains NaN.
        """
        values = np.asarray(logits, dtype=np.float64)
        if bool(np.isnan(values).any()):
            raise InputError("logits contains NaN: expected numbers")
        return _sigmoid(self.scale * values + self.bias)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; :meth:`from_dict` reads them back exactly."""
        return {"scale": self.scale, "bias": self.bias, "method": self.method, "density": self.density}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Calibration:
        """The calibration that :meth:`to_dict` wrote.

        Raises:
            InputError: if a field is missing, unknown or out of range.
        """
        expected = {"scale", "bias", "method", "density"}
        if set(fields) != expected:
            raise InputError(f"calibration has fields {sorted(fields)}: expected {sorted(expected)}")
        return cls(**fields)


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
    edges = _finite("edge_logits", edge_logits)
    others = _finite("other_logits", other_logits)
    weight = number("other_weight", other_weight, low=0.0, open_low=True)
    total = weight * others.size
    odds = math.log(edges.size) - math.log(total)
    low = odds - max(edges.max(), others.max())
    high = odds - min(edges.min(), others.min())
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        expected = _sigmoid(edges + middle).sum() + weight * _sigmoid(others + middle).sum()
        low, high = (middle, high) if expected < edges.size else (low, middle)
    return Calibration(1.0, float((low + high) / 2), "intercept", edges.size / (edges.size + total))


def fit_calibration_platt(positive_logits: Any, negative_logits: Any, density: float) -> Calibration:
    """Scale and bias by logistic regression on balanced held-out pairs, reweighted to the density (Platt, 1999).

    Minimises ``-mean_pos log sigma(a s + b) - (1 - pi) / pi mean_neg log sigma(-a s - b)``, the density-weighted nats
    per held-out edge, plus ``1e-4 (a'^2 / 2 - log a')`` with a' the scale of standardised logits. That weak convex
    prior keeps the scale positive where positives do not score higher, and finite where the two are separable;
    elsewhere it does not show. Newton's method with backtracking.

    Args:
        positive_logits: ``(P,)`` finite logits of held-out edges.
        negative_logits: ``(Q,)`` finite logits of pairs drawn uniformly from those without an edge.
        density: pi in (0, 1), the share of all pairs that are edges where the probabilities will be used.

    Raises:
        InputError: if logits are empty or not finite, or the density is not inside (0, 1).
    """
    positive = _finite("positive_logits", positive_logits)
    negative = _finite("negative_logits", negative_logits)
    pi = _density(density)
    scores = np.concatenate([positive, negative])
    centre, spread = scores.mean(), scores.std() or 1.0
    scores = (scores - centre) / spread
    sign = np.concatenate([np.ones(positive.size), -np.ones(negative.size)])
    weights = np.concatenate(
        [np.full(positive.size, 1.0 / positive.size), np.full(negative.size, (1.0 - pi) / pi / negative.size)]
    )
    design = np.stack([scores, np.ones_like(scores)])

    def loss(theta: np.ndarray) -> float:
        if theta[0] <= 0.0:
            return math.inf
        nats = weights @ np.logaddexp(0.0, -sign * (theta @ design))
        return float(nats + _RIDGE * (theta[0] ** 2 / 2 - math.log(theta[0])))

    theta = np.array([1.0, math.log(pi) - math.log1p(-pi)])
    value = loss(theta)
    for _ in range(200):
        wrong = _sigmoid(-sign * (theta @ design))
        gradient = -design @ (weights * sign * wrong)
        curvature = (design * (weights * wrong * (1.0 - wrong))) @ design.T
        gradient[0] += _RIDGE * (theta[0] - 1.0 / theta[0])
        curvature[0, 0] += _RIDGE * (1.0 + 1.0 / theta[0] ** 2)
        # Where every pair is settled the bias has no curvature left; a floor keeps the step finite.
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), -gradient)
        if -float(gradient @ step) < 1e-14:
            break
        step *= min(1.0, 5.0 / float(np.abs(step).max()))
        size = 1.0
        while (trial := loss(theta + size * step)) > value and size > 1e-10:
            size /= 2
        if trial > value:
            break  # no descent left in this precision
        theta, value = theta + size * step, trial
    scale = theta[0] / spread
    return Calibration(float(scale), float(theta[1] - scale * centre), "platt", pi)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function, relatively exact for very negative x too."""
    return np.exp(-np.logaddexp(0.0, -x))


def _finite(name: str, values: Any) -> np.ndarray:
    logits = as_scores(name, values)
    if not bool(np.isfinite(logits).all()):
        raise InputError(f"{name} contains {logits[~np.isfinite(logits)][0]}: expected finite logits")
    return logits


def _density(value: Any) -> float:
    density = number("density", value, low=0.0, high=1.0, open_low=True)
    if density == 1.0:
        raise InputError("density=1.0: expected a number below 1")
    return density
