"""``HopEncoder``: one linear map, weightless propagations, and all hops side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from graphvae._check import InputError, integer, number
from graphvae.kernels.propagation import propagate
from graphvae.kernels.sparse import SparseMatrix
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.layers import SparseLinear, fast_dropout
from graphvae.variational.posteriors import PosteriorFamily

__all__ = ["HopEncoder", "HopNetwork"]

# Half powers of two: enough for any degree below a million.
BUCKETS = 40


@dataclass(frozen=True)
class HopEncoder:
    """Settings of an encoder that sees each distance apart: a node without edges is still told by its own features.

        h_0 = norm(X W + T + E[degree]),   h_k = norm((1 - t) A^ h_{k-1} + t h_0),   parameters = [h_0 ... h_K] V + c

    with no activation: the only weights are W, V, the table T (one row per node) and E (one row per bucket of degrees).

    Args:
        width: of every hop.
        hops: K, the number of propagations.
        dropout: rate at which features (of sparse ones the non-zeros) and ``h_0`` are dropped in training.
        teleport: t, the share of ``h_0`` in every hop.
        edge_dropout: rate at which edges are left out of propagation in training, whatever the objective scores: every
            q(Z | X, A) is one, so a bound stays a bound.
        normalise: whether ``norm`` is a layer norm or does nothing.
        node_table: whether there is T; None for graphs without features only. Such a model embeds no other nodes.
        degree_embedding: whether there is E, of degrees in the graph that is encoded; None as above.

    References:
        Wu et al., Simplifying Graph Convolutional Networks (2019), for propagation without weights.
        Xu et al., Representation Learning on Graphs with Jumping Knowledge Networks (2018), for hops side by side.
        Gasteiger et al., Predict then Propagate (2019), for the teleport.
    """

    width: int = 128
    hops: int = 2
    dropout: float = 0.5
    teleport: float = 0.0
    edge_dropout: float = 0.0
    normalise: bool = True
    node_table: bool | None = None
    degree_embedding: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", integer("width", self.width, low=1))
        object.__setattr__(self, "hops", integer("hops", self.hops, low=0))
        object.__setattr__(self, "dropout", number("dropout", self.dropout, low=0, high=0.99))
        object.__setattr__(self, "teleport", number("teleport", self.teleport, low=0, high=1))
        object.__setattr__(self, "edge_dropout", number("edge_dropout", self.edge_dropout, low=0, high=0.99))
        for name in ("normalise", "node_table", "degree_embedding"):
            value = getattr(self, name)
            if not isinstance(value, bool) and (value is not None or name == "normalise"):
                raise InputError(f"{name}={value!r}: expected True or False")

    def settings(self) -> dict[str, Any]:
        """The arguments this encoder can be built from again."""
        return asdict(self)

    def build(self, *, num_nodes: int, num_features: int, latent_dim: int, posterior: PosteriorFamily) -> HopNetwork:
        """A fresh network for N nodes, F features and latent dimension D.

        Raises:
            InputError: if nothing is left that tells nodes apart.
        """
        table = num_features == 0 if self.node_table is None else self.node_table
        degrees = num_features == 0 if self.degree_embedding is None else self.degree_embedding
        if not (num_features or table or degrees):
            raise InputError(
                "node_table=False, degree_embedding=False: the graph has no features; expected one of them"
            )
        return HopNetwork(self, num_nodes if table else 0, num_features, degrees, latent_dim, posterior)


class HopNetwork(nn.Module):
    """The network that :class:`HopEncoder` describes.

    Args:
        settings: its settings.
        table: N, or 0 for no table of nodes.
        num_features: F, or 0.
        degrees: whether degrees are embedded.
        latent_dim: D.
        posterior: family of ``q``; what it builds for D is part of the encoder.
    """

    def __init__(
        self,
        settings: HopEncoder,
        table: int,
        num_features: int,
        degrees: bool,
        latent_dim: int,
        posterior: PosteriorFamily,
    ) -> None:
        super().__init__()
        width = settings.width
        self.dropout, self.teleport, self.hops = settings.dropout, settings.teleport, settings.hops
        self.edge_dropout = settings.edge_dropout
        self.linear = SparseLinear(num_features, width, bias=True) if num_features else None
        self.table = nn.Parameter(torch.randn(table, width)) if table else None
        self.degrees = nn.Parameter(torch.randn(BUCKETS, width)) if degrees else None
        shape = [width] if settings.normalise else None
        self.norms = nn.ModuleList(nn.LayerNorm(shape) if shape else nn.Identity() for _ in range(self.hops + 1))
        self.head = nn.Linear(width * (self.hops + 1), posterior.width(latent_dim))
        self.posterior = posterior.build(latent_dim)
        self.per_node = self.table is not None
        self.uses_weights = self.hops > 0 and self.teleport < 1

    def forward(self, inputs: GraphInputs, around: Distribution | None = None) -> Distribution:
        """``q(Z | X, A)``, batch shape ``()``, event shape ``(N, D)``; relative to the prior ``around`` if given."""
        if self.training and self.edge_dropout:
            kept = torch.rand(inputs.edge_index.shape[1] // 2, device=inputs.edge_index.device) >= self.edge_dropout
            inputs = inputs.masked(kept)
        h = first = fast_dropout(self.norms[0](self._first(inputs)), self.dropout, self.training)
        hops = [first]
        for norm in self.norms[1:]:
            h = propagate(inputs.propagation, h)
            h = norm(torch.lerp(h, first, self.teleport) if self.teleport else h)
            hops.append(h)
        return self.posterior(self.head(torch.cat(hops, -1)), event_dim=2, around=around)

    def _first(self, inputs: GraphInputs) -> Tensor:
        parts: list[Tensor] = [] if self.table is None else [self.table]
        if self.linear is not None:
            x = inputs.x
            if isinstance(x, SparseMatrix):
                x = x.with_values(fast_dropout(x.values, self.dropout, self.training))
            elif x is not None:
                x = fast_dropout(x, self.dropout, self.training)
            parts.append(self.linear(x))
        if self.degrees is not None:
            bucket = (2 * torch.log2(1.0 + inputs.degrees)).long().clamp_(max=BUCKETS - 1)
            parts.append(nn.functional.embedding(bucket, self.degrees))
        return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
