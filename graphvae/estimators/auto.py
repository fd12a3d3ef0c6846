"""What ``encoder="auto"`` chooses for a graph, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSplit
from graphvae.nn.hops import HopEncoder
from graphvae.nn.pair_scores import MLPDecoder
from graphvae.nn.structure import Structure
from graphvae.training.masked import MaskedEdges
from graphvae.training.selection import Selection

__all__ = ["presumed", "settle", "weights_sentence"]

# Nodes beyond which walks from some thousands of them, and an MLP on every pair of a ranking, take too long; and beyond
# which walks of eight times as many steps do.
LARGE, FAR = 100_000, 10_000
# Walks are to go on where the usual steps lead to less than this share of a component, seen from so many nodes.
NEAR, LOOKED_AT = 0.25, 100


def presumed(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as they can be checked before the graph is known: whatever is chosen, its encoder carries hops."""
    return {**params, "encoder": "hops"} if _is_auto(params) else dict(params)


def settle(params: Mapping[str, Any], changed: Mapping[str, Any], data: Any) -> tuple[dict[str, Any], str]:
    """The arguments that ``encoder="auto"`` settles for a graph, and the reason in words; nothing for other encoders.

    Args:
        params: all arguments of an estimator.
        changed: those that are not at their defaults; they stay as they are.
        data: the graph or split that is fitted.
    """
    if not _is_auto(params):
        return {}, ""
    split = data if isinstance(data, LinkSplit) else None
    graph = data.train if isinstance(data, LinkSplit) else data
    if not isinstance(graph, Graph):
        return {}, ""  # what is no graph is refused where all are
    validated = split is not None and split.val.positive.shape[1] > 0
    chosen, reasons = _choice(graph, validated, "structure" in changed)
    settled = {k: value for k, value in chosen.items() if k == "encoder" or (k in params and k not in changed)}
    return settled, " ".join(reasons)


def _is_auto(params: Mapping[str, Any]) -> bool:
    return isinstance(params.get("encoder"), str) and params["encoder"] == "auto"


def _choice(graph: Graph, validated: bool, own_structure: bool) -> tuple[dict[str, Any], list[str]]:
    """What is chosen and why; nothing of structure where that is the user's own."""
    mean_degree = 2 * graph.num_edges / max(graph.num_nodes, 1)
    size = f"{graph.num_nodes} nodes of mean degree {mean_degree:.1f}"
    chosen: dict[str, Any] = {"decoder": MLPDecoder(), "patience": Selection() if validated else None}
    if graph.x is not None:
        chosen |= {"encoder": HopEncoder(), "objective": MaskedEdges(), "epochs": 300}
        chosen |= {"learning_rate": (0.01, 0.002)}
        reasons = [f"auto: {graph.num_features} features on {size}: features at 0 to 2 hops, half of the edges hidden."]
    else:
        chosen |= {"encoder": HopEncoder(width=48, hops=3), "objective": MaskedEdges(rate=0.3), "epochs": 60}
        reasons = [f"auto: no features on {size}: a learned row per node and degrees, carried over 3 hops."]
    if own_structure:
        return chosen, reasons
    if graph.num_nodes > LARGE:
        reasons.append(f"More than {LARGE} nodes: walks are left out.")
    else:
        chosen["structure"], far = _structure(graph)
        reasons += far
        if not validated:
            reasons.append("No validation pairs: the decoder and the walks count a half each.")
    return chosen, reasons


def _structure(graph: Graph) -> tuple[Structure, list[str]]:
    """Walks, long ones where short ones lead to few nodes and there are no features to tell more, and why."""
    usual = Structure()
    if graph.x is not None or graph.num_nodes > FAR:
        return usual, []
    near = _near(graph, usual.hops)
    if near >= NEAR:
        return usual, []
    longer = Structure(doublings=3)
    steps = longer.hops << longer.doublings
    return longer, [
        f"{usual.hops} steps lead to {100 * near:.0f} % of a node's component: walks of up to {steps} steps."
    ]


def _near(graph: Graph, steps: int) -> float:
    """The share of nodes joined to one by any path that are joined by one of at most ``steps``, over some nodes."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    u, v = graph.pairs.numpy()
    if not len(u):
        return 1.0
    n = graph.num_nodes
    links = csr_array((np.ones(len(u)), (u, v)), shape=(n, n))
    ends = np.unique(graph.pairs.numpy())
    sources = ends[np.linspace(0, len(ends) - 1, min(LOOKED_AT, len(ends))).astype(int)]
    away = dijkstra(links, directed=False, indices=sources, unweighted=True)
    joined = np.isfinite(away) & (away > 0)
    return float((joined & (away <= steps)).sum() / joined.sum())


def weights_sentence(structure: Any) -> str:
    """How much the decoder and the structure network count in a fitted model; empty without the latter."""
    if structure is None:
        return ""
    own, told, *more = structure.weights[:-1].tolist()
    rest = "".join(f", and {weight:.2f} of PageRank" for weight in more)
    return f"A link's logit is {own:.2f} of the decoder's and {told:.2f} of what walks, degrees and spectrum say{rest}."
