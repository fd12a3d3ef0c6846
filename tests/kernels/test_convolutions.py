"""The whole network against its equation, layer by layer in dense matrices, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.convolutions import convolutions
from graphvae.kernels.sparse import SparseMatrix, normalised_adjacency

WIDTHS = {"linear": (5,), "two layers": (32, 6), "three layers": (7, 16, 3)}
N, F = 40, 11


def of_dense(matrix: Tensor) -> SparseMatrix:
    rows, columns = matrix.nonzero().T
    pointers = torch.cat([torch.zeros(1, dtype=torch.int64), (matrix != 0).sum(1).cumsum(0)])
    return SparseMatrix.from_csr(pointers, columns, matrix[rows, columns], tuple(matrix.shape))


def graph(dtype: torch.dtype) -> SparseMatrix:
    pairs = torch.triu_indices(N, N, 1)[:, ::7]
    both = torch.cat([pairs, pairs.flip(0)], 1)
    return normalised_adjacency(both[:, torch.argsort(both[0] * N + both[1])], N, dtype=dtype)


@pytest.mark.parametrize("kernels", ["compiled", "torch_kernels"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("features", ["dense", "sparse", "propagated", "none"])
def test_value_and_gradient_are_those_of_the_equation(features, widths, dtype, kernels, request):
    request.getfixturevalue(kernels)
    generator = torch.Generator().manual_seed(0)
    matrix = graph(dtype)
    a = matrix.to_dense().double()
    x = torch.randn(N, F, generator=generator, dtype=torch.float64)
    if features == "sparse":
        x = x * (x > 1)
    x = torch.eye(N, dtype=torch.float64) if features == "none" else x
    sizes = [len(x[0]), *widths]
    weights = [torch.randn(i, o, generator=generator, dtype=torch.float64) for i, o in zip(sizes, widths, strict=False)]
    along = torch.randn(N, widths[-1], generator=generator, dtype=torch.float64)

    leaves = [each.clone().requires_grad_() for each in (x, *weights)]
    h = leaves[0] if features == "propagated" else a @ leaves[0]
    expected = h @ leaves[1]
    for weight in leaves[2:]:
        expected = a @ expected.relu() @ weight
    gradients = torch.autograd.grad(expected, leaves, along)

    given = [each.to(dtype).requires_grad_() for each in (x, *weights)]
    seen = {"dense": given[0], "propagated": given[0], "sparse": of_dense(x.to(dtype)), "none": None}[features]
    found = convolutions(seen, matrix, given[1:], propagated=features == "propagated")
    assert found.dtype == dtype
    rtol = 1e-4 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(
        found.double(), expected.detach(), rtol=rtol, atol=rtol * float(expected.detach().abs().max())
    )
    skip = 0 if isinstance(seen, Tensor) else 1  # what is sparse is data
    for ours, theirs in zip(torch.autograd.grad(found, given[skip:], along.to(dtype)), gradients[skip:], strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=rtol, atol=rtol * float(theirs.abs().max()))


def test_weights_stay_as_they_are_and_need_no_gradient():
    matrix, weights = graph(torch.float32), [torch.randn(N, 4), torch.randn(4, 2)]
    before = [each.clone() for each in weights]
    assert not convolutions(None, matrix, weights).requires_grad
    assert all(map(torch.equal, before, weights))


def test_a_gradient_reaches_what_wants_one_alone():
    matrix, weights = graph(torch.float32), [torch.randn(N, 4), torch.randn(4, 2, requires_grad=True)]
    convolutions(None, matrix, weights).sum().backward()
    assert weights[0].grad is None
    assert weights[1].grad is not None


def test_propagated_features_are_dense():
    with pytest.raises(InputError, match="propagated=True: expected dense features, not NoneType"):
        convolutions(None, graph(torch.float32), [torch.ones(N, 2)], propagated=True)


@pytest.mark.parametrize("kernels", ["compiled", "torch_kernels"])
@pytest.mark.parametrize(
    ("x", "weights", "named"),
    [
        (None, [torch.ones(3, 4)], r"weights\[0\] has shape \(3, 4\): expected \(40, D\)"),
        (torch.ones(5, 3), [torch.ones(3, 4)], r"x has shape \(5, 3\): expected \(40, F\)"),
        (torch.ones(N, 3), [torch.ones(3, 4), torch.ones(5, 2)], r"weights\[1\] has shape \(5, 2\): expected \(4, D\)"),
        (of_dense(torch.ones(N, 3)), [torch.ones(4, 4)], r"weights\[0\] has shape \(4, 4\): expected \(3, D\)"),
        (of_dense(torch.ones(3, 3)), [torch.ones(3, 4)], r"x has shape \(3, 3\)"),
        (torch.ones(N, 3), [], "expected one or more"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x, weights, named, kernels, request):
    request.getfixturevalue(kernels)
    with pytest.raises(InputError, match=named):
        convolutions(x, graph(torch.float32), weights)


def test_a_second_derivative_is_refused_and_not_taken_for_zero():
    weight = torch.ones(N, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="differentiable once"):
        torch.autograd.grad(convolutions(None, graph(torch.float32), [weight]).sum(), weight, create_graph=True)
