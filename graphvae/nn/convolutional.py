"""Convolutional networks for images: strided convolutions down to a vector, and their mirror image up again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from graphvae._check import InputError, integer, one_of
from graphvae.nn.dense import ACTIVATIONS, broadcast, perceptron

__all__ = ["ConvNetwork"]


@dataclass(frozen=True)
class ConvNetwork:
    """3 x 3 convolutions that halve the image at each layer, then dense layers; the decoder is the mirror image.

    The condition stands beside the image as channels of constants, and beside the latent vector as it is.

    Args:
        channels: of each convolution; an image of height and width n leaves ``ceil(n / 2)`` at each.
        activation: between layers, one of :data:`graphvae.nn.dense.ACTIVATIONS`.
    """

    channels: Sequence[int] = (32, 64)
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not isinstance(self.channels, (tuple, list)) or not self.channels:
            raise InputError(f"channels={self.channels!r}: expected a sequence of widths, such as (32, 64)")
        object.__setattr__(self, "channels", tuple(integer("channels", width, low=1) for width in self.channels))
        one_of("activation", self.activation, ACTIVATIONS)

    def settings(self) -> dict[str, Any]:
        """Channels and activation."""
        return {"channels": list(self.channels), "activation": self.activation}

    def encoder(self, shape: Sequence[int], hidden_dims: Sequence[int], num_classes: int, width: int) -> nn.Module:
        """Convolutions of images ``(C, H, W)``, then ``hidden_dims``.

        Raises:
            InputError: for vectors, which have no neighbouring pixels.
        """
        channels, *sizes = self._image(shape)
        layers: list[nn.Module] = []
        for i, o in pairwise([channels + num_classes, *self.channels]):
            layers += [nn.Conv2d(i, o, 3, stride=2, padding=1), ACTIVATIONS[self.activation]()]
        flat = self.channels[-1] * math.prod(self._sizes(sizes)[-1])
        return _Encoder(shape, nn.Sequential(*layers), perceptron([flat, *hidden_dims, width], self.activation))

    def decoder(self, latent_dim: int, hidden_dims: Sequence[int], num_classes: int, shape: Sequence[int]) -> nn.Module:
        """``hidden_dims`` in reverse, then transposed convolutions up to ``(C, H, W)``.

        Raises:
            InputError: as :meth:`encoder`.
        """
        channels, *sizes = self._image(shape)
        steps = self._sizes(sizes)
        start = (self.channels[-1], *steps[-1])
        dense = perceptron([latent_dim + num_classes, *reversed(hidden_dims), math.prod(start)], self.activation)
        layers: list[nn.Module] = [ACTIVATIONS[self.activation]()]
        for (i, o), small, large in zip(
            pairwise([*reversed(self.channels), channels]), steps[:0:-1], steps[-2::-1], strict=True
        ):
            # A transposed convolution of n pixels gives 2 n - 1, and one more where the encoder rounded down.
            rest = (large[0] - (2 * small[0] - 1), large[1] - (2 * small[1] - 1))
            layers += [nn.ConvTranspose2d(i, o, 3, 2, 1, output_padding=rest), ACTIVATIONS[self.activation]()]
        return _Decoder(start, dense, nn.Sequential(*layers[:-1]))

    def _sizes(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """Heights and widths from the image to the innermost layer."""
        sizes = [tuple(size)]
        for _ in self.channels:
            sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
        return sizes

    @staticmethod
    def _image(shape: Sequence[int]) -> Sequence[int]:
        if len(shape) != 3:
            raise InputError(f"network='conv': X holds vectors of {shape[0]} values; expected images (N, C, H, W)")
        return shape


class _Encoder(nn.Module):
    def __init__(self, shape: Sequence[int], convolutions: nn.Module, dense: nn.Module) -> None:
        super().__init__()
        self.shape, self.convolutions, self.dense = tuple(shape), convolutions, dense

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x, condition = broadcast(x, condition)
        image = x.reshape(-1, *self.shape)
        if condition is not None:
            constants = condition.reshape(len(image), -1, 1, 1).expand(-1, -1, *self.shape[1:])
            image = torch.cat([image, constants], 1)
        return self.dense(self.convolutions(image).flatten(1)).reshape(*x.shape[:-1], -1)


class _Decoder(nn.Module):
    def __init__(self, start: Sequence[int], dense: nn.Module, convolutions: nn.Module) -> None:
        super().__init__()
        self.start, self.dense, self.convolutions = tuple(start), dense, convolutions

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        h = self.dense(z, condition)
        return self.convolutions(h.reshape(-1, *self.start)).reshape(*h.shape[:-1], -1)
