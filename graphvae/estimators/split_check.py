"""``check_split``: whether a split leaks, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphvae._check import InputError
from graphvae._files import reading
from graphvae.data.leaks import Parts, rules
from graphvae.data.split_files import read_rows
from graphvae.data.splits import LinkSplit
from graphvae.estimators.graph_files import ids_from_tensors, parts_from_tensors
from graphvae.estimators.run_folder import read_safetensors

__all__ = ["Rule", "SplitCheck", "check_split"]

SHOWN = 3


@dataclass(frozen=True)
class Rule:
    """One rule of a fair split, and what breaks it.

    Attributes:
        claim: what must hold, in words.
        count: how many pairs break it.
        examples: the first of them, by node id.
    """

    claim: str
    count: int
    examples: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True)
class SplitCheck:
    """Every rule that was looked at.

    Attributes:
        name: what was checked.
        rules: one :class:`Rule` each.
    """

    name: str
    rules: tuple[Rule, ...]

    @property
    def leaks(self) -> tuple[Rule, ...]:
        """The rules that are broken."""
        return tuple(rule for rule in self.rules if rule.count)

    def __bool__(self) -> bool:
        return not self.leaks

    def __str__(self) -> str:
        lines = [f"{self.name}: " + (f"LEAKS, {len(self.leaks)} rules are broken" if self.leaks else "no leak found")]
        for rule in self.rules:
            examples = ", ".join(map(str, rule.examples))
            verdict = f"FAILED ({rule.count} pairs, such as {examples})" if rule.count else "ok"
            lines.append(f"  {verdict}: {rule.claim}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        rows = [
            {"claim": r.claim, "count": r.count, "examples": [list(pair) for pair in r.examples]} for r in self.rules
        ]
        return {"split": self.name, "leaks": bool(self.leaks), "rules": rows}


def check_split(split: LinkSplit | str | Path) -> SplitCheck:
    """Look for leaks in a split: test edges among training edges in either direction, pairs in two parts or twice in
    one, non-edges that are edges, held-out nodes with training edges, times out of order.

    It is true if there are none, prints as a report, and can be had from a shell as ``graphvae check FILE``.

    Args:
        split: a file as :func:`graphvae.save_split` writes it and other programs can, a run folder, or a split.

    Raises:
        InputError: for what is no split, or cannot be read. A leak is no error but what is reported.
    """
    if isinstance(split, LinkSplit):
        return _look(repr(split), split.parts(), split.train.node_ids)
    if not isinstance(split, (str, Path)):
        raise InputError(f"split={type(split).__name__}: expected a LinkSplit, a split file or a run folder")
    path = Path(split)
    if not path.is_dir():
        rows = read_rows(path)
        return _look(str(path), rows.parts(), rows.node_ids)
    file = path / "graph.safetensors"
    if not file.is_file():
        raise InputError(f"split={str(split)!r}: this folder has no graph.safetensors; expected a run of a graph model")
    with reading(file):
        tensors, description = read_safetensors(file)
        if description["kind"] != "split":
            raise InputError(f"{str(path)!r} was fitted on all edges of a graph: there is no split")
        return _look(str(path), parts_from_tensors(tensors), ids_from_tensors(tensors))


def _look(name: str, parts: Parts, node_ids: np.ndarray) -> SplitCheck:
    found = []
    for claim, offenders in rules(parts):
        some = node_ids[offenders[:, :SHOWN].numpy()].T.tolist()
        found.append(Rule(claim, offenders.shape[1], tuple((u, v) for u, v in some)))
    return SplitCheck(name, tuple(found))
