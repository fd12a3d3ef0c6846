"""Distributions that torch lacks, and the two lines everybody needs to build the ones it has."""

from __future__ import annotations

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.distributions.kl import register_kl

__all__ = ["Point", "diagonal_normal", "expand_scalar"]


def diagonal_normal(loc: Tensor, scale: Tensor, event_dim: int) -> Independent:
    """``N(loc, diag(scale²))`` whose last ``event_dim`` dimensions are one event.

    torch's own argument checks are off: they cost a pass over the data at every step, and a non-finite term stops the
    training loop anyway, with its name.
    """
    return Independent(Normal(loc, scale, validate_args=False), event_dim, validate_args=False)


class Point(Distribution):
    """All mass at one place: the posterior of an auto-encoder that is not variational.

    It has no density, so ``log_prob`` is not defined; its KL divergence is taken as 0 by convention, which leaves the
    likelihood alone as the training objective. A bound on the evidence does not exist, and estimators say so.

    Args:
        loc: ``(*batch, *event)`` the place.
        event_dim: number of dimensions of the event.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(self, loc: Tensor, event_dim: int) -> None:
        self.loc = loc
        batch = loc.dim() - event_dim
        super().__init__(loc.shape[:batch], loc.shape[batch:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The place itself."""
        return self.loc

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """The place, repeated: ``(*sample_shape, *batch, *event)``."""
        return self.loc.expand(Size(sample_shape) + self.loc.shape)

    def sample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """As :meth:`rsample`, without a gradient."""
        # Even under no_grad, expanding to the same shape gives back the tensor itself.
        return self.rsample(sample_shape).detach()


@register_kl(Point, Distribution)
def _kl_point(p: Point, q: Distribution) -> Tensor:
    return p.loc.new_zeros(p.batch_shape)


def expand_scalar(value: float, like: Tensor, shape: Size) -> Tensor:
    """A constant of the dtype and device of ``like``, viewed in ``shape`` without memory of its own."""
    return torch.full((), value, dtype=like.dtype, device=like.device).expand(shape)
