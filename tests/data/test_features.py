"""Standardised columns: mean 0, variance 1, whatever their scale."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from graphvae.data.features import standardise


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e6, 1e300])
def test_agrees_with_scikit_learn_at_every_scale(scale):
    values = np.random.default_rng(0).normal(2.0, 1.0, size=(50, 3))
    result, varies = standardise(values * scale)
    # scikit-learn is asked at scale 1: squares of 1e300 overflow there.
    np.testing.assert_allclose(result, StandardScaler().fit_transform(values), rtol=1e-9, atol=1e-9)
    assert varies.all()


def test_constant_columns_become_zero_even_if_their_mean_is_rounded():
    values = np.stack([np.full(7, 0.1), np.zeros(7), np.arange(7.0)], axis=1)
    result, varies = standardise(values)
    assert varies.tolist() == [False, False, True]
    assert (result[:, :2] == 0).all()
    assert result[:, 2].std() == pytest.approx(1)


def test_no_rows():
    result, varies = standardise(np.empty((0, 2)))
    assert result.shape == (0, 2)
    assert varies.tolist() == [False, False]
