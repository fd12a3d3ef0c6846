"""Encoder, prior and decoder as one module: what training optimises and a run folder stores."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """A variational auto-encoder in the widest sense: three networks that return distributions.

    Args:
        encoder: ``(inputs, around) -> q(z|x)``.
        prior: ``inputs -> p(z)``; if ``prior.conditional``, the posterior is taken relative to it.
        decoder: ``z -> p(x|z)``.
    """

    def __init__(self, encoder: nn.Module, prior: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.prior, self.decoder = encoder, prior, decoder

    def forward(self, inputs: Any) -> tuple[Distribution, Distribution]:
        """Posterior and prior of the datum."""
        prior = self.prior(inputs)
        return self.encoder(inputs, prior if self.prior.conditional else None), prior

    def decode(self, z: Tensor) -> Any:
        """The likelihood ``p(x|z)``."""
        return self.decoder(z)
