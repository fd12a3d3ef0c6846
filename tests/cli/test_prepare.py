"""What a training run is before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphvae as gv
from graphvae._check import InputError
from graphvae.cli.prepare import prepare
from graphvae.cli.settings import Settings


def test_defaults_are_the_estimators_and_the_documented_ones():
    run = prepare(Settings({"data": "karate"}))
    assert run.estimator.get_params() == gv.VGAE().get_params()
    assert (run.resolved["val"], run.test) == (0.05, 0.10)
    assert (run.folder, run.overwrite) == (Path("runs/karate-vgae-0"), False)
    assert run.read().num_nodes == 34
    assert run.resolved["hidden_dims"] == [32]
    assert "source" not in run.resolved


def test_data_is_needed():
    with pytest.raises(InputError, match="Missing argument 'DATA'"):
        prepare(Settings({"epochs": 3}))


def test_what_is_of_graphs_is_no_setting_of_images():
    for name, value in {"val": 0.1, "source": "a", "no_features": True}.items():
        settings = Settings({"data": "digits", "model": "vae", name: value})
        with pytest.raises(InputError, match=f"--{name.replace('_', '-')}: expected with a graph model; vae is one of"):
            prepare(settings)
    run = prepare(Settings({"data": "digits", "model": "vae", "latent_dim": 3}))
    assert run.estimator.latent_dim == 3
    assert "val" not in run.resolved


@pytest.mark.parametrize(
    ("data", "message"),
    [("karat", "did you mean 'karate'"), ("e.csv", "'e.csv' is no file"), ("a/b", "'a/b' is no file: expected a path")],
)
def test_what_is_neither_data_set_nor_file_is_told_apart(data, message):
    with pytest.raises(InputError, match=message):
        prepare(Settings({"data": data})).read()
