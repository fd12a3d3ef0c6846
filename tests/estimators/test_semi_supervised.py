"""M2: labels where there are any, all classes where there are none, and what few labels are worth with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

from graphvae._check import InputError
from graphvae.data.registry import load_images
from graphvae.estimators.autoencoders import VAE
from graphvae.estimators.semi_supervised import SemiSupervisedVAE
from graphvae.nn.dense import ImageInputs
from graphvae.training.randomness import seeded
from graphvae.variational.bound import bound
from graphvae.variational.observations import GaussianObservation

SMALL = {"latent_dim": 3, "hidden_dims": (32,), "epochs": 3, "batch_size": 64}


@pytest.fixture(scope="module")
def digits():
    images = load_images("digits").flat()
    return images.x.numpy(), images.y.numpy()


def few_labels(y: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """``y`` with all but ``per_class`` labels of each class at -1."""
    rng, labels = np.random.default_rng(seed), np.full(len(y), -1)
    for k in np.unique(y):
        labels[rng.choice(np.flatnonzero(y == k), per_class, replace=False)] = k
    return labels


@pytest.fixture(scope="module")
def model(digits):
    x, y = digits[0][:600], digits[1][:600]
    return SemiSupervisedVAE(4, hidden_dims=(64,), epochs=15, batch_size=64, learning_rate=3e-3).fit(
        x, few_labels(y, 20, 0)
    )


def test_prediction_is_a_classifier_s(model, digits):
    x, y = digits[0][600:900], digits[1][600:900]
    probability = model.predict_proba(x)
    assert probability.shape == (300, 10)
    assert probability.dtype == np.float64
    np.testing.assert_allclose(probability.sum(1), 1, atol=1e-6)
    predicted = model.predict(x)
    np.testing.assert_array_equal(predicted, model.classes_[probability.argmax(1)])
    assert model.classes_.tolist() == list(range(10))
    assert predicted.dtype == y.dtype
    assert model.score(x, y) == pytest.approx(accuracy_score(y, predicted))
    assert model.score(x, y) > 0.8


def test_labels_that_are_missing_are_summed_out_exactly(model, digits):
    """A step's bound, class by class, against the definition."""
    x, module = torch.from_numpy(digits[0][:6]), model.module_
    with torch.no_grad(), seeded(0):
        together = SemiSupervisedVAE._joint_bounds(module, model.options_, x, 10, 1.0)
    assert together.shape == (10, 6)
    # The same noise, drawn for all classes at once, in the order of the classes.
    with torch.no_grad(), seeded(0):
        noise = torch.randn(60, 4).view(10, 6, 4)
    for k in range(10):
        condition = torch.eye(10)[[k]].expand(6, 10)
        with torch.no_grad():
            q, p = module(ImageInputs(x, condition))
            terms = bound(q, p, lambda z, given=condition: module.decode(z, given), x)
            z = q.mean + q.stddev * noise[k]
            expected = module.decode(z, condition).log_prob(x) - terms.kl[0] - math.log(10)
        torch.testing.assert_close(together[k], expected, rtol=1e-4, atol=1e-3)


def test_stacked_on_the_latents_of_another_model_it_is_a_pipeline(digits):
    x, y = digits[0], np.where(np.arange(len(digits[1])) < 100, digits[1], -1)
    stack = make_pipeline(VAE(8, epochs=10), SemiSupervisedVAE(4, likelihood=GaussianObservation(1.0), epochs=20))
    assert stack.fit(x, y).score(x, digits[1]) > 0.6
    assert stack.predict_proba(x[:3]).shape == (3, 10)


@pytest.mark.parametrize("posterior", ["full-gaussian", "hyperspherical", "flow"])
def test_every_posterior_with_a_density(digits, posterior):
    y = np.where(np.arange(len(digits[1])) < 100, digits[1], -1)
    small = SemiSupervisedVAE(4, hidden_dims=(16,), posterior=posterior, kl_warmup=2, epochs=3).fit(digits[0], y)
    assert np.isfinite(small.elbo(digits[0][:5])).all()
    # log p(x) is at least its bound, but for the noise of the draws.
    assert (small.log_marginal(digits[0][:5], samples=200) > small.elbo(digits[0][:5], samples=64) - 1).all()


def test_a_point_posterior_is_refused(digits):
    with pytest.raises(InputError, match="posterior='point': expected one with a density"):
        SemiSupervisedVAE(posterior="point").fit(*digits)


