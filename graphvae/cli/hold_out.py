"""How a training run holds out links: ``--protocol``, ``--time`` and ``--split``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from graphvae._check import InputError, one_of
from graphvae.cli.settings import Settings

__all__ = ["holder"]


def holder(settings: Settings, *, val: float, test: float, seed: int) -> Callable[[Any], Any]:
    """What makes the split of a graph.

    Raises:
        InputError: for an unknown protocol, one without what it needs, and settings that contradict each other.
    """
    from graphvae.data.splits import DRAWN

    values = settings.values
    file, time, protocol = values.get("split"), values.get("time"), values.get("protocol")
    if file is not None:
        for name in settings.among("protocol", "time", "val", "test"):
            raise InputError(f"{settings.label(name)}: expected without {settings.label('split')}, which holds a split")
        if not Path(file).is_file():
            raise InputError(f"{settings.label('split')}={str(file)!r}: no such file")
    if protocol is not None:
        one_of(settings.label("protocol"), protocol, DRAWN)
    if protocol == "temporal" and time is None:
        raise InputError(f"{settings.label('protocol')}='temporal': expected the column of times as --time")
    if time is not None and protocol not in (None, "temporal"):
        raise InputError(f"{settings.label('time')}={time!r}: expected with the temporal protocol, not {protocol!r}")
    chosen = protocol or ("random" if time is None else "temporal")
    return partial(_hold_out, file=file, time=time, protocol=chosen, val=val, test=test, seed=seed)


def _hold_out(graph: Any, *, file: Path | None, time: str | None, seed: int, **options: Any) -> Any:
    from graphvae.data.edge_times import edge_times
    from graphvae.data.split_files import load_split
    from graphvae.data.splits import split_links

    if file is not None:
        return load_split(file, graph, seed=seed)
    return split_links(graph, **options, seed=seed, times=None if time is None else edge_times(graph, time))
