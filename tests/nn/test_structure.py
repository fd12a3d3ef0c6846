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


def test_features_are_those_of_dense_algebra(graph: nx.Graph) -> None:
    n = graph.number_of_nodes()
    positions = torch.randn(n, 3)
    features = PairFeatures(edges_of(graph), positions, HOPS)
    found = features.rows(torch.arange(n)).double().numpy()
    a = nx.to_numpy_array(graph, nodelist=range(n))
    degree = a.sum(1)
    root = np.diag(1 / np.sqrt(np.maximum(degree, 1)))
    walk = root @ a @ root
    logs = np.log1p(degree)
    expected = [a @ a, *(np.linalg.matrix_power(walk, k) for k in range(2, HOPS + 1))]
    ratio = np.sqrt(np.maximum.outer(degree, np.ones(n)) / np.maximum(degree, 1))
    tail = 0.85 ** (HOPS + 1) / 0.15 * (expected[-1] + expected[-2]) / 2
    pagerank = sum((0.85**k * value for k, value in enumerate(expected[1:], start=2)), tail) * (ratio + 1 / ratio)
    expected += [pagerank, (positions @ positions.T).numpy()]
    expected += [np.minimum.outer(logs, logs), np.maximum.outer(logs, logs)]
    assert found.shape == (n, n, HOPS + 4)
    for k, value in enumerate(expected):
        np.testing.assert_allclose(found[..., k], value, atol=1e-5)


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
    assert torch.equal(network.of_pairs(features, pairs), network.of_pairs(features, pairs.flip(0)))
    assert sum(len(some) for some, _ in features.pairs(pairs)) == 50


def test_network_reads_features_at_their_own_scale(graph: nx.Graph) -> None:
    n = graph.number_of_nodes()
    features = PairFeatures(edges_of(graph), torch.randn(n, 3), HOPS).rows(torch.arange(n)).flatten(0, 1)
    one, other = Structure(HOPS, 3).build(n), Structure(HOPS, 3).build(n)
    other.layers.load_state_dict(one.layers.state_dict())
    one.scale_to(features)
    other.scale_to(1000 * features)
    torch.testing.assert_close(one(features), other(1000 * features), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"hops": 1}, {"dimensions": 0}, {"width": 0}, {"steps": 0.5}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Structure(**wrong)  # type: ignore[arg-type]
