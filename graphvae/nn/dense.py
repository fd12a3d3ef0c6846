"""Dense networks for vectors and flattened images, with or without a class label as a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

__all__ = ["DenseDecoder", "DenseEncoder", "ImageInputs", "perceptron"]


@dataclass(frozen=True)
class ImageInputs:
    """A batch as tensors that networks take.

    Args:
        x: ``(B, D)`` vectors.
        condition: ``(B, K)`` one-hot labels, or None.
    """

    x: Tensor
    condition: Tensor | None = None

    @property
    def num_vectors(self) -> int:
        """B: each datum has a latent vector of its own."""
        return len(self.x)

    @property
    def event_dim(self) -> int:
        """1: each vector is an event, and the batch is as many data."""
        return 1


class DenseEncoder(nn.Module):
    """A multilayer perceptron that ends in the parameters of ``q(z | x, y)``.

    Args:
        in_features: D observed values.
        latent_dim: dimension of z.
        posterior: family of ``q``.
        hidden_dims: widths of the hidden layers (ReLU).
        num_classes: K, width of a condition; 0 for none.
    """

    def __init__(
        self, in_features: int, latent_dim: int, posterior: Any, hidden_dims: Sequence[int], num_classes: int = 0
    ) -> None:
        super().__init__()
        self.body = perceptron([in_features + num_classes, *hidden_dims, posterior.width(latent_dim)])
        self.posterior = posterior.build(latent_dim)

    def forward(self, inputs: ImageInputs, around: Distribution | None = None) -> Distribution:
        """``q(z | x, y)`` of batch shape ``(B,)`` and event shape ``(latent_dim,)``."""
        x = inputs.x if inputs.condition is None else torch.cat([inputs.x, inputs.condition], -1)
        return self.posterior(self.body(x), event_dim=1, around=around)


class DenseDecoder(nn.Module):
    """A multilayer perceptron that ends in the parameters of ``p(x | z, y)``.

    Args:
        latent_dim: dimension of z.
        out_features: D observed values.
        observation: family of ``p``.
        hidden_dims: widths of the hidden layers (ReLU).
        num_classes: K, width of a condition; 0 for none.
    """

    def __init__(
        self,
        latent_dim: int,
        out_features: int,
        observation: nn.Module,
        hidden_dims: Sequence[int],
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        self.body = perceptron([latent_dim + num_classes, *hidden_dims, out_features])
        self.observation = observation

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Distribution:
        """``p(x | z, y)`` for ``z`` of shape ``(*, B, latent_dim)`` and a condition ``(B, K)``."""
        if condition is not None:
            z = torch.cat([z, condition.expand(*z.shape[:-1], -1)], -1)
        return self.observation(self.body(z))


def perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them."""
    layers: list[nn.Module] = []
    for i, o in pairwise(widths):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
