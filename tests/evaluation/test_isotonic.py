"""Isotonic calibration: monotone, at the density, and better than a scale and a bias where the shape is neither."""

from __future__ import annotations

import numpy as np
import pytest

from graphvae._check import InputError
from graphvae.evaluation.calibration import fit_calibration_platt
from graphvae.evaluation.isotonic import IsotonicCalibration, fit_calibration_isotonic
from graphvae.evaluation.reliability import skill


def test_monotone_inside_zero_and_one_and_constant_outside_the_knots() -> None:
    rng = np.random.default_rng(0)
    fitted = fit_calibration_isotonic(rng.normal(1, 1, 300), rng.normal(-1, 1, 300), 0.01)
    p = fitted.probabilities(np.linspace(-10, 10, 200))
    assert (np.diff(p) >= 0).all()
    assert 0 < p[0] < 0.01 < p[-1] < 1
    assert fitted.probabilities([[-np.inf, np.inf]]).tolist() == [[p[0], p[-1]]]


def test_recovers_probabilities_of_any_monotone_shape() -> None:
    rng = np.random.default_rng(0)
    s = rng.uniform(-3, 3, 60_000)
    truth = 0.1 + 0.8 * (s > 0.5)  # a step, which no scale and bias can make
    y = rng.random(s.size) < truth
    balanced = y.mean()
    fitted = fit_calibration_isotonic(s[y], s[~y], float(balanced))
    p = fitted.probabilities(np.array([-2.0, 0.0, 1.0, 2.0]))
    assert p == pytest.approx([0.1, 0.1, 0.9, 0.9], abs=0.03)
    platt = fit_calibration_platt(s[y], s[~y], float(balanced))
    own, other = (skill(c.probabilities(s[y]), c.probabilities(s[~y]), float(balanced)) for c in (fitted, platt))
    assert own["brier_skill"] > other["brier_skill"] + 0.05


def test_refusals() -> None:
    with pytest.raises(InputError, match="positive_logits is empty"):
        fit_calibration_isotonic([], [0.0], 0.1)
    with pytest.raises(InputError, match=r"density=1\.0"):
        fit_calibration_isotonic([1.0], [0.0], 1.0)


def test_fields_out_of_range() -> None:
    for change in ({"method": 1, "more": 2}, {"values": [1.0, 0.0]}, {"values": [0.0, 2.0]}, {"density": 2}):
        fields = {"logits": [0.0, 1.0], "values": [0.0, 1.0], "method": "isotonic", "density": 0.1, **change}
        with pytest.raises(InputError):
            IsotonicCalibration.from_dict(fields)
