"""Nodes held out with their edges: what is left knows nothing of them, and what is sought is theirs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.node_splits import split_nodes
from graphvae.data.registry import load_graph


def graph(n: int = 40, sparse: bool = False, seed: int = 0) -> Graph:
    rng = np.random.default_rng(seed)
    u, v = np.nonzero(np.triu(rng.random((n, n)) < 0.15, 1))
    weight = rng.random(len(u)) + 0.5
    x = rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.5)
    return Graph(
        np.array([[*u, *v], [*v, *u]]),
        scipy.sparse.csr_array(x) if sparse else x,
        np.arange(n) % 3,
        edge_weight=np.concatenate([weight, weight]),
        node_ids=[f"n{i:03d}" for i in range(n)],
    )


def named(pairs: torch.Tensor, ids: np.ndarray) -> set[tuple[str, str]]:
    return {tuple(sorted((str(ids[u]), str(ids[v])))) for u, v in pairs.T.tolist()}


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.6), st.sampled_from([0.0, 0.3, 0.5, 0.9]), st.booleans(), st.integers(0, 1000))
def test_every_edge_is_where_it_belongs(share, shown, sparse, seed):
    whole = graph(sparse=sparse, seed=seed % 7)
    split = split_nodes(whole, share, shown=shown, seed=seed)
    new, ids = set(split.new.tolist()), whole.node_ids
    assert len(new) == int(share * 40)
    assert set(split.seen.node_ids.tolist()) == set(ids.tolist()) - new
    every = named(whole.pairs, ids)
    touched = {pair for pair in every if new & set(pair)}
    assert named(split.seen.pairs, split.seen.node_ids) == every - touched
    given_edges = named(split.links.train.pairs, ids)
    sought = named(split.links.test.positive, ids)
    assert given_edges | sought == every
    assert given_edges & sought == set()
    assert given_edges - touched == every - touched
    assert len(given_edges & touched) == int(shown * len(touched))
    negative = named(split.links.test.negative, ids)
    assert len(negative) == len(sought)
    assert all(new & set(pair) for pair in negative)
    assert not negative & every


@pytest.mark.parametrize("sparse", [False, True])
def test_features_labels_and_weights_stay_with_their_nodes(sparse):
    whole = graph(sparse=sparse)
    seen = split_nodes(whole, 0.25, seed=3).seen
    rows = whole.rows(seen.node_ids)
    dense = [g.x.to_dense() if sparse else g.x for g in (whole, seen)]
    assert torch.equal(dense[0][torch.from_numpy(rows)], dense[1])
    assert torch.equal(whole.y[torch.from_numpy(rows)], seen.y)
    weights = dict(zip(map(tuple, whole.edge_index.T.tolist()), whole.edge_weight.tolist(), strict=True))
    for (u, v), w in zip(seen.edge_index.T.tolist(), seen.edge_weight.tolist(), strict=True):
        assert weights[int(rows[u]), int(rows[v])] == w


def test_the_same_seed_holds_out_the_same_nodes_whatever_is_shown():
    whole = graph()
    plain, again, more = (split_nodes(whole, 0.2, shown=shown, seed=5) for shown in (0.0, 0.0, 0.5))
    assert plain.links.hash == again.links.hash
    assert plain.seen.hash == more.seen.hash
    assert split_nodes(whole, 0.2, seed=6).seen.hash != plain.seen.hash
    assert repr(more).startswith("NodeSplit(seen=32, new=8, shown=")


def test_non_edges_are_uniform_over_those_of_new_nodes():
    """Of a star's leaves all pairs are non-edges, and each is drawn as often as any other."""
    star = Graph.from_edges(np.array([[0] * 7, list(range(1, 8))]))
    counts: dict[tuple[int, int], int] = {}
    draws = 0
    for seed in range(4000):
        if set(np.random.default_rng(seed).permutation(8)[:2].tolist()) != {1, 2}:
            continue  # with the centre among them there are too few non-edges
        split = split_nodes(star, 0.25, seed=seed)
        assert split.new.tolist() == [1, 2]
        draws += 1
        for pair in map(tuple, split.links.test.negative.T.tolist()):
            counts[pair] = counts.get(pair, 0) + 1
    possible = [(u, v) for u in (1, 2) for v in range(u + 1, 8)]
    assert set(counts) == set(possible)
    expected = 2 * draws / len(possible)
    chi2 = sum((counts[pair] - expected) ** 2 / expected for pair in possible)
    assert draws > 100
    assert chi2 < 35  # 10 degrees of freedom: 1 in 8000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share=0"),
        ({"share": 0.001}, "holds out 0"),
        ({"share": 1.0}, "holds out 34"),
        ({"shown": 1.0}, "expected some to be sought"),
        ({"shown": -0.1}, "shown=-0.1"),
        ({"seed": -1}, "seed=-1"),
        ({"share": "all"}, "share='all'"),
    ],
)
def test_what_cannot_be_held_out(options, message):
    with pytest.raises(InputError, match=message):
        split_nodes(load_graph("karate"), **options)


def test_too_few_non_edges():
    star = Graph.from_edges(np.array([[0] * 7, list(range(1, 8))]))
    seed = next(s for s in range(99) if 0 in np.random.default_rng(s).permutation(8)[:2])  # the centre
    with pytest.raises(InputError, match=r"share=0\.3: 2 new nodes have 6 pairs that are no edges, and 7 are needed"):
        split_nodes(star, 0.3, seed=seed)


def test_what_is_no_undirected_graph():
    with pytest.raises(InputError, match="expected a Graph"):
        split_nodes([[0], [1]])
    with pytest.raises(InputError, match="directed=True"):
        split_nodes(Graph([[0, 1], [1, 2]], directed=True))
