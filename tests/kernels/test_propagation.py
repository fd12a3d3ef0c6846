"""The door of ``propagate``: what it refuses, and gradients through layouts that callers pass."""

from __future__ import annotations

import sys

import pytest
import torch

from graphvae._check import InputError
from graphvae.kernels.propagation import BACKENDS, choose_backend, propagate
from graphvae.kernels.sparse import SparseMatrix

MATRIX = SparseMatrix.from_csr(
    torch.tensor([0, 2, 2, 3]), torch.tensor([0, 3, 1]), torch.tensor([1.0, -2.0, 0.5]), (3, 4)
)


@pytest.mark.parametrize("x", [torch.zeros(3, 2), torch.zeros(4), torch.zeros(1, 4, 2)])
def test_shapes_that_do_not_fit_are_refused(x):
    with pytest.raises(InputError, match=r"x has shape .*: expected \(4, D\)"):
        propagate(MATRIX, x)


def test_unknown_backend_is_refused():
    with pytest.raises(InputError, match=r"backend='spars': expected one of .*did you mean 'sparse'"):
        propagate(MATRIX, torch.zeros(4, 2), backend="spars")


def test_missing_torch_scatter_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_scatter", None)
    with pytest.raises(InputError, match=r"needs torch-scatter: pip install --no-build-isolation"):
        propagate(MATRIX, torch.zeros(4, 2), backend="scatter")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 16, 500])
def test_the_chosen_backend_exists_and_keeps_the_dtype(dtype, width):
    x = torch.zeros(4, width, dtype=dtype)
    assert choose_backend(MATRIX, x) in BACKENDS
    assert propagate(MATRIX, x).dtype == dtype


def test_c_takes_single_precision_alone():
    with pytest.raises(InputError, match=r"backend='native': expected float32 on a CPU it is compiled for, not .*64"):
        propagate(MATRIX, torch.zeros(4, 2, dtype=torch.float64), backend="native")


def test_strides_do_not_matter():
    wide = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    dense = MATRIX.to_dense()
    for x in (wide[:, ::2], wide[:, 3:], wide.T.contiguous().T, wide[:1].expand(4, 6)):
        torch.testing.assert_close(propagate(MATRIX, x), dense @ x)
    # The gradient of a sum is one number in every place, without memory of its own.
    x = wide.clone().requires_grad_()
    propagate(MATRIX, x).sum().backward()
    torch.testing.assert_close(x.grad, dense.sum(0)[:, None].expand(4, 6))


def test_no_gradient_is_claimed_where_none_is_wanted():
    assert not propagate(MATRIX, torch.zeros(4, 2)).requires_grad
    with torch.no_grad():
        assert not propagate(MATRIX, torch.zeros(4, 2, requires_grad=True)).requires_grad
