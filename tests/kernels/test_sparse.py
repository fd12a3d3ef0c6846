"""Sparse matrices against scipy; the propagation matrix against its definition and PyG."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch

from graphvae.kernels import sparse
from graphvae.kernels.sparse import SparseMatrix, normalised_adjacency


def random_matrix(shape: tuple[int, int], seed: int = 0, density: float = 0.3) -> tuple[SparseMatrix, np.ndarray]:
    a = scipy.sparse.random_array(shape, density=density, format="csr", rng=np.random.default_rng(seed))
    parts = (torch.as_tensor(part) for part in (a.indptr, a.indices, a.data))
    return SparseMatrix.from_csr(*parts, shape), a.toarray()


def random_graph(n: int, seed: int, p: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """Sorted edge index of both directions and symmetric weights; the last node is isolated."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(n, n, generator=generator, dtype=torch.float64).triu(1)
    weight = weight * (torch.rand(n, n, generator=generator) < p)
    weight[:, n - 1] = 0
    weight = weight + weight.T
    index = weight.nonzero().T
    return index, weight[index[0], index[1]]


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6), (3, 0), (0, 3), (1, 1)])
def test_transpose_and_dense(shape):
    matrix, dense = random_matrix(shape)
    assert np.array_equal(matrix.to_dense().numpy(), dense)
    assert np.array_equal(matrix.T.to_dense().numpy(), dense.T)
    assert np.array_equal(matrix.T.T.to_dense().numpy(), dense)
    assert matrix.T.shape == shape[::-1]


def test_repeated_entries_add_up():
    matrix = SparseMatrix.from_csr(torch.tensor([0, 3]), torch.tensor([1, 1, 0]), torch.tensor([1.0, 2.0, 4.0]), (1, 2))
    assert matrix.to_dense().tolist() == [[4.0, 3.0]]
    assert matrix.T.to_dense().tolist() == [[4.0], [3.0]]


def test_other_values_share_the_structure_but_not_the_symmetry():
    matrix = normalised_adjacency(torch.tensor([[0, 1], [1, 0]]), 2)
    values = torch.tensor([1.0, 2.0, 3.0, 4.0])
    other = matrix.with_values(values)
    assert other.T.to_dense().tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert matrix.with_values(2 * values).T.columns is other.T.columns
    assert matrix.T is matrix


def test_one_value_for_all_entries_is_known_until_they_change():
    matrix = normalised_adjacency(torch.tensor([[0, 1], [1, 0]]), 2)
    settled = matrix.with_values(torch.full((4,), 0.3)).settled()
    assert settled.constant == settled.T.constant == settled.to(dtype=torch.float64).constant == pytest.approx(0.3)
    assert settled.with_values(torch.arange(4.0)).settled().constant is None
    assert settled.with_values(torch.full((4,), float("nan"))).settled().constant is None
    assert matrix.with_values(torch.ones(4)).constant is None


def test_conversion_keeps_the_matrix():
    matrix, dense = random_matrix((4, 7))
    single = matrix.to(dtype=torch.float32)
    assert single.values.dtype == torch.float32
    assert np.array_equal(single.to(device=torch.device("cpu"), dtype=torch.float64).to_dense(), np.float32(dense))


def test_indices_are_narrow_only_while_every_one_fits(monkeypatch):
    matrix, dense = random_matrix((4, 7), density=0.9)
    assert matrix.row_pointers.dtype == matrix.columns.dtype == matrix.T.columns.dtype == torch.int32
    # More entries than the limit, though neither side nor the row pointers are as long.
    monkeypatch.setattr(sparse, "_INT32_LIMIT", 10)
    wide, _ = random_matrix((4, 7), density=0.9)
    assert wide.row_pointers.dtype == wide.columns.dtype == wide.T.row_pointers.dtype == torch.int64
    assert np.array_equal(wide.T.to_dense(), dense.T)


@pytest.mark.parametrize("weighted", [False, True])
def test_normalised_adjacency_is_its_definition_and_pyg_s(weighted):
    from torch_geometric.nn.conv.gcn_conv import gcn_norm

    n = 12
    index, weight = random_graph(n, seed=1)
    assert index.shape[1] > 20
    weight = weight if weighted else None
    matrix = normalised_adjacency(index, n, weight, torch.float64)

    a = np.eye(n)
    a[tuple(index.numpy())] = 1 if weight is None else weight
    root = np.diag(a.sum(1) ** -0.5)
    np.testing.assert_allclose(matrix.to_dense(), root @ a @ root, rtol=0, atol=1e-15)
    assert matrix.symmetric

    loops, values = gcn_norm(index, weight, n, add_self_loops=True, dtype=torch.float64)
    theirs = torch.zeros(n, n, dtype=torch.float64).index_put((loops[0], loops[1]), values)
    torch.testing.assert_close(matrix.to_dense(), theirs, rtol=0, atol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_graph_without_edges_propagates_nothing(n):
    matrix = normalised_adjacency(torch.empty(2, 0, dtype=torch.int64), n)
    assert torch.equal(matrix.to_dense(), torch.eye(n))
    assert matrix.values.dtype == torch.float32
