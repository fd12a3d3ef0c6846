"""A Gaussian's parameters and its divergence from the standard normal, in C and in torch, against the formulas."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from graphvae.kernels import native
from graphvae.kernels.gaussian import (
    gaussian_draw,
    gaussian_parameters,
    squared_error,
    standard_divergence,
    standard_normal,
    sum_last,
)
from graphvae.training.randomness import kept

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


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**63 - 1), counts=st.lists(st.integers(0, 1500), min_size=1, max_size=6))
def test_normal_numbers_are_those_that_torch_draws(compiled, seed, counts):
    with kept():
        torch.default_generator.manual_seed(seed)
        ours = [standard_normal(torch.Size((n,)), torch.float32, torch.device("cpu")) for n in counts]
        after = torch.rand(3)
        torch.default_generator.manual_seed(seed)
        for each in ours:
            torch.testing.assert_close(each, torch.randn(len(each)), rtol=1e-5, atol=1e-5)
        assert torch.equal(after, torch.rand(3)), "the state is another"


@pytest.mark.parametrize("how", ["another generator", "no compiler", "double precision"])
def test_torch_draws_what_c_cannot(how, compiled, monkeypatch, request):
    if how == "another generator":
        monkeypatch.setattr(native, "draws_as_torch", lambda: False)
    if how == "no compiler":
        request.getfixturevalue("torch_kernels")
    dtype = torch.float64 if how == "double precision" else torch.float32
    with kept():
        torch.default_generator.manual_seed(3)
        ours = standard_normal(torch.Size((5, 8)), dtype, torch.device("cpu"))
        torch.default_generator.manual_seed(3)
        assert torch.equal(ours, torch.randn(5, 8, dtype=dtype))


def test_a_generator_of_another_kind_is_noticed(compiled, monkeypatch):
    assert native.draws_as_torch()
    monkeypatch.setattr(native, "STATE_BYTES", 1)
    assert not native._knows_the_generator.__wrapped__()
    monkeypatch.undo()
    monkeypatch.setattr(native, "standard_normal", lambda shape, generator: torch.zeros(shape))
    assert not native._knows_the_generator.__wrapped__()
