"""The places where a Gaussian posterior meets every number of its parameters, in one pass each way.

``gaussian_parameters`` takes what a network puts out apart, ``standard_divergence`` is the closed-form KL divergence
from the standard normal, and ``gaussian_draw`` is all of it at once, with a sample. Written in tensors by automatic
differentiation they are a dozen passes, which on small models is a good part of a training step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import hardtanh

from graphvae.kernels import native

__all__ = ["gaussian_draw", "gaussian_parameters", "standard_divergence", "sum_last"]


def gaussian_parameters(parameters: Tensor, low: float, high: float) -> tuple[Tensor, Tensor, Tensor]:
    """``mu``, ``log sigma`` held within ``[low, high]``, and ``sigma``, each ``(*, D)``, of rows ``[mu, log sigma]``.

    The parameters are ``(*, 2 D)``; where ``log sigma`` is held, it has no gradient.
    """
    if native.native_runs_on(parameters):
        return _Parameters.apply(parameters, low, high)
    mu, log_sigma = parameters.chunk(2, -1)
    # A clamp, whose gradient is one pass over the data where that of torch.clamp is four.
    log_sigma = hardtanh(log_sigma, low, high)
    return mu, log_sigma, log_sigma.exp()


class _Parameters(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: Tensor, low: float, high: float) -> tuple[Tensor, Tensor, Tensor]:
        mu, log_sigma, sigma = native.gaussian(parameters, low, high)
        ctx.save_for_backward(log_sigma, sigma)
        ctx.bounds = low, high
        return mu, log_sigma, sigma

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        log_sigma, sigma = ctx.saved_tensors
        return native.gaussian_gradient(grads, log_sigma, sigma, *ctx.bounds), None, None


def gaussian_draw(parameters: Tensor, eps: Tensor, low: float, high: float, dims: int) -> tuple[Tensor, Tensor]:
    """``z = mu + sigma eps`` ``(*, D)`` and the divergence from the standard normal, for :func:`gaussian_parameters`.

    The divergence is summed over the last ``dims`` dimensions, at least one; both are differentiable once.
    """
    if native.native_runs_on(parameters, eps):
        return _Draw.apply(parameters, eps, low, high, dims)
    mu, log_sigma, sigma = gaussian_parameters(parameters, low, high)
    return mu + sigma * eps, standard_divergence(mu, sigma, log_sigma, dims)


class _Draw(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: Tensor, eps: Tensor, low: float, high: float, dims: int) -> tuple[Tensor, Tensor]:
        parameters, eps, vectors = parameters.contiguous(), eps.contiguous(), eps.shape[-dims:-1].numel()
        divergences = eps.new_zeros(eps.shape[: eps.dim() - dims])
        z, sigma = native.gaussian_draw(parameters, eps, divergences, vectors, low, high)
        ctx.save_for_backward(parameters, eps, sigma)
        ctx.given = vectors, low, high
        return z, divergences

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return native.gaussian_draw_gradient(*ctx.saved_tensors, *grads, *ctx.given), None, None, None, None


def standard_divergence(mu: Tensor, r: Tensor, log_r: Tensor, dims: int) -> Tensor:
    """``KL(N(mu, r²) || N(0, 1)) = sum (mu² + r² - 1) / 2 - log r`` over the last ``dims`` dimensions, in nats.

    The logarithm is taken for an argument of its own; differentiable once.
    """
    return _StandardDivergence.apply(mu, r, log_r, dims)


class _StandardDivergence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, mu: Tensor, r: Tensor, log_r: Tensor, dims: int) -> Tensor:
        ctx.dims, ctx.native = dims, native.native_runs_on(mu, r, log_r)
        if ctx.native:
            mu, r = mu.contiguous(), r.contiguous()
        ctx.save_for_backward(mu, r)
        if ctx.native:
            return native.divergence(mu, r, log_r, dims)
        each = torch.rsub(log_r, -0.5).addcmul_(mu, mu, value=0.5).addcmul_(r, r, value=0.5)
        return sum_last(each, dims)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (mu, r), weight = ctx.saved_tensors, grads[0][(...,) + (None,) * ctx.dims]
        to_mu, to_r = native.divergence_gradient(mu, r, grads[0]) if ctx.native else (weight * mu, weight * r)
        return to_mu, to_r, (-weight).expand(mu.shape), None


def sum_last(x: Tensor, dims: int) -> Tensor:
    """The sum over so many last dimensions; over none, unlike torch's, ``x`` itself."""
    return x.sum(tuple(range(-dims, 0))) if dims else x
