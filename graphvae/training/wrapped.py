"""``Wrapped``: an objective around another one; whatever it does not say itself is the other's."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.edges import EdgeSet
from graphvae.training.masked import MaskedEdges

__all__ = ["Wrapped"]


class Wrapped(ABC):
    """What objectives around a ``base`` share; concrete ones are frozen dataclasses of settings.

    Attributes:
        base: an objective, or until :func:`graphvae.training.objectives.objective_named` has seen it the name of one
            (with a path: ``"kipf:exact"``) or the settings of a ``MaskedEdges``.
    """

    name: str
    base: Any
    paths = ()
    path = None

    def check_base(self) -> None:
        """Refuse a base of the own kind; a ``MaskedEdges`` read from JSON becomes one."""
        if isinstance(self.base, Mapping):
            settings = {name: value for name, value in self.base.items() if name != "name"}
            object.__setattr__(self, "base", MaskedEdges(**settings))
        if isinstance(self.base, type(self)) or str(self.base).partition(":")[0] == self.name:
            raise InputError(f"base={self.name!r}: expected another objective")

    def stored_base(self) -> Any:
        """The base as JSON has it."""
        return self.base if isinstance(self.base, str) else {"name": self.base.name, **self.base.settings()}

    @property
    def likelihood_based(self) -> bool:
        """Whether the base trains a likelihood, which decides where a decoder starts."""
        return self.base.likelihood_based

    @property
    def importance_weighted(self) -> bool:
        """Whether the base weighs its draws."""
        return self.base.importance_weighted

    @property
    def free_bits(self) -> float:
        """Nats for each latent unit that the base does not charge."""
        return self.base.free_bits

    def choose_path(self, *sizes: Any, **options: Any) -> str:
        """The base's."""
        return self.base.choose_path(*sizes, **options)

    def companion(self, path: str, edges: EdgeSet) -> Any:
        """The base's."""
        return self.base.companion(path, edges)

    def view(self, inputs: Any, edges: EdgeSet) -> tuple[Any, Any]:
        """The base's."""
        return self.base.view(inputs, edges)

    def reconstruct(self, likelihood: Any, *companion: Any) -> Any:
        """The base's."""
        return self.base.reconstruct(likelihood, *companion)

    def loss(self, reconstruction: Tensor, kl: Tensor, num_nodes: int, beta: float = 1.0) -> Tensor:
        """``()`` the base's loss, from terms in nats."""
        return self.base.loss(reconstruction, kl, num_nodes, beta)
