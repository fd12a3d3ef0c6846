"""``MaskedEdges``: training to tell the edges that were hidden from the encoder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from graphvae._check import number
from graphvae.kernels.edges import EdgeSet
from graphvae.nn.inputs import GraphInputs
from graphvae.variational.likelihoods import PairLikelihood
from graphvae.variational.pseudo_likelihoods import SampledPseudoLikelihood

__all__ = ["MaskedEdges"]


@dataclass(frozen=True)
class MaskedEdges:
    """Each step hides edges from the encoder and scores those against sampled non-edges; no bound on ``log p(A)``.

        loss = mean_{hidden edges} softplus(-s) + mean_{non-edges} softplus(s) + beta KL / N²

    An edge that propagates its own message is told by the neighbourhoods of its ends; a held-out one is not. So every
    edge is hidden with probability ``rate`` at each step, and scored only where it is hidden.

    Args:
        rate: probability with which an edge is hidden, in (0, 1].
        negatives: non-edges drawn for each hidden edge, uniformly.

    Reference:
        Li et al., What's Behind the Mask: Understanding Masked Graph Modeling for Graph Autoencoders (2023), with the
        posterior's divergence added.
    """

    rate: float = 0.5
    negatives: float = 1.0

    name = "masked"
    is_bound = False
    likelihood_based = False
    importance_weighted = False
    free_bits = 0.0
    paths = ("sampled",)
    path = None
    description = "Edges hidden from the encoder, against sampled non-edges; not a bound on log p(A)."

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", number("rate", self.rate, low=0, high=1, open_low=True))
        object.__setattr__(self, "negatives", number("negatives", self.negatives, low=0, open_low=True))

    def settings(self) -> dict[str, Any]:
        """The arguments this objective can be built from again."""
        return asdict(self)

    def choose_path(self, *sizes: Any, **options: Any) -> str:
        """Always ``"sampled"``: there is no sum over all pairs."""
        return "sampled"

    def companion(self, path: str, edges: EdgeSet) -> EdgeSet:
        """All edges of the run, none of which may be drawn as a non-edge."""
        return edges

    def view(self, inputs: GraphInputs, edges: EdgeSet) -> tuple[GraphInputs, Tensor]:
        """What one step encodes, and the hidden edges ``(2, E')`` it scores: at least one."""
        hidden = torch.rand(edges.num_edges, device=edges.pairs.device) < self.rate
        if not bool(hidden.any()):
            hidden[torch.randint(edges.num_edges, (1,), device=hidden.device)] = True
        return inputs.masked(~hidden), edges.pairs[:, hidden]

    def reconstruct(self, likelihood: PairLikelihood, edges: EdgeSet | None = None) -> SampledPseudoLikelihood:
        """What scores the hidden edges; ``edges`` are all there are, by default those that are scored."""
        return SampledPseudoLikelihood(likelihood, None if edges is None else edges.keys, self.negatives)

    def loss(self, reconstruction: Tensor, kl: Tensor, num_nodes: int, beta: float = 1.0) -> Tensor:
        """``()`` the loss to minimise, from terms in (weighted) nats."""
        return torch.sub(reconstruction, kl, alpha=beta) / -float(num_nodes * num_nodes)
