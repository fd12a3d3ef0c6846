"""Likelihoods of four posteriors, and samples judged by a classifier, on digits: ``python benchmarks/digits_vae.py``.

scikit-learn's 1797 digits, a fifth of them for the test, drawn by each seed anew. All models have the same network, and
all VAEs the same epochs, optimiser and Gaussian likelihood, whose scale (of pixels in [0, 1]) is chosen on a fifth of
the training images. A latent sphere in R^17 has the 16 dimensions of the other latents.

Samples are means of p(x|z). The judge is kernel logistic regression on the real training images, because its confidence
falls far from them: of shuffled pixels it recognises nothing. Beside the share it recognises (with a confidence above
0.9) stands how many classes these are of, the exponential of their entropy: 10 if all digits come equally often.

It takes about a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import graphvae as gv
from graphvae.estimators.benchmark import machine_description
from graphvae.evaluation.bits import bits_per_dimension
from graphvae.plots.images import plot_grid
from graphvae.plots.projection import plot_projections
from graphvae.variational.observations import GaussianObservation

ROOT = Path(__file__).parents[1]
NETWORK = {"hidden_dims": (128, 128), "learning_rate": 2e-3}
LATENT_DIM, SMALL = 16, 2
# What is chosen on validation images: the scale for the bound and, for each latent dimension, that for the samples; and
# for how long the auto-encoder trains, by the samples from the Gaussian fitted to its codes. Samples are chosen by the
# share recognised times the number of classes, so that one good digit repeated does not win.
SCALES = (0.07, 0.1, 0.2, 0.3)
AE_EPOCHS = (100, 300)
MODELS: dict[str, dict[str, Any]] = {
    "vae": {},
    "iwae": {"objective": "iwae", "samples": 50},
    "hyperspherical": {"posterior": "hyperspherical", "latent_dim": LATENT_DIM + 1},
    "flow": {"posterior": "flow"},
}
IMPORTANCE_SAMPLES, SAMPLES, CONFIDENT = 1000, 2000, 0.9


def vae(scale: float, epochs: int, seed: int, **changes: Any) -> gv.VAE:
    """An unfitted VAE of the common settings."""
    settings = {**NETWORK, "latent_dim": LATENT_DIM, "likelihood": GaussianObservation(scale), **changes}
    return gv.VAE(**settings, epochs=epochs, seed=seed)


def auto_encoder(latent_dim: int, epochs: int, seed: int) -> gv.AE:
    """An unfitted AE with the VAE's network."""
    return gv.AE(**NETWORK, latent_dim=latent_dim, epochs=epochs, seed=seed)


def fit_judge(images: gv.Images) -> Any:
    """A classifier of real digits that is sure of itself near them only."""
    features = Nystroem(gamma=0.15, n_components=len(images), random_state=0)
    judge = make_pipeline(features, LogisticRegression(C=20, max_iter=5000))
    return judge.fit(images.x.numpy(), images.y.numpy())


def judged(judge: Any, x: np.ndarray) -> dict[str, float]:
    """Share recognised with confidence, and how many classes these are of."""
    probabilities = judge.predict_proba(x)
    sure = probabilities.max(1) > CONFIDENT
    shares = np.bincount(probabilities[sure].argmax(1), minlength=10) / max(sure.sum(), 1)
    entropy = abs(sum(p * math.log(p) for p in shares.tolist() if p > 0))
    return {"recognised": float(sure.mean()), "entropy": entropy, "classes": math.exp(entropy) if sure.any() else 0.0}


def worth(judge: Any, x: np.ndarray) -> float:
    """What settings are chosen by."""
    figures = judged(judge, x)
    return figures["recognised"] * figures["classes"]


def fitted_gaussian(x: np.ndarray, seed: int) -> np.ndarray:
    """Draws from the Gaussian with the mean and the covariance of rows ``x``."""
    return np.random.default_rng(seed).multivariate_normal(x.mean(0), np.cov(x.T), SAMPLES)


