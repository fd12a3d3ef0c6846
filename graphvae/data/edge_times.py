"""When each edge of a graph came to be, from a column of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError
from graphvae.data.columns import is_text, numbers, open_table
from graphvae.data.graph import Graph
from graphvae.data.rows import rows_of_table

if TYPE_CHECKING:
    import pyarrow

__all__ = ["edge_times", "moments"]


def edge_times(
    graph: Graph,
    time: str,
    edges: Any = None,
    *,
    source: str | None = None,
    target: str | None = None,
    delimiter: str | None = None,
) -> np.ndarray:
    """``(E,)`` float64 times of ``graph.pairs``: what ``split_links(graph, protocol="temporal", times=...)`` takes.

    A pair that the table repeats has the earliest of its times. Dates and moments become seconds since 1970.

    Args:
        graph: undirected.
        time: name of the column of times: numbers, or dates as ISO 8601 has them.
        edges: the table ``graph`` was read from; by default the file it remembers, with the columns it was read with.
        source: name of the column with one end of each edge.
        target: name of the column with the other end.
        delimiter: what separates the columns of a file whose name does not tell.

    Raises:
        InputError: if the graph remembers no file, for a time that cannot be read, and for an edge without one.
    """
    if edges is None:
        origin = graph.origin or {}
        if origin.get("kind") != "table":
            raise InputError("edges=None: this graph was read from no file of edges; expected the table it was made of")
        edges = origin["edges"]
        source, target = source or origin["source"], target or origin["target"]
        delimiter = delimiter or origin["delimiter"]
    if graph.directed:
        raise InputError("graph has directed=True: expected an undirected graph")
    table = open_table("edges", edges, delimiter)
    table.find("time", time)
    kind = int if graph.node_ids.dtype.kind == "i" else str
    others = [name for name in table.names if name != time]
    if source is None and target is None and len(others) == 2:
        source, target = others
    rows = rows_of_table(table, source, target, None, kind, skip_ragged=True)
    values = moments(table.read([time], skip_ragged=True)[0][0], f"edges column {time!r}")
    known = ~(
        rows.source.is_null().to_numpy(zero_copy_only=False) | rows.target.is_null().to_numpy(zero_copy_only=False)
    )
    values, rows = values[known], rows.take(known)
    row_of = {identifier: row for row, identifier in enumerate(graph.node_ids.tolist())}
    ends = np.array([[row_of.get(node, -1) for node in side.to_pylist()] for side in (rows.source, rows.target)])
    pairs, n = graph.pairs.numpy(), graph.num_nodes
    keys, at = pairs[0] * n + pairs[1], ends.min(0) * n + ends.max(0)
    place = np.searchsorted(keys, at)
    ours = (ends.min(0) >= 0) & (keys[np.minimum(place, len(keys) - 1)] == at)
    if np.isnan(values[ours]).any():
        row = int(np.flatnonzero(ours)[np.isnan(values[ours]).argmax()])
        raise InputError(f"{rows.describe(row)}: its {time!r} is missing or no time: expected a number or a date")
    times = np.full(len(keys), np.inf)
    np.minimum.at(times, place[ours], values[ours])
    if np.isinf(times).any():
        u, v = graph.node_ids[pairs[:, int(np.isinf(times).argmax())]].tolist()
        raise InputError(f"edges has no row for the edge ({u!r}, {v!r}): expected the table the graph was made of")
    return times


def moments(column: pyarrow.Array, label: str) -> np.ndarray:
    """``column`` as float64 numbers, or seconds since 1970 of dates and moments; NaN where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_temporal(column.type):
        return numbers(pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64()), label) / 1e6
    values = numbers(column, label)
    if is_text(column.type) and len(values) and np.isnan(values).all():
        texts = [text or "NaT" for text in column.to_pylist()]
        try:
            stamps = np.array(texts, dtype="datetime64[us]")
        except ValueError:
            raise InputError(f"{label}: expected numbers, or dates such as 2026-11-21 or 2026-11-21T16:00:00") from None
        values = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6)
    return values
