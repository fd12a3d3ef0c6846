"""From nats of a density to bits per dimension of quantised data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphvae._check import InputError, integer, number

__all__ = ["bits_per_dimension"]


def bits_per_dimension(nats: Any, num_values: int, quantisation: float | None) -> np.ndarray:
    """``-(nats + D log step) / (D log 2)``: what a code for the quantised data would need per value.

    A density over values on a grid of width ``step`` stands for a probability of about ``density * step`` per value, so
    bits per dimension mean nothing without that step.

    Args:
        nats: ``log p(x)`` of each datum, any shape.
        num_values: D, observed values per datum.
        quantisation: width of the grid (1/255 for bytes scaled to [0, 1]); None for a probability of discrete data.

    Raises:
        InputError: for a non-positive step or dimension, or NaN.

    Reference:
        Theis, van den Oord and Bethge, A Note on the Evaluation of Generative Models (2016), section 3.1.
    """
    values, d = np.asarray(nats, dtype=np.float64), integer("num_values", num_values, low=1)
    if np.isnan(values).any():
        raise InputError("nats contains NaN: expected log-likelihoods")
    step = 1.0 if quantisation is None else number("quantisation", quantisation, low=0, open_low=True)
    return -(values + d * math.log(step)) / (d * math.log(2))
