"""Sums over shifted pairs: those of an N x N matrix, whatever the blocks."""

from __future__ import annotations

import pytest
import torch

from graphvae.kernels.control_variate import ControlVariate
from graphvae.kernels.shifted_pairs import Residuals, shifted_sums
from graphvae.kernels.softplus import softplus

N, D, SHIFTS = 11, 3, (2, 7, 7)


@pytest.mark.parametrize("block", [None, 1, 4, 50])
def test_sums_and_gradient_are_those_of_the_dense_matrices(block):
    z = torch.randn(N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    signs, edges = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64), torch.tensor([[0, 3], [5, 4]])
    ring, (scale, offset, fit) = ControlVariate(N, edges), (0.8, -0.3, (-0.2, 0.5, 0.4, 0.1))
    inner, squares, diagonal, sampled, g = shifted_sums(
        z.detach(), signs, SHIFTS, block, ring, Residuals(scale, offset, fit), 2.5, True
    )

    m, c0, c1, c2 = fit
    dot = (z * signs) @ z.T
    t = scale * dot + offset
    p, f = torch.sigmoid(t + m), softplus(t + m)
    place = ring.place[:, 0].long()
    counts = torch.zeros(N, N, dtype=torch.float64)
    for k in SHIFTS:
        for u in range(N):
            v = int(((place - (place[u] + k) % N) == 0).nonzero())
            counts[u, v] += 1
    counts[edges[0], edges[1]] = counts[edges[1], edges[0]] = 0
    parts = torch.ones(N, N), t, p, f, dot, t * t, t * p, t * dot, p * dot
    torch.testing.assert_close(
        torch.tensor([inner, squares], dtype=torch.float64), torch.stack([dot.sum(), dot.square().sum()]).detach()
    )
    for found, weight in ((diagonal, torch.eye(N)), (sampled, counts)):
        torch.testing.assert_close(found, torch.stack([(x * weight).sum() for x in parts]).detach().double())
    total = (c0 + c1 * t + c2 * t * t).sum() + ((f - c0 - c1 * t - c2 * t * t) * (torch.eye(N) + 2.5 * counts)).sum()
    (expected,) = torch.autograd.grad(total, z)
    torch.testing.assert_close(2 * scale * g * signs, expected)
