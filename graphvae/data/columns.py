"""Columns of a table as people keep them, CSV file or data frame, read as ids and as numbers without guessing."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, suggest

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Table", "ids", "is_text", "numbers", "open_table"]

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
PARQUET = (".parquet", ".pq")
INTEGER = r"^\s*[+-]?[0-9]+\s*$"
NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
BLOCK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Table:
    """A table that is read column by column.

    Attributes:
        argument: the argument it was given as; it opens every message.
        names: the columns' names.
        path: the file, or None for a table in memory.
        frame: the narwhals frame, or None for a file.
        delimiter: what separates a text file's columns; empty for Parquet.
    """

    argument: str
    names: tuple[Any, ...]
    path: Path | None = None
    frame: Any = None
    delimiter: str = ","

    def find(self, argument: str, name: Any) -> Any:
        """``name`` if it is a column; otherwise an :class:`InputError` that lists the columns."""
        if name in self.names:
            return name
        names = [str(known) for known in self.names]
        hint = suggest(str(name), names) + self.hint
        raise InputError(f"{argument}={name!r}: {self.argument} has the columns {', '.join(map(repr, names))}{hint}")

    @property
    def hint(self) -> str:
        """What may be wrong with a file in which only one column was found; else an empty string."""
        if not self.delimited or len(self.names) != 1:
            return ""
        return f"; columns are separated by {self.delimiter!r}, another separator goes into delimiter="

    @property
    def delimited(self) -> bool:
        """Whether this is a text file, in which everything is a string."""
        return self.path is not None and bool(self.delimiter)

    def read(self, names: Sequence[Any], *, skip_ragged: bool = False) -> tuple[list[pyarrow.Array], tuple[int, ...]]:
        """The columns ``names``, and the numbers (from 1) of the rows left out for too few or too many fields.

        Raises:
            InputError: for such a row unless ``skip_ragged``, and for a file or a column that cannot be read.
        """
        if self.path is not None:
            return _read_file(self, names, skip_ragged) if self.delimiter else (_read_parquet(self, names), ())
        return [_read_series(self, name) for name in names], ()


def open_table(argument: str, value: Any, delimiter: str | None = None) -> Table:
    """A path to a CSV, TSV (``.gz`` too) or Parquet file, or a pandas, polars or pyarrow table, as a :class:`Table`.

    Raises:
        InputError: if there is no such file, no header in it, a name in the header twice, or ``value`` is no table.
    """
    if isinstance(value, (str, os.PathLike)):
        return _open_file(argument, Path(value), delimiter)
    import narwhals

    try:
        frame = narwhals.from_native(value, eager_only=True)
        return Table(argument, tuple(frame.columns), frame=frame)
    except TypeError:
        hint = ": call .collect() first" if hasattr(value, "collect") else ""
        raise InputError(
            f"{argument} is of type {type(value).__name__}{hint}: expected the path of a CSV, TSV or Parquet file "
            "or a pandas, polars or pyarrow table"
        ) from None
    except narwhals.exceptions.DuplicateError as error:
        raise InputError(f"{argument}: {' '.join(str(error).split())}") from None


def ids(column: pyarrow.Array, label: str, dtype: type | None = None) -> pyarrow.Array:
    """``column`` as int64 or string ids, null where an id is empty, missing or, with ``dtype=int``, no integer.

    Args:
        column: integers or strings; nothing else is an id.
        label: what a message calls the column.
        dtype: ``int`` parses strings, ``str`` writes integers as strings, None keeps what is there.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if types.is_unsigned_integer(column.type) and (pc.max(column).as_py() or 0) >= 2**63:
        raise InputError(f"{label} holds {pc.max(column)}: expected integers below 2**63, or strings")
    if types.is_integer(column.type):
        column = column.cast(pa.int64())
        return column.cast(pa.string()) if dtype is str else column
    if types.is_null(column.type):
        return column.cast(pa.int64() if dtype is int else pa.string())
    if not is_text(column.type):
        hint = ""
        if types.is_floating(column.type):
            hint = "; pandas turns integers with gaps into floats: .astype('Int64') brings them back"
        raise InputError(f"{label} holds values of type {column.type}: expected ids, integers or strings{hint}")
    if dtype is int:
        return _parse(column, INTEGER, pa.int64(), label)
    column = column.cast(pa.string())
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def numbers(column: pyarrow.Array, label: str) -> np.ndarray:
    """``column`` as float64, NaN where a number is missing or, in a column of strings, is none.

    Raises:
        InputError: for a column that is neither numeric, boolean nor text.
    """
    import pyarrow as pa

    types = pa.types
    if is_text(column.type):
        column = _parse(column, NUMBER, pa.float64(), label)
    elif types.is_boolean(column.type):
        column = column.cast(pa.int8())
    elif not any(kind(column.type) for kind in (types.is_integer, types.is_floating, types.is_decimal, types.is_null)):
        raise InputError(f"{label} holds values of type {column.type}: expected numbers")
    return np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def is_text(dtype: pyarrow.DataType) -> bool:
    """Whether a column of this type holds strings."""
    import pyarrow as pa

    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or dtype == pa.string_view()


