"""``edge_dots``: inner products along a fixed set of edges, and their gradient, which in torch is a sparse product."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphvae._check import InputError
from graphvae.kernels import native
from graphvae.kernels.negatives import edge_keys
from graphvae.kernels.propagation import propagate
from graphvae.kernels.sparse import SparseMatrix

__all__ = ["EdgeSet", "add_gradient", "check_positions", "dots", "edge_dots", "pair_dots"]

# Edges in one block of the forward pass, so that no two (E, D) arrays are held; a GPU wants few launches instead.
BLOCK = {"cpu": 1 << 16, "cuda": 1 << 22}


class EdgeSet:
    """Edges of a graph, with the structure that makes their gradient cheap; made once for a training run.

    Args:
        pairs: ``(2, E)`` nodes u < v, each edge once.
        num_nodes: N.

    Raises:
        InputError: for pairs in another order, or nodes out of range.
    """

    def __init__(self, pairs: Tensor, num_nodes: int) -> None:
        fits = pairs.dim() == 2 and len(pairs) == 2
        if not fits or not bool(((pairs[0] >= 0) & (pairs[0] < pairs[1]) & (pairs[1] < num_nodes)).all()):
            raise InputError(f"pairs of shape {tuple(pairs.shape)}: expected (2, E) nodes u < v below {num_nodes}")
        self.pairs, self.num_nodes = pairs.long().contiguous(), num_nodes
        ends = pairs.flatten()
        order = torch.argsort(ends, stable=True)
        counts = torch.bincount(ends, minlength=num_nodes)
        pointers = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        # Which edge each entry of the symmetric matrix is, so that weights of edges become its values.
        self._edge = order % max(pairs.shape[1], 1)
        none = torch.zeros(len(ends), device=pairs.device)
        self._matrix = SparseMatrix.from_csr(pointers, pairs.flip(0).flatten()[order], none, (num_nodes, num_nodes))

    @property
    def num_edges(self) -> int:
        """E."""
        return int(self.pairs.shape[1])

    @cached_property
    def keys(self) -> Tensor:
        """Sorted keys of the edges, by which non-edges are told from them."""
        return edge_keys(self.pairs, self.num_nodes)

    def weighted(self, weight: Tensor) -> SparseMatrix:
        """The symmetric ``(N, N)`` matrix that holds ``weight`` ``(E,)`` at both entries of every edge."""
        return self._matrix.with_values(weight[self._edge])


def edge_dots(z: Tensor, edges: EdgeSet, signature: Tensor | None = None) -> Tensor:
    """``(E,)`` inner products ``z_u . z_v`` of ``z`` ``(N, D)``; differentiable once.

    With a ``signature`` ``(D,)`` they are ``sum_d e_d z_ud z_vd``.

    Raises:
        InputError: if ``z`` has not a row for every node of ``edges``, or ``signature`` not a number for every column.
    """
    check_positions(z, edges.num_nodes, signature)
    return _Dots.apply(z, edges, signature)


def check_positions(z: Tensor, num_nodes: int, signature: Tensor | None) -> None:
    """Refuse positions, or a signature, of which C would read what lies beyond."""
    if z.dim() != 2 or len(z) != num_nodes:
        raise InputError(f"z has shape {tuple(z.shape)}: expected ({num_nodes}, D)")
    if signature is not None and signature.shape != z.shape[1:]:
        raise InputError(f"signature has shape {tuple(signature.shape)}: expected ({z.shape[1]},)")


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, edges: EdgeSet, signature: Tensor | None) -> Tensor:
        z = z.contiguous()
        ctx.save_for_backward(z, signature)
        ctx.edges = edges
        return dots(z, edges, signature)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        z, signature = ctx.saved_tensors
        return add_gradient(torch.zeros_like(z), grads[0], z, ctx.edges, signature), None, None


def pair_dots(z: Tensor, pairs: Tensor, signature: Tensor | None = None) -> Tensor:
    """``(P,)`` inner products of the rows of ``z`` ``(N, D)`` that ``pairs`` ``(2, P)`` name, without a gradient.

    Raises:
        IndexError: by torch, for a row that is not there.
    """
    z, pairs = z.detach(), pairs.long()
    if native.native_runs_on(z) and pairs.numel():
        low, high = pairs.aminmax()
        # C would read what lies there.
        if int(low) >= 0 and int(high) < len(z):
            return native.edge_dots(z.contiguous(), signature, pairs.contiguous())
    u, v = z.index_select(0, pairs[0]), z.index_select(0, pairs[1])
    return ((u if signature is None else u * signature) * v).sum(-1)


def dots(z: Tensor, edges: EdgeSet, signature: Tensor | None) -> Tensor:
    """:func:`edge_dots` of ``z``, contiguous, without a gradient."""
    if native.native_runs_on(z):
        return native.edge_dots(z, signature, edges.pairs)
    signed = z if signature is None else z * signature
    blocks = zip(*(ends.split(BLOCK[z.device.type]) for ends in edges.pairs), strict=True)
    return torch.cat([signed.index_select(0, u).mul_(z.index_select(0, v)).sum(-1) for u, v in blocks])


def add_gradient(g: Tensor, weight: Tensor, z: Tensor, edges: EdgeSet, signature: Tensor | None) -> Tensor:
    """``g`` ``(N, D)`` plus the gradient in ``z`` of ``sum_e weight_e dots_e``; ``z`` and ``g`` contiguous."""
    if native.native_runs_on(z):
        return native.edge_gradient(z, signature, edges.pairs, weight, g)
    return g.add_(propagate(edges.weighted(weight), z if signature is None else z * signature))
