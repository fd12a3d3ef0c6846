"""Graphs from edge tables: files, data frames and index arrays, read as people write them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from graphvae._check import InputError, integer, one_of, resolve
from graphvae.data.columns import open_table
from graphvae.data.encoding import as_encoding
from graphvae.data.features import FeatureTable, read_features
from graphvae.data.graph import Graph
from graphvae.data.pairs import REDUCTIONS, both_directions, combine_pairs, note
from graphvae.data.rows import EdgeRows, rows_of_array, rows_of_table

__all__ = ["graph_from_edges", "read_origin"]


def graph_from_edges(
    edges: Any,
    *,
    source: str | None = None,
    target: str | None = None,
    weight: Any = None,
    features: Any = None,
    feature_id: str | None = None,
    feature_kinds: Mapping[str, str] | None = None,
    encoding: Any = None,
    directed: bool = False,
    id_dtype: type | None = None,
    num_nodes: int | None = None,
    duplicates: str = "error",
    self_loops: str = "error",
    bad_rows: str = "error",
    delimiter: str | None = None,
) -> Graph:
    """A :class:`Graph` from rows of (source, target), each an unordered pair unless ``directed``.

    Nodes are ordered by id (integers by value, strings by code point). Whatever is merged, dropped or rescaled on the
    way is counted on stderr.

    Args:
        edges: the path of a CSV or TSV file with a header (``.gz`` too) or of a Parquet file, a pandas, polars or
            pyarrow table, or a ``(2, E)`` integer array whose entries are the ids.
        source: name of the column with one end of each edge; may be left out if there are only two columns.
        target: name of the column with the other end.
        weight: name of the column with edge weights, or an ``(E,)`` array if ``edges`` is one. Stored as float32.
        features: a table or file keyed by node id; its nodes without edges become isolated nodes. Numeric columns are
            scaled to mean 0 and variance 1 over the nodes, booleans and categories become one-hot, text becomes tf-idf,
            and missing values are filled and flagged in a column of their own. Or an ``(N, F)`` array, dense or sparse,
            in the order of the nodes, which is kept as it is.
        feature_id: name of the column of ``features`` with the ids; the first by default.
        feature_kinds: ``"numeric"``, ``"category"``, ``"text"`` or ``"skip"`` by column of ``features``, where the
            values should not decide.
        encoding: have ``features`` encoded as an earlier table was: the ``encoding`` of that graph, or a run folder
            of a model fitted on it.
        directed: whether a row is an edge from source to target.
        id_dtype: ``int`` or ``str``; by default, ids of a file are str and those of a table or array what they are.
        num_nodes: for arrays: the nodes are ``0..num_nodes-1``, so that isolated ones are kept.
        duplicates: what to do with rows that repeat a pair. ``"error"`` merges rows that agree and refuses different
            weights; ``"first"``, ``"sum"``, ``"mean"`` and ``"max"`` combine the weights of all rows of a pair.
        self_loops: ``"error"``, or ``"drop"`` to leave them out; their nodes stay.
        bad_rows: ``"error"``, or ``"drop"`` to leave out rows with a missing end, with a weight that is no finite
            number, or with too many or too few fields.
        delimiter: what separates the columns of files whose names do not tell.

    Raises:
        InputError: naming the argument, the row and its content, and what would settle it.

    Example:
        >>> Graph.from_edges([[0, 1, 1], [1, 2, 3]], num_nodes=5)
        Graph(num_nodes=5, num_edges=3, features=None)
    """
    if not isinstance(directed, bool):
        raise InputError(f"directed={directed!r}: expected True or False")
    if id_dtype not in (None, int, str):
        raise InputError(f"id_dtype={id_dtype!r}: expected int, str or None")
    one_of("duplicates", duplicates, REDUCTIONS)
    one_of("self_loops", self_loops, ("error", "drop"))
    one_of("bad_rows", bad_rows, ("error", "drop"))
    if weight is None and duplicates in ("sum", "mean", "max"):
        raise InputError(f"duplicates={duplicates!r} combines weights: expected weight= with it")

    origin = None
    if _is_path(edges) and (features is None or _is_path(features)):
        # Absolute, so that a run can be resumed from another folder.
        origin = {
            "kind": "table",
            "edges": os.path.abspath(edges),
            "source": source,
            "target": target,
            "weight": weight,
        }
        origin |= {"features": None if features is None else os.path.abspath(features), "feature_id": feature_id}
        origin |= {"feature_kinds": None if feature_kinds is None else dict(feature_kinds)}
        origin |= {"directed": directed, "id_dtype": None if id_dtype is None else id_dtype.__name__}
        origin |= {"duplicates": duplicates, "self_loops": self_loops, "bad_rows": bad_rows, "delimiter": delimiter}

    is_array = isinstance(edges, (np.ndarray, Tensor, list, tuple))
    if is_array:
        if source is not None or target is not None:
            raise InputError(f"source={source!r}, target={target!r} name columns: expected neither for an array")
        rows = rows_of_array(edges, weight, id_dtype)
    else:
        if num_nodes is not None:
            raise InputError(f"num_nodes={num_nodes!r} is for arrays: isolated nodes of a table come from features=")
        table = open_table("edges", edges, delimiter)
        rows = rows_of_table(table, source, target, weight, id_dtype, skip_ragged=bad_rows == "drop")
    rows = rows.without_bad(bad_rows)

    keyed = None
    if features is not None and not _is_matrix(features):
        known = None if encoding is None else as_encoding(encoding)
        keyed = read_features(features, feature_id, id_dtype, delimiter, feature_kinds, known)
    elif feature_id is not None or feature_kinds is not None or encoding is not None:
        name = "feature_id" if feature_id is not None else "encoding" if feature_kinds is None else "feature_kinds"
        raise InputError(f"{name}= is about a table: expected features= to be one")
    node_ids, u, v, keys = _number(rows, keyed, num_nodes)
    n = len(node_ids)
    if keyed is not None:
        features = _aligned(keyed, keys, node_ids, announce=encoding is None)
    elif features is not None and len(np.shape(features)) == 2 and np.shape(features)[0] != n:
        hint = "; num_nodes= keeps nodes without edges" if is_array and num_nodes is None else ""
        raise InputError(f"features has {np.shape(features)[0]} rows: expected one for each of {n} nodes{hint}")

    loops = u == v
    if loops.any():
        count = int(loops.sum())
        if self_loops == "error":
            at = rows.describe(int(loops.argmax()))
            raise InputError(f"{at} is a self-loop, {count} in all: self_loops='drop' leaves them out")
        note(f"dropped {count} self-loops")
        rows, u, v = rows.take(~loops), u[~loops], v[~loops]
    pairs, weights = combine_pairs(
        u, v, rows.weight, n, directed=directed, duplicates=duplicates, describe=rows.describe
    )
    if pairs.shape[1] < len(u):
        how = "" if weights is None or duplicates == "error" else f" (weights: {duplicates})"
        note(f"merged {len(u) - pairs.shape[1]} repeated rows{how}")
    index, weights = (pairs, weights) if directed else both_directions(pairs, weights)
    return Graph(
        index,
        x=features,
        num_nodes=n,
        edge_weight=None if weights is None else weights.astype(np.float32),
        directed=directed,
        node_ids=node_ids,
        origin=origin,
        encoding=None if keyed is None else keyed.encoding,
    )


def read_origin(origin: Mapping[str, Any], encoding: Any = None) -> Graph:
    """The graph that carries ``origin``, read anew; whether its files are still the same, its hash tells.

    Args:
        origin: ``{"kind": "table", "edges": path, ...}`` with the options
            of :func:`graph_from_edges`, or ``{"kind": "dataset", "name": ..., "features": bool}``.

        encoding: of features that came from a table, as it was then.

    Raises:
        InputError: if ``origin`` is none of these, or if the data cannot be read.
    """
    if not isinstance(origin, Mapping) or "kind" not in origin:
        raise InputError(f"origin={origin!r}: expected a mapping with a 'kind', as Graph.origin")
    options = {name: value for name, value in origin.items() if name != "kind"}
    readers: dict[str, Callable[..., Graph]] = {"table": _read_table, "dataset": _read_dataset}
    reader = resolve("origin['kind']", origin["kind"], readers)
    if encoding is not None:
        options |= {"encoding": encoding, "feature_kinds": None}
    try:
        return reader(**options)
    except TypeError as error:  # an option that is missing or that this version does not know
        raise InputError(f"origin={dict(origin)!r} cannot be read: {error}") from error


def _read_table(edges: str, id_dtype: str | None = None, **options: Any) -> Graph:
    kinds = {"int": int, "str": str}
    dtype = None if id_dtype is None else resolve("origin['id_dtype']", id_dtype, kinds)
    return graph_from_edges(edges, id_dtype=dtype, **options)


def _read_dataset(name: str, features: bool = True) -> Graph:
    from graphvae.data.registry import load_graph

    return load_graph(name, features=features)


def _number(
    rows: EdgeRows, keyed: FeatureTable | None, num_nodes: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ids in order, and the rows 0..N-1 of sources, targets and keys of the features."""
    import pyarrow as pa

    columns = {"source": rows.source, "target": rows.target}
    if keyed is not None:
        columns["features"] = keyed.ids
    kinds = {name: "strings" if pa.types.is_string(column.type) else "integers" for name, column in columns.items()}
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raise InputError(f"ids are of two kinds ({found}): id_dtype=int or id_dtype=str makes them one")
    codes = pa.concat_arrays(list(columns.values())).dictionary_encode()
    known = codes.dictionary.to_numpy(zero_copy_only=False)
    at = codes.indices.to_numpy(zero_copy_only=False)
    if num_nodes is not None:
        n = integer("num_nodes", num_nodes, low=0)
        if known.dtype.kind != "i":
            raise InputError(f"num_nodes={n} numbers the nodes: expected integer ids, so id_dtype=str cannot be kept")
        if len(known) and (known.min() < 0 or known.max() >= n):
            bad = known.min() if known.min() < 0 else known.max()
            raise InputError(f"edges contains {bad}: expected ids from 0 to {n - 1}, as num_nodes={n}")
        node_ids, row_of = np.arange(n, dtype=np.int64), known
    else:
        if not len(known):
            raise InputError("edges has no rows: expected at least one, or features= (for an array num_nodes=)")
        order = np.argsort(known)
        node_ids, row_of = known[order], np.empty(len(known), dtype=np.int64)
        row_of[order] = np.arange(len(known))
    cuts = [len(rows.source), len(rows.source) + len(rows.target)]
    u, v, keys = np.split(row_of[at].astype(np.int64), cuts)
    return node_ids, u, v, keys


def _aligned(keyed: FeatureTable, keys: np.ndarray, node_ids: np.ndarray, *, announce: bool) -> Any:
    """``(N, F)`` float32 features in the order of the nodes."""
    absent = np.ones(len(node_ids), dtype=bool)
    absent[keys] = False
    if absent.any():
        some = ", ".join(repr(name) for name in node_ids[absent][:3].tolist())
        raise InputError(
            f"features has no row for {int(absent.sum())} of {len(node_ids)} nodes ({some}, ...): expected one for each"
        )
    if announce:
        for line in keyed.encoding.describe(keyed.columns):
            note(line)
    return keyed.aligned(keys)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _is_matrix(value: Any) -> bool:
    return isinstance(value, (np.ndarray, Tensor, list, tuple)) or hasattr(value, "tocsr")
