"""``pair_softplus_sum``: the sum over all pairs of nodes that every graph likelihood needs, without ever holding N x N.

With logits ``s_ij = scale z_i . z_j + bias`` the sum over all ordered pairs, the diagonal included, is

    V = sum_ij softplus(s_ij),   dV/dz_i = 2 scale g_i,   dV/dscale = sum_i z_i . g_i,   dV/dbias = sum_ij sigma(s_ij),

where ``g_i = sum_j sigma(s_ij) z_j``. One pass over the tiles of the upper triangle gives the value and ``g`` together,
so nothing is stored between forward and backward but arrays of the size of ``z``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphvae._check import InputError, integer, resolve

__all__ = ["BACKENDS", "pair_sigmoid_sum", "pair_softplus_sum", "softplus", "tiles"]

# Tiles of 512 x 512 logits stay in the second-level cache of one core.
BLOCK = 512


def softplus(s: Tensor) -> Tensor:
    """``log(1 + exp(s))``, exact to rounding: torch's default drops the exponential at s = 20, which float64 feels."""
    return F.softplus(s, threshold=50.0)


def pair_softplus_sum(
    z: Tensor, scale: Tensor, bias: Tensor, *, block: int = BLOCK, backend: str | None = None
) -> Tensor:
    """``sum_ij softplus(scale z_i . z_j + bias)`` over all N² ordered pairs, i = j included; in nats.

    Args:
        z: ``(N, D)`` latent positions.
        scale: ``()`` factor of the inner product.
        bias: ``()`` intercept.
        block: rows in one tile; the result does not depend on it but for rounding.
        backend: ``"reference"`` (dense, O(N²) memory) or ``"blockwise"``; None picks.

    Returns:
        ``()`` sum in the dtype of ``z``, accumulated in float64; differentiable once in ``z``, ``scale`` and ``bias``.

    Raises:
        InputError: if ``z`` is not a matrix, ``block`` not positive or the backend unknown.
    """
    if z.dim() != 2:
        raise InputError(f"z has shape {tuple(z.shape)}: expected (N, D)")
    return resolve("backend", backend or "blockwise", BACKENDS)(z, scale, bias, integer("block", block, low=1))


def tiles(n: int, block: int) -> Iterator[tuple[slice, slice]]:
    """Tiles of the upper triangle of an ``(n, n)`` matrix, those on the diagonal included, row by row."""
    for i in range(0, n, block):
        for j in range(i, n, block):
            yield slice(i, i + block), slice(j, j + block)


@torch.no_grad()
def pair_sigmoid_sum(z: Tensor, scale: Tensor, bias: Tensor, *, block: int = BLOCK) -> float:
    """``sum_{i<j} sigma(scale z_i . z_j + bias)``: the expected number of edges."""
    total = 0.0
    for rows, columns in tiles(len(z), block):
        p = torch.sigmoid(z[rows] @ z[columns].T * scale + bias)
        p = p.triu(1) if rows == columns else p
        total += float(p.sum(dtype=torch.float64))
    return total


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, scale: Tensor, bias: Tensor, block: int) -> Tensor:
        n = len(z)
        left = z * scale
        # A column of ones beside z makes the product that gives g give the row sums of sigma as well.
        right = torch.cat([z, z.new_ones(n, 1)], 1)
        wants_gradient = any(ctx.needs_input_grad[:3])
        value = torch.zeros((), dtype=torch.float64, device=z.device)
        g = torch.zeros_like(right)
        for rows, columns in tiles(n, block):
            s = torch.addmm(bias, left[rows], z[columns].T)
            twice = 1.0 if rows == columns else 2.0
            if not wants_gradient or s.dtype == torch.float64:
                value += twice * softplus(s).sum(dtype=torch.float64)
            if wants_gradient:
                positive_part = torch.relu(s).sum(dtype=torch.float64) if s.dtype != torch.float64 else None
                s.sigmoid_()
                if positive_part is not None:
                    value += twice * (positive_part + _entropy_part(s))
                g[rows].addmm_(s, right[columns])
                if rows != columns:
                    g[columns].addmm_(s.T, right[rows])
        ctx.save_for_backward(z, scale, bias, g)
        return value.to(z.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        z, scale, bias, g = ctx.saved_tensors
        (grad,) = grads
        inner, row_sums = g[:, :-1], g[:, -1]
        to_scale = (z.double() * inner.double()).sum().to(scale.dtype)
        to_bias = row_sums.sum(dtype=torch.float64).to(bias.dtype)
        return grad * 2 * scale * inner, grad * to_scale, grad * to_bias, None


def _entropy_part(p: Tensor) -> Tensor:
    """``sum softplus(-|s|) = -sum log max(p, 1 - p)`` for ``p = sigmoid(s)``, in training precision.

    The sigmoid is needed for the gradient anyway and costs a quarter of a softplus; one logarithm serves the product
    of 32 factors, each at least a half. Absolute error of a pair: one rounding of ``1 - p``; float64 takes softplus.
    """
    most = torch.maximum(p, 1 - p).flatten()
    whole = most.numel() // 32 * 32
    product = most[:whole].view(32, -1)
    while len(product) > 1:
        half = len(product) // 2
        product = product[:half] * product[half:]
    return -(product.double().log().sum() + most[whole:].double().log().sum())


def _blockwise(z: Tensor, scale: Tensor, bias: Tensor, block: int) -> Tensor:
    if not torch.is_grad_enabled():
        # A Function is told that parameters need a gradient even here; detached, they get the value alone, precisely.
        z, scale, bias = z.detach(), scale.detach(), bias.detach()
    return _Blockwise.apply(z, scale, bias, block)


def _reference(z: Tensor, scale: Tensor, bias: Tensor, block: int) -> Tensor:
    """The dense sum, O(N²) memory: what the others are tested against."""
    return softplus(z @ z.T * scale + bias).sum()


BACKENDS: dict[str, Callable[[Tensor, Tensor, Tensor, int], Tensor]] = {
    "reference": _reference,
    "blockwise": _blockwise,
}
