"""The places where a Gaussian meets every number of its parameters, in one pass each way.

``gaussian_parameters`` takes what a network puts out apart, ``standard_divergence`` is the closed-form KL divergence
from the standard normal, ``gaussian_draw`` is all of it at once, with a sample, and ``squared_error`` is what a density
with one scale for all needs. Written in tensors by automatic differentiation they are a dozen passes, which on small
models is a good part of a training step. In C where that was compiled, and in torch's operators, the reference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import hardtanh, mse_loss

from graphvae.kernels.native import call, native_runs_on

__all__ = ["gaussian_draw", "gaussian_parameters", "squared_error", "standard_divergence", "sum_last"]


def gaussian_parameters(parameters: Tensor, low: float, high: float) -> tuple[Tensor, Tensor, Tensor]:
    """``mu``, ``log sigma`` held within ``[low, high]``, and ``sigma``, each ``(*, D)``, of rows ``[mu, log sigma]``.

    The parameters are ``(*, 2 D)``; where ``log sigma`` is held, it has no gradient.
    """
    if native_runs_on(parameters):
        return _Parameters.apply(parameters, low, high)
    mu, log_sigma = parameters.chunk(2, -1)
    # A clamp, whose gradient is one pass over the data where that of torch.clamp is four.
    log_sigma = hardtanh(log_sigma, low, high)
    return mu, log_sigma, log_sigma.exp()


class _Parameters(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: Tensor, low: float, high: float) -> tuple[Tensor, ...]:
        parameters, d = parameters.contiguous(), parameters.shape[-1] // 2
        mu, log_sigma, sigma = (parameters.new_empty(*parameters.shape[:-1], d) for _ in range(3))
        call("gaussian", parameters, mu.numel() // max(d, 1), d, low, high, mu, log_sigma, sigma)
        ctx.save_for_backward(log_sigma, sigma)
        ctx.bounds = low, high
        return mu, log_sigma, sigma

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (log_sigma, sigma), d = ctx.saved_tensors, ctx.saved_tensors[0].shape[-1]
        out = sigma.new_empty(*sigma.shape[:-1], 2 * d)
        of = (each.contiguous() for each in grads)
        call("gaussian_gradient", *of, log_sigma, sigma, sigma.numel() // max(d, 1), d, *ctx.bounds, out)
        return out, None, None


def gaussian_draw(parameters: Tensor, eps: Tensor, low: float, high: float, dims: int) -> tuple[Tensor, Tensor]:
    """``z = mu + sigma eps`` ``(*, D)`` and the divergence from the standard normal, for :func:`gaussian_parameters`.

    The divergence is summed over the last ``dims`` dimensions, at least one; both are differentiable once.
    """
    if native_runs_on(parameters, eps):
        return _Draw.apply(parameters, eps, low, high, dims)
    mu, log_sigma, sigma = gaussian_parameters(parameters, low, high)
    return mu + sigma * eps, standard_divergence(mu, sigma, log_sigma, dims)


class _Draw(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: Tensor, eps: Tensor, low: float, high: float, dims: int) -> tuple[Tensor, Tensor]:
        parameters, eps, d = parameters.contiguous(), eps.contiguous(), eps.shape[-1]
        z, sigma, divergences = (
            torch.empty_like(eps),
            torch.empty_like(eps),
            eps.new_zeros(eps.shape[: eps.dim() - dims]),
        )
        # Rows, their width, and how many of them a datum has.
        ctx.given = eps.numel() // max(d, 1), d, eps.shape[-dims:-1].numel(), low, high
        call("gaussian_draw", parameters, eps, *ctx.given, z, sigma, divergences)
        ctx.save_for_backward(parameters, eps, sigma)
        return z, divergences

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        parameters, eps, sigma = ctx.saved_tensors
        out, of = torch.empty_like(parameters), (each.contiguous() for each in grads)
        call("gaussian_draw_gradient", parameters, eps, sigma, *of, *ctx.given, out)
        return out, None, None, None, None


def standard_divergence(mu: Tensor, r: Tensor, log_r: Tensor, dims: int) -> Tensor:
    """``KL(N(mu, r²) || N(0, 1)) = sum (mu² + r² - 1) / 2 - log r`` over the last ``dims`` dimensions, in nats.

    The logarithm is taken for an argument of its own; differentiable once.
    """
    return _StandardDivergence.apply(mu, r, log_r, dims)


class _StandardDivergence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, mu: Tensor, r: Tensor, log_r: Tensor, dims: int) -> Tensor:
        ctx.dims, ctx.native = dims, native_runs_on(mu, r, log_r)
        if not ctx.native:
            ctx.save_for_backward(mu, r)
            each = torch.rsub(log_r, -0.5).addcmul_(mu, mu, value=0.5).addcmul_(r, r, value=0.5)
            return sum_last(each, dims)
        mu, r, log_r = mu.contiguous(), r.contiguous(), log_r.contiguous()
        ctx.save_for_backward(mu, r)
        out = _rows(mu, dims)
        call("divergence", mu, r, log_r, *_sizes(out, mu), out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (mu, r), weight = ctx.saved_tensors, grads[0][(...,) + (None,) * ctx.dims]
        to_log = (-weight).expand(mu.shape)
        if not ctx.native:
            return weight * mu, weight * r, to_log, None
        of, to_mu, to_r = grads[0].contiguous(), torch.empty_like(mu), torch.empty_like(r)
        call("divergence_gradient", mu, r, of, *_sizes(of, mu), to_mu, to_r)
        return to_mu, to_r, to_log, None


def squared_error(x: Tensor, y: Tensor, dims: int) -> Tensor:
    """``sum (x - y)²`` over the last ``dims`` dimensions."""
    # C takes the gradient of one of them: in training the other is data.
    if x.shape == y.shape and native_runs_on(x, y) and not (x.requires_grad and y.requires_grad):
        return _SquaredError.apply(y, x, dims) if y.requires_grad else _SquaredError.apply(x, y, dims)
    if x.shape != y.shape:
        x, y = torch.broadcast_tensors(x, y)
    return sum_last(mse_loss(x, y, reduction="none"), dims)


class _SquaredError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, dims: int) -> Tensor:
        x, y = x.contiguous(), y.contiguous()
        ctx.save_for_backward(x, y)
        out = _rows(x, dims)
        call("squared_error", x, y, *_sizes(out, x), out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x, y), of = ctx.saved_tensors, grads[0].contiguous()
        to_x = torch.empty_like(x)
        call("squared_error_gradient", x, y, of, *_sizes(of, x), to_x)
        return to_x, None, None


def sum_last(x: Tensor, dims: int) -> Tensor:
    """The sum over so many last dimensions; over none, unlike torch's, ``x`` itself."""
    return x.sum(tuple(range(-dims, 0))) if dims else x


def _rows(x: Tensor, dims: int) -> Tensor:
    return x.new_empty(x.shape[: x.dim() - dims])


def _sizes(rows: Tensor, x: Tensor) -> tuple[int, int]:
    """How many sums, and of how many numbers."""
    return rows.numel(), x.numel() // max(rows.numel(), 1)
