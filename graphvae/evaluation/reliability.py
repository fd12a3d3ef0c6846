"""How far link probabilities can be relied on: skill over the density, calibration error, bins of the top pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError, integer, number
from graphvae.evaluation.metrics import as_scores

__all__ = [
    "Reliability",
    "calibration_error",
    "calibration_floor",
    "choose_threshold",
    "open_share",
    "reliability",
    "shift_prior",
    "skill",
]


def shift_prior(probabilities: Any, density: float, to: float) -> np.ndarray:
    """Probabilities for pairs of another share of edges: the odds times ``to (1 - density) / (density (1 - to))``.

    Args:
        probabilities: in [0, 1], for pairs of which ``density`` are edges.
        density: in (0, 1).
        to: in (0, 1).

    Raises:
        InputError: for values outside these ranges.
    """
    p = _probabilities("probabilities", probabilities)
    density, to = open_share("density", density), open_share("to", to)
    factor = math.exp(math.log(to) - math.log1p(-to) - math.log(density) + math.log1p(-density))
    return p * factor / (p * factor + (1.0 - p))


def skill(positive: Any, negative: Any, density: float) -> dict[str, float]:
    """Brier and log-loss skill against the constant ``density``: 1 is perfect, 0 what the density alone is worth.

    ``1 - S(p) / S(pi)`` with ``S`` the Brier score or the log-loss over all pairs, estimated from held-out edges of
    weight pi and sampled non-edges of weight 1 - pi. At a density of 0.1 % a calibration error is small whatever the
    model, and so are both scores; their skill is not.

    Args:
        positive: ``(P,)`` probabilities of held-out edges.
        negative: ``(Q,)`` probabilities of pairs drawn uniformly from those without an edge.
        density: pi, the share of all pairs that are edges, which the probabilities are for.

    Returns:
        ``brier_skill`` and ``log_loss_skill``; the latter -inf where the model was certain and wrong.

    Raises:
        InputError: for an empty class, values outside [0, 1], or a density outside (0, 1).
    """
    p, q, pi = (
        _probabilities("positive", positive),
        _probabilities("negative", negative),
        open_share("density", density),
    )
    brier = pi * np.square(1.0 - p).mean() + (1.0 - pi) * np.square(q).mean()
    with np.errstate(divide="ignore"):
        nats = -pi * np.log(p).mean() - (1.0 - pi) * np.log1p(-q).mean()
    entropy = -pi * math.log(pi) - (1.0 - pi) * math.log1p(-pi)
    return {"brier_skill": float(1.0 - brier / (pi * (1.0 - pi))), "log_loss_skill": float(1.0 - nats / entropy)}


def calibration_error(positive: Any, negative: Any, density: float, bins: int = 15) -> float:
    """Expected calibration error on balanced pairs, after the prior is shifted from ``density`` to a half.

    ``sum_b n_b / n |mean p - share of edges|`` over ``bins`` of equal numbers of pairs, weighted so that edges and
    non-edges are equally many.

    Args:
        positive: ``(P,)`` probabilities of held-out edges, for pairs of ``density``.
        negative: ``(Q,)`` probabilities of sampled non-edges.
        density: in (0, 1).
        bins: at least 1.

    Raises:
        InputError: as :func:`skill`.

    Reference:
        Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning (2015), section 3.
    """
    values, labels, weights = _balanced(positive, negative, density)
    gaps = np.array_split(weights * (values - labels), integer("bins", bins, low=1))
    return float(sum(abs(part.sum()) for part in gaps))


def calibration_floor(positive: Any, negative: Any, density: float, bins: int = 15) -> float:
    """What :func:`calibration_error` would be expected to find on so few pairs if every probability were right.

    In a bin the share of edges then errs by chance alone, with a mean absolute error of ``sqrt(2 / pi)`` standard
    deviations, in the normal approximation of a sum of Bernoulli variables: a pair of probability v adds ``v (1 - v)``
    times the mean weight of its pairs, where edges weigh ``1 / 2 P``, non-edges ``1 / 2 Q``, and one is the rarer
    among the pairs drawn the more it weighs.

    Args:
        positive, negative, density, bins: as there.

    Raises:
        InputError: as :func:`skill`.
    """
    values, labels, weights = _balanced(positive, negative, density)
    edge, other = 0.5 / labels.sum(), 0.5 / (1.0 - labels).sum()
    each = weights * values * (1.0 - values) * (edge * (1.0 - values) + other * values)
    variances = np.array_split(each, integer("bins", bins, low=1))
    return float(math.sqrt(2.0 / math.pi) * sum(math.sqrt(part.sum()) for part in variances))


def _balanced(positive: Any, negative: Any, density: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of both classes at even odds, rising, with their labels, and weights that make the classes even."""
    p, q = (
        shift_prior(_probabilities(n, v), density, 0.5) for n, v in (("positive", positive), ("negative", negative))
    )
    values = np.concatenate([p, q])
    labels = np.repeat([1.0, 0.0], [p.size, q.size])
    weights = np.repeat([0.5 / p.size, 0.5 / q.size], [p.size, q.size])
    order = np.argsort(values, kind="stable")
    return values[order], labels[order], weights[order]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted and observed shares of edges in bins of equal numbers of pairs, the likeliest pairs first.

    Attributes:
        predicted: ``(B,)`` mean probability.
        observed: ``(B,)`` share of edges.
        low: ``(B,)`` lower end of the observed share's 95 % interval (Wilson, 1927).
        high: ``(B,)`` upper end.
        counts: ``(B,)`` pairs.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray

    def to_dict(self) -> dict[str, list[float]]:
        """JSON-able lists."""
        return {name: getattr(self, name).tolist() for name in ("predicted", "observed", "low", "high", "counts")}


