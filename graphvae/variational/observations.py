"""Observation models: from the numbers a decoder puts out to the likelihood ``p(x|z)`` of a vector of pixels.

As with posteriors, a decoder for D observed values ends in D numbers, and the family makes a distribution of them, with
its true normalising constant. A family may hold parameters of its own (a learned variance), so each is a module.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent
from torch.nn.functional import softplus

from graphvae._check import InputError, number
from graphvae.variational.distributions import DiagonalNormal

__all__ = [
    "OBSERVATIONS",
    "BernoulliObservation",
    "ContinuousBernoulli",
    "ContinuousBernoulliObservation",
    "GaussianObservation",
    "ObservationFamily",
]


class ObservationFamily(nn.Module):
    """What a decoder asks of an observation model."""

    #: Whether values outside [0, 1] are refused.
    unit_interval = True
    #: Whether only 0 and 1 have a probability.
    binary = False

    def settings(self) -> dict[str, Any]:
        """The arguments this family can be built from again."""
        return {}

    def build(self) -> ObservationFamily:
        """A fresh family with the same settings."""
        return type(self)(**self.settings())

    def check(self, x: Tensor) -> None:
        """Refuse data that have no density under this family.

        Raises:
            InputError: with the offending value.
        """
        if self.unit_interval and x.numel() and (float(x.min()) < 0 or float(x.max()) > 1):
            bad = float(x.min()) if float(x.min()) < 0 else float(x.max())
            raise InputError(f"x contains {bad:g}: this likelihood expects values in [0, 1]; scale them")


class GaussianObservation(ObservationFamily):
    """``N(mu_d, scale²)`` for every value, with one scale for all: fixed, or learned.

    Args:
        scale: standard deviation in units of the data, or None to learn it (started at 0.1).

    Reference:
        Rybkin, Daniilidis and Levine, Simple and Effective VAE Training with Calibrated Decoders (2021), section 3.2,
        for the learned scale.
    """

    unit_interval = False

    def __init__(self, scale: float | None = 0.1) -> None:
        super().__init__()
        self.scale = None if scale is None else number("scale", scale, low=0, open_low=True)
        start = math.log(0.1 if self.scale is None else self.scale)
        self.log_scale: Tensor
        if self.scale is None:
            self.log_scale = nn.Parameter(torch.tensor(start))
        else:
            self.register_buffer("log_scale", torch.tensor(start), persistent=False)

    def settings(self) -> dict[str, Any]:
        """The scale, or None if it is learned."""
        return {"scale": self.scale}

    def forward(self, parameters: Tensor) -> Distribution:
        """The Gaussian of means ``(*, D)``."""
        return DiagonalNormal(parameters, self.log_scale.exp() if self.scale is None else self.scale, event_dim=1)


class BernoulliObservation(ObservationFamily):
    """``Bernoulli(sigmoid(a_d))``: a likelihood of binary data only; grey values get a cross-entropy under its name."""

    binary = True

    def forward(self, parameters: Tensor) -> Distribution:
        """The Bernoulli of logits ``(*, D)``."""
        return Independent(Bernoulli(logits=parameters, validate_args=False), 1, validate_args=False)


class ContinuousBernoulli(Distribution):
    """``p(x) = exp(a x) / Z(a)`` on [0, 1], ``Z(a) = (exp(a) - 1) / a``, for the logit a.

    torch's own clamps the probability: in float32 its density integrates to a half at a = 30, and its mean stays below
    0.938 however bright the pixel; it is cut to 1/2 besides where the probability is within 0.001 of that.

    Args:
        logits: a, of any shape.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        super().__init__(logits.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats: ``log C + log Bernoulli(x; a)`` with ``C = a / tanh(a / 2)``."""
        a, square = self._away_from_zero(), self.logits.square()
        # Near 0 the slope of the closed form is a difference of large numbers.
        series = math.log(2) + square * (1 / 12 - square * (7 / 1440 - square * (31 / 90720)))
        log_constant = torch.where(self._near_zero(), series, (a / torch.tanh(a / 2)).log())
        return self.logits * value - softplus(self.logits) + log_constant

    @property
    def mean(self) -> Tensor:
        """``1/2 + coth(a / 2) / 2 - 1/a``."""
        a = self._away_from_zero()
        series = self.logits / 12 - self.logits**3 / 720 + self.logits**5 / 30240
        return 0.5 + torch.where(self._near_zero(), series, 0.5 / torch.tanh(a / 2) - 1 / a)

    @property
    def variance(self) -> Tensor:
        """``1/a² - 1 / (4 sinh²(a / 2))``."""
        a = self._away_from_zero()
        series = 1 / 12 - self.logits.square() / 240 + self.logits**4 / 6048
        # 1 / (4 sinh²) without overflow.
        tail = torch.exp(-a.abs()) / torch.expm1(-a.abs()).square()
        return torch.where(self._near_zero(), series, 1 / a.square() - tail)

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """Draws ``(*sample_shape, *shape)``, by the inverse of the distribution function."""
        shape = self._extended_shape(Size(sample_shape))
        u = torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        # Of a dark pixel, or of the same pixel seen from 1. At 1e-6 it is as good as uniform.
        a = -self.logits.abs().clamp_min(1e-6)
        x = torch.log1p(u * torch.expm1(a)) / a
        return torch.where(self.logits > 0, 1 - x, x).clamp(0, 1)

    def _near_zero(self) -> Tensor:
        return self.logits.abs() < 0.1

    def _away_from_zero(self) -> Tensor:
        """The logits where closed forms are used; 1 elsewhere, so that no gradient there is NaN."""
        return torch.where(self._near_zero(), torch.ones_like(self.logits), self.logits)


class ContinuousBernoulliObservation(ObservationFamily):
    """The continuous Bernoulli on [0, 1], with its normalising constant.

    Reference:
        Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive error in variational autoencoders
        (2019), equation 6.
    """

    def forward(self, parameters: Tensor) -> Distribution:
        """The continuous Bernoulli of logits ``(*, D)``."""
        return Independent(ContinuousBernoulli(parameters), 1, validate_args=False)


OBSERVATIONS: dict[str, type[ObservationFamily]] = {
    "gaussian": GaussianObservation,
    "bernoulli": BernoulliObservation,
    "continuous_bernoulli": ContinuousBernoulliObservation,
}
