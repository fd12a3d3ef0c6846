"""Encoder, prior and decoder as one module: what training optimises and a run folder stores."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from graphvae.variational.posteriors import check_prior

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """A variational auto-encoder in the widest sense: three networks that return distributions.

    Args:
        encoder: ``(inputs, around) -> q(z|x)``.
        prior: ``inputs -> p(z)``; if ``prior.conditional``, the posterior is taken relative to it.
        decoder: ``z -> p(x|z)``.

    Raises:
        InputError: if the encoder has a posterior family and the prior is on another space.
    """

    def __init__(self, encoder: nn.Module, prior: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        # A user's own encoder need not have a family.
        family: Any = getattr(encoder, "posterior", None)
        if family is not None:
            check_prior(family, prior)
        self.encoder, self.prior, self.decoder = encoder, prior, decoder
        #: What the edges themselves say of a pair, fitted when the others have been; it has no part in the bound.
        self.structure: nn.Module | None = None
        #: The same fitted from other seeds; predictions of links are averaged over all.
        self.others = nn.ModuleList()

    def forward(self, inputs: Any) -> tuple[Distribution, Distribution]:
        """Posterior and prior of the datum."""
        prior = self.prior(inputs)
        return self.encoder(inputs, prior if self.prior.conditional else None), prior

    def decode(self, z: Tensor, *condition: Any) -> Any:
        """The likelihood ``p(x|z)``, given a condition if the decoder takes one."""
        return self.decoder(z, *condition)
