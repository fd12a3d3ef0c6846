"""The point mass, and Gaussians, diagonal and full, whose last dimensions are one event."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from graphvae.variational.distributions import (
    DiagonalNormal,
    FullNormal,
    NetworkNormal,
    Point,
    diagonal_normal,
    expand_scalar,
)


def diagonals(shape, event_dim):
    """Ways to say the same as torch's ``Independent(Normal)``: ours and theirs, and what the gradient is taken in."""
    loc, log_scale = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loc.requires_grad_()
    log_scale.requires_grad_()
    one = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for ours, scale, inputs in [
        (diagonal_normal(loc, log_scale.exp(), event_dim), log_scale.exp(), [loc, log_scale]),
        (DiagonalNormal(loc, log_scale.exp(), event_dim, log_scale), log_scale.exp(), [loc, log_scale]),
        (DiagonalNormal(loc, one.exp(), event_dim), one.exp().expand(shape), [loc, one]),
        (DiagonalNormal(loc, 0.3, event_dim), torch.full(shape, 0.3, dtype=torch.float64), [loc]),
    ]:
        yield ours, Independent(Normal(loc, scale), event_dim), inputs
    zeros = torch.zeros((), dtype=torch.float64).expand(shape)
    yield (
        DiagonalNormal(zeros, 1.0, event_dim, standard=True),
        Independent(Normal(torch.zeros(shape, dtype=torch.float64), 1.0), event_dim),
        [],
    )


def same_with_gradients(found, expected, inputs):
    torch.testing.assert_close(found, expected)
    if inputs:
        ours, theirs = (torch.autograd.grad(value.sum(), inputs, retain_graph=True) for value in (found, expected))
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("shape", "event_dim"), [((5, 2), 2), ((7, 3), 1), ((4,), 0)])
def test_a_diagonal_normal_is_torch_s_however_its_scale_is_given(shape, event_dim):
    x = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for ours, theirs, inputs in diagonals(shape, event_dim):
        assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
        for name in ("mean", "stddev", "variance"):
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
        torch.testing.assert_close(ours.entropy(), theirs.entropy())
        for value in (x, x[0]):
            same_with_gradients(ours.log_prob(value), theirs.log_prob(value), inputs)
        wider = (2, *ours.batch_shape)
        torch.testing.assert_close(ours.expand(wider).log_prob(x[0]), theirs.expand(wider).log_prob(x[0]))
        draws = []
        for q in (ours, theirs):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(2)
                draws.append(q.rsample((2,)))
        torch.testing.assert_close(*draws)


@pytest.mark.parametrize(("shape", "event_dim"), [((5, 2), 2), ((7, 3), 1), ((4,), 0)])
def test_divergences_of_diagonal_normals_are_torch_s(shape, event_dim):
    for p, torch_p, inputs in diagonals(shape, event_dim):
        for q, torch_q, _ in diagonals(shape, event_dim):
            same_with_gradients(kl_divergence(p, q), kl_divergence(torch_p, torch_q), inputs)


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


