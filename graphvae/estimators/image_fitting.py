"""From arguments and an array to a fitted image model: the module, the batches, the steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from graphvae._check import InputError, integer, number, one_of
from graphvae.estimators.parameters import component
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.dense import ImageDecoder, ImageEncoder, ImageInputs
from graphvae.nn.priors import PRIORS
from graphvae.training.checkpoint import Checkpoint
from graphvae.training.loop import TrainingResult, check_learning_rate, train
from graphvae.training.progress import progress_bar
from graphvae.training.randomness import check_seed, seeded
from graphvae.variational.bound import bound
from graphvae.variational.posteriors import PosteriorFamily

__all__ = [
    "binarised",
    "bound_objective",
    "build_image_module",
    "check_image_params",
    "fit_images",
    "widest_layer",
]


def check_image_params(params: Mapping[str, Any], family: PosteriorFamily) -> dict[str, Any]:
    """The estimator's arguments, validated and completed: names become the objects they stand for.

    Raises:
        InputError: naming the argument, its value and what was expected.
    """
    hidden = params["hidden_dims"]
    if not isinstance(hidden, (tuple, list)):
        raise InputError(f"hidden_dims={hidden!r}: expected a sequence of widths, such as (256,)")
    observation = component("likelihood", params["likelihood"])
    binarize = params.get("binarize")
    if binarize is not None:
        one_of("binarize", binarize, ("threshold", "stochastic"))
        if not observation.binary:
            raise InputError(f"binarize={binarize!r}: expected with likelihood='bernoulli' only")
    objective = one_of("objective", params.get("objective", "elbo"), ("elbo", "beta", "iwae"))
    samples = integer("samples", params.get("samples", 1), low=1)
    if objective == "iwae" and samples < 2:
        raise InputError(f"samples={samples}: objective='iwae' expects at least 2; with 1 it is the ELBO")
    if objective == "iwae" and not family.variational:
        raise InputError("objective='iwae': a point posterior has no density to weigh with; expected objective='elbo'")
    beta = number("beta", params.get("beta", 1.0), low=0)
    kl_warmup = integer("kl_warmup", params.get("kl_warmup", 0), low=0)
    free_bits = number("free_bits", params.get("free_bits", 0.0), low=0)
    if objective == "iwae" and (beta != 1 or kl_warmup or free_bits):
        raise InputError(
            f"beta={beta:g}, kl_warmup={kl_warmup}, free_bits={free_bits:g}: objective='iwae' has no KL term; "
            "expected 1, 0 and 0"
        )
    return {
        "latent_dim": integer("latent_dim", params["latent_dim"], low=1),
        "hidden_dims": tuple(integer("hidden_dims", width, low=1) for width in hidden),
        "network": component("network", params.get("network", "dense")),
        "observation": observation,
        "binarize": binarize,
        "posterior": family,
        "objective": objective,
        "beta": beta,
        "kl_warmup": kl_warmup,
        "free_bits": free_bits,
        "samples": samples,
        "epochs": integer("epochs", params["epochs"], low=1),
        "batch_size": integer("batch_size", params["batch_size"], low=1),
        "learning_rate": check_learning_rate(params["learning_rate"]),
        "seed": check_seed(params["seed"]),
    }


def build_image_module(options: Mapping[str, Any], shape: Sequence[int], num_classes: int = 0) -> Autoencoder:
    """A freshly initialised module for data of ``shape``, ``(D,)`` or ``(C, H, W)``; under a seed of its own."""
    network, latent_dim, hidden = options["network"], options["latent_dim"], options["hidden_dims"]
    family = options["posterior"]
    with seeded(options["seed"], "initialise"):
        body = network.encoder(shape, hidden, num_classes, family.width(latent_dim))
        encoder = ImageEncoder(body, family.build(latent_dim))
        observation = options["observation"].build()
        decoder = ImageDecoder(network.decoder(latent_dim, hidden, num_classes, shape), observation)
        prior = PRIORS[family.default_prior]().build(num_features=0, latent_dim=latent_dim)
    return Autoencoder(encoder, prior, decoder)


def fit_images(
    module: nn.Module,
    options: Mapping[str, Any],
    objective: Callable[[Tensor, Tensor, float], tuple[Tensor, dict[str, Tensor]]],
    x: Tensor,
    *,
    progress: bool,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train ``module`` on rows of ``x`` ``(N, D)``, in shuffled batches that differ in size by at most one.

    Args:
        module: encoder, prior and decoder.
        options: from :func:`check_image_params`.
        objective: from row numbers ``(B,)``, their data ``(B, D)`` (binarised if so chosen) and the weight of the KL
            divergence to the loss ``()`` and its terms in nats.
        x: data, on the device of ``module``.
        progress: show a progress bar on stderr.
        checkpoint: where the run is saved as it goes, and goes on from.
    """
    seed, device = options["seed"], x.device
    batches = math.ceil(len(x) / options["batch_size"])
    order: list[Tensor] = []

    def step(epoch: int, batch: int) -> tuple[Tensor, dict[str, Tensor]]:
        if batch == 0:
            with seeded(seed, "shuffle", epoch):
                order[:] = torch.randperm(len(x)).to(device).tensor_split(batches)
        rows = order[batch]
        beta = options["beta"] * min(1.0, epoch / max(options["kl_warmup"], 1))
        return objective(rows, binarised(x.index_select(0, rows), options["binarize"]), beta)

    with progress_bar(options["epochs"], enabled=progress) as callback:
        return train(
            module,
            step,
            epochs=options["epochs"],
            learning_rate=options["learning_rate"],
            seed=seed,
            device=device,
            batches=batches,
            callback=callback,
            checkpoint=checkpoint,
        )