def ae_samples(model: gv.AE, train: gv.Images, seed: int) -> dict[str, np.ndarray]:
    """Decoded codes, from N(0, I) and from a Gaussian fitted to the codes of the training images."""
    codes = {
        "normal": np.random.default_rng(seed).normal(size=(SAMPLES, model.latent_dim)),
        "fitted": fitted_gaussian(model.transform(train.x), seed),
    }
    return {name: model.inverse_transform(z) for name, z in codes.items()}


def choose(train: gv.Images, epochs: int, seed: int) -> dict[str, Any]:
    """Scales and the AE's epochs, chosen on a fifth of the training images; all that was tried is kept."""
    fit, val = train.split(0.2, seed=seed)
    judge, tried = fit_judge(fit), []
    chosen: dict[str, Any] = {"samples": {}, "ae_epochs": {}}
    for latent_dim in (LATENT_DIM, SMALL):
        marginals, vae_worth, ae_worth = {}, {}, {}
        for scale in SCALES:
            model = vae(scale, epochs, seed, latent_dim=latent_dim).fit(fit.x)
            marginals[scale] = float(model.log_marginal(val.x, samples=100).mean())
            vae_worth[scale] = worth(judge, model.sample(SAMPLES, seed=seed, mean=True))
            figures = {"log_marginal": marginals[scale], "worth": vae_worth[scale]}
            tried.append({"model": "vae", "latent_dim": latent_dim, "scale": scale, **figures})
        for length in AE_EPOCHS:
            ae = auto_encoder(latent_dim, min(length, epochs), seed).fit(fit.x)
            ae_worth[ae.epochs] = worth(judge, ae_samples(ae, fit, seed)["fitted"])
            tried.append({"model": "ae", "latent_dim": latent_dim, "epochs": ae.epochs, "worth": ae_worth[ae.epochs]})
        if latent_dim == LATENT_DIM:
            chosen["bound"] = max(marginals, key=marginals.__getitem__)
        chosen["samples"][latent_dim] = max(vae_worth, key=vae_worth.__getitem__)
        chosen["ae_epochs"][latent_dim] = max(ae_worth, key=ae_worth.__getitem__)
    return {**chosen, "tried": tried}


def likelihoods(train: gv.Images, test: gv.Images, scale: float, epochs: int, seed: int) -> dict[str, dict[str, float]]:
    """Test figures of every posterior, in nats per image."""
    found = {}
    for name, changes in MODELS.items():
        model = vae(scale, epochs, seed, **changes).fit(train.x)
        elbo, log_likelihood, kl = (float(term.mean()) for term in model.elbo_terms(test.x))
        marginal = model.log_marginal(test.x, samples=IMPORTANCE_SAMPLES)
        bits = bits_per_dimension(marginal, test.num_features, test.quantisation)
        found[name] = {
            "elbo": elbo,
            "log_likelihood": log_likelihood,
            "kl": kl,
            "log_marginal": float(marginal.mean()),
            "bits_per_dimension": float(bits.mean()),
            "train_elbo": model.score(train.x),
            "seconds": model.fit_seconds_,
        }
    return found


def generation(
    train: gv.Images, test: gv.Images, chosen: dict[str, Any], epochs: int, seed: int, paint: Callable[..., None] | None
) -> dict[str, Any]:
    """What the judge says of real digits, of a plain Gaussian, and of what the models make."""
    judge, x = fit_judge(train), test.x.numpy()
    found: dict[str, Any] = {
        "accuracy": float(judge.score(x, test.y.numpy())),
        "real": judged(judge, x),
        "shuffled": judged(judge, np.random.default_rng(seed).permuted(x, axis=1)),
        "pixels": judged(judge, fitted_gaussian(train.x.numpy(), seed).clip(0, 1)),
    }
    for latent_dim in (LATENT_DIM, SMALL):
        scale = chosen["samples"][latent_dim]
        model = vae(scale, epochs, seed, latent_dim=latent_dim).fit(train.x)
        ae = auto_encoder(latent_dim, chosen["ae_epochs"][latent_dim], seed).fit(train.x)
        made = {"vae": model.sample(SAMPLES, seed=seed, mean=True)}
        made.update({f"ae_{name}": drawn for name, drawn in ae_samples(ae, train, seed).items()})
        made.update(vae_reconstructions=model.reconstruct(x), ae_reconstructions=ae.reconstruct(x))
        if latent_dim == LATENT_DIM:
            best = model if scale == chosen["bound"] else vae(chosen["bound"], epochs, seed).fit(train.x)
            made["vae_bound"] = best.sample(SAMPLES, seed=seed, mean=True)
        found[str(latent_dim)] = {name: judged(judge, drawn) for name, drawn in made.items()}
        if latent_dim == LATENT_DIM and paint is not None:
            paint(test, {"real": x, **made}, {"real": found["real"], **found[str(latent_dim)]}, model, ae)
    return found


