"""Every posterior family keeps one contract, whatever is a datum: an image or a whole graph."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import kl_divergence

from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.posteriors import POSTERIORS

BATCH, DIM = 6, 3


@pytest.fixture(params=POSTERIORS)
def family(request):
    return POSTERIORS[request.param]


def parameters(family) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BATCH, family.width(DIM), generator=generator, dtype=torch.float64, requires_grad=True)


def standard_normal(event_dim: int):
    shape = (BATCH, DIM)
    return diagonal_normal(torch.zeros(shape).double(), torch.ones(shape).double(), event_dim)


@pytest.mark.parametrize(("event_dim", "batch"), [(1, (BATCH,)), (2, ())])
def test_shapes_and_reparameterised_draws(family, event_dim, batch):
    leaf = parameters(family)
    q = family(leaf, event_dim)
    assert q.batch_shape == batch
    assert q.batch_shape + q.event_shape == (BATCH, DIM) == q.mean.shape
    assert q.has_rsample
    z = q.rsample(torch.Size((4,)))
    assert z.shape == (4, BATCH, DIM)
    assert z.dtype == leaf.dtype
    z.square().sum().backward()
    assert bool((leaf.grad != 0).all())


def test_width_divides_into_parts(family):
    assert family.width(DIM) == family.parts * DIM
    assert isinstance(family.variational, bool)


def test_relative_to_a_prior_the_posterior_moves_and_scales_with_it(family):
    leaf, place = parameters(family), torch.arange(BATCH * DIM).double().reshape(BATCH, DIM)
    draws = []
    for around in (None, diagonal_normal(place, torch.full_like(place, 3.0), 2)):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(1)
            draws.append((family(leaf, 2, around).mean, family(leaf, 2, around).rsample()))
    (mean, plain), (moved_mean, moved) = draws
    torch.testing.assert_close(moved_mean, mean + place)
    torch.testing.assert_close(moved - moved_mean, 3 * (plain - mean))


@pytest.mark.parametrize(("event_dim", "batch"), [(1, (BATCH,)), (2, ())])
def test_divergence_from_the_prior(family, event_dim, batch):
    q, prior = family(parameters(family), event_dim), standard_normal(event_dim)
    kl = kl_divergence(q, prior)
    assert kl.shape == batch
    if not family.variational:
        assert torch.equal(kl, torch.zeros(batch).double())
        with pytest.raises(NotImplementedError):
            q.log_prob(q.mean)
        return
    assert bool((kl > 0).all())
    # The closed form against the definition, at samples: within five standard errors.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(2)
        z = q.rsample(torch.Size((20_000,)))
    ratio = (q.log_prob(z) - prior.log_prob(z)).detach()
    error = ratio.std(0) / len(ratio) ** 0.5
    assert bool(((ratio.mean(0) - kl).abs() < 5 * error).all())
