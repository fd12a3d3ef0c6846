"""The graph as the whole project knows it: validated once, immutable, with the user's node names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.data.fields import (
    as_edge_index,
    as_features,
    as_labels,
    as_node_ids,
    as_weights,
    check_edges,
    count_nodes,
    digest,
    is_sparse,
    rows_of,
)

if TYPE_CHECKING:
    import networkx
    import scipy.sparse
    from torch_geometric.data import Data

    from graphvae.data.encoding import FeatureEncoding

__all__ = ["Graph", "HASH_VERSION"]

HASH_VERSION = "graphvae-graph-1"


class Graph:
    """A graph with optional node features, labels and edge weights; immutable after construction.

    Construction is strict: an undirected graph must hold every edge in both directions, and neither self-loops,
    repeated edges nor indices outside ``0..N-1`` are accepted. To read data as people write them, use
    :meth:`from_edges`, :meth:`from_networkx` or :meth:`from_scipy`.

    Args:
        edge_index: ``(2, E)`` integers, both directions of every edge unless ``directed``. Stored sorted, int64.
        x: node features, ``(N, F)`` dense or sparse, or None. Stored as float32 (float64 stays), sparse as CSR.
        y: node labels, ``(N,)`` integers, or None; -1 marks an unknown label.
        num_nodes: N. Without it N follows from ``x``, ``y`` or ``node_ids``, else from the largest index.
        edge_weight: ``(E,)`` finite weights in the order of ``edge_index``, or None; equal in both directions.
        directed: whether ``edge_index`` holds directed edges.
        node_ids: ``(N,)`` unique ids, integers or strings; ``0..N-1`` by default. Stored as int64 or str.
        origin: how the graph can be read again (a JSON-able mapping), or None for a graph that lives in memory only.
        encoding: how ``x`` was made of the columns of a table, or None; no part of what the graph holds.

    Raises:
        InputError: naming the argument, the offending value and what was expected.

    Example:
        >>> graph = Graph([[0, 1, 1, 2], [1, 0, 2, 1]], num_nodes=4)
        >>> graph
        Graph(num_nodes=4, num_edges=2, features=None)
        >>> graph.pairs.tolist()
        [[0, 1], [1, 2]]
    """

    __slots__ = (
        "__dict__", "directed", "edge_index", "edge_weight", "encoding", "node_ids", "num_nodes", "origin", "x", "y"
    )  # fmt: skip

    edge_index: Tensor
    x: Tensor | None
    y: Tensor | None
    edge_weight: Tensor | None
    directed: bool
    node_ids: np.ndarray
    num_nodes: int
    origin: Mapping[str, Any] | None
    encoding: FeatureEncoding | None

    def __init__(
        self,
        edge_index: Any,
        x: Any = None,
        y: Any = None,
        *,
        num_nodes: int | None = None,
        edge_weight: Any = None,
        directed: bool = False,
        node_ids: Any = None,
        origin: Mapping[str, Any] | None = None,
        encoding: FeatureEncoding | None = None,
    ) -> None:
        if not isinstance(directed, bool):
            raise InputError(f"directed={directed!r}: expected True or False")
        if origin is not None and not isinstance(origin, Mapping):
            raise InputError(f"origin={origin!r}: expected a mapping that says where the graph was read, or None")
        index = as_edge_index(edge_index)
        features = None if x is None else as_features(x)
        n = count_nodes(index, features, y, node_ids, num_nodes)
        if features is not None and features.shape[0] != n:
            raise InputError(f"x has {features.shape[0]} rows: expected one for each of {n} nodes")
        if index.numel() and (int(index.min()) < 0 or int(index.max()) >= n):
            bad = int(index.min()) if int(index.min()) < 0 else int(index.max())
            raise InputError(f"edge_index contains {bad}: expected node indices from 0 to {n - 1}")
        order = torch.argsort(index[0] * max(n, 1) + index[1])
        weight = None if edge_weight is None else as_weights(edge_weight, index.shape[1])[order]
        index = index[:, order].contiguous()
        check_edges(index, weight, n, directed)
        fields = {
            "edge_index": index,
            "x": features,
            "y": None if y is None else as_labels(y, n),
            "edge_weight": weight,
            "directed": directed,
            "node_ids": as_node_ids(node_ids, n),
            "num_nodes": n,
            "origin": None if origin is None else dict(origin),
            "encoding": encoding,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Graph is immutable: {name} cannot be set; use graph.replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Graph is immutable: {name} cannot be deleted")

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "__dict__"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state["node_ids"].flags.writeable = False  # pickle does not keep it
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        features = None if self.x is None else f"{self.num_features}{' sparse' if is_sparse(self.x) else ''}"
        extra = ", directed=True" if self.directed else ""
        extra += ", weighted=True" if self.edge_weight is not None else ""
        return f"Graph(num_nodes={self.num_nodes}, num_edges={self.num_edges}, features={features}{extra})"

    @property
    def num_edges(self) -> int:
        """Number of edges; an undirected edge counts once."""
        return self.edge_index.shape[1] if self.directed else self.edge_index.shape[1] // 2

    @property
    def num_features(self) -> int:
        """Width F of ``x``; 0 without features."""
        return 0 if self.x is None else int(self.x.shape[1])

    @property
    def num_classes(self) -> int:
        """Number of classes in ``y``; 0 without labels."""
        return 0 if self.y is None or self.y.numel() == 0 else int(self.y.max()) + 1

    @property
    def num_pairs(self) -> int:
        """Number of pairs that could be an edge: N(N-1)/2, or N(N-1) if directed."""
        ordered = self.num_nodes * (self.num_nodes - 1)
        return ordered if self.directed else ordered // 2

    @property
    def density(self) -> float:
        """Share of all pairs that are edges; 0 for fewer than two nodes."""
        return self.num_edges / self.num_pairs if self.num_pairs else 0.0

    @cached_property
    def pairs(self) -> Tensor:
        """``(2, P)`` edges, each once, sorted: ``u < v`` in an undirected graph."""
        if self.directed:
            return self.edge_index
        return self.edge_index[:, self.edge_index[0] < self.edge_index[1]]

    @cached_property
    def degrees(self) -> Tensor:
        """``(N,)`` int64 number of neighbours (out-degree if directed)."""
        return torch.bincount(self.edge_index[0], minlength=self.num_nodes)

    @cached_property
    def hash(self) -> str:
        """Hex digest over everything the graph holds (origin apart), the same on every machine; versioned."""
        digest = hashlib.sha256(f"{HASH_VERSION};{self.num_nodes};{self.directed}".encode())
        for name, part in self.part_hashes.items():
            digest.update(f";{name}={part}".encode())
        return digest.hexdigest()

    @cached_property
    def part_hashes(self) -> dict[str, str]:
        """Hex digests of edges, features, labels, weights and ids, so that a file can pin a part it does not hold."""
        x = self.x
        if x is None:
            features: list[np.ndarray] = []
        elif is_sparse(x):
            features = [t.numpy() for t in (x.crow_indices(), x.col_indices(), x.values())] + [np.array(x.shape)]
        else:
            features = [x.numpy()]
        ids = self.node_ids
        return {
            "edge_index": digest(self.edge_index.numpy()),
            "x": digest(*features),
            "y": digest(*([] if self.y is None else [self.y.numpy()])),
            "edge_weight": digest(*([] if self.edge_weight is None else [self.edge_weight.numpy()])),
            "node_ids": digest(ids),
        }

    @cached_property
    def _row_of(self) -> dict[Any, int]:
        return {identifier: row for row, identifier in enumerate(self.node_ids.tolist())}

    def rows(self, ids: Any) -> np.ndarray:
        """Rows of ``ids`` (any shape) as int64 of the same shape.

        Raises:
            InputError: for an id that is not in the graph, or of the wrong kind (a str where ids are integers).
        """
        return rows_of(self._row_of, self.node_ids, ids)

    def replace(self, **changes: Any) -> Graph:
        """A new, validated graph with some fields changed; ``origin``, and of new ``x`` ``encoding``, only if given."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name not in ("__dict__", "origin")}
        unknown = set(changes) - set(fields) - {"origin"}
        if unknown:
            raise InputError(f"replace({', '.join(sorted(unknown))}=...): expected fields among {', '.join(fields)}")
        return Graph(**{**fields, **({"encoding": None} if "x" in changes else {}), **changes})

    @classmethod
    def from_edges(cls, edges: Any, **options: Any) -> Graph:
        """A graph from an edge table: a CSV path, a pandas, polars or pyarrow table, or a ``(2, E)`` array.

        See :func:`graphvae.data.tables.graph_from_edges` for the options.
        """
        from graphvae.data.tables import graph_from_edges

        return graph_from_edges(edges, **options)

    @classmethod
    def from_networkx(cls, graph: networkx.Graph, **options: Any) -> Graph:
        """A graph from networkx; see :func:`graphvae.data.convert.graph_from_networkx`."""
        from graphvae.data.convert import graph_from_networkx

        return graph_from_networkx(graph, **options)

    @classmethod
    def from_scipy(cls, adjacency: scipy.sparse.sparray | scipy.sparse.spmatrix, **options: Any) -> Graph:
        """A graph from a scipy sparse adjacency matrix; see :func:`graphvae.data.convert.graph_from_scipy`."""
        from graphvae.data.convert import graph_from_scipy

        return graph_from_scipy(adjacency, **options)

    @classmethod
    def from_pyg(cls, data: Data, **options: Any) -> Graph:
        """A graph from a PyG ``Data``; strict. See :func:`graphvae.data.convert.graph_from_pyg`."""
        from graphvae.data.convert import graph_from_pyg

        return graph_from_pyg(data, **options)

    def to_pyg(self) -> Data:
        """The graph as a PyG ``Data`` with ``x``, ``edge_index``, ``edge_weight``, ``y`` and ``node_ids``."""
        from graphvae.data.convert import graph_to_pyg

        return graph_to_pyg(self)

    def to_networkx(self) -> networkx.Graph:
        """The graph as a networkx ``Graph`` (or ``DiGraph``) whose nodes are the node ids."""
        from graphvae.data.convert import graph_to_networkx

        return graph_to_networkx(self)

    def to_scipy(self) -> scipy.sparse.csr_array:
        """The ``(N, N)`` adjacency matrix as a scipy CSR array; weights where the graph has them, else ones."""
        from graphvae.data.convert import graph_to_scipy

        return graph_to_scipy(self)
