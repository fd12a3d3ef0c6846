"""Ranking metrics of link prediction: area under the ROC curve and average precision, exact with ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphvae._check import InputError

__all__ = ["METRICS", "as_scores", "average_precision", "roc_auc"]


def roc_auc(positive_scores: Any, negative_scores: Any) -> float:
    """Area under the ROC curve: P(positive above negative) + P(tie) / 2.

    The Mann-Whitney form (Hanley & McNeil, 1982), counted in integers, so that ties are exact:
    ``AUC = (sum_i #{j: n_j < p_i} + #{j: n_j = p_i} / 2) / (P Q)``. It takes O((P + Q) log Q) time.

    Args:
        positive_scores: ``(P,)`` scores p of the pairs that are edges, any monotone scale; infinities are allowed.
        negative_scores: ``(Q,)`` scores n of the pairs that are none.

    Returns:
        A number in [0, 1]; equal to scikit-learn's ``roc_auc_score``.

    Raises:
        InputError: if a class is empty, contains NaN or is not a vector of numbers.

    Example:
        >>> roc_auc([0.9, 0.4], [0.4, 0.1])
        0.875
    """
    positive = as_scores("positive_scores", positive_scores)
    negative = np.sort(as_scores("negative_scores", negative_scores))
    below = int(np.searchsorted(negative, positive, side="left").sum())
    not_above = int(np.searchsorted(negative, positive, side="right").sum())
    return (below + not_above) / (2 * positive.size * negative.size)


def average_precision(positive_scores: Any, negative_scores: Any) -> float:
    """Average precision: the mean, over positives, of the precision at their own score.

    ``AP = 1/P sum_i TP(p_i) / (TP(p_i) + FP(p_i))`` with TP(t) and FP(t) the numbers of positives and negatives that
    score at least t. This is the sum over thresholds ``sum_k (R_k - R_{k-1}) Prec_k``, tied scores being one
    threshold. Unlike AUC it depends on the ratio P : Q.

    Args:
        positive_scores: ``(P,)`` scores p of the pairs that are edges; infinities are allowed.
        negative_scores: ``(Q,)`` scores of the pairs that are none.

    Returns:
        A number in (0, 1]; equal to scikit-learn's ``average_precision_score``.

    Raises:
        InputError: if a class is empty, contains NaN or is not a vector of numbers.

    Example:
        >>> average_precision([0.9, 0.4], [0.5])
        0.8333333333333333
    """
    positive = np.sort(as_scores("positive_scores", positive_scores))
    negative = np.sort(as_scores("negative_scores", negative_scores))
    true = positive.size - np.searchsorted(positive, positive, side="left")
    false = negative.size - np.searchsorted(negative, positive, side="left")
    return float(np.mean(true / (true + false)))


METRICS: dict[str, Callable[[Any, Any], float]] = {"auc": roc_auc, "ap": average_precision}
"""Metrics by name, each a function of positive and negative scores; 1 is perfect."""


def as_scores(name: str, values: Any) -> np.ndarray:
    """``values`` as a float64 vector of at least one number, none of them NaN; ``name`` is used in errors.

    Raises:
        InputError: if ``values`` is empty, holds NaN, or is not one-dimensional and real.
    """
    try:
        scores = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: expected a vector of numbers ({error})") from None
    if scores.ndim != 1:
        raise InputError(f"{name} has shape {scores.shape}: expected one dimension")
    if scores.size == 0:
        raise InputError(f"{name} is empty: expected at least one score")
    if scores.dtype.kind not in "biuf":
        raise InputError(f"{name} is of type {scores.dtype}: expected real numbers")
    scores = scores.astype(np.float64)
    missing = np.flatnonzero(np.isnan(scores))
    if missing.size:
        raise InputError(f"{name} contains NaN {missing.size} times, first at {missing[0]}: expected numbers")
    return scores
