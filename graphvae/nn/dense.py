"""Networks for vectors and images: the batch they take, the encoder and decoder around them, and the dense ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import linear

from graphvae._check import one_of

__all__ = [
    "ACTIVATIONS",
    "DenseNetwork",
    "ImageDecoder",
    "ImageEncoder",
    "ImageInputs",
    "Network",
    "Perceptron",
    "broadcast",
    "perceptron",
]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}


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


class Network(Protocol):
    """An architecture: what makes the bodies of encoder and decoder for data of a given shape.

    A body of an encoder maps ``(B, D)`` and a condition ``(B, K)`` or None to ``(B, width)``; that of a decoder maps
    ``(*, B, latent_dim)`` and a condition to ``(*, B, D)``. Leading dimensions of datum and condition are broadcast. D
    is the product of the shape, whatever the body makes of it inside.
    """

    def settings(self) -> dict[str, Any]:
        """The arguments this network can be built from again."""

    def encoder(self, shape: Sequence[int], hidden_dims: Sequence[int], num_classes: int, width: int) -> nn.Module:
        """A fresh body of an encoder of data of ``shape``, ``(D,)`` or ``(C, H, W)``."""

    def decoder(self, latent_dim: int, hidden_dims: Sequence[int], num_classes: int, shape: Sequence[int]) -> nn.Module:
        """A fresh body of a decoder; ``hidden_dims`` are the encoder's, in the same order."""


class ImageEncoder(nn.Module):
    """A body that ends in the parameters of ``q(z | x, y)``.

    Args:
        body: ``(x, condition) -> (B, posterior.width(latent_dim))``.
        posterior: family of ``q``, built for the latent dimension.
    """

    def __init__(self, body: nn.Module, posterior: Any) -> None:
        super().__init__()
        self.body, self.posterior = body, posterior

    def forward(self, inputs: ImageInputs, around: Distribution | None = None) -> Distribution:
        """``q(z | x, y)`` of batch shape ``(B,)`` and event shape ``(latent_dim,)``."""
        return self.posterior(self.body(inputs.x, inputs.condition), event_dim=1, around=around)


class ImageDecoder(nn.Module):
    """A body that ends in the parameters of ``p(x | z, y)``.

    Args:
        body: ``(z, condition) -> (*, B, D)``.
        observation: family of ``p``.
    """

    def __init__(self, body: nn.Module, observation: nn.Module) -> None:
        super().__init__()
        self.body, self.observation = body, observation

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Distribution:
        """``p(x | z, y)`` for ``z`` of shape ``(*, B, latent_dim)`` and a condition ``(B, K)``."""
        return self.observation(self.body(z, condition))


@dataclass(frozen=True)
class DenseNetwork:
    """Multilayer perceptrons; the condition stands beside the input.

    Args:
        activation: between layers, one of :data:`ACTIVATIONS`.
    """

    activation: str = "relu"

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ACTIVATIONS)

    def settings(self) -> dict[str, Any]:
        """The activation."""
        return {"activation": self.activation}

    def encoder(self, shape: Sequence[int], hidden_dims: Sequence[int], num_classes: int, width: int) -> nn.Module:
        """From D values, and K classes, over ``hidden_dims``."""
        return perceptron([math.prod(shape) + num_classes, *hidden_dims, width], self.activation)

    def decoder(self, latent_dim: int, hidden_dims: Sequence[int], num_classes: int, shape: Sequence[int]) -> nn.Module:
        """From the latent vector, and K classes, over ``hidden_dims`` in reverse."""
        return perceptron([latent_dim + num_classes, *reversed(hidden_dims), math.prod(shape)], self.activation)


class Perceptron(nn.Sequential):
    """Layers of :func:`perceptron`, which take a condition as more columns of their input."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """``(*, width)`` for ``x`` ``(*, D)`` and a condition ``(*, K)``, whose leading dimensions may be broadcast."""
        first: Any
        first, *others = self
        if condition is None:
            h = first(x)
        else:
            # Without copies of x beside each condition: rows that differ in the condition alone share the product.
            d = x.shape[-1]
            h = linear(x, first.weight[:, :d], first.bias) + linear(condition, first.weight[:, d:])
        for layer in others:
            h = layer(h)
        return h


def perceptron(widths: Sequence[int], activation: str = "relu") -> Perceptron:
    """Linear layers of these widths with an activation between them."""
    layers: list[nn.Module] = []
    for i, o in pairwise(widths):
        layers += [nn.Linear(i, o), ACTIVATIONS[activation]()]
    return Perceptron(*layers[:-1])


def broadcast(x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Datum ``(*, D)`` and condition ``(*, K)`` with the same leading dimensions."""
    if condition is None:
        return x, None
    lead = torch.broadcast_shapes(x.shape[:-1], condition.shape[:-1])
    return x.expand(*lead, -1), condition.expand(*lead, -1)
