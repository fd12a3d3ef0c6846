"""File formats of embedding tables: for each suffix a writer and a reader of ids, vectors and scales."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from graphvae._check import InputError

__all__ = ["FORMATS", "Format", "Table", "quoted", "values_of"]


class Table(NamedTuple):
    """What a file holds: N ids (int64 or str), vectors (N, D) and scale (N, D) or None, as float32."""

    ids: Any
    vectors: np.ndarray
    scale: np.ndarray | None


class Format(NamedTuple):
    """``write(file, table)`` to a file open for bytes, and ``read(path)``, which raises InputError on bad content."""

    write: Callable[[IO[bytes], Table], None]
    read: Callable[[Path], Table]


def _write_npz(file: IO[bytes], table: Table) -> None:
    arrays = {name: array for name, array in table._asdict().items() if array is not None}
    np.savez(file, allow_pickle=False, **arrays)


def _read_npz(path: Path) -> Table:
    # numpy leaves a file open that it opened itself and found broken.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        if not {"ids", "vectors"} <= set(arrays.files):
            raise InputError(f"holds the arrays {arrays.files}: expected ids, vectors and perhaps scale")
        return Table(arrays["ids"], arrays["vectors"], arrays["scale"] if "scale" in arrays.files else None)


def _write_parquet(file: IO[bytes], table: Table) -> None:
    import pyarrow
    import pyarrow.parquet

    kind = pyarrow.string() if table.ids.dtype.kind == "U" else pyarrow.int64()
    columns = [pyarrow.array(table.ids.tolist(), kind)]
    columns += [pyarrow.array(np.ascontiguousarray(column)) for column in _numbers(table).T]
    pyarrow.parquet.write_table(pyarrow.table(dict(zip(_header(table), columns, strict=True))), file)


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    # Opened as a file: read_table would take a folder named key=value above it for a partition column.
    with pyarrow.parquet.ParquetFile(path) as file:
        content = file.read()
    dimensions, scaled = _dimensions(content.column_names)
    column = content.column("id")
    if column.null_count:
        raise InputError(f"has {column.null_count} nodes without an id: expected an id for each")
    text = pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type)
    ids = np.array(column.to_pylist(), dtype=str) if text else column.to_numpy()
    columns = [content.column(name).to_numpy() for name in content.column_names[1:]]
    return _table(ids, np.stack(columns, axis=1) if columns else np.zeros((len(ids), 0)), dimensions, scaled)


def quoted(node: int | str) -> str:
    """An id as a cell of delimited text; quotes around every str keep blanks, line ends and delimiters as they are."""
    return '"' + node.replace('"', '""') + '"' if isinstance(node, str) else str(node)


def _delimited(delimiter: str) -> Format:
    """Delimited text as of RFC 4180, in UTF-8."""

    def write(file: IO[bytes], table: Table) -> None:
        numbers = _numbers(table)
        file.write((delimiter.join(_header(table)) + "\n").encode())
        row = "".join([delimiter + "%.9g"] * numbers.shape[1]) + "\n"
        for node, values in zip(table.ids.tolist(), numbers, strict=True):
            file.write((quoted(node) + row % tuple(values.tolist())).encode())

    def read(path: Path) -> Table:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(lines, [])
            dimensions, scaled = _dimensions(header)
            ids: list[str] = []
            rows: list[np.ndarray] = []
            for cells in lines:
                if len(cells) != len(header):
                    raise InputError(f"line {lines.line_num} has {len(cells)} cells: expected {len(header)}")
                ids.append(cells[0])
                rows.append(values_of(cells[1:], lines.line_num))
        numbers = np.stack(rows) if rows else np.zeros((0, len(header) - 1))
        return _table(np.array(ids, dtype=str), numbers, dimensions, scaled)

    return Format(write, read)


def _write_word2vec(file: IO[bytes], table: Table) -> None:
    dimensions = table.vectors.shape[1]
    file.write(f"{len(table.ids)} {dimensions}\n".encode())
    row = "".join([" %.9g"] * dimensions) + "\n"
    for node, values in zip(table.ids.tolist(), table.vectors, strict=True):
        if isinstance(node, str) and node.split() != [node]:
            raise InputError(
                f"ids contains {node!r}: word2vec's .txt cannot carry ids that are empty or contain white space; "
                "expected other ids, or save as .csv, .parquet or .npz"
            )
        file.write((str(node) + row % tuple(values.tolist())).encode())


def _read_word2vec(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="\n") as file:
        header = file.readline().split()
        if len(header) != 2 or not all(part.isdecimal() for part in header):
            raise InputError(
                f"begins with {' '.join(header)[:40]!r}: expected the line 'N D' of word2vec's text format"
            )
        n, dimensions = map(int, header)
        ids, rows = [], []
        for number, line in enumerate(file, start=2):
            cells = line.split()
            if len(cells) != dimensions + 1:
                raise InputError(f"line {number} has {len(cells)} cells: expected an id and {dimensions} numbers")
            ids.append(cells[0])
            rows.append(values_of(cells[1:], number))
    if len(ids) != n:
        raise InputError(f"holds {len(ids)} nodes: expected {n}, as its first line says")
    return _table(np.array(ids, dtype=str), np.stack(rows) if rows else np.zeros((0, dimensions)), dimensions, False)


FORMATS: dict[str, Format] = {
    ".npz": Format(_write_npz, _read_npz),
    ".parquet": Format(_write_parquet, _read_parquet),
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".txt": Format(_write_word2vec, _read_word2vec),
}
"""Formats by suffix."""


def _header(table: Table) -> list[str]:
    dimensions = range(table.vectors.shape[1])
    scales = [] if table.scale is None else [f"scale{d}" for d in dimensions]
    return ["id", *(f"z{d}" for d in dimensions), *scales]


def _dimensions(header: list[str]) -> tuple[int, bool]:
    """D and whether scales follow, from a header as :func:`_header` writes it."""
    d = sum(name.startswith("z") for name in header)
    vectors = ["id", *(f"z{i}" for i in range(d))]
    if header == vectors:
        return d, False
    if header == [*vectors, *(f"scale{i}" for i in range(d))]:
        return d, True
    raise InputError(
        f"has the columns {', '.join(header)[:80]!r}: expected id, z0, z1, .. and perhaps scale0, scale1, .."
    )


def _numbers(table: Table) -> np.ndarray:
    return table.vectors if table.scale is None else np.concatenate([table.vectors, table.scale], axis=1)


def _table(ids: np.ndarray, numbers: np.ndarray, dimensions: int, scaled: bool) -> Table:
    return Table(ids, numbers[:, :dimensions], numbers[:, dimensions:] if scaled else None)


def values_of(cells: list[str], line: int) -> np.ndarray:
    """Cells of a line as float32."""
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise InputError(f"line {line}: {error}; expected numbers") from None
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such
        return numbers.astype(np.float32)
