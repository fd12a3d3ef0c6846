"""``convolutions``: a whole graph convolutional network, with one gradient for all of its layers.

Taken operator by operator by automatic differentiation, a step on Cora or CiteSeer takes some 4 % longer, for the
books that are kept of half a dozen small operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.propagation import BACKENDS, choose_backend
from graphvae.kernels.sparse import SparseMatrix

__all__ = ["convolutions"]


def convolutions(
    x: Tensor | SparseMatrix | None, matrix: SparseMatrix, weights: Sequence[Tensor], *, propagated: bool = False
) -> Tensor:
    """``A relu(... relu(A X W_1) ...) W_L``, from N nodes with features X.

    Args:
        x: ``(N, F)`` features X, or None for X = I.
        matrix: ``(N, N)`` propagation matrix A, whose values receive no gradient; nor do those of sparse features.
        weights: ``(F, D_1)``, ``(D_1, D_2)`` and so on, at least one.
        propagated: ``x`` is ``A X`` already, and dense.

    Returns:
        ``(N, D_L)``, differentiable once in the weights and in dense ``x``.

    Raises:
        InputError: for shapes that do not fit, and for ``propagated`` features that are not dense.

    Reference:
        Kipf and Welling, Semi-Supervised Classification with Graph Convolutional Networks (2017), equation 9.
    """
    dense = x if isinstance(x, Tensor) else None
    if propagated and dense is None:
        raise InputError(f"propagated={propagated}: expected dense features, not {type(x).__name__}")
    nodes, width = matrix.shape[1], matrix.shape[1]
    if x is not None:
        if len(x.shape) != 2 or x.shape[0] != nodes:
            raise InputError(f"x has shape {tuple(x.shape)}: expected ({nodes}, F)")
        width = x.shape[1]
    if not weights:
        raise InputError("weights: expected one or more")
    for index, weight in enumerate(weights):
        if weight.dim() != 2 or weight.shape[0] != width:
            raise InputError(f"weights[{index}] has shape {tuple(weight.shape)}: expected ({width}, D)")
        width = weight.shape[1]
    return _Convolutions.apply(dense, x if isinstance(x, SparseMatrix) else None, matrix, propagated, *weights)


class _Convolutions(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor | None,
        sparse: SparseMatrix | None,
        matrix: SparseMatrix,
        propagated: bool,
        *weights: Tensor,
    ) -> Tensor:
        first, *others = weights
        # Where an activation is 0, so is its gradient.
        hidden = []
        h = first if x is None else x @ first
        if sparse is not None:
            h = _product(sparse, h)
        h = h if propagated else _product(matrix, h)
        for weight in others:
            hidden.append(h.relu_())
            h = _product(matrix, h @ weight)
        ctx.given = sparse, matrix, propagated
        ctx.save_for_backward(x, *hidden, *weights)
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # not once_differentiable, which lets a gradient without a second one pass
            raise RuntimeError("convolutions are differentiable once: expected no create_graph")
        (sparse, matrix, propagated), (x, *saved) = ctx.given, ctx.saved_tensors
        depth, g = len(saved) // 2, grads[0].contiguous()
        hidden, (first, *others) = saved[:depth], saved[depth:]
        of_weights = []
        for h, weight in zip(reversed(hidden), reversed(others), strict=True):
            g = _product(matrix.T, g)
            of_weights.append(h.T @ g)
            g = torch.ops.aten.threshold_backward(g @ weight.T, h, 0.0)
        g = g if propagated else _product(matrix.T, g)
        of_x = None if x is None or not ctx.needs_input_grad[0] else g @ first.T
        if x is not None:
            g = x.T @ g
        elif sparse is not None:
            g = _product(sparse.T, g)
        return of_x, None, None, None, g, *reversed(of_weights)


def _product(matrix: SparseMatrix, x: Tensor) -> Tensor:
    return BACKENDS[choose_backend(matrix, x)](matrix, x)
