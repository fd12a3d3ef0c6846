"""Shared neighbours and features against networkx and scikit-learn."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics.pairwise import cosine_similarity

from graphvae.evaluation import similarity
from graphvae.evaluation.heuristics import HEURISTICS
from graphvae.evaluation.similarity import common_neighbours, feature_cosine


def adjacency(graph: nx.Graph) -> scipy.sparse.csr_array:
    return nx.to_scipy_sparse_array(graph, nodelist=range(len(graph)), weight=None, dtype=np.float64, format="csr")


def all_pairs(n: int) -> np.ndarray:
    return np.stack([axis.ravel() for axis in np.indices((n, n))])


GRAPHS = {
    "karate": nx.Graph(nx.karate_club_graph()),
    "path": nx.path_graph(9),
    "star": nx.star_graph(6),
    "edge": nx.path_graph(2),
    "two components and isolated nodes": nx.disjoint_union_all(
        [nx.lollipop_graph(4, 3), nx.cycle_graph(5), nx.path_graph(2), nx.empty_graph(3)]
    ),
    "tree": nx.random_labeled_tree(40, seed=3),
    "without edges": nx.empty_graph(4),
    "sparse, above the dense limit": nx.gnm_random_graph(150, 170, seed=1),
    "regular, above the dense limit": nx.cycle_graph(100),
}


every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())


@every_graph
def test_common_neighbours_equals_networkx(graph: nx.Graph) -> None:
    pairs = all_pairs(len(graph))
    pairs = pairs[:, pairs[0] != pairs[1]]
    expected = [len(list(nx.common_neighbors(graph, u, v))) for u, v in pairs.T.tolist()]
    assert common_neighbours(adjacency(graph)).pairs(pairs).tolist() == expected


@every_graph
@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("jaccard", nx.jaccard_coefficient),
        ("adamic-adar", nx.adamic_adar_index),
        ("resource-allocation", nx.resource_allocation_index),
        ("preferential-attachment", nx.preferential_attachment),
    ],
)
def test_neighbourhood_scores_equal_networkx(graph: nx.Graph, name: str, oracle) -> None:
    pairs = all_pairs(len(graph))
    pairs = pairs[:, pairs[0] != pairs[1]][:, :: 1 + len(graph) // 30]
    expected = [score for _, _, score in oracle(graph, pairs.T.tolist())]
    assert HEURISTICS[name].score(adjacency(graph), None, pairs) == pytest.approx(expected, rel=1e-12)


def test_common_neighbours_and_cosine_do_not_depend_on_how_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, pairs = adjacency(GRAPHS["karate"]), all_pairs(34)
    x = np.random.default_rng(0).normal(size=(34, 5))
    counts, cosines = common_neighbours(matrix).pairs(pairs), feature_cosine(x).pairs(pairs)
    monkeypatch.setattr(similarity, "_SPARSE_BUDGET", 7)
    monkeypatch.setattr(similarity, "_DENSE_BUDGET", 7)
    assert common_neighbours(matrix).pairs(pairs).tolist() == counts.tolist()
    assert feature_cosine(x).pairs(pairs).tolist() == cosines.tolist()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_feature_cosine_equals_scikit_learn(sparse: bool, dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 7)) * 3 * (rng.random((30, 7)) < 0.4)).astype(dtype)
    x[4] = 0
    pairs = all_pairs(30)
    scores = feature_cosine(scipy.sparse.coo_array(x) if sparse else x).pairs(pairs)
    assert scores == pytest.approx(cosine_similarity(x.astype(np.float64)).ravel(), abs=1e-12)
    assert not scores[(pairs == 4).any(axis=0)].any()


def test_feature_cosine_leaves_unsorted_features_as_they_are() -> None:
    x = scipy.sparse.csr_array((np.array([1.0, 2.0, 3.0]), np.array([1, 0, 0]), np.array([0, 2, 3])), shape=(2, 2))
    x.has_canonical_format = False
    assert feature_cosine(x).pairs([[0], [1]]) == pytest.approx([2 / np.sqrt(5)])
    assert x.indices.tolist() == [1, 0, 0]