def painter(to: Path) -> Callable[..., None]:
    """What draws the two pictures, into the folder ``to``."""
    titles = {
        "real": "real test digits",
        "vae": "VAE, from its prior",
        "ae_normal": "AE, codes from N(0, I)",
        "ae_fitted": "AE, Gaussian fitted to codes",
    }

    def paint(test: gv.Images, made: Any, figures: Any, model: gv.VAE, ae: gv.AE) -> None:
        shares = {name: f"{100 * figures[name]['recognised']:.0f} % recognised" for name in titles}
        plot_grid(
            np.concatenate([made[name][:32].reshape(2, 16, -1) for name in titles]),
            to / "digits_samples.png",
            row_labels=[text for name, title in titles.items() for text in (title, shares[name])],
            title=f"The first 32 of each, from {LATENT_DIM} latent dimensions, judged by a classifier of real digits",
        )
        labels = test.y.numpy()
        plot_projections(
            {"AE": (ae.transform(test.x), labels), "VAE": (model.transform(test.x), labels)},
            to / "ae_vae_tsne.png",
            title=f"t-SNE of the {LATENT_DIM} latents of {len(test)} test digits",
        )

    return paint


def summary(values: list[float]) -> dict[str, float | None]:
    """Mean, standard error and spread over seeds."""
    spread = stdev(values) if len(values) > 1 else None
    error = None if spread is None else spread / math.sqrt(len(values))
    return {"mean": mean(values), "standard_error": error, "standard_deviation": spread}


def summarised(records: list[Any]) -> Any:
    """The same nested figures of all seeds as summaries."""
    if isinstance(records[0], dict):
        return {key: summarised([record[key] for record in records]) for key in records[0]}
    return {"n": len(records), **summary(records)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--to", type=Path, default=ROOT, help="folder of benchmarks/results/ and docs/images/")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images, runs = gv.load_images("digits").flat(), []
    for seed in range(arguments.seeds):
        train, test = images.split(0.2, seed=seed)
        chosen = choose(train, arguments.epochs, seed)
        found = likelihoods(train, test, chosen["bound"], arguments.epochs, seed)
        paint = painter(arguments.to / "docs" / "images") if seed == 0 else None
        made = generation(train, test, chosen, arguments.epochs, seed, paint)
        runs.append({"seed": seed, "chosen": chosen, "likelihood": found, "generation": made})
        print(json.dumps(runs[-1], indent=1), flush=True)
    command = "python benchmarks/digits_vae.py"
    for name in ("seeds", "epochs"):
        value = getattr(arguments, name)
        command += "" if value == parser.get_default(name) else f" --{name} {value}"
    result = {
        "command": command,
        "machine": {**machine_description(), "sklearn": sklearn.__version__, "numpy": np.__version__},
        "settings": {
            **NETWORK,
            "latent_dim": LATENT_DIM,
            "epochs": arguments.epochs,
            "scales": SCALES,
            "models": MODELS,
            "importance_samples": IMPORTANCE_SAMPLES,
            "samples": SAMPLES,
            "confident": CONFIDENT,
            "images": {"train": len(train), "test": len(test), "quantisation": images.quantisation},
        },
        "likelihood": summarised([run["likelihood"] for run in runs]),
        "generation": summarised([run["generation"] for run in runs]),
        "runs": runs,
    }
    path = arguments.to / "benchmarks" / "results" / "digits.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
