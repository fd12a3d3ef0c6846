"""Which of two models is better: differences on the same splits, with a test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphvae._check import InputError, number

__all__ = ["paired_difference"]

LEVEL = 0.05


def paired_difference(values: Any, others: Any, *, ratio: float = 0.0) -> dict[str, Any]:
    """The mean difference of two models' figures on the same splits, with two 95 % intervals and tests.

    With differences ``d`` of variance ``s²`` over ``n`` splits, the paired t-test takes the variance of their mean to
    be ``s² / n``. Over fresh random splits of *this very graph* that is right, because splits are drawn independently.
    But their training parts overlap, so it is too sure about other edges of the same kind; there Nadeau and Bengio put
    ``s² (1/n + ratio)``. A difference counts as decided by the second, which no number of splits of one graph can make
    arbitrarily small.

    Args:
        values: ``(n,)`` figures of one model, by split.
        others: ``(n,)`` figures of the other on the same splits, in the same order.
        ratio: test edges for each training edge of a split; 0 makes the two the same.

    Returns:
        ``n``, ``mean`` (of ``values - others``), ``standard_error``, ``interval`` and ``p`` (paired t-test, two-sided,
        n - 1 degrees of freedom), the same with ``corrected_`` before it, and ``decided``: whether ``corrected_p`` is
        below 0.05. For a single split all but the mean are None, and nothing is decided.

    Raises:
        InputError: for unequal or no lengths, or values that are not finite.

    Reference:
        Nadeau and Bengio, Inference for the Generalization Error (2003), equation 9.
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64)
    ratio = number("ratio", ratio, low=0)
    if x.ndim != 1 or x.shape != y.shape or x.size == 0:
        raise InputError(f"values and others have shapes {x.shape} and {y.shape}: expected one length, at least 1")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("values or others contain what is not finite: expected numbers")
    gap = x - y
    mean, spread = float(gap.mean()), float(gap.std(ddof=1)) if x.size > 1 else None
    row: dict[str, Any] = {"n": x.size, "mean": mean}
    for prefix, share in (("", 0.0), ("corrected_", ratio)):
        error = None if spread is None else spread * math.sqrt(1 / x.size + share)
        interval, p = (None, None) if error is None else _t_test(mean, error, x.size - 1)
        row |= {f"{prefix}standard_error": error, f"{prefix}interval": interval, f"{prefix}p": p}
    row["decided"] = row["corrected_p"] is not None and row["corrected_p"] < LEVEL
    return row


def _t_test(mean: float, error: float, freedom: int) -> tuple[list[float], float]:
    """Interval of the mean, and the probability of one so far from 0 if there were no difference."""
    from scipy import stats

    if error == 0.0:  # all differences are equal
        return [mean, mean], 1.0 if mean == 0.0 else 0.0
    reach = float(stats.t.ppf(1 - LEVEL / 2, freedom)) * error
    return [mean - reach, mean + reach], float(2 * stats.t.sf(abs(mean) / error, freedom))
