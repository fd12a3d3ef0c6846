"""``MaskableAdjacency``: the propagation matrix of a graph without some of its edges, made anew at every step."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.sparse import SparseMatrix

__all__ = ["MaskableAdjacency"]


class MaskableAdjacency:
    """What :func:`~graphvae.kernels.sparse.normalised_adjacency` makes of any subset of a graph's edges, in O(E).

    The sorting is done once: entries that are left keep their order.

    Args:
        edge_index: ``(2, 2 E)`` both directions of every edge, sorted, without self-loops.
        num_nodes: N.
        edge_weight: ``(2 E,)`` positive weights, or None for ones.
        dtype: floating type of the values.
    """

    def __init__(
        self,
        edge_index: Tensor,
        num_nodes: int,
        edge_weight: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        device, self.num_nodes = edge_index.device, num_nodes
        source, target = edge_index
        # Both directions of an edge have one key, and an edge's number is its place among the edges (u, v), u < v.
        keys = torch.minimum(source, target) * num_nodes + torch.maximum(source, target)
        self.edges = torch.searchsorted(keys[source < target], keys)
        self.num_edges = len(keys) // 2
        nodes = torch.arange(num_nodes, device=device)
        rows, columns = torch.cat([source, nodes]), torch.cat([target, nodes])
        weight = torch.ones(len(keys), device=device) if edge_weight is None else edge_weight
        order = torch.argsort(rows * max(num_nodes, 1) + columns)
        self._rows, self._columns = rows[order], columns[order]
        # Self-loops are the edge behind the last, which is never dropped.
        self._edge = torch.cat([self.edges, torch.full_like(nodes, self.num_edges)])[order]
        self._weight = torch.cat([weight.to(dtype), torch.ones(num_nodes, dtype=dtype, device=device)])[order]

    def __call__(self, kept: Tensor) -> SparseMatrix:
        """The symmetric ``(N, N)`` propagation matrix of the edges that are ``kept``.

        Args:
            kept: ``(E,)`` bool, in the order of the edges (u, v), u < v, of ``edge_index``.

        Raises:
            InputError: for another shape.
        """
        if kept.shape != (self.num_edges,):
            raise InputError(f"kept has shape {tuple(kept.shape)}: expected ({self.num_edges},)")
        left = torch.cat([kept, kept.new_ones(1)])[self._edge].nonzero().squeeze(1)
        rows, columns, weight = self._rows[left], self._columns[left], self._weight[left]
        counts = torch.bincount(rows, minlength=self.num_nodes)
        pointers = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        degree = weight.new_zeros(self.num_nodes).index_add_(0, rows, weight)
        inverse_root = degree.rsqrt()
        values = inverse_root[rows] * weight * inverse_root[columns]
        matrix = SparseMatrix.from_csr(pointers, columns, values, (self.num_nodes, self.num_nodes))
        return replace(matrix, symmetric=True)
