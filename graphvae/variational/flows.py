"""Normalising flows as posteriors: a Gaussian pushed through autoregressive steps, all of them conditional on x."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution, Transform, transforms

from graphvae._check import InputError, integer
from graphvae.variational.distributions import MAX_LOG_SCALE, MIN_LOG_SCALE, diagonal_normal, expand_scalar, sum_vectors

__all__ = ["Flow", "FlowPosterior"]

# Nodes that are pushed at once for the moments; bounds the memory.
CHUNK = 16


class Flow(Distribution):
    """``z = loc + scale T(eps)`` for standard normal ``eps``; ``log q(z) = log p(eps) - log |det dz/deps|``.

    A draw knows the ``eps`` it came from, so ``log_prob`` of the very tensor that :meth:`rsample` last returned costs
    nothing (its gradient reaches the parameters through the determinant, not through the tensor itself). Any other
    value is inverted, in D passes per step of an autoregressive T.

    A flow has no closed-form divergence: take bounds with ``analytic=False``. Mean and variance have none either; they
    are averages over a fixed set of nodes, exact where T is affine. Elsewhere the mean is good to some hundredths of a
    standard deviation; the deviations are too small where tails are very heavy, by a tenth at a kurtosis of 10 or so.

    Args:
        loc: ``(*batch, *event)``.
        scale: ``(*batch, *event)``, positive.
        transform: T, acting on the last dimension, as zuko builds it.
        event_dim: number of dimensions of the event.

    Reference:
        Rezende and Mohamed, Variational Inference with Normalizing Flows (2015), equations 5 to 7.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(self, loc: Tensor, scale: Tensor, transform: Transform, event_dim: int) -> None:
        self.loc, self.scale, self.transform = loc, scale, transform
        zero, one = (expand_scalar(value, loc, loc.shape) for value in (0.0, 1.0))
        self.noise = diagonal_normal(zero, one, event_dim)
        self._last: tuple[Tensor, Tensor, bool] | None = None
        super().__init__(self.noise.batch_shape, self.noise.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)`` expectation, from the nodes."""
        return self.loc + self.scale * self._moments[0]

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)`` variances, from the nodes."""
        return self.scale.square() * self._moments[1]

    @property
    def stddev(self) -> Tensor:
        """``(*batch, *event)`` standard deviations, from the nodes."""
        return self.scale * self._moments[1].sqrt()

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``(*sample_shape, *batch, *event)``."""
        eps = self.noise.rsample(Size(sample_shape))
        image, log_det = self._push(eps)
        z = self.loc + self.scale * image
        self._last = z, self.noise.log_prob(eps) - log_det, torch.is_grad_enabled()
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)`` log-density in nats."""
        if self._last is not None and value is self._last[0]:
            _, log_prob, with_gradient = self._last
            # What was drawn under no_grad has lost the way to the parameters.
            if with_gradient or not torch.is_grad_enabled():
                return log_prob
        eps = self.transform.inv((value - self.loc) / self.scale)
        return self.noise.log_prob(eps) - self._push(eps)[1]

    def _push(self, eps: Tensor) -> tuple[Tensor, Tensor]:
        """``T(eps)`` and ``log |det dz/deps|``, summed over the event."""
        image, log_det = self.transform.call_and_ladj(eps)  # type: ignore[attr-defined]
        return image, sum_vectors(log_det + self.scale.log().sum(-1), self)

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of ``T(eps)``."""
        nodes = gaussian_nodes(self.loc.shape[-1]).to(self.loc)
        nodes = nodes.reshape(-1, *[1] * (self.loc.dim() - 1), nodes.shape[-1]).expand(-1, *self.loc.shape)
        # Squares are taken about the image of the centre, for less cancellation.
        centre = self._push(torch.zeros_like(self.loc))[0]
        first, second = torch.zeros_like(centre), torch.zeros_like(centre)
        for chunk in nodes.split(CHUNK):
            away = self._push(chunk)[0] - centre
            first, second = first + away.sum(0), second + away.square().sum(0)
        first, second = first / len(nodes), second / len(nodes)
        # Above 0, where the square root has a gradient.
        return centre + first, (second - first.square()).clamp_min(torch.finfo(second.dtype).tiny)


class FlowPosterior(nn.Module):
    """An inverse autoregressive flow; the network puts out ``[mu, log sigma, h]``.

    ``eps ~ N(0, I)`` goes through affine autoregressive steps ``e_i -> a_i(e_<i, h) + b_i(e_<i, h) e_i``, in turn from
    the first and from the last dimension, whose networks (zuko's) also see the context ``h`` of the datum, and then
    through ``mu + sigma e``. (In the paper that comes first. Last, the networks see noise of one size whatever sigma
    is.) The steps start near the identity, so that the posterior starts near a diagonal Gaussian.

    The family itself has no weights; :meth:`build` makes one that has, which is part of the encoder.

    Args:
        transforms: number of steps.
        context: width of ``h``.
        hidden_dims: widths of the hidden layers in every step's network (ELU).

    References:
        Kingma et al., Improved Variational Inference with Inverse Autoregressive Flow (2016), algorithm 1.
        Papamakarios, Pavlakou and Murray, Masked Autoregressive Flow for Density Estimation (2017).
    """

    variational = True
    analytic_kl = False
    support = "real"
    default_prior = "normal"
    parts = 3

    def __init__(self, transforms: int = 2, context: int = 16, hidden_dims: Sequence[int] = (64,)) -> None:
        super().__init__()
        self.transforms = integer("transforms", transforms, low=1)
        self.context = integer("context", context, low=1)
        self.hidden_dims = tuple(integer("hidden_dims", width, low=1) for width in hidden_dims)
        self.steps = nn.ModuleList()

    def settings(self) -> dict[str, Any]:
        """The arguments this family can be built from again."""
        return {"transforms": self.transforms, "context": self.context, "hidden_dims": list(self.hidden_dims)}

    def width(self, latent_dim: int) -> int:
        """mu, log sigma and the context: 2 D + context."""
        return 2 * latent_dim + self.context

    def build(self, latent_dim: int) -> FlowPosterior:
        """A family with fresh steps for latent dimension D, drawn from torch's current generator."""
        autoregressive, _ = zuko_transforms()
        family = FlowPosterior(**self.settings())
        order = torch.arange(latent_dim)
        for index in range(self.transforms):
            step = autoregressive(
                latent_dim,
                self.context,
                order=order.flip(0) if index % 2 else order,
                hidden_features=self.hidden_dims,
                activation=nn.ELU,
            )
            with torch.no_grad():
                for parameter in step.hyper[-1].parameters():
                    parameter.mul_(0.1)
            family.steps.append(step)
        return family

    def forward(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> Flow:
        """The flow for ``parameters`` ``(*, width)``; relative to ``around``, it moves and scales with that.

        Raises:
            InputError: if this family was not built.
        """
        if not self.steps:
            raise InputError("posterior: a flow has weights of its own; expected FlowPosterior(...).build(latent_dim)")
        latent_dim = (parameters.shape[-1] - self.context) // 2
        loc, log_scale, context = parameters.split([latent_dim, latent_dim, self.context], -1)
        if around is not None:
            loc, log_scale = loc + around.mean, log_scale + around.stddev.log()
        _, composed = zuko_transforms()
        transform = composed(*(step(context) for step in self.steps))
        return Flow(loc, log_scale.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE).exp(), transform, event_dim)


def gaussian_nodes(dim: int) -> Tensor:
    """``(n, D)`` fixed nodes with the mean, covariance and vanishing odd moments of ``N(0, I)``; n about 128 or 8 D.

    Draws from a generator of their own, made orthonormal and mirrored.
    """
    half = max(64, 4 * dim)
    draws = torch.randn(half, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    nodes = torch.linalg.qr(draws).Q * half**0.5
    return torch.cat([nodes, -nodes])


def zuko_transforms() -> tuple[Any, Any]:
    """zuko's masked autoregressive step and composition of transforms, with torch's classes left as they were.

    zuko turns the argument checks of all torch distributions off when it is imported, empties their constraints, and
    renames a class. It also gives torch's ``Transform`` a method ``call_and_ladj``, which its own transforms need.
    """
    inverse = transforms._InverseTransform
    before = (Distribution._validate_args, Distribution.__dict__["arg_constraints"], inverse.__name__)
    try:
        from zuko.flows.autoregressive import MaskedAutoregressiveTransform
        from zuko.transforms import ComposedTransform
    finally:
        Distribution._validate_args, Distribution.arg_constraints, inverse.__name__ = before  # type: ignore[method-assign]
    return MaskedAutoregressiveTransform, ComposedTransform
