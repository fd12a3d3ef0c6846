"""Decoders whose logit is no inner product: bilinear, distance, a network on z_i * z_j, Bernoulli-Poisson.

Each is built from settings and maps ``z`` to :class:`~graphvae.variational.scored_pairs.ScoredPairs`; the module is
its own score, symmetric in the two positions. All have an intercept, started at the logit of the graph's density where
the objective is a likelihood, and at an even chance where edges meet as many non-edges.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphvae._check import integer, number
from graphvae.nn.layers import fast_dropout
from graphvae.variational.scored_pairs import ScoredPairs

__all__ = ["BernoulliPoissonDecoder", "BilinearDecoder", "DistanceDecoder", "MLPDecoder", "first_intercept"]


def first_intercept(likelihood_based: bool, density: float) -> float:
    """Where an intercept starts: the logit of the density for a likelihood, 0 for balanced pairs."""
    density = min(max(density, 1e-9), 1 - 1e-9)
    return math.log(density) - math.log1p(-density) if likelihood_based else 0.0


@dataclass(frozen=True)
class MLPDecoder:
    """``logit = w2 . dropout(relu(W1 (z_i * z_j) + b1)) + b2``: a network on the elementwise product.

    Args:
        width: of the hidden layer.
        dropout: rate at which hidden units are dropped in training.
    """

    width: int = 64
    dropout: float = 0.5

    inner_product = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", integer("width", self.width, low=1))
        object.__setattr__(self, "dropout", number("dropout", self.dropout, low=0, high=0.99))

    def settings(self) -> dict[str, Any]:
        """The arguments this decoder can be built from again."""
        return asdict(self)

    def build(self, *, latent_dim: int, likelihood_based: bool, density: float) -> nn.Module:
        """A fresh decoder for latent dimension D."""
        return _MLPScore(latent_dim, self.width, self.dropout, first_intercept(likelihood_based, density))


@dataclass(frozen=True)
class BilinearDecoder:
    """``logit = z_i' W z_j + b`` with a symmetric ``W``, started at ``initial_scale`` times the identity.

    Args:
        initial_scale: where the diagonal of ``W`` starts.
    """

    initial_scale: float = 1.0

    inner_product = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "initial_scale", number("initial_scale", self.initial_scale))

    def settings(self) -> dict[str, Any]:
        """The arguments this decoder can be built from again."""
        return asdict(self)

    def build(self, *, latent_dim: int, likelihood_based: bool, density: float) -> nn.Module:
        """A fresh decoder for latent dimension D."""
        return _BilinearScore(latent_dim, self.initial_scale, first_intercept(likelihood_based, density))


@dataclass(frozen=True)
class DistanceDecoder:
    """``logit = b - scale |z_i - z_j|²`` with a positive scale: a latent space model.

    Args:
        initial_scale: where the scale starts.

    Reference:
        Hoff, Raftery and Handcock, Latent Space Approaches to Social Network Analysis (2002), with squared distances.
    """

    initial_scale: float = 1.0

    inner_product = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "initial_scale", number("initial_scale", self.initial_scale, low=0, open_low=True))

    def settings(self) -> dict[str, Any]:
        """The arguments this decoder can be built from again."""
        return asdict(self)

    def build(self, *, latent_dim: int, likelihood_based: bool, density: float) -> nn.Module:
        """A fresh decoder for latent dimension D."""
        # Two draws from the prior are sqrt(2 D) apart: the intercept makes up for it.
        middle = 2 * latent_dim * self.initial_scale
        return _DistanceScore(self.initial_scale, middle + first_intercept(likelihood_based, density))


@dataclass(frozen=True)
class BernoulliPoissonDecoder:
    """``p(A_ij = 1 | Z) = 1 - exp(-rate_ij)``, ``rate_ij = a_i . a_j + e^b``, ``a = scale softplus(z)``.

    An edge is there if any of D Poisson counts is not zero, so every dimension is a community that adds to the chance
    of a link; softplus makes the rates positive, and ``e^b`` is the rate of a link between strangers.

    Args:
        initial_scale: where the scale starts; None for the one at which two prior draws meet at the intercept's odds.

    Reference:
        Todeschini, Miscouridou and Caron, Exchangeable Random Measures for Sparse and Modular Graphs (2020); as a
        decoder: Shchur and Günnemann, Overlapping Community Detection with Graph Neural Networks (2019), equation 2.
    """

    initial_scale: float | None = None

    inner_product = False

    def __post_init__(self) -> None:
        if self.initial_scale is not None:
            object.__setattr__(self, "initial_scale", number("initial_scale", self.initial_scale, low=0, open_low=True))

    def settings(self) -> dict[str, Any]:
        """The arguments this decoder can be built from again."""
        return asdict(self)

    def build(self, *, latent_dim: int, likelihood_based: bool, density: float) -> nn.Module:
        """A fresh decoder for latent dimension D."""
        rate = math.log1p(math.exp(first_intercept(likelihood_based, density)))
        # E[softplus(z)]² of a standard normal z is 0.65.
        scale = math.sqrt(rate / (0.65 * latent_dim)) if self.initial_scale is None else self.initial_scale
        return _PoissonScore(scale, math.log(rate) - 2)


class _MLPScore(nn.Module):
    def __init__(self, latent_dim: int, width: int, dropout: float, intercept: float) -> None:
        super().__init__()
        self.hidden, self.out, self.dropout = nn.Linear(latent_dim, width), nn.Linear(width, 1), dropout
        nn.init.constant_(self.out.bias, intercept)

    def forward(self, z: Tensor) -> ScoredPairs:
        # A tile holds as many hidden units as one of inner products holds logits, times a few.
        return ScoredPairs(z, self, block=max(32, int(math.sqrt((1 << 22) // self.hidden.out_features))))

    def of_pairs(self, u: Tensor, v: Tensor) -> Tensor:
        return self._out(self.hidden(u * v)).squeeze(-1)

    def of_block(self, a: Tensor, b: Tensor) -> Tensor:
        # (a_i * b_j) W' = (a_i W) b_j: the products of pairs are never made, only the hidden units.
        weighted = a.unsqueeze(-2) * self.hidden.weight  # (*, R, H, D)
        hidden = weighted @ b.unsqueeze(-3).mT + self.hidden.bias[:, None]  # (*, R, H, C)
        hidden = fast_dropout(hidden.relu(), self.dropout, self.training)
        return (self.out.weight @ hidden).squeeze(-2) + self.out.bias

    def _out(self, hidden: Tensor) -> Tensor:
        return self.out(fast_dropout(hidden.relu(), self.dropout, self.training))


class _BilinearScore(nn.Module):
    def __init__(self, latent_dim: int, scale: float, intercept: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(scale * torch.eye(latent_dim))
        self.intercept = nn.Parameter(torch.tensor(intercept))

    def forward(self, z: Tensor) -> ScoredPairs:
        return ScoredPairs(z, self)

    def of_pairs(self, u: Tensor, v: Tensor) -> Tensor:
        return (u @ self._symmetric() * v).sum(-1) + self.intercept

    def of_block(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ self._symmetric() @ b.mT + self.intercept

    def _symmetric(self) -> Tensor:
        return (self.weight + self.weight.T) / 2


class _DistanceScore(nn.Module):
    def __init__(self, scale: float, intercept: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.intercept = nn.Parameter(torch.tensor(intercept))

    def forward(self, z: Tensor) -> ScoredPairs:
        return ScoredPairs(z, self)

    def of_pairs(self, u: Tensor, v: Tensor) -> Tensor:
        return self.intercept - self.log_scale.exp() * (u - v).square().sum(-1)

    def of_block(self, a: Tensor, b: Tensor) -> Tensor:
        squares = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :] - 2 * a @ b.mT
        return self.intercept - self.log_scale.exp() * squares


class _PoissonScore(nn.Module):
    def __init__(self, scale: float, intercept: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.intercept = nn.Parameter(torch.tensor(intercept))

    def forward(self, z: Tensor) -> ScoredPairs:
        return ScoredPairs(z, self)

    def of_pairs(self, u: Tensor, v: Tensor) -> Tensor:
        return _logit((self._rates(u) * self._rates(v)).sum(-1) + self.intercept.exp())

    def of_block(self, a: Tensor, b: Tensor) -> Tensor:
        return _logit(self._rates(a) @ self._rates(b).mT + self.intercept.exp())

    def _rates(self, z: Tensor) -> Tensor:
        return self.log_scale.exp() * nn.functional.softplus(z)


def _logit(rate: Tensor) -> Tensor:
    """``log(e^r - 1)``, the logit of ``1 - e^-r``, without overflow."""
    return rate + torch.log(-torch.expm1(-rate))
