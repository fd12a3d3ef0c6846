"""Objectives by name: which (pseudo-)likelihood goes into the bound, and what the bound is divided by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphvae._check import InputError, one_of, resolve
from graphvae.kernels.control_variate import ControlVariate
from graphvae.kernels.cost import estimate_is_cheaper
from graphvae.kernels.edges import EdgeSet
from graphvae.training.adversary import Adversarial
from graphvae.training.free_bits import FreeBits
from graphvae.training.masked import MaskedEdges
from graphvae.training.wrapped import Wrapped
from graphvae.variational.pseudo_likelihoods import (
    KipfPseudoLikelihood,
    SampledPseudoLikelihood,
    TrainedLikelihood,
)

__all__ = ["OBJECTIVES", "Objective", "objective_named"]


@dataclass(frozen=True)
class Objective:
    """A training objective for graphs: ``loss = -(reconstruction - beta KL) / divisor(N)``.

    Args:
        name: what users call it.
        reconstruct: from the decoder's likelihood, and the state of an estimate of the sum over all pairs (None takes
            it exactly), to what scores the edges in the bound.
        divisor: from the number of nodes to the scale of the loss (Adam hardly sees it; readers of the loss do).
        is_bound: whether the negative loss is (or estimates without bias) a bound on ``log p(A)``.
        paths: ways to take the sum over all pairs: ``"exact"`` in row blocks, ``"control-variate"``, an unbiased
            estimate in O(N); or ``"sampled"``, which has no such sum.
        description: one sentence for documents and ``--help``.
        importance_weighted: whether the loss is made of the bound of importance weights, not of the two terms.
        exact_worth: how many times the cost of an estimate the exact sum may have before the estimate is chosen.
        path: the one that was asked for; None leaves the choice to :func:`graphvae.kernels.cost.estimate_is_cheaper`.
    """

    name: str
    reconstruct: Callable[..., Any]
    divisor: Callable[[int], float]
    is_bound: bool
    paths: tuple[str, ...]
    description: str
    importance_weighted: bool = False
    exact_worth: float = 1.0
    path: str | None = None

    free_bits = 0.0

    @property
    def likelihood_based(self) -> bool:
        """Whether a likelihood is trained, which decides where a decoder starts."""
        return self.is_bound

    def loss(self, reconstruction: Tensor, kl: Tensor, num_nodes: int, beta: float = 1.0) -> Tensor:
        """``()`` the loss to minimise, from terms in nats."""
        return torch.sub(reconstruction, kl, alpha=beta) / -self.divisor(num_nodes)

    def choose_path(
        self, num_nodes: int, num_edges: int, latent_dim: int, device: torch.device, inner_product: bool = True
    ) -> str:
        """The path for a graph of N nodes and E edges: what was asked for, else the cheaper one.

        Args:
            num_nodes, num_edges, latent_dim: N, E and D.
            device: where the sum will be taken.
            inner_product: whether logits are inner products; of others the sum over all pairs has no cheap estimate.

        Raises:
            InputError: if the estimate was asked for, and logits are no inner products.
        """
        if self.path == "control-variate" and not inner_product:
            raise InputError(
                f'objective="{self.name}:control-variate": expected a decoder of inner products (inner_product, cosine)'
            )
        if self.path is not None or len(self.paths) == 1 or not inner_product:
            return self.path or self.paths[0]
        return self.paths[estimate_is_cheaper(num_nodes, num_edges, latent_dim, device, self.exact_worth)]

    def view(self, inputs: Any, edges: EdgeSet) -> tuple[Any, EdgeSet | Tensor]:
        """What one step encodes, and the edges it scores: here all of both."""
        return inputs, edges

    def companion(self, path: str, edges: EdgeSet) -> ControlVariate | None:
        """What :attr:`reconstruct` is given beside the likelihood, throughout one training run on ``edges``."""
        if path != "control-variate":
            return None
        return ControlVariate(edges.num_nodes, edges.pairs, device=edges.pairs.device)


OBJECTIVES: dict[str, Objective | MaskedEdges | Wrapped] = {
    objective.name: objective
    for objective in (
        Objective(
            "kipf",
            KipfPseudoLikelihood,
            lambda n: float(n * n),
            False,
            ("exact", "control-variate"),
            "Kipf and Welling's weighted loss over all pairs; not a bound on log p(A).",
        ),
        Objective(
            "elbo",
            TrainedLikelihood,
            float,
            True,
            ("exact", "control-variate"),
            "The true evidence lower bound: unordered pairs, no diagonal, no weights.",
            # Without weights, a well-fitted sparse graph has the cost of its non-edges in few pairs, which random
            # shifts seldom meet: unbiased, but so noisy that Adam ends thousands of nats lower (Cora, d = 16).
            exact_worth=300.0,
        ),
        Objective(
            "iwae",
            TrainedLikelihood,
            float,
            True,
            # The logarithm of a mean of weights is no longer a bound where these are estimates.
            ("exact",),
            "The importance-weighted bound of whole graphs: tighter than the ELBO, and hardly more than its best draw.",
            importance_weighted=True,
        ),
        Objective(
            "sampled",
            lambda likelihood, companion=None: SampledPseudoLikelihood(likelihood),
            lambda n: float(n * n),
            False,
            ("sampled",),
            "Edges against as many sampled non-edges; not a bound on log p(A).",
        ),
        MaskedEdges(),
    )
}
OBJECTIVES["free-bits"] = FreeBits(base=OBJECTIVES["elbo"])
OBJECTIVES["adversarial"] = Adversarial(OBJECTIVES["kipf"])


def objective_named(name: Any) -> Objective | MaskedEdges | Wrapped:
    """The objective called ``name``, or ``name:path`` with one of its paths (``"kipf:exact"``); an object is itself.

    What follows ``"adversarial:"`` or ``"free-bits:"`` is the objective that they are put around.

    Raises:
        InputError: for an unknown name or path.
    """
    if isinstance(name, (Objective, MaskedEdges)):
        return name
    if isinstance(name, (Adversarial, FreeBits)):
        return replace(name, base=objective_named(name.base))
    base, colon, path = name.partition(":") if isinstance(name, str) else (name, "", "")
    found = resolve("objective", base, OBJECTIVES)
    if not colon:
        return found
    if isinstance(found, (Adversarial, FreeBits)):
        return objective_named(replace(found, base=path))
    one_of("path of the objective", path, found.paths)
    return replace(found, path=path) if isinstance(found, Objective) else found
