"""A graph as tensors: dense and sparse features, types, refusals, and dropout that draws only what is there."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.kernels.sparse import SparseMatrix
from graphvae.nn.inputs import GraphInputs, dropout_features

EDGES = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
X = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0], [3.0, 4.0]])


def build(x, **options) -> GraphInputs:
    graph = Graph(EDGES, x, num_nodes=4)
    return GraphInputs.build(graph.edge_index, 4, graph.x, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_keep_their_kind(dtype):
    dense, sparse = build(X, dtype=dtype), build(scipy.sparse.csr_array(X), dtype=dtype)
    assert isinstance(dense.x, torch.Tensor)
    assert isinstance(sparse.x, SparseMatrix)
    for inputs, x in ((dense, dense.x), (sparse, sparse.x.to_dense())):
        assert np.array_equal(x, X)
        assert x.dtype == inputs.propagation.values.dtype == dtype
        assert (inputs.num_nodes, inputs.num_features) == (4, 2)
        assert torch.equal(inputs.edge_index, EDGES)


def test_a_graph_without_features():
    inputs = build(None)
    assert inputs.x is None
    assert (inputs.num_nodes, inputs.num_features) == (4, 0)


def test_weights_enter_the_propagation_and_negative_ones_are_refused():
    weighted = GraphInputs.build(EDGES, 4, None, torch.tensor([2.0, 2.0, 0.5, 0.5]), dtype=torch.float64)
    expected = 2 / np.sqrt(3.0 * 3.5)
    assert float(weighted.propagation.to_dense()[0, 1]) == pytest.approx(expected, rel=1e-15)
    with pytest.raises(InputError, match=r"edge_weight contains -1\.0: a GCN expects weights of at least 0"):
        GraphInputs.build(EDGES, 4, None, torch.tensor([2.0, 2.0, -1.0, -1.0]))


@pytest.mark.parametrize("sparse", [False, True])
def test_dropout_keeps_the_mean_and_the_zeros(sparse):
    x = (torch.arange(2000) % 2).float().reshape(200, 10) * 3
    if sparse:
        rows, columns = x.nonzero().T
        pointers = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(rows).cumsum(0)])
        x = SparseMatrix.from_csr(pointers, columns, x[rows, columns], (200, 10))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        dropped = dropout_features(x, 0.25, training=True)
    before, after = (t.to_dense() if sparse else t for t in (x, dropped))
    assert set(after[before == 0].tolist()) == {0.0}
    assert set(after[before > 0].tolist()) == {0.0, 4.0}
    assert float((after[before > 0] == 0).float().mean()) == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 1000) ** 0.5)
    assert dropout_features(x, 0.25, training=False) is x
    assert dropout_features(x, 0.0, training=True) is x


def test_dense_features_that_are_mostly_zeros_are_multiplied_as_sparse_ones():
    rare = np.zeros((4, 10))
    rare[1, 3], rare[2, 0] = 2.0, -1.0
    inputs = build(rare)
    assert isinstance(inputs.x, SparseMatrix)
    assert np.array_equal(inputs.x.to_dense(), rare)
    assert inputs.propagated is None


def test_narrow_dense_features_are_propagated_once():
    inputs = build(X, dtype=torch.float64)
    expected = inputs.propagation.to_dense() @ torch.from_numpy(X)
    torch.testing.assert_close(inputs.propagated, expected)
    wide = np.random.default_rng(0).normal(size=(4, 129))
    assert build(wide).propagated is None
    assert build(wide[:, :128]).propagated is not None
    assert build(None).propagated is None
