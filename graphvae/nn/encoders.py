"""Encoders: networks that map a datum to its posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from graphvae._check import InputError
from graphvae.kernels.convolutions import convolutions
from graphvae.nn.custom_encoder import CustomEncoder
from graphvae.nn.hops import HopEncoder
from graphvae.nn.inputs import GraphInputs, dropout_features
from graphvae.nn.layers import GraphConvolution
from graphvae.variational.posteriors import PosteriorFamily

__all__ = ["ENCODERS", "GCN", "GCNEncoder"]


class GCNEncoder(nn.Module):
    """A graph convolutional network of any depth that ends in the parameters of ``q(Z | X, A)``.

    With one hidden layer this is the inference model of the VGAE: ``[mu, log sigma] = A^ relu(A^ X W0) W1``, where mu
    and log sigma share one propagation of width 2 D. Without hidden layers it is the linear model of Salha et al.

    Args:
        in_features: F; for a graph without features N, and the first weight is a table of one row per node.
        latent_dim: D.
        posterior: family of ``q``; what it builds for D (weights of its own, if it has any) is part of the encoder.
        hidden_dims: widths of the hidden layers.
        dropout: rate at which inputs of every layer are dropped in training.
        bias: whether the layers have biases; the paper's have none.

    References:
        Kipf and Welling, Variational Graph Auto-Encoders (2016), equation 1.
        Salha, Hennequin and Vazirgiannis, Simple and Effective Graph Autoencoders with One-Hop Linear Models (2020).
    """

    uses_weights = True

    def __init__(
        self,
        in_features: int,
        latent_dim: int,
        posterior: PosteriorFamily,
        hidden_dims: Sequence[int] = (32,),
        *,
        dropout: float = 0.0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden_dims]
        self.hidden = nn.ModuleList(GraphConvolution(i, o, bias=bias) for i, o in pairwise(widths))
        self.head = GraphConvolution(widths[-1], posterior.width(latent_dim), bias=bias, parts=posterior.parts)
        self.posterior = posterior.build(latent_dim)
        self.dropout = dropout

    def forward(self, inputs: GraphInputs, around: Distribution | None = None) -> Distribution:
        """``q(Z | X, A)``, batch shape ``()``, event shape ``(N, D)``; relative to the prior ``around`` if given."""
        x, known = inputs.x, inputs.propagated
        layers = [*self.hidden, self.head]
        if (self.training and self.dropout > 0) or self.head.bias is not None or _hooked(layers):
            h = self._by_layers(inputs, layers)
        else:
            weights = [layer.linear.weight for layer in layers]
            h = convolutions(x if known is None else known, inputs.propagation, weights, propagated=known is not None)
        return self.posterior(h, event_dim=2, around=around)

    def _by_layers(self, inputs: GraphInputs, layers: Sequence[GraphConvolution]) -> Tensor:
        """The same with dropout, biases and whatever hooks a user has put on the layers."""
        h: Any = inputs.x
        for index, layer in enumerate(layers):
            if index == 0 and inputs.propagated is not None and not (self.training and self.dropout > 0):
                h = layer.of_propagated(inputs.propagated)
            else:
                dropped = None if h is None else dropout_features(h, self.dropout, self.training)
                h = layer(dropped, inputs.propagation)
            if layer is not self.head:
                h = h.relu()
        return h


def _hooked(layers: Sequence[GraphConvolution]) -> bool:
    parts = (part for layer in layers for part in (layer, layer.linear))
    return any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in parts)


@dataclass(frozen=True)
class GCN:
    """Settings of :class:`GCNEncoder`, beside the estimator's ``hidden_dims`` and ``dropout``, which are for it.

    Args:
        bias: whether the layers have biases; the paper's have none.
    """

    bias: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.bias, bool):
            raise InputError(f"bias={self.bias!r}: expected True or False")

    def settings(self) -> dict[str, Any]:
        """The arguments this encoder can be built from again."""
        return asdict(self)

    def build(
        self,
        *,
        num_nodes: int,
        num_features: int,
        latent_dim: int,
        posterior: PosteriorFamily,
        hidden_dims: Sequence[int] = (32,),
        dropout: float = 0.0,
    ) -> GCNEncoder:
        """A fresh encoder for N nodes, F features and latent dimension D."""
        width = num_features or num_nodes
        return GCNEncoder(width, latent_dim, posterior, hidden_dims, dropout=dropout, bias=self.bias)


ENCODERS: dict[str, type[GCN] | type[HopEncoder] | type[CustomEncoder]] = {
    "gcn": GCN,
    "hops": HopEncoder,
    "custom": CustomEncoder,
}
