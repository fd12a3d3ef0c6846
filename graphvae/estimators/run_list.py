"""What run folders there are, told from their small files alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graphvae._check import InputError
from graphvae._files import reading
from graphvae.estimators.run_folder import CHECKPOINT, as_folder, is_run, read_config

__all__ = ["RunSummary", "list_runs", "list_unfinished"]


@dataclass(frozen=True)
class RunSummary:
    """One run folder.

    Attributes:
        run: its path.
        model: name of the estimator.
        data: a data set's name or a file's, or ``"memory"`` for data that came from neither.
        epochs: epochs trained.
        metrics: what ``metrics.json`` reports by part, such as ``{"test": {"auc": ..., "ap": ...}}``; {} without one.
        fault: why it cannot be read, or None.
    """

    run: str
    model: str
    data: str
    epochs: int
    metrics: dict[str, Any]
    fault: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return asdict(self)


def list_runs(folder: str | Path) -> list[RunSummary]:
    """Every run folder at or below ``folder``, by path; damaged ones with their fault.

    Raises:
        InputError: if there is no such folder.
    """
    root = as_folder(folder)
    if not root.is_dir():
        raise InputError(f"{str(root)!r} is no folder: expected one with run folders in it")
    return [_summary(found) for found in _runs(root)]


def list_unfinished(folder: str | Path) -> list[str]:
    """Folders at or below ``folder`` in which training left a checkpoint."""
    return [str(file.parent) for file in sorted(as_folder(folder).rglob(CHECKPOINT))]


def _runs(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("config.json")):
        # Runs that are being written lie in folders whose names begin with a dot.
        hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
        if not hidden and is_run(file.parent):
            yield file.parent


def _summary(folder: Path) -> RunSummary:
    try:
        config = read_config(folder)
        with reading(folder / "config.json"):
            model = str(config["estimator"])
        metrics = _json(folder / "metrics.json")
        with reading(folder / "history.jsonl") as file, file.open("rb") as lines:
            epochs = sum(1 for _ in lines)
        return RunSummary(str(folder), model, _data(folder, metrics), epochs, metrics)
    except InputError as error:
        return RunSummary(str(folder), "", "", 0, {}, str(error))


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    with reading(file):
        return dict(json.loads(file.read_text(encoding="utf-8")))


def _data(folder: Path, metrics: dict[str, Any]) -> str:
    """A name for what the run was fitted on; of a graph's file the header alone is read."""
    origin = metrics.get("data")
    graph = folder / "graph.safetensors"
    if graph.is_file():
        from safetensors import safe_open

        with reading(graph), safe_open(graph, framework="pt") as stored:
            origin = json.loads((stored.metadata() or {})["description"])["graph"]["origin"]
    if not isinstance(origin, dict):
        return "memory"
    names = [origin[key] for key in ("name", "edges") if isinstance(origin.get(key), str)]
    return Path(names[0]).name if names else "memory"
