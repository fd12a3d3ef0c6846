"""What holds for every metric in the registry."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from graphvae._check import InputError
from graphvae.evaluation.metrics import METRICS

# The oracle of each metric, and its value for scores that say nothing on P positives and Q negatives.
ORACLES = {"auc": roc_auc_score, "ap": average_precision_score}
CHANCE = {"auc": lambda p, q: 0.5, "ap": lambda p, q: p / (p + q)}

every = pytest.mark.parametrize("name", METRICS)


def test_every_metric_has_an_oracle_here() -> None:
    assert set(METRICS) == set(ORACLES) == set(CHANCE)


def draw(seed: int, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(1, 1, 200).round(decimals), rng.normal(0, 1, 300).round(decimals)


@every
@pytest.mark.parametrize("seed", range(5))
def test_equals_its_oracle(name: str, seed: int) -> None:
    positive, negative = draw(seed)
    labels = np.repeat([1, 0], [positive.size, negative.size])
    expected = ORACLES[name](labels, np.concatenate([positive, negative]))
    assert METRICS[name](positive, negative) == pytest.approx(expected, abs=1e-12)


@every
def test_perfect_separation_is_one_and_the_reverse_is_worst(name: str) -> None:
    worst = METRICS[name]([0.0, 1.0], [2.0, 3.0])
    assert METRICS[name]([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert worst < METRICS[name](*draw(0)) < 1.0


@every
def test_constant_scores_are_chance(name: str) -> None:
    assert METRICS[name](np.zeros(30), np.zeros(70)) == pytest.approx(CHANCE[name](30, 70), abs=1e-15)


@every
def test_shuffled_labels_are_chance(name: str) -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate(draw(0))
    values = []
    for _ in range(200):
        rng.shuffle(scores)
        values.append(METRICS[name](scores[:200], scores[200:]))
    assert np.mean(values) == pytest.approx(CHANCE[name](200, 300), abs=0.01)


@every
def test_order_within_a_class_and_monotone_scales_do_not_matter(name: str) -> None:
    positive, negative = draw(1)
    value = METRICS[name](positive, negative)
    assert METRICS[name](positive[::-1], np.sort(negative)) == value
    assert METRICS[name](np.exp(positive), np.exp(negative)) == value
    assert METRICS[name](4 * positive - 8, 4 * negative - 8) == value


@every
def test_one_class_and_nan_are_refused(name: str) -> None:
    for bad in ([], [np.nan]):
        with pytest.raises(InputError, match="positive_scores"):
            METRICS[name](bad, [1.0])
        with pytest.raises(InputError, match="negative_scores"):
            METRICS[name]([1.0], bad)
