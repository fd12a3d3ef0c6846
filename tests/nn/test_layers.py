"""Layers on dense, sparse and no features are one map, initialised within Glorot's limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from graphvae.kernels.sparse import SparseMatrix, normalised_adjacency
from graphvae.nn.layers import GraphConvolution, SparseLinear

N, WIDTH = 6, 4
PROPAGATION = normalised_adjacency(torch.tensor([[0, 1, 1, 4], [1, 0, 4, 1]]), N, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(4)
        yield


def make(kind: type[nn.Module], bias: bool) -> nn.Module:
    layer = kind(N, WIDTH, bias=bias).double()
    if bias:
        nn.init.normal_(layer.bias)
    return layer


def identity() -> SparseMatrix:
    return SparseMatrix.from_csr(torch.arange(N + 1), torch.arange(N), torch.ones(N, dtype=torch.float64), (N, N))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", [SparseLinear, GraphConvolution])
def test_no_features_are_the_identity_dense_or_sparse(kind, bias):
    layer = make(kind, bias)
    extra = () if kind is SparseLinear else (PROPAGATION,)
    results = []
    for x in (None, identity(), torch.eye(N, dtype=torch.float64)):
        out = layer(x, *extra)
        results.append([out, *torch.autograd.grad(out.square().sum(), list(layer.parameters()))])
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_a_graph_convolution_is_its_formula(bias):
    layer, x = make(GraphConvolution, bias), torch.randn(N, N, dtype=torch.float64)
    expected = PROPAGATION.to_dense() @ x @ layer.linear.weight + (layer.bias if bias else 0)
    torch.testing.assert_close(layer(x, PROPAGATION), expected, rtol=0, atol=1e-13)
    names = {"linear.weight", "bias"} if bias else {"linear.weight"}
    assert set(dict(layer.named_parameters())) == names


@pytest.mark.parametrize("parts", [1, 2])
def test_initial_weights_fill_glorot_s_range_of_each_part(parts):
    weight = SparseLinear(300, 64, bias=True, parts=parts).weight.detach()
    limit = math.sqrt(6 / (300 + 64 / parts))
    assert float(weight.abs().max()) <= limit
    assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert not SparseLinear(3, 2, bias=True).bias.any()
