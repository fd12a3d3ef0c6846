"""Work in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["blocks"]


def blocks(costs: np.ndarray, budget: int) -> Iterator[slice]:
    """Consecutive slices of the items whose ``costs`` ``(M,)`` sum to at most ``budget``, each of at least one item."""
    total = np.cumsum(costs, dtype=np.int64)
    start = 0
    while start < total.size:
        spent = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, spent + budget, side="right")))
        yield slice(start, stop)
        start = stop
