"""Mixtures of Gaussians from which every latent vector is drawn on its own."""

from __future__ import annotations

import math

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Distribution

from graphvae.variational.distributions import sum_vectors

__all__ = ["VectorMixture"]


class VectorMixture(Distribution):
    """``p(z_1, ..., z_N) = prod_i sum_k pi_k N(z_i; m_k, diag(s_k²))``.

    It has no closed-form divergence from anything: take bounds with ``analytic=False``.

    Args:
        logits: ``(K,)`` of the weights pi, up to a constant.
        loc: ``(K, D)`` means of the components.
        log_scale: ``(K, D)`` logarithms of their standard deviations.
        num_vectors: N.
        event_dim: 2 if all vectors are one event (a graph), 1 if each is (images).
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type

    def __init__(self, logits: Tensor, loc: Tensor, log_scale: Tensor, num_vectors: int, event_dim: int) -> None:
        self.log_weight = logits.log_softmax(-1)
        self.loc, self.log_scale = loc, log_scale
        shape = Size((num_vectors, loc.shape[-1]))
        super().__init__(shape[: 2 - event_dim], shape[2 - event_dim :], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``(N, D)``, the same for every vector."""
        return (self.log_weight.exp() @ self.loc).expand(self.batch_shape + self.event_shape)

    @property
    def variance(self) -> Tensor:
        """``(N, D)``, the same for every vector."""
        weight = self.log_weight.exp()
        within, between = (2 * self.log_scale).exp(), (self.loc - weight @ self.loc).square()
        return (weight @ (within + between)).expand(self.batch_shape + self.event_shape)

    def sample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``(*sample_shape, *batch, *event)``; without a gradient, for the choice of a component has none."""
        with torch.no_grad():
            vectors = (self.batch_shape + self.event_shape)[:1]
            k = Categorical(logits=self.log_weight, validate_args=False).sample(Size(sample_shape) + vectors)
            loc, scale = self.loc[k], self.log_scale.exp()[k]
            return loc + scale * torch.randn_like(loc)

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)`` log-density in nats."""
        # |(z - m) / s|² as products of matrices, taken about the mean, where squares are small: no (N, K, D) array.
        precision = (-2 * self.log_scale).exp()
        centre = self.loc.mean(0)
        z, m = value - centre, self.loc - centre
        squares = z.square() @ precision.T - 2 * z @ (m * precision).T + (m.square() * precision).sum(-1)
        constant = self.log_weight - self.log_scale.sum(-1) - 0.5 * self.loc.shape[-1] * math.log(2 * math.pi)
        return sum_vectors(torch.logsumexp(constant - 0.5 * squares.clamp_min(0), -1), self)
