"""What an image estimator promises: shapes, units, a linear model whose evidence is known, repeatability, refusals."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.exceptions import NotFittedError

import graphvae
from graphvae._check import InputError
from graphvae.data.registry import load_images
from graphvae.estimators import image_estimator
from graphvae.estimators.autoencoders import AE, CVAE, VAE
from graphvae.estimators.semi_supervised import SemiSupervisedVAE
from graphvae.nn.dense import ImageInputs
from graphvae.training.loop import NonFiniteError
from graphvae.variational.observations import GaussianObservation
from graphvae.variational.posteriors import POSTERIORS

SMALL = {"latent_dim": 3, "hidden_dims": (16,), "epochs": 3, "batch_size": 64}


@pytest.fixture(scope="module")
def digits():
    images = load_images("digits").unflat().select(range(300))
    return images.x.numpy(), images.y.numpy()


@pytest.fixture(scope="module")
def model(digits):
    return VAE(4, hidden_dims=(64,), epochs=30, batch_size=32, learning_rate=3e-3).fit(digits[0])


@pytest.fixture(scope="module")
def linear():
    """A VAE without hidden layers on data of rank two and noise, trained."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(400, 5)) + 1
    likelihood = GaussianObservation(None)
    return VAE(2, hidden_dims=(), likelihood=likelihood, epochs=150, learning_rate=0.02, batch_size=100).fit(x), x


def exact_evidence(vae: VAE, x: np.ndarray) -> np.ndarray:
    """Probabilistic PCA: a linear decoder makes x Gaussian, ``N(b, W W' + s² I)``."""
    (layer,) = vae.module_.decoder.body
    w, b = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
    s = float(vae.module_.decoder.observation.log_scale.detach().exp())
    return scipy.stats.multivariate_normal(b, w @ w.T + s**2 * np.eye(len(b))).logpdf(x)


def test_log_marginal_of_a_linear_vae_is_its_exact_evidence(linear):
    vae, x = linear
    exact = exact_evidence(vae, x[:100])
    estimate = vae.log_marginal(x[:100], samples=2000)
    assert np.abs(estimate - exact).max() < 0.5
    assert abs(estimate.mean() - exact.mean()) < 0.05
    # Trained, it is near what the data's own Gaussian gives, and far above one without correlations.
    best = scipy.stats.multivariate_normal(x.mean(0), np.cov(x.T)).logpdf(x[:100]).mean()
    apart = scipy.stats.norm(x.mean(0), x.std(0)).logpdf(x[:100]).sum(-1).mean()
    assert exact.mean() > best - 0.5
    assert exact.mean() > apart + 0.5


def test_bounds_grow_with_the_samples_up_to_the_evidence(linear):
    vae, x = linear
    exact = exact_evidence(vae, x).mean()
    means = [vae.elbo(x, samples=100).mean(), *(vae.log_marginal(x, samples=s).mean() for s in (2, 10, 100))]
    assert means == sorted(means)
    assert means[-1] < exact + 0.02
    assert means[0] < exact - 0.02
    # One importance sample is the ELBO, estimated in another way.
    assert vae.log_marginal(x, samples=1).mean() == pytest.approx(means[0], abs=0.1)


def test_elbo_is_its_closed_form_in_the_linear_model(linear):
    vae, x = linear
    (layer,) = vae.module_.decoder.body
    with torch.no_grad():
        q = vae.module_(ImageInputs(torch.as_tensor(x, dtype=torch.float32)))[0]
    mean, variance = q.mean.double(), q.variance.double()
    s2 = float(vae.module_.decoder.observation.log_scale.detach().exp()) ** 2
    w = layer.weight.detach().double()
    gap = torch.from_numpy(x) - mean @ w.T - layer.bias.detach().double()
    spread = gap.square().sum(-1) + variance @ w.square().sum(0)
    log_likelihood = -0.5 * (spread / s2 + x.shape[1] * np.log(2 * np.pi * s2))
    kl = 0.5 * (mean.square() + variance - 1 - variance.log()).sum(-1)
    elbo, terms, divergence = vae.elbo_terms(x, samples=4000)
    np.testing.assert_allclose(divergence, kl, rtol=1e-4)
    np.testing.assert_allclose(terms, log_likelihood, atol=0.3)
    assert terms.mean() == pytest.approx(float(log_likelihood.mean()), abs=0.01)
    np.testing.assert_allclose(elbo, terms - divergence, rtol=1e-5, atol=1e-5)
    assert vae.score(x) == pytest.approx(float((log_likelihood - kl).mean()), abs=0.1)


