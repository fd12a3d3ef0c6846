"""Calibration by a rising broken line: as much shape as the held-out pairs can tell, the same for every prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError
from graphvae.evaluation.calibration import fit_calibration_platt
from graphvae.evaluation.link_calibration import LinkCalibration
from graphvae.evaluation.logistic import finite_logits, fit_rising, held_out_weights, sigmoid
from graphvae.evaluation.reliability import open_share

__all__ = ["PiecewiseCalibration", "fit_calibration_piecewise"]

# Pieces of the line, and the standard deviation of the change of slope from one to the next, Platt's scale being 1.
PIECES, CHANGE = 16, 0.25
# Quantiles of the logits of edges between which the line may bend.
BENDS = 0.01, 0.99


@dataclass(frozen=True, eq=False)
class PiecewiseCalibration(LinkCalibration):
    """``p = sigmoid(f(logit))``, with f linear between knots, and beyond them as in the piece beside.

    Attributes:
        logits: ``(K,)`` knots, at least two, rising.
        log_odds: ``(K,)`` of an edge there, rising.
        density: share of all pairs that are edges, in (0, 1).
    """

    logits: np.ndarray
    log_odds: np.ndarray
    density: float

    method = "piecewise"

    def __post_init__(self) -> None:
        object.__setattr__(self, "density", open_share("density", self.density))
        for name in ("logits", "log_odds"):
            object.__setattr__(self, name, finite_logits(name, getattr(self, name)))
        rising = bool((np.diff(self.logits) > 0).all() and (np.diff(self.log_odds) > 0).all())
        if self.logits.shape != self.log_odds.shape or self.logits.size < 2 or not rising:
            raise InputError("logits and log_odds: expected as many knots, two or more, both rising")

    def __str__(self) -> str:
        return (
            f"calibrated by a rising line of {self.logits.size - 1} pieces, fitted on validation pairs weighted to the "
            f"density, for a pair of a graph of density {self.density:.4g}"
        )

    def _at(self, logits: np.ndarray) -> np.ndarray:
        slopes = np.diff(self.log_odds) / np.diff(self.logits)
        below = slopes[0] * np.minimum(logits - self.logits[0], 0.0)
        above = slopes[-1] * np.maximum(logits - self.logits[-1], 0.0)
        return sigmoid(np.interp(logits, self.logits, self.log_odds) + below + above)


def fit_calibration_piecewise(positive_logits: Any, negative_logits: Any, density: float) -> PiecewiseCalibration:
    """A rising broken line from logits to log odds, by penalised likelihood on held-out pairs.

    A well calibrated log odds is ``log p(s | edge) / p(s | non-edge)`` plus the log odds of the prior, which shifts the
    line and leaves its shape. Where that shape is not straight, a scale and a bias are right at the head of the
    ranking, where a sparse graph has its edges, or on balanced pairs, but not on both.

    Minimises the density-weighted nats per held-out edge, as Platt scaling does and with the same weak prior on each
    slope, plus ``sum_k (m_{k+1} - m_k)² / (2 P 0.25²)``: slopes m of the 16 pieces, in units of Platt's scale on
    balanced pairs, are a Gaussian random walk. So few pairs give Platt's line, and many give any shape. Pieces are of
    equal length between the 1 % and the 99 % quantile of edges.

    Args:
        positive_logits: ``(P,)`` finite logits of held-out edges.
        negative_logits: ``(Q,)`` finite logits of pairs drawn uniformly from those without an edge; where they are
            fewer than the edges, Q takes the place of P above.
        density: pi in (0, 1), the share of all pairs that are edges where the probabilities will be used.

    Raises:
        InputError: if logits are empty or not finite, or the density is not inside (0, 1).
    """
    positive = finite_logits("positive_logits", positive_logits)
    negative = finite_logits("negative_logits", negative_logits)
    pi = open_share("density", density)
    straight = fit_calibration_platt(positive, negative, 0.5)
    low, high = np.quantile(positive, BENDS)
    # Equal logits have no length; the last keeps knots apart in this precision.
    length = max(high - low, 1.0 / straight.scale, 1e-9 * abs(low))
    knots = low + length * np.linspace(0.0, 1.0, PIECES + 1)
    bends = knots[1:-1]
    starts, ends = np.append(-np.inf, bends), np.append(bends, np.inf)
    anchors = np.append(bends[0], bends)
    every = np.concatenate([positive, negative])
    # One row for each piece: how far a pair has come in it, in Platt's units.
    rows = [np.clip(every, *piece) - at for *piece, at in zip(starts, ends, anchors, strict=True)]
    design = np.stack([*(straight.scale * row for row in rows), np.ones_like(every)])
    first = straight.scale * bends[0] + straight.bias + math.log(pi) - math.log1p(-pi)
    fitted = fit_rising(
        design,
        *held_out_weights(positive.size, negative.size, pi),
        np.append(np.ones(PIECES), first),
        stiffness=1.0 / (min(positive.size, negative.size) * CHANGE**2),
    )
    climbs = fitted[:-1] * straight.scale * length / PIECES
    log_odds = fitted[-1] - climbs[0] + np.append(0.0, np.cumsum(climbs))
    return PiecewiseCalibration(knots, log_odds, pi)
