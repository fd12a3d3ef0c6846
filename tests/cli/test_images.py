"""Image models from the shell: train, evaluate, sample, plot; and what is refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphvae.cli import main
from graphvae.cli.images import IMAGE_MODELS


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", sorted(IMAGE_MODELS))
def test_train_evaluate_plot(model, here, capsys):
    assert main(["train", "digits", "--model", model, "--epochs", "1", "--quiet", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    run = f"runs/digits-{model}-0"
    assert main(["evaluate", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"] == trained["test"]
    assert ("accuracy" in trained["test"]) == (model == "m2")
    assert main(["plot", run]) == 0
    assert (here / run / "reconstructions.png").is_file()
    assert (here / run / "samples.png").is_file() == (model != "ae")


def test_sample_writes_arrays_and_pictures(here, capsys):
    assert main(["train", "digits", "--model", "cvae", "--epochs", "1", "--quiet"]) == 0
    assert main(["sample", "runs/digits-cvae-0", "--to", "s.npy", "-n", "5", "--y", "3"]) == 0
    assert np.load(here / "s.npy", allow_pickle=False).shape == (5, 64)
    assert main(["sample", "runs/digits-cvae-0", "--to", "s.png", "-n", "4", "--y", "3", "--mean"]) == 0
    assert (here / "s.png").read_bytes().startswith(b"\x89PNG")


def test_numpy_files_are_images(here, capsys):
    np.savez(here / "own.npz", x=np.random.default_rng(0).random((30, 4)), y=np.arange(30) % 2)
    assert main(["train", "own.npz", "--model", "vae", "--epochs", "1", "--batch-size", "8", "--quiet"]) == 0
    assert main(["evaluate", "runs/own-vae-0"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "karate", "--model", "vae"], "load_graph"),
        (["train", "digits", "--model", "vgae"], "load_images"),
        (["train", "digits", "--model", "vae", "--prior", "features"], "--prior"),
        (["train", "digits", "--model", "vae", "--source", "a"], "--source"),
        (["train", "nothing.npy", "--model", "vae"], "nothing.npy"),
        (["train", "digits", "--model", "vae", "--likelihood", "gauss"], "did you mean 'gaussian'"),
        (["sample", "nowhere", "--to", "x.npy"], "nowhere"),
        (["sample", "nowhere", "--to", "x.gif"], "x.gif"),
        (["plot", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line(arguments, message, here, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.strip().splitlines()[-1]
    assert "Traceback" not in captured.err
    assert line.startswith("graphvae: error: ")
    assert message in line
    assert list(here.iterdir()) == []
