"""Objectives by name: which (pseudo-)likelihood goes into the bound, and what the bound is divided by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from graphvae.variational.likelihoods import PairwiseBernoulli
from graphvae.variational.pseudo_likelihoods import KipfPseudoLikelihood, SampledPseudoLikelihood

__all__ = ["OBJECTIVES", "Objective"]


@dataclass(frozen=True)
class Objective:
    """A training objective for graphs: ``loss = -(reconstruction - beta KL) / divisor(N)``.

    Args:
        name: what users call it.
        reconstruct: from the decoder's likelihood to what scores the edges in the bound.
        divisor: from the number of nodes to the scale of the loss (Adam hardly sees it; readers of the loss do).
        is_bound: whether the negative loss is a bound on ``log p(A)``.
        path: how the sum over all pairs is taken: ``"exact"`` in row blocks, or ``"sampled"``; kept with every run.
        description: one sentence for documents and ``--help``.
    """

    name: str
    reconstruct: Callable[[PairwiseBernoulli], Any]
    divisor: Callable[[int], float]
    is_bound: bool
    path: str
    description: str

    def loss(self, reconstruction: Tensor, kl: Tensor, num_nodes: int, beta: float = 1.0) -> Tensor:
        """``()`` the loss to minimise, from terms in nats."""
        return -(reconstruction - beta * kl) / self.divisor(num_nodes)


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(
            "kipf",
            KipfPseudoLikelihood,
            lambda n: float(n * n),
            False,
            "exact",
            "Kipf and Welling's weighted loss over all pairs, exactly; not a bound on log p(A).",
        ),
        Objective(
            "elbo",
            lambda likelihood: likelihood,
            float,
            True,
            "exact",
            "The true evidence lower bound: unordered pairs, no diagonal, no weights.",
        ),
        Objective(
            "sampled",
            SampledPseudoLikelihood,
            lambda n: float(n * n),
            False,
            "sampled",
            "Edges against as many sampled non-edges; not a bound on log p(A).",
        ),
    )
}