def _parse(column: pyarrow.Array, pattern: str, dtype: pyarrow.DataType, label: str) -> pyarrow.Array:
    """Strings as numbers, null where ``pattern`` does not match: Arrow itself would stop at the first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.cast(pa.string())
    matched = pc.if_else(pc.match_substring_regex(column, pattern), column, pa.scalar(None, pa.string()))
    try:
        return pc.utf8_ltrim(pc.utf8_trim_whitespace(matched), characters="+").cast(dtype)
    except pa.ArrowInvalid as error:
        raise InputError(f"{label}: {error}; expected values that fit into {dtype}") from None


def _open_file(argument: str, path: Path, delimiter: str | None) -> Table:
    if not path.is_file():
        raise InputError(f"{argument}={str(path)!r}: no such file")
    if path.suffix.lower() in PARQUET:
        return _open_parquet(argument, path)
    if delimiter is None:
        inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
        if inner.suffix.lower() not in DELIMITERS:
            expected = f"a file named {', '.join(DELIMITERS)} (or these with .gz) or .parquet, or delimiter="
            raise InputError(f"{argument}={str(path)!r}: expected {expected}")
        delimiter = DELIMITERS[inner.suffix.lower()]
    elif not isinstance(delimiter, str) or len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise InputError(f"delimiter={delimiter!r}: expected one ASCII character, such as ',' or ';'")
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, delimiter=delimiter), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{argument}={str(path)!r} cannot be read: {error}{_encoding_hint(error)}") from None
    if not names:
        raise InputError(
            f"{argument}={str(path)!r}: the first line is empty; expected a header with the columns' names"
        )
    repeated = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
    if repeated:
        raise InputError(f"{argument}={str(path)!r}: the header names {repeated[0]!r} more than once")
    return Table(argument, tuple(names), path=path, delimiter=delimiter)


def _read_file(table: Table, names: Sequence[str], skip_ragged: bool) -> tuple[list[pyarrow.Array], tuple[int, ...]]:
    import pyarrow as pa
    import pyarrow.csv

    ragged: list[Any] = []

    def handle(row: Any) -> str:
        ragged.append(row)
        return "skip"

    wanted = list(dict.fromkeys([*names, table.names[-1]]))
    options = pyarrow.csv.ConvertOptions(
        # Every column is read as text, without null words: the ids 007, NA and null are themselves.
        column_types=dict.fromkeys(wanted, pa.string()),
        include_columns=wanted,
        strings_can_be_null=False,
    )
    try:
        content = pyarrow.csv.read_csv(
            table.path,
            # Only the single-threaded reader knows the numbers of the rows it cannot use.
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=table.delimiter, newlines_in_values=True, invalid_row_handler=handle
            ),
            convert_options=options,
        )
    except (pa.ArrowException, OSError) as error:
        if "cannot infer number of columns" in str(error):  # Arrow's words for a header without a line end
            return [pa.array([], pa.string()) for _ in names], ()
        hint = _encoding_hint(error)
        raise InputError(f"{table.argument}={str(table.path)!r} cannot be read: {error}{hint}") from None
    if ragged and not skip_ragged:
        row = ragged[0]
        fields = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        raise InputError(f"{table.argument} row {row.number - 1} has {fields}: {_short(row.text)}")
    # A quote that nobody closes swallows the rest of the file, and Arrow takes that for the last field.
    end = content.column(table.names[-1])[-1].as_py() if content.num_rows else ""
    if "\n" in end:
        raise InputError(
            f"{table.argument} row {content.num_rows} runs over several lines: {_short(end)}; is a quote open?"
        )
    return [content.column(name).combine_chunks() for name in names], tuple(row.number - 1 for row in ragged)


def _encoding_hint(error: Exception) -> str:
    is_encoding = isinstance(error, UnicodeDecodeError) or "UTF8" in str(error)
    return "; expected text in UTF-8, as iconv and spreadsheets write it when told to" if is_encoding else ""


def _open_parquet(argument: str, path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        names = tuple(pyarrow.parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{argument}={str(path)!r} cannot be read: {error}") from None
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise InputError(f"{argument}={str(path)!r}: the schema names {repeated[0]!r} more than once")
    return Table(argument, names, path=path, delimiter="")


def _read_parquet(table: Table, names: Sequence[str]) -> list[pyarrow.Array]:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        # Opened as a file: read_table would take a folder named key=value above it for a partition column.
        with pyarrow.parquet.ParquetFile(table.path) as file:
            content = file.read(columns=list(dict.fromkeys(names)))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{table.argument}={str(table.path)!r} cannot be read: {error}") from None
    return [_plain(content.column(name).combine_chunks()) for name in names]


def _plain(column: pyarrow.Array) -> pyarrow.Array:
    import pyarrow as pa

    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _read_series(table: Table, name: Any) -> pyarrow.Array:
    import pyarrow as pa

    try:
        column = table.frame.get_column(name).to_arrow()
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise InputError(
            f"{table.argument} column {name!r} mixes kinds of values or holds too large ones ({error})"
        ) from None
    return _plain(column)


def _short(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")
