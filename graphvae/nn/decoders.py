"""Decoders: networks that map latent vectors to the likelihood of a graph."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from graphvae._check import InputError, integer, number
from graphvae.nn.pair_scores import (
    BernoulliPoissonDecoder,
    BilinearDecoder,
    DistanceDecoder,
    MLPDecoder,
    first_intercept,
)
from graphvae.variational.likelihoods import PairwiseBernoulli

__all__ = ["DECODERS", "CosineDecoder", "InnerProductDecoder"]


class InnerProductDecoder(nn.Module):
    """``p(A_ij = 1 | Z) = sigmoid(scale z_i . z_j + bias)``, or with an intercept for each node as well.

    With ``intercepts`` the last coordinate of a latent vector is no position but the node's own tendency to have edges:
    ``logit = scale u_i . u_j + bias + spread (b_i + b_j)``, ``z_i = (u_i, b_i)``. So it has a posterior and a prior, is
    paid for in the bound like the rest, and a new node has one. As ``b + b' = ((b+1)(b'+1) - (b-1)(b'-1)) / 2`` this is
    an indefinite inner product, with the same fast sums.

    A true ELBO needs the intercept: without one the inner product calls about half of all pairs edges. ``None`` leaves
    the choice to the estimator, which turns both on for ``objective="elbo"`` and off otherwise, as in the paper.

    Args:
        scale: learn a positive factor of the inner product (started at ``initial_scale``), or fix it at 1.
        bias: learn an intercept (started at the logit of the graph's density), or fix it at 0.
        initial_scale: where the factor starts; small, so that the model starts near Erdős-Rényi.
        intercepts: whether the last latent coordinate is the node's intercept; its spread is learned, from
            ``initial_scale`` on.

    Reference:
        Krivitsky, Handcock, Raftery and Hoff, Representing Degree Distributions, Clustering, and Homophily in Social
        Networks with Latent Cluster Random Effects Models (2009), for intercepts as random effects.
    """

    inner_product = True

    def __init__(
        self,
        scale: bool | None = None,
        bias: bool | None = None,
        initial_scale: float = 0.1,
        intercepts: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("scale", scale), ("bias", bias)):
            if value is not None and not isinstance(value, bool):
                raise InputError(f"{name}={value!r}: expected True, False or None")
        self.scale, self.bias = scale, bias
        if not isinstance(intercepts, bool):
            raise InputError(f"intercepts={intercepts!r}: expected True or False")
        self.initial_scale = number("initial_scale", initial_scale, low=0, open_low=True)
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.initial_scale))) if scale else None
        self.log_spread = nn.Parameter(torch.tensor(math.log(self.initial_scale))) if intercepts else None
        self.intercept = nn.Parameter(torch.zeros(())) if bias else None

    def settings(self) -> dict[str, Any]:
        """The arguments this decoder can be built from again."""
        return {
            "scale": self.scale,
            "bias": self.bias,
            "initial_scale": self.initial_scale,
            "intercepts": self.log_spread is not None,
        }

    def build(self, *, likelihood_based: bool, density: float, latent_dim: int = 0) -> InnerProductDecoder:
        """A fresh decoder with open choices settled and the intercept at the logit of ``density``.

        Raises:
            InputError: for a latent dimension of 1 with ``intercepts``, which leaves none for positions.
        """
        if self.log_spread is not None:
            integer("latent_dim", latent_dim, low=2)
        decided = InnerProductDecoder(
            likelihood_based if self.scale is None else self.scale,
            likelihood_based if self.bias is None else self.bias,
            self.initial_scale,
            self.log_spread is not None,
        )
        if decided.intercept is not None:
            nn.init.constant_(decided.intercept, first_intercept(True, density))
        return decided

    def forward(self, z: Tensor) -> PairwiseBernoulli:
        """The likelihood of all pairs given ``z`` of shape ``(*batch, N, D)``."""
        if self.log_spread is None:
            return PairwiseBernoulli(z, None if self.log_scale is None else self.log_scale.exp(), self.intercept)
        u = z[..., :-1] if self.log_scale is None else (self.log_scale / 2).exp() * z[..., :-1]
        return _with_intercepts(u, self.log_spread.exp() * z[..., -1:], self.intercept)


class CosineDecoder(nn.Module):
    """``p(A_ij = 1 | Z) = sigmoid(scale cos(z_i, z_j) + bias)``, both learned: an inner product of unit vectors.

    Args:
        initial_scale: where the positive factor starts.
        intercepts: whether the last latent coordinate is the node's intercept, ``b_i + b_j`` in the logit, as in
            :class:`InnerProductDecoder`; the others are the vector of the cosine.
    """

    inner_product = True

    def __init__(self, initial_scale: float = 5.0, intercepts: bool = False) -> None:
        super().__init__()
        if not isinstance(intercepts, bool):
            raise InputError(f"intercepts={intercepts!r}: expected True or False")
        self.initial_scale = number("initial_scale", initial_scale, low=0, open_low=True)
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.initial_scale)))
        self.log_spread = nn.Parameter(torch.zeros(())) if intercepts else None
        self.intercept = nn.Parameter(torch.zeros(()))

    def settings(self) -> dict[str, Any]:
        """The arguments this decoder can be built from again."""
        return {"initial_scale": self.initial_scale, "intercepts": self.log_spread is not None}

    def build(self, *, likelihood_based: bool, density: float, latent_dim: int = 0) -> CosineDecoder:
        """A fresh decoder with the intercept at the logit of ``density``, or at an even chance.

        Raises:
            InputError: for a latent dimension of 1 with ``intercepts``, which leaves none for positions.
        """
        if self.log_spread is not None:
            integer("latent_dim", latent_dim, low=2)
        fresh = CosineDecoder(self.initial_scale, self.log_spread is not None)
        nn.init.constant_(fresh.intercept, first_intercept(likelihood_based, density))
        return fresh

    def forward(self, z: Tensor) -> PairwiseBernoulli:
        """The likelihood of all pairs given ``z`` of shape ``(*batch, N, D)``."""
        if self.log_spread is None:
            return PairwiseBernoulli(nn.functional.normalize(z, dim=-1), self.log_scale.exp(), self.intercept)
        u = (self.log_scale / 2).exp() * nn.functional.normalize(z[..., :-1], dim=-1)
        return _with_intercepts(u, self.log_spread.exp() * z[..., -1:], self.intercept)


def _with_intercepts(u: Tensor, b: Tensor, bias: Tensor | None) -> PairwiseBernoulli:
    """Logits ``u_i . u_j + b_i + b_j + bias`` as an indefinite inner product."""
    signature = torch.ones(u.shape[-1] + 2, dtype=u.dtype, device=u.device)
    signature[-1] = -1
    extended = torch.cat([u, (b + 1) * math.sqrt(0.5), (b - 1) * math.sqrt(0.5)], -1)
    return PairwiseBernoulli(extended, None, bias, signature=signature)


DECODERS: dict[str, Any] = {
    "inner_product": InnerProductDecoder,
    "cosine": CosineDecoder,
    "bilinear": BilinearDecoder,
    "distance": DistanceDecoder,
    "mlp": MLPDecoder,
    "bernoulli_poisson": BernoulliPoissonDecoder,
}
