"""Calibration against root finding, scikit-learn's logistic regression and known truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from graphvae._check import InputError
from graphvae.evaluation.calibration import Calibration, fit_calibration_intercept, fit_calibration_platt

LOGITS = st.lists(st.floats(-60, 60), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(edges=LOGITS, others=LOGITS, weight=st.floats(0.01, 1e6))
def test_intercept_makes_expected_edges_the_edges(edges: list[float], others: list[float], weight: float) -> None:
    fitted = fit_calibration_intercept(edges, others, weight)
    expected = fitted.probabilities(edges).sum() + weight * fitted.probabilities(others).sum()
    assert expected == pytest.approx(len(edges), rel=1e-9)
    assert fitted.density == pytest.approx(len(edges) / (len(edges) + weight * len(others)))
    assert (fitted.scale, fitted.method) == (1.0, "intercept")


def test_intercept_equals_a_root_finder() -> None:
    rng = np.random.default_rng(0)
    edges, others = rng.normal(2, 1, 200), rng.normal(0, 2, 1000)
    excess = lambda b: expit(edges + b).sum() + 80 * expit(others + b).sum() - 200
    assert fit_calibration_intercept(edges, others, 80).bias == pytest.approx(brentq(excess, -50, 50, xtol=1e-13))


def test_intercept_recovers_the_bias_of_a_model() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1.5, 400_000)
    edge = rng.random(scores.size) < expit(scores - 4)
    sample = rng.permutation(scores[~edge])[:20_000]
    fitted = fit_calibration_intercept(scores[edge], sample, (~edge).sum() / sample.size)
    assert fitted.bias == pytest.approx(-4, abs=0.05)


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_intercept_undoes_a_shift_of_the_logits(shift: float) -> None:
    edges, others = np.array([1.0, 2.0]), np.array([0.0, -1.0, 0.5])
    base = fit_calibration_intercept(edges, others, 10.0)
    moved = fit_calibration_intercept(edges + shift, others + shift, 10.0)
    assert moved.bias == pytest.approx(base.bias - shift, abs=1e-8)


@pytest.mark.parametrize("density", [0.5, 0.01, 1e-4])
def test_platt_equals_weighted_logistic_regression(density: float) -> None:
    rng = np.random.default_rng(2)
    positive, negative = rng.normal(3, 2, 400), rng.normal(0, 2, 300)
    fitted = fit_calibration_platt(positive, negative, density)
    weights = np.repeat([density / 400, (1 - density) / 300], [400, 300]) / density
    oracle = LogisticRegression(C=1e10, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    oracle.fit(np.r_[positive, negative][:, None], np.repeat([1, 0], [400, 300]), sample_weight=weights)
    # The weak prior moves the fit by less than this.
    assert fitted.scale == pytest.approx(oracle.coef_[0, 0], rel=2e-3)
    assert fitted.bias == pytest.approx(oracle.intercept_[0], rel=2e-3)
    # As in every logistic regression with a bias, the weighted mean probability is the density, here unpenalised.
    mean = density * fitted.probabilities(positive).mean() + (1 - density) * fitted.probabilities(negative).mean()
    assert mean == pytest.approx(density, rel=1e-6)
    assert (fitted.method, fitted.density) == ("platt", density)


def test_platt_recovers_a_model_from_balanced_pairs() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 2, 2_000_000)
    edge = rng.random(scores.size) < expit(0.7 * scores - 6)
    positive = scores[edge]
    negative = scores[~edge][: positive.size * 4]
    fitted = fit_calibration_platt(positive, negative, float(edge.mean()))
    assert fitted.scale == pytest.approx(0.7, rel=0.05)
    assert fitted.bias == pytest.approx(-6, rel=0.02)


def test_probabilities_keep_order_shape_and_small_values() -> None:
    calibration = Calibration(2.0, -1.0, "platt", 0.1)
    logits = np.array([[-np.inf, -300.0, 0.0], [1.0, 30.0, np.inf]])
    probabilities = calibration.probabilities(logits)
    assert probabilities == pytest.approx(expit(2 * logits - 1), rel=1e-12)
    assert (probabilities[0, 0], probabilities[1, 2]) == (0.0, 1.0)
    assert probabilities[0, 1] > 0


def test_words() -> None:
    calibration = fit_calibration_platt([1.0, 2.0, 0.3], [0.0, 0.5], 0.037)
    assert "validation" in str(calibration)
    assert "0.037" in str(calibration)
    assert "training graph" in str(fit_calibration_intercept([1.0], [0.0], 3.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_calibration_intercept([], [0.0], 1.0), "edge_logits is empty"),
        (lambda: fit_calibration_intercept([0.0], [np.inf], 1.0), "other_logits contains inf"),
        (lambda: fit_calibration_intercept([0.0], [0.0], 0.0), "other_weight=0.0"),
        (lambda: fit_calibration_platt([np.nan], [0.0], 0.1), "positive_logits contains NaN"),
        (lambda: fit_calibration_platt([0.0], [-np.inf], 0.1), "negative_logits contains -inf"),
        (lambda: fit_calibration_platt([0.0], [0.0], 0.0), "density=0.0"),
        (lambda: fit_calibration_platt([0.0], [0.0], 1.0), "density=1.0"),
        (lambda: Calibration(0.0, 0.0, "platt", 0.1), "scale=0.0"),
        (lambda: Calibration(1.0, np.inf, "platt", 0.1), "bias=inf"),
        (lambda: Calibration(1.0, 0.0, "plat", 0.1), "method='plat'.*did you mean 'platt'"),
        (lambda: Calibration.from_dict({"scale": 1.0}), r"calibration has fields \['scale'\]"),
    ],
)
def test_refusals_name_the_argument(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_density_of_a_single_bias_is_its_logit() -> None:
    # With scores that say nothing, all that is left is the density.
    fitted = fit_calibration_intercept(np.zeros(10), np.zeros(50), 4.0)
    assert fitted.bias == pytest.approx(logit(10 / 210))
