"""Baselines against networkx, dense inverses in float64 and scikit-learn."""

from __future__ import annotations

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from graphvae._check import InputError
from graphvae.evaluation import heuristics
from graphvae.evaluation.heuristics import HEURISTICS, common_neighbours, feature_cosine, katz, largest_eigenvalue


def adjacency(graph: nx.Graph) -> scipy.sparse.csr_array:
    return nx.to_scipy_sparse_array(graph, nodelist=range(len(graph)), weight=None, dtype=np.float64, format="csr")


def all_pairs(n: int) -> np.ndarray:
    return np.stack([axis.ravel() for axis in np.indices((n, n))])


def dense_katz(matrix: scipy.sparse.csr_array, beta: float | None) -> np.ndarray:
    dense = matrix.toarray()
    largest = np.linalg.eigvalsh(dense)[-1]
    beta = beta if beta is not None else 0.5 / largest if largest > 0 else 1.0
    return np.linalg.inv(np.eye(len(dense)) - beta * dense) - np.eye(len(dense))


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
    assert common_neighbours(adjacency(graph), pairs).tolist() == expected


@every_graph
@pytest.mark.parametrize("share", [None, 0.1, 0.9])
def test_katz_equals_the_dense_inverse(graph: nx.Graph, share: float | None) -> None:
    matrix = adjacency(graph)
    beta = None if share is None else share / max(largest_eigenvalue(matrix), 1.0)
    expected = dense_katz(matrix, beta)
    pairs = all_pairs(len(graph))
    assert katz(matrix, pairs, beta) == pytest.approx(expected.ravel(), rel=1e-10, abs=1e-13)


def test_katz_of_far_pairs_is_relatively_exact() -> None:
    # On a path the inverse is known: entries are ratios of leading minors. Far entries are smaller than the rounding
    # error of a dense inverse; the oracle is exact arithmetic.
    n, beta = 60, Fraction(1, 5)
    minors = [Fraction(1), Fraction(1)]  # determinants of the leading k x k blocks of I - beta A
    for _ in range(n - 1):
        minors.append(minors[-1] - beta**2 * minors[-2])
    matrix = adjacency(nx.path_graph(n))
    pairs = np.array([[0, 0, 0, 5, 12], [n - 1, 1, 30, 55, 12]])
    expected = []
    for u, v in pairs.T.tolist():
        entry = beta ** (v - u) * minors[u] * minors[n - 1 - v] / minors[n]
        expected.append(float(entry - (u == v)))
    assert expected[0] < 1e-40
    assert katz(matrix, pairs, float(beta)) == pytest.approx(expected, rel=1e-11, abs=0.0)


def test_katz_of_unconnected_pairs_is_exactly_zero() -> None:
    matrix = adjacency(nx.disjoint_union(nx.complete_graph(5), nx.path_graph(4)))
    assert katz(matrix, [[0, 4, 5], [5, 8, 0]]).tolist() == [0.0, 0.0, 0.0]


def test_katz_does_not_depend_on_how_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, pairs = adjacency(GRAPHS["karate"]), all_pairs(34)
    whole = katz(matrix, pairs)
    monkeypatch.setattr(heuristics, "_DENSE_BUDGET", 3 * 34)
    assert katz(matrix, pairs) == pytest.approx(whole, rel=1e-12)


def test_common_neighbours_and_cosine_do_not_depend_on_how_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, pairs = adjacency(GRAPHS["karate"]), all_pairs(34)
    x = np.random.default_rng(0).normal(size=(34, 5))
    counts, cosines = common_neighbours(matrix, pairs), feature_cosine(x, pairs)
    monkeypatch.setattr(heuristics, "_SPARSE_BUDGET", 7)
    monkeypatch.setattr(heuristics, "_DENSE_BUDGET", 7)
    assert common_neighbours(matrix, pairs).tolist() == counts.tolist()
    assert feature_cosine(x, pairs).tolist() == cosines.tolist()


def test_katz_refuses_a_series_that_diverges() -> None:
    matrix = adjacency(nx.complete_graph(5))  # lambda_max = 4
    for beta in (0.25, 0.3):
        with pytest.raises(InputError, match=r"beta=0\.\d+: expected less than 0\.999 / lambda_max = 0\.24975"):
            katz(matrix, [[0], [1]], beta)
    for beta in (0.0, -0.1, np.nan, "0.1"):
        with pytest.raises(InputError, match="beta="):
            katz(matrix, [[0], [1]], beta)
    assert np.isfinite(katz(matrix, [[0], [1]], 0.249)).all()


