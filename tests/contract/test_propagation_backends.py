"""Every backend of ``propagate`` is the product of scipy, with its first and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch

from graphvae.kernels.propagation import BACKENDS, propagate
from graphvae.kernels.sparse import SparseMatrix, normalised_adjacency

# Rows and columns without entries, wide and tall matrices, and matrices without any row, column or entry.
SHAPES = [(7, 7, 0.4), (5, 9, 0.2), (9, 5, 0.2), (6, 6, 0.0), (0, 4, 0.0), (4, 0, 0.0), (1, 1, 1.0)]


# Of both precisions; C's own, of float32 alone, is tested with the others' first test.
DOUBLE = [name for name in BACKENDS if name != "native"]


@pytest.fixture(params=DOUBLE)
def backend(request):
    if request.param == "scatter":
        pytest.importorskip("torch_scatter", reason="torch-scatter is not installed: pip install graphvae[scatter]")
    return request.param


def csr(m: int, n: int, density: float, value: float | None = None) -> tuple[SparseMatrix, scipy.sparse.csr_array]:
    a = scipy.sparse.random_array((m, n), density=density, format="csr", rng=np.random.default_rng(3))
    a.data = a.data - 0.5 if value is None else np.full_like(a.data, value)
    return SparseMatrix.from_csr(*(torch.as_tensor(part) for part in (a.indptr, a.indices, a.data)), (m, n)), a


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_product_and_gradient_are_those_of_scipy(backend, shape, dtype, atol):
    matrix, a = csr(*shape)
    x, weight = (np.random.default_rng(4).normal(size=(size, 3)) for size in (shape[1], shape[0]))
    leaf = torch.tensor(x, dtype=dtype, requires_grad=True)
    out = propagate(matrix, leaf, backend)
    assert out.dtype == dtype
    np.testing.assert_allclose(out.detach(), a @ x, rtol=0, atol=atol)
    (out * torch.tensor(weight, dtype=dtype)).sum().backward()
    np.testing.assert_allclose(leaf.grad, a.T @ weight, rtol=0, atol=atol)


@pytest.mark.parametrize("shape", [*SHAPES, (60, 50, 0.3)])
@pytest.mark.parametrize("width", [1, 3, 16, 18, 32, 40, 64, 100, 130])
@pytest.mark.parametrize("value", [None, 0.7])
def test_product_and_gradient_in_c_are_those_of_scipy(compiled, shape, width, value):
    matrix, a = csr(*shape, value)
    matrix = matrix.to(dtype=torch.float32).settled()
    assert (matrix.constant is not None) == (a.nnz > 0 and bool((a.data == a.data[0]).all()))
    x, weight = (np.random.default_rng(4).normal(size=(size, width)) for size in (shape[1], shape[0]))
    leaf = torch.tensor(x, dtype=torch.float32, requires_grad=True)
    out = propagate(matrix, leaf, "native")
    np.testing.assert_allclose(out.detach(), a @ x, rtol=0, atol=1e-5)
    (out * torch.tensor(weight, dtype=torch.float32)).sum().backward()
    np.testing.assert_allclose(leaf.grad, a.T @ weight, rtol=0, atol=1e-5)


def test_agrees_with_torch_sparse_on_a_propagation_matrix(backend):
    index = torch.tensor([[0, 0, 1, 1, 2, 3], [1, 2, 0, 3, 0, 1]])
    matrix = normalised_adjacency(index, 5, dtype=torch.float64)
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theirs = torch.sparse.mm(matrix.to_dense().to_sparse_coo(), x)
    torch.testing.assert_close(propagate(matrix, x, backend), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("symmetric", [False, True])
def test_gradcheck_and_gradgradcheck(backend, symmetric):
    index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    matrix = normalised_adjacency(index, 4, dtype=torch.float64) if symmetric else csr(5, 4, 0.4)[0]
    x = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: propagate(matrix, x, backend), x)
    # Linear in x, so of something that is not.
    assert torch.autograd.gradgradcheck(lambda x: propagate(matrix, x, backend).exp(), x)
