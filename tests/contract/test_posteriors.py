"""Every posterior family keeps one contract, whatever is a datum: an image or a whole graph."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, kl_divergence

from graphvae._check import InputError
from graphvae.nn.priors import PRIORS
from graphvae.training.randomness import seeded
from graphvae.variational import distributions
from graphvae.variational.bound import Bound, bound
from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.posteriors import POSTERIORS
from graphvae.variational.spherical import HypersphericalUniform

BATCH, DIM = 6, 3
DATA = [(1, (BATCH,)), (2, ())]
WITH_DENSITY = [name for name, family in POSTERIORS.items() if family.variational]
# Families whose density is an integral: log_prob is a surrogate, drawn anew at every call, that of a draw is a bound.
ESTIMATED = ["semi-implicit"]
REAL = [name for name in WITH_DENSITY if POSTERIORS[name].support == "real"]
# Draws that are a function of standard normal numbers of the same shape.
PUSHED = [name for name in REAL if name not in ESTIMATED]


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(2)
        yield


def build(name: str, dim: int = DIM, dtype: torch.dtype = torch.float64):
    """The family for ``dim``; weights of its own, if it has any, are far from where they start."""
    family = POSTERIORS[name].build(dim)
    if isinstance(family, torch.nn.Module):
        family = family.to(dtype)
        for parameter in family.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
    return family


def weights(family) -> list[torch.Tensor]:
    return list(family.parameters()) if isinstance(family, torch.nn.Module) else []


def density(q, z: torch.Tensor) -> torch.Tensor:
    """``log q(z)``, with the same reverse draws at every call where there are any."""
    with seeded(9):
        return q.log_prob(z)


def parameters(family, dim: int = DIM, batch: int = BATCH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, family.width(dim), generator=generator, dtype=torch.float64, requires_grad=True)


def prior_of(family, event_dim: int, dim: int = DIM, batch: int = BATCH, dtype=torch.float64):
    zeros = torch.zeros(batch, dim, dtype=dtype)
    if family.support == "sphere":
        return Independent(HypersphericalUniform(dim, (batch,), zeros), event_dim - 1)
    return diagonal_normal(zeros, torch.ones_like(zeros), event_dim)


@pytest.mark.parametrize("name", POSTERIORS)
def test_what_a_family_says_of_itself(name):
    family = POSTERIORS[name]
    again = type(family)(**family.settings())
    assert again.settings() == family.settings()
    assert 1 <= family.parts <= family.width(DIM)
    for flag in (family.variational, family.analytic_kl):
        assert isinstance(flag, bool)
    assert PRIORS[family.default_prior].support == family.support


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize(("event_dim", "batch"), DATA)
def test_shapes_and_reparameterised_draws(name, event_dim, batch):
    family = build(name)
    leaf = parameters(family)
    q = family(leaf, event_dim)
    assert q.batch_shape == batch
    assert q.batch_shape + q.event_shape == (BATCH, DIM) == q.mean.shape
    assert q.has_rsample
    z = q.rsample(torch.Size((2, 4)))
    assert z.shape == (2, 4, BATCH, DIM)
    assert z.dtype == leaf.dtype
    assert not q.sample().requires_grad
    # Weighted, because every vector on the sphere has the same length.
    (z * torch.rand_like(z)).sum().backward()
    assert bool((leaf.grad != 0).all())
    assert all(bool((weight.grad != 0).any()) for weight in weights(family))
    if family.variational:
        assert q.log_prob(z).shape == (2, 4, *batch)
        assert q.stddev.shape == (BATCH, DIM)
    else:
        with pytest.raises(NotImplementedError):
            q.log_prob(q.mean)


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_a_graph_s_density_is_the_product_over_its_nodes(name):
    family = build(name)
    leaf = parameters(family)
    graph, images = family(leaf, 2), family(leaf, 1)
    z = images.sample((4,)).clone()
    torch.testing.assert_close(density(graph, z), density(images, z).sum(-1))
    torch.testing.assert_close(graph.mean, images.mean)
    torch.testing.assert_close(graph.stddev, images.stddev)


@pytest.mark.parametrize("name", POSTERIORS)
def test_relative_to_a_prior_the_posterior_moves_and_scales_with_it(name):
    family = build(name)
    leaf, place = parameters(family), torch.arange(BATCH * DIM).double().reshape(BATCH, DIM)
    around = diagonal_normal(place, torch.full_like(place, 3.0), 2)
    if family.support == "sphere":
        with pytest.raises(InputError, match="around"):
            family(leaf, 2, around)
        return
    q, r = family(leaf, 2), family(leaf, 2, around)
    state = torch.get_rng_state()
    plain = q.rsample()
    torch.set_rng_state(state)
    moved = r.rsample()
    # In every family the first D numbers are the place of what is drawn.
    loc = leaf[:, :DIM]
    torch.testing.assert_close(moved, place + loc + (3 if family.variational else 1) * (plain - loc))
    if family.variational:
        torch.testing.assert_close(moved - r.mean, 3 * (plain - q.mean))
        torch.testing.assert_close(density(r, moved), density(q, plain) - BATCH * DIM * math.log(3))
        if name not in ESTIMATED:
            torch.testing.assert_close(r.log_prob(moved.clone()), r.log_prob(moved))
        torch.testing.assert_close(r.stddev, 3 * q.stddev)


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize(("event_dim", "batch"), DATA)
def test_divergence_from_the_prior(name, event_dim, batch):
    family = build(name)
    q, prior = family(parameters(family), event_dim), prior_of(family, event_dim)
    if not family.analytic_kl:
        with pytest.raises(NotImplementedError):
            kl_divergence(q, prior)
        return
    kl = kl_divergence(q, prior)
    assert kl.shape == batch
    if not family.variational:
        assert torch.equal(kl, torch.zeros(batch).double())
        return
    assert bool((kl > 0).all())
    # The closed form against the definition, at samples: within five standard errors.
    z = q.rsample(torch.Size((20_000,)))
    ratio = (q.log_prob(z) - prior.log_prob(z)).detach()
    error = ratio.std(0) / len(ratio) ** 0.5
    assert bool(((ratio.mean(0) - kl).abs() < 5 * error).all())


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_mean_and_deviation_are_those_of_the_draws(name):
    family = build(name)
    q, count = family(parameters(family), 1), 40_000
    z = q.sample((count,))
    # These moments are averages over fixed nodes, so close but not equal to the integrals.
    slack = 0.05 if name in ("flow", "semi-implicit") else 0.0
    assert bool(((z.mean(0) - q.mean).abs() < (5 / count**0.5 + slack) * q.stddev).all())
    squares = (z - z.mean(0)).square()
    error = 5 * squares.std(0) / count**0.5 + 3 * slack * q.variance
    assert bool(((squares.mean(0) - q.variance).abs() < error).all())


def log_prob_by_jacobian(q, eps: torch.Tensor, monkeypatch) -> tuple[torch.Tensor, torch.Tensor]:
    """The draw made of standard normal ``eps``, and ``log p(eps) - log |det dz/deps|`` by automatic differentiation."""

    def draw(given: torch.Tensor) -> torch.Tensor:
        monkeypatch.setattr(distributions, "standard_normal", lambda shape, dtype, device: given.reshape(shape))
        return q.rsample()

    jacobian = torch.autograd.functional.jacobian(draw, eps).reshape(eps.numel(), eps.numel())
    log_det = torch.linalg.slogdet(jacobian).logabsdet
    return draw(eps), -0.5 * (eps.square() + math.log(2 * math.pi)).sum() - log_det


@pytest.mark.parametrize("name", PUSHED)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 4])
def test_log_q_is_that_of_the_noise_less_the_log_determinant(name, relative, dim, monkeypatch):
    family = build(name, dim)
    place = torch.randn(2, dim, dtype=torch.float64)
    around = diagonal_normal(place, place.exp(), 2) if relative else None
    q = family(parameters(family, dim, batch=2), 2, around)
    z, expected = log_prob_by_jacobian(q, torch.randn(2, dim, dtype=torch.float64), monkeypatch)
    # The very tensor that was drawn, and a value of which nobody knows where it came from.
    torch.testing.assert_close(q.log_prob(z), expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(q.log_prob(z.detach().clone()), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("dim", [1, 2])
def test_density_on_real_vectors_integrates_to_one(name, dim):
    family = build(name, dim)
    q = family(0.5 * parameters(family, dim, batch=1), 2)
    side = 3001 if dim == 1 else 401
    with torch.no_grad():
        axes = [m + torch.linspace(-12, 12, side).double() * s for m, s in zip(q.mean[0], q.stddev[0], strict=True)]
        grid = torch.cartesian_prod(*axes).reshape(-1, 1, dim)
        cell = math.prod(float(axis[1] - axis[0]) for axis in axes)
        assert float(q.log_prob(grid).exp().sum()) * cell == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("name", [name for name in WITH_DENSITY if POSTERIORS[name].support == "sphere"])
@pytest.mark.parametrize("dim", [2, 3])
def test_density_on_the_sphere_integrates_to_one(name, dim):
    family = build(name, dim)
    angle = torch.arange(400).double() * (2 * math.pi / 400)
    x = torch.stack([angle.cos(), angle.sin()], -1)
    weight = torch.full((400,), 2 * math.pi / 400).double()
    if dim == 3:
        height, area = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(200))
        ring = (1 - height.square()).sqrt()[:, None, None] * x
        x = torch.cat([ring, height[:, None, None].expand(200, 400, 1)], -1).reshape(-1, 3)
        weight = (area[:, None] * weight).flatten()
    # In this shape the batch is the data's, and the points are samples.
    density = family(parameters(family, dim), 1).log_prob(x.unsqueeze(1)).exp()
    torch.testing.assert_close((weight[:, None] * density).sum(0), torch.ones(BATCH).double(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize("size", [1e-8, 1.0, 30.0])
def test_far_out_values_and_gradients_are_finite_in_float32(name, size):
    family = build(name, dtype=torch.float32)
    # All signs of all parts of the output.
    signs = torch.where(torch.rand(64, family.width(DIM)) < 0.5, -1.0, 1.0)
    leaf = (size * signs).requires_grad_()
    q, prior = family(leaf, 1), prior_of(family, 1, batch=64, dtype=torch.float32)
    z = q.rsample((8,))
    terms = [z, q.mean]
    if family.variational:
        terms += [q.stddev, q.log_prob(z), prior.log_prob(z)]
        if family.analytic_kl:
            assert bool((kl_divergence(q, prior) >= 0).all())
    if family.analytic_kl:
        terms.append(kl_divergence(q, prior))
    for term in terms:
        assert term.dtype == torch.float32
        assert bool(term.isfinite().all())
    sum((term * torch.rand_like(term)).sum() for term in terms).backward()
    assert bool(leaf.grad.isfinite().all())
    assert all(bool(weight.grad.isfinite().all()) for weight in weights(family))


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_importance_weighted_bounds_rise_towards_the_evidence(name):
    family, dim, runs = build(name, 2), 2, 1000
    leaf = 0.3 * parameters(family, dim, batch=3).detach()
    q, prior = family(leaf, 1), prior_of(family, 1, dim, batch=3)
    w = torch.randn(5, dim, dtype=torch.float64)
    x = torch.randn(3, 5, dtype=torch.float64)

    def likelihood(z):
        return diagonal_normal(z @ w.T, torch.ones(5).double().expand(*z.shape[:-1], 5), 1)

    with torch.no_grad():
        # Many draws from the prior: for 3 data and 2 dimensions good to a few thousandths.
        z = prior.sample((400_000,))
        evidence = torch.logsumexp(likelihood(z).log_prob(x), 0) - math.log(len(z))
        means, errors = [], []
        for samples in (1, 5, 50):
            terms = bound(q, prior, likelihood, x, samples * runs, analytic=False)
            groups = [term.reshape(samples, runs, 3) for term in (terms.log_likelihood, terms.kl)]
            values = Bound(*groups, terms.z).iwae()
            assert bool(values.isfinite().all())
            means.append(values.sum(-1).mean())
            errors.append(values.sum(-1).std() / runs**0.5)
    for few, many, error in zip(means, means[1:], errors, strict=False):
        assert float(few + 4 * error) < float(many)
    assert float(means[-1]) < float(evidence.sum()) + 4 * float(errors[-1]) + 0.02
    assert float(evidence.sum() - means[-1]) < 0.2 * float(evidence.sum() - means[0])


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_a_sampled_bound_reaches_every_weight(name):
    family = build(name)
    leaf = parameters(family)
    x = torch.randn(BATCH, DIM, dtype=torch.float64)
    terms = bound(
        family(leaf, 1), prior_of(family, 1), lambda z: diagonal_normal(z, torch.ones_like(z), 1), x, 3, analytic=False
    )
    terms.iwae().sum().backward()
    assert bool((leaf.grad != 0).all())
    assert all(bool((weight.grad != 0).any()) for weight in weights(family))
