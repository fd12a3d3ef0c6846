"""What baselines refuse as adjacency, features and pairs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse

from graphvae._check import InputError
from graphvae.evaluation.similarity import common_neighbours, feature_cosine
from graphvae.evaluation.walks import katz


def adjacency(graph: nx.Graph) -> scipy.sparse.csr_array:
    return nx.to_scipy_sparse_array(graph, nodelist=range(len(graph)), weight=None, dtype=np.float64, format="csr")


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
            score(matrix)


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
            score(matrix).pairs(pairs)


def test_bad_features_are_refused() -> None:
    with pytest.raises(InputError, match="x contains NaN"):
        feature_cosine(np.array([[np.nan]]))
    with pytest.raises(InputError, match="x has shape"):
        feature_cosine(np.zeros(3))
    with pytest.raises(InputError, match="x is of type"):
        feature_cosine(np.array([["a"]]))
