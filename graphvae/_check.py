"""Validation at the door: every refusal names the argument, the value and what was expected."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

__all__ = ["InputError", "integer", "number", "one_of", "resolve", "suggest"]

T = TypeVar("T")


class InputError(ValueError):
    """An argument, a file or a data set that cannot be used as it is; the message says what would be accepted."""


def suggest(value: str, options: Iterable[str]) -> str:
    """``' (did you mean ...?)'`` for the closest of ``options``, or an empty string."""
    close = difflib.get_close_matches(value, list(options), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def one_of(name: str, value: Any, options: Iterable[str]) -> str:
    """``value`` if it is one of the strings ``options``; otherwise an :class:`InputError` that suggests the closest."""
    names = list(options)
    if not isinstance(value, str) or value not in names:
        hint = suggest(value, names) if isinstance(value, str) else ""
        raise InputError(f"{name}={value!r}: expected one of {', '.join(map(repr, names))}{hint}")
    return value


def resolve(name: str, value: Any, registry: Mapping[str, T]) -> T:
    """The member of ``registry`` called ``value``; otherwise an :class:`InputError` that suggests the closest."""
    return registry[one_of(name, value, registry)]


def integer(name: str, value: Any, *, low: int | None = None, high: int | None = None) -> int:
    """``value`` as an int within ``[low, high]``; booleans, floats and strings are refused."""
    try:
        if isinstance(value, bool):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise InputError(f"{name}={value!r}: expected an integer, got {type(value).__name__}") from None
    _bounds(name, result, low, high)
    return result


def number(
    name: str, value: Any, *, low: float | None = None, high: float | None = None, open_low: bool = False
) -> float:
    """``value`` as a finite float within ``[low, high]`` (``(low, high]`` if ``open_low``)."""
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        value = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}={value!r}: expected a number, got {type(value).__name__}") from None
    if not math.isfinite(value):
        raise InputError(f"{name}={value!r}: expected a finite number")
    if open_low and low is not None and value <= low:
        raise InputError(f"{name}={value!r}: expected a number greater than {low}")
    _bounds(name, value, low, high)
    return value


def _bounds(name: str, value: float, low: float | None, high: float | None) -> None:
    if (low is not None and value < low) or (high is not None and value > high):
        if low is not None and high is not None:
            expected = f"between {low} and {high}"
        else:
            expected = f"at least {low}" if low is not None else f"at most {high}"
        raise InputError(f"{name}={value!r}: expected a value {expected}")