def test_the_bound_without_labels(model, digits):
    x, y = digits[0][:40], digits[1][:40]
    q = model.predict_proba(x)
    by_class = np.stack([model.elbo(x, k, samples=4) for k in range(10)], 1) - math.log(10)
    entropy = -(q * np.log(np.clip(q, 1e-300, None))).sum(1)
    elbo, log_likelihood, kl = model.elbo_terms(x, samples=4)
    np.testing.assert_allclose(elbo, (q * by_class).sum(1) + entropy, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(log_likelihood - kl, elbo)
    np.testing.assert_array_equal(model.elbo(x, samples=4), elbo)
    assert (kl > 0).all()
    # Summed out exactly: log p(x) is the log of the mean over classes of p(x|y).
    marginal = model.log_marginal(x, samples=50)
    each = np.stack([model.log_marginal(x, k, samples=50) for k in range(10)])
    np.testing.assert_allclose(marginal, np.log(np.exp(each - each.max(0)).mean(0)) + each.max(0))
    assert marginal.mean() > elbo.mean()
    assert (marginal <= model.log_marginal(x, y, samples=50).max() + each.max()).all()


def test_what_needs_no_class_does_without(model, digits):
    x = digits[0][:30]
    predicted = model.predict(x)
    np.testing.assert_array_equal(model.transform(x), model.transform(x, predicted))
    np.testing.assert_array_equal(model.reconstruct(x), model.reconstruct(x, predicted))
    drawn = model.sample(200, seed=1)
    assert drawn.shape == (200, 64)
    np.testing.assert_array_equal(drawn, model.sample(200, seed=1))
    # Of all classes alike.
    counts = np.bincount(model.predict(model.sample(1000, seed=2, mean=True)), minlength=10)
    assert counts.min() > 10
    assert (model.predict(model.sample(50, y=6, mean=True)) == 6).mean() > 0.5
    with pytest.raises(InputError, match="y=None: this model is conditional"):
        model.inverse_transform(np.zeros((2, 4)))


def test_unlabelled_data_change_the_model_and_labels_do_too(digits):
    x, y = digits[0][:200], digits[1][:200]
    labels = few_labels(y, 5, 1)
    known = labels >= 0
    fits = [
        SemiSupervisedVAE(**SMALL).fit(x, labels),
        SemiSupervisedVAE(**SMALL).fit(x[known], labels[known]),
        SemiSupervisedVAE(**SMALL).fit(x, y),
        SemiSupervisedVAE(**SMALL).fit(torch.from_numpy(x), torch.from_numpy(labels)),
    ]
    probabilities = [fit.predict_proba(x) for fit in fits]
    assert not np.allclose(probabilities[0], probabilities[1])
    assert not np.allclose(probabilities[0], probabilities[2])
    np.testing.assert_array_equal(probabilities[0], probabilities[3])
    assert set(fits[0].history_[0]) == {"epoch", "loss", "bound", "cross_entropy"}
    last = fits[0].history_[-1]
    assert last["loss"] == pytest.approx(10 * last["cross_entropy"] - last["bound"], rel=1e-5)


@pytest.mark.parametrize("names", [[3, 8], [-5, 0], [1.0, 2.0], [True, False]])
def test_classes_of_any_kind(digits, names):
    x = digits[0][:60]
    labels = np.array(names)[np.arange(60) % 2]
    # There is no -1 among booleans.
    given = labels if labels.dtype == bool else np.where(np.arange(60) < 20, labels, -1)
    model = SemiSupervisedVAE(**SMALL).fit(x, given)
    assert model.classes_.tolist() == sorted(names)
    assert set(model.predict(x).tolist()) <= set(names)


def test_refusals(digits):
    x, y = digits[0][:60], digits[1][:60]
    for labels, message in [
        (None, "y=None: a semi-supervised model expects"),
        (np.full(60, -1), "y labels 0 class"),
        (np.where(y == 3, 3, -1), "y labels 1 class"),
        (y[:59], "y has 59 entries"),
    ]:
        with pytest.raises(InputError, match=message):
            SemiSupervisedVAE(**SMALL).fit(x, labels)
    with pytest.raises(ValueError, match="continuous"):
        SemiSupervisedVAE(**SMALL).fit(x, np.linspace(0, 1, 60))
    for weight in (-1.0, math.nan, "much"):
        with pytest.raises(InputError, match="classifier_weight="):
            SemiSupervisedVAE(**SMALL, classifier_weight=weight).fit(x, y)
    fitted = SemiSupervisedVAE(**SMALL).fit(x, y)
    with pytest.raises(InputError, match="y contains -1: expected classes among"):
        fitted.elbo(x, np.full(60, -1))


@pytest.mark.parametrize("binarize", ["threshold", "stochastic"])
def test_the_classifier_sees_what_the_bound_sees(digits, binarize):
    x, y = digits[0][:200], digits[1][:200]
    model = SemiSupervisedVAE(**SMALL, likelihood="bernoulli", binarize=binarize).fit(x, few_labels(y, 10, 0))
    if binarize == "threshold":
        np.testing.assert_array_equal(model.predict_proba(x), model.predict_proba((x > 0.5).astype(np.float32)))
    assert np.isfinite(model.elbo(x[:5])).all()


def test_ten_labels_a_class_are_worth_more_with_the_unlabelled_data(digits):
    x, y = digits
    held = np.random.default_rng(0).permutation(len(x))
    train, test = held[:800], held[800:]
    labels = few_labels(y[train], 10, 0)
    known = labels >= 0
    alone = LogisticRegression(max_iter=2000).fit(x[train][known], labels[known]).score(x[test], y[test])
    model = SemiSupervisedVAE(
        8, hidden_dims=(128,), epochs=30, learning_rate=2e-3, likelihood=GaussianObservation(0.3)
    ).fit(x[train], labels)
    assert model.score(x[test], y[test]) > alone


@pytest.mark.slow
def test_ten_labels_a_class_over_seeds(digits):
    x, y = digits
    gains = []
    for seed in range(3):
        held = np.random.default_rng(seed).permutation(len(x))
        train, test = held[:1437], held[1437:]
        labels = few_labels(y[train], 10, seed)
        known = labels >= 0
        alone = LogisticRegression(max_iter=2000).fit(x[train][known], labels[known]).score(x[test], y[test])
        likelihood = GaussianObservation(0.3)
        model = SemiSupervisedVAE(likelihood=likelihood, epochs=100, seed=seed).fit(x[train], labels)
        gains.append(model.score(x[test], y[test]) - alone)
    assert min(gains) > 0
    assert np.mean(gains) > 0.02
