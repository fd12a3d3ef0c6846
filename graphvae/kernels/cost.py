"""The committed cost model: which way to take the sum over all pairs is cheaper, never decided by a clock.

Its constants were fitted by ``python benchmarks/pair_kernels.py``, whose measurements are committed beside it. They are
of torch's operators, whatever runs: the same seed takes the same path with a C compiler and without.
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


# The same two on a GPU, by arithmetic for a large one (pairs at the rate of its exponentials, about a hundred launches,
# memory at 4 TB/s): not measured; ``python benchmarks/gpu.py`` does that where there is one.
def _gpu_exact_cost(num_nodes: int, latent_dim: int) -> float:
    return 60e3 + num_nodes**2 * (3e-4 + 8e-6 * latent_dim)


def _gpu_estimate_cost(num_nodes: int, num_edges: int, latent_dim: int) -> float:
    return 800e3 + 0.02 * num_nodes * latent_dim + 0.05 * num_edges


def estimate_is_cheaper(
    num_nodes: int, num_edges: int, latent_dim: int, device: torch.device, worth: float = 1.0
) -> bool:
    """Whether the control variate beats the exact sum by more than ``worth``, what exactness may cost in its units."""
    if device.type == "cuda":
        return worth * _gpu_estimate_cost(num_nodes, num_edges, latent_dim) < _gpu_exact_cost(num_nodes, latent_dim)
    return worth * estimate_cost(num_nodes, num_edges, latent_dim) < exact_cost(num_nodes, latent_dim)
