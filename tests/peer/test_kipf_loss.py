"""The ``kipf`` objective is the loss of the authors' code (github.com/tkipf/gae, optimizer.py), in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from graphvae.training.objectives import OBJECTIVES
from graphvae.variational.bound import bound
from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.likelihoods import PairwiseBernoulli


def weighted_cross_entropy_with_logits(targets: np.ndarray, logits: np.ndarray, pos_weight: float) -> np.ndarray:
    """TensorFlow's formula, as its documentation gives it."""
    weight = 1 + (pos_weight - 1) * targets
    return (1 - targets) * logits + weight * (np.log1p(np.exp(-np.abs(logits))) + np.maximum(-logits, 0))


def published_loss(adjacency: np.ndarray, logits: np.ndarray, mean: np.ndarray, log_std: np.ndarray) -> float:
    """``OptimizerVAE``: norm * mean(weighted cross-entropy over A + I) - kl."""
    n = len(adjacency)
    ones = adjacency.sum()
    pos_weight = (n * n - ones) / ones
    norm = n * n / ((n * n - ones) * 2)
    cost = norm * weighted_cross_entropy_with_logits(adjacency + np.eye(n), logits, pos_weight).mean()
    kl = (0.5 / n) * np.mean(np.sum(1 + 2 * log_std - np.square(mean) - np.square(np.exp(log_std)), 1))
    return cost - kl


def graph(n: int, p: float, rng: np.random.Generator) -> np.ndarray:
    a = np.triu(rng.random((n, n)) < p, 1).astype(float)
    a[0, 1] = 1
    return a + a.T


@pytest.mark.parametrize(
    ("n", "d", "p", "spread"), [(2, 1, 0.0, 1.0), (9, 2, 0.3, 1.0), (40, 16, 0.05, 3.0), (30, 3, 0.9, 1)]
)
def test_loss_is_the_published_one(n, d, p, spread):
    rng = np.random.default_rng(n)
    adjacency = graph(n, p, rng)
    mean, log_std = rng.normal(size=(n, d)) * spread, rng.normal(size=(n, d)) * 0.5
    q = diagonal_normal(torch.tensor(mean), torch.tensor(log_std).exp(), 2)
    prior = diagonal_normal(torch.zeros(n, d).double(), torch.ones(n, d).double(), 2)
    objective = OBJECTIVES["kipf"]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        edges = torch.tensor(adjacency).nonzero().T
        terms = bound(q, prior, lambda z: objective.reconstruct(PairwiseBernoulli(z)), edges)
    ours = float(objective.loss(terms.log_likelihood.mean(), terms.kl.mean(), n))
    z = terms.z[0].numpy()
    assert ours == pytest.approx(published_loss(adjacency, z @ z.T, mean, log_std), rel=1e-9, abs=1e-9)
    assert not objective.is_bound


def test_gradient_is_that_of_the_dense_loss():
    rng = np.random.default_rng(5)
    adjacency = torch.tensor(graph(25, 0.2, rng))
    z = torch.tensor(rng.normal(size=(25, 4)), requires_grad=True)
    scale, bias = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.8, -0.3))
    likelihood = OBJECTIVES["kipf"].reconstruct(PairwiseBernoulli(z, scale, bias, block=7))
    ours = torch.autograd.grad(-likelihood.log_prob(adjacency.nonzero().T) / 625, [z, scale, bias])

    ones = adjacency.sum()
    dense = F.binary_cross_entropy_with_logits(
        z @ z.T * scale + bias, adjacency + torch.eye(25), pos_weight=(625 - ones) / ones
    )
    theirs = torch.autograd.grad(625 / (2 * (625 - ones)) * dense, [z, scale, bias])
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
