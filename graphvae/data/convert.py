"""Graphs of other libraries to :class:`Graph` and back: networkx, scipy and PyG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, one_of
from graphvae.data.fields import is_sparse
from graphvae.data.graph import Graph
from graphvae.data.pairs import REDUCTIONS, both_directions, combine_pairs, note

if TYPE_CHECKING:
    import networkx
    import scipy.sparse
    from torch_geometric.data import Data

__all__ = [
    "graph_from_networkx",
    "graph_from_pyg",
    "graph_from_scipy",
    "graph_to_networkx",
    "graph_to_pyg",
    "graph_to_scipy",
]

# Which nodes somebody trains a classifier on is not part of a graph, and every Planetoid graph of PyG carries it.
PYG_MASKS = ("train_mask", "val_mask", "test_mask")


def graph_from_networkx(
    graph: networkx.Graph,
    *,
    weight: str | None = None,
    features: str | Sequence[str] | None = None,
    label: str | None = None,
) -> Graph:
    """A :class:`Graph` with the nodes of a networkx graph in their order; directed if it is.

    Args:
        graph: ``networkx.Graph`` or ``DiGraph`` whose nodes are all int or all str.
        weight: edge attribute with the weight; by default edges have none.
        features: node attributes that become columns of ``x``; an attribute may be a number or a vector.
        label: node attribute with an integer class, which becomes ``y``.

    Raises:
        InputError: for multigraphs, self-loops, nodes of other kinds, and attributes that are missing or not numeric.
    """
    import networkx

    if not isinstance(graph, networkx.Graph):
        raise InputError(f"graph is of type {type(graph).__name__}: expected a networkx Graph or DiGraph")
    simple = "DiGraph" if graph.is_directed() else "Graph"
    if graph.is_multigraph():
        raise InputError(
            f"graph is a {type(graph).__name__}: expected one edge per pair; networkx.{simple}(graph) keeps one"
        )
    loop = next(networkx.selfloop_edges(graph), None)
    if loop is not None:
        fix = "graph.remove_edges_from(list(networkx.selfloop_edges(graph)))"
        raise InputError(f"graph has the self-loop {loop!r}: expected none; {fix} takes them out")
    nodes = list(graph.nodes)
    row_of = {node: row for row, node in enumerate(nodes)}
    ends = np.array([(row_of[a], row_of[b]) for a, b in graph.edges], dtype=np.int64).reshape(-1, 2).T
    weights = None
    if weight is not None:
        items = (((a, b), data) for a, b, data in graph.edges(data=True))
        weights = _column("weight", weight, "edge", items, ends.shape[1], np.float32)[:, 0]
    index, weights = (ends, weights) if graph.is_directed() else both_directions(ends, weights)
    names = [features] if isinstance(features, str) else list(features or ())
    columns = [_column("features", name, "node", graph.nodes(data=True), len(nodes), np.float32) for name in names]
    return Graph(
        index,
        x=np.concatenate(columns, axis=1) if columns else None,
        y=None if label is None else _column("label", label, "node", graph.nodes(data=True), len(nodes))[:, 0],
        num_nodes=len(nodes),
        edge_weight=weights,
        directed=graph.is_directed(),
        node_ids=_node_names(nodes),
    )


def graph_to_networkx(graph: Graph) -> networkx.Graph:
    """A networkx ``Graph`` (or ``DiGraph``) whose nodes are the node ids, in order.

    Features become the node attribute ``"x"``, an ``(F,)`` array (a dense one, if they are sparse); labels ``"y"``;
    weights the edge attribute ``"weight"``. With these names :func:`graph_from_networkx` reads them back.
    """
    import networkx

    result: Any = networkx.DiGraph() if graph.directed else networkx.Graph()
    ids = graph.node_ids.tolist()
    result.add_nodes_from(ids)
    if graph.x is not None:
        x = graph.x.to_dense() if is_sparse(graph.x) else graph.x.clone()
        networkx.set_node_attributes(result, dict(zip(ids, x.numpy(), strict=True)), "x")
    if graph.y is not None:
        networkx.set_node_attributes(result, dict(zip(ids, graph.y.tolist(), strict=True)), "y")
    result.add_edges_from((ids[u], ids[v]) for u, v in graph.pairs.T.tolist())
    if graph.edge_weight is not None:
        # numpy's scalars remember whether they are float32 or float64.
        edges = ((ids[u], ids[v]) for u, v in graph.edge_index.T.tolist())
        networkx.set_edge_attributes(result, dict(zip(edges, graph.edge_weight.numpy(), strict=True)), "weight")
    return result


def graph_from_scipy(
    adjacency: Any,
    *,
    x: Any = None,
    y: Any = None,
    node_ids: Any = None,
    directed: bool = False,
    weighted: bool | None = None,
    self_loops: str = "error",
    duplicates: str = "error",
) -> Graph:
    """A :class:`Graph` from a scipy sparse matrix, whose entries are edges; explicit zeros are none.

    Unless ``directed``, an entry names an unordered pair, so an upper triangle, a lower one and a symmetric matrix all
    give the same graph.

    Args:
        adjacency: ``(N, N)`` scipy sparse matrix or array. Entries stored twice are summed, as scipy does.
        x: node features, as for :class:`Graph`.
        y: node labels.
        node_ids: node ids; ``0..N-1`` by default.
        directed: whether an entry (i, j) is an edge from i to j.
        weighted: whether entries are weights; by default they are unless all of them are 1.
        self_loops: what to do with a diagonal, ``"error"`` or ``"drop"``.
        duplicates: what to do with A_ij != A_ji in an undirected graph: ``"error"``, ``"first"`` (by rows of the
            matrix), ``"sum"``, ``"mean"`` or ``"max"``, which also combine equal ones.

    Raises:
        InputError: for a matrix that is dense or not square, a diagonal, and contradictory weights.
    """
    one_of("self_loops", self_loops, ("error", "drop"))
    one_of("duplicates", duplicates, REDUCTIONS)
    if not isinstance(directed, bool):
        raise InputError(f"directed={directed!r}: expected True or False")
    if weighted not in (None, True, False):
        raise InputError(f"weighted={weighted!r}: expected True, False or None")
    if not hasattr(adjacency, "tocsr"):
        hint = "; scipy.sparse.csr_array(adjacency) makes one" if isinstance(adjacency, np.ndarray) else ""
        raise InputError(f"adjacency is of type {type(adjacency).__name__}: expected a scipy sparse matrix{hint}")
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise InputError(f"adjacency has shape {adjacency.shape}: expected (N, N)")
    if adjacency.dtype.kind not in "biuf":
        raise InputError(f"adjacency is of type {adjacency.dtype}: expected real numbers")
    n = int(adjacency.shape[0])
    matrix = adjacency.tocsr(copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    entries = matrix.tocoo()
    u, v, data = entries.row.astype(np.int64), entries.col.astype(np.int64), entries.data
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise InputError("adjacency contains NaN or infinite values: expected finite weights")
    loops = u == v
    if loops.any():
        if self_loops == "error":
            node = int(u[loops.argmax()])
            count = int(loops.sum())
            raise InputError(
                f"adjacency has the self-loop ({node}, {node}), {count} in all: self_loops='drop' drops them"
            )
        note(f"dropped {int(loops.sum())} self-loops")
        u, v, data = u[~loops], v[~loops], data[~loops]
    keep = weighted if weighted is not None else bool((data != 1).any())
    pairs, weights = combine_pairs(
        u,
        v,
        (data if data.dtype.kind == "f" else data.astype(np.float64)) if keep else None,
        n,
        directed=directed,
        duplicates=duplicates,
        describe=lambda i: f"adjacency[{u[i]}, {v[i]}] = {data[i]}",
    )
    lonely = 2 * pairs.shape[1] - len(u)
    if not directed and lonely and (lonely < pairs.shape[1] or ((u < v).any() and (u > v).any())):
        note(f"read {lonely} entries without their mirror image as undirected edges")
    if weights is not None and data.dtype.kind != "f":
        weights = weights.astype(np.float32)
    index, weights = (pairs, weights) if directed else both_directions(pairs, weights)
    return Graph(index, x=x, y=y, num_nodes=n, edge_weight=weights, directed=directed, node_ids=node_ids)


def graph_to_scipy(graph: Graph) -> scipy.sparse.csr_array:
    """``(N, N)`` CSR adjacency with the weights, else float32 ones; both triangles unless directed.

    Raises:
        InputError: for an edge of weight 0, which a matrix does not tell from no edge.
    """
    import scipy.sparse

    u, v = graph.edge_index.numpy()
    weight = np.ones(len(u), dtype=np.float32) if graph.edge_weight is None else graph.edge_weight.numpy().copy()
    zero = np.flatnonzero(weight == 0)
    if len(zero):
        edge = (int(u[zero[0]]), int(v[zero[0]]))
        raise InputError(f"edge_weight of {edge} is 0: expected other weights, since 0 in a matrix means no edge")
    return scipy.sparse.csr_array((weight, (u, v)), shape=(graph.num_nodes, graph.num_nodes))


def graph_from_pyg(data: Data, *, directed: bool = False, ignore: Iterable[str] = ()) -> Graph:
    """A :class:`Graph` from a PyG ``Data``; strict: an undirected one holds both directions of every edge, once.

    Args:
        data: with ``edge_index``, and perhaps ``x``, ``y``, ``edge_weight`` or a one-column ``edge_attr`` with the
            weights, ``node_ids`` and ``num_nodes``. The masks of a node classification are left out.
        directed: whether ``edge_index`` holds directed edges.
        ignore: other attributes to leave out.

    Raises:
        InputError: naming attributes that a :class:`Graph` cannot hold, and for edges it would not accept.
    """
    from torch_geometric.data import Data

    if not isinstance(data, Data):
        raise InputError(f"data is of type {type(data).__name__}: expected torch_geometric.data.Data")
    skipped = {*PYG_MASKS, *([ignore] if isinstance(ignore, str) else ignore)}
    fields = {name: value for name, value in data.to_dict().items() if value is not None and name not in skipped}
    unknown = set(fields) - {"x", "edge_index", "edge_weight", "edge_attr", "y", "node_ids", "num_nodes"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise InputError(
            f"data has the attributes {names}, which a Graph cannot hold: ignore= names those to leave out"
        )
    if "edge_index" not in fields:
        raise InputError("data has no edge_index: expected a (2, E) tensor")
    if "edge_weight" in fields and "edge_attr" in fields:
        raise InputError("data has edge_weight and edge_attr: expected one of them; ignore= names the other")
    weight = fields.get("edge_weight", fields.get("edge_attr"))
    if isinstance(weight, Tensor) and weight.dim() == 2 and weight.shape[1] == 1:
        weight = weight[:, 0]
    if weight is not None and np.ndim(weight) != 1:
        name = "edge_weight" if "edge_weight" in fields else "edge_attr"
        shape = tuple(np.shape(weight))
        raise InputError(f"data.{name} has shape {shape}: expected one weight for each edge; ignore= leaves it out")
    y = fields.get("y")
    if isinstance(y, Tensor) and y.dim() == 2 and y.shape[1] == 1:
        y = y[:, 0]
    return Graph(
        fields["edge_index"],
        x=fields.get("x"),
        y=y,
        num_nodes=fields.get("num_nodes"),
        edge_weight=weight,
        directed=directed,
        node_ids=fields.get("node_ids"),
    )


def graph_to_pyg(graph: Graph) -> Data:
    """A PyG ``Data`` with copies of ``x``, ``edge_index``, ``edge_weight``, ``y``, ``num_nodes`` and ``node_ids``.

    Integer ids become an int64 tensor, strings a list; what the graph does not have is left out.
    """
    from torch_geometric.data import Data

    ids: Any = graph.node_ids.tolist()
    fields: dict[str, Any] = {
        "edge_index": graph.edge_index,
        "x": graph.x,
        "y": graph.y,
        "edge_weight": graph.edge_weight,
    }
    held = {name: value.clone() for name, value in fields.items() if value is not None}
    node_ids = torch.tensor(ids) if graph.node_ids.dtype.kind == "i" else ids
    return Data(**held, num_nodes=graph.num_nodes, node_ids=node_ids)


def _node_names(nodes: list[Any]) -> np.ndarray:
    kinds = {str if isinstance(node, str) else type(node) for node in nodes}
    numbers = all(kind is int or issubclass(kind, np.integer) for kind in kinds)
    if not numbers and kinds != {str}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(
            f"graph has nodes of type {found}: expected all int or all str; "
            "networkx.convert_node_labels_to_integers(graph) or networkx.relabel_nodes(graph, str) renames them"
        )
    try:
        return np.array(nodes, dtype=np.int64 if numbers else object)
    except OverflowError:
        raise InputError(
            "graph has nodes beyond 64 bits: expected int64, or str: networkx.relabel_nodes(graph, str)"
        ) from None


def _column(
    argument: str, name: str, kind: str, items: Iterable[tuple[Any, Any]], count: int, dtype: type | None = None
) -> np.ndarray:
    """``(count, width)`` values of an attribute; numpy's keep their type, Python's become ``dtype`` if there is one."""
    values = []
    for owner, attributes in items:
        if name not in attributes:
            known = ", ".join(map(repr, attributes)) or "none"
            raise InputError(f"{argument}={name!r}: {kind} {owner!r} lacks it; expected it everywhere (it has {known})")
        values.append(attributes[name])
    try:
        column = np.array(values)
    except ValueError:
        raise InputError(f"{argument}={name!r}: its values have different lengths; expected one length") from None
    if count and column.dtype.kind not in "biuf":
        odd = next((value for value in values if not isinstance(value, (int, float))), values[0])
        raise InputError(f"{argument}={name!r}: a value is {odd!r}; expected numbers")
    typed = dtype is None or (count and isinstance(values[0], (np.ndarray, np.generic)))
    width = int(np.prod(column.shape[1:])) if count else 1
    if column.ndim > 2 or (argument != "features" and width != 1):
        raise InputError(
            f"{argument}={name!r}: values have shape {column.shape[1:]}; expected one number for each {kind}"
        )
    return (column if typed else column.astype(dtype)).reshape(count, width)
