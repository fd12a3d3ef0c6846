"""Every backend of ``pair_softplus_sum`` is the dense float64 sum of numpy, with its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from graphvae.kernels.pairs import BACKENDS, pair_softplus_sum


def leaf(value) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    n=st.integers(0, 12),
    d=st.integers(1, 5),
    block=st.integers(1, 14),
    scale=st.floats(-3, 3),
    bias=st.floats(-30, 30),
    seed=st.integers(0, 99),
)
def test_value_and_gradients_are_those_of_the_formula(backend, n, d, block, scale, bias, seed):
    z = np.random.default_rng(seed).normal(size=(n, d)) * 2
    leaves = [leaf(z), leaf(scale), leaf(bias)]
    value = pair_softplus_sum(*leaves, block=block, backend=backend)
    gradients = torch.autograd.grad(value, leaves)

    inner = z @ z.T
    s = scale * inner + bias
    np.testing.assert_allclose(value.detach(), np.logaddexp(0, s).sum(), rtol=1e-12, atol=1e-12)
    expected = [2 * scale * expit(s) @ z, (expit(s) * inner).sum(), expit(s).sum()]
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wanted", [(0, 1, 2), (0,), (1,), (2,)])
def test_gradcheck_in_all_and_each_argument(backend, wanted):
    z = np.random.default_rng(0).normal(size=(5, 2))
    leaves = [leaf(z), leaf(0.8), leaf(-0.3)]
    for index, tensor in enumerate(leaves):
        tensor.requires_grad_(index in wanted)
    assert torch.autograd.gradcheck(lambda *args: pair_softplus_sum(*args, block=2, backend=backend), leaves)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_saturated_logits_keep_value_and_gradient(backend, dtype, bias):
    z, b = torch.zeros(3, 2, dtype=dtype), torch.tensor(bias, dtype=dtype, requires_grad=True)
    value = pair_softplus_sum(z, torch.ones((), dtype=dtype), b, backend=backend)
    (gradient,) = torch.autograd.grad(value, b)
    assert value.dtype == dtype
    assert float(value.detach()) == pytest.approx(9 * max(bias, 0), abs=1e-30)
    assert float(gradient) == pytest.approx(9.0 if bias > 0 else 0.0, abs=1e-30)
