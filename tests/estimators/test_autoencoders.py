"""AE, VAE and CVAE: what each has and has not, and what a conditional model learns of its classes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from graphvae._check import InputError
from graphvae.data.registry import load_images
from graphvae.estimators.autoencoders import AE, CVAE, VAE
from graphvae.estimators.image_estimator import ImageEstimator
from graphvae.estimators.semi_supervised import SemiSupervisedVAE

SMALL = {"latent_dim": 3, "hidden_dims": (32,), "epochs": 3, "batch_size": 64}


@pytest.fixture(scope="module")
def digits():
    images = load_images("digits").flat()
    return images.x.numpy(), images.y.numpy()


@pytest.fixture(scope="module")
def conditional(digits):
    x, y = digits
    return CVAE(6, hidden_dims=(128,), epochs=40, batch_size=64, learning_rate=3e-3).fit(x, y)


@pytest.mark.parametrize("estimator", [AE, VAE, CVAE, SemiSupervisedVAE])
def test_concrete_estimators_have_few_arguments_and_do_not_inherit_from_each_other(estimator):
    assert len(inspect.signature(estimator).parameters) <= 16
    concrete = [base for base in estimator.__mro__ if base in (AE, VAE, CVAE, SemiSupervisedVAE)]
    assert concrete == [estimator]
    assert issubclass(estimator, ImageEstimator)
    # Each argument is documented, and they share one meaning.
    for name, parameter in inspect.signature(estimator).parameters.items():
        assert f"        {name}: " in estimator.__doc__
        assert parameter.default is not inspect.Parameter.empty


def test_a_linear_auto_encoder_does_as_well_as_pca(digits):
    x = digits[0][:500]
    ae = AE(4, hidden_dims=(), epochs=120, batch_size=125, learning_rate=0.02).fit(x)
    error = ((ae.reconstruct(x) - x) ** 2).mean()
    pca = PCA(4).fit(x)
    best = ((pca.inverse_transform(pca.transform(x)) - x) ** 2).mean()
    assert best <= error < 1.1 * best


def test_an_auto_encoder_has_no_bound_and_no_prior_and_says_so(digits):
    ae = AE(**SMALL).fit(digits[0][:200])
    x = digits[0][:5]
    assert not ae.is_variational
    for name, call in [
        ("elbo", lambda: ae.elbo(x)),
        ("elbo", lambda: ae.elbo_terms(x)),
        ("log_marginal", lambda: ae.log_marginal(x)),
        ("sample", lambda: ae.sample(3)),
        ("impute", lambda: ae.impute(x, x > 0)),
    ]:
        with pytest.raises(InputError, match=f"{name}: a point posterior"):
            call()
    # The score is the log-likelihood of reconstructions.
    gap = (ae.reconstruct(x).astype(float) - x) / 0.1
    expected = (-0.5 * gap**2 - np.log(0.1 * np.sqrt(2 * np.pi))).sum(1).mean()
    assert ae.score(x) == pytest.approx(expected, rel=1e-5)
    assert ae.traverse(steps=2).shape == (2, 2, 64)
    assert ae.interpolate(x[0], x[1]).shape == (8, 64)
    assert set(ae.history_[0]) == {"epoch", "loss", "reconstruction"}


def test_beta_presses_the_divergence_down(digits):
    x = digits[0][:300]
    kl = [VAE(**{**SMALL, "epochs": 15}, beta=beta).fit(x).elbo_terms(x)[2].mean() for beta in (0.1, 1.0, 20.0)]
    assert kl[0] > kl[1] > kl[2]


def test_iwae_trains_a_better_log_marginal_than_it_started_from(digits):
    x = digits[0][:300]
    settings = {**SMALL, "objective": "iwae", "samples": 5}
    few, many = (VAE(**{**settings, "epochs": epochs}).fit(x) for epochs in (1, 15))
    assert many.log_marginal(x, samples=20).mean() > few.log_marginal(x, samples=20).mean() + 1
    assert many.elbo(x).mean() < many.log_marginal(x, samples=5).mean() < many.log_marginal(x, samples=50).mean()


def test_labels_are_ignored_without_a_condition(digits):
    x, y = digits[0][:100], digits[1][:100]
    for estimator in (AE, VAE):
        np.testing.assert_array_equal(
            estimator(**SMALL).fit(x, y).transform(x, y), estimator(**SMALL).fit(x).transform(x)
        )


@pytest.mark.parametrize("labels", ["int", "str", "float", "bool"])
def test_classes_of_any_kind(digits, labels):
    x, y = digits[0][:100], digits[1][:100]
    kinds = {"int": y * 10 - 3, "str": np.array([f"digit {d}" for d in y]), "float": y / 2, "bool": y > 4}
    names = kinds[labels]
    cvae = CVAE(**SMALL).fit(x, names)
    assert cvae.classes_.tolist() == np.unique(names).tolist()
    one = names[7].item()
    assert cvae.sample(4, y=one).shape == (4, 64)
    np.testing.assert_array_equal(cvae.sample(4, y=one), cvae.sample(4, y=[one] * 4))
    assert cvae.transform(x[:3], names[:3]).shape == (3, 3)
    z = cvae.transform(x[:2], names[:2])
    np.testing.assert_array_equal(cvae.inverse_transform(z, names[:2]), cvae.reconstruct(x[:2], names[:2]))
    np.testing.assert_array_equal(CVAE(**SMALL).fit(x, names.tolist()).transform(x, names), cvae.transform(x, names))


def test_refusals_of_classes(digits):
    x, y = digits[0][:100], digits[1][:100]
    with pytest.raises(InputError, match="y=None: a conditional model expects"):
        CVAE(**SMALL).fit(x)
    with pytest.raises(InputError, match="y has 99 entries"):
        CVAE(**SMALL).fit(x, y[:99])
    cvae = CVAE(**SMALL).fit(x, y)
    for call in (cvae.transform, cvae.reconstruct, cvae.elbo, cvae.log_marginal, cvae.score, cvae.inverse_transform):
        with pytest.raises(InputError, match="y=None: this model is conditional; expected a class among"):
            call(x[:, :3] if call == cvae.inverse_transform else x)
    with pytest.raises(InputError, match="y=None"):
        cvae.sample(3)
    for bad in (10, -1, 3.5, "3"):
        with pytest.raises(InputError, match="y contains"):
            cvae.sample(3, y=bad)
    with pytest.raises(InputError, match="y has 2 entries: expected one class, or one for each of 3"):
        cvae.sample(3, y=[1, 2])


def test_the_condition_is_used(conditional, digits):
    x, y = digits[0][:300], digits[1][:300]
    right, wrong = conditional.elbo(x, y), conditional.elbo(x, (y + 3) % 10)
    assert (right > wrong).mean() > 0.95
    assert not np.allclose(conditional.transform(x, y), conditional.transform(x, (y + 3) % 10))
    # By rows: the same class with the same z whatever stands beside it.
    z = np.zeros((10, 6))
    together = conditional.inverse_transform(z, np.arange(10))
    np.testing.assert_allclose(together[[4]], conditional.inverse_transform(z[:1], 4), atol=1e-6)


def test_samples_of_a_class_are_recognised_as_it(conditional, digits):
    x, y = digits
    classifier = LogisticRegression(max_iter=2000).fit(x, y)
    wanted = np.repeat(np.arange(10), 30)
    found = classifier.predict(conditional.sample(300, y=wanted, mean=True))
    assert (found == wanted).mean() > 0.8
    for k in (1, 3, 8):
        assert (classifier.predict(conditional.sample(100, y=k)) == k).mean() > 0.5


def test_traversing_holds_the_class_or_the_style(conditional, digits):
    x, y = digits
    classifier = LogisticRegression(max_iter=2000).fit(x, y)
    grid = conditional.traverse(y=3, steps=4, extent=1.5)
    assert grid.shape == (4, 4, 64)
    assert (classifier.predict(grid.reshape(16, 64)) == 3).mean() > 0.6
    z = np.repeat(conditional.transform(x[:1], y[:1]), 10, 0)
    assert (classifier.predict(conditional.inverse_transform(z, np.arange(10))) == np.arange(10)).mean() > 0.6


def test_interpolation_imputation_and_attributes_of_a_class(conditional, digits):
    x, y = digits
    a, b = np.flatnonzero(y == 3)[:2]
    path = conditional.interpolate(x[a], x[b], 3, steps=4)
    np.testing.assert_allclose(path[[0, -1]], conditional.reconstruct(x[[a, b]], 3), atol=1e-5)
    mask = np.zeros((2, 64), dtype=bool)
    mask[:, :20] = True
    assert conditional.impute(x[[a, b]], mask, 3, steps=3).shape == (2, 64)
    vector = conditional.attribute_vector(x[:100], x[:100].mean(1) > 0.3, y[:100])
    assert vector.shape == (6,)
