"""Ranks against brute force: every candidate compared in a loop, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.evaluation import ranking
from graphvae.evaluation.ranking import HITS, Ranks, both_ways, rank_against, rank_all, rank_candidates, rank_nodes
from graphvae.evaluation.score_rows import KnownPairs


def brute(own: float, others: list[float]) -> tuple[int, int]:
    """Positions of ``own`` in the sorted list, before and behind its equals."""
    order = sorted(others, reverse=True)
    first = next((i for i, s in enumerate(order) if s <= own), len(order))
    last = next((i for i, s in enumerate(order) if s < own), len(order))
    return first + 1, last + 1


def graphs(draw, n: int = 9):
    """Symmetric or not, scores with many ties; a graph; queries that may or may not be edges of it."""
    scores = np.array(draw(st.lists(st.integers(-2, 2), min_size=n * n, max_size=n * n)), dtype=np.float32)
    pairs = [(u, v) for u in range(n) for v in range(u)]
    known = draw(st.lists(st.sampled_from(pairs), max_size=30))
    queries = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=12))
    return scores.reshape(n, n), known, queries


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_ranks_among_all_nodes_are_those_of_a_loop(data) -> None:
    scores, known, queries = data.draw(st.composite(graphs)())
    edges = {frozenset(pair) for pair in known}
    arcs = both_ways(np.array(queries).T)
    filtered = KnownPairs.build(np.array(known, dtype=np.int64).reshape(-1, 2).T, 9)
    found = rank_all(lambda rows: scores[rows], arcs, filtered)
    for q, (u, v) in enumerate(arcs.T.tolist()):
        others = [w for w in range(9) if w not in (u, v) and frozenset((u, w)) not in edges]
        assert (found.optimistic[q], found.pessimistic[q]) == brute(scores[u, v], [scores[u, w] for w in others])
        assert found.candidates[q] == len(others)


def test_blocks_of_any_size_and_tensors_give_the_same_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(-2, 3, (40, 3)).astype(np.float32)
    edges = np.unique(np.sort(rng.integers(0, 40, (2, 120)), axis=0), axis=1)
    edges = edges[:, edges[0] != edges[1]]
    known, queries = KnownPairs.build(edges, 40), both_ways(edges[:, ::3])
    asked: list[int] = []

    def source(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return z[rows] @ z.T

    whole = rank_all(source, queries, known)
    assert sorted(asked) == np.unique(queries[0]).tolist()
    others = [rank_all(lambda rows: torch.from_numpy(z[rows] @ z.T), queries, known)]
    for budget in (1, 100, 500):
        monkeypatch.setattr(ranking, "BLOCK_SCORES", budget)
        others.append(rank_all(source, queries, known))
    # The path of blocks on a GPU, on the CPU's own tensors.
    monkeypatch.setattr(ranking, "score_block", lambda f, rows, n: torch.as_tensor(f(rows)))
    others.append(rank_all(source, queries, known))
    for other in others:
        for name in ("optimistic", "pessimistic", "candidates"):
            np.testing.assert_array_equal(getattr(other, name), getattr(whole, name))


values = st.lists(st.integers(-3, 3).map(float) | st.just(np.inf), min_size=1, max_size=15)


@given(values, values)
def test_ranks_among_shared_negatives_are_those_of_a_loop(positive: list[float], negative: list[float]) -> None:
    found = rank_against(positive, negative)
    assert list(zip(found.optimistic, found.pessimistic, strict=True)) == [brute(s, negative) for s in positive]
    assert found.candidates.tolist() == [len(negative)] * len(positive)
    own = rank_candidates(positive, np.tile(negative, (len(positive), 1)))
    np.testing.assert_array_equal(own.optimistic, found.optimistic)
    np.testing.assert_array_equal(own.pessimistic, found.pessimistic)


@pytest.mark.parametrize("budget", [1, 10_000])
def test_candidates_of_each_query_are_ranked_in_the_same_pass(monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
    monkeypatch.setattr(ranking, "BLOCK_SCORES", budget)
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (12, 12)).astype(float)
    queries = np.array([[5, 0, 5, 11], [1, 2, 3, 0]])
    candidates = rng.integers(-1, 12, (4, 6))
    known = KnownPairs.build([[5], [1]], 12)
    every, found = rank_nodes(lambda rows: scores[rows], queries, known, candidates)
    for q, (u, v) in enumerate(queries.T):
        others = [scores[u, w] for w in candidates[q] if w >= 0]
        assert (found.optimistic[q], found.pessimistic[q]) == brute(scores[u, v], others)
        assert found.candidates[q] == len(others)
    alone = rank_all(lambda rows: scores[rows], queries, known)
    np.testing.assert_array_equal(every.pessimistic, alone.pessimistic)
    for bad in (candidates[:2], candidates + 1.0, candidates + 10):
        with pytest.raises(InputError, match="candidates "):
            rank_nodes(lambda rows: scores[rows], queries, known, bad)


def test_missing_candidates_are_not_counted() -> None:
    found = rank_candidates([1.0, 1.0], [[2.0, 1.0, np.nan], [np.nan, np.nan, 0.0]])
    assert found.optimistic.tolist() == [2, 1]
    assert found.pessimistic.tolist() == [3, 1]
    assert found.candidates.tolist() == [2, 1]


def test_mrr_and_hits_by_kind_of_tie() -> None:
    found = Ranks(np.array([1, 2, 5]), np.array([1, 4, 5]), np.array([9, 9, 9]))
    assert found.ranks().tolist() == [1, 3, 5]
    assert found.mrr() == pytest.approx((1 + 1 / 3 + 1 / 5) / 3)
    assert found.mrr("optimistic") == pytest.approx((1 + 1 / 2 + 1 / 5) / 3)
    assert found.mrr("pessimistic") == pytest.approx((1 + 1 / 4 + 1 / 5) / 3)
    assert [found.hits(k) for k in (1, 2, 3, 5)] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1])
    assert found.hits(2, "optimistic") == pytest.approx(2 / 3)
    figures = found.figures()
    assert figures["hits@3"] == pytest.approx(2 / 3)
    assert figures["hits@10"] is None
    assert set(figures) == {"mrr", "mrr_optimistic", "mrr_pessimistic", *(f"hits@{k}" for k in HITS)}


def test_a_model_that_says_nothing_gains_nothing_by_ties() -> None:
    found = rank_against(np.zeros(50), np.zeros(100))
    assert found.mrr("optimistic") == 1.0
    assert found.mrr() == pytest.approx(1 / 51)
    assert found.hits(50) == 0.0


def test_hits_among_too_few_are_refused() -> None:
    found = rank_against([1.0], np.zeros(9))
    assert found.hits(9) == 1.0
    with pytest.raises(InputError, match="k=10: a query has 9 candidates"):
        found.hits(10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rank_against([], [1.0]), "positive_scores is empty"),
        (lambda: rank_against([1.0], [np.nan]), "negative_scores contains NaN"),
        (lambda: rank_candidates([1.0], [1.0]), r"candidate_scores has shape \(1,\): expected \(1, K\)"),
        (lambda: rank_against([1.0], [1.0]).hits(0), "k=0"),
        (lambda: rank_against([1.0], [1.0]).mrr("lucky"), "ties='lucky'"),
        (lambda: rank_all(lambda rows: np.zeros((1, 3)), [[1], [1]], KnownPairs.build([[0], [1]], 3)), r"\(1, 1\)"),
        (lambda: rank_all(lambda rows: np.zeros((1, 3)), [[1], [3]], KnownPairs.build([[0], [1]], 3)), "contains 3"),
        (lambda: Ranks(*[np.zeros(0, int)] * 3).mrr(), "expected at least one query"),
        (lambda: Ranks(*[np.zeros(0, int)] * 3).hits(1), "expected at least one query"),
    ],
)
def test_refusals(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
