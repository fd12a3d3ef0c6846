"""The committed cost model: which way to take the sum over all pairs is cheaper, never decided by a clock.

Its constants were fitted by ``python benchmarks/pair_kernels.py``, whose measurements are committed beside it.
"""

from __future__ import annotations

import torch

__all__ = ["estimate_cost", "estimate_is_cheaper", "exact_cost"]


def exact_cost(num_nodes: int, latent_dim: int) -> float:
    """Nanoseconds of one value and gradient in row blocks, on one core: all N² pairs, half of them computed."""
    return num_nodes**2 * (0.88 + 0.047 * latent_dim)


def estimate_cost(num_nodes: int, num_edges: int, latent_dim: int) -> float:
    """Nanoseconds of one estimate with its gradient, two shifts, on one core; a fixed part for the calls themselves."""
    return 915e3 + 10.9 * num_nodes * latent_dim + 7.2 * num_edges


def estimate_is_cheaper(
    num_nodes: int, num_edges: int, latent_dim: int, device: torch.device, worth: float = 1.0
) -> bool:
    """Whether the control variate beats row blocks by more than ``worth``, what exactness may cost in its units.

    On a GPU, where a pair costs a hundredth, it does so from larger graphs on.
    """
    exact = exact_cost(num_nodes, latent_dim) / (100 if device.type == "cuda" else 1)
    return worth * estimate_cost(num_nodes, num_edges, latent_dim) < exact
