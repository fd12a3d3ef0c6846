"""graphvae's VAE beside pythae's: the same networks, data, batches, epochs: ``python benchmarks/pythae_vae.py``.

pythae is not among this project's dependencies. Make an environment of its own, install torch, then this project, then
pythae (``pip install pythae==0.1.2``); it runs unchanged with numpy 2 and pydantic 2.

Both train ``p(x|z) = N(mu(z), 1)`` on pixels divided by 0.1: pythae's "mse" is that Gaussian less its constant, and on
pixels as they are, of unit variance, it would hardly use its latents. Encoders end in one layer, ``[mu, log sigma]``.
ELBOs of both are taken by :func:`heldout_elbo`, which knows neither package; they are those of the pixels themselves.
pythae keeps the weights of the epoch with the best training loss; its last ones, after as many steps as graphvae's, are
scored as well. Times are of whole epochs as users run them, one thread, the two taking turns: of ``fit`` with its
set-up, and of ``BaseTrainer.train`` without an evaluation set, its progress bar switched off and nothing saved.
"""

from __future__ import annotations

import os

os.environ["TQDM_DISABLE"] = "1"  # pythae's bar has no other switch, and it is read when tqdm is imported

import argparse
import json
import logging
import math
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

import graphvae as gv
from graphvae.estimators.benchmark import machine_description
from graphvae.nn.dense import ImageInputs
from graphvae.variational.observations import GaussianObservation

RESULT = Path(__file__).parent / "results" / "pythae.json"
SCALE = 0.1
# z -> means of p(x|z); x -> mean and log sigma of q(z|x).
Decoder = Callable[[Tensor], Tensor]
Encoder = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Setting:
    """What both packages are given."""

    hidden_dim: int = 256
    latent_dim: int = 16
    batch_size: int = 128
    learning_rate: float = 1e-3


# graphvae's defaults, and the network and batch that are pythae's.
SETTINGS = {"graphvae": Setting(), "pythae": Setting(hidden_dim=512, latent_dim=10, batch_size=64)}


class DenseEncoder(BaseEncoder):
    """One hidden layer, then ``[mu, log sigma]``, as in graphvae."""

    def __init__(self, num_features: int, setting: Setting) -> None:
        super().__init__()
        self.layers = perceptron(num_features, setting.hidden_dim, 2 * setting.latent_dim)

    def forward(self, x: Tensor) -> ModelOutput:
        loc, log_scale = self.layers(x).chunk(2, -1)
        return ModelOutput(embedding=loc, log_covariance=2 * log_scale)


class DenseDecoder(BaseDecoder):
    """One hidden layer, then means without a squashing function."""

    def __init__(self, num_features: int, setting: Setting) -> None:
        super().__init__()
        self.layers = perceptron(setting.latent_dim, setting.hidden_dim, num_features)

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


class Trainer(BaseTrainer):
    """pythae's own, which would write the model to disk at the end."""

    def save_model(self, model: Any, dir_path: str) -> None:
        pass


def perceptron(*widths: int) -> nn.Sequential:
    """Two linear layers with ReLU between them."""
    return nn.Sequential(nn.Linear(*widths[:2]), nn.ReLU(), nn.Linear(*widths[1:]))


def ours(x: Tensor, setting: Setting, epochs: int, seed: int) -> tuple[gv.VAE, dict[str, float]]:
    """A fitted VAE, and the seconds one epoch took."""
    vae = gv.VAE(
        latent_dim=setting.latent_dim,
        hidden_dims=(setting.hidden_dim,),
        likelihood=GaussianObservation(scale=1.0),
        epochs=epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        device="cpu",
        seed=seed,
    )
    return vae, per_epoch(lambda: vae.fit(x), epochs)


def theirs(x: Tensor, setting: Setting, epochs: int, seed: int) -> tuple[Trainer, dict[str, float]]:
    """A trainer that has trained pythae's VAE, and the seconds one epoch took."""
    torch.manual_seed(seed)
    features = x.shape[1]
    config = VAEConfig(input_dim=(features,), latent_dim=setting.latent_dim, reconstruction_loss="mse")
    model = VAE(config, DenseEncoder(features, setting), DenseDecoder(features, setting))
    with tempfile.TemporaryDirectory() as folder:
        training = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            per_device_train_batch_size=setting.batch_size,
            learning_rate=setting.learning_rate,
            optimizer_cls="Adam",
            no_cuda=True,
            seed=seed,
        )
        trainer = Trainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=training)
        return trainer, per_epoch(trainer.train, epochs)


def per_epoch(train: Callable[[], Any], epochs: int) -> dict[str, float]:
    """Wall-clock and processor time of ``train``, divided by the number of epochs."""
    cpu, wall = time.process_time(), time.perf_counter()
    train()
    return {"seconds": (time.perf_counter() - wall) / epochs, "cpu_seconds": (time.process_time() - cpu) / epochs}


