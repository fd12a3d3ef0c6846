"""Recommended links as a table of ids, ranks and probabilities, to print and to files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from graphvae._check import InputError, suggest
from graphvae._files import atomic_path

__all__ = ["Recommendations"]

COLUMNS = ("source", "target", "rank", "probability")
DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, eq=False)
class Recommendations:
    """Links that are not known yet, the likeliest first; iteration runs over ``(source, target, probability)``.

    Attributes:
        source: ``(L,)`` ids of the nodes that were asked about, in that order; of the first nodes of pairs, if none.
        target: ``(L,)`` ids of their partners.
        rank: ``(L,)`` from 1: among the partners of the source, or among all pairs.
        probability: ``(L,)`` calibrated probability of the link.
    """

    source: np.ndarray
    target: np.ndarray
    rank: np.ndarray
    probability: np.ndarray

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[tuple[Any, Any, float]]:
        return iter(zip(self.source.tolist(), self.target.tolist(), self.probability.tolist(), strict=True))

    def __repr__(self) -> str:
        return f"Recommendations({len(self)} links)"

    def __str__(self) -> str:
        if not len(self):
            return "no unknown links"
        cells = [COLUMNS, *((str(a), str(b), str(rank), f"{p:.4f}") for a, b, rank, p in self._rows())]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = (
            [a.ljust(widths[0]), b.ljust(widths[1]), rank.rjust(widths[2]), p.rjust(widths[3])]
            for a, b, rank, p in cells
        )
        return "\n".join("  ".join(line).rstrip() for line in lines)

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, JSON-able."""
        return {name: getattr(self, name).tolist() for name in COLUMNS}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the four columns to a ``.csv``, ``.tsv`` or ``.parquet`` file, which appears whole or not at all.

        Str ids are always quoted in text; probabilities have nine significant digits there.

        Raises:
            InputError: for another suffix, or ids that UTF-8 cannot encode.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in (*DELIMITERS, ".parquet"):
            known = (*DELIMITERS, ".parquet")
            hint = suggest(suffix, known)
            raise InputError(f"path={str(target)!r}: expected a file name ending in one of {', '.join(known)}{hint}")
        try:
            with atomic_path(target) as temporary, temporary.open("wb") as file:
                if suffix == ".parquet":
                    self._write_parquet(file)
                else:
                    self._write_text(file, DELIMITERS[suffix])
        except UnicodeEncodeError as error:
            raise InputError(f"ids contains {error.object!r}: expected text that UTF-8 can encode") from None
        return target

    def _rows(self) -> Iterator[tuple[Any, Any, int, float]]:
        return zip(*self.to_dict().values(), strict=True)

    def _write_text(self, file: IO[bytes], delimiter: str) -> None:
        from graphvae.export.formats import quoted

        file.write((delimiter.join(COLUMNS) + "\n").encode())
        for a, b, rank, p in self._rows():
            file.write((delimiter.join([quoted(a), quoted(b), str(rank), f"{p:.9g}"]) + "\n").encode())

    def _write_parquet(self, file: IO[bytes]) -> None:
        import pyarrow
        import pyarrow.parquet

        ids = pyarrow.string() if self.source.dtype.kind == "U" else pyarrow.int64()
        kinds = dict(zip(COLUMNS, (ids, ids, pyarrow.int64(), pyarrow.float64()), strict=True))
        columns = {name: pyarrow.array(column, kinds[name]) for name, column in self.to_dict().items()}
        pyarrow.parquet.write_table(pyarrow.table(columns), file)
