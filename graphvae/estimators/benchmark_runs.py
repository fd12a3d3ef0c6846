"""Single runs of a benchmark: trained, scored, kept in a folder, and found there again."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from graphvae._check import InputError
from graphvae._files import write_text
from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSplit, split_links
from graphvae.estimators.held_out import HeldOut, held_out
from graphvae.estimators.parameters import to_json
from graphvae.estimators.run_folder import versions
from graphvae.estimators.scoring import report_on

__all__ = ["KINDS", "Maker", "Protocol", "Run", "code_state", "runs_of_split"]

RECORD_FORMAT = 3
KINDS = ("random", "connected", "inductive")
"""Protocols that need no more than a graph."""

Maker = Callable[[int], Any] | str


@dataclass(frozen=True)
class Protocol:
    """What is the same in all runs of a benchmark.

    Attributes:
        val: share of edges for validation.
        test: share of edges for the test.
        kind: how links are held out; one of :data:`KINDS`.
        ranking: against all nodes and hard non-edges; None where that is cheap.
        hard: hard non-edges of each query.
        store: folder of finished runs, or None.
        fresh: whether to run again what is there.
    """

    val: float
    test: float
    kind: str
    ranking: bool | None
    hard: int
    store: Path | None = None
    fresh: bool = False

    def split(self, graph: Graph, seed: int) -> LinkSplit:
        """One of the splits."""
        return split_links(graph, val=self.val, test=self.test, seed=seed, protocol=self.kind)


@dataclass(frozen=True)
class Run:
    """A finished run, and whether it was found in the store."""

    record: dict[str, Any]
    found: bool


def runs_of_split(
    dataset: str, split: LinkSplit, seed: int, makers: Mapping[str, Maker], protocol: Protocol
) -> Iterator[Run]:
    """Every model on one split, in order; each record is written as soon as it is finished, or read."""
    held: HeldOut | None = None
    for spec, maker in makers.items():
        model = None if isinstance(maker, str) else maker(seed)
        config: dict[str, Any] = {"baseline": maker} if model is None else _config(model)
        head = {"dataset": dataset, "model": spec, "seed": seed, "split_hash": split.hash}
        settings = {
            "format": RECORD_FORMAT,
            "version": versions()["graphvae"],
            "ranking": protocol.ranking,
            "hard": protocol.hard,
        }
        settings["config"] = config
        file = None if protocol.store is None else protocol.store / _file_name({**head, **settings})
        if file is not None and file.is_file() and not protocol.fresh:
            yield Run(_read(file, {**head, **settings}), found=True)
            continue
        if held is None:
            held = held_out(split, "test", protocol.ranking, protocol.hard)
        start = time.perf_counter()
        figures = _flat(held.baseline(str(maker))) if model is None else _run_model(model, split, held)
        record = {
            **head,
            "train_edges": split.train.num_edges,
            "protocol": split.protocol,
            "test_edges": held.positive.shape[1],
            "seconds": time.perf_counter() - start,
            **figures,
            **settings,
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "code": code_state(),
        }
        if file is not None:
            write_text(file, json.dumps(record, indent=1, allow_nan=False) + "\n")
        yield Run(record, found=False)


@cache
def code_state() -> str:
    """A digest of this package's source, so that runs of different states of it can be told apart."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _run_model(model: Any, split: LinkSplit, held: HeldOut) -> dict[str, Any]:
    start = time.perf_counter()
    model.fit(split)
    seconds = time.perf_counter() - start
    report = report_on(model.fitted, split, held, baselines=False)
    own, erdos_renyi, degrees = list((report.likelihoods or {}).values())
    ranks = {among: rows[report.model] for among, rows in report.rankings.items()}
    return {
        **_flat({"auc": report.auc, "ap": report.ap, "rankings": ranks}),
        **{key: own.get(key) for key in ("elbo", "elbo_standard_error", "kl", "heldout_edge", "heldout")},
        "null_erdos_renyi": erdos_renyi["log_likelihood"],
        "null_erdos_renyi_heldout": erdos_renyi["heldout"],
        "null_degrees": degrees["log_likelihood"],
        "null_degrees_heldout": degrees["heldout"],
        **{key: value for key, value in (report.calibration or {}).items() if math.isfinite(value)},
        "seconds": seconds,
        **({"settled": model.fitted.settled, "why": model.fitted.why} if model.fitted.why else {}),
    }


def _flat(figures: dict[str, Any]) -> dict[str, Any]:
    """AUC, AP and the figures of rankings, by names such as ``mrr`` (among all nodes) and ``hard_hits@10``."""
    prefix = {"all": "", "hard": "hard_", "negatives": "test_"}
    ranks = {prefix[among] + key: value for among, row in figures["rankings"].items() for key, value in row.items()}
    return {"auc": figures["auc"], "ap": figures["ap"], **ranks}


def _config(model: Any) -> dict[str, Any]:
    return {"estimator": type(model).__name__, "params": to_json(model.get_params())}


def _file_name(identity: dict[str, Any]) -> str:
    """A name that is another one for any other data, split, model, seed or setting."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:12]
    words = (identity["dataset"], identity["model"], str(identity["seed"]))
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:80] for word in (*words, digest)) + ".json"


def _read(file: Path, identity: dict[str, Any]) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if any(record[key] != value for key, value in identity.items()):
            raise ValueError("it is of another run")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no finished run ({error}): delete it to run it again") from None
    return record
