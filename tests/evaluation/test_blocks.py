"""Blocks cover the items once, in order, within their budget."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphvae.evaluation.blocks import blocks


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 30))
def test_blocks_cover_all_items_within_the_budget(costs: list[int], budget: int) -> None:
    parts = list(blocks(np.array(costs, dtype=np.int64), budget))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(len(costs)))
    for part in parts:
        assert sum(costs[part]) <= budget or part.stop - part.start == 1
    for one, other in itertools.pairwise(parts):
        assert sum(costs[one.start : other.start + 1]) > budget
