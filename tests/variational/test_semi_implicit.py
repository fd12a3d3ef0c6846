"""Semi-implicit posteriors: their surrogate density against quadrature over the noise, and the bounds made of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

import graphvae as gv
from graphvae._check import InputError
from graphvae.training.randomness import seeded
from graphvae.variational.bound import Bound, bound
from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.posteriors import GaussianPosterior
from graphvae.variational.semi_implicit import SemiImplicit, SemiImplicitPosterior

LOC, SCALE = 0.3, 0.4


@pytest.fixture(autouse=True)
def _fixed_seed():
    with seeded(3):
        yield


class Bend(nn.Module):
    """``1.5 sin(2 eps)``, whatever the context: two modes far apart."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1.5 * torch.sin(2 * x[..., 1:])


def bent(reverse: int) -> SemiImplicit:
    """One vector in one dimension with one dimension of noise."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return SemiImplicit(LOC * one, SCALE * one, 1.0, Bend(), one, 1, reverse, 2)


def quadrature_density(z: np.ndarray) -> np.ndarray:
    """``E_eps N(z; psi, scale²)`` on a fine grid of the noise."""
    eps = np.linspace(-8, 8, 4001)
    weight = norm.pdf(eps) * (eps[1] - eps[0])
    return norm.pdf(z[:, None], LOC + 1.5 * np.sin(2 * eps), SCALE) @ weight


def draws_and_surrogates(reverse: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        q = bent(reverse)
        z = q.rsample((count,))
        return z, q.log_prob(z)


def test_the_surrogate_is_above_the_density_and_falls_to_it_as_k_grows():
    grid = np.linspace(-4, 5, 3001)
    q = quadrature_density(grid)
    entropy = -(q * np.log(q)).sum() * (grid[1] - grid[0])
    means, errors = [], []
    for reverse in (0, 1, 5, 25, 500):
        count = 4000 if reverse == 500 else 20_000
        _, surrogate = draws_and_surrogates(reverse, count)
        means.append(float(surrogate.mean()))
        errors.append(float(surrogate.std()) / math.sqrt(count))
    # K = 0 is the Gaussian's own density, whatever psi.
    assert means[0] == pytest.approx(-0.5 * math.log(2 * math.pi * math.e * SCALE**2), abs=5 * errors[0])
    for more, less, error in zip(means[:4], means[1:4], errors, strict=False):
        assert more > less + 6 * error
    assert means[-1] == pytest.approx(-entropy, abs=5 * errors[-1] + 0.01)
    assert all(mean > -entropy - 5 * error for mean, error in zip(means, errors, strict=True))


def test_of_any_value_the_mixture_of_many_draws_is_the_density():
    z = torch.linspace(-2, 3, 11, dtype=torch.float64)
    with torch.no_grad():
        found = bent(20_000).log_prob(z.reshape(-1, 1, 1)).exp()
    np.testing.assert_allclose(found, quadrature_density(z.numpy()), atol=0.02)


def test_weights_made_of_the_surrogate_are_unbiased_for_every_k():
    """The evidence of a Gaussian model in one dimension, in closed form, is the mean of ``p(x, z) / q_K(z)``."""
    x = torch.full((1,), 0.8, dtype=torch.float64)
    likelihood = lambda z: diagonal_normal(z[..., 0], torch.full_like(z[..., 0], 0.7), 1)
    prior = diagonal_normal(torch.zeros(1, 1).double(), torch.ones(1, 1).double(), 2)
    for reverse in (0, 1, 7):
        with torch.no_grad():
            terms = bound(bent(reverse), prior, likelihood, x, 60_000, analytic=False)
        weight = (terms.log_likelihood - terms.kl).exp()
        error = float(weight.std()) / math.sqrt(len(weight))
        assert float(weight.mean()) == pytest.approx(norm.pdf(0.8, 0, math.sqrt(1 + 0.49)), abs=5 * error)


def test_the_surrogate_bound_grows_with_k_and_stays_below_the_evidence():
    x = torch.full((1,), 0.8, dtype=torch.float64)
    likelihood = lambda z: diagonal_normal(z[..., 0], torch.full_like(z[..., 0], 0.7), 1)
    prior = diagonal_normal(torch.zeros(1, 1).double(), torch.ones(1, 1).double(), 2)
    values, errors = [], []
    for reverse in (0, 2, 20, 200):
        count = 4000
        with torch.no_grad():
            terms: Bound = bound(bent(reverse), prior, likelihood, x, count, analytic=False)
        values.append(float(terms.elbo()))
        errors.append(float((terms.log_likelihood - terms.kl).std()) / math.sqrt(count))
    # The same seed draws the same z for none of them, so each difference has both errors.
    for less, more, a, b in zip(values, values[1:], errors, errors[1:], strict=False):
        assert more > less - 3 * math.hypot(a, b)
    assert values[-1] > values[0] + 5 * errors[0]
    assert values[-1] < norm.logpdf(0.8, 0, math.sqrt(1 + 0.49)) + 4 * errors[-1]


def test_without_noise_the_bound_is_the_gaussian_posterior_s():
    family = SemiImplicitPosterior(noise=3, context=4).build(2).double()
    for parameter in family.network[-1].parameters():
        torch.nn.init.zeros_(parameter)
    parameters = torch.randn(6, family.width(2), dtype=torch.float64)
    q, plain = family(parameters, 2), GaussianPosterior()(parameters[:, :4], 2)
    prior = diagonal_normal(torch.zeros(6, 2).double(), torch.ones(6, 2).double(), 2)
    target = torch.zeros(6, dtype=torch.float64)
    likelihood = lambda z: diagonal_normal(z.sum(-1), torch.ones_like(z[..., 0]), 1)
    with torch.no_grad():
        terms = bound(q, prior, likelihood, target, 5, analytic=False)
        # On the very same draws, term by term.
        torch.testing.assert_close(terms.kl, plain.log_prob(terms.z) - prior.log_prob(terms.z))
        torch.testing.assert_close(q.mean, plain.mean)
        torch.testing.assert_close(q.stddev, plain.stddev)
        many = bound(q, prior, likelihood, target, 20_000, analytic=False)
        closed = bound(plain, prior, likelihood, target, 20_000)
    error = float((many.log_likelihood - many.kl).std() + closed.log_likelihood.std()) / math.sqrt(20_000)
    assert float(many.elbo()) == pytest.approx(float(closed.elbo()), abs=5 * error)


def test_noise_of_a_node_reaches_no_other():
    family = SemiImplicitPosterior(noise=2, context=3).build(2)
    q = family(torch.randn(4, family.width(2)), 2)
    eps = torch.randn(4, 2, requires_grad=True)
    (grad,) = torch.autograd.grad(q._push(eps)[1].sum(), eps)
    assert grad[1].abs().sum() > 0
    assert not grad[[0, 2, 3]].any()


def test_a_model_has_its_network_in_the_encoder_and_comes_back_from_a_run_folder(tmp_path):
    graph = gv.load_graph("karate")
    model = gv.VGAE(4, posterior="semi-implicit", objective="elbo", kl_warmup=20, epochs=40).fit(graph)
    weights = dict(model.fitted.module.encoder.posterior.named_parameters())
    assert set(weights) == {"network.0.weight", "network.0.bias", "network.2.weight", "network.2.bias"}
    assert model.embed().scale.shape == (34, 4)
    assert np.isfinite(model.elbo())
    loaded = gv.load(model.save(tmp_path / "run"))
    assert np.array_equal(loaded.embed().vectors, model.embed().vectors)
    assert loaded.elbo(graph) == model.elbo()
    assert loaded.sample(source="posterior", seed=2).hash == model.sample(source="posterior", seed=2).hash
    assert model.log_marginal(samples=20).estimate > model.elbo() - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"noise": 0}, "noise=0"), ({"context": 0}, "context=0"), ({"reverse": -1}, "reverse=-1")],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        SemiImplicitPosterior(**options)


def test_what_cannot_be_done_says_so():
    with pytest.raises(InputError, match="has weights"):
        SemiImplicitPosterior()(torch.zeros(1, 20), 2)
    with pytest.raises(InputError, match="reverse=0"):
        bent(0).log_prob(torch.zeros(1, 1).double())
