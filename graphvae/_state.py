"""Imports that leave the caller's random numbers alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["random_state_kept"]


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Python's random state after the block is that before it: importing rich, or scikit-learn through it, draws."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
