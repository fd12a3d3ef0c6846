"""Posterior families: from the numbers a network puts out to the distribution ``q(z|x)``.

An encoder for a latent dimension D ends in ``family.width(D)`` numbers per node (or image); the family makes of them a
reparameterised distribution. So one encoder serves every family, and one network pass yields all its parameters.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from graphvae._check import InputError, integer
from graphvae.variational.distributions import MAX_LOG_SCALE, MIN_LOG_SCALE, FullNormal, NetworkNormal, Point
from graphvae.variational.flows import FlowPosterior
from graphvae.variational.semi_implicit import SemiImplicitPosterior
from graphvae.variational.spherical import PowerSpherical, unit_vectors

__all__ = [
    "POSTERIORS",
    "FullGaussianPosterior",
    "GaussianPosterior",
    "HypersphericalPosterior",
    "PointPosterior",
    "PosteriorFamily",
    "check_prior",
    "closed_form",
]

# Below it is uniform for all purposes; above, float32 latents are still far apart (0.004) against their spacing (6e-8).
MIN_CONCENTRATION, MAX_CONCENTRATION = 1e-3, 1e5


class PosteriorFamily(Protocol):
    """What an encoder asks of a posterior family.

    Attributes:
        variational: whether the posterior has a density, so that a bound exists.
        analytic_kl: whether its divergence from Gaussian priors (or uniform ones, on the sphere) has a closed form.
        support: ``"real"`` or ``"sphere"``; a prior of another support does not fit.
        default_prior: name of a prior that fits, in :data:`graphvae.nn.priors.PRIORS`.
        parts: outputs that are initialised as if each were a layer of its own.
    """

    variational: bool
    analytic_kl: bool
    support: str
    default_prior: str
    parts: int

    def settings(self) -> dict[str, Any]:
        """The arguments this family can be built from again."""
        return {}

    def build(self, latent_dim: int) -> PosteriorFamily:
        """The family for latent dimension D, which an encoder keeps: itself, unless it has weights of its own."""
        return self

    @abstractmethod
    def width(self, latent_dim: int) -> int:
        """Number of outputs per latent vector."""

    @abstractmethod
    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Distribution:
        """The posterior for ``parameters``, ``(*, width)``, taken relative to the prior ``around`` if given."""


class GaussianPosterior(PosteriorFamily):
    """``N(mu, diag(sigma²))``; the network puts out ``[mu, log sigma]`` (log sigma, not log sigma squared)."""

    variational = True
    analytic_kl = True
    support = "real"
    default_prior = "normal"
    parts = 2

    def width(self, latent_dim: int) -> int:
        """mu and log sigma: 2 D."""
        return 2 * latent_dim

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Independent:
        """The Gaussian of ``parameters`` ``(*, 2 D)``; relative to ``around``, zeros mean that very distribution."""
        if around is not None:
            parameters = parameters + torch.cat([around.mean, around.stddev.log()], -1)
        return NetworkNormal(parameters, event_dim)


class FullGaussianPosterior(PosteriorFamily):
    """``N(mu, L L')`` with one D x D factor for every latent vector; the network puts out ``[mu, log sigma, rho]``.

    ``L = diag(sigma) (I + R)``, where the D (D - 1) / 2 entries of the strictly lower triangular R are ``rho``, row by
    row: with ``rho = 0`` this is :class:`GaussianPosterior`, and correlations do not change with the scale.
    """

    variational = True
    analytic_kl = True
    support = "real"
    default_prior = "normal"
    parts = 3

    def width(self, latent_dim: int) -> int:
        """mu and the factor: D + D (D + 1) / 2."""
        return latent_dim + latent_dim * (latent_dim + 1) // 2

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> FullNormal:
        """The Gaussian of ``parameters`` ``(*, width)``; relative to ``around``, zeros mean that very distribution."""
        # The inverse of width: w = D (D + 3) / 2.
        d = (math.isqrt(8 * parameters.shape[-1] + 9) - 3) // 2
        loc, log_scale, rho = parameters.split([d, d, d * (d - 1) // 2], -1)
        if around is not None:
            loc, log_scale = loc + around.mean, log_scale + around.stddev.log()
        unit = torch.eye(d, dtype=loc.dtype, device=loc.device).repeat(*loc.shape[:-1], 1, 1)
        rows, columns = torch.tril_indices(d, d, -1, device=loc.device)
        unit[..., rows, columns] = rho
        return FullNormal(loc, log_scale.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE).exp().unsqueeze(-1) * unit, event_dim)


class PointPosterior(PosteriorFamily):
    """All mass at ``mu``: an auto-encoder, GAE on graphs."""

    variational = False
    analytic_kl = True
    support = "real"
    default_prior = "normal"
    parts = 1

    def width(self, latent_dim: int) -> int:
        """mu alone: D."""
        return latent_dim

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Point:
        """The point at ``parameters`` ``(*, D)``, or that far from the mean of ``around``."""
        return Point(parameters if around is None else parameters + around.mean, event_dim)


class HypersphericalPosterior(PosteriorFamily):
    """Power Spherical on the unit sphere in ``R^D``; the network puts out a vector along mu, and log kappa / (D - 1).

    On that scale 0 means an expected cosine of 1/2 in every dimension: it is the logit of ``kappa / (D - 1 + kappa)``.
    kappa is held within [1e-3, 1e5], where values and gradients are good in float32 too; see :class:`PowerSpherical`.

    The mean, with which nodes and images are embedded, is the expectation: mu times the expected cosine.
    """

    variational = True
    analytic_kl = True
    support = "sphere"
    default_prior = "uniform-sphere"
    parts = 1

    def width(self, latent_dim: int) -> int:
        """mu and kappa: D + 1.

        Raises:
            InputError: for D = 1, where the sphere is two points.
        """
        return integer("latent_dim", latent_dim, low=2) + 1

    def __call__(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Independent:
        """The distribution of ``parameters`` ``(*, D + 1)``.

        Raises:
            InputError: for a prior ``around``: the only one on the sphere is uniform and has no place.
        """
        if around is not None:
            raise InputError('around: a posterior on the sphere stands alone; expected prior="uniform-sphere"')
        loc, logit = parameters[..., :-1], parameters[..., -1]
        low, high = math.log(MIN_CONCENTRATION), math.log(MAX_CONCENTRATION)
        kappa = (logit + math.log(loc.shape[-1] - 1)).clamp(low, high).exp()
        return Independent(PowerSpherical(unit_vectors(loc), kappa), event_dim - 1, validate_args=False)


POSTERIORS: dict[str, PosteriorFamily] = {
    "gaussian": GaussianPosterior(),
    "full-gaussian": FullGaussianPosterior(),
    "point": PointPosterior(),
    "hyperspherical": HypersphericalPosterior(),
    "flow": FlowPosterior(),
    "semi-implicit": SemiImplicitPosterior(),
}


def check_prior(family: PosteriorFamily, prior: Any) -> None:
    """Refuse a prior on another space than the posterior's; a user's own prior need not say on which it is.

    Raises:
        InputError: naming both, and a prior that fits.
    """
    support = getattr(prior, "support", family.support)
    if support != family.support:
        raise InputError(
            f"prior={type(prior).__name__}: its support is {support!r}, that of {type(family).__name__} "
            f"{family.support!r}; expected one of the same, such as prior={family.default_prior!r}"
        )


def closed_form(family: PosteriorFamily, prior: Any) -> bool:
    """Whether the divergence of the two has a closed form: what ``bound(..., analytic=)`` is given.

    A user's own prior need not say that it has none; it is then taken for a Gaussian.
    """
    return family.analytic_kl and getattr(prior, "analytic_kl", True)
