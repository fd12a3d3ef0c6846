"""The propagation matrix of some of the edges is that of a graph that has no others."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.kernels.masking import MaskableAdjacency
from graphvae.kernels.sparse import normalised_adjacency


def random_graph(n: int, density: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    a = (torch.rand(n, n, generator=generator) < density).triu(1)
    return (a | a.T).nonzero().T


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**6), st.booleans())
def test_equals_the_matrix_of_the_graph_that_is_left(n, density, rate, seed, weighted):
    edges = random_graph(n, density, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    upper = edges[0] < edges[1]
    kept = torch.rand(int(upper.sum()), generator=generator) < rate
    weight = None
    if weighted:
        table = torch.rand(n, n, dtype=torch.float64, generator=generator) + 0.1
        weight = (table + table.T)[tuple(edges)]
    maskable = MaskableAdjacency(edges, n, weight, torch.float64)
    left = torch.zeros(n, n, dtype=torch.bool)
    left[tuple(edges[:, upper][:, kept])] = True
    both = (left | left.T)[tuple(edges)]
    expected = normalised_adjacency(edges[:, both], n, None if weight is None else weight[both], torch.float64)
    found = maskable(kept)
    assert torch.equal(found.row_pointers, expected.row_pointers)
    assert torch.equal(found.columns, expected.columns)
    torch.testing.assert_close(found.values, expected.values, rtol=1e-12, atol=0)
    assert found.symmetric
    assert torch.equal(edges[:, kept[maskable.edges]], edges[:, both])


def test_a_mask_of_another_length_is_refused():
    maskable = MaskableAdjacency(random_graph(6, 0.5, 0), 6)
    with pytest.raises(InputError, match=r"kept has shape \(2,\): expected"):
        maskable(torch.ones(2, dtype=torch.bool))
