"""Logistic regression with rising coefficients: what calibrations of logits are fitted by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphvae._check import InputError
from graphvae.evaluation.metrics import as_scores

__all__ = ["finite_logits", "fit_rising", "held_out_weights", "sigmoid"]

# Strength of the weak prior on each slope, in nats per held-out edge.
RIDGE = 1e-4


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function, relatively exact for very negative x too."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0.0, 1.0, small) / (1.0 + small)


def finite_logits(name: str, values: Any) -> np.ndarray:
    """``values`` as a float64 vector; ``name`` is used in errors.

    Raises:
        InputError: if it is empty, no vector of numbers, or not finite.
    """
    logits = as_scores(name, values)
    if not bool(np.isfinite(logits).all()):
        raise InputError(f"{name} contains {logits[~np.isfinite(logits)][0]}: expected finite logits")
    return logits


def held_out_weights(positives: int, negatives: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    """``(P + Q,)`` signs, 1 for edges and -1 for others, and weights of which the loss is in nats per held-out edge.

    Edges weigh 1 in all, and non-edges ``(1 - density) / density``.
    """
    counts = [positives, negatives]
    return np.repeat([1.0, -1.0], counts), np.repeat([1.0 / positives, (1.0 - density) / density / negatives], counts)


def fit_rising(
    design: np.ndarray, sign: np.ndarray, weights: np.ndarray, start: np.ndarray, stiffness: float = 0.0
) -> np.ndarray:
    """Positive slopes and an intercept by weighted logistic regression: Newton's method with backtracking.

    Minimises ``-sum_i w_i log sigma(y_i (m · x_i + c)) + 1e-4 sum_k (m_k² / 2 - log m_k) + stiffness / 2 sum_k
    (m_{k+1} - m_k)²``. The weak convex prior of the middle keeps slopes positive where positives do not score higher,
    and finite where the two are separable; elsewhere it does not show.

    Args:
        design: ``(K + 1, M)`` float64, of which the last row, of ones, is the intercept's.
        sign: ``(M,)`` y, 1 or -1.
        weights: ``(M,)`` w, positive.
        start: ``(K + 1,)`` slopes m, positive, and intercept c.
        stiffness: of neighbouring slopes, at least 0.

    Returns:
        ``(K + 1,)`` slopes and intercept.
    """
    slopes = len(start) - 1
    change = np.diff(np.eye(slopes, slopes + 1), axis=0)
    penalty = stiffness * change.T @ change

    def loss(theta: np.ndarray) -> float:
        m = theta[:-1]
        if m.min() <= 0.0:
            return math.inf
        nats = weights @ np.logaddexp(0.0, -sign * (theta @ design))
        return float(nats + RIDGE * (m @ m / 2 - np.log(m).sum()) + theta @ penalty @ theta / 2)

    theta, value = start, loss(start)
    for _ in range(200):
        wrong = sigmoid(-sign * (theta @ design))
        gradient = penalty @ theta - design @ (weights * sign * wrong)
        curvature = penalty + (design * (weights * wrong * (1.0 - wrong))) @ design.T
        gradient[:-1] += RIDGE * (theta[:-1] - 1.0 / theta[:-1])
        curvature[np.arange(slopes), np.arange(slopes)] += RIDGE * (1.0 + 1.0 / theta[:-1] ** 2)
        # Where every pair is settled the intercept has no curvature left; a floor keeps the step finite.
        step = np.linalg.solve(curvature + 1e-12 * np.eye(slopes + 1), -gradient)
        if -float(gradient @ step) < 1e-14:
            break
        step *= min(1.0, 5.0 / float(np.abs(step).max()))
        size = 1.0
        while (trial := loss(theta + size * step)) > value and size > 1e-10:
            size /= 2
        if trial > value:
            break  # no descent left in this precision
        theta, value = theta + size * step, trial
    return theta
