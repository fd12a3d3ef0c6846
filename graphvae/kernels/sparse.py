"""A sparse matrix in compressed rows, with its transpose at hand: what propagation multiplies by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

__all__ = ["SparseMatrix", "normalised_adjacency"]

_INT32_LIMIT = 2**31 - 1


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """An ``(M, N)`` matrix in compressed sparse rows.

    Args:
        row_pointers: ``(M + 1,)`` integers; row i holds entries ``row_pointers[i]`` up to ``row_pointers[i + 1]``.
        columns: ``(nnz,)`` column of each entry.
        values: ``(nnz,)`` value of each entry.
        shape: ``(M, N)``.
        symmetric: the matrix equals its transpose, so that no second structure is needed for gradients.
        constant: the value of every entry, if it is known that they have but one, as binary features do; see
            :meth:`settled`.
    """

    row_pointers: Tensor
    columns: Tensor
    values: Tensor
    shape: tuple[int, int]
    symmetric: bool = False
    constant: float | None = None
    # Structure of the transpose (row pointers, columns, order of the values), filled when first needed and shared by
    # every matrix of the same sparsity pattern; and the transpose of this one.
    _transpose: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list, repr=False)
    _transposed: list[SparseMatrix] = field(default_factory=list, repr=False)

    @classmethod
    def from_csr(cls, row_pointers: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> SparseMatrix:
        """A matrix from CSR parts; indices are narrowed to 32 bits where they fit, which halves their traffic."""
        nnz = columns.numel()
        return cls(_narrow(row_pointers, nnz, shape), _narrow(columns, nnz, shape), values, shape)

    def settled(self) -> SparseMatrix:
        """The matrix for many products: whether all entries have one value is found out, once."""
        values = self.values.detach()
        one = float(values[0]) if values.numel() and bool((values == values[0]).all()) else None
        return replace(self, constant=one, _transposed=[])

    @property
    def T(self) -> SparseMatrix:
        """The transpose, made once; matrices of one sparsity pattern share its structure."""
        if self.symmetric:
            return self
        if not self._transposed:
            self._transposed.append(self._make_transpose())
        return self._transposed[0]

    def _make_transpose(self) -> SparseMatrix:
        if not self._transpose:
            columns = self.columns.long()
            order = torch.argsort(columns, stable=True)
            counts = torch.bincount(columns, minlength=self.shape[1])
            pointers = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
            rows = torch.repeat_interleave(
                torch.arange(self.shape[0], device=columns.device), self.row_pointers.diff().long()
            )
            self._transpose.append((pointers.to(self.columns.dtype), rows[order].to(self.columns.dtype), order))
        pointers, rows, order = self._transpose[0]
        shape = self.shape[1], self.shape[0]
        return SparseMatrix(pointers, rows, self.values[order], shape, constant=self.constant)

    def with_values(self, values: Tensor) -> SparseMatrix:
        """The same sparsity pattern with other values, ``(nnz,)``; no longer taken for symmetric."""
        return replace(self, values=values, symmetric=False, constant=None, _transposed=[])

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> SparseMatrix:
        """The matrix on another device or in another floating type."""
        return SparseMatrix(
            self.row_pointers.to(device),
            self.columns.to(device),
            self.values.to(device=device, dtype=dtype),
            self.shape,
            self.symmetric,
            self.constant,
        )

    def to_dense(self) -> Tensor:
        """The ``(M, N)`` dense matrix; for references and tests."""
        rows = torch.repeat_interleave(
            torch.arange(self.shape[0], device=self.values.device), self.row_pointers.diff().long()
        )
        dense = self.values.new_zeros(self.shape)
        return dense.index_put((rows, self.columns.long()), self.values, accumulate=True)


def normalised_adjacency(
    edge_index: Tensor,
    num_nodes: int,
    edge_weight: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> SparseMatrix:
    """The GCN propagation matrix ``D^(-1/2) (A + I) D^(-1/2)`` with ``D = diag((A + I) 1)``.

    Args:
        edge_index: ``(2, E)`` both directions of every edge, sorted, without self-loops.
        num_nodes: N.
        edge_weight: ``(E,)`` positive weights, or None for ones.
        dtype: floating type of the values.

    Returns:
        The symmetric ``(N, N)`` matrix.

    Reference:
        Kipf and Welling, Semi-Supervised Classification with Graph Convolutional Networks (2017), equation 2.
    """
    device = edge_index.device
    nodes = torch.arange(num_nodes, device=device)
    weight = torch.ones(edge_index.shape[1], device=device) if edge_weight is None else edge_weight
    source, target = torch.cat([edge_index, nodes.expand(2, -1)], 1)
    weight = torch.cat([weight.to(torch.float64), torch.ones(num_nodes, dtype=torch.float64, device=device)])
    order = torch.argsort(source * max(num_nodes, 1) + target)
    source, target, weight = source[order], target[order], weight[order]
    degree = weight.new_zeros(num_nodes).index_add_(0, source, weight)
    inverse_root = degree.rsqrt()
    values = (inverse_root[source] * weight * inverse_root[target]).to(dtype)
    pointers = torch.cat([source.new_zeros(1), torch.bincount(source, minlength=num_nodes).cumsum(0)])
    return replace(SparseMatrix.from_csr(pointers, target, values, (num_nodes, num_nodes)), symmetric=True)


def _narrow(index: Tensor, nnz: int, shape: tuple[int, int]) -> Tensor:
    """int32 where every index fits; pointers and columns of one matrix end up with one type."""
    return index.to(torch.int32 if max(nnz, *shape) < _INT32_LIMIT else torch.int64)
