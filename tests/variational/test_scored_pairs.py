"""Likelihoods of any score: memory of one tile, randomness drawn once, directions. Sums of every decoder: contract/."""

from __future__ import annotations

import torch

from graphvae.training.randomness import seeded
from graphvae.variational.scored_pairs import ScoredPairs


class Product:
    """An inner product; counts the largest block it was asked for."""

    def __init__(self) -> None:
        self.largest = 0

    def of_pairs(self, u, v):
        return (u * v).sum(-1)

    def of_block(self, a, b):
        self.largest = max(self.largest, a.shape[-2] * b.shape[-2])
        return a @ b.mT


class Noisy(Product):
    def of_block(self, a, b):
        s = super().of_block(a, b)
        return s * torch.rand_like(s)


def test_no_block_is_larger_than_a_tile():
    score = Product()
    z = torch.randn(50, 3, requires_grad=True)
    ScoredPairs(z, score, block=8).log_prob(torch.tensor([[0], [1]])).backward()
    assert score.largest == 64
    assert z.grad.abs().sum() > 0


def test_a_tile_that_is_computed_again_draws_the_same():
    """Value and gradient belong to one draw: a step along the gradient, with the same draws, changes it as it says."""

    def value(z):
        with seeded(4):
            return ScoredPairs(z, Noisy(), block=5).ordered_softplus_sum()

    z = torch.randn(12, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    with seeded(4):
        start = ScoredPairs(z, Noisy(), block=5).ordered_softplus_sum()
    start.backward()
    step = 1e-6 * z.grad
    rise = float((value((z + step).detach()) - value((z - step).detach())) / 2)
    assert abs(rise / float((step * z.grad).sum()) - 1) < 1e-4


def test_without_gradients_the_value_is_the_same():
    z = torch.randn(11, 2, dtype=torch.float64, requires_grad=True)
    likelihood = ScoredPairs(z, Product(), block=4)
    with torch.no_grad():
        plain = likelihood.ordered_softplus_sum()
    torch.testing.assert_close(likelihood.ordered_softplus_sum().detach(), plain)
