"""``FreeBits``: an objective whose divergence is not charged below an allowance for each latent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphvae._check import number
from graphvae.training.wrapped import Wrapped

__all__ = ["FreeBits"]


@dataclass(frozen=True)
class FreeBits(Wrapped):
    """Another objective in which every latent unit has ``nats`` to spend: below them, nothing draws it to the prior.

    What a unit's divergence, averaged over the nodes, lacks of the allowance is added to the KL term, so a bound
    becomes a lower one: no unit gains by giving up what it says of the graph, as they are quick to do.

    Args:
        nats: the allowance of a unit, on average over the nodes.
        base: the objective it is for, by name or as a ``MaskedEdges``.

    Reference:
        Kingma et al., Improved Variational Inference with Inverse Autoregressive Flow (2016), equation 15.
    """

    nats: float = 0.1
    base: Any = "elbo"

    name = "free-bits"
    is_bound = True
    description = "The evidence lower bound with an allowance of divergence for each latent unit: lower still."

    def __post_init__(self) -> None:
        self.check_base()
        object.__setattr__(self, "nats", number("nats", self.nats, low=0))

    def settings(self) -> dict[str, Any]:
        """The arguments this objective can be built from again."""
        return {"nats": self.nats, "base": self.stored_base()}

    @property
    def free_bits(self) -> float:
        """:attr:`nats`."""
        return self.nats
