"""softplus and its weighted sums: numpy, torch's own derivatives, and logits where naive forms lose digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae.kernels.softplus import softplus, softplus_terms

WEIGHTS = st.sampled_from([0.0, 1.0, -2.5, 600.0])
NUMBERS = st.tuples(*[st.sampled_from([0.0, 0.7, -1.3])] * 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softplus_is_exact_to_rounding(dtype):
    s = torch.cat([torch.linspace(-100, 100, 4001), torch.tensor([-1e4, 19.9, 20.1, 49.9, 50.1, 1e4])]).to(dtype)
    exact = np.logaddexp(0, s.double().numpy())
    np.testing.assert_allclose(softplus(s), exact, rtol=4 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).tiny)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    plus=WEIGHTS,
    minus=WEIGHTS,
    polynomial=NUMBERS,
    around=st.sampled_from([0.0, -9.0, 2.0]),
    shape=st.sampled_from([(0,), (5,), (2, 3), (3, 0)]),
    seed=st.integers(0, 9),
)
def test_terms_are_the_formula_with_its_gradient(plus, minus, polynomial, around, shape, seed):
    s = (10 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).requires_grad_()
    t, (c0, c1, c2) = s - around, polynomial
    formula = (plus * softplus(s) + minus * softplus(-s) + c0 + c1 * t + c2 * t * t).sum(-1)
    value = softplus_terms(s, plus=plus, minus=minus, polynomial=polynomial, around=around)
    torch.testing.assert_close(value, formula, rtol=1e-12, atol=1e-12)
    direction = torch.randn(shape[:-1], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (ours,) = torch.autograd.grad(value, s, direction)
    (theirs,) = torch.autograd.grad(formula, s, direction)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-11)


def test_a_weighted_one_against_a_zero_keeps_its_digits_in_float32():
    """The swap of Kipf and Welling's loss at both ends: where the exact slope is -1, and where it is -weight."""
    weight, s = 600.0, torch.tensor([[-80.0], [-20.0], [20.0], [80.0]], requires_grad=True)
    value = softplus_terms(s, minus=weight - 1, polynomial=(0.0, -1.0, 0.0))
    value.sum().backward()
    x = s.detach().double().numpy()[:, 0]
    np.testing.assert_allclose(value.detach(), weight * np.logaddexp(0, -x) - np.logaddexp(0, x), rtol=1e-6)
    sigma = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(s.grad[:, 0], -weight * (1 - sigma) - sigma, rtol=1e-6)
