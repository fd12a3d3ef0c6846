"""Scores of pairs: dropout of the network, where intercepts start, positive rates, and refusals. Sums: contract/."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from graphvae._check import InputError
from graphvae.nn import BernoulliPoissonDecoder, BilinearDecoder, DistanceDecoder, MLPDecoder
from graphvae.training.randomness import seeded

EVERY = [BernoulliPoissonDecoder, BilinearDecoder, DistanceDecoder, MLPDecoder]


def test_the_network_drops_hidden_units_in_training_alone():
    z, pairs = torch.randn(6, 3), torch.triu_indices(6, 6, 1)
    decoder = MLPDecoder(16, dropout=0.5).build(latent_dim=3, likelihood_based=False, density=0.1)
    with seeded(0), torch.no_grad():
        assert not torch.equal(decoder(z).logits(pairs), decoder(z).logits(pairs))
        draws = torch.stack([decoder(z).logits(pairs) for _ in range(2000)])
        decoder.eval()
        exact = decoder(z).logits(pairs)
    assert torch.equal(decoder(z).logits(pairs), exact)
    assert ((draws.mean(0) - exact).abs() < 5 * draws.std(0) / 2000**0.5).all()


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(("likelihood_based", "expected"), [(True, 0.02), (False, 0.5)])
def test_two_draws_of_the_prior_start_near_the_odds_of_the_objective(kind, likelihood_based, expected):
    with seeded(3):
        decoder = kind().build(latent_dim=16, likelihood_based=likelihood_based, density=0.02).eval()
        z = torch.randn(400, 16)
        logits = decoder.requires_grad_(False)(z).logits(torch.randint(400, (2, 4000)))
    assert float(logits.median()) == pytest.approx(math.log(expected / (1 - expected)), abs=1.5)


def test_a_rate_is_positive_whatever_z_is():
    decoder = BernoulliPoissonDecoder().build(latent_dim=2, likelihood_based=True, density=0.1).requires_grad_(False)
    z = torch.tensor([[-30.0, -30.0], [30.0, -3.0], [0.0, 0.0]])
    p = torch.sigmoid(decoder.double()(z.double()).block_logits(slice(0, 3), slice(0, 3))).numpy()
    assert (p > 0).all()
    rate = -np.log1p(-np.minimum(p, 1 - 1e-16))
    scale, base = float(decoder.log_scale.exp()), float(decoder.intercept.exp())
    assert rate[2, 2] == pytest.approx(2 * (scale * math.log(2)) ** 2 + base, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MLPDecoder(0), "width"),
        (lambda: MLPDecoder(dropout=1.0), "dropout"),
        (lambda: DistanceDecoder(0.0), "initial_scale"),
        (lambda: BilinearDecoder("one"), "initial_scale"),
        (lambda: BernoulliPoissonDecoder(-1.0), "initial_scale"),
    ],
)
def test_bad_settings_are_refused(make, name):
    with pytest.raises(InputError, match=name):
        make()
