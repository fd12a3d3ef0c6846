"""The mixture of Gaussians against torch's, against quadrature in one dimension, and inside the bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from graphvae.training.randomness import seeded
from graphvae.variational.bound import bound
from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.mixtures import VectorMixture

N, K, D = 5, 3, 4


@pytest.fixture(autouse=True)
def _fixed_seed():
    with seeded(0):
        yield


def parts(k: int = K, d: int = D, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.randn(k, dtype=dtype), 2 * torch.randn(k, d, dtype=dtype), 0.5 * torch.randn(k, d, dtype=dtype)


def torch_s(logits, loc, log_scale) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Independent(Normal(loc, log_scale.exp()), 1))


@pytest.mark.parametrize(("event_dim", "batch"), [(1, (N,)), (2, ())])
def test_density_and_moments_are_those_of_torch_s(event_dim, batch):
    given = parts()
    ours, theirs = VectorMixture(*given, N, event_dim), torch_s(*given)
    assert (ours.batch_shape, ours.event_shape) == (batch, torch.Size((N, D)[2 - event_dim :]))
    z = 3 * torch.randn(2, 7, N, D, dtype=torch.float64)
    each = theirs.log_prob(z)
    torch.testing.assert_close(ours.log_prob(z), each if event_dim == 1 else each.sum(-1))
    torch.testing.assert_close(ours.mean, theirs.mean.expand(N, D))
    torch.testing.assert_close(ours.variance, theirs.variance.expand(N, D))


def test_gradients_are_those_of_torch_s():
    given = [part.requires_grad_() for part in parts()]
    z = torch.randn(N, D, dtype=torch.float64, requires_grad=True)
    ours = torch.autograd.grad(VectorMixture(*given, N, 2).log_prob(z), [*given, z])
    theirs = torch.autograd.grad(torch_s(*given).log_prob(z).sum(), [*given, z])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_draws_have_the_moments_and_no_gradient():
    given = [part.requires_grad_() for part in parts()]
    mixture = VectorMixture(*given, N, 2)
    z = mixture.sample((20_000,))
    assert z.shape == (20_000, N, D)
    assert not z.requires_grad
    error = mixture.stddev.detach() / math.sqrt(20_000)
    assert ((z.mean(0) - mixture.mean).abs() < 5 * error).all()
    torch.testing.assert_close(z.var(0), mixture.variance.detach(), rtol=0.1, atol=0.0)
    # Vectors are drawn one by one: those of different nodes have nothing to do with one another.
    assert abs(np.corrcoef(z[:, 0, 0], z[:, 1, 0])[0, 1]) < 0.04


def test_far_out_values_are_finite_in_float32():
    mixture = VectorMixture(*parts(dtype=torch.float32), N, 2)
    for size in (1e-8, 1.0, 1e4):
        assert bool(mixture.log_prob(size * torch.randn(N, D)).isfinite())


def test_the_sampled_divergence_is_that_of_quadrature():
    """One dimension: KL(q || mixture) by numerical integration, and the mean of the bound's own estimates."""
    logits, loc, log_scale = parts(3, 1)
    mixture = VectorMixture(logits, loc, log_scale, 1, 2)
    q = diagonal_normal(torch.full((1, 1), 0.7).double(), torch.full((1, 1), 0.6).double(), 2)
    weight, m, s = (part.flatten().numpy() for part in (logits.softmax(-1), loc, log_scale.exp()))

    def integrand(z: float) -> float:
        log_q = norm.logpdf(z, 0.7, 0.6)
        return math.exp(log_q) * (log_q - math.log((weight * norm.pdf(z, m, s)).sum()))

    expected, _ = quad(integrand, -6, 8, epsabs=1e-10, limit=200)
    with pytest.raises(NotImplementedError):
        kl_divergence(q, mixture)
    zero = lambda z: diagonal_normal(z[..., 0], torch.ones_like(z[..., 0]), 1)
    terms = bound(q, mixture, zero, torch.zeros(1).double(), samples=20_000, analytic=False)
    error = float(terms.kl.std()) / math.sqrt(20_000)
    assert error < 0.02
    assert float(terms.kl.mean()) == pytest.approx(expected, abs=5 * error)


def test_one_component_is_a_gaussian_with_its_closed_form():
    zero = torch.zeros(1, D, dtype=torch.float64)
    mixture = VectorMixture(torch.zeros(1).double(), zero, zero, N, 2)
    z = torch.randn(3, N, D, dtype=torch.float64)
    torch.testing.assert_close(
        mixture.log_prob(z), Independent(Normal(0.0, 1.0).expand((N, D)), 2).log_prob(z.double())
    )
