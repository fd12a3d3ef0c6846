"""What every estimator shares: its arguments, kept as given, readable, comparable and storable as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, TypeVar

from graphvae._check import InputError, resolve, suggest
from graphvae.nn.decoders import DECODERS
from graphvae.nn.encoders import ENCODERS
from graphvae.nn.networks import NETWORKS
from graphvae.nn.priors import PRIORS
from graphvae.nn.structure import Structure
from graphvae.training.adversary import Adversarial
from graphvae.training.free_bits import FreeBits
from graphvae.training.masked import MaskedEdges
from graphvae.training.selection import Selection
from graphvae.variational.observations import OBSERVATIONS
from graphvae.variational.posteriors import POSTERIORS

__all__ = ["Parameters", "component", "from_json", "to_json"]

P = TypeVar("P", bound="Parameters")

# Arguments that may be an object with settings of its own, or the name of the plain one.
COMPONENTS: dict[str, dict[str, Any]] = {
    "decoder": dict(DECODERS),
    "encoder": dict(ENCODERS),
    "likelihood": dict(OBSERVATIONS),
    "network": dict(NETWORKS),
    "objective": {"masked": MaskedEdges, "adversarial": Adversarial, "free-bits": FreeBits},
    "patience": {"selection": Selection},
    "posterior": {name: type(family) for name, family in POSTERIORS.items()},
    "prior": dict(PRIORS),
    "structure": {"walks": Structure},
}


class Parameters:
    """Mixin: the constructor's arguments are attributes of the same names, and nothing else is set by it."""

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments by name (``deep`` is accepted for scikit-learn's sake)."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self: P, **params: Any) -> P:
        """Change arguments before the next ``fit``.

        Raises:
            InputError: for a name the estimator does not have.
        """
        known = self._names()
        for name in params:
            if name not in known:
                kind = type(self).__name__
                raise InputError(f"{kind} has no argument {name!r}: expected one of {known}{suggest(name, known)}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def changed(self) -> dict[str, Any]:
        """The arguments that are not at their defaults."""
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        return {name: value for name, value in self.get_params().items() if not _same(value, defaults[name])}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.changed().items())})"


def component(name: str, value: Any) -> Any:
    """The object behind a component argument: an alias becomes the plain one of its registry.

    Raises:
        InputError: for an unknown alias, or an object that is not of the registry.
    """
    registry = COMPONENTS[name]
    if isinstance(value, str):
        return resolve(name, value, registry)()
    if type(value) not in registry.values():
        expected = ", ".join([*map(repr, registry), *(f"{cls.__name__}(...)" for cls in registry.values())])
        raise InputError(f"{name}={value!r}: expected one of {expected}")
    return value


def to_json(params: dict[str, Any]) -> dict[str, Any]:
    """Arguments as JSON-able values; components become their registry's name and settings."""
    out: dict[str, Any] = {}
    for name, value in params.items():
        if name in COMPONENTS and hasattr(value, "settings"):
            alias = next(key for key, cls in COMPONENTS[name].items() if type(value) is cls)
            out[name] = {"name": alias, **value.settings()}
        elif name == "device":
            out[name] = str(value)
        else:
            out[name] = _plain(value)
    return out


def from_json(stored: dict[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`to_json`."""
    params: dict[str, Any] = {}
    for name, value in stored.items():
        if name in COMPONENTS and isinstance(value, dict):
            settings = {key: item for key, item in value.items() if key != "name"}
            params[name] = resolve(name, value.get("name"), COMPONENTS[name])(**settings)
        else:
            params[name] = tuple(value) if isinstance(value, list) else value
    return params


def _plain(value: Any) -> Any:
    """A checked argument as JSON has it: numbers may be numpy's, and widths any sequence of them."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if value is None or isinstance(value, (str, int, float)):
        return value
    return [_plain(item) for item in value] if isinstance(value, Iterable) else float(value)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)
