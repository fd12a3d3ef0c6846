"""The Power Spherical distribution against scipy and integrals, its gradient, and what happens far out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, betaln, log_expit
from torch.distributions import Independent, Normal, kl_divergence

from graphvae._check import InputError
from graphvae.variational.posteriors import MAX_CONCENTRATION, MIN_CONCENTRATION, HypersphericalPosterior
from graphvae.variational.spherical import HypersphericalUniform, PowerSpherical, unit_vectors

DIMENSIONS = [2, 3, 16]
CONCENTRATIONS = [0.0, 1e-3, 0.7, 12.0, 1e3, 1e5]


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        yield


def power(dim: int, kappa: float, dtype: torch.dtype = torch.float64, batch: int = 1) -> PowerSpherical:
    loc = unit_vectors(torch.randn(batch, dim, dtype=dtype))
    return PowerSpherical(loc, torch.full((batch,), kappa, dtype=dtype))


def log_density_of_cosine(dim: int, kappa: float, t: np.ndarray) -> np.ndarray:
    """``log p(t)`` of ``t = mu . x``: (1 + t) / 2 is a Beta."""
    beta = (dim - 1) / 2
    return scipy.stats.beta(beta + kappa, beta).logpdf((1 + t) / 2) - math.log(2)


def log_area(dim: int) -> float:
    return math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kappa", CONCENTRATIONS[:-1])
def test_density_is_that_of_the_cosine_over_the_area_across(dim, kappa):
    q, rng = power(dim, kappa), np.random.default_rng(0)
    x = rng.normal(size=(50, dim))
    x = torch.as_tensor(x / np.linalg.norm(x, axis=1, keepdims=True))
    t = (x @ q.loc[0]).numpy()
    # A ring at t has the area |S^{D-2}| (1 - t²)^((D - 3) / 2) dt; on the circle it is two points.
    across = log_area(dim - 1) + (dim - 3) / 2 * np.log1p(-(t**2))
    np.testing.assert_allclose(q.log_prob(x), log_density_of_cosine(dim, kappa, t) - across, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kappa", CONCENTRATIONS)
def test_draws_lie_on_the_sphere_around_the_direction(dim, kappa):
    q = power(dim, kappa, batch=2)
    x = q.rsample((4000,))
    torch.testing.assert_close(x.square().sum(-1), torch.ones(4000, 2).double())
    beta = (dim - 1) / 2
    # 1 - t by the distance, because t itself is 1 to all digits where kappa is large.
    rest = ((q.loc - x).square().sum(-1) / 4).numpy()
    for column in rest.T:
        assert scipy.stats.kstest(column, scipy.stats.beta(beta, beta + kappa).cdf).pvalue > 1e-3
    # Across the direction no other is preferred.
    across = x - (x * q.loc).sum(-1, keepdim=True) * q.loc
    across = unit_vectors(across)
    assert float(across.mean(0).norm(dim=-1).max()) < 5 / 4000**0.5


@pytest.mark.parametrize("first", [1.0, -1.0])
def test_directions_along_the_first_axis_need_no_reflection(first):
    for tilt in (0.0, 1e-4):
        loc = unit_vectors(torch.tensor([[first, tilt, 0.0]]))
        x = PowerSpherical(loc, torch.tensor([1e5])).rsample((5000,))
        torch.testing.assert_close(x.norm(dim=-1), torch.ones(5000, 1))
        # The spread is 0.004, so that a direction off by the tilt would show.
        torch.testing.assert_close(x.mean(0), loc, rtol=0, atol=4e-4)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kappa", CONCENTRATIONS[1:])
def test_entropy_and_divergence_against_integrals(dim, kappa):
    q = power(dim, kappa)
    beta = (dim - 1) / 2

    # E[log(1 + t)] by integration over the logit u of z = (1 + t) / 2 ~ Beta, in which the density has no poles.
    def integrand(u: float) -> float:
        density = (beta + kappa) * log_expit(u) + beta * log_expit(-u) - betaln(beta + kappa, beta)
        return math.exp(density) * (math.log(2) + log_expit(u))

    centre = math.log((beta + kappa) / beta)
    mean_log = scipy.integrate.quad(integrand, centre - 80, centre + 80, limit=400, points=[centre])[0]
    pole = torch.zeros(1, dim, dtype=torch.float64)
    pole[:, 0] = 1
    at_mode = float(PowerSpherical(pole, q.concentration).log_prob(pole))
    entropy = -(at_mode - kappa * math.log(2) + kappa * mean_log)
    assert float(q.entropy()) == pytest.approx(entropy, rel=1e-6, abs=1e-6)
    uniform = HypersphericalUniform(dim, (1,), q.loc)
    assert float(kl_divergence(q, uniform)) == pytest.approx(log_area(dim) - entropy, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_without_concentration_it_is_uniform(dim):
    q, uniform = power(dim, 0.0), HypersphericalUniform(dim, (1,), torch.zeros((), dtype=torch.float64))
    x = uniform.sample((20,))
    torch.testing.assert_close(q.log_prob(x), uniform.log_prob(x))
    torch.testing.assert_close(uniform.log_prob(x), torch.full((20, 1), -log_area(dim), dtype=torch.float64))
    torch.testing.assert_close(q.variance, uniform.variance)
    assert torch.equal(q.mean, uniform.mean)
    torch.testing.assert_close(q.entropy(), uniform.entropy())
    assert float(kl_divergence(q, uniform)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_uniform_draws_have_its_moments(dim):
    uniform = HypersphericalUniform(dim, (2,), torch.zeros((), dtype=torch.float64))
    x = uniform.rsample((20_000,))
    assert x.shape == (20_000, 2, dim)
    torch.testing.assert_close(x.norm(dim=-1), torch.ones(20_000, 2).double())
    assert float((x.mean(0) - uniform.mean).abs().max()) < 5 * (1 / dim / 20_000) ** 0.5
    torch.testing.assert_close(x.var(0), uniform.variance, rtol=0.05, atol=0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(dim=st.integers(2, 64), log_kappa=st.floats(math.log(MIN_CONCENTRATION), math.log(MAX_CONCENTRATION)))
def test_the_divergence_is_positive_and_grows_with_the_concentration(dim, log_kappa):
    uniform = HypersphericalUniform(dim, (1,), torch.zeros(()))
    near, far = (
        kl_divergence(power(dim, math.exp(log_kappa) * factor, torch.float32), uniform) for factor in (1.0, 1.2)
    )
    assert 0 <= float(near) < float(far)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [2, 3, 16, 64])
@pytest.mark.parametrize("kappa", CONCENTRATIONS[1:])
def test_the_gradient_of_a_draw_is_the_implicit_one(dim, kappa, dtype):
    """``d rest / d kappa = -(dF / d kappa) / p`` for ``rest = (1 - t) / 2 ~ Beta(beta, beta + kappa)``."""
    count, beta = 400, (dim - 1) / 2
    leaf = torch.full((count,), kappa, dtype=dtype, requires_grad=True)
    loc = unit_vectors(torch.randn(count, dim, dtype=dtype))
    rest = (loc - PowerSpherical(loc, leaf).rsample()).square().sum(-1) / 4
    rest.sum().backward()
    at, step = rest.detach().double().numpy(), 1e-4 * (beta + kappa)
    slope = (betainc(beta, beta + kappa + step, at) - betainc(beta, beta + kappa - step, at)) / (2 * step)
    expected = -slope / scipy.stats.beta(beta, beta + kappa).pdf(at)
    # Points so near the direction that float32 coordinates do not resolve their distance say nothing.
    told = at > 1e-3 * beta / (beta + kappa)
    assert told.sum() > 300
    error = np.abs(leaf.grad.numpy() - expected)[told] / np.abs(expected[told])
    assert np.median(error) < 5e-3
    assert np.quantile(error, 0.9) < 2e-2


@pytest.mark.parametrize("dim", [2, 16])
def test_gradients_in_expectation(dim):
    # E[a . x] = kappa / (D - 1 + kappa) a . mu, so both gradients are known.
    loc = unit_vectors(torch.randn(dim, dtype=torch.float64)).requires_grad_()
    kappa, a = torch.tensor(5.0, dtype=torch.float64, requires_grad=True), torch.randn(dim, dtype=torch.float64)
    values = PowerSpherical(loc, kappa).rsample((100_000,)) @ a
    grad_loc, grad_kappa = torch.autograd.grad(values.mean(), [loc, kappa])
    exact = (dim - 1) / (dim - 1 + 5.0) ** 2 * float(a @ loc.detach())
    assert float(grad_kappa) == pytest.approx(exact, abs=5e-3)
    # Along the sphere alone: moving off it means nothing.
    tangent = torch.eye(dim).double() - torch.outer(loc.detach(), loc.detach())
    torch.testing.assert_close(tangent @ grad_loc, 5 / (dim - 1 + 5) * tangent @ a, rtol=0, atol=0.03)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kappa", CONCENTRATIONS[1:])
def test_float32_agrees_with_float64(dim, kappa):
    wide = power(dim, kappa, batch=200)
    narrow = PowerSpherical(wide.loc.float(), wide.concentration.float())
    x = wide.sample()
    torch.testing.assert_close(narrow.log_prob(x.float()).double(), wide.log_prob(x), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(narrow.entropy().double(), wide.entropy(), rtol=1e-5, atol=1e-5)
    antipode = narrow.log_prob(-narrow.loc)
    assert bool(antipode.isfinite().all())


def test_no_divergence_from_a_prior_that_is_not_on_the_sphere():
    q = Independent(power(3, 1.0), 1)
    for prior in (Independent(Normal(torch.zeros(1, 3), 1.0), 2), Independent(Normal(torch.zeros(1, 3), 1.0), 1)):
        with pytest.raises(NotImplementedError):
            kl_divergence(q, prior)


def test_what_the_numbers_of_a_network_mean():
    family = HypersphericalPosterior()
    q = family(torch.tensor([[3.0, 0.0, 4.0, 0.0], [0.0, 0.0, 0.0, math.log(3.0)]]), event_dim=1)
    torch.testing.assert_close(q.mode, torch.tensor([[0.6, 0.0, 0.8], [1.0, 0.0, 0.0]]))
    # The last is the logit of the expected cosine: 0 is a half, log 3 three quarters.
    torch.testing.assert_close(q.mean.norm(dim=-1), torch.tensor([0.5, 0.75]))
    torch.testing.assert_close(q.base_dist.concentration, torch.tensor([2.0, 6.0]))
    bounds = family(torch.tensor([[1.0, 0.0, -1e4], [1.0, 0.0, 1e4]]), event_dim=1).base_dist.concentration
    torch.testing.assert_close(bounds, torch.tensor([MIN_CONCENTRATION, MAX_CONCENTRATION]))


@pytest.mark.parametrize("size", [0.0, 1e-20, 1e4, 1e18])
def test_a_direction_of_any_length_is_one(size):
    leaf = torch.tensor([[size, -size, size, 0.0]], requires_grad=True)
    q = HypersphericalPosterior()(leaf, 1)
    z = q.rsample((3,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(3, 1))
    (z * torch.rand_like(z)).sum().backward()
    assert bool(leaf.grad.isfinite().all())


def test_one_dimension_is_no_sphere():
    with pytest.raises(InputError, match="latent_dim=1: expected a value at least 2"):
        HypersphericalPosterior().width(1)
