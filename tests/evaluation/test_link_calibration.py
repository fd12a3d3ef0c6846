"""What holds for every calibration of link logits, however it is fitted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.evaluation.calibration import fit_calibration_platt
from graphvae.evaluation.isotonic import fit_calibration_isotonic
from graphvae.evaluation.piecewise import fit_calibration_piecewise

FITS = {"platt": fit_calibration_platt, "isotonic": fit_calibration_isotonic, "piecewise": fit_calibration_piecewise}


@pytest.fixture(params=FITS)
def fit(request):
    return FITS[request.param]


@pytest.mark.parametrize("density", [0.5, 1e-3, 1e-7])
@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ([5.0, 6.0], [0.0, 1.0]),  # separable
        ([1e6, 2e6], [-1e6, 0.0]),
        ([0.0, 1.0], [5.0, 6.0]),  # the wrong way round
        ([1.0, 1.0], [1.0]),  # nothing to tell apart
        ([1e17], [1e17]),
        ([3.0], [2.0]),
        ([1e-9, 2e-9], [0.0, 1e-9]),
    ],
)
def test_rises_whatever_the_scores(fit, positive, negative, density):
    fitted = fit(positive, negative, density)
    p = fitted.probabilities([-np.inf, *np.sort([*positive, *negative]), np.inf])
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= 0).all()
    if fitted.method != "isotonic":  # which keeps away from 0 and 1
        mean = density * fitted.probabilities(positive).mean() + (1 - density) * fitted.probabilities(negative).mean()
        assert mean == pytest.approx(density, rel=1e-3)
        assert (p[0], p[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("name", FITS)
@settings(max_examples=60, deadline=None)
@given(a=st.floats(0.1, 10), b=st.floats(-20, 20), seed=st.integers(0, 1000))
def test_does_not_depend_on_scale_and_shift_of_the_logits(name, a, b, seed):
    rng = np.random.default_rng(seed)
    positive, negative = rng.normal(1, 1, 30), rng.normal(0, 1, 30)
    base = FITS[name](positive, negative, 0.01)
    moved = FITS[name](a * positive + b, a * negative + b, 0.01)
    assert moved.probabilities(a * positive + b) == pytest.approx(base.probabilities(positive), rel=1e-4)


def test_fields_as_json_and_back(fit):
    rng = np.random.default_rng(0)
    fitted = fit(rng.normal(1, 1, 50), rng.normal(-1, 1, 50), 0.037)
    stored = json.loads(json.dumps(fitted.to_dict()))
    again, s = type(fitted).from_dict(stored), np.linspace(-4, 4, 100)
    assert again.to_dict() == fitted.to_dict()
    assert again.probabilities(s).tolist() == fitted.probabilities(s).tolist()
    assert str(again) == str(fitted)
    assert "0.037" in str(again)
    for wrong in ({**stored, "more": 2}, {k: v for k, v in stored.items() if k != "density"}, {**stored, "density": 2}):
        with pytest.raises(InputError, match=r"calibration has fields|density"):
            type(fitted).from_dict(wrong)


def test_probabilities_keep_the_shape_and_refuse_what_is_no_number(fit):
    fitted = fit([1.0, 2.0, 0.3], [0.0, 0.5], 0.1)
    for shape in ((), (3,), (2, 5)):
        p = fitted.probabilities(np.zeros(shape))
        assert p.shape == shape
        assert p.dtype == np.float64
    with pytest.raises(InputError, match="logits contains NaN"):
        fitted.probabilities([np.nan])
