"""``propagate``: the product of a sparse matrix and a dense one, by the fastest implementation at hand.

Every implementation has the signature of :func:`_reference`; one table, :data:`BACKENDS`, names them, and
:func:`choose_backend` picks. All are linear in ``x``, so one backward (the product with the transpose) serves all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from graphvae._check import InputError, resolve
from graphvae.kernels import native
from graphvae.kernels.sparse import SparseMatrix

__all__ = ["BACKENDS", "choose_backend", "propagate"]


def propagate(matrix: SparseMatrix, x: Tensor, backend: str | None = None) -> Tensor:
    """``matrix @ x``, differentiable in ``x``.

    Args:
        matrix: ``(M, N)`` sparse; its values receive no gradient.
        x: ``(N, D)`` dense.
        backend: ``"reference"``, ``"sparse"``, ``"native"`` (float32 on a CPU, in C) or ``"scatter"`` (needs
            torch-scatter); None picks.

    Returns:
        ``(M, D)`` in the dtype of ``x``.

    Raises:
        InputError: for shapes that do not fit, an unknown backend, or one that is not installed or not for this call.
    """
    if x.dim() != 2 or x.shape[0] != matrix.shape[1]:
        raise InputError(f"x has shape {tuple(x.shape)}: expected ({matrix.shape[1]}, D)")
    product = BACKENDS[choose_backend(matrix, x)] if backend is None else resolve("backend", backend, BACKENDS)
    if not (x.requires_grad and torch.is_grad_enabled()):
        return product(matrix, x)  # a third less time on a small graph
    return _Product.apply(x, matrix, product)


def choose_backend(matrix: SparseMatrix, x: Tensor) -> str:
    """The backend for this product: C where it was compiled, else the embedding-bag, which win on all measured."""
    return "native" if _for_native(matrix, x) else "sparse"


def _for_native(matrix: SparseMatrix, x: Tensor) -> bool:
    return matrix.columns.dtype == torch.int32 and native.native_runs_on(matrix.values, x)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: SparseMatrix, product: Callable[[SparseMatrix, Tensor], Tensor]) -> Tensor:
        ctx.matrix, ctx.product = matrix, product
        return product(matrix, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        grad, transposed = grads[0].contiguous(), ctx.matrix.T
        if torch.is_grad_enabled():  # for a second derivative
            return _Product.apply(grad, transposed, ctx.product), None, None
        return ctx.product(transposed, grad), None, None


def _reference(matrix: SparseMatrix, x: Tensor) -> Tensor:
    """Dense product, O(M N) memory: what the others are tested against."""
    return matrix.to_dense().to(x.dtype) @ x


def _embedding_bag(matrix: SparseMatrix, x: Tensor) -> Tensor:
    """Row i of the product is a weighted bag of rows of ``x``: torch's fastest sparse product at these widths."""
    if matrix.columns.numel() == 0:
        return x.new_zeros(matrix.shape[0], x.shape[1])
    # Detached, for otherwise torch keeps what its own gradient would need; its Python wrapper only checks arguments.
    values = matrix.values.to(x.dtype)
    return torch.embedding_bag(x.detach(), matrix.columns, matrix.row_pointers, False, 0, False, values, True)[0]


def _native(matrix: SparseMatrix, x: Tensor) -> Tensor:
    """Row after row, its entries' rows of ``x`` summed in registers."""
    if not _for_native(matrix, x):
        raise InputError(f"backend='native': expected float32 on a CPU it is compiled for, not {x.dtype} on {x.device}")
    return native.sparse_product(matrix.row_pointers, matrix.columns, matrix.values, x, matrix.constant)


def _segment_csr(matrix: SparseMatrix, x: Tensor) -> Tensor:
    """Gather, weight and reduce each row's segment with torch-scatter; deterministic on GPU too."""
    try:
        from torch_scatter import segment_csr
    except ImportError:
        raise InputError(
            'backend="scatter" needs torch-scatter: pip install --no-build-isolation "graphvae[scatter]"'
        ) from None
    messages = x[matrix.columns.long()] * matrix.values.to(x.dtype)[:, None]
    return segment_csr(messages, matrix.row_pointers.long(), reduce="sum")


BACKENDS: dict[str, Callable[[SparseMatrix, Tensor], Tensor]] = {
    "reference": _reference,
    "sparse": _embedding_bag,
    "native": _native,
    "scatter": _segment_csr,
}
