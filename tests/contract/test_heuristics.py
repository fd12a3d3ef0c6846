"""What holds for every baseline in the registry."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics.pairwise import cosine_similarity

from graphvae._check import InputError
from graphvae.evaluation.heuristics import HEURISTICS

GRAPH = nx.Graph(nx.karate_club_graph())
ADJACENCY = nx.to_scipy_sparse_array(GRAPH, weight=None, dtype=np.float64, format="csr")
DENSE = ADJACENCY.toarray()
X = np.random.default_rng(0).random((34, 6)) * (np.random.default_rng(1).random((34, 6)) < 0.5)
PAIRS = np.stack(np.triu_indices(34, 1))

DEGREE = DENSE.sum(0)


def pagerank() -> np.ndarray:
    ranks = 0.15 * np.linalg.inv(np.eye(34) - 0.85 * DENSE / DEGREE[:, None])
    return ranks + ranks.T


def spectral() -> np.ndarray:
    root = 1 / np.sqrt(DEGREE + DEGREE.mean())
    values, vectors = np.linalg.eigh(root[:, None] * DENSE * root)
    values, vectors = values[-32:], vectors[:, -32:]
    return (vectors * np.maximum(values, 0)) @ vectors.T


# An independent, dense evaluation of each baseline: (N, N).
ORACLES = {
    "common-neighbours": lambda: DENSE @ DENSE,
    "jaccard": lambda: DENSE @ DENSE / (DEGREE + DEGREE[:, None] - DENSE @ DENSE),
    "adamic-adar": lambda: (DENSE / np.log(DEGREE.clip(2))) @ DENSE,
    "resource-allocation": lambda: (DENSE / DEGREE) @ DENSE,
    "preferential-attachment": lambda: np.outer(DEGREE, DEGREE),
    "pagerank": pagerank,
    "spectral": spectral,
    "katz": lambda: np.linalg.inv(np.eye(34) - 0.5 / np.linalg.eigvalsh(DENSE)[-1] * DENSE) - np.eye(34),
    "feature-cosine": lambda: cosine_similarity(X),
}

every = pytest.mark.parametrize("name", HEURISTICS)


def score(name: str, pairs: np.ndarray) -> np.ndarray:
    heuristic = HEURISTICS[name]
    return heuristic.score(ADJACENCY, X if heuristic.needs_features else None, pairs)


def test_every_heuristic_has_an_oracle_here() -> None:
    assert set(HEURISTICS) == set(ORACLES)
    assert len({heuristic.label for heuristic in HEURISTICS.values()}) == len(HEURISTICS)


@every
def test_equals_its_oracle(name: str) -> None:
    close = 1e-10 if name == "spectral" else 1e-12  # its scores are rounded
    assert score(name, PAIRS) == pytest.approx(ORACLES[name]()[PAIRS[0], PAIRS[1]], abs=close)


@every
def test_rows_are_the_scores_of_their_pairs(name: str) -> None:
    scorer = HEURISTICS[name].scorer(ADJACENCY, X)
    rows = np.array([5, 0, 33, 5])
    block = scorer.rows(rows)
    assert block.shape == (4, 34)
    for i, u in enumerate(rows):
        others = np.delete(np.arange(34), u)
        expected = scorer.pairs(np.stack([np.full(33, u), others]))
        assert block[i, others] == pytest.approx(expected, rel=1e-10, abs=1e-15)


@every
def test_pairs_are_unordered_and_independent_of_each_other(name: str) -> None:
    scores = score(name, PAIRS)
    assert score(name, PAIRS[::-1]) == pytest.approx(scores, rel=1e-11)
    some = np.random.default_rng(0).permutation(PAIRS.shape[1])[:40]
    assert score(name, PAIRS[:, some]) == pytest.approx(scores[some], rel=1e-11)


@every
def test_gives_float64_of_the_pairs_length(name: str) -> None:
    assert score(name, PAIRS).dtype == np.float64
    assert score(name, np.zeros((2, 0), dtype=np.int64)).shape == (0,)


@every
def test_inputs_are_left_as_they_are(name: str) -> None:
    matrix, x, pairs = ADJACENCY.copy(), X.copy(), PAIRS.copy()
    HEURISTICS[name].score(matrix, x, pairs)
    assert (matrix != ADJACENCY).nnz == 0
    assert (x == X).all()
    assert (pairs == PAIRS).all()


@every
def test_a_node_without_edges_and_features_scores_zero(name: str) -> None:
    matrix = scipy.sparse.block_diag([ADJACENCY, scipy.sparse.csr_array((1, 1))], format="csr")
    x = np.concatenate([X, np.zeros((1, 6))])
    assert HEURISTICS[name].score(matrix, x, [[0, 34], [34, 5]]).tolist() == [0.0, 0.0]
    assert not np.delete(HEURISTICS[name].scorer(matrix, x).rows(np.array([34])), 34).any()


def test_features_are_asked_for_by_name() -> None:
    for heuristic in HEURISTICS.values():
        if heuristic.needs_features:
            with pytest.raises(InputError, match=f"x=None: {heuristic.label} needs node features"):
                heuristic.score(ADJACENCY, None, PAIRS)
