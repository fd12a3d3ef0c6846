"""Piecewise calibration against a general optimiser, Platt scaling where that is right, and known shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from graphvae._check import InputError
from graphvae.evaluation.calibration import fit_calibration_platt
from graphvae.evaluation.piecewise import CHANGE, PIECES, PiecewiseCalibration, fit_calibration_piecewise
from graphvae.evaluation.reliability import calibration_error, shift_prior, skill

LOGITS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


def plateau(s: np.ndarray) -> np.ndarray:
    """Log odds that rise, stay, and rise again, as of scores of two kinds of pairs."""
    return np.interp(s, [-8.0, 1.0, 4.0, 9.0], [-9.0, 1.5, 1.8, 8.0])


def pairs_of_plateau(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of edges and of non-edges of which a half are edges."""
    rng = np.random.default_rng(seed)
    s = rng.uniform(-8, 9, count)
    edge = rng.random(count) < expit(plateau(s))
    return s[edge], s[~edge]


def test_equals_a_general_optimiser_of_the_values_at_the_knots() -> None:
    rng = np.random.default_rng(0)
    positive, negative, pi = rng.normal(2, 2, 60), rng.normal(-1, 1.5, 500), 0.05
    fitted = fit_calibration_piecewise(positive, negative, pi)
    knots, scale = fitted.logits, fit_calibration_platt(positive, negative, 0.5).scale
    assert len(knots) == PIECES + 1
    assert [knots[0], knots[-1]] == pytest.approx(np.quantile(positive, [0.01, 0.99]))

    def line(s: np.ndarray, values: np.ndarray) -> np.ndarray:
        slopes = np.diff(values) / np.diff(knots)
        piece = np.clip(np.searchsorted(knots, s) - 1, 0, PIECES - 1)
        return values[piece] + slopes[piece] * (s - knots[piece])

    def loss(values: np.ndarray) -> float:
        slopes = np.diff(values) / np.diff(knots) / scale
        nats = np.logaddexp(0, -line(positive, values)).mean()
        nats += (1 - pi) / pi * np.logaddexp(0, line(negative, values)).mean()
        walk = (np.diff(slopes) ** 2).sum() / (2 * 60 * CHANGE**2)
        return float(nats + walk + 1e-4 * (slopes**2 / 2 - np.log(slopes)).sum())

    def values_of(free: np.ndarray) -> np.ndarray:
        return np.cumsum([free[0], *np.exp(free[1:])])

    start = np.array([-3.0, *np.full(PIECES, -1.0)])
    found = minimize(lambda free: loss(values_of(free)), start, method="BFGS", options={"gtol": 1e-7})
    assert loss(fitted.log_odds) <= found.fun + 1e-8
    assert fitted.log_odds == pytest.approx(values_of(found.x), abs=2e-3)
    s = np.linspace(-20, 20, 101)
    assert fitted.probabilities(s) == pytest.approx(expit(line(s, fitted.log_odds)), rel=1e-9)


def test_recovers_a_plateau_at_two_priors_where_platt_is_right_at_one() -> None:
    positive, negative = pairs_of_plateau(1, 40_000)
    other_positive, other_negative = pairs_of_plateau(2, 40_000)
    density = 0.01
    errors, skills = {}, {}
    for name, fit in {"platt": fit_calibration_platt, "piecewise": fit_calibration_piecewise}.items():
        p, q = map(fit(positive, negative, density).probabilities, (other_positive, other_negative))
        errors[name] = calibration_error(p, q, density)
        skills[name] = skill(p, q, density)["log_loss_skill"]
    assert errors["piecewise"] < 0.012 < 0.03 < errors["platt"]
    assert skills["piecewise"] > skills["platt"] + 0.01
    s = np.linspace(-4, 8, 25)
    fitted = shift_prior(fit_calibration_piecewise(positive, negative, density).probabilities(s), density, 0.5)
    truth = logit(expit(plateau(s))) - math.log(len(positive) / len(negative))
    assert fitted == pytest.approx(expit(truth), abs=0.05)


