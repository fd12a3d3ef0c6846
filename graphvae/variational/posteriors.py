"""Posterior families: from the numbers a network puts out to the distribution ``q(z|x)``.

An encoder for a latent dimension D ends in ``family.width(D)`` numbers per node (or image); the family makes of them a
reparameterised distribution. So one encoder serves every family, and one network pass yields all its parameters.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.distributions import Distribution, Independent

from graphvae.variational.distributions import Point, diagonal_normal

__all__ = ["POSTERIORS", "GaussianPosterior", "PointPosterior", "PosteriorFamily"]

# exp(10) is far beyond any useful standard deviation and far below overflow; PyG's VGAE bounds log sigma at the same.
MAX_LOG_SCALE = 10.0


class PosteriorFamily(Protocol):
    """What an encoder asks of a posterior family."""

    variational: bool
    parts: int

    def width(self, latent_dim: int) -> int:
        """Number of outputs per latent vector."""

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Distribution:
        """The posterior for ``parameters``, ``(*, width)``, taken relative to the prior ``around`` if given."""


class GaussianPosterior:
    """``N(mu, diag(sigma²))``; the network puts out ``[mu, log sigma]`` (log sigma, not log sigma squared)."""

    variational = True
    parts = 2

    def width(self, latent_dim: int) -> int:
        """mu and log sigma: 2 D."""
        return 2 * latent_dim

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Independent:
        """The Gaussian of ``parameters`` ``(*, 2 D)``; relative to ``around``, zeros mean that very distribution."""
        loc, log_scale = parameters.chunk(2, -1)
        if around is not None:
            loc, log_scale = loc + around.mean, log_scale + around.stddev.log()
        return diagonal_normal(loc, log_scale.clamp(max=MAX_LOG_SCALE).exp(), event_dim)


class PointPosterior:
    """All mass at ``mu``: an auto-encoder, GAE on graphs."""

    variational = False
    parts = 1

    def width(self, latent_dim: int) -> int:
        """mu alone: D."""
        return latent_dim

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Point:
        """The point at ``parameters`` ``(*, D)``, or that far from the mean of ``around``."""
        return Point(parameters if around is None else parameters + around.mean, event_dim)


POSTERIORS: dict[str, PosteriorFamily] = {"gaussian": GaussianPosterior(), "point": PointPosterior()}
