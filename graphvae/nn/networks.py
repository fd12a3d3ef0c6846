"""The networks of images by name, and the one made of the user's own modules."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from graphvae._check import InputError
from graphvae.nn.convolutional import ConvNetwork
from graphvae.nn.dense import DenseNetwork, broadcast

__all__ = ["NETWORKS", "CustomNetwork"]


class CustomNetwork:
    """A user's own modules as the bodies of encoder and decoder; each fit trains copies, from the weights they have.

    A model conditional on classes calls both with a second argument, one-hot labels ``(B, K)``.

    Args:
        encoder: from a batch in the shape of the data, ``(B, D)`` or ``(B, C, H, W)``, to ``(B, ...)`` of any size; a
            linear layer from there to the parameters of the posterior is added.
        decoder: from latent vectors ``(B, latent_dim)`` to a batch in the shape of the data: means for a Gaussian,
            logits otherwise.

    Raises:
        InputError: for anything but modules.
    """

    def __init__(self, encoder: nn.Module | None = None, decoder: nn.Module | None = None) -> None:
        for name, module in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(module, nn.Module):
                raise InputError(f"CustomNetwork: {name} is {type(module).__name__}; expected a torch.nn.Module")
        self._encoder: Any = encoder
        self._decoder: Any = decoder

    def settings(self) -> dict[str, Any]:
        """None: modules are code, which a run folder does not hold; loading asks for them again."""
        return {}

    def encoder(self, shape: Sequence[int], hidden_dims: Sequence[int], num_classes: int, width: int) -> nn.Module:
        """A copy of the user's encoder and a linear layer; ``hidden_dims`` are not used.

        Raises:
            InputError: for a module that does not take data of this shape.
        """
        body = copy.deepcopy(self._encoder)
        found = _probe("encoder", body, torch.zeros(2, *shape), num_classes)
        return _Encoder(shape, body, nn.Linear(math.prod(found.shape[1:]), width))

    def decoder(self, latent_dim: int, hidden_dims: Sequence[int], num_classes: int, shape: Sequence[int]) -> nn.Module:
        """A copy of the user's decoder; ``hidden_dims`` are not used.

        Raises:
            InputError: for a module that does not put out data of this shape.
        """
        body = copy.deepcopy(self._decoder)
        found = _probe("decoder", body, torch.zeros(2, latent_dim), num_classes)
        if math.prod(found.shape[1:]) != math.prod(shape):
            raise InputError(
                f"CustomNetwork: decoder puts out {tuple(found.shape[1:])} for one datum; expected {tuple(shape)}"
            )
        return _Decoder(body)


NETWORKS: dict[str, type[DenseNetwork] | type[ConvNetwork] | type[CustomNetwork]] = {
    "dense": DenseNetwork,
    "conv": ConvNetwork,
    "custom": CustomNetwork,
}


class _Encoder(nn.Module):
    def __init__(self, shape: Sequence[int], body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.shape, self.body, self.head = tuple(shape), body, head

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x, condition = broadcast(x, condition)
        h = self.body(x.reshape(-1, *self.shape), *_rows(condition)).flatten(1)
        return self.head(h).reshape(*x.shape[:-1], -1)


class _Decoder(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        z, condition = broadcast(z, condition)
        return self.body(z.reshape(-1, z.shape[-1]), *_rows(condition)).reshape(*z.shape[:-1], -1)


def _rows(condition: Tensor | None) -> tuple[Tensor, ...]:
    """What the user's module is called with beside the batch."""
    return () if condition is None else (condition.reshape(-1, condition.shape[-1]),)


@torch.no_grad()
def _probe(name: str, module: nn.Module, x: Tensor, num_classes: int) -> Tensor:
    """What the module makes of two data; in evaluation mode, so that nothing in it changes."""
    mode = module.training
    given = (torch.zeros(2, num_classes),) if num_classes else ()
    try:
        found = module.cpu().eval()(x, *given)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        shapes = ", ".join(str(tuple(argument.shape)) for argument in (x, *given))
        raise InputError(f"CustomNetwork: {name} does not take {shapes}: {error}") from error
    finally:
        module.train(mode)
    if not isinstance(found, Tensor) or found.dim() < 2 or len(found) != 2:
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"CustomNetwork: {name} puts out {what} for a batch of 2; expected (2, ...)")
    return found
