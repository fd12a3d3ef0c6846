"""Distributions that torch lacks, and the two lines everybody needs to build the ones it has."""

from __future__ import annotations

import math

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.distributions.kl import register_kl

__all__ = ["FullNormal", "Point", "diagonal_normal", "expand_scalar", "sum_vectors"]

# exp(10) is far beyond any useful standard deviation and far below overflow; PyG's VGAE bounds log sigma at the same.
MAX_LOG_SCALE = 10.0
# The square of exp(-15) is far above the smallest float32: the KL divergence of so narrow a posterior is still finite.
MIN_LOG_SCALE = -15.0


def diagonal_normal(loc: Tensor, scale: Tensor, event_dim: int) -> Independent:
    """``N(loc, diag(scale²))`` whose last ``event_dim`` dimensions are one event.

    torch's own argument checks are off: they cost a pass over the data at every step, and a non-finite term stops the
    training loop anyway, with its name.
    """
    return Independent(Normal(loc, scale, validate_args=False), event_dim, validate_args=False)


class FullNormal(Distribution):
    """``N(loc, L L')`` for every latent vector, whose last ``event_dim`` dimensions are one event.

    torch's ``MultivariateNormal`` has no closed-form divergence from an ``Independent`` normal, the prior everywhere
    here, and the two declare the event of a whole graph in ways that do not meet.

    Args:
        loc: ``(*batch, *event)``, of which the last dimension is the latent one, D.
        scale_tril: ``(*batch, *event, D)`` lower triangular factors L with positive diagonals.
        event_dim: number of dimensions of the event; vectors along all but the last of them are independent.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(self, loc: Tensor, scale_tril: Tensor, event_dim: int) -> None:
        self.loc, self.scale_tril = loc, scale_tril
        batch = loc.dim() - event_dim
        super().__init__(loc.shape[:batch], loc.shape[batch:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)`` the diagonal of ``L L'``."""
        return self.scale_tril.square().sum(-1)

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``loc + L eps`` with standard normal ``eps``: ``(*sample_shape, *batch, *event)``."""
        zero, one = (expand_scalar(value, self.loc, self.loc.shape) for value in (0.0, 1.0))
        eps = diagonal_normal(zero, one, 0).rsample(Size(sample_shape))
        return self.loc + (self.scale_tril @ self._columns(eps)).movedim(-1, 0).reshape(eps.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)`` log-density in nats, ``log N(L^-1 (value - loc); 0, I) - log det L``."""
        eps = torch.linalg.solve_triangular(self.scale_tril, self._columns(value - self.loc), upper=False)
        squares = eps.square().sum(-2).movedim(-1, 0).reshape(value.shape[:-1])
        each = -0.5 * (squares + self.loc.shape[-1] * math.log(2 * math.pi)) - self._log_det()
        return sum_vectors(each, self)

    def entropy(self) -> Tensor:
        """``(*batch)`` differential entropy in nats."""
        return sum_vectors(self._log_det() + 0.5 * self.loc.shape[-1] * (1 + math.log(2 * math.pi)), self)

    def _log_det(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def _columns(self, x: Tensor) -> Tensor:
        """``(*sample, *, D)`` as ``(*, D, S)``, so that no factor is copied once for each sample."""
        return x.reshape(-1, *self.loc.shape).movedim(0, -1)


@register_kl(FullNormal, Independent)
def _kl_full_diagonal(p: FullNormal, q: Independent) -> Tensor:
    if not isinstance(q.base_dist, Normal) or q.event_shape != p.event_shape:
        raise NotImplementedError(f"KL(FullNormal || {q})")
    loc, scale = q.base_dist.loc, q.base_dist.scale
    squares = (p.scale_tril / scale.unsqueeze(-1)).square().sum((-1, -2)) + ((p.loc - loc) / scale).square().sum(-1)
    each = 0.5 * (squares - p.loc.shape[-1]) + scale.log().sum(-1) - p._log_det()
    return sum_vectors(each, p)


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


def sum_vectors(each: Tensor, of: Distribution) -> Tensor:
    """Sum what there is one of for each latent vector over the vectors in one event: the N nodes, or no dimension."""
    vectors = len(of.event_shape) - 1
    return each.flatten(-vectors).sum(-1) if vectors else each
