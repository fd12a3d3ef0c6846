"""``graphvae check``: whether a split leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphvae.cli.output import show

__all__ = ["check"]


def check(
    split: Annotated[
        Path, typer.Argument(help="A split file (.csv, .tsv, .parquet, .npz: source, target, part, label) or a run.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Look for leaks in a saved split; exit status 1 if there is one."""
    from graphvae.estimators.split_check import check_split

    found = check_split(split)
    show(str(found), found.to_dict(), as_json=as_json)
    return 0 if found else 1
