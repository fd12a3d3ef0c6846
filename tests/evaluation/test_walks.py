"""Katz and personalised PageRank against dense inverses, exact arithmetic and networkx."""

from __future__ import annotations

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import scipy.sparse

from graphvae._check import InputError
from graphvae.evaluation import walks
from graphvae.evaluation.walks import katz, largest_eigenvalue, personalised_pagerank


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


def dense_katz(matrix: scipy.sparse.csr_array, beta: float | None) -> np.ndarray:
    dense = matrix.toarray()
    largest = np.linalg.eigvalsh(dense)[-1]
    beta = beta if beta is not None else 0.5 / largest if largest > 0 else 1.0
    return np.linalg.inv(np.eye(len(dense)) - beta * dense) - np.eye(len(dense))


@every_graph
@pytest.mark.parametrize("alpha", [0.5, 0.85])
def test_personalised_pagerank_equals_networkx(graph: nx.Graph, alpha: float) -> None:
    nodes = range(min(len(graph), 12))
    ranks = {u: nx.pagerank(graph, alpha, personalization={u: 1}, weight=None, tol=1e-14, max_iter=2000) for u in nodes}
    pairs = np.array([(u, v) for u in nodes for v in nodes if u != v]).T
    expected = [ranks[u][v] + ranks[v][u] for u, v in pairs.T.tolist()]
    assert personalised_pagerank(adjacency(graph), alpha).pairs(pairs) == pytest.approx(expected, abs=1e-11)


def test_personalised_pagerank_refuses_chances_that_are_none() -> None:
    for alpha in (0.0, 1.0, -0.5, np.nan):
        with pytest.raises(InputError, match="alpha="):
            personalised_pagerank(adjacency(nx.path_graph(3)), alpha)


@every_graph
@pytest.mark.parametrize("share", [None, 0.1, 0.9])
def test_katz_equals_the_dense_inverse(graph: nx.Graph, share: float | None) -> None:
    matrix = adjacency(graph)
    beta = None if share is None else share / max(largest_eigenvalue(matrix), 1.0)
    expected = dense_katz(matrix, beta)
    pairs = all_pairs(len(graph))
    assert katz(matrix, beta).pairs(pairs) == pytest.approx(expected.ravel(), rel=1e-10, abs=1e-13)


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
    assert katz(matrix, float(beta)).pairs(pairs) == pytest.approx(expected, rel=1e-11, abs=0.0)


def test_katz_of_unconnected_pairs_is_exactly_zero() -> None:
    matrix = adjacency(nx.disjoint_union(nx.complete_graph(5), nx.path_graph(4)))
    assert katz(matrix).pairs([[0, 4, 5], [5, 8, 0]]).tolist() == [0.0, 0.0, 0.0]


def test_katz_does_not_depend_on_how_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, pairs = adjacency(GRAPHS["karate"]), all_pairs(34)
    whole = katz(matrix).pairs(pairs)
    monkeypatch.setattr(walks, "_width", lambda n: 3)
    assert katz(matrix).pairs(pairs) == pytest.approx(whole, rel=1e-12)


def test_katz_refuses_a_series_that_diverges() -> None:
    matrix = adjacency(nx.complete_graph(5))  # lambda_max = 4
    for beta in (0.25, 0.3):
        with pytest.raises(InputError, match=r"beta=0\.\d+: expected less than 0\.999 / lambda_max = 0\.24975"):
            katz(matrix, beta)
    for beta in (0.0, -0.1, np.nan, "0.1"):
        with pytest.raises(InputError, match="beta="):
            katz(matrix, beta)
    assert np.isfinite(katz(matrix, 0.249).pairs([[0], [1]])).all()


@pytest.mark.parametrize("n", [10, 64, 65, 120])
def test_largest_eigenvalue_on_both_sides_of_the_dense_limit(n: int) -> None:
    graph = nx.gnm_random_graph(n, 2 * n, seed=n)
    expected = np.linalg.eigvalsh(adjacency(graph).toarray())[-1]
    assert largest_eigenvalue(adjacency(graph)) == pytest.approx(expected, rel=1e-12)
    assert largest_eigenvalue(adjacency(graph)) == largest_eigenvalue(adjacency(graph))


def test_numpy_random_state_is_left_alone() -> None:
    np.random.seed(0)  # noqa: NPY002 - the global state is what is looked at
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    katz(adjacency(GRAPHS["sparse, above the dense limit"])).pairs([[0], [1]])
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
