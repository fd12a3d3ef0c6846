"""Bits per dimension against examples worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphvae._check import InputError
from graphvae.evaluation.bits import bits_per_dimension


def test_uniform_bytes_need_eight_bits():
    # Bytes spread over [0, 1) on a grid of 1/256: density 1 everywhere, so no nats at all.
    assert bits_per_dimension(0.0, 784, 1 / 256) == pytest.approx(8)
    # The same bytes kept as 0 to 255 on a grid of 1: the density is 1/256 per value.
    assert bits_per_dimension(-784 * math.log(256), 784, 1.0) == pytest.approx(8)
    # And as probabilities of discrete data.
    assert bits_per_dimension([-784 * math.log(256)] * 3, 784, None) == pytest.approx([8] * 3)


def test_a_fair_coin_needs_one_bit():
    assert bits_per_dimension(10 * math.log(0.5), 10, None) == pytest.approx(1)


@pytest.mark.parametrize("factor", [255.0, 2.0, 0.1])
def test_scaling_the_data_changes_nothing(factor):
    # Scaling D values by c lowers the log-density by D log c and widens the grid by c.
    nats = np.array([-300.0, 12.0, 450.0])
    scaled = bits_per_dimension(nats - 64 * math.log(factor), 64, factor / 16)
    np.testing.assert_allclose(scaled, bits_per_dimension(nats, 64, 1 / 16))


def test_more_likely_is_fewer_bits_and_shape_is_kept():
    bits = bits_per_dimension(np.array([[1.0, 2.0], [3.0, -np.inf]]), 3, None)
    assert bits.shape == (2, 2)
    assert bits[0, 0] > bits[0, 1] > bits[1, 0]
    assert bits[1, 1] == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0, None), "num_values=0"),
        ((0.0, 2.5, None), "num_values=2.5"),
        ((0.0, 3, 0.0), "quantisation=0.0"),
        ((0.0, 3, -1.0), "quantisation=-1.0"),
        (([0.0, np.nan], 3, None), "nats contains NaN"),
    ],
)
def test_what_means_nothing_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        bits_per_dimension(*arguments)
