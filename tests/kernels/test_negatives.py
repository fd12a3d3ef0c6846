"""Pairs drawn for training: what is drawn, that none is an edge, and that all others are equally likely."""

from __future__ import annotations

import pytest
import scipy.stats
import torch

from graphvae._check import InputError
from graphvae.kernels.negatives import edge_keys, sample_by_node, sample_negative_pairs, sample_pairs

N = 7
EDGES = torch.tensor([[0, 2, 0, 5], [6, 3, 1, 6]])


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        yield


def counts(pairs: torch.Tensor) -> torch.Tensor:
    return torch.bincount(pairs[0] * N + pairs[1], minlength=N * N).reshape(N, N)


def test_pairs_are_uniform_over_all():
    table = counts(sample_pairs(N, 42_000))
    assert int(table.tril().sum()) == 0
    drawn = table[torch.ones(N, N).triu(1) > 0]
    assert scipy.stats.chisquare(drawn).pvalue > 1e-3


@pytest.mark.parametrize("dense", [False, True])
def test_negatives_are_uniform_over_non_edges(dense):
    possible = torch.ones(N, N).triu(1) > 0
    possible[EDGES[0], EDGES[1]] = False
    edges = EDGES
    if dense:  # More edges than non-edges: a path of its own.
        edges = possible.nonzero().T
        possible = possible.logical_not().triu(1)
    table = counts(sample_negative_pairs(edge_keys(edges, N), N, 42_000))
    assert int(table[~possible].sum()) == 0
    assert scipy.stats.chisquare(table[possible]).pvalue > 1e-3


def test_keys_are_sorted_and_those_of_the_pairs():
    assert edge_keys(EDGES, N).tolist() == [1, 6, 17, 41]


def test_the_last_free_pair_of_half_a_million_is_found():
    n = 1000
    pairs = torch.triu_indices(n, n, 1)
    keep = torch.ones(pairs.shape[1], dtype=torch.bool)
    keep[123_456] = False
    free = sample_negative_pairs(edge_keys(pairs[:, keep], n), n, 50)
    assert torch.equal(free, pairs[:, [123_456]].expand(2, 50))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_complete_graph_is_refused(n):
    pairs = torch.ones(n, n).triu(1).nonzero().T
    with pytest.raises(InputError, match=f"the graph of {n} nodes is complete"):
        sample_negative_pairs(edge_keys(pairs, n), n, 1)


def test_a_graph_without_edges_and_no_pairs_at_all():
    assert sample_negative_pairs(torch.empty(0, dtype=torch.int64), 4, 6).shape == (2, 6)
    assert sample_negative_pairs(edge_keys(EDGES, N), N, 0).shape == (2, 0)


def test_partners_of_some_nodes_are_uniform_non_edges():
    pairs = torch.tensor([[0, 0, 1, 5], [1, 2, 2, 6]])
    n, keys = 9, edge_keys(pairs, 9)
    drawn = sample_by_node(keys, n, 4, 3000)
    assert bool((drawn[0] < drawn[1]).all())
    assert not bool(torch.isin(drawn[0] * n + drawn[1], keys).any())
    counts = torch.zeros(n, n).index_put(tuple(drawn), torch.ones(drawn.shape[1]), accumulate=True)
    counts = counts + counts.T
    chosen = (counts > 0).sum(1).topk(4).indices
    assert int((counts > 0).sum(1).max()) <= n - 1
    for node in chosen.tolist():
        free = [v for v in range(n) if v != node and counts[node, v] > 0 and v not in chosen]
        assert torch.allclose(counts[node, free], torch.tensor(3000 / n), rtol=0.25)
    assert sample_by_node(keys, n, 100, 2).shape[1] <= 2 * n
