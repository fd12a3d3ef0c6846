"""``pair_softplus_sum``: the sum over all pairs of nodes that every graph likelihood needs, without ever holding N x N.

With logits ``s_ij = scale z_i . z_j + bias`` the sum over all ordered pairs, the diagonal included, is

    V = sum_ij softplus(s_ij),   dV/dz_i = 2 scale g_i,   dV/dscale = sum_i z_i . g_i,   dV/dbias = sum_ij sigma(s_ij),

where ``g_i = sum_j sigma(s_ij) z_j``. With a signature, signs ``e`` of the dimensions, ``z_i . z_j`` is the indefinite
``sum_d e_d z_id z_jd``, and ``e`` is a factor of ``dV/dz_i`` and of the product in ``dV/dscale``. One pass over the
tiles of the upper triangle gives the value and ``g`` together, so nothing is stored between forward and backward but
arrays of the size of ``z``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphvae._check import InputError, integer, resolve
from graphvae.kernels import native
from graphvae.kernels.softplus import softplus
from graphvae.kernels.triton_pairs import pair_sums, triton_runs_on

__all__ = ["BACKENDS", "pair_sigmoid_sum", "pair_softplus_sum", "sums_and_gradient", "tiles", "times"]

# Rows in a tile: 512 x 512 logits stay in the second-level cache of one core; a GPU wants few launches instead.
BLOCK = {"cpu": 512, "cuda": 4096}


def pair_softplus_sum(
    z: Tensor,
    scale: Tensor,
    bias: Tensor,
    *,
    signature: Tensor | None = None,
    block: int | None = None,
    backend: str | None = None,
) -> Tensor:
    """``sum_ij softplus(scale z_i . z_j + bias)`` over all N² ordered pairs, i = j included; in nats.

    Args:
        z: ``(N, D)`` latent positions.
        scale: ``()`` factor of the inner product.
        bias: ``()`` intercept.
        signature: ``(D,)`` factors of the products of the dimensions; None is all ones.
        block: rows in one tile of ``"blockwise"``; the result does not depend on it but for rounding; None picks.
        backend: ``"reference"`` (dense, O(N²) memory), ``"blockwise"``, ``"native"`` (float32 on a CPU, in C),
            ``"triton"`` (float32 on a GPU, products in tf32; no signature) or ``"triton-fp32"``; None picks.

    Returns:
        ``()`` sum in the dtype of ``z``, accumulated in float64; differentiable once in ``z``, ``scale`` and ``bias``.

    Raises:
        InputError: if ``z`` is not a matrix, ``block`` not positive, or the backend unknown or not for this call.
    """
    if z.dim() != 2:
        raise InputError(f"z has shape {tuple(z.shape)}: expected (N, D)")
    if signature is not None and signature.shape != z.shape[1:]:
        raise InputError(f"signature has shape {tuple(signature.shape)}: expected ({z.shape[1]},)")
    chosen = backend or _fastest(z, signature)
    block = integer("block", BLOCK[z.device.type] if block is None else block, low=1)
    return resolve("backend", chosen, BACKENDS)(z, scale, bias, block, signature)


def _fastest(z: Tensor, signature: Tensor | None) -> str:
    if native.native_runs_on(z):
        return "native"
    return "triton" if signature is None and triton_runs_on(z) else "blockwise"


def tiles(n: int, block: int) -> Iterator[tuple[slice, slice]]:
    """Tiles of the upper triangle of an ``(n, n)`` matrix, those on the diagonal included, row by row."""
    for i in range(0, n, block):
        for j in range(i, n, block):
            yield slice(i, i + block), slice(j, j + block)


@torch.no_grad()
def pair_sigmoid_sum(
    z: Tensor, scale: Tensor, bias: Tensor, *, signature: Tensor | None = None, block: int | None = None
) -> float:
    """``sum_{i<j} sigma(scale z_i . z_j + bias)``: the expected number of edges."""
    total, left = 0.0, z if signature is None else z * signature
    for rows, columns in tiles(len(z), block or BLOCK[z.device.type]):
        p = torch.sigmoid(left[rows] @ z[columns].T * scale + bias)
        p = p.triu(1) if rows == columns else p
        total += float(p.sum(dtype=torch.float64))
    return total


#: V in float64, and where they are wanted ``g`` ``(N, D)`` and ``sum_ij sigma(s_ij)``, from z, scale, bias, the rows in
#: a tile, the signature and whether each of the two is wanted; V and the sum as tensors ``()`` or numbers.
Sums = Callable[[Tensor, Tensor, Tensor, int, "Tensor | None", bool, bool], "tuple[Any, Tensor | None, Any]"]

#: The sum, differentiable, from z, scale, bias, the rows in a tile and, if it is not all ones, the signature.
Backend = Callable[..., Tensor]


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, scale: Tensor, bias: Tensor, block: int, signature: Tensor | None, sums: Sums
    ) -> Tensor:
        value, *gradient = sums_and_gradient(z, scale, bias, block, signature, ctx.needs_input_grad[:3], sums)
        ctx.save_for_backward(scale, *gradient)
        return value.to(z.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        scale, g, to_scale, to_bias = ctx.saved_tensors
        (grad,) = grads
        return grad * 2 * scale * g, times(grad, to_scale), times(grad, to_bias), None, None, None


def sums_and_gradient(
    z: Tensor,
    scale: Tensor,
    bias: Tensor,
    block: int | None,
    signature: Tensor | None,
    wanted: Sequence[bool],
    sums: Sums | None = None,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """:func:`pair_softplus_sum` without its gradient: V in float64, and what its derivatives are made of.

    Args:
        z, scale, bias, block, signature: as there.
        wanted: whether the derivatives in ``z``, in ``scale`` and in ``bias`` are.
        sums: by whom; None picks.

    Returns:
        ``V``, the derivative in ``z`` but for ``2 scale``, and those in ``scale`` and ``bias``; None where not wanted.
    """
    sums = sums or SUMS[_fastest(z, signature)]
    signature = None if signature is None else signature.to(z.dtype)
    value, g, sigmoids = sums(z, scale, bias, block or BLOCK[z.device.type], signature, any(wanted), wanted[2])
    value = torch.as_tensor(value, dtype=torch.float64, device=z.device)
    if g is None:
        return value, None, None, None
    g = g if signature is None else g * signature
    to_scale = (z.double() * g.double()).sum().to(scale.dtype) if wanted[1] else None
    to_bias = torch.as_tensor(sigmoids, dtype=scale.dtype, device=z.device) if wanted[2] else None
    return value, g, to_scale, to_bias


def times(grad: Tensor, slope: Tensor | None) -> Tensor | None:
    """The chain rule, for a derivative that may not be wanted."""
    return None if slope is None else grad * slope


def _blockwise(
    z: Tensor, scale: Tensor, bias: Tensor, block: int, signature: Tensor | None, gradient: bool, of_bias: bool
) -> tuple[float, Tensor | None, float]:
    n, d = z.shape
    value, sigmoids = 0.0, 0.0
    signed = z if signature is None else z * signature
    left, right = signed if float(scale) == 1 else signed * scale, z
    if float(bias):
        # One more product: a copy of the bias into every tile would cost more.
        left, right = torch.cat([left, bias.to(z.dtype).expand(n, 1)], 1), torch.cat([z, z.new_ones(n, 1)], 1)
    # What rows and columns of a tile add to g; skinny products are fastest when one is kept transposed.
    of_rows, of_columns = z.new_zeros(n, d), z.new_zeros(d, n)
    # No logit is above it (Cauchy and Schwarz).
    top = float(scale.abs() * (signed * z).abs().sum(1).max() + bias) if n else 0.0
    # Cut once: a slice for each tile takes as long as a product.
    parts, sides, across = z.split(block), left.split(block), right.T.contiguous().split(block, 1)
    lying = across if right is z else z.T.contiguous().split(block, 1)
    into_rows, into_columns = of_rows.split(block), of_columns.split(block, 1)
    # Two tiles of memory for all: fresh memory costs as much as the arithmetic.
    memory = z.new_empty(2, min(block, n) ** 2)
    for i in range(len(parts) if n else 0):
        for j in range(i, len(parts)):
            shape = len(parts[i]), len(parts[j])
            if i == j or j == len(parts) - 1:
                s, w = memory[:, : shape[0] * shape[1]].view(2, *shape)
            torch.mm(sides[i], across[j], out=s)
            twice = 1.0 if i == j else 2.0
            if not gradient:
                value += twice * float(softplus(s).sum(dtype=torch.float64))
                continue
            value += twice * _softplus_sum_then_sigmoid_(s, w, top)
            if of_bias:
                sigmoids += twice * float(s.sum())
            into_rows[i].addmm_(s, parts[j])
            if i != j:
                into_columns[j].addmm_(lying[i], s)
    return value, of_rows.add_(of_columns.T) if gradient else None, sigmoids


def _softplus_sum_then_sigmoid_(s: Tensor, w: Tensor, top: float) -> float:
    """``sum softplus(s)``; replaces ``s`` by its sigmoid, which the gradient needs, and overwrites ``w`` of its shape.

    In float32, the precision of training, both come from one exponential: with ``w = 1 + exp(s)`` the sigmoid is
    ``exp(s) / w``, and one logarithm serves the product of as many ``w`` as cannot overflow. That is a third of the
    cost of softplus, at an absolute error of one rounding of ``w`` a pair. In float64, the precision of reports, and
    for logits whose exponential overflows, it is softplus itself.

    Args:
        s: logits.
        w: memory.
        top: a bound that none of them exceeds.
    """
    if s.dtype == torch.float32:
        factors = _factors(s, top)
        if factors < 4:
            top = float(s.max())
            factors = _factors(s, top)
        if top < 80:
            torch.add(s.exp_(), 1, out=w)
            s.div_(w)
            return float(w.view(factors, -1).prod(0).log_().sum())
    total = float(softplus(s).sum(dtype=torch.float64))
    s.sigmoid_()
    return total


def _factors(s: Tensor, top: float) -> int:
    """How many ``1 + exp(s)`` can be multiplied: each is at most ``exp(top + 1)``, and float32 ends at exp(88)."""
    factors = 32
    while factors > 1 and (s.numel() % factors or factors * (max(top, 0.0) + 1) > 80):
        factors //= 2
    return factors


def _by(sums: Sums) -> Backend:
    """The backend that takes its sums in this way."""

    def backend(z: Tensor, scale: Tensor, bias: Tensor, block: int, signature: Tensor | None = None) -> Tensor:
        if not torch.is_grad_enabled():
            # A Function is told that parameters need a gradient even here; detached, they get the value, precisely.
            z, scale, bias = z.detach(), scale.detach(), bias.detach()
        return _PairSum.apply(z, scale, bias, block, signature, sums)

    return backend


def _reference(z: Tensor, scale: Tensor, bias: Tensor, block: int, signature: Tensor | None = None) -> Tensor:
    """The dense sum, O(N²) memory: what the others are tested against."""
    left = z if signature is None else z * signature
    return softplus(left @ z.T * scale + bias).sum()


def _triton(precision: str) -> Sums:
    def sums(
        z: Tensor, scale: Tensor, bias: Tensor, block: int, signature: Tensor | None, gradient: bool, of_bias: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if signature is not None:
            raise InputError("backend='triton': its kernel takes no signature; expected 'blockwise'")
        return pair_sums(z, scale, bias, gradient, precision=precision)

    return sums


def _native(
    z: Tensor, scale: Tensor, bias: Tensor, block: int, signature: Tensor | None, gradient: bool, of_bias: bool
) -> tuple[float, Tensor | None, float]:
    if not native.native_runs_on(z):
        raise InputError(f"backend='native': expected float32 on a CPU it is compiled for, not {z.dtype} on {z.device}")
    if not gradient:
        # It rounds each 1 + exp(s): good enough to train on, but not to report.
        return _blockwise(z, scale, bias, block, signature, False, False)
    return native.pair_sums(z, scale, bias, signature)


SUMS: dict[str, Sums] = {
    "blockwise": _blockwise,
    "native": _native,
    "triton": _triton("tf32"),
    "triton-fp32": _triton("fp32"),
}

BACKENDS: dict[str, Backend] = {"reference": _reference, **{name: _by(sums) for name, sums in SUMS.items()}}