def reliability(probabilities: Any, is_edge: Any, bins: int = 10) -> Reliability:
    """The reliability diagram of some pairs, in bins of equal numbers of them.

    Args:
        probabilities: ``(M,)`` in [0, 1].
        is_edge: ``(M,)`` booleans.
        bins: at least 1; no more than M are made.

    Raises:
        InputError: for an empty or unequal length, or values outside [0, 1].
    """
    p, y = _probabilities("probabilities", probabilities), np.asarray(is_edge)
    if y.shape != p.shape or y.dtype != bool:
        raise InputError(f"is_edge has shape {y.shape}, {y.dtype}: expected booleans {p.shape}")
    parts = np.array_split(np.argsort(-p, kind="stable"), min(integer("bins", bins, low=1), p.size))
    counts = np.array([part.size for part in parts])
    observed = np.array([y[part].mean() for part in parts])
    z = 1.959963984540054
    centre = (observed + z**2 / (2 * counts)) / (1 + z**2 / counts)
    half = z / (1 + z**2 / counts) * np.sqrt(observed * (1 - observed) / counts + z**2 / (4 * counts**2))
    low, high = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
    return Reliability(np.array([p[part].mean() for part in parts]), observed, low, high, counts)


def choose_threshold(
    positive: Any, negative: Any, density: float, *, precision: float | None = None
) -> dict[str, float]:
    """The probability from which on a pair is called an edge: of the best F1, or of a precision.

    Precision and F1 are those over all pairs of a graph of this density, non-edges weighted accordingly.

    Args:
        positive: ``(P,)`` probabilities of held-out edges (of validation, not of the test).
        negative: ``(Q,)`` probabilities of sampled non-edges.
        density: in (0, 1).
        precision: the least precision, in (0, 1]; then the lowest threshold that has it, for the most recall. None
            takes the best F1.

    Returns:
        ``threshold``, ``precision``, ``recall`` and ``f1`` there.

    Raises:
        InputError: as :func:`skill`, or if no threshold has that precision.
    """
    p, q, pi = (
        _probabilities("positive", positive),
        _probabilities("negative", negative),
        open_share("density", density),
    )
    levels = np.unique(p)  # falling below a positive is all that a lower threshold can gain
    recall = 1.0 - np.searchsorted(np.sort(p), levels) / p.size
    false = 1.0 - np.searchsorted(np.sort(q), levels) / q.size
    precise = pi * recall / (pi * recall + (1.0 - pi) * false)
    f1 = 2.0 * precise * recall / (precise + recall)
    if precision is None:
        at = int(f1.argmax())
    else:
        wanted = number("precision", precision, low=0.0, high=1.0, open_low=True)
        enough = np.flatnonzero(precise >= wanted)
        if not enough.size:
            raise InputError(f"precision={wanted:g}: no threshold has it here; the best is {precise.max():.3g}")
        at = int(enough[0])
    names, rows = ("threshold", "precision", "recall", "f1"), (levels, precise, recall, f1)
    return {name: float(values[at]) for name, values in zip(names, rows, strict=True)}


def _probabilities(name: str, values: Any) -> np.ndarray:
    p = as_scores(name, values)
    if p.min() < 0.0 or p.max() > 1.0:
        raise InputError(f"{name} contains {p.min() if p.min() < 0 else p.max():g}: expected probabilities in [0, 1]")
    return p


def open_share(name: str, value: Any) -> float:
    """``value`` as a float inside (0, 1); ``name`` is used in errors."""
    share = number(name, value, low=0.0, high=1.0, open_low=True)
    if share == 1.0:
        raise InputError(f"{name}=1.0: expected a number below 1")
    return share
