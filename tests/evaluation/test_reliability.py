"""Skill, calibration error, reliability bins and thresholds against plain loops and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_curve

from graphvae._check import InputError
from graphvae.evaluation.reliability import (
    calibration_error,
    calibration_floor,
    choose_threshold,
    reliability,
    shift_prior,
    skill,
)


def draw(seed: int = 0, p: int = 40, q: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.beta(4, 2, p), rng.beta(1, 4, q)


def weighted(density: float, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([1, 0], [p, q]), np.repeat([density / p, (1 - density) / q], [p, q])


@pytest.mark.parametrize("density", [0.001, 0.3])
def test_skill_is_one_minus_the_ratio_to_the_constant(density: float) -> None:
    positive, negative = draw()
    y, w = weighted(density, 40, 60)
    both = np.concatenate([positive, negative])
    constant = np.full(100, density)
    found = skill(positive, negative, density)
    for key, score in (("brier_skill", brier_score_loss), ("log_loss_skill", log_loss)):
        expected = 1 - score(y, both, sample_weight=w) / score(y, constant, sample_weight=w)
        assert found[key] == pytest.approx(expected, rel=1e-9)


def test_skill_of_perfection_of_the_density_and_of_certain_error() -> None:
    assert skill([1.0], [0.0], 0.01) == {"brier_skill": 1.0, "log_loss_skill": 1.0}
    assert skill([0.01, 0.01], [0.01], 0.01) == pytest.approx({"brier_skill": 0.0, "log_loss_skill": 0.0}, abs=1e-12)
    assert skill([0.0], [0.0], 0.01)["log_loss_skill"] == -np.inf


def test_a_shifted_prior_is_bayes_rule() -> None:
    density, to = 0.02, 0.4
    likelihood_ratio = np.array([0.1, 1.0, 50.0])
    odds = likelihood_ratio * density / (1 - density)
    expected = likelihood_ratio * to / (1 - to)
    found = shift_prior(odds / (1 + odds), density, to)
    assert found == pytest.approx(expected / (1 + expected), rel=1e-12)
    assert shift_prior([0.0, 1.0], 0.1, 0.9).tolist() == [0.0, 1.0]
    assert shift_prior(found, to, density) == pytest.approx(odds / (1 + odds), rel=1e-12)


def test_calibration_error_of_calibrated_and_of_shifted_scores() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(40_000)
    y = rng.random(40_000) < p
    # Balanced classes, so the shift is none.
    assert calibration_error(p[y], p[~y], 0.5) < 0.02
    assert calibration_error(p[y] ** 3, p[~y] ** 3, 0.5) > 0.1
    density = 0.01
    assert calibration_error(*(shift_prior(v, 0.5, density) for v in (p[y], p[~y])), density) < 0.02
    assert calibration_error([0.5], [0.5], 0.5, bins=1) == 0.0
    assert calibration_error([1.0], [1.0], 0.5, bins=1) == pytest.approx(0.5)


@pytest.mark.parametrize(("edges", "others"), [(1000, 1000), (200, 2000), (100, 5000), (2000, 200)])
def test_the_floor_is_the_error_of_forecasts_that_are_right(edges: int, others: int) -> None:
    rng, found, expected = np.random.default_rng(0), [], []
    for _ in range(300):
        # Scores N(1, 1) of edges and N(-1, 1) of others: the log odds of even classes are twice the score.
        scores = rng.normal(1, 1, edges), rng.normal(-1, 1, others)
        given = *(shift_prior(1 / (1 + np.exp(-2 * s)), 0.5, 0.02) for s in scores), 0.02
        found.append(calibration_error(*given))
        expected.append(calibration_floor(*given))
    assert np.mean(found) == pytest.approx(np.mean(expected), rel=0.08)
    assert calibration_floor([1.0], [0.0], 0.5) == 0.0
    with pytest.raises(InputError, match="bins=0"):
        calibration_floor([0.5], [0.5], 0.1, bins=0)


def test_bins_hold_equally_many_pairs_the_likeliest_first() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(105)
    y = rng.random(105) < p
    found = reliability(p, y, bins=10)
    assert found.counts.tolist() == [11] * 5 + [10] * 5
    order = np.argsort(-p)
    assert found.predicted[0] == pytest.approx(p[order[:11]].mean())
    assert found.observed[-1] == pytest.approx(y[order[-10:]].mean())
    assert ((found.low <= found.observed) & (found.observed <= found.high)).all()
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()
    assert len(reliability([0.5, 0.2], [True, False], bins=10).counts) == 2
    assert set(found.to_dict()) == {"predicted", "observed", "low", "high", "counts"}


@pytest.mark.parametrize("density", [0.01, 0.4])
def test_thresholds_by_f1_and_by_precision(density: float) -> None:
    positive, negative = draw(1)
    y, w = weighted(density, 40, 60)
    precision, recall, levels = precision_recall_curve(y, np.concatenate([positive, negative]), sample_weight=w)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    found = choose_threshold(positive, negative, density)
    assert found["f1"] == pytest.approx(f1.max())
    at = levels >= found["threshold"]
    assert found["recall"] == pytest.approx(recall[:-1][at][0])
    wanted = choose_threshold(positive, negative, density, precision=0.3)
    good = np.flatnonzero(precision[:-1] >= 0.3)
    assert wanted["recall"] == pytest.approx(recall[:-1][good].max())
    assert wanted["precision"] >= 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: skill([1.1], [0.0], 0.1), "positive contains 1.1"),
        (lambda: skill([1.0], [], 0.1), "negative is empty"),
        (lambda: skill([1.0], [0.0], 1.0), "density=1.0"),
        (lambda: shift_prior([0.5], 0.1, 0.0), "to=0.0"),
        (lambda: calibration_error([0.5], [0.5], 0.1, bins=0), "bins=0"),
        (lambda: reliability([0.5], [1]), "is_edge has shape"),
        (lambda: choose_threshold([0.5], [0.9], 0.1, precision=0.9), "no threshold has it here"),
        (lambda: choose_threshold([0.5], [0.9], 0.1, precision=2), "precision=2"),
    ],
)
def test_refusals(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
