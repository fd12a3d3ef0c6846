"""Optimisation per datum: towards the exact posterior, never below where it starts, blind to what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphvae._check import InputError
from graphvae.data.registry import load_images
from graphvae.estimators.autoencoders import VAE
from graphvae.estimators.refinement import MaskedLikelihood, refine
from graphvae.nn.dense import ImageInputs
from graphvae.training.randomness import seeded
from graphvae.variational.bound import bound
from graphvae.variational.distributions import diagonal_normal


@pytest.fixture(scope="module")
def digits():
    x = load_images("digits").unflat().x.numpy()
    return x[np.random.default_rng(0).permutation(len(x))]


@pytest.fixture(scope="module")
def model(digits):
    return VAE(8, hidden_dims=(128,), epochs=30, batch_size=64, learning_rate=3e-3).fit(digits[:1000])


def test_the_amortisation_gap_is_not_negative(model, digits):
    x = torch.from_numpy(digits[1000:1100]).flatten(1)
    module = model.module_
    posterior, prior = module(ImageInputs(x))
    gradients = [p.grad.clone() for p in module.parameters()]
    better = refine(posterior, prior, module.decode, x, steps=150)
    with torch.no_grad(), seeded(1):
        before = bound(posterior, prior, module.decode, x, 200).elbo()
        after = bound(better, prior, module.decode, x, 200).elbo()
        weighted = bound(better, prior, module.decode, x, 200, analytic=False).iwae()
    gap = (after - before).numpy()
    assert gap.mean() > 0.3
    assert (gap > -0.3).all()
    # It stays a bound.
    assert float(after.mean()) < float(weighted.mean())
    # As a proposal it is no worse than the encoder's.
    assert float(weighted.mean()) > model.log_marginal(digits[1000:1100], samples=200).mean()
    # The networks are not trained, nor are gradients left in them.
    assert all(torch.equal(p.grad, before) for p, before in zip(module.parameters(), gradients, strict=True))


def test_it_finds_the_exact_posterior_of_a_linear_model():
    with seeded(0):
        w = torch.linalg.qr(torch.randn(5, 2))[0] * torch.tensor([2.0, 0.7])
        x = torch.randn(4, 5)
    prior = diagonal_normal(torch.zeros(4, 2), torch.ones(4, 2), 1)
    likelihood = lambda z: diagonal_normal(z @ w.T, torch.full((*z.shape[:-1], 5), 0.5), 1)
    found = refine(prior, prior, likelihood, x, steps=600, learning_rate=0.02, samples=32)
    precision = 1 + w.square().sum(0) / 0.25
    torch.testing.assert_close(found.mean, x @ w / 0.25 / precision, atol=0.05, rtol=0)
    torch.testing.assert_close(found.stddev, precision.rsqrt().expand(4, 2), atol=0, rtol=0.1)


def test_no_random_state_is_touched_and_seeds_decide():
    prior = diagonal_normal(torch.zeros(2, 1), torch.ones(2, 1), 1)
    likelihood = lambda z: diagonal_normal(z, torch.ones_like(z), 1)
    means = []
    for seed in (0, 0, 1):
        state = torch.get_rng_state()
        with torch.no_grad():
            means.append(refine(prior, prior, likelihood, torch.ones(2, 1), steps=5, seed=seed).mean)
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(1)
    assert torch.equal(means[0], means[1])
    assert not torch.equal(means[0], means[2])
    assert not means[0].requires_grad


def test_a_masked_likelihood_is_that_of_the_observed_values():
    with seeded(0):
        mean, x = torch.randn(3, 2, 4), torch.randn(2, 4)
    observed = torch.tensor([[True, False, True, True], [False, False, False, True]])
    p = diagonal_normal(mean, torch.full_like(mean, 0.5), 1)
    value = MaskedLikelihood(p, observed).log_prob(torch.where(observed, x, torch.tensor(float("nan"))))
    by_hand = torch.stack([p.base_dist.log_prob(x)[:, i, observed[i]].sum(-1) for i in range(2)], 1)
    torch.testing.assert_close(value, by_hand)


@pytest.fixture(scope="module")
def holes(digits):
    """Test images with a patch of 3 x 8 missing, and the mask."""
    x = digits[1000:1080]
    mask = np.zeros_like(x, dtype=bool)
    mask[:, :, 3:6, :] = True
    return x, mask


def test_imputation_beats_the_mean_and_keeps_what_is_known(model, digits, holes):
    x, mask = holes
    filled = model.impute(np.where(mask, np.nan, x), mask)
    assert filled.shape == x.shape
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled[~mask], x[~mask])
    mean = np.broadcast_to(digits[:1000].mean(0), x.shape)
    error, of_mean = (((guess - x)[mask] ** 2).mean() for guess in (filled, mean))
    assert error < 0.7 * of_mean


def test_masked_values_are_not_read(model, holes):
    x, mask = holes[0][:5], holes[1][:5]
    expected = model.impute(np.where(mask, 0, x), mask, steps=10)
    for other in (np.nan, np.inf, -1e30, 0.5):
        np.testing.assert_array_equal(model.impute(np.where(mask, other, x), mask, steps=10), expected)
    np.testing.assert_array_equal(
        model.impute(np.where(mask, np.nan, x).reshape(5, 64), mask.reshape(5, 64), steps=10),
        expected.reshape(5, 64),
    )


def test_imputation_does_not_train_the_model(model, holes):
    before = [p.clone() for p in model.module_.parameters()]
    model.impute(*(part[:3] for part in holes), steps=5)
    assert all(torch.equal(a, b) for a, b in zip(before, model.module_.parameters(), strict=True))


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli"])
def test_imputation_under_other_likelihoods(digits, holes, likelihood):
    binarize = "threshold" if likelihood == "bernoulli" else None
    vae = VAE(4, hidden_dims=(32,), epochs=5, likelihood=likelihood, binarize=binarize).fit(digits[:500])
    x, mask = holes
    filled = vae.impute(np.where(mask, np.nan, x)[:10], mask[:10], steps=20)
    assert np.isfinite(filled).all()
    assert 0 <= filled.min() <= filled.max() <= 1
    np.testing.assert_array_equal(filled[~mask[:10]], x[:10][~mask[:10]])


def test_refusals(model, holes):
    x, mask = holes
    with pytest.raises(InputError, match=r"mask has shape \(3, 1, 8, 8\): expected that of X"):
        model.impute(x, mask[:3])
    with pytest.raises(InputError, match="steps=0"):
        model.impute(x, mask, steps=0)
    with pytest.raises(ValueError, match="NaN"):
        model.impute(np.where(mask, np.nan, x), np.zeros_like(mask))
