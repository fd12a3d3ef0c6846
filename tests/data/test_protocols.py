"""How edges are held out: forests stay, the newest go, nodes lose all they have."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.protocols import non_edges_of
from graphvae.data.splits import LinkSplit, split_links


def graph_of(seed: int, nodes: int = 40, edges: int = 120, **fields) -> Graph:
    return Graph.from_networkx(nx.gnm_random_graph(nodes, edges, seed=seed)).replace(**fields)


def components(graph: Graph) -> set[frozenset]:
    return {frozenset(part) for part in nx.connected_components(graph.to_networkx())}


def everything(split: LinkSplit) -> set[tuple[int, int]]:
    pairs = torch.cat([split.train.pairs, split.val.positive, split.test.positive], 1)
    assert pairs.shape[1] == split.num_edges
    return set(map(tuple, pairs.T.tolist()))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 120))
def test_a_connected_split_keeps_components(seed: int, edges: int) -> None:
    graph = graph_of(seed, edges=edges)
    spare = edges - (graph.num_nodes - len(components(graph)))
    val, test = 0.05, 0.1
    if int(val * edges + 1e-9) + int(test * edges + 1e-9) > spare:
        with pytest.raises(InputError, match="in no spanning forest"):
            split_links(graph, val, test, seed=seed, protocol="connected")
        return
    split = split_links(graph, val, test, seed=seed, protocol="connected")
    assert components(split.train) == components(graph)
    assert everything(split) == set(map(tuple, graph.pairs.T.tolist()))
    assert repr(split).endswith("protocol='connected')")


def test_every_edge_off_the_bridges_can_be_held_out() -> None:
    graph = Graph.from_networkx(nx.cycle_graph(6))
    held = {
        tuple(split_links(graph, 0, 0.17, seed=s, protocol="connected").test.positive.T.tolist()[0]) for s in range(60)
    }
    assert held == set(map(tuple, graph.pairs.T.tolist()))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 50))
def test_a_temporal_split_holds_out_the_newest(seed: int, moments: int) -> None:
    graph = graph_of(seed)
    times = np.random.default_rng(seed).integers(0, moments, graph.num_edges).astype(float)
    split = split_links(graph, 0.1, 0.2, seed=seed, protocol="temporal", times=times)
    assert everything(split) == set(map(tuple, graph.pairs.T.tolist()))
    of_pair = dict(zip(map(tuple, graph.pairs.T.tolist()), times.tolist(), strict=True))
    pairs = {"train": split.train.pairs, "val": split.val.positive, "test": split.test.positive}
    for part, edges in pairs.items():
        assert split.times[part].tolist() == [of_pair[tuple(edge)] for edge in edges.T.tolist()]
    assert split.times["train"].max() <= split.times["val"].min()
    assert split.times["val"].max() <= split.times["test"].min()
    assert (split.val.positive.shape[1], split.test.positive.shape[1]) == (12, 24)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_an_inductive_split_holds_out_nodes_with_all_their_edges(seed: int) -> None:
    graph = graph_of(seed, x=np.eye(40, 7), y=np.arange(40))
    split = split_links(graph, 0.1, 0.2, seed=seed, protocol="inductive")
    assert everything(split) == set(map(tuple, graph.pairs.T.tolist()))
    with_edges = int((graph.degrees > 0).sum())
    val, test = (set(split.new_nodes[name].tolist()) for name in ("val", "test"))
    assert (len(val), len(test)) == (with_edges // 10, int(0.2 * with_edges + 1e-9))
    assert not val & test
    for u, v in everything(split):
        part = "test" if {u, v} & test else "val" if {u, v} & val else "train"
        edges = split.train.pairs if part == "train" else getattr(split, part).positive
        assert [u, v] in edges.T.tolist()
    for name, own, others in (("val", val, test), ("test", test, set())):
        links = getattr(split, name)
        assert links.negative.shape == links.positive.shape
        assert all({u, v} & own and not {u, v} & others for u, v in links.negative.T.tolist())
    seen = split.seen
    rows = sorted(set(range(40)) - val - test)
    assert seen.node_ids.tolist() == seen.y.tolist() == rows
    assert torch.equal(seen.x, graph.x[rows])
    assert {tuple(seen.node_ids[[u, v]].tolist()) for u, v in seen.pairs.T.tolist()} == set(
        map(tuple, split.train.pairs.T.tolist())
    )


def test_the_graph_seen_keeps_sparse_features_and_weights() -> None:
    x = csr_array(np.eye(40, dtype=np.float32))
    graph = graph_of(0)
    u, v = graph.edge_index.numpy()
    graph = graph.replace(x=x, edge_weight=(u + v).astype(np.float32))
    split = split_links(graph, 0.1, 0.2, protocol="inductive")
    seen = split.seen
    ids = torch.from_numpy(seen.node_ids.copy())
    assert torch.equal(seen.x.to_dense().argmax(1), ids)
    assert torch.equal(seen.edge_weight, ids[seen.edge_index].sum(0).float())
    assert split_links(graph, 0.1, 0.2).seen is not seen


def test_non_edges_of_nodes_are_uniform() -> None:
    graph = Graph.from_networkx(nx.path_graph(8))
    nodes, others = np.array([1, 4, 6]), np.array([0, 2, 3])
    edges, every = set(map(tuple, graph.pairs.T.tolist())), [*nodes.tolist(), *others.tolist()]
    wanted = {(min(u, v), max(u, v)) for u in nodes.tolist() for v in every if u != v} - edges
    counts = dict.fromkeys(wanted, 0)
    rng = np.random.default_rng(0)
    for _ in range(3000):
        for pair in map(tuple, non_edges_of(nodes, others, graph.pairs, 2, rng).T.tolist()):
            counts[pair] += 1
    expected = 6000 / len(wanted)
    assert max(abs(count - expected) for count in counts.values()) < 5 * expected**0.5
    every_one = non_edges_of(nodes, others, graph.pairs, len(wanted), rng)
    assert set(map(tuple, every_one.T.tolist())) == wanted
    with pytest.raises(InputError, match=f"only {len(wanted)} pairs that are no edges"):
        non_edges_of(nodes, others, graph.pairs, len(wanted) + 1, rng)
    large = Graph.from_networkx(nx.gnm_random_graph(4000, 6000, seed=0))
    drawn = non_edges_of(np.arange(400), np.arange(400, 4000), large.pairs, 500, rng)
    assert len(set(map(tuple, drawn.T.tolist()))) == 500
    assert (drawn[0] < 400).all()
    assert not set(map(tuple, drawn.T.tolist())) & set(map(tuple, large.pairs.T.tolist()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "conected"}, "did you mean 'connected'"),
        ({"protocol": "fixed"}, "protocol='fixed'"),
        ({"protocol": "temporal"}, "times: expected with protocol"),
        ({"times": np.zeros(120)}, "times: expected with protocol"),
        ({"protocol": "temporal", "times": np.zeros(3)}, "expected 120 finite numbers"),
        ({"protocol": "temporal", "times": np.full(120, np.nan)}, "expected 120 finite numbers"),
        ({"protocol": "inductive", "val": 0.001}, "of 40 nodes is less than one node"),
        ({"protocol": "inductive", "val": 0.0, "test": 0.99}, "leaves no edge to train on"),
    ],
)
def test_refusals(options, message) -> None:
    with pytest.raises(InputError, match=message):
        split_links(graph_of(1, nodes=40, edges=120), **options)
