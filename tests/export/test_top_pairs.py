"""The best unknown pairs, against sorting all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae.export import top_pairs as module
from graphvae.export.top_pairs import KnownPairs, PairScores, top_pairs, top_partners


def scores_of(matrix: torch.Tensor, slack: float = 0.0, *, directed: bool = False, seed: int = 0) -> PairScores:
    """Exact scores from a table; those of blocks are off by up to ``slack``, at random."""
    generator = torch.Generator().manual_seed(seed)

    def block(rows, columns):
        values = matrix[rows][:, columns]
        return values + slack * (2 * torch.rand(values.shape, generator=generator, dtype=values.dtype) - 1), slack

    return PairScores(len(matrix), block, lambda pairs: matrix[pairs[0], pairs[1]], directed)


def unknown(matrix: torch.Tensor, pairs: torch.Tensor, directed: bool) -> torch.Tensor:
    allowed = ~torch.eye(len(matrix), dtype=torch.bool)
    allowed[pairs[0], pairs[1]] = False
    if not directed:
        allowed[pairs[1], pairs[0]] = False
    return allowed


def brute_partners(matrix, pairs, rows, k, directed):
    allowed = unknown(matrix, pairs, directed)
    return [
        [(v, float(matrix[u, v])) for v in sorted(np.flatnonzero(allowed[u]), key=lambda v: (-matrix[u, v], v))[:k]]
        for u in rows.tolist()
    ]


def brute_pairs(matrix, pairs, k, directed):
    allowed = unknown(matrix, pairs, directed)
    each = [(u, v) for u, v in allowed.nonzero().tolist() if directed or u < v]
    return sorted(each, key=lambda pair: (-float(matrix[pair]), *pair))[:k]


@st.composite
def problems(draw):
    n = draw(st.integers(1, 14))
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    # Few different scores, so that most of them are tied.
    matrix = torch.randint(0, draw(st.integers(1, 40)), (n, n), generator=generator).double() / 8
    directed = draw(st.booleans())
    matrix = matrix if directed else torch.maximum(matrix, matrix.T)
    pairs = torch.randint(0, n, (2, draw(st.integers(0, 2 * n))), generator=generator)
    return matrix, pairs, directed, draw(st.integers(1, 20)), draw(st.sampled_from([0.0, 0.3])), seed


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([1, 9, 30, 1 << 20]))
def test_it_is_what_sorting_gives(problem, block):
    matrix, pairs, directed, k, slack, seed = problem
    n = len(matrix)
    scores, known = scores_of(matrix, slack, directed=directed, seed=seed), KnownPairs(pairs, n, directed=directed)
    rows = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[: max(1, n // 2)]
    at, target, rank, values = top_partners(scores, rows, k, known, block=block)
    expected = brute_partners(matrix, pairs, rows, k, directed)
    assert list(zip(target.tolist(), values.tolist(), strict=True)) == [item for each in expected for item in each]
    assert at.tolist() == [i for i, each in enumerate(expected) for _ in each]
    assert rank.tolist() == [j + 1 for each in expected for j in range(len(each))]
    u, v, values = top_pairs(scores, k, known, block=block)
    best = brute_pairs(matrix, pairs, k, directed)
    assert list(zip(u.tolist(), v.tolist(), strict=True)) == best
    assert values.tolist() == [float(matrix[pair]) for pair in best]


def test_nobody_asked_about_and_nothing_unknown():
    matrix = torch.ones(3, 3)
    scores = scores_of(matrix)
    every = KnownPairs(torch.tensor([[0, 0, 1], [1, 2, 2]]), 3)
    assert [len(each) for each in top_partners(scores, torch.zeros(0, dtype=torch.int64), 2, every)] == [0] * 4
    assert [len(each) for each in top_partners(scores, torch.tensor([1, 2]), 2, every)] == [0] * 4
    assert [len(each) for each in top_pairs(scores, 2, every)] == [0] * 3


def test_the_time_is_told_once_after_a_few_blocks_and_the_listener_may_stop_the_search(monkeypatch):
    matrix = torch.rand(40, 40)
    scores, known = scores_of(matrix), KnownPairs(torch.zeros(2, 0, dtype=torch.int64), 40)
    clock = iter(range(100))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    told: list[float] = []
    top_partners(scores, torch.arange(40), 3, known, told.append, block=40)
    assert told == [(40 - module.WARM - module.TIMED) / module.TIMED]  # the clock went on by one
    top_partners(scores, torch.arange(5), 3, known, told.append, block=40)
    assert len(told) == 1

    def stop(seconds: float) -> None:
        raise RuntimeError("too long")

    with pytest.raises(RuntimeError, match="too long"):
        top_pairs(scores, 3, known, stop, block=9)
