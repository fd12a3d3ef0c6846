"""Features of pairs against dense algebra and networkx; the network's scales and the settings' refusals."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch

from graphvae._check import InputError
from graphvae.nn.structure import PairFeatures, Structure

HOPS = 5


def edges_of(graph: nx.Graph) -> torch.Tensor:
    return torch.tensor(sorted(graph.edges())).T


@pytest.fixture
def graph() -> nx.Graph:
    found = nx.gnm_random_graph(23, 40, seed=3)
    found.remove_edges_from(list(found.edges(0)))  # a node without edges
    return found


@pytest.mark.parametrize(("hops", "doublings"), [(HOPS, 0), (2, 0), (3, 2)])
def test_features_are_those_of_dense_algebra(graph: nx.Graph, hops: int, doublings: int) -> None:
    n = graph.number_of_nodes()
    positions = torch.randn(n, 3)
    features = PairFeatures(edges_of(graph), positions, hops, doublings)
    found = features.rows(torch.arange(n)).double().numpy()
    a = nx.to_numpy_array(graph, nodelist=range(n))
    degree = a.sum(1)
    root = np.diag(1 / np.sqrt(np.maximum(degree, 1)))
    reach = hops << doublings
    walks = [np.linalg.matrix_power(root @ a @ root, k) for k in range(reach + 1)]
    logs = np.log1p(degree)
    ratio = np.sqrt(np.maximum.outer(degree, np.ones(n)) / np.maximum(degree, 1))
    tail = 0.85 ** (reach + 1) / 0.15 * (walks[-1] + walks[-2]) / 2
    pagerank = sum((0.85**k * walks[k] for k in range(2, reach + 1)), tail) * (ratio + 1 / ratio)
    further = [sum(walks[(hops << k) + 1 : (hops << k + 1) + 1]) for k in range(doublings)]
    expected = [a @ a, *walks[2 : hops + 1], *further, pagerank, (positions @ positions.T).numpy()]
    expected += [np.minimum.outer(logs, logs), np.maximum.outer(logs, logs)]
    assert found.shape == (n, n, hops + doublings + 4)
    for k, value in enumerate(expected):
        np.testing.assert_allclose(found[..., k], value, atol=1e-5)


def test_pagerank_of_long_walks_is_that_of_networkx(graph: nx.Graph) -> None:
    graph.remove_nodes_from(list(nx.isolates(graph)))
    graph = nx.convert_node_labels_to_integers(graph)
    n = graph.number_of_nodes()
    rows = PairFeatures(edges_of(graph), torch.zeros(n, 1), 2, 6).rows(torch.arange(n))[..., 8].double().numpy()
    one_way = np.array([list(nx.pagerank(graph, personalization={u: 1}, tol=1e-12).values()) for u in range(n)])
    a, degree = nx.to_numpy_array(graph), np.array([graph.degree(u) for u in range(n)])
    short = np.eye(n) + 0.85 * a / degree[:, None]  # no step, and one: they tell the very edges that are asked for
    expected = one_way / 0.15 - short
    np.testing.assert_allclose(rows, expected + expected.T, atol=1e-5)


def test_resource_allocation_is_the_walk_of_two_steps(graph: nx.Graph) -> None:
    n = graph.number_of_nodes()
    rows = PairFeatures(edges_of(graph), torch.zeros(n, 1), 2).rows(torch.arange(n))
    degree = dict(graph.degree())
    for u, v, value in nx.resource_allocation_index(graph):
        assert float(rows[u, v, 1]) * np.sqrt(degree[u] * degree[v]) == pytest.approx(value, abs=1e-5)


def test_pairs_are_entries_of_rows_in_either_order(graph: nx.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphvae.nn.structure.PAIRS_AT_ONCE", 60)
    n = graph.number_of_nodes()
    features = PairFeatures(edges_of(graph), torch.randn(n, 3), HOPS)
    every = features.rows(torch.arange(n))
    pairs = torch.randint(n, (2, 50))
    for some, values in features.pairs(pairs):
        u, v = pairs[:, some]
        torch.testing.assert_close(values, every[torch.minimum(u, v), torch.maximum(u, v)])
    network = Structure(HOPS, 3).build(n)
    network.scale_to(every.flatten(0, 1))
    scores = network.of_pairs(features, pairs)
    assert torch.equal(scores, network.of_pairs(features, pairs.flip(0)))
    torch.testing.assert_close(scores, network.of_rows(features, pairs.min(0).values)[range(50), pairs.max(0).values])
    assert sum(len(some) for some, _ in features.pairs(pairs)) == 50


def test_network_reads_features_at_their_own_scale(graph: nx.Graph) -> None:
    n = graph.number_of_nodes()
    features = PairFeatures(edges_of(graph), torch.randn(n, 3), HOPS).rows(torch.arange(n)).flatten(0, 1)
    one, other = Structure(HOPS, 3).build(n), Structure(HOPS, 3).build(n)
    other.layers.load_state_dict(one.layers.state_dict())
    one.scale_to(features)
    other.scale_to(1000 * features)
    torch.testing.assert_close(one(features), other(1000 * features), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"hops": 1}, {"dimensions": 0}, {"width": 0}, {"steps": 0.5}, {"doublings": -1}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Structure(**wrong)  # type: ignore[arg-type]


def test_with_doublings_pagerank_is_a_score_by_itself(graph: nx.Graph) -> None:
    n = graph.number_of_nodes()
    network = Structure(3, 3, doublings=2).build(n)
    features = network.features(edges_of(graph))
    values = features.rows(torch.arange(n))
    network.scale_to(values.flatten(0, 1))
    scores = network.of_rows(features, torch.arange(n))
    assert scores.shape == (n, n, 2)
    torch.testing.assert_close(scores[..., 0], network(values))
    pagerank = values[..., 5]
    order = pagerank.flatten().argsort()
    assert (scores[..., 1].flatten()[order].diff() >= 0).all()
    assert network.weights.tolist() == [0.5, 0.5, 0.0, 0.0]
