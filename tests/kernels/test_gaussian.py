"""A Gaussian's parameters and its divergence from the standard normal, in C and in torch, against the formulas."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from graphvae.kernels.gaussian import (
    gaussian_draw,
    gaussian_parameters,
    squared_error,
    standard_divergence,
    sum_last,
)

SHAPES = st.sampled_from([(0, 3), (1, 1), (5, 2), (2, 7, 16), (3, 18), (40, 33)])
PRECISION = {torch.float32: 1e-5, torch.float64: 1e-12}


def draw(shape, dtype, seed, scale=3.0):
    return scale * torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=SHAPES, dtype=st.sampled_from(list(PRECISION)), seed=st.integers(0, 99), used=st.integers(0, 2))
def test_parameters_and_their_gradient(shape, dtype, seed, used):
    parameters = draw((*shape[:-1], 2 * shape[-1]), dtype, seed).requires_grad_()
    found = gaussian_parameters(parameters, -4.0, 2.0)
    mu, log_sigma = parameters.chunk(2, -1)
    log_sigma = log_sigma.clamp(-4.0, 2.0)
    expected = mu, log_sigma, log_sigma.exp()
    weights = [draw(shape, dtype, seed + 1 + k) for k in range(3)]
    results = []
    for triple in (found, expected):
        # One of the three may have no part in a loss.
        loss = sum((x * w).sum() for k, (x, w) in enumerate(zip(triple, weights, strict=True)) if k != used)
        results.append([*(x.detach() for x in triple), *torch.autograd.grad(loss, parameters)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=PRECISION[dtype], atol=PRECISION[dtype])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=SHAPES,
    dtype=st.sampled_from(list(PRECISION)),
    seed=st.integers(0, 99),
    dims=st.integers(1, 2),
    used=st.integers(0, 2),
)
def test_a_draw_is_its_parts(shape, dtype, seed, dims, used):
    parameters = draw((*shape[:-1], 2 * shape[-1]), dtype, seed).requires_grad_()
    eps, weight = draw(shape, dtype, seed + 1, 1.0), draw(shape, dtype, seed + 2)
    mu, log_sigma, sigma = gaussian_parameters(parameters, -4.0, 2.0)
    parts = mu + sigma * eps, standard_divergence(mu, sigma, log_sigma, dims)
    results = []
    for z, divergence in (gaussian_draw(parameters, eps, -4.0, 2.0, dims), parts):
        loss = (z * weight).sum() * (used != 0) + (divergence * weight.flatten()[:1].sum()).sum() * (used != 1)
        results.append([z.detach(), divergence.detach(), *torch.autograd.grad(loss, parameters)])
    for ours, theirs in zip(*results, strict=True):
        size = float(theirs.abs().max()) if theirs.numel() else 0.0
        torch.testing.assert_close(ours, theirs, rtol=PRECISION[dtype], atol=PRECISION[dtype] * (1 + size))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=SHAPES, dtype=st.sampled_from(list(PRECISION)), seed=st.integers(0, 99), dims=st.integers(0, 2))
def test_the_divergence_is_that_of_torch(shape, dtype, seed, dims):
    mu, r = draw(shape, dtype, seed).requires_grad_(), draw(shape, dtype, seed + 1).exp().requires_grad_()
    log_r = r.log()
    ours = standard_divergence(mu, r, log_r, dims)
    theirs = sum_last(kl_divergence(Normal(mu, r), Normal(torch.zeros_like(mu), torch.ones_like(r))), dims)
    rtol = PRECISION[dtype]
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=10 * rtol)
    weight = draw(ours.shape, dtype, seed + 2)
    gradients = (torch.autograd.grad((value * weight).sum(), (mu, r), retain_graph=True) for value in (ours, theirs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=10 * rtol, atol=10 * rtol)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    shape=SHAPES,
    dtype=st.sampled_from(list(PRECISION)),
    dims=st.integers(0, 2),
    wanted=st.sets(st.integers(0, 1), min_size=1),
    stretched=st.booleans(),
)
def test_squared_errors_and_their_gradients(shape, dtype, dims, wanted, stretched):
    given = [draw(shape, dtype, 0), draw((1, *shape[1:]) if stretched else shape, dtype, 1)]
    asked = [given[index].requires_grad_() for index in sorted(wanted)]
    ours, theirs = squared_error(*given, dims), sum_last((given[0] - given[1]).square(), dims)
    rtol = PRECISION[dtype]
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=10 * rtol)
    weight = draw(ours.shape, dtype, seed=2)
    gradients = (torch.autograd.grad((value * weight).sum(), asked, retain_graph=True) for value in (ours, theirs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=10 * rtol, atol=100 * rtol)


@pytest.mark.parametrize("at", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_hidden(at):
    parameters = torch.zeros(4, 36)
    parameters[1, 20] = parameters[2, 3] = at
    mu, log_sigma, sigma = gaussian_parameters(parameters, -15.0, 10.0)
    assert not torch.isfinite(mu[2, 3])
    assert torch.isnan(sigma[1, 2]) == (at != at)  # an infinite log sigma is held
    assert not torch.isfinite(standard_divergence(mu, sigma, log_sigma, 2))
