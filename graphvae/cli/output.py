"""How commands print: a table or JSON to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ["say", "show", "table"]


def say(*lines: str) -> None:
    """Lines to stderr."""
    for line in lines:
        print(line, file=sys.stderr)


def show(text: str, data: Any, *, as_json: bool) -> None:
    """The result, to stdout: ``text``, or ``data`` as JSON."""
    result = json.dumps(data, indent=2, allow_nan=False) if as_json else text
    try:
        print(result)
    except UnicodeEncodeError:  # a pipe that cannot carry the ő of Erdős, as on Windows
        print(result.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding))


def table(columns: list[str], rows: list[list[str]], *, prose: bool = False) -> str:
    """A plain-text table: the first column left-aligned, the others right, but for a last one of ``prose``."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    lines = []
    for row in [columns, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        cells[-1] = row[-1] if prose else cells[-1]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
