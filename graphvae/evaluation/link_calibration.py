"""What every calibration of link logits shares: a rising function of the logits, for pairs of one density, as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from graphvae._check import InputError

__all__ = ["LinkCalibration"]

C = TypeVar("C", bound="LinkCalibration")


class LinkCalibration(ABC):
    """From logits to P(edge | a pair drawn uniformly from all pairs of a graph of ``density``); a frozen dataclass.

    Attributes:
        method: how it was fitted.
        density: share of all pairs that are edges, in (0, 1).
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    method: str
    density: float

    @abstractmethod
    def _at(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of logits that are numbers."""

    def probabilities(self, logits: Any) -> np.ndarray:
        """Probabilities in [0, 1], float64, of the shape of ``logits``; infinite ones have the limits.

        Raises:
            InputError: if ``logits`` contains NaN.
        """
        values = np.asarray(logits, dtype=np.float64)
        if bool(np.isnan(values).any()):
            raise InputError("logits contains NaN: expected numbers")
        return self._at(values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; :meth:`from_dict` reads them back exactly."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in own.items()}
        return {**plain, "method": self.method}

    @classmethod
    def from_dict(cls: type[C], stored: Mapping[str, Any]) -> C:
        """The calibration that :meth:`to_dict` wrote.

        Raises:
            InputError: if a field is missing, unknown or out of range.
        """
        own = {each.name for each in fields(cls)}
        expected = own | {"method"}
        if set(stored) != expected:
            raise InputError(f"calibration has fields {sorted(stored)}: expected {sorted(expected)}")
        return cls(**{name: stored[name] for name in own})
