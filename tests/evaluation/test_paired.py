"""Paired differences against scipy and arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from graphvae._check import InputError
from graphvae.evaluation.paired import paired_difference


@pytest.mark.parametrize("shift", [0.0, 0.7, -2.0])
def test_mean_error_interval_and_test(shift: float) -> None:
    rng = np.random.default_rng(0)
    split = rng.normal(0, 10, 12)  # what both models share is no part of the error
    x, y = split + rng.normal(shift, 1, 12), split
    found, test = paired_difference(x, y), stats.ttest_rel(x, y)
    assert found["n"] == 12
    assert found["mean"] == pytest.approx((x - y).mean())
    assert found["standard_error"] == pytest.approx(stats.sem(x - y))
    assert found["p"] == pytest.approx(test.pvalue)
    interval = test.confidence_interval(0.95)
    assert found["interval"] == pytest.approx([interval.low, interval.high])
    assert found["decided"] == (test.pvalue < 0.05) == (not interval.low < 0 < interval.high)
    for key in ("standard_error", "interval", "p"):
        assert found[f"corrected_{key}"] == found[key]
    assert paired_difference(y, x)["mean"] == -found["mean"]


def test_the_correction_widens_by_the_overlap() -> None:
    x, y = np.array([2.0, 3.0, 5.0, 4.0]), np.array([1.5, 2.0, 4.2, 3.8])
    found, ratio = paired_difference(x, y, ratio=0.1 / 0.85), 0.1 / 0.85
    assert found["corrected_standard_error"] == pytest.approx(np.std(x - y, ddof=1) * math.sqrt(1 / 4 + ratio))
    t = found["mean"] / found["corrected_standard_error"]
    assert found["corrected_p"] == pytest.approx(2 * stats.t.sf(t, 3))
    assert found["corrected_interval"][0] < found["interval"][0] < found["mean"]
    assert found["corrected_p"] > found["p"]


@pytest.mark.parametrize("gap", [0.0, 0.8])
def test_the_corrected_test_holds_its_level_where_the_other_does_not(gap: float) -> None:
    # Differences that share a part, as those of overlapping splits do: correlated by test / (train + test).
    rng, n, ratio = np.random.default_rng(1), 10, 0.1 / 0.85
    correlation = ratio / (1 + ratio)
    shared = rng.normal(0, math.sqrt(correlation), (2000, 1))
    draws = gap + shared + rng.normal(0, math.sqrt(1 - correlation), (2000, n))
    found = [paired_difference(row, np.zeros(n), ratio=ratio) for row in draws]
    outside = {
        key: np.mean([not row[key][0] < gap < row[key][1] for row in found])
        for key in ("interval", "corrected_interval")
    }
    assert outside["corrected_interval"] == pytest.approx(0.05, abs=0.015)
    assert outside["interval"] > 0.12


def test_equal_models_and_one_split_decide_nothing() -> None:
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same["mean"], same["p"], same["decided"]) == (0.0, 1.0, False)
    one = paired_difference([3.0], [1.0], ratio=0.1)
    assert (one["mean"], one["standard_error"], one["corrected_p"], one["decided"]) == (2.0, None, None, False)
    always = paired_difference([2.0, 3.0], [1.0, 2.0])
    assert (always["p"], always["interval"], always["decided"]) == (0.0, [1.0, 1.0], True)


@pytest.mark.parametrize(("x", "y"), [([1.0], [1.0, 2.0]), ([], []), ([np.nan, 1.0], [1.0, 1.0])])
def test_refusals(x: list, y: list) -> None:
    with pytest.raises(InputError, match="values"):
        paired_difference(x, y)
    with pytest.raises(InputError, match="ratio=-1"):
        paired_difference([1.0], [1.0], ratio=-1)
