"""Non-edges: no edge among them, none twice, each as likely as any other, at every density."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphvae._check import InputError
from graphvae.data.negatives import pair_ranks, ranks_to_pairs, sample_non_edges


def every_pair(n):
    return torch.tensor(list(itertools.combinations(range(n), 2)), dtype=torch.int64).reshape(-1, 2).T


def test_ranks_number_all_pairs():
    for n in range(8):
        assert sorted(pair_ranks(every_pair(n)).tolist()) == list(range(n * (n - 1) // 2))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2 * 10**9), st.data())
def test_ranks_come_back_even_where_float64_is_too_coarse(v, data):
    u = data.draw(st.sampled_from([0, v - 1]) | st.integers(0, v - 1))
    pairs = torch.tensor([[u], [v]])
    assert int(pair_ranks(pairs)[0]) == v * (v - 1) // 2 + u
    assert torch.equal(ranks_to_pairs(pair_ranks(pairs)), pairs)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_draws_are_distinct_non_edges(data):
    n = data.draw(st.integers(0, 9))
    pairs = every_pair(n)
    is_edge = np.array(data.draw(st.lists(st.booleans(), min_size=pairs.shape[1], max_size=pairs.shape[1])), dtype=bool)
    edges = pairs[:, torch.from_numpy(is_edge)]
    absent = {tuple(pair) for pair in pairs[:, torch.from_numpy(~is_edge)].T.tolist()}
    count = data.draw(st.integers(0, len(absent)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    edges = edges[:, torch.from_numpy(rng.permutation(edges.shape[1]))]
    drawn = [tuple(pair) for pair in sample_non_edges(edges, n, count, rng).T.tolist()]
    assert len(set(drawn)) == len(drawn) == count
    assert set(drawn) <= absent
    if absent:
        again = sample_non_edges(edges, n, 50, rng, replace=True)
        assert again.shape == (2, 50)
        assert {tuple(pair) for pair in again.T.tolist()} <= absent


# 10 nodes, 45 pairs, 15 of them edges: 30 non-edges. 4 are drawn by distinct integers, 20 by a permutation.
@pytest.mark.parametrize(("count", "replace"), [(4, False), (20, False), (40, True)])
def test_draws_are_uniform(count, replace):
    rng = np.random.default_rng(7)
    edges = every_pair(10)[:, ::3]
    repeats = 6000 // count * 4
    drawn = torch.cat([sample_non_edges(edges, 10, count, rng, replace=replace) for _ in range(repeats)], dim=1)
    observed = np.bincount(pair_ranks(drawn), minlength=45)
    assert (observed[pair_ranks(edges)] == 0).all()
    absent = np.setdiff1d(np.arange(45), pair_ranks(edges))
    # Without replacement the counts vary less than a multinomial's: the statistic shrinks by (M - 1) / (M - count).
    shrink = 1 if replace else 29 / (30 - count)
    statistic = stats.chisquare(observed[absent]).statistic * shrink
    assert 0.001 < stats.chi2.sf(statistic, 29) < 0.999


@pytest.mark.parametrize("count", [2, 3])
def test_sets_and_orders_are_uniform(count):
    # 4 non-edges: all ordered choices of 2 or 3 of them are equally likely, not only each pair by itself.
    rng = np.random.default_rng(11)
    edges = every_pair(4)[:, :2]
    draws = [tuple(pair_ranks(sample_non_edges(edges, 4, count, rng)).tolist()) for _ in range(4000)]
    absent = np.setdiff1d(np.arange(6), pair_ranks(edges)).tolist()
    observed = [draws.count(choice) for choice in itertools.permutations(absent, count)]
    assert sum(observed) == 4000
    assert stats.chisquare(observed).pvalue > 0.001


def test_few_out_of_many_orders_are_uniform():
    # The branch that draws integers and refuses repeats: 2 of 10 non-edges.
    rng = np.random.default_rng(5)
    edges = every_pair(6)[:, :5]
    draws = [tuple(pair_ranks(sample_non_edges(edges, 6, 2, rng)).tolist()) for _ in range(9000)]
    absent = np.setdiff1d(np.arange(15), pair_ranks(edges)).tolist()
    observed = [draws.count(choice) for choice in itertools.permutations(absent, 2)]
    assert sum(observed) == 9000
    assert stats.chisquare(observed).pvalue > 0.001


def test_the_same_state_gives_the_same_pairs():
    edges = every_pair(30)[:, ::5]
    first, second = (sample_non_edges(edges, 30, 100, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, sample_non_edges(edges, 30, 100, np.random.default_rng(4)))


def test_all_non_edges_of_a_nearly_complete_graph():
    pairs = every_pair(200)
    assert sample_non_edges(pairs[:, 1:], 200, 1, np.random.default_rng(0)).tolist() == [[0], [1]]


def test_a_large_sparse_graph_needs_no_square():
    # 10 million nodes have 5e13 pairs.
    edges = torch.tensor([[0, 5], [1, 9_999_999]])
    drawn = sample_non_edges(edges, 10_000_000, 1000, np.random.default_rng(0))
    assert bool((drawn[0] < drawn[1]).all())
    assert int(drawn.max()) < 10_000_000
    assert len(np.unique(pair_ranks(drawn))) == 1000


@pytest.mark.parametrize(
    ("edges", "count", "replace", "named"),
    [
        (every_pair(4)[:, :2], 5, False, "count=5: the graph of 4 nodes has only 4 pairs that are no edges"),
        (every_pair(4), 1, True, "count=1: the graph of 4 nodes has only 0 pairs that are no edges"),
        (every_pair(4), -1, False, "count=-1"),
        (every_pair(4), 1.0, False, "count=1.0: expected an integer"),
    ],
)
def test_refusals(edges, count, replace, named):
    with pytest.raises(InputError, match=named):
        sample_non_edges(edges, 4, count, np.random.default_rng(0), replace=replace)


def test_only_pairs_with_a_high_row_are_drawn_if_that_is_asked_for():
    pairs = torch.tensor([[0, 1, 2, 0], [1, 3, 4, 4]])
    found = sample_non_edges(pairs, 5, 4, np.random.default_rng(0), first=3)
    # Of rows 3 and 4: seven pairs, of which three are edges.
    assert {tuple(pair) for pair in found.T.tolist()} <= {(0, 3), (2, 3), (1, 4), (3, 4)}
    assert found.shape == (2, 4)
    with pytest.raises(InputError, match="only 4 pairs"):
        sample_non_edges(pairs, 5, 5, np.random.default_rng(0), first=3)
