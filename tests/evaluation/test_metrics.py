"""AUC and average precision against scikit-learn, with ties, and their refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from graphvae._check import InputError
from graphvae.evaluation.metrics import average_precision, roc_auc

# Few distinct values, so that most scores are tied within and across the classes.
TIED = st.lists(
    st.sampled_from([-1.5, -0.0, 0.0, 1e-300, 0.1, 0.1 + 2e-17, 1 / 3, 7.0, 1e300]), min_size=1, max_size=60
)
# Differences of scores must not overflow: scikit-learn takes them, and warns.
ANY = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30)


def labelled(positive: list[float], negative: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([1, 0], [len(positive), len(negative)]), np.array([*positive, *negative])


@settings(max_examples=150, deadline=None)
@given(positive=TIED | ANY, negative=TIED | ANY)
def test_equals_scikit_learn(positive: list[float], negative: list[float]) -> None:
    labels, scores = labelled(positive, negative)
    assert roc_auc(positive, negative) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(positive, negative) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_equals_scikit_learn_on_many_scores(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    positive, negative = rng.normal(0.7, 1, 3000).round(decimals), rng.normal(0, 1, 5000).round(decimals)
    labels, scores = labelled(positive.tolist(), negative.tolist())
    assert roc_auc(positive, negative) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(positive, negative) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


def test_infinite_scores_are_the_ends_of_the_scale() -> None:
    # Oracle: the same order in finite scores. scikit-learn itself refuses infinities.
    positive, negative = [np.inf, 0.0, -np.inf], [np.inf, -np.inf, -np.inf, 1.0]
    finite = [2.0, 0.0, -2.0], [2.0, -2.0, -2.0, 1.0]
    assert roc_auc(positive, negative) == roc_auc(*finite) == pytest.approx(roc_auc_score(*labelled(*finite)))
    assert average_precision(positive, negative) == average_precision(*finite)


def test_types_do_not_change_the_result() -> None:
    positive, negative = [3, 1, 2], [0, 2]
    for dtype in (np.int32, np.float32, np.float64):
        assert roc_auc(np.array(positive, dtype), np.array(negative, dtype)) == 4.5 / 6
    assert roc_auc(np.array([True, True]), np.array([False, True])) == 0.75


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "is empty"),
        ([1.0, np.nan], "contains NaN 1 times, first at 1"),
        ([[1.0]], r"has shape \(1, 1\)"),
        (["a"], "is of type"),
        ([1j], "is of type"),
    ],
)
def test_refusals_name_the_argument(metric, bad, message: str) -> None:
    with pytest.raises(InputError, match=f"positive_scores {message}"):
        metric(bad, [0.5])
    with pytest.raises(InputError, match=f"negative_scores {message}"):
        metric([0.5], bad)


def test_inputs_are_left_as_they_are() -> None:
    positive, negative = np.array([3.0, 1.0, 2.0]), np.array([5.0, 0.0])
    roc_auc(positive, negative)
    average_precision(positive, negative)
    assert positive.tolist() == [3.0, 1.0, 2.0]
    assert negative.tolist() == [5.0, 0.0]
