"""Baselines know nodes by their edges and features only."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae.evaluation.heuristics import HEURISTICS


def adjacency(graph: nx.Graph) -> scipy.sparse.csr_array:
    return nx.to_scipy_sparse_array(graph, nodelist=range(len(graph)), weight=None, dtype=np.float64, format="csr")


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
        assert after == pytest.approx(before, rel=1e-9, abs=1e-12)
