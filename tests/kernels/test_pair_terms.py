"""One weighted sum over pairs, with one gradient: the terms taken one by one, by automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae.kernels.control_variate import ControlVariate, pair_softplus_estimate
from graphvae.kernels.edges import EdgeSet
from graphvae.kernels.pair_terms import PairWeights, pair_terms
from graphvae.kernels.softplus import softplus
from graphvae.training.randomness import seeded

NUMBERS = st.floats(-2, 2)


def leaves(n: int, d: int, scale: float, bias: float, seed: int) -> list[torch.Tensor]:
    z = torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return [each.requires_grad_() for each in (z, *(torch.tensor(x, dtype=torch.float64) for x in (scale, bias)))]


def by_parts(z, scale, bias, pairs, all_pairs, on_edges, on_diagonal, signature, total=None):
    s = (z if signature is None else z * signature) @ z.T * scale + bias
    total = softplus(s).sum() if total is None else total
    weighted = [
        (w.plus * softplus(x) + w.minus * softplus(-x) + w.linear * x).sum()
        for w, x in ((on_edges, s[pairs[0], pairs[1]]), (on_diagonal, s.diagonal()))
    ]
    return all_pairs * total + sum(weighted)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 12),
    d=st.integers(1, 4),
    scale=NUMBERS,
    bias=NUMBERS,
    all_pairs=NUMBERS,
    on=st.tuples(*[NUMBERS] * 6),
    signed=st.booleans(),
    estimated=st.booleans(),
    wanted=st.sets(st.integers(0, 2), min_size=1),
    seed=st.integers(0, 99),
)
def test_value_and_gradients_are_those_of_the_parts(n, d, scale, bias, all_pairs, on, signed, estimated, wanted, seed):
    pairs = torch.triu_indices(n, n, 1)[:, seed % 2 :: 2]
    weights = all_pairs, PairWeights(*on[:3]), PairWeights(*on[3:])
    given = leaves(n, d, scale, bias, seed)
    for index, each in enumerate(given):
        each.requires_grad_(index in wanted)
    asked = [given[index] for index in wanted]
    signature = torch.tensor([-1.0, 1.0, 0.5, 2.0], dtype=torch.float64)[:d] if signed else None
    variate, total = None, None
    if estimated:
        s = ((given[0] if signature is None else given[0] * signature) @ given[0].T * given[1] + given[2])[tuple(pairs)]
        with seeded(seed):
            total = pair_softplus_estimate(*given, ControlVariate(n, pairs), edge_logits=s, signature=signature)
        variate = ControlVariate(n, pairs)
    with seeded(seed):
        ours = pair_terms(*given, EdgeSet(pairs, n), *weights, signature=signature, variate=variate, block=5)
    theirs = by_parts(*given, pairs, *weights, signature, total)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    gradients = (torch.autograd.grad(3 * value, asked, retain_graph=True) for value in (ours, theirs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_an_estimate_learns_only_where_a_gradient_is_wanted():
    z, scale, bias = leaves(9, 3, 1.0, 0.0, 0)
    variate = ControlVariate(9, torch.tensor([[0], [3]]))
    edges, weights = EdgeSet(torch.tensor([[0], [3]]), 9), (1.0, PairWeights(), PairWeights())
    with torch.no_grad():
        pair_terms(z, scale, bias, edges, *weights, variate=variate)
    assert variate.state_dict()["moments"] == [0.0] * 6
    pair_terms(z, scale, bias, edges, *weights, variate=variate)
    assert 2 * 9 - 4 <= variate.state_dict()["moments"][0] <= 2 * 9  # but for shifts that meet the edge


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_reported_keeps_small_terms(dtype):
    z, scale, bias = torch.zeros(300, 2, dtype=dtype), torch.ones((), dtype=dtype), torch.tensor(-9.0, dtype=dtype)
    edges, exact = EdgeSet(torch.tensor([[0], [1]]), 300), softplus(torch.tensor(-9.0, dtype=torch.float64))
    value = pair_terms(z, scale, bias, edges, 0.5, PairWeights(plus=1.0), PairWeights(plus=-0.5))
    torch.testing.assert_close(value.double(), (300 * 299 / 2 + 1) * exact, rtol=3e-7, atol=0)
