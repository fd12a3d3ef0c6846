"""A graph as tensors that networks take: node features and the propagation matrix."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.masking import MaskableAdjacency
from graphvae.kernels.propagation import propagate
from graphvae.kernels.sparse import SparseMatrix, normalised_adjacency

__all__ = ["GraphInputs", "dropout_features"]

# Measured on a CPU: a sparse product wins below this share of non-zeros, and to propagate dense features once and for
# all wins up to this width, beyond which they are more to read than the hidden layer is to propagate.
SPARSE, NARROW = 0.15, 128


@dataclass(frozen=True)
class GraphInputs:
    """What encoders and priors see of a graph.

    Args:
        x: ``(N, F)`` node features, dense or sparse, or None for a graph without features (X = I).
        propagation: ``(N, N)`` normalised adjacency with self-loops.
        edge_index: ``(2, E)`` both directions of every edge, for encoders that propagate in their own way.
        propagated: ``(N, F)`` propagation of ``x``, once and for all, where that spares a propagation at every step.
        edge_weight: ``(E,)`` weights, or None.
    """

    x: Tensor | SparseMatrix | None
    propagation: SparseMatrix
    edge_index: Tensor
    propagated: Tensor | None = None
    edge_weight: Tensor | None = None

    @classmethod
    def build(
        cls,
        edge_index: Tensor,
        num_nodes: int,
        x: Tensor | None = None,
        edge_weight: Tensor | None = None,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> GraphInputs:
        """Inputs on ``device`` and in ``dtype`` from the fields of a validated graph.

        Raises:
            InputError: for negative edge weights, which the symmetric normalisation cannot take.
        """
        device = torch.device(device)
        if edge_weight is not None and edge_weight.numel() and float(edge_weight.min()) < 0:
            raise InputError(f"edge_weight contains {float(edge_weight.min())}: a GCN expects weights of at least 0")
        features: Tensor | SparseMatrix | None = None
        if (
            x is not None
            and x.layout == torch.strided
            and x.numel()
            and int(torch.count_nonzero(x)) < SPARSE * x.numel()
        ):
            with warnings.catch_warnings():
                # torch says that its CSR is in beta; it is only passed through here.
                warnings.simplefilter("ignore", UserWarning)
                x = x.to_sparse_csr()
        if x is not None and x.layout == torch.strided:
            features = x.to(device=device, dtype=dtype)
        elif x is not None:
            shape = (int(x.shape[0]), int(x.shape[1]))
            matrix = SparseMatrix.from_csr(x.crow_indices(), x.col_indices(), x.values(), shape)
            features = matrix.to(device=device, dtype=dtype).settled()
        propagation = normalised_adjacency(edge_index, num_nodes, edge_weight, dtype).to(device=device)
        propagated = None
        if isinstance(features, Tensor) and features.shape[1] <= NARROW:
            propagated = propagate(propagation, features)
        weight = None if edge_weight is None else edge_weight.to(device=device, dtype=dtype)
        return cls(features, propagation, edge_index.to(device), propagated, weight)

    def masked(self, kept: Tensor) -> GraphInputs:
        """The inputs of the graph that has the edges ``kept`` only.

        Args:
            kept: ``(E / 2,)`` bool, in the order of the edges (u, v), u < v, of ``edge_index``.
        """
        both = kept[self._maskable.edges]
        weight = None if self.edge_weight is None else self.edge_weight[both]
        return replace(
            self,
            propagation=self._maskable(kept),
            edge_index=self.edge_index[:, both],
            propagated=None,
            edge_weight=weight,
        )

    @cached_property
    def _maskable(self) -> MaskableAdjacency:
        return MaskableAdjacency(self.edge_index, self.num_nodes, self.edge_weight, self.propagation.values.dtype)

    @cached_property
    def degrees(self) -> Tensor:
        """``(N,)`` number of neighbours: entries in each row of the propagation matrix, but for the self-loop."""
        return self.propagation.row_pointers.diff().long() - 1

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.propagation.shape[0]

    @property
    def num_vectors(self) -> int:
        """How many latent vectors there are: one per node."""
        return self.num_nodes

    @property
    def event_dim(self) -> int:
        """Dimensions of one datum's latents: a whole graph is one datum, of event shape ``(N, D)``."""
        return 2

    @property
    def num_features(self) -> int:
        """F; 0 without features."""
        return 0 if self.x is None else int(self.x.shape[1])


def dropout_features(x: Tensor | SparseMatrix, rate: float, training: bool) -> Tensor | SparseMatrix:
    """Dropout on features; of sparse ones only the non-zeros are drawn, which is the same distribution."""
    if not training or rate == 0:
        return x
    if isinstance(x, SparseMatrix):
        return x.with_values(torch.nn.functional.dropout(x.values, rate))
    return torch.nn.functional.dropout(x, rate)