@torch.no_grad()
def heldout_elbo(encode: Encoder, decode: Decoder, x: Tensor, samples: int = 64, seed: int = 0) -> float:
    """Mean ELBO in nats per image of a VAE with ``p(x|z) = N(mu(z), 1)`` on ``x`` in units of :data:`SCALE`.

    The KL divergence is exact. Densities are those of the pixels, so every pixel adds ``-log SCALE``.
    """
    loc, log_scale = (each.double() for each in encode(x))
    scale = log_scale.exp()
    kl = 0.5 * (loc**2 + scale**2 - 1).sum(-1) - log_scale.sum(-1)
    noise = torch.Generator().manual_seed(seed)
    constant = -0.5 * math.log(2 * math.pi) - math.log(SCALE)
    log_likelihood = torch.zeros(len(x), dtype=torch.float64)
    for _ in range(samples):
        z = loc + scale * torch.randn(loc.shape, generator=noise, dtype=torch.float64)
        error = x.double() - decode(z.float()).double()
        log_likelihood += (constant - 0.5 * error**2).sum(-1) / samples
    return float((log_likelihood - kl).mean())


def our_elbo(vae: gv.VAE, x: Tensor) -> float:
    """:func:`heldout_elbo` of graphvae's networks."""

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        posterior, _ = vae.module_(ImageInputs(x))
        return posterior.mean, posterior.stddev.log()

    return heldout_elbo(encode, lambda z: vae.module_.decode(z).mean, x)


def their_elbo(model: VAE, x: Tensor) -> float:
    """:func:`heldout_elbo` of pythae's networks."""

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        output = model.encoder(x)
        return output.embedding, 0.5 * output.log_covariance

    return heldout_elbo(encode, lambda z: model.decoder(z).reconstruction, x)


def quality(x: Tensor, seed: int, epochs: int) -> dict[str, Any]:
    """Both trained on four fifths of ``x`` and scored on the rest."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    train, test = x[order[: len(x) * 4 // 5]], x[order[len(x) * 4 // 5 :]]
    vae, our_time = ours(train, SETTINGS["graphvae"], epochs, seed)
    trainer, their_time = theirs(train, SETTINGS["graphvae"], epochs, seed)
    own = float(vae.elbo(test, samples=64).mean()) - x.shape[1] * math.log(SCALE)
    return {
        "seed": seed,
        "graphvae": {"elbo": our_elbo(vae, test), "elbo_by_graphvae": own, **our_time},
        "pythae": {
            "elbo": their_elbo(trainer._best_model, test),
            "elbo_last": their_elbo(trainer.model, test),
            **their_time,
        },
    }


def timing(x: Tensor, setting: Setting, epochs: int, rounds: int) -> dict[str, Any]:
    """Time per epoch of both, in turns; the first of a round changes from one to the next."""
    packages = {"graphvae": ours, "pythae": theirs}
    for fit in packages.values():
        fit(x, setting, 1, 0)
    runs = []
    for number in range(rounds):
        names = list(packages)[:: 1 if number % 2 == 0 else -1]
        times = {name: packages[name](x, setting, epochs, number)[1] for name in names}
        runs.append({name: times[name] for name in packages})
    spread: dict[str, Any] = {name: quartiles([run[name]["seconds"] for run in runs]) for name in packages}
    for key, name in (("seconds", "ratio"), ("cpu_seconds", "cpu_ratio")):
        spread[name] = quartiles([run["pythae"][key] / run["graphvae"][key] for run in runs])
    return {"setting": asdict(setting), "images": len(x), "epochs_per_run": epochs, "summary": spread, "runs": runs}


def quartiles(values: list[float]) -> dict[str, float]:
    """Median, and the quartiles around it."""
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return {"median": middle, "low": low, "high": high}


def summary(values: list[float]) -> dict[str, float | None]:
    """Mean and its standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"mean": mean(values), "standard_error": error}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200, help="of the runs whose ELBO is compared")
    parser.add_argument("--rounds", type=int, default=20, help="of the timing on digits; MNIST has a quarter of them")
    parser.add_argument("--without-mnist", action="store_true")
    parser.add_argument("--to", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("pythae"):
            logging.getLogger(name).setLevel(logging.WARNING)

    images = {"digits": gv.load_images("digits").x / SCALE}
    if not options.without_mnist:
        images["mnist"] = gv.load_images("mnist", part="train").x / SCALE
    runs = []
    for seed in range(options.seeds):
        runs.append(quality(images["digits"], seed, options.epochs))
        print(json.dumps(runs[-1]), file=sys.stderr)
    pairs = [(run["graphvae"]["elbo"], run["pythae"]["elbo"]) for run in runs]
    elbo = {
        "graphvae": summary([first for first, _ in pairs]),
        "pythae": summary([second for _, second in pairs]),
        "pythae_last": summary([run["pythae"]["elbo_last"] for run in runs]),
        "difference": summary([first - second for first, second in pairs]),
        "difference_last": summary([run["graphvae"]["elbo"] - run["pythae"]["elbo_last"] for run in runs]),
    }
    times: dict[str, dict[str, Any]] = {}
    for dataset, x in images.items():
        epochs, rounds = (10, options.rounds) if dataset == "digits" else (1, max(1, options.rounds // 4))
        for name, setting in SETTINGS.items():
            times.setdefault(dataset, {})[name] = timing(x, setting, epochs, rounds)
            print(dataset, name, json.dumps(times[dataset][name]["summary"]), file=sys.stderr)
    packages = ("graphvae", "pythae", "numpy", "pydantic")
    result = {
        "command": shlex.join(["python", "benchmarks/pythae_vae.py", *sys.argv[1:]]),
        "machine": {**machine_description(), "versions": {name: version(name) for name in packages}},
        "setting": {**asdict(SETTINGS["graphvae"]), "epochs": options.epochs, "pixel_scale": SCALE},
        "elbo": elbo,
        "runs": runs,
        "times": times,
    }
    options.to.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