@pytest.mark.parametrize("pairs", [20, 200, 20_000])
def test_is_platts_line_where_that_is_the_truth(pairs: int) -> None:
    rng = np.random.default_rng(3)
    positive, negative = rng.normal(1, 1, pairs), rng.normal(-1, 1, 10 * pairs)  # log ratio 2 s
    s = np.linspace(-3, 3, 61)
    p, q = (fit(positive, negative, 0.1).probabilities(s) for fit in (fit_calibration_piecewise, fit_calibration_platt))
    assert p == pytest.approx(q, abs=0.06)
    if pairs == 20_000:
        assert p == pytest.approx(expit(2 * s + logit(0.1)), abs=0.02)


def test_few_pairs_do_not_bend_the_line() -> None:
    positive, negative = pairs_of_plateau(4, 60_000)
    bend = {}
    for count in (5, 20_000):
        slopes = np.diff(fit_calibration_piecewise(positive[:count], negative[:count], 0.01).log_odds)
        bend[count] = slopes.max() / slopes.min()
    assert bend[5] < 1.5
    assert bend[20_000] > 5


@settings(max_examples=100, deadline=None)
@given(positive=LOGITS, negative=LOGITS, density=st.sampled_from([0.5, 1e-3, 1e-7]))
@example(positive=[349525.82787656586], negative=[349525.82787656586] * 2, density=0.5)
@example(positive=[0.0], negative=[2.225073858507203e-309], density=0.5)
def test_rises_and_expects_the_edges_whatever_the_scores(
    positive: list[float], negative: list[float], density: float
) -> None:
    fitted = fit_calibration_piecewise(positive, negative, density)
    every = np.sort([-np.inf, -2e6, *positive, *negative, 2e6, np.inf])
    p = fitted.probabilities(every)
    assert (np.diff(p) >= 0).all()
    assert (p[0], p[-1]) == (0.0, 1.0)
    mean = density * fitted.probabilities(positive).mean() + (1 - density) * fitted.probabilities(negative).mean()
    assert mean == pytest.approx(density, rel=1e-3)


def test_ranking_shape_and_small_values_are_kept() -> None:
    positive, negative = pairs_of_plateau(5, 2000)
    fitted = fit_calibration_piecewise(positive, negative, 1e-3)
    logits = np.linspace(-300, 12, 5000).reshape(50, 100)
    p = fitted.probabilities(logits)
    assert p.shape == logits.shape
    assert p.dtype == np.float64
    assert (np.diff(p.ravel()) > 0).all()
    assert p.min() > 0


def test_fields_and_words() -> None:
    fitted = fit_calibration_piecewise([1.0, 2.0, 0.3], [0.0, 0.5], 0.037)
    assert "16 pieces, fitted on validation" in str(fitted)
    assert "0.037" in str(fitted)
    good = {"logits": [0.0, 1.0], "log_odds": [-1.0, 1.0], "method": "piecewise", "density": 0.1}
    p = PiecewiseCalibration.from_dict(good).probabilities([-0.5, 0.5, 2.0])
    assert p == pytest.approx(expit([-2.0, 0.0, 3.0]))
    changes = [{"more": 2}, {"log_odds": [1.0, 0.0]}, {"log_odds": [0.0, 0.0]}, {"logits": [0.0, 0.0]}, {"density": 2}]
    changes += [{"logits": [0.0]}, {"logits": [0.0], "log_odds": [0.0]}, {"logits": [0.0, np.nan]}, {"log_odds": "x"}]
    for change in changes:
        with pytest.raises(InputError):
            PiecewiseCalibration.from_dict({**good, **change})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_calibration_piecewise([], [0.0], 0.1), "positive_logits is empty"),
        (lambda: fit_calibration_piecewise([0.0], [-np.inf], 0.1), "negative_logits contains -inf"),
        (lambda: fit_calibration_piecewise([0.0], [0.0], 1.0), r"density=1\.0"),
    ],
)
def test_refusals_name_the_argument(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
