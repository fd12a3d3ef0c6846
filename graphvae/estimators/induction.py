"""Nodes that a fitted model has not seen: a graph read as its own was, and its embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.tables import graph_from_edges
from graphvae.estimators.fitting import Fitted, encode
from graphvae.estimators.graph_files import StoredData
from graphvae.export.embeddings import Embeddings

__all__ = ["embed_graph", "read_alike"]

# Options of the fitted graph's table that a new one is read with unless told otherwise.
ALIKE = ("source", "target", "weight", "feature_id", "id_dtype", "duplicates", "self_loops", "bad_rows", "delimiter")
TYPES = {None: None, "int": int, "str": str}


def embed_graph(fitted: Fitted, graph: Graph) -> Embeddings:
    """Ids, posterior means and standard deviations of the nodes of ``graph``, seen in training or not.

    Raises:
        InputError: if the model cannot be applied to this graph.
    """
    mean, scale = encode(fitted, graph)
    return Embeddings(graph.node_ids, mean, scale)


def read_alike(fitted: Fitted, edges: str | Path, features: str | Path | None, **options: Any) -> Graph:
    """A graph of files, its columns named and its features encoded as those of the fitted graph were.

    Args:
        fitted: of a model whose features came from a table.
        edges: file of edges.
        features: file of features.
        options: of :func:`graphvae.data.tables.graph_from_edges`, where these files differ.

    Raises:
        InputError: for a model without features, or with such as came from no table; and for what the files hold.
    """
    if fitted.num_features == 0:
        raise InputError(
            f"edges={str(edges)!r}: this model was fitted without features and learned one row for each of its nodes, "
            "so it cannot embed others; expected a model fitted with features"
        )
    source = fitted.source
    if isinstance(source, StoredData):
        origin, encoding = source.description["graph"]["origin"], source.encoding
    else:
        origin, encoding = fitted.graph().origin, fitted.graph().encoding
    if encoding is None:
        raise InputError(
            f"edges={str(edges)!r}: the features of this run came from no table, so those of another cannot be "
            "encoded alike; expected a run with features= of a table, or model.transform(graph) from Python"
        )
    if features is None:
        raise InputError(f"features: this model was fitted with {fitted.num_features}; expected a table of them")
    known = {name: value for name, value in (origin or {}).items() if name in ALIKE and value is not None}
    known["id_dtype"] = TYPES[known.get("id_dtype")]
    given = {name: value for name, value in options.items() if value is not None}
    return graph_from_edges(edges, features=features, encoding=encoding, **{**known, **given})