def test_elbo_is_below_log_marginal_on_digits(model, digits):
    elbo, marginal = model.elbo(digits[0], samples=50), model.log_marginal(digits[0], samples=50)
    assert elbo.shape == marginal.shape == (300,)
    assert elbo.dtype == marginal.dtype == np.float64
    assert elbo.mean() < marginal.mean()
    assert model.score(digits[0]) == model.score(digits[0]) == pytest.approx(model.elbo(digits[0]).mean())


def test_memory_is_bounded_by_chunks_that_change_nothing_but_the_draws(model, digits, monkeypatch):
    x = digits[0][:50]
    whole, sizes = model.log_marginal(x, samples=300), []
    decode = type(model.module_).decode

    def spy(self, z, *condition):
        if z.dim() == 3:  # not the one datum whose layers are measured
            sizes.append(z.shape[0] * z.shape[1] * 64)
        return decode(self, z, *condition)

    monkeypatch.setattr(type(model.module_), "decode", spy)
    for chunk, calls in [(1 << 24, 1), (64 * 300 * 20, 3), (64 * 100, 150)]:
        sizes.clear()
        monkeypatch.setattr(image_estimator, "CHUNK", chunk)
        part = model.log_marginal(x, samples=300)
        assert len(sizes) == calls
        assert max(sizes) <= chunk
        assert part.mean() == pytest.approx(whole.mean(), abs=0.3)
        assert np.abs(part - whole).max() < 4


def test_a_chunk_counts_the_widest_layer(monkeypatch):
    x = np.random.default_rng(0).normal(size=(30, 2))
    wide = VAE(1, hidden_dims=(512,), epochs=1).fit(x)
    calls = []
    monkeypatch.setattr(image_estimator, "CHUNK", 512 * 10)
    monkeypatch.setattr(image_estimator, "bound", lambda *a, **k: calls.append(k["samples"]) or graphvae.bound(*a, **k))
    wide.log_marginal(x[:2], samples=20)
    assert calls == [10] * 4


def test_bits_per_dimension_are_of_the_grid_the_data_lie_on(model, digits):
    x = digits[0][:5]
    nats = model.log_marginal(x, samples=20, seed=3)
    expected = -(nats / 64 + math.log(1 / 16)) / math.log(2)
    found = model.bits_per_dimension(x, quantisation=1 / 16, samples=20, seed=3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(InputError, match=r"quantisation=None: a density needs the width"):
        model.bits_per_dimension(x)


def test_bits_of_binary_data_need_no_grid(digits):
    x = (digits[0] > 0.5).astype(np.float32)
    vae = VAE(**SMALL, likelihood="bernoulli").fit(x)
    nats = vae.log_marginal(x[:5], samples=20)
    np.testing.assert_allclose(vae.bits_per_dimension(x[:5], samples=20), -nats / 64 / math.log(2), rtol=1e-12)
    with pytest.raises(InputError, match=r"quantisation=0.1: binary data"):
        vae.bits_per_dimension(x[:5], quantisation=0.1)


def test_images_in_images_out_and_vectors_in_vectors_out(digits):
    images, _ = digits
    assert images.shape == (300, 1, 8, 8)
    flat = images.reshape(300, 64)
    of_images, of_vectors = VAE(**SMALL).fit(images), VAE(**SMALL).fit(flat)
    z = of_images.transform(images)
    assert z.shape == (300, 3)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, of_vectors.transform(flat))
    for vae, shape in [(of_images, (1, 8, 8)), (of_vectors, (64,))]:
        x = images.reshape(300, *shape)
        assert vae.reconstruct(x[:5]).shape == (5, *shape)
        assert vae.inverse_transform(z[:5]).shape == (5, *shape)
        assert vae.sample(4).shape == (4, *shape)
        assert vae.interpolate(x[0], x[1], steps=3).shape == (3, *shape)
        assert vae.traverse(steps=3).shape == (3, 3, *shape)
        assert vae.impute(x[:2], np.zeros_like(x[:2], dtype=bool), steps=1).shape == (2, *shape)
        for out in (vae.reconstruct(x[:5]), vae.sample(2), vae.traverse(steps=2)):
            assert type(out) is np.ndarray
            assert out.dtype == np.float32
        np.testing.assert_array_equal(vae.inverse_transform(vae.transform(x[:5])), vae.reconstruct(x[:5]))
    # A reconstruction has the shape of what was given, whichever the model was fitted on.
    assert of_images.reconstruct(flat[:5]).shape == (5, 64)
    assert of_vectors.reconstruct(images[:5]).shape == (5, 1, 8, 8)
    with pytest.raises(InputError, match=r"\(1, 4, 16\): this model was fitted on \(1, 8, 8\)"):
        of_images.transform(images.reshape(300, 1, 4, 16))


