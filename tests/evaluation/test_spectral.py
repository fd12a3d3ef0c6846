"""The spectral baseline: sparse and dense eigenvectors give the same scores."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from graphvae._check import InputError
from graphvae.evaluation import spectral
from graphvae.evaluation.spectral import spectral_embedding


def test_sparse_and_dense_eigenvectors_give_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = nx.connected_caveman_graph(12, 8)
    matrix = nx.to_scipy_sparse_array(graph, dtype=np.float64, format="csr")
    pairs = np.stack(np.triu_indices(96, 1))
    monkeypatch.setattr(spectral, "_DENSE_NODES", 0)
    found = spectral_embedding(matrix, 12).pairs(pairs)
    monkeypatch.undo()
    assert found == pytest.approx(spectral_embedding(matrix, 12).pairs(pairs), abs=1e-6)
    same_cave = pairs[0] // 8 == pairs[1] // 8
    assert found[same_cave].mean() > 10 * abs(found[~same_cave].mean())


def test_a_graph_without_edges_scores_zero_and_bad_dimensions_are_refused() -> None:
    matrix = nx.to_scipy_sparse_array(nx.empty_graph(3), dtype=np.float64, format="csr")
    assert spectral_embedding(matrix).pairs([[0], [1]]).tolist() == [0.0]
    with pytest.raises(InputError, match="dimensions=0"):
        spectral_embedding(matrix, 0)
