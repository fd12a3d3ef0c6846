"""Bootstrap intervals of a mean, which are known."""

from __future__ import annotations

import numpy as np
import pytest

from graphvae._check import InputError
from graphvae.evaluation.bootstrap import bootstrap_intervals


def test_interval_of_a_difference_of_means_is_that_of_the_normal() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 2, 400), rng.normal(0, 1, 300)
    found = bootstrap_intervals(lambda i, j: {"gap": x[i].mean() - y[j].mean()}, 400, 300, samples=2000, seed=1)
    spread = 1.96 * np.sqrt(x.var() / 400 + y.var() / 300)
    centre = x.mean() - y.mean()
    assert found["gap"] == pytest.approx((centre - spread, centre + spread), abs=0.03)
    again = bootstrap_intervals(lambda i, j: {"gap": x[i].mean() - y[j].mean()}, 400, 300, samples=2000, seed=1)
    assert again == found


def test_one_draw_is_refused() -> None:
    with pytest.raises(InputError, match="samples=1"):
        bootstrap_intervals(lambda i, j: {}, 1, 1, samples=1)
