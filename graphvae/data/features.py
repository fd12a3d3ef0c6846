"""Node features from a table keyed by node id: which kind each column is of, and its values without guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, one_of
from graphvae.data.columns import Table, ids, is_text, numbers, open_table
from graphvae.data.encoding import KINDS, CategoryColumn, FeatureEncoding, NumericColumn, TextColumn

if TYPE_CHECKING:
    import pyarrow

__all__ = ["FeatureTable", "encode_columns", "read_features"]

# What people write into a text file where there is no value.
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})
# A column of words is text if they are more than so many on average, or of more values than either of these.
WORDS, FEW_VALUES, SHARE_OF_ROWS = 3, 20, 0.5


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features as a table holds them.

    Attributes:
        ids: ``(M,)`` int64 or string ids, each once.
        encoding: how the columns become numbers.
        columns: for each column of ``encoding`` its M values.
    """

    ids: pyarrow.Array
    encoding: FeatureEncoding
    columns: tuple[Any, ...]

    def aligned(self, rows: np.ndarray) -> Any:
        """``(M, F)`` float32 features in the order of ``rows`` (M,), a permutation: entry i of the table goes there."""
        order = np.argsort(rows)
        return self.encoding.transform(
            [
                values[order] if isinstance(values, np.ndarray) else [values[i] for i in order.tolist()]
                for values in self.columns
            ]
        )


def read_features(
    features: Any,
    feature_id: str | None = None,
    id_dtype: type | None = None,
    delimiter: str | None = None,
    kinds: Mapping[str, str] | None = None,
    encoding: FeatureEncoding | None = None,
) -> FeatureTable:
    """The table ``features`` (a path or a data frame): one column of ids, all others numbers, categories or text.

    Args:
        features: the path of a CSV, TSV or Parquet file, or a pandas, polars or pyarrow table.
        feature_id: the column with the node ids; the first by default.
        id_dtype: as in :func:`graphvae.data.tables.graph_from_edges`.
        delimiter: what separates a file's columns, where its name does not tell.
        kinds: ``"numeric"``, ``"category"``, ``"text"`` or ``"skip"`` by column, where the values should not decide.
        encoding: of an earlier table; its columns are read, and treated alike.

    Raises:
        InputError: for a missing or repeated id, a column that is missing or of no kind, and words among numbers.
    """
    table = open_table("features", features, delimiter)
    key = table.find("feature_id", table.names[0] if feature_id is None and table.names else feature_id)
    names = [name for name in table.names if name != key]
    if encoding is not None:
        if kinds:
            raise InputError(f"feature_kinds={dict(kinds)!r}: expected none, because encoding= has them already")
        by_name = {str(name): name for name in names}
        names = [by_name.get(each.name) or table.find("encoding", each.name) for each in encoding.columns]
    if not names:
        raise InputError(f"features has no column beside the id column {key!r}: expected columns of features")
    chosen = dict(kinds or {})
    for name, kind in chosen.items():
        if name == key or name not in names:
            raise InputError(f"feature_kinds: {name!r} is no column of features; expected one of {names}")
        one_of(f"feature_kinds[{name!r}]", kind, (*KINDS, "skip"))
    ignored = [str(name) for name in names if chosen.get(name) == "skip"]
    names = [name for name in names if chosen.get(name) != "skip"]
    (raw, *columns), _ = table.read([key, *names])
    known = ids(raw, f"features column {key!r}", id_dtype)
    _check_ids(raw, known, key)
    if encoding is not None:
        values = [_values(table, c.name, column, type(c)) for c, column in zip(encoding.columns, columns, strict=True)]
        return FeatureTable(known, encoding, tuple(values))
    return FeatureTable(known, *encode_columns(table, names, columns, chosen, ignored))


def encode_columns(
    table: Table, names: Sequence[Any], columns: Sequence[pyarrow.Array], kinds: Mapping[str, str], ignored: list[str]
) -> tuple[FeatureEncoding, tuple[Any, ...]]:
    """The encoding fitted on columns, and their values; a column without any value is left out."""
    fitted: list[Any] = []
    found: list[Any] = []
    for name, column in zip(names, columns, strict=True):
        kind = KINDS[kinds[name]] if name in kinds else _kind(table, name, column)
        if kind is None:
            ignored.append(str(name))
            continue
        values = _values(table, name, column, kind)
        fitted.append(kind.fit(str(name), values))
        found.append(values)
    if not fitted:
        raise InputError(f"{table.argument} has no column with values: expected one beside the ids, or no features")
    return FeatureEncoding(tuple(fitted), tuple(ignored)), tuple(found)


def _kind(table: Table, name: Any, column: pyarrow.Array) -> Any:
    """What the values are; None where there are none."""
    import pyarrow as pa

    if column.null_count == len(column):
        return None
    if not is_text(column.type):
        return CategoryColumn if pa.types.is_boolean(column.type) else NumericColumn
    there = [value for value in _texts(table, column) if value is not None]
    if not there:
        return None
    numeric = np.isfinite(numbers(pa.array(there), f"{table.argument} column {name!r}"))
    if numeric.all():
        return NumericColumn
    if numeric.mean() > 0.5:
        word = there[int(np.flatnonzero(~numeric)[0])]
        raise InputError(
            f"{table.argument} column {name!r} holds {word!r} among numbers: expected one kind of value; "
            f"feature_kinds={{{str(name)!r}: 'category'}} (or 'text' or 'skip') settles it"
        )
    words = sum(len(value.split()) for value in there) / len(there)
    many = len(set(there)) > max(FEW_VALUES, SHARE_OF_ROWS * len(there))
    return TextColumn if words > WORDS or many else CategoryColumn


def _values(table: Table, name: Any, column: pyarrow.Array, kind: Any) -> Any:
    """``(M,)`` float64 with NaN, or a list of str with None, as ``kind`` takes them."""
    import pyarrow as pa

    if kind is not NumericColumn:
        return _texts(table, column)
    label = f"{table.argument} column {name!r}"
    # A file's column without a value would have no type.
    texts = _texts(table, column) if is_text(column.type) else None
    values = numbers(column if texts is None else pa.array(texts, pa.string()), label)
    infinite = np.isinf(values)
    if texts is not None:
        infinite |= np.isnan(values) & np.array([text is not None for text in texts])
    if infinite.any():
        row = int(infinite.argmax())
        raise InputError(f"{label} holds {column[row].as_py()!r} in row {row + 1}: expected finite numbers, or none")
    return values


def _texts(table: Table, column: pyarrow.Array) -> list[str | None]:
    """Values as text, None where one is missing: null, blank or, in a text file, a word for it."""
    import pyarrow as pa

    try:
        texts = column.cast(pa.string()).to_pylist()
    except pa.ArrowException:
        raise InputError(f"{table.argument} column of type {column.type}: expected numbers, booleans or text") from None
    missing = MISSING if table.delimited else frozenset({""})
    return [None if text is None or text.strip() in missing else text for text in texts]


def _check_ids(raw: pyarrow.Array, known: pyarrow.Array, key: Any) -> None:
    import pyarrow.compute as pc

    missing = np.flatnonzero(known.is_null().to_numpy(zero_copy_only=False))
    if len(missing):
        row = int(missing[0])
        raise InputError(
            f"features row {row + 1} has the id {raw[row].as_py()!r} in column {key!r}: expected a node id"
        )
    counts = pc.value_counts(known)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        name, times = repeated[0]["values"].as_py(), repeated[0]["counts"].as_py()
        raise InputError(f"features has {times} rows for the id {name!r} in column {key!r}: expected one for each node")
