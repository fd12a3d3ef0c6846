"""Scores of some nodes with all nodes, a block of rows at a time, and the pairs to leave out of a ranking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from graphvae._check import InputError, integer

__all__ = ["BLOCK_SCORES", "KnownPairs", "ScoreRows", "check_rows", "score_block"]

ScoreRows = Callable[[np.ndarray], Any]
"""From rows ``(B,)`` to their scores with every node ``(B, N)``: a numpy array or a tensor, higher is more likely.

Inner products, any decoder and every baseline are ranked through this one door; a model of z is
``lambda rows: z[rows] @ z.T``.
"""

BLOCK_SCORES = 4_000_000
"""Scores held at a time: 16 MB in float32."""


@dataclass(frozen=True, eq=False)
class KnownPairs:
    """Pairs of an undirected graph by node, in compressed rows: what a filtered ranking leaves out.

    Attributes:
        pointers: ``(N + 1,)`` int64; the partners of node i are ``columns[pointers[i] : pointers[i + 1]]``.
        columns: int64, sorted in each row, without repeats and without the node itself.
    """

    pointers: np.ndarray
    columns: np.ndarray

    @classmethod
    def build(cls, pairs: Any, num_nodes: int) -> KnownPairs:
        """From pairs ``(2, E)`` in any order, in one direction or both, repeated or not.

        Raises:
            InputError: if ``pairs`` is not (2, E) integers in 0..N-1.
        """
        n = integer("num_nodes", num_nodes, low=0)
        u, v = check_rows("pairs", pairs, n)
        keys = np.unique(np.concatenate([u * max(n, 1) + v, v * max(n, 1) + u])[np.concatenate([u != v, u != v])])
        counts = np.bincount(keys // max(n, 1), minlength=n)
        return cls(np.concatenate([[0], np.cumsum(counts)]), keys % max(n, 1))

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.pointers.size - 1

    @property
    def degrees(self) -> np.ndarray:
        """``(N,)`` numbers of partners."""
        return np.diff(self.pointers)

    def expand(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The partners of ``rows`` ``(B,)`` one after the other, and for each the index into ``rows`` it belongs to."""
        counts = self.degrees[rows]
        index = np.repeat(np.arange(rows.size), counts)
        within = np.arange(index.size) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.columns[self.pointers[rows][index] + within], index


def score_block(score_rows: ScoreRows, rows: np.ndarray, num_nodes: int) -> Any:
    """The block of scores ``(B, N)`` of ``rows``, checked: a numpy array, or a tensor where it is on a GPU.

    Raises:
        InputError: for another shape, and for NaN, which would rank below everything and flatter.
    """
    block = score_rows(rows)
    if not isinstance(block, torch.Tensor):
        block = np.asarray(block)
    elif block.device.type == "cpu":
        block = block.detach().numpy()
    if tuple(block.shape) != (rows.size, num_nodes):
        raise InputError(f"score_rows returned shape {tuple(block.shape)}: expected {(rows.size, num_nodes)}")
    if block.size if isinstance(block, np.ndarray) else block.numel():
        smallest = float(block.min())  # the minimum passes NaN on
        if smallest != smallest:
            raise InputError("score_rows returned NaN: expected numbers")
    return block


def check_rows(name: str, value: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """``value`` as two int64 vectors of rows below n; ``name`` is used in errors."""
    pairs = np.asarray(value)
    if pairs.ndim != 2 or pairs.shape[0] != 2:
        raise InputError(f"{name} has shape {pairs.shape}: expected (2, M)")
    if pairs.size and pairs.dtype.kind not in "iu":
        raise InputError(f"{name} is of type {pairs.dtype}: expected integers")
    pairs = pairs.astype(np.int64)
    if pairs.size and (pairs.min() < 0 or pairs.max() >= n):
        bad = pairs.min() if pairs.min() < 0 else pairs.max()
        raise InputError(f"{name} contains {bad}: expected rows from 0 to {n - 1}")
    return pairs[0], pairs[1]
