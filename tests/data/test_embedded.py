"""The embedded graphs against the packages that carry them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from graphvae.data.embedded import DIGIT_NEIGHBOURS, digits_knn, karate, lesmis, nearest_neighbours
from graphvae.data.graph import Graph


@pytest.fixture(scope="module")
def digits() -> Graph:
    return digits_knn()


def test_karate_is_networkx_s_without_weights() -> None:
    club = nx.karate_club_graph()
    graph = karate()
    assert {tuple(pair) for pair in graph.pairs.T.tolist()} == {tuple(sorted(edge)) for edge in club.edges}
    assert graph.edge_weight is None
    assert graph.x is None
    assert graph.y is not None
    assert [["Mr. Hi", "Officer"][label] for label in graph.y.tolist()] == [club.nodes[i]["club"] for i in range(34)]


def test_lesmis_keeps_names_and_weights() -> None:
    novel = nx.les_miserables_graph()
    graph = lesmis()
    assert graph.edge_weight is not None
    ids = graph.node_ids.tolist()
    found = {
        frozenset((ids[u], ids[v])): weight
        for (u, v), weight in zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist(), strict=True)
    }
    assert found == {frozenset((a, b)): float(weight) for a, b, weight in novel.edges(data="weight")}
    assert graph.node_ids.dtype.kind == "U"
    assert "Valjean" in ids


def test_digits_are_linked_by_one_half_and_described_by_the_other(digits: Graph) -> None:
    images, target = load_digits(return_X_y=True)
    assert digits.x is not None
    assert digits.y is not None
    np.testing.assert_array_equal(digits.x.numpy() * 16, images[:, 32:])
    np.testing.assert_array_equal(digits.y.numpy(), target)
    assert digits.x.dtype == torch.float32
    assert 0 <= float(digits.x.min()) < float(digits.x.max()) == 1
    # Everybody is linked to all that scikit-learn finds strictly nearer than the (k + 1)-th, and to nobody that is
    # farther than the k-th, unless that one chose them.
    distance, _ = NearestNeighbors(n_neighbors=DIGIT_NEIGHBOURS + 2).fit(images[:, :32]).kneighbors(images[:, :32])
    reach = distance[:, DIGIT_NEIGHBOURS]
    u, v = digits.edge_index.numpy()
    length = np.linalg.norm(images[u, :32] - images[v, :32], axis=1)
    assert (length <= np.maximum(reach[u], reach[v]) + 1e-9).all()
    assert (np.bincount(u[length <= reach[u] + 1e-9]) >= DIGIT_NEIGHBOURS).all()


def test_features_of_digits_are_no_oracle_for_their_edges(digits: Graph) -> None:
    assert digits.x is not None
    x = digits.x.numpy()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    u, v = digits.pairs.numpy()
    a, b = np.random.default_rng(0).integers(len(x), size=(2, len(u)))
    scores = np.concatenate([(x[u] * x[v]).sum(axis=1), (x[a] * x[b]).sum(axis=1)])
    assert 0.75 < roc_auc_score(np.repeat([1, 0], len(u)), scores) < 0.9


def test_embedded_graphs_are_the_same_each_time(digits: Graph) -> None:
    assert digits_knn().hash == digits.hash
    assert karate().hash == karate().hash
    assert lesmis().hash == lesmis().hash


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=12), st.integers(1, 2))
def test_ties_go_to_the_lower_index(points: list[tuple[int, int]], k: int) -> None:
    def squared(i: int, j: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(points[i], points[j], strict=True))

    everyone = range(len(points))
    expected = [sorted((j for j in everyone if j != i), key=lambda j, i=i: (squared(i, j), j))[:k] for i in everyone]
    assert nearest_neighbours(np.array(points), k).tolist() == expected
