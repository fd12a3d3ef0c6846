"""The cost model: it grows as the algorithms do, crosses once, and never asks a clock."""

from __future__ import annotations

import pytest
import torch

from graphvae.kernels.cost import estimate_cost, estimate_is_cheaper, exact_cost

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_growth_is_that_of_the_algorithms():
    assert exact_cost(20_000, 16) == pytest.approx(4 * exact_cost(10_000, 16))
    small, large = (estimate_cost(n, 10 * n, 16) for n in (10**6, 2 * 10**6))
    assert large == pytest.approx(2 * small, rel=0.01)
    assert estimate_cost(1000, 0, 64) > estimate_cost(1000, 0, 16)


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("latent_dim", [2, 16, 64, 128])
def test_there_is_one_crossing(latent_dim, device):
    sizes = [2**k for k in range(3, 21)]
    chosen = [estimate_is_cheaper(n, 5 * n, latent_dim, device) for n in sizes]
    assert chosen == sorted(chosen)
    assert not chosen[0]
    assert chosen[-1]