def test_tensors_are_taken_as_arrays_are(model, digits):
    x = digits[0][:20]
    t = torch.from_numpy(x).double().requires_grad_()
    np.testing.assert_array_equal(VAE(**SMALL).fit(t).transform(t), VAE(**SMALL).fit(x).transform(x))
    z = model.transform(x)
    for ours, theirs in [
        (model.transform(t), z),
        (model.reconstruct(t), model.reconstruct(x)),
        (model.inverse_transform(torch.from_numpy(z).requires_grad_()), model.inverse_transform(z)),
        (model.elbo(t), model.elbo(x)),
        (model.interpolate(t[0], t[1]), model.interpolate(x[0], x[1])),
        (model.impute(t, torch.from_numpy(x > 0.5), steps=2), model.impute(x, x > 0.5, steps=2)),
        (model.attribute_vector(t, torch.arange(20) % 2 == 0), model.attribute_vector(x, np.arange(20) % 2 == 0)),
    ]:
        assert type(ours) is np.ndarray
        np.testing.assert_array_equal(ours, theirs)


FIGURES = """
import numpy as np
from graphvae.data.registry import load_images
from graphvae.estimators.autoencoders import VAE
x = load_images("digits").x[:200].numpy()
def figures(seed):
    options = dict(likelihood="bernoulli", binarize="stochastic", seed=seed)
    m = VAE(3, hidden_dims=(16,), epochs=2, batch_size=64, **options).fit(x)
    parts = [m.transform(x), m.elbo(x), m.log_marginal(x[:9], samples=5), m.sample(3)]
    parts.append(m.impute(x[:2], x[:2] > 0.5, steps=2))
    return [np.ascontiguousarray(p).tobytes().hex() for p in parts]
"""


def test_bitwise_the_same_here_and_in_another_process():
    scope: dict = {}
    exec(FIGURES, scope)
    state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002 - the very thing that must not change
    first = scope["figures"](3)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    torch.rand(3)
    assert scope["figures"](3) == first
    assert all(a != b for a, b in zip(scope["figures"](4), first, strict=True))
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(graphvae.__file__).parents[1]),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    script = f"{FIGURES}\nimport torch; torch.manual_seed(9)\nprint(figures(3))"
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(first)


def test_seeds_of_draws(model, digits):
    x = digits[0][:20]
    assert not np.array_equal(model.elbo(x, seed=0), model.elbo(x, seed=1))
    assert not np.array_equal(model.sample(3, seed=0), model.sample(3, seed=1))
    np.testing.assert_array_equal(model.sample(3, seed=5), model.sample(3, seed=5))
    with pytest.raises(InputError, match="seed=None"):
        model.sample(3, seed=None)
    # The draw scatters about the mean of the same z by the likelihood's scale.
    noise = model.sample(500, seed=2) - model.sample(500, seed=2, mean=True)
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    assert abs(noise.mean()) < 0.005


def test_interpolation_starts_and_ends_at_the_reconstructions(model, digits):
    a, b = digits[0][0], digits[0][7]
    ends = model.reconstruct(np.stack([a, b]))
    for kind in ("linear", "spherical"):
        path = model.interpolate(a, b, steps=5, kind=kind)
        assert path.shape == (5, 1, 8, 8)
        np.testing.assert_allclose(path[[0, -1]], ends, atol=1e-5)
    z = model.transform(np.stack([a, b]))
    np.testing.assert_allclose(
        model.interpolate(a, b, steps=3)[1], model.inverse_transform(z.mean(0, keepdims=True))[0], atol=1e-5
    )


