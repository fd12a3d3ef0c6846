"""The rows of an edge table before they are a graph: two ids and perhaps a weight each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from graphvae._check import InputError
from graphvae.data.columns import Table, ids, numbers
from graphvae.data.pairs import note

if TYPE_CHECKING:
    import pyarrow

__all__ = ["EdgeRows", "rows_of_array", "rows_of_table"]

FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class EdgeRows:
    """R rows of an edge table.

    Attributes:
        source: ``(R,)`` int64 or string ids of one end, null where missing or unreadable.
        target: ``(R,)`` ids of the other end.
        weight: ``(R,)`` float64, NaN where missing or unreadable, or None.
        raw: what the columns held, for messages; all rows, those taken out included.
        kept: ``(R,)`` positions in ``raw`` of the rows that are left.
        ragged: numbers, from 1, of the rows of the file that are not even in ``raw``: their fields are too many or few.
    """

    source: pyarrow.Array
    target: pyarrow.Array
    weight: np.ndarray | None
    raw: dict[str, pyarrow.Array]
    kept: np.ndarray
    ragged: tuple[int, ...] = ()

    def take(self, keep: np.ndarray) -> EdgeRows:
        """The rows where the mask ``keep`` (R,) is true."""
        import pyarrow as pa

        mask = pa.array(keep)
        weight = None if self.weight is None else self.weight[keep]
        source, target = self.source.filter(mask), self.target.filter(mask)
        return replace(self, source=source, target=target, weight=weight, kept=self.kept[keep])

    def describe(self, i: int) -> str:
        """What a message calls row ``i``: its number in the table (from 1, without the header) and its content."""
        at = int(self.kept[i])
        row = at + 1
        for gap in sorted(self.ragged):
            row += gap <= row
        cells = ", ".join(f"{name}={column[at].as_py()!r}" for name, column in self.raw.items())
        return f"edges row {row} ({cells})"

    def without_bad(self, bad_rows: str) -> EdgeRows:
        """The rows that have two ids and, if there are weights, a finite one.

        Args:
            bad_rows: ``"error"`` refuses others, ``"drop"`` leaves them out and says how many.
        """
        bad = np.zeros(len(self.kept), dtype=bool)
        for ends in (self.source, self.target):
            bad |= ends.is_null().to_numpy(zero_copy_only=False)
        if self.weight is not None:
            # Weights are stored as float32. NaN compares false, so it is bad as well.
            bad |= ~(np.abs(self.weight) <= FLOAT32_MAX)
        count = int(bad.sum())
        if count and bad_rows == "error":
            expected = "expected two ids" if self.weight is None else "expected two ids and a finite weight"
            at = self.describe(int(bad.argmax()))
            raise InputError(
                f"{at} is not an edge, {count} such rows in all: {expected}; bad_rows='drop' leaves them out"
            )
        if count or self.ragged:
            note(f"dropped {count + len(self.ragged)} bad rows")
        return self.take(~bad) if count else self


def rows_of_array(edges: Any, weight: Any, id_dtype: type | None) -> EdgeRows:
    """The rows of a ``(2, E)`` integer array, with an ``(E,)`` array of weights or None."""
    import pyarrow as pa

    try:
        array = edges.detach().cpu().numpy() if isinstance(edges, Tensor) else np.asarray(edges)
    except ValueError as error:
        raise InputError(f"edges: expected a (2, E) array of integers ({error})") from None
    if array.ndim != 2 or array.shape[0] != 2:
        hint = ": transpose it" if array.ndim == 2 and array.shape[1] == 2 else ""
        raise InputError(f"edges has shape {array.shape}: expected (2, E){hint}")
    if array.size and array.dtype.kind not in "iu":
        hint = "; for nodes with names pass a table or a file" if array.dtype.kind in "UO" else ""
        raise InputError(f"edges is of type {array.dtype}: expected integers{hint}")
    array = array if array.size else array.astype(np.int64)
    raw = {"source": pa.array(array[0]), "target": pa.array(array[1])}
    source, target = (ids(ends, "edges", id_dtype) for ends in raw.values())
    weights = None
    if weight is not None:
        if isinstance(weight, str):
            raise InputError(
                f"weight={weight!r} names a column, and edges is an array: expected an (E,) array of weights"
            )
        weights = np.asarray(weight.detach().cpu() if isinstance(weight, Tensor) else weight)
        if weights.shape != array.shape[1:] or weights.dtype.kind not in "iufb":
            shape = f"({array.shape[1]},)"
            raise InputError(
                f"weight has shape {weights.shape}, type {weights.dtype}: expected {shape}, a number for each edge"
            )
        weights = weights.astype(np.float64)
        raw["weight"] = pa.array(weights)
    return EdgeRows(source, target, weights, raw, np.arange(array.shape[1]))


def rows_of_table(
    table: Table, source: Any, target: Any, weight: Any, id_dtype: type | None, *, skip_ragged: bool
) -> EdgeRows:
    """The rows of a table's columns ``source``, ``target`` and, unless None, ``weight``."""
    if weight is not None:
        if not isinstance(weight, (str, int)):
            raise InputError(f"weight is of type {type(weight).__name__}: expected the name of a column of edges")
        weight = table.find("weight", weight)
    named = source is not None and target is not None
    source, target = _ends(table, source, target, weight)
    names = [source, target] + ([] if weight is None else [weight])
    columns, ragged = table.read(names, skip_ragged=skip_ragged)
    if not named and table.delimited and all(_occurs(name, columns[:2]) for name in (source, target)):
        raise _no_header(table)
    ends = [ids(column, f"edges column {name!r}", id_dtype) for name, column in zip(names[:2], columns, strict=False)]
    weights = None if weight is None else numbers(columns[2], f"edges column {weight!r}")
    raw = {str(name): column for name, column in zip(names, columns, strict=True)}
    return EdgeRows(ends[0], ends[1], weights, raw, np.arange(len(ends[0])), ragged)


def _ends(table: Table, source: Any, target: Any, weight: Any) -> tuple[Any, Any]:
    """The names of the two columns of ids; left out, they are the two that remain."""
    given = {"source": source, "target": target}
    for argument, name in given.items():
        if name is not None:
            table.find(argument, name)
    if source is not None and source == target:
        raise InputError(f"source={source!r}, target={target!r}: expected two different columns")
    rest = [name for name in table.names if name not in (source, target, weight)]
    missing = [argument for argument, name in given.items() if name is None]
    if not missing:
        return source, target
    if len(rest) != len(missing):
        columns = ", ".join(repr(str(name)) for name in table.names)
        wanted = " and ".join(f"{name}=" for name in missing)
        raise InputError(f"{wanted} missing: edges has the columns {columns}{table.hint}")
    if table.delimited and all(name.strip().lstrip("+-").isdigit() for name in rest):
        raise _no_header(table)
    given.update(zip(missing, rest, strict=True))
    return given["source"], given["target"]


def _occurs(name: str, columns: list[pyarrow.Array]) -> bool:
    import pyarrow.compute as pc

    return any(pc.any(pc.equal(column, name)).as_py() for column in columns)


def _no_header(table: Table) -> InputError:
    return InputError(
        f"edges={str(table.path)!r}: the first line, {table.delimiter.join(table.names)!r}, looks like an edge: "
        "expected a header (if it is one, name the columns with source= and target=)"
    )
