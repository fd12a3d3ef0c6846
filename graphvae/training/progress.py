"""A progress bar on stderr, so that stdout stays the result's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from graphvae._state import random_state_kept

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(epochs: int, *, enabled: bool) -> Iterator[Callable[[Mapping[str, float]], None] | None]:
    """A callback that shows each training record, or None if not ``enabled``."""
    if not enabled:
        yield None
        return
    with random_state_kept():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("", total=epochs)

        def show(record: Mapping[str, float]) -> None:
            text = f"loss {record['loss']:.4f}"
            if "val_auc" in record:
                text += f"  val AUC {100 * record['val_auc']:.1f}"
            bar.update(task, completed=record["epoch"], description=text)

        yield show
