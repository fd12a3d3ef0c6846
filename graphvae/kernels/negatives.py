"""Uniform non-edges for training, drawn with torch's current generator and rejected by sorted keys."""

from __future__ import annotations

import torch
from torch import Tensor

from graphvae._check import InputError

__all__ = ["edge_keys", "sample_by_node", "sample_negative_pairs", "sample_pairs"]


def edge_keys(pairs: Tensor, num_nodes: int) -> Tensor:
    """Sorted int64 keys ``u N + v`` of pairs ``(2, P)`` with u < v."""
    return (pairs[0] * num_nodes + pairs[1]).sort().values


def sample_pairs(num_nodes: int, count: int, device: torch.device | None = None) -> Tensor:
    """``(2, count)`` pairs u < v, uniform and independent."""
    u = torch.randint(num_nodes, (count,), device=device)
    # An offset of 1 to N-1 makes every ordered pair of distinct nodes equally likely.
    v = (u + torch.randint(1, max(num_nodes, 2), (count,), device=device)) % num_nodes
    return torch.stack([torch.minimum(u, v), torch.maximum(u, v)])


def sample_negative_pairs(keys: Tensor, num_nodes: int, count: int) -> Tensor:
    """``(2, count)`` non-edges u < v, uniform and independent (with replacement).

    Args:
        keys: sorted keys of the edges, from :func:`edge_keys`.
        num_nodes: N.
        count: number of pairs.

    Raises:
        InputError: if every pair is an edge.
    """
    num_pairs = num_nodes * (num_nodes - 1) // 2
    if len(keys) >= num_pairs:
        raise InputError(f"the graph of {num_nodes} nodes is complete: expected at least one pair that is no edge")
    if 2 * len(keys) > num_pairs:
        # Rejection would hardly ever end; the non-edges are fewer than the keys at hand.
        u, v = torch.triu_indices(num_nodes, num_nodes, 1, device=keys.device)
        free = u * num_nodes + v
        free = free[~torch.isin(free, keys)]
        drawn = free[torch.randint(len(free), (count,), device=keys.device)]
        return torch.stack([drawn // num_nodes, drawn % num_nodes])
    pairs = sample_pairs(num_nodes, count, keys.device)
    if len(keys) == 0:
        return pairs
    while True:
        key = pairs[0] * num_nodes + pairs[1]
        at = torch.searchsorted(keys, key).clamp_(max=len(keys) - 1)
        hit = (keys[at] == key).nonzero().squeeze(1)
        if hit.numel() == 0:
            return pairs
        pairs[:, hit] = sample_pairs(num_nodes, hit.numel(), keys.device)


def sample_by_node(keys: Tensor, num_nodes: int, nodes: int, partners: int) -> Tensor:
    """``(2, Q)`` non-edges u < v: uniform partners of some uniform nodes, for scores that cost by the node.

    Args:
        keys: sorted keys of the edges, from :func:`edge_keys`.
        num_nodes: N.
        nodes: how many different nodes, at most.
        partners: drawn for each of them; those that are linked to it, or itself, are left out.
    """
    u = torch.randperm(num_nodes, device=keys.device)[:nodes].repeat_interleave(partners)
    v = torch.randint(num_nodes, (len(u),), device=keys.device)
    low, high = torch.minimum(u, v), torch.maximum(u, v)
    free = (u != v) & ~torch.isin(low * num_nodes + high, keys)
    return torch.stack([low[free], high[free]])
