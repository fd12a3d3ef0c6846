"""Distributions that torch lacks, and the two lines everybody needs to build the ones it has."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.distributions.kl import register_kl

from graphvae.kernels.draws import standard_normal
from graphvae.kernels.gaussian import (
    gaussian_draw,
    gaussian_parameters,
    squared_error,
    standard_divergence,
    sum_last,
)

__all__ = ["DiagonalNormal", "FullNormal", "NetworkNormal", "Point", "diagonal_normal", "expand_scalar", "sum_vectors"]

# exp(10) is far beyond any useful standard deviation and far below overflow; PyG's VGAE bounds log sigma at the same.
MAX_LOG_SCALE = 10.0
# The square of exp(-15) is far above the smallest float32: the KL divergence of so narrow a posterior is still finite.
MIN_LOG_SCALE = -15.0


def diagonal_normal(loc: Tensor, scale: Tensor, event_dim: int) -> DiagonalNormal:
    """``N(loc, diag(scale²))`` whose last ``event_dim`` dimensions are one event.

    torch's own argument checks are off: they cost a pass over the data at every step, and a non-finite term stops the
    training loop anyway, with its name.
    """
    return DiagonalNormal(loc, scale, event_dim)


class DiagonalNormal(Independent):
    """torch's ``Independent(Normal)``, with half the passes over the data and half the nodes in the gradient's graph.

    Args:
        loc: ``(*batch, *event)`` means.
        scale: standard deviations of that shape, or one for all: ``()``, or a number, of which no gradient is taken.
        event_dim: number of dimensions of the event.
        log_scale: logarithm of a ``scale`` that is a tensor, if it is at hand.
        standard: that ``loc`` is 0 and ``scale`` 1, which spares divergences from it most of their work.
    """

    def __init__(
        self,
        loc: Tensor,
        scale: Tensor | float,
        event_dim: int,
        log_scale: Tensor | None = None,
        *,
        standard: bool = False,
    ) -> None:
        self.standard = standard
        if isinstance(scale, Tensor) and scale.dim() and scale.shape != loc.shape:
            loc, scale = torch.broadcast_tensors(loc, scale)
        self.loc, self.one_or_all, self.log_scale, self.reinterpreted_batch_ndims = loc, scale, log_scale, event_dim
        batch = loc.dim() - event_dim
        Distribution.__init__(self, loc.shape[:batch], loc.shape[batch:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """Standard deviations ``(*batch, *event)``."""
        if isinstance(self.one_or_all, Tensor):
            return self.one_or_all.expand(self.loc.shape)
        return expand_scalar(self.one_or_all, self.loc, self.loc.shape)

    @property
    def base_dist(self) -> Normal:
        """One normal for every number."""
        return Normal(self.loc, self.stddev, validate_args=False)

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``loc + scale eps`` with standard normal ``eps``: ``(*sample_shape, *batch, *event)``."""
        shape = Size(sample_shape) + self.loc.shape
        eps = standard_normal(shape, self.loc.dtype, self.loc.device)
        if eps.numel() == self.loc.numel():
            # One draw, as training takes: in the shape of loc, the gradient needs no sums over draws.
            return (self.loc + self.one_or_all * eps.view(self.loc.shape)).view(shape)
        return self.loc + self.one_or_all * eps

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)`` log-density in nats."""
        scale, loc, event = self.one_or_all, self.loc, self.reinterpreted_batch_ndims
        numbers = math.prod(self.event_shape)
        constant = 0.5 * math.log(2 * math.pi) * numbers
        if isinstance(scale, Tensor) and scale.dim():
            log_scale = scale.log() if self.log_scale is None else self.log_scale
            return sum_last(torch.sub(-log_scale, ((value - loc) / scale).square(), alpha=0.5), event) - constant
        if value.numel() == loc.numel() and value.shape != loc.shape and value.dim() < loc.dim():
            value = value.view(loc.shape)  # one draw
        squares = squared_error(loc, value, event)
        if isinstance(scale, Tensor):
            return squares * (-0.5 / scale.square()) - (scale.log() * numbers + constant)
        return torch.sub(squares.new_full((), -math.log(scale) * numbers - constant), squares, alpha=0.5 / scale**2)

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiagonalNormal:
        """For a larger batch."""
        shape = Size(batch_shape) + self.event_shape
        return DiagonalNormal(self.loc.expand(shape), self.stddev.expand(shape), self.reinterpreted_batch_ndims)


class NetworkNormal(DiagonalNormal):
    """The :class:`DiagonalNormal` of ``[mu, log sigma]``, as a network puts them out.

    A draw and the divergence from the standard normal, all that training asks for, come from the parameters in one
    pass; ``loc`` and the scales are made when something else is asked for.

    Args:
        parameters: ``(*batch, *event)``, but twice as many numbers in the last dimension.
        event_dim: number of dimensions of the event.
    """

    def __init__(self, parameters: Tensor, event_dim: int) -> None:
        self.parameters, self.standard, self.reinterpreted_batch_ndims = parameters, False, event_dim
        self.divergence: Tensor | None = None
        shape = Size((*parameters.shape[:-1], parameters.shape[-1] // 2))
        batch = len(shape) - event_dim
        Distribution.__init__(self, shape[:batch], shape[batch:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``loc``, which needs no scale."""
        return self.parameters.chunk(2, -1)[0]

    def __getattr__(self, name: str) -> Any:
        # Called for what is not there yet.
        if name not in ("loc", "log_scale", "one_or_all"):
            raise AttributeError(name)
        loc, scale_log, scale = gaussian_parameters(self.parameters, MIN_LOG_SCALE, MAX_LOG_SCALE)
        made = {"loc": loc, "log_scale": scale_log, "one_or_all": scale}
        if loc.requires_grad == self.parameters.requires_grad:
            # What was made without a gradient must not stand in for what has one.
            self.__dict__.update(made)
        return made[name]

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """As any other; of one draw the divergence from the standard normal is kept for :func:`kl_divergence`."""
        if Size(sample_shape).numel() != 1 or not self.reinterpreted_batch_ndims:
            return super().rsample(sample_shape)
        shape, parameters = self.batch_shape + self.event_shape, self.parameters
        eps = standard_normal(Size(sample_shape) + shape, parameters.dtype, parameters.device).view(shape)
        bounds = MIN_LOG_SCALE, MAX_LOG_SCALE
        z, self.divergence = gaussian_draw(parameters, eps, *bounds, self.reinterpreted_batch_ndims)
        return z.view(Size(sample_shape) + shape)


@register_kl(NetworkNormal, DiagonalNormal)
def _kl_network(p: NetworkNormal, q: DiagonalNormal) -> Tensor:
    found, p.divergence = p.divergence, None
    wanted = p.parameters.requires_grad and torch.is_grad_enabled()
    if q.standard and found is not None and found.requires_grad == wanted:
        return found
    return _kl_diagonal(p, q)


@register_kl(DiagonalNormal, DiagonalNormal)
def _kl_diagonal(p: DiagonalNormal, q: DiagonalNormal) -> Tensor:
    mu, r = p.loc, p.one_or_all if isinstance(p.one_or_all, Tensor) else p.stddev
    log_r = r.log() if p.log_scale is None else p.log_scale
    if not q.standard:
        scale = q.stddev
        mu, r, log_r = (mu - q.loc) / scale, r / scale, log_r - scale.log()
    if not mu.shape == r.shape == log_r.shape:
        mu, r, log_r = torch.broadcast_tensors(mu, r, log_r)
    return standard_divergence(mu, r, log_r, p.reinterpreted_batch_ndims)


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
