"""What the numbers of a network mean in each posterior family."""

from __future__ import annotations

import math

import torch
from torch.distributions import kl_divergence

from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.posteriors import MAX_LOG_SCALE, GaussianPosterior, PointPosterior


def test_second_half_is_log_sigma_not_log_variance():
    q = GaussianPosterior()(torch.tensor([[1.0, 2.0, math.log(3.0), math.log(0.5)]]), event_dim=1)
    torch.testing.assert_close(q.mean, torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(q.stddev, torch.tensor([[3.0, 0.5]]))
    prior = diagonal_normal(torch.zeros(1, 2), torch.ones(1, 2), 1)
    by_hand = 0.5 * sum(m**2 + s**2 - 1 - 2 * math.log(s) for m, s in ((1.0, 3.0), (2.0, 0.5)))
    torch.testing.assert_close(kl_divergence(q, prior), torch.tensor([by_hand]))


def test_log_sigma_is_bounded_above_alone():
    q = GaussianPosterior()(torch.tensor([0.0, 0.0, 50.0, -50.0]).double(), event_dim=1)
    torch.testing.assert_close(q.stddev.log(), torch.tensor([MAX_LOG_SCALE, -50.0]).double())


def test_point_takes_all_numbers_as_its_place():
    parameters = torch.randn(4, 3)
    assert torch.equal(PointPosterior()(parameters, event_dim=2).mean, parameters)


def test_zeros_mean_the_prior_it_is_taken_around():
    prior = diagonal_normal(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.1, 5.0]]), 1)
    q = GaussianPosterior()(torch.zeros(1, 4), 1, around=prior)
    torch.testing.assert_close(kl_divergence(q, prior), torch.zeros(1))
    assert torch.equal(PointPosterior()(torch.zeros(1, 2), 1, around=prior).mean, prior.mean)
