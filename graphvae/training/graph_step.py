"""``graph_step``: one training step on a whole graph, from what is encoded to the loss and its terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.edges import EdgeSet
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.inputs import GraphInputs
from graphvae.training.adversary import Adversary
from graphvae.variational.bound import bound
from graphvae.variational.posteriors import PosteriorFamily, closed_form

__all__ = ["graph_step"]


def graph_step(
    module: Autoencoder,
    family: PosteriorFamily,
    options: Mapping[str, Any],
    inputs: GraphInputs,
    target: EdgeSet,
    companion: Any,
    adversary: Adversary | None = None,
) -> Callable[[int, int], tuple[Tensor, dict[str, Tensor]]]:
    """The step that :func:`graphvae.training.loop.train` takes, for one run on one graph.

    Args:
        module: what is trained.
        family: of its posterior.
        options: ``objective``, ``samples``, ``beta`` and ``kl_warmup`` of the estimator, checked.
        inputs: what the encoder may see.
        target: the edges.
        companion: what scoring is given beside the likelihood, from the objective.
        adversary: the second player, of an objective that has one.

    Raises:
        InputError: for an importance-weighted bound with one draw, of a point posterior, or with a weighted divergence.
    """
    objective = options["objective"]
    if objective.importance_weighted:
        _check_weights(family, options)

    def step(epoch: int, batch: int) -> tuple[Tensor, dict[str, Tensor]]:
        seen, scored = objective.view(inputs, target)
        posterior, prior = module(seen)
        terms = bound(
            posterior,
            prior,
            lambda z: objective.reconstruct(module.decode(z), companion),
            scored,
            samples=options["samples"],
            analytic=closed_form(family, module.prior) and not objective.importance_weighted,
            free_bits=objective.free_bits,
        )
        beta = options["beta"] * min(1.0, epoch / max(options["kl_warmup"], 1))
        mean = terms.mean()
        reconstruction, kl = mean.log_likelihood, mean.kl
        if objective.importance_weighted:
            loss = objective.loss(terms.iwae(), torch.zeros_like(kl), inputs.num_nodes)
        else:
            charged = kl + terms.shortfall if objective.free_bits else kl
            loss = objective.loss(reconstruction, charged, inputs.num_nodes, beta)
        named = {"reconstruction": reconstruction, **({"kl": kl} if family.variational else {})}
        if adversary is not None:
            named["fooling"] = adversary.fooling(terms.z, prior)
            loss = loss + adversary.weight * named["fooling"]
        return loss, named

    return step


def _check_weights(family: PosteriorFamily, options: Mapping[str, Any]) -> None:
    samples, beta, kl_warmup = (options[name] for name in ("samples", "beta", "kl_warmup"))
    if not family.variational:
        raise InputError("objective='iwae': a point posterior has no density to weigh with; expected a VGAE")
    if samples < 2:
        raise InputError(f"samples={samples}: objective='iwae' expects at least 2; with 1 it is the ELBO")
    if beta != 1 or kl_warmup or options["objective"].free_bits:
        raise InputError(f"beta={beta:g}, kl_warmup={kl_warmup}: objective='iwae' has no KL term; expected 1 and 0")