@pytest.mark.parametrize("n", [10, 64, 65, 120])
def test_largest_eigenvalue_on_both_sides_of_the_dense_limit(n: int) -> None:
    graph = nx.gnm_random_graph(n, 2 * n, seed=n)
    expected = np.linalg.eigvalsh(adjacency(graph).toarray())[-1]
    assert largest_eigenvalue(adjacency(graph)) == pytest.approx(expected, rel=1e-12)
    assert largest_eigenvalue(adjacency(graph)) == largest_eigenvalue(adjacency(graph))


def test_numpy_random_state_is_left_alone() -> None:
    np.random.seed(0)  # noqa: NPY002 - the global state is what is looked at
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    katz(adjacency(GRAPHS["sparse, above the dense limit"]), [[0], [1]])
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_feature_cosine_equals_scikit_learn(sparse: bool, dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 7)) * 3 * (rng.random((30, 7)) < 0.4)).astype(dtype)
    x[4] = 0
    pairs = all_pairs(30)
    scores = feature_cosine(scipy.sparse.coo_array(x) if sparse else x, pairs)
    assert scores == pytest.approx(cosine_similarity(x.astype(np.float64)).ravel(), abs=1e-12)
    assert not scores[(pairs == 4).any(axis=0)].any()


def test_feature_cosine_leaves_unsorted_features_as_they_are() -> None:
    x = scipy.sparse.csr_array((np.array([1.0, 2.0, 3.0]), np.array([1, 0, 0]), np.array([0, 2, 3])), shape=(2, 2))
    x.has_canonical_format = False
    assert feature_cosine(x, [[0], [1]]) == pytest.approx([2 / np.sqrt(5)])
    assert x.indices.tolist() == [1, 0, 0]


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 12), edges=st.integers(0, 30), seed=st.integers(0, 10_000))
def test_relabelling_the_nodes_relabels_the_scores(n: int, edges: int, seed: int) -> None:
    matrix = adjacency(nx.gnm_random_graph(n, edges, seed=seed))
    rng = np.random.default_rng(seed)
    order, pairs = rng.permutation(n), rng.integers(0, n, (2, 20))
    where = np.argsort(order)
    x = rng.normal(size=(n, 3))
    for heuristic in HEURISTICS.values():
        before = heuristic.score(matrix, x, pairs)
        after = heuristic.score(matrix[order][:, order], x[order], where[pairs])
        assert after == pytest.approx(before, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), "a ndarray: expected a scipy sparse matrix"),
        (scipy.sparse.csr_array((2, 3)), r"has shape \(2, 3\)"),
        (scipy.sparse.csr_array([[0, 2], [2, 0]]), "holds 2.0"),
        (scipy.sparse.csr_array([[1, 1], [1, 0]]), r"self-loop \(0, 0\)"),
        (scipy.sparse.csr_array([[0, 1], [0, 0]]), "not symmetric"),
    ],
)
def test_bad_adjacency_is_refused(matrix, message: str) -> None:
    for score in (common_neighbours, katz):
        with pytest.raises(InputError, match=f"adjacency .*{message}"):
            score(matrix, [[0], [1]])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 1]], r"shape \(1, 2\)"),
        ([[0], [3]], "contains 3: expected rows from 0 to 2"),
        ([[-1], [0]], "contains -1"),
        ([[0.0], [1.0]], "of type float64"),
    ],
)
def test_bad_pairs_are_refused(pairs, message: str) -> None:
    matrix = adjacency(nx.path_graph(3))
    for score in (common_neighbours, katz, feature_cosine):
        with pytest.raises(InputError, match=f"pairs .*{message}"):
            score(matrix, pairs)


def test_bad_features_are_refused() -> None:
    with pytest.raises(InputError, match="x contains NaN"):
        feature_cosine(np.array([[np.nan]]), [[0], [0]])
    with pytest.raises(InputError, match="x has shape"):
        feature_cosine(np.zeros(3), [[0], [0]])
    with pytest.raises(InputError, match="x is of type"):
        feature_cosine(np.array([["a"]]), [[0], [0]])
