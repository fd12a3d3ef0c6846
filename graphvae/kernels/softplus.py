"""``softplus`` and weighted sums of it: the terms of every Bernoulli likelihood, value and slope in few passes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphvae.kernels import native

__all__ = ["softplus", "softplus_terms", "terms_and_slope"]


def softplus(s: Tensor) -> Tensor:
    """``log(1 + exp(s))``, exact to rounding: torch's default drops the exponential at s = 20, which float64 feels."""
    return F.softplus(s, threshold=50.0)


def softplus_terms(
    s: Tensor,
    *,
    plus: float = 0.0,
    minus: float = 0.0,
    polynomial: tuple[float, float, float] = (0.0, 0.0, 0.0),
    around: float = 0.0,
) -> Tensor:
    """``sum_e plus softplus(s_e) + minus softplus(-s_e) + c0 + c1 t_e + c2 t_e²`` with ``t = s - around``.

    Written in logits by automatic differentiation this is a dozen passes over a few thousand edges each way, which is
    where a step on a small graph spends its time.

    Args:
        s: ``(*batch, E)`` logits.
        plus: weight of the cost of a zero, ``softplus(s) = -log P(0)``.
        minus: weight of the cost of a one, ``softplus(-s) = -log P(1)``.
        polynomial: ``c0, c1, c2``.
        around: where the polynomial is expanded.

    Returns:
        ``(*batch)`` sums, differentiable once.
    """
    return _Terms.apply(s, plus, minus, polynomial, around)


class _Terms(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, s: Tensor, plus: float, minus: float, polynomial: tuple, around: float) -> Tensor:
        value, slope = terms_and_slope(s, plus, minus, polynomial, around, ctx.needs_input_grad[0])
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return slope * grads[0].unsqueeze(-1), None, None, None, None


def terms_and_slope(
    s: Tensor, plus: float, minus: float, polynomial: tuple[float, float, float], around: float, gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """:func:`softplus_terms` without its gradient: sums ``(*batch)``, and if wanted their slopes ``(*batch, E)``."""
    if gradient and s.dim() == 1 and native.native_runs_on(s):
        total, slope = native.softplus_terms(s, (plus, minus, *polynomial, around))
        return s.new_tensor(total), slope
    c0, c1, c2 = polynomial
    t = s - around if around else s
    value = c1 * t.sum(-1) + c0 * s.shape[-1]
    if c2:
        value += c2 * torch.linalg.vecdot(t, t)
    if plus:
        value += plus * softplus(s).sum(-1)
    if minus:
        value += minus * softplus(-s).sum(-1)
    if not gradient:
        return value, None
    # plus sigma(s) - minus sigma(-s); of the two only one is large, wherever s is.
    slope = plus * torch.sigmoid(s) if plus else torch.zeros_like(s)
    if minus:
        slope.sub_(torch.sigmoid(-s), alpha=minus)
    if c2:
        slope.add_(s, alpha=2 * c2)
    slope += c1 - 2 * c2 * around
    return value, slope