def bound_objective(
    module: Any, options: Mapping[str, Any], condition: Tensor | None
) -> Callable[[Tensor, Tensor, float], tuple[Tensor, dict[str, Tensor]]]:
    """Minus the ELBO or the importance-weighted bound, averaged over the batch.

    Args:
        module: encoder, prior and decoder.
        options: from :func:`check_image_params`.
        condition: ``(N, K)`` one-hot labels of all data, or None.
    """
    iwae = options["objective"] == "iwae"

    def objective(rows: Tensor, x: Tensor, beta: float) -> tuple[Tensor, dict[str, Tensor]]:
        given = None if condition is None else condition[rows]
        posterior, prior = module(ImageInputs(x, given))
        terms = bound(
            posterior,
            prior,
            lambda z: module.decode(z, given),
            x,
            samples=options["samples"],
            analytic=options["posterior"].analytic_kl and not iwae,
            free_bits=options["free_bits"],
        )
        mean = terms.mean()
        figures = {"reconstruction": mean.log_likelihood.detach()}
        if options["posterior"].variational:
            figures["kl"] = mean.kl.detach()
        return -(terms.iwae().mean() if iwae else mean.elbo(beta)), figures

    return objective


def binarised(x: Tensor, how: str | None) -> Tensor:
    """Grey values as 0 and 1: above a half, or drawn with that probability from torch's current generator."""
    if how is None:
        return x
    return (x > 0.5).to(x.dtype) if how == "threshold" else torch.bernoulli(x)


@torch.no_grad()
def widest_layer(module: Any, x: Tensor, condition: Tensor | None) -> int:
    """The most numbers that any layer of encoder or decoder puts out for one datum ``x`` ``(1, D)``."""
    widths = [x.shape[1]]

    def note(layer: nn.Module, given: Any, found: Any) -> None:
        if isinstance(found, Tensor):
            widths.append(found.numel())

    handles = [layer.register_forward_hook(note) for layer in module.modules()]
    try:
        posterior, _ = module(ImageInputs(x, condition))
        module.decode(posterior.mean, condition)
    finally:
        for handle in handles:
            handle.remove()
    return max(widths)
