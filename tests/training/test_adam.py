"""Adam: torch's own optimiser, to the last bit or, in C, to rounding, whichever parameters have gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from graphvae.training.adam import Adam


def parameters(dtype: torch.dtype) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in ((5, 3), (3,), (), (70, 9))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "missing", [{}, {0: {1}}, {3: {0, 2}, 4: {1}}, {0: {0, 1, 2, 3}}], ids=["none", "first", "later", "all"]
)
@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("kernels", ["compiled", "torch_kernels"])
def test_equals_torch(
    kernels: str, dtype: torch.dtype, missing: dict[int, set[int]], resumed: bool, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(kernels)
    exact = kernels == "torch_kernels" or dtype == torch.float64
    ours, theirs = parameters(dtype), parameters(dtype)
    adam, peer = Adam(ours), torch.optim.Adam(theirs, fused=True)
    for step in range(8):
        rate = 0.01 * 0.7**step
        for group in peer.param_groups:
            group["lr"] = rate
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            absent = index in missing.get(step, ())
            a.grad = b.grad = None if absent else (b.detach() * (step + 1) + 0.1)
        if resumed and step == 5:
            other = Adam(ours)
            other.load_state_dict(adam.state_dict())
            adam = other
        adam.step(rate)
        peer.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=0 if exact else 1e-6, atol=0 if exact else 1e-6)


def test_zero_grad_drops_gradients() -> None:
    ours = parameters(torch.float32)
    adam = Adam(ours)
    sum(each.sum() for each in ours).backward()
    adam.zero_grad()
    assert all(each.grad is None for each in ours)


def test_a_mean_that_fades_out_ends_at_zero_and_costs_nothing(compiled: None) -> None:
    """Without a gradient the first mean shrinks by a tenth a step; below the normal numbers it would cost time."""
    (weight,) = ours = [nn.Parameter(torch.ones(64))]
    adam = Adam(ours)
    for step in range(1200):
        weight.grad = torch.full((64,), float(step == 0))
        adam.step(0.01)
    assert float(adam.state_dict()["first.0"].abs().max()) == 0
    assert float(torch.tensor(1e-39) * 2) > 0  # elsewhere they are numbers as ever


@pytest.mark.parametrize("kernels", ["compiled", "torch_kernels"])
def test_a_gradient_that_needs_the_weights_of_before_is_refused(kernels: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(kernels)
    weight, x = nn.Parameter(torch.ones(4)), torch.ones(4, requires_grad=True)
    adam, value = Adam([weight]), (weight * x).sum()
    weight.grad = torch.ones(4)
    adam.step(0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.parametrize("kernels", ["compiled", "torch_kernels"])
def test_a_copy_goes_on_from_where_the_first_is(kernels: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(kernels)
    adam = Adam(parameters(torch.float32))
    for each in adam.parameters:
        each.grad = torch.ones_like(each)
    adam.step(0.1)
    other = copy.deepcopy(adam)
    before = [each.detach().clone() for each in adam.parameters]
    for each in other.parameters:
        each.grad = torch.ones_like(each)
    other.step(0.1)
    assert all(torch.equal(*two) for two in zip(before, adam.parameters, strict=True))
    adam.step(0.1)
    assert all(torch.equal(*two) for two in zip(other.parameters, adam.parameters, strict=True))
