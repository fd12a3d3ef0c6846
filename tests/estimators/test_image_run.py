"""Run folders of image models: what is saved is what is loaded, damage is named, nothing is unpickled."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae import InputError
from graphvae.estimators.image_run import IMAGE_ESTIMATORS
from graphvae.training.randomness import seeded
from graphvae.variational.observations import GaussianObservation
from graphvae.variational.posteriors import FlowPosterior

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)
Y = np.arange(40) % 3
SMALL = {"latent_dim": 2, "hidden_dims": (8,), "epochs": 2}


def fitted(name: str, **settings: object) -> object:
    return IMAGE_ESTIMATORS[name](**{**SMALL, **settings}).fit(X, None if name in ("AE", "VAE") else Y)


@pytest.mark.parametrize("name", sorted(IMAGE_ESTIMATORS))
def test_a_loaded_model_does_what_the_saved_one_does(name, tmp_path):
    model = fitted(name)
    y = None if name in ("AE", "VAE") else Y
    loaded = gv.load(model.save(tmp_path / "run"))
    assert type(loaded) is type(model)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.transform(X, y), model.transform(X, y))
    np.testing.assert_array_equal(loaded.reconstruct(X, y), model.reconstruct(X, y))
    if model.is_variational:
        np.testing.assert_array_equal(loaded.sample(3, 1, seed=2), model.sample(3, 1, seed=2))
        np.testing.assert_array_equal(loaded.elbo(X, y), model.elbo(X, y))
    if name == "SemiSupervisedVAE":
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_components_keep_their_settings_and_weights(tmp_path):
    model = fitted("VAE", likelihood=GaussianObservation(None), posterior=FlowPosterior(transforms=1, hidden_dims=(8,)))
    loaded = gv.load(model.save(tmp_path / "run"))
    assert loaded.likelihood.settings() == {"scale": None}
    assert loaded.posterior.settings() == model.posterior.settings()
    np.testing.assert_array_equal(loaded.log_marginal(X, samples=4), model.log_marginal(X, samples=4))


def test_networks_keep_their_settings(tmp_path):
    images = X.reshape(40, 1, 2, 3)
    model = gv.VAE(**SMALL, network=gv.nn.ConvNetwork((3, 4), "tanh"), learning_rate=(1e-2, 1e-3)).fit(images)
    loaded = gv.load(model.save(tmp_path / "run"))
    assert (loaded.network, loaded.learning_rate) == (gv.nn.ConvNetwork((3, 4), "tanh"), (1e-2, 1e-3))
    np.testing.assert_array_equal(loaded.reconstruct(images), model.reconstruct(images))


def test_modules_of_one_s_own_are_asked_for_again(tmp_path):
    def own(seed: int) -> gv.nn.CustomNetwork:
        with seeded(seed):
            return gv.nn.CustomNetwork(torch.nn.Linear(6, 5), torch.nn.Linear(2, 6))

    model = gv.VAE(**SMALL, network=own(0)).fit(X)
    folder = model.save(tmp_path / "run")
    with pytest.raises(InputError, match=r"config.json: network=None: expected the CustomNetwork of its modules"):
        gv.load(folder)
    # Other starting weights, because those of the run are put in their place.
    loaded = gv.load(folder, network=own(1))
    np.testing.assert_array_equal(loaded.reconstruct(X), model.reconstruct(X))
    with pytest.raises(InputError, match="expected None"):
        gv.load(fitted("VAE").save(tmp_path / "plain"), network=own(0))


def test_shapes_of_images_and_names_of_classes_come_back(tmp_path):
    names = np.array(["a", "b", "ü"])[Y]
    images = X.reshape(40, 1, 2, 3)
    model = gv.CVAE(**SMALL).fit(images, names)
    loaded = gv.load(model.save(tmp_path / "run"))
    assert loaded.sample(2, "ü").shape == (2, 1, 2, 3)
    assert loaded.classes_.tolist() == ["a", "b", "ü"]


def test_an_existing_run_is_kept_unless_told(tmp_path):
    model = fitted("VAE")
    model.save(tmp_path / "run")
    with pytest.raises(InputError, match="exists"):
        model.save(tmp_path / "run")
    model.save(tmp_path / "run", overwrite=True)
    assert not [path for path in tmp_path.iterdir() if path.name != "run"]


@pytest.mark.parametrize("file", ["weights.safetensors", "history.jsonl"])
def test_a_missing_or_damaged_file_is_named(file, tmp_path):
    run = fitted("VAE").save(tmp_path / "run")
    (run / file).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match=file):
        gv.load(run)
    (run / file).unlink()
    with pytest.raises(InputError, match=file):
        gv.load(run)


def test_a_config_of_something_else_is_refused(tmp_path):
    run = fitted("VAE").save(tmp_path / "run")
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    (run / "config.json").write_text(json.dumps({**config, "estimator": "VEA"}), encoding="utf-8")
    with pytest.raises(InputError, match="did you mean 'VAE'"):
        gv.load(run)