def test_spherical_interpolation_keeps_to_the_great_circle(model, digits, monkeypatch):
    a, b = digits[0][0], digits[0][7]
    z = model.transform(np.stack([a, b])).astype(float)
    monkeypatch.setattr(VAE, "_decode_mean", lambda self, z, condition=None: z)
    monkeypatch.setattr(VAE, "_shaped", lambda self, z: z.numpy())
    path = model.interpolate(a, b, steps=9, kind="spherical").astype(float)
    length = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(length, np.linspace(*np.linalg.norm(z, axis=1), 9), rtol=1e-4)
    unit = path / length[:, None]
    angles = np.arccos(np.clip((unit[1:] * unit[:-1]).sum(1), -1, 1))
    np.testing.assert_allclose(angles, angles.mean(), rtol=1e-3)
    # In the plane of both ends.
    assert np.linalg.matrix_rank(np.vstack([z, path]), tol=1e-3) == 2
    same = model.interpolate(a, a, steps=4, kind="spherical")
    np.testing.assert_allclose(same, np.repeat(z[:1], 4, 0), rtol=1e-4, atol=1e-4)


def test_traverse_is_a_grid_of_two_dimensions(model):
    grid = model.traverse(dims=(2, 1), steps=5, extent=2.0)
    assert grid.shape == (5, 5, 1, 8, 8)
    z = np.zeros((2, 4), dtype=np.float32)
    z[0, 2], z[0, 1] = -2, 1
    np.testing.assert_allclose(grid[[0, 2], [3, 2]], model.inverse_transform(z), atol=1e-5)
    for dims in [(0, 4), (-1, 0), (0, 1.5)]:
        with pytest.raises(InputError, match="dims="):
            model.traverse(dims=dims)


def test_attribute_vector_is_the_difference_of_means(model, digits):
    x, y = digits
    vector = model.attribute_vector(x, y == 1)
    z = model.transform(x)
    np.testing.assert_allclose(vector, z[y == 1].mean(0) - z[y != 1].mean(0), atol=1e-6)
    # Along it the decoder makes other digits more like ones.
    ones = x[y == 1].mean(0)
    zeros = model.transform(x[y == 0])
    before, after = model.inverse_transform(zeros), model.inverse_transform(zeros + vector)
    assert ((after - ones) ** 2).mean() < ((before - ones) ** 2).mean()
    plain = VAE(**SMALL).set_output(transform="pandas").fit(x)
    assert type(plain.attribute_vector(x, y == 1)) is np.ndarray
    for has in (np.ones(300, dtype=bool), np.zeros(300, dtype=bool), np.array([True, False])):
        with pytest.raises(InputError, match="has of shape"):
            model.attribute_vector(x, has)


def test_refusals_of_data(model, digits):
    x = digits[0]
    with pytest.raises(ValueError, match="NaN"):
        model.transform(np.where(x > 0.9, np.nan, x))
    with pytest.raises(ValueError, match="64 features"):
        model.transform(x.reshape(300, 64)[:, :63])
    with pytest.raises(ValueError, match="dim 3"):
        model.transform(x[:, 0])
    with pytest.raises(ValueError, match="0 sample"):
        model.transform(x[:0])
    with pytest.raises(InputError, match=r"Z has shape \(5, 3\): expected \(N, 4\)"):
        model.inverse_transform(np.zeros((5, 3)))
    for likelihood in ("bernoulli", "continuous_bernoulli"):
        with pytest.raises(InputError, match=r"x contains 2: .*\[0, 1\]"):
            VAE(**SMALL, likelihood=likelihood).fit(2 * x)
        fitted = VAE(**SMALL, likelihood=likelihood).fit(x)
        with pytest.raises(InputError, match=r"x contains -1"):
            fitted.transform(-x)
    for samples in (0, 1.5):
        with pytest.raises(InputError, match="samples="):
            model.elbo(x, samples=samples)
    with pytest.raises(InputError, match="kind='round'"):
        model.interpolate(x[0], x[1], kind="round")
    with pytest.raises(InputError, match="steps=1"):
        model.interpolate(x[0], x[1], steps=1)


