"""Inner products along edges: the values, and a gradient that is a sparse product, against plain indexing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.kernels import edges as module
from graphvae.kernels.edges import EdgeSet, edge_dots, pair_dots


@st.composite
def graphs(draw):
    n = draw(st.integers(2, 9))
    every = [(u, v) for u in range(n) for v in range(u + 1, n)]
    pairs = draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    return torch.tensor(pairs).T, n


@settings(max_examples=50, deadline=None)
@given(graphs(), st.integers(1, 4), st.integers(0, 9))
def test_values_and_gradient_are_those_of_indexing(graph, d, seed):
    pairs, n = graph
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, d, dtype=torch.float64, generator=generator).requires_grad_()
    weight = torch.randn(pairs.shape[1], dtype=torch.float64, generator=generator)
    found, expected = edge_dots(z, EdgeSet(pairs, n)), (z[pairs[0]] * z[pairs[1]]).sum(-1)
    torch.testing.assert_close(found, expected)
    (a,), (b,) = (torch.autograd.grad(value @ weight, z) for value in (found, expected))
    torch.testing.assert_close(a, b)


def test_a_signature_weighs_the_dimensions():
    pairs, signature = torch.triu_indices(5, 5, 1), torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    z = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.arange(10.0, dtype=torch.float64)
    found = edge_dots(z, EdgeSet(pairs, 5), signature)
    expected = (signature * z[pairs[0]] * z[pairs[1]]).sum(-1)
    torch.testing.assert_close(found, expected)
    (a,), (b,) = (torch.autograd.grad(value @ weight, z) for value in (found, expected))
    torch.testing.assert_close(a, b)


def test_weights_of_edges_are_a_symmetric_matrix():
    edges = EdgeSet(torch.tensor([[0, 2, 0], [3, 3, 1]]), 5)
    expected = torch.zeros(5, 5)
    expected[[0, 3, 2, 3, 0, 1], [3, 0, 3, 2, 1, 0]] = torch.tensor([1.0, 1, 2, 2, 3, 3])
    matrix = edges.weighted(torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(matrix.to_dense(), expected)
    assert edges.num_edges == 3


def test_blocks_change_nothing(monkeypatch):
    pairs = torch.triu_indices(7, 7, 1)
    z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    whole = edge_dots(z, EdgeSet(pairs, 7))
    monkeypatch.setitem(module.BLOCK, "cpu", 4)
    assert torch.equal(edge_dots(z, EdgeSet(pairs, 7)), whole)


def test_no_edges():
    none = EdgeSet(torch.empty(2, 0, dtype=torch.int64), 3)
    z = torch.ones(3, 2, requires_grad=True)
    assert edge_dots(z, none).shape == (0,)
    edge_dots(z, none).sum().backward()
    assert torch.equal(z.grad, torch.zeros(3, 2))


@pytest.mark.parametrize(
    "pairs", [[[1], [0]], [[1], [1]], [[0], [3]], [[-1], [0]], [[0, 1, 2]], [[[0]], [[1]]]], ids=str
)
def test_pairs_that_are_no_edges_are_refused(pairs):
    with pytest.raises(InputError, match=r"pairs of shape .* expected \(2, E\) nodes u < v below 3"):
        EdgeSet(torch.tensor(pairs), 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_any_pairs_without_a_gradient(dtype, signed, count):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(9, 18, dtype=dtype, generator=generator)[:, ::1].requires_grad_()
    pairs = torch.randint(9, (count, 2), generator=generator).T  # columns lie side by side
    signature = torch.linspace(-1, 1, 18, dtype=dtype) if signed else None
    expected = ((z if signature is None else z * signature)[pairs[0]] * z[pairs[1]]).sum(-1).detach()
    found = pair_dots(z, pairs, signature)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("row", [-1, 9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_is_not_there_is_refused(row, dtype):
    with pytest.raises(IndexError):
        pair_dots(torch.zeros(9, 16, dtype=dtype), torch.tensor([[0], [row]]))
