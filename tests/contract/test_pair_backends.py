"""Every backend of ``pair_softplus_sum`` is the dense float64 sum of numpy, with its derivatives."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from graphvae._check import InputError
from graphvae.kernels.pairs import BACKENDS, pair_softplus_sum

# Relative errors that a backend may have beside the largest number of a result: those on a GPU are float32's, and with
# operands of 11 bits, where logits are in the hundreds, a hundredth.
DOUBLE = ["reference", "blockwise"]
TRITON = {"triton": 2e-2, "triton-fp32": 1e-4}
SINGLE = {**TRITON, "native": 1e-5}
# C's value is made of products of 1 + exp(s), each rounded.
ROUNDING = {"native": 2e-7}
# Triton's interpreter takes a tenth of a second for what a GPU does in microseconds.
EXAMPLES = 10 if os.environ.get("TRITON_INTERPRET") else 40


def leaf(value, dtype=torch.float64, device="cpu") -> torch.Tensor:
    return torch.tensor(value, dtype=dtype, device=device, requires_grad=True)


def test_every_backend_is_held_to_the_contract():
    assert {*DOUBLE, *SINGLE} == set(BACKENDS)


def check(backend, n, d, scale, bias, seed, block=5, rtol=1e-10, signed=False, **where):
    rng = np.random.default_rng(seed)
    z, signs = rng.normal(size=(n, d)) * 2, rng.choice([-1.0, 0.5, 1.0], d) if signed else np.ones(d)
    leaves = [leaf(each, **where) for each in (z, scale, bias)]
    signature = torch.tensor(signs, dtype=leaves[0].dtype) if signed else None
    value = pair_softplus_sum(*leaves, signature=signature, block=block, backend=backend)
    gradients = torch.autograd.grad(value, leaves)

    inner = (z * signs) @ z.T
    s = scale * inner + bias
    expected = [np.logaddexp(0, s).sum(), 2 * scale * expit(s) @ (z * signs), (expit(s) * inner).sum(), expit(s).sum()]
    for index, (ours, theirs) in enumerate(zip([value.detach(), *gradients], expected, strict=True)):
        atol = rtol * max(1, np.abs(theirs).max(initial=0)) + (ROUNDING.get(backend, 0) * n * n if index == 0 else 0)
        np.testing.assert_allclose(ours.cpu(), theirs, rtol=rtol, atol=atol)


GRAPHS = {
    "n": st.integers(0, 12),
    "d": st.integers(1, 5),
    "scale": st.floats(-3, 3),
    "bias": st.floats(-30, 30),
    "seed": st.integers(0, 99),
}


@pytest.mark.parametrize("backend", DOUBLE)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(**GRAPHS, block=st.integers(1, 14), signed=st.booleans())
def test_value_and_gradients_are_those_of_the_formula(backend, **options):
    check(backend, **options)


@pytest.mark.parametrize("backend", TRITON)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(**GRAPHS)
def test_value_and_gradients_on_a_gpu_are_those_of_the_formula(backend, triton_device, **options):
    check(backend, **options, rtol=SINGLE[backend], dtype=torch.float32, device=triton_device)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(**{**GRAPHS, "n": st.integers(0, 80), "d": st.integers(1, 40)}, signed=st.booleans())
def test_value_and_gradients_in_c_are_those_of_the_formula(compiled, **options):
    check("native", **options, rtol=SINGLE["native"], dtype=torch.float32)


@pytest.mark.parametrize("backend", DOUBLE)
@pytest.mark.parametrize("wanted", [(0, 1, 2), (0,), (1,), (2,)])
def test_gradcheck_in_all_and_each_argument(backend, wanted):
    z = np.random.default_rng(0).normal(size=(5, 2))
    leaves = [leaf(z), leaf(0.8), leaf(-0.3)]
    for index, tensor in enumerate(leaves):
        tensor.requires_grad_(index in wanted)
    assert torch.autograd.gradcheck(lambda *args: pair_softplus_sum(*args, block=2, backend=backend), leaves)


def check_saturated(backend, bias, dtype, device="cpu", rel=0.0):
    z, one = torch.zeros(3, 2, dtype=dtype, device=device), torch.ones((), dtype=dtype, device=device)
    b = leaf(bias, dtype, device)
    value = pair_softplus_sum(z, one, b, backend=backend)
    (gradient,) = torch.autograd.grad(value, b)
    assert value.dtype == dtype
    assert float(value.detach()) == pytest.approx(9 * max(bias, 0), abs=1e-30, rel=rel)
    assert float(gradient) == pytest.approx(9.0 if bias > 0 else 0.0, abs=1e-30)


@pytest.mark.parametrize("backend", DOUBLE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_saturated_logits_keep_value_and_gradient(backend, dtype, bias):
    check_saturated(backend, bias, dtype)


@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_saturated_logits_keep_value_and_gradient_in_c(compiled, bias):
    check_saturated("native", bias, torch.float32)


@pytest.mark.parametrize("backend", TRITON)
@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_saturated_logits_keep_value_and_gradient_on_a_gpu(backend, triton_device, bias):
    check_saturated(backend, bias, torch.float32, triton_device, rel=1e-6)  # logits are taken to base 2 there


@pytest.mark.parametrize("backend", TRITON)
def test_a_kernel_without_signatures_says_so(backend):
    z = torch.ones(3, 2)
    with pytest.raises(InputError, match=r"takes no signature; expected 'blockwise'"):
        pair_softplus_sum(z, z[0, 0], z[0, 0], signature=torch.tensor([1.0, -1.0]), backend=backend)
