"""The point mass, and the Gaussian whose last dimensions are one event."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from graphvae.variational.distributions import Point, diagonal_normal, expand_scalar


@pytest.mark.parametrize(("shape", "event_dim"), [((5, 2), 2), ((7, 3), 1), ((4,), 0)])
def test_diagonal_normal_is_torch_s_with_the_event_declared(shape, event_dim):
    loc, scale = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    scale = scale.exp()
    ours, theirs = diagonal_normal(loc, scale, event_dim), Independent(Normal(loc, scale), event_dim)
    assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
    assert torch.equal(ours.log_prob(loc + 1), theirs.log_prob(loc + 1))


@pytest.mark.parametrize(("shape", "event_dim"), [((5, 2), 2), ((7, 3), 1)])
def test_point_is_all_mass_at_one_place(shape, event_dim):
    loc = torch.randn(shape, requires_grad=True)
    point = Point(loc, event_dim)
    assert point.batch_shape + point.event_shape == shape
    assert len(point.event_shape) == event_dim
    assert torch.equal(point.mean, loc)
    draws = point.rsample((3,))
    assert draws.shape == (3, *shape)
    assert bool((draws == loc).all())
    draws.sum().backward()
    assert torch.equal(loc.grad, torch.full(shape, 3.0))
    assert not point.sample().requires_grad
    assert point.rsample().shape == shape


def test_point_has_no_density_and_a_divergence_of_zero():
    point = Point(torch.ones(7, 3), 1)
    with pytest.raises(NotImplementedError):
        point.log_prob(torch.ones(7, 3))
    kl = kl_divergence(point, diagonal_normal(torch.zeros(7, 3), torch.ones(7, 3), 1))
    assert torch.equal(kl, torch.zeros(7))


def test_expanded_scalar_takes_no_memory_of_its_own():
    like = torch.zeros((), dtype=torch.float64)
    view = expand_scalar(2.0, like, torch.Size((4, 3)))
    assert view.dtype == torch.float64
    assert view.stride() == (0, 0)
    assert torch.equal(view, torch.full((4, 3), 2.0, dtype=torch.float64))
