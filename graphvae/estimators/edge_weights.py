"""Whether a model reads edge weights, and the sentence that says so where it does not."""

from __future__ import annotations

from torch import nn

from graphvae.data.graph import Graph

__all__ = ["weights_ignored"]


def weights_ignored(encoder: nn.Module, graph: Graph) -> str | None:
    """A sentence if ``graph`` has edge weights that ``encoder`` does not read; else None.

    What is told apart is whether a pair is an edge, for every decoder; so weights matter in propagation or nowhere.
    """
    # A user's own network need not say whether it reads them.
    if graph.edge_weight is None or getattr(encoder, "uses_weights", True):
        return None
    return "Edge weights are ignored: this encoder does not read them."
