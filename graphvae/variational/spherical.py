"""Distributions on the unit sphere ``S^{D-1}`` in ``R^D``: Power Spherical, and the uniform."""

from __future__ import annotations

import math

import torch
from torch import Size, Tensor
from torch.distributions import Dirichlet, Distribution
from torch.distributions.kl import register_kl

from graphvae.variational.distributions import expand_scalar

__all__ = ["HypersphericalUniform", "PowerSpherical", "unit_vectors"]


class PowerSpherical(Distribution):
    """Power Spherical distribution, ``p(x) = (1 + mu . x)^kappa / C(D, kappa)`` for x on the unit sphere in ``R^D``.

    With ``t = mu . x``, ``(1 + t) / 2 ~ Beta(alpha, beta)``, ``beta = (D - 1) / 2`` and ``alpha = beta + kappa``; the
    direction across is uniform. So it is sampled exactly, without rejection, and reparameterised through the Beta's
    implicit gradient. Densities are with respect to the area of the sphere.

    What there is one of for each vector (the Beta draw, normaliser, entropy) is computed in float64 whatever the dtype
    of the arguments: in float32 torch's gradient of a Beta draw is off by 1 % at kappa = 1e4 and wrong altogether
    beyond 1e5 when D is 2 or 3, and the normaliser is a difference of large numbers. In float64 the gradient is good
    to 0.4 % up to kappa = 1e5, which is torch's approximation.

    Args:
        loc: ``(*batch, D)`` mean directions mu, of unit length; D is at least 2.
        concentration: ``(*batch)`` kappa, at least 0; at 0 the distribution is uniform.

    Reference:
        De Cao and Aziz, The Power Spherical distribution (2020), section 3 and algorithm 1.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor) -> None:
        self.loc, self.concentration = loc, concentration
        self.beta = (loc.shape[-1] - 1) / 2
        self.alpha = concentration.double() + self.beta
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``(*batch, D)`` expectation ``kappa / (D - 1 + kappa) mu``, inside the ball: shorter where less certain."""
        length = self.concentration / (2 * self.beta + self.concentration)
        return length.unsqueeze(-1) * self.loc

    @property
    def mode(self) -> Tensor:
        """mu."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """``(*batch, D)`` variances of the coordinates."""
        total = self.alpha + self.beta
        across = 2 * self.alpha / (total * (total + 1))  # E[1 - t²] / (D - 1)
        along = across * 2 * self.beta / total  # Var[t]
        square = self.loc.square()
        return along.to(square).unsqueeze(-1) * square + across.to(square).unsqueeze(-1) * (1 - square).clamp_min(0)

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``(*sample_shape, *batch, D)`` points on the sphere."""
        beta = expand_scalar(self.beta, self.alpha, self.alpha.shape)
        # Both z and 1 - z, because 1 - t² = 4 z (1 - z) loses all its digits if 1 - z is formed where z is near 1.
        pair = Dirichlet(torch.stack([self.alpha, beta], -1), validate_args=False).rsample(Size(sample_shape))
        z, rest = pair.clamp_min(torch.finfo(pair.dtype).tiny).unbind(-1)
        t, s = (z - rest).to(self.loc).unsqueeze(-1), (2 * (z * rest).sqrt()).to(self.loc).unsqueeze(-1)
        across = unit_vectors(torch.randn(*t.shape[:-1], self.loc.shape[-1] - 1, dtype=t.dtype, device=t.device))
        y = torch.cat([t, s * across], -1)
        # Householder: reflect along e1 + mu (and change sign) or e1 - mu, whichever is not short, for no cancellation.
        sign = torch.where(self.loc[..., :1] > 0, 1.0, -1.0).to(self.loc)
        first = torch.zeros_like(self.loc)
        first[..., 0] = 1
        u = first + sign * self.loc
        return sign * (2 * (u * y).sum(-1, keepdim=True) / u.square().sum(-1, keepdim=True) * u - y)

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)`` log-density in nats of points ``value`` on the sphere."""
        # 1 + mu . x = 2 - |mu - x|² / 2, exact to the last digits where the mass is; the antipode has none.
        quarter = (self.loc - value).square().sum(-1).double() / 4
        log_cosine = math.log(2) + torch.log1p(-quarter.clamp(max=1 - torch.finfo(self.loc.dtype).eps))
        return (self.concentration * log_cosine - self._log_normaliser()).to(self.loc)

    def entropy(self) -> Tensor:
        """``(*batch)`` differential entropy in nats, with respect to the area of the sphere."""
        return self._entropy().to(self.loc)

    def _entropy(self) -> Tensor:
        mean_log = math.log(2) + torch.digamma(self.alpha) - torch.digamma(self.alpha + self.beta)
        return self._log_normaliser() - self.concentration * mean_log

    def _log_normaliser(self) -> Tensor:
        total = self.alpha + self.beta
        constant = total * math.log(2) + self.beta * math.log(math.pi)
        return constant + torch.lgamma(self.alpha) - torch.lgamma(total)


class HypersphericalUniform(Distribution):
    """The uniform distribution on the unit sphere in ``R^D``.

    Args:
        dim: D, at least 2.
        batch_shape: number of independent vectors.
        like: a tensor whose dtype and device the draws take.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(self, dim: int, batch_shape: Size | list[int] | tuple[int, ...], like: Tensor) -> None:
        self.like = like
        super().__init__(Size(batch_shape), Size((dim,)), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The origin."""
        return expand_scalar(0.0, self.like, self.batch_shape + self.event_shape)

    @property
    def variance(self) -> Tensor:
        """1 / D in every coordinate."""
        return expand_scalar(1 / self.event_shape[0], self.like, self.batch_shape + self.event_shape)

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``(*sample_shape, *batch, D)`` points on the sphere."""
        shape = self._extended_shape(Size(sample_shape))
        return unit_vectors(torch.randn(shape, dtype=self.like.dtype, device=self.like.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)``, minus the log-area of the sphere in nats at every point ``value``."""
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        return expand_scalar(-self._log_area(), self.like, shape)

    def entropy(self) -> Tensor:
        """``(*batch)`` the log-area of the sphere, in nats."""
        return expand_scalar(self._log_area(), self.like, self.batch_shape)

    def _log_area(self) -> float:
        half = self.event_shape[0] / 2
        return math.log(2) + half * math.log(math.pi) - math.lgamma(half)


@register_kl(PowerSpherical, HypersphericalUniform)
def _kl_power_uniform(p: PowerSpherical, q: HypersphericalUniform) -> Tensor:
    return (q._log_area() - p._entropy()).to(p.loc)


def unit_vectors(x: Tensor) -> Tensor:
    """``x`` ``(*, D)`` divided by its length; the first axis where ``x`` is shorter than 1e-6, with no gradient."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    first = torch.zeros_like(x)
    first[..., 0] = 1
    return torch.where(length > 1e-6, x / length.clamp_min(1e-6), first)
