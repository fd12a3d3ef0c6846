"""What the numbers of a network mean in each posterior family."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import kl_divergence

from graphvae.variational.bound import bound
from graphvae.variational.distributions import MAX_LOG_SCALE, MIN_LOG_SCALE, diagonal_normal
from graphvae.variational.posteriors import FullGaussianPosterior, GaussianPosterior, PointPosterior


def test_second_half_is_log_sigma_not_log_variance():
    q = GaussianPosterior()(torch.tensor([[1.0, 2.0, math.log(3.0), math.log(0.5)]]), event_dim=1)
    torch.testing.assert_close(q.mean, torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(q.stddev, torch.tensor([[3.0, 0.5]]))
    prior = diagonal_normal(torch.zeros(1, 2), torch.ones(1, 2), 1)
    by_hand = 0.5 * sum(m**2 + s**2 - 1 - 2 * math.log(s) for m, s in ((1.0, 3.0), (2.0, 0.5)))
    torch.testing.assert_close(kl_divergence(q, prior), torch.tensor([by_hand]))


def test_log_sigma_is_bounded_where_float32_holds_its_divergence():
    q = GaussianPosterior()(torch.tensor([0.0, 0.0, 50.0, -50.0]), event_dim=1)
    torch.testing.assert_close(q.stddev.log(), torch.tensor([MAX_LOG_SCALE, MIN_LOG_SCALE]))
    prior = diagonal_normal(torch.zeros(2), torch.ones(2), 1)
    assert torch.isfinite(kl_divergence(q, prior))


def test_point_takes_all_numbers_as_its_place():
    parameters = torch.randn(4, 3)
    assert torch.equal(PointPosterior()(parameters, event_dim=2).mean, parameters)


def test_zeros_mean_the_prior_it_is_taken_around():
    prior = diagonal_normal(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.1, 5.0]]), 1)
    q = GaussianPosterior()(torch.zeros(1, 4), 1, around=prior)
    torch.testing.assert_close(kl_divergence(q, prior), torch.zeros(1))
    assert torch.equal(PointPosterior()(torch.zeros(1, 2), 1, around=prior).mean, prior.mean)
    q = FullGaussianPosterior()(torch.zeros(1, 5), 1, around=prior)
    torch.testing.assert_close(kl_divergence(q, prior), torch.zeros(1))


def test_the_full_factor_row_by_row():
    log_scale = torch.tensor([2.0, 3.0, 5.0]).log()
    q = FullGaussianPosterior()(torch.tensor([7.0, 8.0, 9.0, *log_scale, 0.1, 0.2, 0.3]), event_dim=1)
    torch.testing.assert_close(q.mean, torch.tensor([7.0, 8.0, 9.0]))
    torch.testing.assert_close(q.scale_tril, torch.tensor([[2.0, 0.0, 0.0], [0.3, 3.0, 0.0], [1.0, 1.5, 5.0]]))


@pytest.mark.parametrize("dim", [1, 2, 3, 16, 33])
def test_without_correlations_the_full_gaussian_is_the_diagonal_one(dim):
    family = FullGaussianPosterior()
    assert family.width(dim) == dim + dim * (dim + 1) // 2
    parameters = torch.zeros(2, family.width(dim))
    parameters[:, : 2 * dim] = torch.randn(2, 2 * dim, generator=torch.Generator().manual_seed(0))
    q, plain = family(parameters, 1), GaussianPosterior()(parameters[:, : 2 * dim], 1)
    torch.testing.assert_close(q.mean, plain.mean)
    torch.testing.assert_close(q.stddev, plain.stddev)
    torch.testing.assert_close(q.entropy(), plain.entropy())


def test_on_probabilistic_pca_with_its_posterior_every_bound_is_the_evidence():
    """``z ~ N(0, I)``, ``x ~ N(W z, s² I)``; W's columns are not orthogonal, so the posterior is correlated."""
    rng, noise = np.random.default_rng(0), 0.3
    w, x = rng.normal(size=(6, 3)), rng.normal(size=(4, 6)) * 1.5
    evidence = scipy.stats.multivariate_normal(np.zeros(6), w @ w.T + noise**2 * np.eye(6)).logpdf(x)
    covariance = noise**2 * np.linalg.inv(w.T @ w + noise**2 * np.eye(3))
    mean, factor = x @ w @ covariance / noise**2, np.linalg.cholesky(covariance)
    scale = np.diag(factor)
    rho = (factor / scale[:, None])[np.tril_indices(3, -1)]
    parameters = torch.from_numpy(np.concatenate([mean, np.tile(np.r_[np.log(scale), rho], (4, 1))], 1))

    def likelihood(z):
        loc = z @ torch.from_numpy(w).T
        return diagonal_normal(loc, torch.full_like(loc, noise), 1)

    q = FullGaussianPosterior()(parameters, event_dim=1)
    prior = diagonal_normal(torch.zeros(4, 3).double(), torch.ones(4, 3).double(), 1)
    terms = bound(q, prior, likelihood, torch.from_numpy(x), 9, analytic=False)
    np.testing.assert_allclose(terms.elbo(), evidence, rtol=0, atol=1e-10)
    np.testing.assert_allclose(terms.iwae(), evidence, rtol=0, atol=1e-10)
    np.testing.assert_allclose(terms.effective_sample_size(), 9, rtol=1e-10)
    # The best diagonal posterior has the precisions' diagonal, and its bound lies lower by their divergence.
    log_scale = -0.5 * np.log(np.diag(np.linalg.inv(covariance)))
    best = GaussianPosterior()(torch.from_numpy(np.concatenate([mean, np.tile(log_scale, (4, 1))], 1)), 1)
    terms = bound(best, prior, likelihood, torch.from_numpy(x), 20_000)
    error = terms.log_likelihood.std(0).max() / 20_000**0.5
    gap = np.log(scale).sum() - log_scale.sum()
    assert gap > 0.1
    np.testing.assert_allclose(evidence - terms.elbo().numpy(), gap, rtol=0, atol=5 * float(error))
