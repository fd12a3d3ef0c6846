"""Priors on latent vectors: standard normal, of the node's features, a learned mixture, uniform on the sphere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Independent

from graphvae._check import InputError, integer, number
from graphvae.nn.inputs import GraphInputs, dropout_features
from graphvae.nn.layers import SparseLinear
from graphvae.variational.distributions import MAX_LOG_SCALE, MIN_LOG_SCALE, DiagonalNormal, diagonal_normal
from graphvae.variational.mixtures import VectorMixture
from graphvae.variational.spherical import HypersphericalUniform

__all__ = ["PRIORS", "FeaturePrior", "LatentShape", "MixturePrior", "SphericalUniformPrior", "StandardNormalPrior"]


class LatentShape(Protocol):
    """What an unconditional prior asks of its inputs, be they a graph or a batch of images."""

    @property
    def num_vectors(self) -> int:
        """Nodes of the graph, or images in the batch."""

    @property
    def event_dim(self) -> int:
        """2 for a graph, which is one datum; 1 for images."""


class StandardNormalPrior(nn.Module):
    """``p(z) = N(0, I)``."""

    conditional = False
    analytic_kl = True
    support = "real"

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = 0
        # Only carries device and dtype; not part of the weights.
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def settings(self) -> dict[str, Any]:
        """The arguments this prior can be built from again."""
        return {}

    def build(self, *, num_features: int, latent_dim: int) -> StandardNormalPrior:
        """A fresh prior for latent dimension D."""
        prior = StandardNormalPrior()
        prior.latent_dim = latent_dim
        return prior

    def forward(self, inputs: LatentShape) -> Independent:
        """``p(z)`` of batch shape ``()`` and event shape ``(N, D)`` for a graph, ``(B,)`` and ``(D,)`` for images."""
        anchor: Tensor = self.anchor  # type: ignore[assignment]
        shape = torch.Size((inputs.num_vectors, self.latent_dim))
        return DiagonalNormal(anchor.expand(shape), 1.0, inputs.event_dim, standard=True)


class SphericalUniformPrior(nn.Module):
    """Uniform on the unit sphere in ``R^D``, for posteriors that live there."""

    conditional = False
    analytic_kl = True
    support = "sphere"

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = 0
        # As in StandardNormalPrior.
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def settings(self) -> dict[str, Any]:
        """The arguments this prior can be built from again."""
        return {}

    def build(self, *, num_features: int, latent_dim: int) -> SphericalUniformPrior:
        """A fresh prior for vectors in ``R^D``.

        Raises:
            InputError: for D = 1, where the sphere is two points.
        """
        prior = SphericalUniformPrior()
        prior.latent_dim = integer("latent_dim", latent_dim, low=2)
        return prior

    def forward(self, inputs: LatentShape) -> Independent:
        """``p(z)`` of batch shape ``()`` and event shape ``(N, D)`` for a graph, ``(B,)`` and ``(D,)`` for images."""
        anchor: Tensor = self.anchor  # type: ignore[assignment]
        uniform = HypersphericalUniform(self.latent_dim, (inputs.num_vectors,), anchor)
        return Independent(uniform, inputs.event_dim - 1, validate_args=False)


class FeaturePrior(nn.Module):
    """``p(z_i | x_i) = N(f(x_i), s²)`` with a network f of the node's own features and one learned s.

    The conditional VAE's idea on a graph: the KL divergence is charged only for what the features do not tell. The
    posterior is taken relative to it, ``q = N(f(x_i) + mu_i, (s sigma_i)²)`` with ``[mu, log sigma] = GCN(X, A)``, so
    that both start close together whatever s is.

    Args:
        hidden_dims: widths of the hidden layers of f (ReLU).
        dropout: rate at which inputs of every layer of f are dropped in training.

    Reference:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional Generative Models (2015),
        equation 4, with the features as the condition and the graph as the output.
    """

    conditional = True
    analytic_kl = True
    support = "real"

    def __init__(self, hidden_dims: Sequence[int] = (64,), dropout: float = 0.3) -> None:
        super().__init__()
        self.hidden_dims = tuple(integer("hidden_dims", width, low=1) for width in hidden_dims)
        self.dropout = number("dropout", dropout, low=0, high=0.99)
        self.layers = nn.ModuleList()
        self.log_scale: nn.Parameter | None = None

    def settings(self) -> dict[str, Any]:
        """The arguments this prior can be built from again."""
        return {"hidden_dims": list(self.hidden_dims), "dropout": self.dropout}

    def build(self, *, num_features: int, latent_dim: int) -> FeaturePrior:
        """A fresh prior for F features and latent dimension D.

        Raises:
            InputError: for a graph without features.
        """
        if num_features == 0:
            raise InputError('prior="features": the graph has no features to condition on; expected prior="mixture"')
        prior = FeaturePrior(self.hidden_dims, self.dropout)
        widths = [num_features, *self.hidden_dims, latent_dim]
        prior.layers.extend(SparseLinear(i, o, bias=True) for i, o in pairwise(widths))
        # Narrow at first: noise as wide as the untrained f's outputs drowns what it has to say about the edges.
        prior.log_scale = nn.Parameter(torch.tensor(-2.0))
        return prior

    def forward(self, inputs: GraphInputs) -> Independent:
        """``p(Z | X)`` of batch shape ``()`` and event shape ``(N, D)``."""
        if inputs.x is None or self.log_scale is None:
            raise InputError("x is None: a prior conditional on features expects a graph with features")
        h: Any = inputs.x
        for index, layer in enumerate(self.layers):
            h = layer(dropout_features(h, self.dropout, self.training))
            h = h if index + 1 == len(self.layers) else h.relu()
        return diagonal_normal(h, self.log_scale.exp().expand(h.shape), event_dim=2)


class MixturePrior(nn.Module):
    """``p(z_i) = sum_k pi_k N(m_k, diag(s_k²))`` with learned weights, means and scales: groups of nodes.

    For graphs without features, where nothing else tells nodes apart beforehand. The divergence of a posterior from a
    mixture has no closed form, so bounds take ``log q(z) - log p(z)`` at the draws, without bias.

    Args:
        components: K.

    References:
        Dilokthanakul et al., Deep Unsupervised Clustering with Gaussian Mixture Variational Autoencoders (2016).
        Tomczak and Welling, VAE with a VampPrior (2018), section 2, on learning the prior.
    """

    conditional = False
    analytic_kl = False
    support = "real"

    def __init__(self, components: int = 10) -> None:
        super().__init__()
        self.components = integer("components", components, low=1)
        self.logits: nn.Parameter | None = None
        self.loc: nn.Parameter | None = None
        self.log_scale: nn.Parameter | None = None

    def settings(self) -> dict[str, Any]:
        """The arguments this prior can be built from again."""
        return {"components": self.components}

    def build(self, *, num_features: int, latent_dim: int) -> MixturePrior:
        """A fresh prior for latent dimension D, drawn from torch's current generator; all in all of variance 1."""
        prior = MixturePrior(self.components)
        half = math.sqrt(0.5) if self.components > 1 else 0.0
        prior.logits = nn.Parameter(torch.zeros(self.components))
        prior.loc = nn.Parameter(half * torch.randn(self.components, latent_dim))
        prior.log_scale = nn.Parameter(torch.full((self.components, latent_dim), math.log(1 - half**2) / 2))
        return prior

    def forward(self, inputs: LatentShape) -> VectorMixture:
        """``p(z)`` of batch shape ``()`` and event shape ``(N, D)`` for a graph, ``(B,)`` and ``(D,)`` for images.

        Raises:
            InputError: if this prior was not built.
        """
        if self.logits is None or self.loc is None or self.log_scale is None:
            raise InputError("prior: a mixture has weights of its own; expected MixturePrior(...).build(...)")
        log_scale = self.log_scale.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
        return VectorMixture(self.logits, self.loc, log_scale, inputs.num_vectors, inputs.event_dim)


PRIORS: dict[str, type[StandardNormalPrior | FeaturePrior | MixturePrior | SphericalUniformPrior]] = {
    "normal": StandardNormalPrior,
    "features": FeaturePrior,
    "mixture": MixturePrior,
    "uniform-sphere": SphericalUniformPrior,
}
