"""The best unknown pairs against a sort of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.evaluation import top_k as module
from graphvae.evaluation.score_rows import KnownPairs
from graphvae.evaluation.top_k import top_k, top_k_pairs

N = 8
PAIRS = [(u, v) for u in range(N) for v in range(u + 1, N)]
scores_of = st.lists(st.integers(-2, 2).map(float) | st.just(-np.inf), min_size=N * N, max_size=N * N)


@settings(max_examples=60, deadline=None)
@given(scores_of, st.lists(st.sampled_from(PAIRS), max_size=25), st.integers(1, 12), st.sampled_from([1, 20, 1000]))
def test_equals_a_sort_of_all_pairs(values: list[float], known: list[tuple[int, int]], k: int, budget: int) -> None:
    scores = np.array(values).reshape(N, N)
    filtered = KnownPairs.build(np.array(known, dtype=np.int64).reshape(-1, 2).T, N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_SCORES", budget)
        partners, best = top_k(lambda rows: scores[rows], np.arange(N)[::-1], k, filtered)
        pairs, best_pairs = top_k_pairs(lambda rows: scores[rows], k, filtered)
    for i, u in enumerate(reversed(range(N))):
        left = [v for v in range(N) if v != u and (min(u, v), max(u, v)) not in known and scores[u, v] > -np.inf]
        expected = sorted(left, key=lambda v: (-scores[u, v], v))[: min(k, N - 1)]
        assert partners[i].tolist() == expected + [-1] * (partners.shape[1] - len(expected))
        assert best[i].tolist() == [scores[u, v] for v in expected] + [-np.inf] * (partners.shape[1] - len(expected))
    left_pairs = [pair for pair in PAIRS if pair not in known and scores[pair] > -np.inf]
    expected_pairs = sorted(left_pairs, key=lambda pair: (-scores[pair], pair))[:k]
    assert [tuple(pair) for pair in pairs.T.tolist()] == expected_pairs
    assert best_pairs.tolist() == [scores[pair] for pair in expected_pairs]


def test_the_source_keeps_its_scores_and_may_be_a_tensor() -> None:
    scores = torch.arange(16.0).reshape(4, 4)
    known = KnownPairs.build([[0], [3]], 4)
    partners, best = top_k(lambda rows: scores[: len(rows)], [0], 2, known)
    assert partners.tolist() == [[2, 1]]
    assert best.tolist() == [[2.0, 1.0]]
    top_k_pairs(lambda rows: scores, 3, known)
    assert bool((scores == torch.arange(16.0).reshape(4, 4)).all())
    assert top_k(lambda rows: np.zeros((len(rows), 4), dtype=int), [1], 1, known)[0].tolist() == [[0]]


@pytest.mark.parametrize(
    ("rows", "k", "message"),
    [([4], 1, "rows contains 4: expected rows from 0 to 3"), ([[0]], 1, "rows has shape"), ([0], 0, "k=0")],
)
def test_refusals(rows: object, k: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        top_k(lambda rows: np.zeros((len(rows), 4)), rows, k, KnownPairs.build([[0], [1]], 4))
