"""Which edges are held out: at random, beside a spanning forest, the newest, or all edges of nodes held out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.data.fields import take_rows
from graphvae.data.graph import Graph
from graphvae.data.negatives import sample_non_edges

__all__ = ["all_edges_of_nodes", "edge_order", "non_edges_of", "spanning_forest", "without_nodes"]


def edge_order(
    pairs: Tensor, num_nodes: int, held: int, rng: np.random.Generator, *, connected: bool, times: Tensor | None
) -> np.ndarray:
    """``(E,)`` edges, those to hold out first: for the test part last of these where ``times`` decide.

    Args:
        pairs: ``(2, E)`` edges.
        num_nodes: N.
        held: how many are to be held out.
        rng: source of randomness.
        connected: put a spanning forest, random in its turn, behind all others.
        times: ``(E,)`` times; newest edges last among the first ``held``, ties at random.
    """
    order = rng.permutation(pairs.shape[1])
    if times is not None:
        by_age = order[np.argsort(times.numpy()[order], kind="stable")]
        return np.concatenate([by_age[len(by_age) - held :], by_age[: len(by_age) - held]])
    if connected:
        kept = np.isin(order, spanning_forest(pairs, num_nodes, rng))
        spare = int((~kept).sum())
        if held > spare:
            raise InputError(
                f'protocol="connected": {held} edges to hold out, and only {spare} of {len(order)} are in no spanning '
                "forest; expected smaller shares"
            )
        return np.concatenate([order[~kept], order[kept]])
    return order


def spanning_forest(pairs: Tensor, num_nodes: int, rng: np.random.Generator) -> np.ndarray:
    """``(F,)`` columns of ``pairs`` ``(2, E)``, the edges of a spanning forest: the lightest for weights at random."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    u, v = pairs.numpy()
    weights = rng.permutation(len(u)) + 1.0  # all different, and none is 0, which would be no edge
    tree = minimum_spanning_tree(csr_array((weights, (u, v)), shape=(num_nodes, num_nodes)))
    return np.flatnonzero(np.isin(weights, tree.data))


def all_edges_of_nodes(
    graph: Graph, sizes: dict[str, int], rng: np.random.Generator
) -> tuple[dict[str, Tensor], Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """Nodes held out by part, the edges that are left, and by part the edges with such an end and as many non-edges.

    Nodes are drawn among those that have an edge. An edge with ends in both parts is one of the test.

    Args:
        graph: undirected.
        sizes: nodes to hold out, ``"val"`` and ``"test"``.
        rng: source of randomness.

    Returns:
        sorted rows of nodes by part; ``(E',)`` columns of ``graph.pairs``; ``(2, P)`` edges and non-edges by part.

    Raises:
        InputError: if there are no more such nodes than are to be held out, or too few non-edges.
    """
    order = rng.permutation(torch.nonzero(graph.degrees).ravel().numpy())
    first, held = sizes["val"], sizes["val"] + sizes["test"]
    if held >= len(order):
        raise InputError(f"graph has {len(order)} nodes with edges: expected more than the {held} to hold out")
    nodes = {"val": np.sort(order[:first]), "test": np.sort(order[first:held])}
    ends = {name: np.isin(graph.pairs.numpy(), rows).any(0) for name, rows in nodes.items()}
    kept = torch.from_numpy(np.flatnonzero(~(ends["val"] | ends["test"])))
    if not len(kept):
        raise InputError(
            f"holding out {held} of {len(order)} nodes leaves no edge to train on: expected smaller shares"
        )
    ends["val"] &= ~ends["test"]
    rest, parts = np.arange(graph.num_nodes), {}
    for name in ("test", "val"):
        rest = np.setdiff1d(rest, nodes[name])
        positive = graph.pairs[:, torch.from_numpy(ends[name])]
        parts[name] = (positive, non_edges_of(nodes[name], rest, graph.pairs, positive.shape[1], rng))
    return {name: torch.from_numpy(rows) for name, rows in nodes.items()}, kept, parts


def non_edges_of(nodes: np.ndarray, others: np.ndarray, pairs: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """``(2, count)`` different sorted non-edges with an end in ``nodes`` and the other in ``nodes`` or ``others``.

    Uniform over all of them.

    Raises:
        InputError: if there are fewer.
    """
    # The nodes in question are numbered last, so that a pair touches one if its larger number is theirs.
    order = torch.from_numpy(np.concatenate([others, nodes]))
    place = torch.full((int(max(order.max(), pairs.max())) + 1,), -1, dtype=torch.int64)
    place[order] = torch.arange(len(order))
    edges = place[pairs].sort(0).values
    drawn = sample_non_edges(edges[:, edges[0] >= 0], len(order), count, rng, first=len(others))
    found = order[drawn].sort(0).values
    return found[:, torch.from_numpy(np.lexsort((found[1].numpy(), found[0].numpy())))]


def without_nodes(graph: Graph, gone: Tensor) -> Graph:
    """The graph without the nodes of the mask ``gone`` (N,) and without their edges; the others in their order."""
    keep = ~gone
    of_edges = keep[graph.edge_index].all(0)
    return Graph(
        (torch.cumsum(keep, 0) - 1)[graph.edge_index[:, of_edges]],
        x=None if graph.x is None else take_rows(graph.x, keep),
        y=None if graph.y is None else graph.y[keep],
        num_nodes=int(keep.sum()),
        edge_weight=None if graph.edge_weight is None else graph.edge_weight[of_edges],
        node_ids=graph.node_ids[keep.numpy()],
        encoding=graph.encoding,
    )
