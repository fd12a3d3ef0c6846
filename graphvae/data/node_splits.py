"""Node splits: nodes held out with all their edges, to ask what a model says of nodes it has never seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from graphvae._check import InputError, integer, number
from graphvae.data.graph import Graph
from graphvae.data.protocols import non_edges_of, without_nodes
from graphvae.data.splits import LinkSet, LinkSplit, keep_edges

__all__ = ["NodeSplit", "split_nodes"]


@dataclass(frozen=True, eq=False)
class NodeSplit:
    """A graph without some of its nodes to fit on, and links of those nodes to be found.

    Attributes:
        seen: the graph without the nodes held out and without their edges: what a model may be fitted on.
        links: on all nodes; its training graph, what a fitted model is then given, has the edges between seen nodes
            and those of new nodes that are shown, its test pairs are the new nodes' other edges and as many non-edges.
        new: ``(M,)`` ids of the nodes held out.
    """

    seen: Graph
    links: LinkSplit
    new: np.ndarray

    def __repr__(self) -> str:
        sought, shown = self.links.test.positive.shape[1], self.links.train.num_edges - self.seen.num_edges
        return f"NodeSplit(seen={self.seen.num_nodes}, new={len(self.new)}, shown={shown}, sought={sought})"


def split_nodes(graph: Graph, share: float = 0.1, *, shown: float = 0.0, seed: int = 0) -> NodeSplit:
    """Hold out a share of the nodes, drawn uniformly, with their edges; for ``model.fit`` and ``model.evaluate``.

    The same seed holds out the same nodes whatever is shown of them.

    Args:
        graph: undirected.
        share: of the nodes, in (0, 1); rounded down.
        shown: share of the held-out nodes' edges that a fitted model is given when it is asked for the others; with 0
            features are all it knows of a new node.
        seed: a non-negative integer.

    Raises:
        InputError: for a directed graph, shares that hold out no node or seek no edge, or too few non-edges.

    Example:
        >>> ring = Graph.from_edges([list(range(20)), [*range(1, 20), 0]])
        >>> split_nodes(ring, 0.1)
        NodeSplit(seen=18, new=2, shown=0, sought=4)
    """
    if not isinstance(graph, Graph):
        raise InputError(f"graph is of type {type(graph).__name__}: expected a Graph")
    if graph.directed:
        raise InputError("graph has directed=True: expected an undirected graph; directed splits are not supported yet")
    share = number("share", share, low=0, high=1, open_low=True)
    shown, rng = number("shown", shown, low=0, high=1), np.random.default_rng(integer("seed", seed, low=0))
    n, held = graph.num_nodes, math.floor(share * graph.num_nodes)
    if not 0 < held < n:
        raise InputError(f"share={share:g} of {n} nodes holds out {held}: expected at least one, and one that is left")
    is_new = np.zeros(n, dtype=bool)
    is_new[rng.permutation(n)[:held]] = True
    touched = torch.from_numpy(is_new)[graph.pairs].any(0)
    edges = touched.nonzero().squeeze(1)[torch.from_numpy(rng.permutation(int(touched.sum())))]
    given = math.floor(shown * len(edges))
    sought = edges[given:].sort().values
    if not len(sought):
        raise InputError(f"shown={shown:g} of the {len(edges)} edges of {held} new nodes: expected some to be sought")
    possible = n * (n - 1) // 2 - (n - held) * (n - held - 1) // 2 - len(edges)
    if possible < len(sought):
        raise InputError(
            f"share={share:g}: {held} new nodes have {possible} pairs that are no edges, and {len(sought)} are needed, "
            "as many as edges sought; expected a smaller share or a sparser graph"
        )
    kept = torch.cat([(~touched).nonzero().squeeze(1), edges[:given]]).sort().values
    rest, new = np.flatnonzero(~is_new), np.flatnonzero(is_new)
    links = LinkSplit(
        train=keep_edges(graph, kept),
        val=LinkSet(*torch.zeros(2, 2, 0, dtype=torch.int64)),
        test=LinkSet(graph.pairs[:, sought], non_edges_of(new, rest, graph.pairs, len(sought), rng)),
        seed=seed,
        fractions=None,
        graph_hash=graph.hash,
    )
    return NodeSplit(without_nodes(graph, torch.from_numpy(is_new)), links, graph.node_ids[is_new])
