"""Rows that name pairs of nodes, reduced to pairs that occur once."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from graphvae._check import InputError

__all__ = ["REDUCTIONS", "both_directions", "combine_pairs", "note"]

REDUCTIONS = ("error", "first", "sum", "mean", "max")


def combine_pairs(
    u: np.ndarray,
    v: np.ndarray,
    weight: np.ndarray | None,
    num_nodes: int,
    *,
    directed: bool,
    duplicates: str,
    describe: Callable[[int], str],
) -> tuple[np.ndarray, np.ndarray | None]:
    """Each pair once, with one weight: ``(2, P)`` sorted, ``u < v`` unless ``directed``, and ``(P,)`` or None.

    Args:
        u: ``(R,)`` int64 rows of one end.
        v: ``(R,)`` int64 rows of the other end; nowhere equal to ``u``.
        weight: ``(R,)`` weights, or None.
        num_nodes: N.
        directed: whether (u, v) and (v, u) are different pairs.
        duplicates: one of :data:`REDUCTIONS`; ``"error"`` lets rows of a pair agree, not contradict each other.
        describe: what a message calls row i.

    Raises:
        InputError: if ``duplicates="error"`` and two rows give one pair different weights.
    """
    if not directed:
        u, v = np.minimum(u, v), np.maximum(u, v)
    key = u * max(num_nodes, 1) + v
    # Stable, so that "first" is the first row and sums are taken in the order of the rows.
    order = np.argsort(key, kind="stable")
    key = key[order]
    is_first = np.ones(len(key), dtype=bool)
    is_first[1:] = key[1:] != key[:-1]
    starts = np.flatnonzero(is_first)
    pairs = np.stack([u, v])[:, order[starts]]
    if weight is None or len(starts) == 0:
        return pairs, weight
    weight = weight[order]
    first = weight[starts]
    if duplicates == "error":
        clash = np.flatnonzero(weight != first[np.cumsum(is_first) - 1])
        if len(clash):
            at = int(clash[0])
            one = int(order[starts[np.searchsorted(starts, at, side="right") - 1]])
            raise InputError(
                f"{describe(one)} and {describe(int(order[at]))} give one pair different weights: "
                f"duplicates= one of {', '.join(map(repr, REDUCTIONS[1:]))} settles it"
            )
        return pairs, first
    if duplicates == "sum":
        return pairs, np.add.reduceat(weight, starts)
    if duplicates == "mean":
        return pairs, np.add.reduceat(weight, starts) / np.diff(starts, append=len(weight))
    return pairs, np.maximum.reduceat(weight, starts) if duplicates == "max" else first


def both_directions(pairs: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """``(2, 2P)`` edges and ``(2P,)`` weights: every pair, then every pair reversed."""
    edges = np.concatenate([pairs, pairs[::-1]], axis=1)
    return edges, None if weight is None else np.concatenate([weight, weight])


def note(text: str) -> None:
    """What was done to somebody's data goes to stderr, so that stdout stays a result."""
    print(f"graphvae: {text}", file=sys.stderr)
