"""Intervals within one split, from pairs drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from graphvae._check import integer

__all__ = ["bootstrap_intervals"]


def bootstrap_intervals(
    statistic: Callable[[np.ndarray, np.ndarray], Mapping[str, float]],
    num_positive: int,
    num_negative: int,
    *,
    samples: int = 200,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of figures of held-out pairs, edges and non-edges drawn anew, each with replacement.

    They say how much a figure owes to the pairs that were held out, and nothing of how it varies with the training
    graph or the seed; those take several splits.

    Args:
        statistic: from indices of positives ``(P,)`` and of negatives ``(Q,)`` to figures by name.
        num_positive: P.
        num_negative: Q.
        samples: draws, at least 2.
        seed: of the draws.

    Returns:
        Lower and upper end by name.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    rng, samples = np.random.default_rng(integer("seed", seed, low=0)), integer("samples", samples, low=2)
    drawn = [
        statistic(rng.integers(num_positive, size=num_positive), rng.integers(num_negative, size=num_negative))
        for _ in range(samples)
    ]
    ends = {name: np.quantile([row[name] for row in drawn], [0.025, 0.975]) for name in drawn[0]}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}
