"""Rising logistic regression against scikit-learn, and its parts against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from graphvae._check import InputError
from graphvae.evaluation.logistic import finite_logits, fit_rising, held_out_weights, sigmoid


def drawn(pairs: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Design, signs and weights of a logistic model of slopes 1, 2, 0.5 and intercept -1."""
    rng = np.random.default_rng(0)
    design = np.stack([*rng.normal(size=(3, pairs)), np.ones(pairs)])
    sign = np.where(rng.random(pairs) < expit(np.array([1.0, 2.0, 0.5, -1.0]) @ design), 1.0, -1.0)
    return design, sign, rng.uniform(0.5, 1.5, pairs)


def test_equals_weighted_logistic_regression_where_slopes_are_positive() -> None:
    design, sign, weights = drawn()
    fitted = fit_rising(design, sign, weights, np.array([1.0, 1.0, 1.0, 0.0]))
    oracle = LogisticRegression(C=1e10, tol=1e-12, solver="newton-cholesky")
    oracle.fit(design[:3].T, sign, sample_weight=weights)
    # The weak prior is of 1e-4 nats, the pairs are of thousands.
    assert fitted == pytest.approx([*oracle.coef_[0], oracle.intercept_[0]], rel=1e-5)


def test_stiff_slopes_are_those_of_the_sum() -> None:
    design, sign, weights = drawn()
    fitted = fit_rising(design, sign, weights, np.array([1.0, 1.0, 1.0, 0.0]), stiffness=1e9)
    oracle = LogisticRegression(C=1e10, tol=1e-12, solver="newton-cholesky")
    oracle.fit(design[:3].sum(0)[:, None], sign, sample_weight=weights)
    assert fitted == pytest.approx([*oracle.coef_[0].repeat(3), oracle.intercept_[0]], rel=1e-4)


def test_slopes_that_would_fall_stay_positive() -> None:
    design, sign, weights = drawn()
    design[1] *= -1
    slopes = fit_rising(design, sign, weights, np.array([1.0, 1.0, 1.0, 0.0]))[:3]
    assert 0 < slopes[1] < 1e-3
    assert slopes[[0, 2]].min() > 0.1


@pytest.mark.parametrize("density", [0.5, 0.01])
def test_weights_are_of_a_graph_of_the_density(density: float) -> None:
    sign, weights = held_out_weights(30, 700, density)
    assert weights[sign > 0].sum() == pytest.approx(1.0)
    assert weights[sign > 0].sum() / weights.sum() == pytest.approx(density)
    assert (sign > 0).sum() == 30


def test_sigmoid_equals_scipy_to_the_ends() -> None:
    x = np.array([-np.inf, -700.0, -30.0, -1e-3, 0.0, 2.0, 40.0, 1e3, np.inf])
    assert sigmoid(x) == pytest.approx(expit(x), rel=1e-14, abs=0)
    assert sigmoid(np.array(-740.0)) == np.exp(-740.0)  # a denormal number


def test_logits_are_finite_vectors() -> None:
    assert finite_logits("logits", [1, 2]).dtype == np.float64
    for wrong, message in (([], "is empty"), ([np.inf], "contains inf"), ([np.nan], "contains NaN")):
        with pytest.raises(InputError, match=f"logits {message}"):
            finite_logits("logits", wrong)
