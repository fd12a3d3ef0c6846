"""Latent arithmetic on a small fitted model; the oracles are the model's own encoder and decoder."""

from __future__ import annotations

import numpy as np
import pytest

import graphvae as gv
from graphvae import InputError

X = np.random.default_rng(0).random((60, 9)).astype(np.float32)


@pytest.fixture(scope="module")
def vae():
    return gv.VAE(latent_dim=3, hidden_dims=(16,), epochs=5).fit(X)


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_a_way_begins_and_ends_at_its_ends(vae, kind):
    way = vae.interpolate(X[0], X[1], steps=5, kind=kind)
    np.testing.assert_allclose(way[[0, -1]], vae.reconstruct(X[:2]), atol=1e-4)


def test_the_middle_of_a_straight_way_is_the_mean_code(vae):
    middle = vae.interpolate(X[0], X[1], steps=3)[1:2]
    np.testing.assert_allclose(middle, vae.inverse_transform(vae.transform(X[:2]).mean(0, keepdims=True)), atol=1e-5)


def test_a_grid_moves_the_two_dimensions_alone(vae):
    grid = vae.traverse((0, 2), steps=3, extent=2.0)
    np.testing.assert_allclose(grid[2, 0], vae.inverse_transform([[2.0, 0.0, -2.0]])[0], atol=1e-6)


def test_an_attribute_is_a_difference_of_means(vae):
    has = np.arange(60) < 20
    z = vae.transform(X)
    np.testing.assert_allclose(vae.attribute_vector(X, has), z[has].mean(0) - z[~has].mean(0), atol=1e-6)
    with pytest.raises(InputError, match="has"):
        vae.attribute_vector(X, np.ones(60, dtype=bool))


def test_what_is_masked_is_not_read_and_what_is_not_is_kept(vae):
    mask = np.zeros(X.shape, dtype=bool)
    mask[:, 4:] = True
    hidden = np.where(mask, np.nan, X)
    filled = vae.impute(hidden, mask, steps=5)
    np.testing.assert_array_equal(filled, vae.impute(X, mask, steps=5))
    np.testing.assert_array_equal(filled[~mask], X[~mask])
    assert np.isfinite(filled).all()


def test_on_a_sphere_only_directions_are_decoded():
    """Expectations, halfway points and the origin of a grid lie inside the sphere that the decoder was trained on."""
    vae = gv.VAE(3, hidden_dims=(8,), posterior="hyperspherical", epochs=2).fit(X)
    z = vae.transform(X[:2])
    assert (np.linalg.norm(z, axis=1) < 1).all()
    np.testing.assert_allclose(vae.inverse_transform(z), vae.inverse_transform(0.1 * z), atol=1e-5)
    middle = vae.interpolate(X[0], X[1], steps=3)[1]
    np.testing.assert_allclose(middle, vae.inverse_transform(5 * (z[:1] + z[1:]))[0], atol=1e-5)
    np.testing.assert_allclose(vae.traverse(steps=3)[1, 1], vae.inverse_transform(np.eye(3)[:1])[0], atol=1e-5)