def full(dim: int = 3, batch: int = 4, event_dim: int = 1) -> FullNormal:
    generator = torch.Generator().manual_seed(dim)
    loc, factor = (torch.randn(batch, dim, *extra, generator=generator).double() for extra in ((), (dim,)))
    factor = factor.tril(-1) + torch.diag_embed(factor.diagonal(dim1=-2, dim2=-1).exp())
    return FullNormal(loc, factor, event_dim)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_full_normal_against_scipy(dim):
    q, x = full(dim), np.random.default_rng(0).normal(size=(6, 4, dim))
    covariance = (q.scale_tril @ q.scale_tril.mT).numpy()
    laws = [scipy.stats.multivariate_normal(m, c) for m, c in zip(q.loc.numpy(), covariance, strict=True)]
    log_prob, entropy = q.log_prob(torch.from_numpy(x)).numpy(), q.entropy().numpy()
    for i, law in enumerate(laws):
        np.testing.assert_allclose(log_prob[:, i], np.atleast_1d(law.logpdf(x[:, i])), rtol=1e-9)
        np.testing.assert_allclose(entropy[i], law.entropy(), rtol=1e-9)
    np.testing.assert_allclose(q.variance, np.diagonal(covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(full(dim, event_dim=2).entropy(), entropy.sum())
    np.testing.assert_allclose(full(dim, event_dim=2).log_prob(torch.from_numpy(x)), log_prob.sum(-1))


@pytest.mark.parametrize("dim", [1, 3])
def test_full_normal_s_divergence_is_torch_s(dim):
    q, generator = full(dim), torch.Generator().manual_seed(9)
    loc, scale = (
        torch.randn(4, dim, generator=generator).double(),
        torch.rand(4, dim, generator=generator).double() + 0.2,
    )
    theirs = kl_divergence(
        MultivariateNormal(q.loc, scale_tril=q.scale_tril), MultivariateNormal(loc, torch.diag_embed(scale.square()))
    )
    torch.testing.assert_close(kl_divergence(q, diagonal_normal(loc, scale, 1)), theirs)
    torch.testing.assert_close(kl_divergence(full(dim, event_dim=2), diagonal_normal(loc, scale, 2)), theirs.sum())


def test_full_normal_s_divergence_is_refused_where_the_events_differ():
    for prior in (
        diagonal_normal(torch.zeros(4, 3), torch.ones(4, 3), 2),
        Independent(torch.distributions.Laplace(torch.zeros(4, 3), 1.0), 1),
    ):
        with pytest.raises(NotImplementedError):
            kl_divergence(full(), prior)


def test_full_normal_s_draws_have_its_covariance():
    q = full()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        z = q.rsample((200, 200)).reshape(-1, 4, 3)
    away = (z - q.loc).movedim(1, 0)
    covariance, exact = away.mT @ away / len(z), q.scale_tril @ q.scale_tril.mT
    size = q.stddev.unsqueeze(-1) * q.stddev.unsqueeze(-2)
    assert float(((covariance - exact) / size).abs().max()) < 0.04


def standard(like):
    zero, one = (expand_scalar(value, like, like.shape) for value in (0.0, 1.0))
    return DiagonalNormal(zero, one, 1, standard=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("drawn", [False, True])
def test_what_a_network_puts_out_is_the_normal_of_its_halves(dtype, drawn):
    parameters = torch.randn(4, 6, dtype=dtype, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mu, log_sigma = parameters.chunk(2, -1)
    ours, theirs = NetworkNormal(parameters, 1), DiagonalNormal(mu, log_sigma.exp(), 1, log_sigma)
    if drawn:
        torch.manual_seed(0)
        one = ours.rsample((1,))
        torch.manual_seed(0)
        torch.testing.assert_close(one, theirs.rsample((1,)))
    for _ in range(2):  # the divergence that came with a draw is given out once
        found = [kl_divergence(p, standard(mu)).sum() for p in (ours, theirs)]
        torch.testing.assert_close(*found)
        torch.testing.assert_close(*(torch.autograd.grad(each, parameters, retain_graph=True)[0] for each in found))
    value = torch.ones(4, 3, dtype=dtype)
    torch.testing.assert_close(ours.log_prob(value), theirs.log_prob(value))
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.stddev, theirs.stddev)


def test_what_was_made_without_a_gradient_does_not_stand_in_for_what_has_one():
    parameters = torch.zeros(2, 6, requires_grad=True)
    normal = NetworkNormal(parameters, 1)
    with torch.no_grad():
        assert not normal.stddev.requires_grad
        normal.rsample((1,))
    assert normal.stddev.requires_grad
    assert kl_divergence(normal, standard(torch.zeros(2, 3))).requires_grad


def test_an_unknown_attribute_is_one():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = NetworkNormal(torch.zeros(2, 6), 1).nothing_of_the_kind