@pytest.mark.parametrize("estimator", [AE, VAE])
def test_grey_values_have_no_bernoulli_probability(digits, estimator):
    x = digits[0]
    plain = estimator(**SMALL, likelihood="bernoulli").fit(x)
    with pytest.raises(InputError, match="gives grey values no probability"):
        plain.score(x)
    assert plain.score((x > 0.5).astype(np.float32)) < 0
    for how in ("threshold", "stochastic"):
        assert estimator(**SMALL, likelihood="bernoulli", binarize=how).fit(x).score(x) < 0
    threshold = estimator(**SMALL, likelihood="bernoulli", binarize="threshold").fit(x)
    binary = (x > 0.5).astype(np.float32)
    assert threshold.score(x) == threshold.score(binary)
    np.testing.assert_array_equal(threshold.transform(x), threshold.transform(binary))


def test_nothing_works_before_fit():
    x = np.zeros((3, 4))
    vae = VAE()
    calls = [
        lambda: vae.transform(x),
        lambda: vae.inverse_transform(x),
        lambda: vae.reconstruct(x),
        lambda: vae.sample(2),
        lambda: vae.elbo(x),
        lambda: vae.log_marginal(x),
        lambda: vae.score(x),
        lambda: vae.traverse(),
        lambda: vae.interpolate(x[0], x[1]),
        lambda: vae.impute(x, x > 0),
        lambda: AE().score(x),
        lambda: CVAE().sample(2, y=1),
        lambda: SemiSupervisedVAE().predict(x),
        lambda: SemiSupervisedVAE().sample(2),
        lambda: SemiSupervisedVAE().log_marginal(x),
    ]
    for call in calls:
        with pytest.raises(NotFittedError):
            call()


def test_a_fit_that_fails_leaves_no_model_of_other_data_behind(digits):
    vae = VAE(**SMALL).fit(digits[0])
    with pytest.raises(InputError, match="latent_dim=0"):
        vae.set_params(latent_dim=0).fit(digits[0])
    # Arguments are refused before anything is touched.
    assert vae.transform(digits[0]).shape == (300, 3)
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError):
        vae.set_params(latent_dim=2).fit(np.full((20, 7), 1e30))
    with pytest.raises(NotFittedError):
        vae.transform(digits[0])


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
@pytest.mark.parametrize("name", [name for name, family in POSTERIORS.items() if family.variational])
def test_every_posterior_works_everywhere(digits, name, objective):
    x = digits[0]
    samples = 3 if objective == "iwae" else 1
    few, vae = (
        VAE(**{**SMALL, "epochs": epochs}, posterior=name, objective=objective, samples=samples).fit(x)
        for epochs in (1, 6)
    )
    assert vae.score(x) > few.score(x)
    elbo, marginal = vae.elbo(x, samples=20), vae.log_marginal(x, samples=20)
    assert elbo.mean() < marginal.mean()
    log_likelihood, kl = vae.elbo_terms(x)[1:]
    assert kl.mean() > 0
    assert log_likelihood.mean() - kl.mean() == pytest.approx(vae.score(x))
    assert vae.transform(x).shape == (300, 3)
    assert vae.sample(2).shape == vae.interpolate(x[0], x[1], steps=2).shape == (2, 1, 8, 8)
    assert vae.traverse(steps=2).shape == (2, 2, 1, 8, 8)
    if POSTERIORS[name].support == "real":
        assert vae.impute(x[:2], x[:2] > 0.5, steps=2).shape == (2, 1, 8, 8)
    else:
        with pytest.raises(InputError, match="impute: it finds Gaussian posteriors"):
            vae.impute(x[:2], x[:2] > 0.5)


def test_history_and_time(model):
    assert [record["epoch"] for record in model.history_] == list(range(1, 31))
    assert set(model.history_[0]) == {"epoch", "loss", "reconstruction", "kl"}
    last = model.history_[-1]
    assert last["loss"] == pytest.approx(last["kl"] - last["reconstruction"])
    assert last["loss"] < model.history_[0]["loss"]
    assert model.fit_seconds_ > 0
    assert not model.module_.training
