"""Ranking metrics of link prediction: area under the ROC curve and average precision, exact with ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphvae._check import InputError

__all__ = ["METRICS", "as_scores", "auc_and_ap", "average_precision", "roc_auc"]


def auc_and_ap(positive_scores: Any, negative_scores: Any) -> tuple[float, float]:
    """Area under the ROC curve and average precision, each class sorted once; see :func:`roc_auc`.

    float32 scores are compared as such, which is exact and sorts faster. O((P + Q) log(P + Q)).

    Raises:
        InputError: if a class is empty, contains NaN or is not a vector of numbers.
    """
    positive = np.sort(as_scores("positive_scores", positive_scores, narrow=True))
    negative = np.sort(as_scores("negative_scores", negative_scores, narrow=True))
    below = negative.searchsorted(positive, "left")
    not_above = negative.searchsorted(positive, "right")
    true = positive.size - positive.searchsorted(positive, "left")
    false = negative.size - below
    auc = (int(below.sum()) + int(not_above.sum())) / (2 * positive.size * negative.size)
    return auc, float((true / (true + false)).sum()) / positive.size


def roc_auc(positive_scores: Any, negative_scores: Any) -> float:
    """Area under the ROC curve: P(positive above negative) + P(tie) / 2.

    The Mann-Whitney form (Hanley & McNeil, 1982), counted in integers, so that ties are exact:
    ``AUC = (sum_i #{j: n_j < p_i} + #{j: n_j = p_i} / 2) / (P Q)``.

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
    return auc_and_ap(positive_scores, negative_scores)[0]


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
    return auc_and_ap(positive_scores, negative_scores)[1]


METRICS: dict[str, Callable[[Any, Any], float]] = {"auc": roc_auc, "ap": average_precision}
"""Metrics by name, each a function of positive and negative scores; 1 is perfect."""


def as_scores(name: str, values: Any, *, narrow: bool = False) -> np.ndarray:
    """``values`` as a float64 vector of at least one number, none of them NaN; ``name`` is used in errors.

    With ``narrow`` float32 stays what it is, which sorts faster.

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
    if not (narrow and scores.dtype == np.float32):
        scores = scores.astype(np.float64)
    if np.isnan(scores.min()):  # the minimum passes NaN on
        missing = np.flatnonzero(np.isnan(scores))
        raise InputError(f"{name} contains NaN {missing.size} times, first at {missing[0]}: expected numbers")
    return scores
