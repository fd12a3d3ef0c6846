"""``Adversarial``: an objective with a second player, who learns to tell posterior draws from prior draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from graphvae._check import InputError, integer, number
from graphvae.kernels.softplus import softplus
from graphvae.training.wrapped import Wrapped

__all__ = ["Adversarial", "Adversary", "Discriminator"]


@dataclass(frozen=True)
class Adversarial(Wrapped):
    """Another objective, and a discriminator that draws the latent vectors to the prior; no bound on ``log p(A)``.

    The encoder and a discriminator T play against each other on logits ``T(z)`` that z came from the prior:

        encoder:        base loss + weight * mean_{i} softplus(-T(z_i)),      z ~ q(Z | X, A)
        discriminator:  mean_{i} softplus(T(z_i)) + mean_{i} softplus(-T(z'_i)),      z' ~ p(Z)

    With a point posterior (GAE) this is ARGA, with a Gaussian one (VGAE) ARGVA. The discriminator belongs to the
    training run: it is no part of the model, and no run folder holds it.

    Args:
        base: the objective it is added to, by name (with a path: ``"kipf:exact"``) or as a ``MaskedEdges``.
        hidden_dims: widths of the discriminator's hidden layers (ReLU).
        learning_rate: of the discriminator's own Adam.
        weight: of the encoder's term.

    Reference:
        Pan et al., Adversarially Regularized Graph Autoencoder for Graph Embedding (2018), equations 6 to 8 and
        algorithm 1; the encoder here minimises the non-saturating cost of its authors' code.
    """

    base: Any = "kipf"
    hidden_dims: Sequence[int] = (16, 64)
    learning_rate: float = 0.001
    weight: float = 1.0

    name = "adversarial"
    is_bound = False
    description = "Another objective with a discriminator of latent vectors added; not a bound on log p(A)."

    def __post_init__(self) -> None:
        if isinstance(self.hidden_dims, (str, bytes)) or not isinstance(self.hidden_dims, Sequence):
            raise InputError(f"hidden_dims={self.hidden_dims!r}: expected a sequence of widths, such as (16, 64)")
        self.check_base()
        widths = tuple(integer("hidden_dims", width, low=1) for width in self.hidden_dims)
        object.__setattr__(self, "hidden_dims", widths)
        rate = number("learning_rate", self.learning_rate, low=0, open_low=True)
        object.__setattr__(self, "learning_rate", rate)
        object.__setattr__(self, "weight", number("weight", self.weight, low=0))

    def settings(self) -> dict[str, Any]:
        """The arguments this objective can be built from again."""
        rest = {"learning_rate": self.learning_rate, "weight": self.weight}
        return {"base": self.stored_base(), "hidden_dims": list(self.hidden_dims), **rest}


class Discriminator(nn.Module):
    """``T(z)``: a ReLU network from a latent vector to the logit that the prior drew it.

    Args:
        latent_dim: D.
        hidden_dims: widths of the hidden layers.
    """

    def __init__(self, latent_dim: int, hidden_dims: Sequence[int]) -> None:
        super().__init__()
        widths = [latent_dim, *hidden_dims, 1]
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))

    def forward(self, z: Tensor) -> Tensor:
        """``(*)`` logits of latent vectors ``(*, D)``."""
        *hidden, last = self.layers
        for layer in hidden:
            z = layer(z).relu()
        return last(z).squeeze(-1)


class Adversary:
    """The second player of one training run: its network, its rate, and what it saw last.

    Args:
        settings: of the game.
        latent_dim: D.
        device: where it plays.
    """

    def __init__(self, settings: Adversarial, latent_dim: int, device: torch.device) -> None:
        self.module: nn.Module = Discriminator(latent_dim, settings.hidden_dims).to(device)
        self.learning_rate, self.weight = settings.learning_rate, settings.weight
        self._seen: tuple[Tensor, Tensor] | None = None

    def fooling(self, z: Tensor, prior: Distribution) -> Tensor:
        """``()`` what the encoder pays for draws ``z`` ``(S, *batch, *event)`` that are told from the prior's."""
        self._seen = z.detach(), prior.sample(z.shape[:1])
        return softplus(-self.module(z)).mean()

    def loss(self) -> Tensor:
        """``()`` the discriminator's own cost of the draws that :meth:`fooling` last saw.

        Raises:
            InputError: before any.
        """
        if self._seen is None:
            raise InputError("loss: the adversary has seen no draws; expected fooling(z, prior) first")
        posterior, prior = (self.module(draws) for draws in self._seen)
        return softplus(posterior).mean() + softplus(-prior).mean()
