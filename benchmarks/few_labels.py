"""Ten labels a class: M2, and M2 stacked on a VAE's latents (M1 + M2), beside classifiers of the labels alone.

``python benchmarks/few_labels.py`` runs digits and MNIST with several seeds each; a seed chooses the labels and starts
the networks (and, on digits, splits off the test). Settings were chosen by ``--validate``, on images of the training
part that no reported run is scored on, with a seed that is not among the reported. Finished runs are kept.

The classifier on the labels alone is the very network that M2 uses as its ``q(y|x)``, trained by cross-entropy.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import graphvae as gv
from graphvae.variational.observations import GaussianObservation

RESULT = Path(__file__).parent / "results" / "few_labels.json"
PER_CLASS = 10
SEEDS = {"digits": range(5), "mnist": range(3)}
HIDDEN = (256,)


def models(data: str, seed: int) -> dict[str, Any]:
    """The rows of the table, unfitted; those that only read labelled rows come first."""
    if data == "digits":
        pixels: dict[str, Any] = {"likelihood": GaussianObservation(0.3), "epochs": 200}
        m1 = gv.VAE(16, likelihood=GaussianObservation(0.1), epochs=200, seed=seed)
        stack = gv.SemiSupervisedVAE(16, likelihood=GaussianObservation(0.5), epochs=200, hidden_dims=HIDDEN, seed=seed)
    else:
        binary: dict[str, Any] = {"likelihood": "bernoulli", "binarize": "stochastic"}
        pixels = {**binary, "epochs": 20, "latent_dim": 50, "classifier_weight": 50.0}
        m1 = gv.VAE(50, hidden_dims=(400,), **binary, epochs=20, learning_rate=(1e-3, 3e-4), seed=seed)
        stack = gv.SemiSupervisedVAE(16, likelihood=GaussianObservation(0.5), epochs=20, hidden_dims=HIDDEN, seed=seed)
    return {
        "labels alone": MLPClassifier(HIDDEN, alpha=0, max_iter=500, random_state=seed),
        "logistic regression": LogisticRegression(max_iter=5000),
        "M2": gv.SemiSupervisedVAE(hidden_dims=HIDDEN, seed=seed, **pixels),
        "M1 + M2": make_pipeline(m1, stack),
    }


def parts(data: str, seed: int, validate: bool) -> tuple[np.ndarray, ...]:
    """Training images with their labels, all but ten of each class at -1, and images to score with theirs."""
    if data == "digits":
        train, test = gv.load_images("digits").flat().split(0.2, seed=seed)
    else:
        train, test = (gv.load_images("mnist", part=part).flat() for part in ("train", "test"))
    if validate:
        train, test = train.split(0.1, seed=seed)
    y = train.y.numpy()
    rng, labels = np.random.default_rng(seed), np.full(len(y), -1)
    for k in np.unique(y):
        labels[rng.choice(np.flatnonzero(y == k), PER_CLASS, replace=False)] = k
    return train.x.numpy(), labels, test.x.numpy(), test.y.numpy()


def run(data: str, seed: int, validate: bool = False) -> dict[str, Any]:
    """Error in % of every model with the labels of one seed."""
    x, labels, test, truth = parts(data, seed, validate)
    known = np.flatnonzero(labels >= 0)
    error, seconds, config = {}, {}, {}
    for name, model in models(data, seed).items():
        start = time.perf_counter()
        semi = name.startswith("M")
        model.fit(x if semi else x[known], labels if semi else labels[known])
        error[name] = 100 * (1 - float(model.score(test, truth)))
        seconds[name], config[name] = time.perf_counter() - start, repr(model)
        print(data, seed, name, round(error[name], 2), f"{seconds[name]:.0f} s", flush=True)
    return {"data": data, "seed": seed, "error": error, "seconds": seconds, "config": config, "test": len(truth)}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, standard error and number of seeds, for each data set and model."""
    rows: dict[str, Any] = {}
    for data in dict.fromkeys(each["data"] for each in runs):
        errors = [each["error"] for each in runs if each["data"] == data]
        rows[data] = {}
        for name in errors[0]:
            values = np.array([each[name] for each in errors])
            spread = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
            rows[data][name] = {"mean": float(values.mean()), "standard_error": spread, "n": len(values)}
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="*", choices=list(SEEDS), default=list(SEEDS))
    parser.add_argument("--validate", action="store_true", help="score one seed on validation images; write nothing")
    parser.add_argument("--to", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for data in arguments.data:
        if arguments.validate:
            run(data, 100, validate=True)
            continue
        for seed in SEEDS[data]:
            done = json.loads(arguments.to.read_text())["runs"] if arguments.to.exists() else []
            if (data, seed) in [(each["data"], each["seed"]) for each in done]:
                continue
            runs = [*done, run(data, seed)]
            machine = {"processor": "x86_64", "cpu": torch.backends.cpu.get_cpu_capability(), "threads": 1}
            result = {
                "command": "python benchmarks/few_labels.py",
                "machine": {**machine, "torch": torch.__version__},
                "published": {"source": "Kingma et al. (2014), table 1", "M2": 11.97, "M1 + M2": 3.33},
                "rows": summary(runs),
                "runs": runs,
            }
            arguments.to.write_text(json.dumps(result, indent=2) + "\n")
