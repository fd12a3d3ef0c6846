"""Models against data sets over random splits: every single run kept, summarised beside published figures."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

import torch

from graphvae._check import InputError, integer, one_of, resolve
from graphvae.data.graph import Graph
from graphvae.data.registry import load_graph
from graphvae.data.splits import LinkSplit, split_links
from graphvae.estimators.parameters import to_json
from graphvae.estimators.scoring import heuristic_scores
from graphvae.estimators.vgae import GAE, PRESETS, VGAE
from graphvae.training.objectives import OBJECTIVES, objective_named

__all__ = ["PUBLISHED", "BenchmarkResult", "parse_dataset", "parse_model", "run_benchmark"]

# AUC and AP in percent as printed in Kipf and Welling (2016), tables 1 and 2, features used but for ":featureless".
PUBLISHED: dict[tuple[str, str], tuple[float, float]] = {
    ("cora", "vgae"): (91.4, 92.6),
    ("citeseer", "vgae"): (90.8, 92.0),
    ("pubmed", "vgae"): (94.4, 94.7),
    ("cora", "gae"): (91.0, 92.0),
    ("citeseer", "gae"): (89.5, 89.9),
    ("pubmed", "gae"): (96.4, 96.5),
    ("cora:featureless", "vgae"): (84.0, 87.7),
    ("citeseer:featureless", "vgae"): (78.9, 84.1),
    ("pubmed:featureless", "vgae"): (82.7, 87.5),
    ("cora:featureless", "gae"): (84.3, 88.1),
    ("citeseer:featureless", "gae"): (78.7, 84.1),
    ("pubmed:featureless", "gae"): (82.2, 87.4),
}

# Figures summarised over runs; those a model does not have are left out.
FIGURES = (
    "auc",
    "ap",
    "elbo",
    "kl",
    "heldout_edge",
    "heldout",
    "null_erdos_renyi",
    "null_erdos_renyi_heldout",
    "null_degrees",
    "null_degrees_heldout",
    "seconds",
)


@dataclass(frozen=True)
class BenchmarkResult:
    """Every run of a benchmark, and their summary.

    Args:
        runs: one record per data set, model and split, with its configuration and split hash.
        machine: processor count, threads, versions.
    """

    runs: list[dict[str, Any]]
    machine: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One row per data set and model: mean, standard error and spread of each figure, and n."""
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for run in self.runs:
            groups.setdefault((run["dataset"], run["model"]), []).append(run)
        rows = []
        for (dataset, model), runs in groups.items():
            row: dict[str, Any] = {"dataset": dataset, "model": model, "n": len(runs)}
            for figure in FIGURES:
                values = [run[figure] for run in runs if run.get(figure) is not None]
                if len(values) == len(runs):
                    spread = stdev(values) if len(values) > 1 else None
                    error = None if spread is None else spread / math.sqrt(len(values))
                    row[figure] = {"mean": mean(values), "standard_error": error, "standard_deviation": spread}
            if (dataset, model) in PUBLISHED:
                auc, ap = PUBLISHED[dataset, model]
                row["published"] = {"auc": auc / 100, "ap": ap / 100, "source": "Kipf and Welling (2016)"}
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {"machine": self.machine, "rows": self.rows(), "runs": self.runs}


def parse_dataset(spec: str) -> tuple[str, bool]:
    """``"cora"`` or ``"cora:featureless"`` as name and whether features are wanted.

    Raises:
        InputError: for any other suffix (unknown names are refused when the data are loaded).
    """
    name, _, view = spec.strip().partition(":")
    if view:
        one_of("dataset view", view, ["featureless"])
    return name, not view


def parse_model(spec: str) -> Callable[[int], Any] | str:
    """``"vgae"``, ``"vgae:CHOICE"`` or ``"gae"`` as a maker of estimators by seed; a baseline's name stays a name.

    A choice is a preset, or an objective for the plain model: ``"sampled"``, ``"kipf:exact"``.

    Raises:
        InputError: for an unknown model or choice.
    """
    from graphvae.evaluation.heuristics import HEURISTICS

    name, _, choice = spec.strip().partition(":")
    one_of("model", name, ["vgae", "gae", *HEURISTICS])
    if choice and name != "vgae":
        raise InputError(f"model={spec!r}: expected a preset or an objective for vgae only")
    if name == "vgae" and choice.partition(":")[0] in OBJECTIVES and choice not in PRESETS:
        objective_named(choice)
        return lambda seed: VGAE(objective=choice, seed=seed)
    if name == "vgae":
        resolve("preset", choice or "paper", PRESETS)
        return lambda seed: VGAE.preset(choice or "paper", seed=seed)
    return (lambda seed: GAE(seed=seed)) if name == "gae" else name


def run_benchmark(
    datasets: Iterable[str],
    models: Iterable[str],
    *,
    runs: int = 10,
    val: float = 0.05,
    test: float = 0.10,
    progress: Callable[[str], None] = lambda line: None,
) -> BenchmarkResult:
    """Fit every model on the same ``runs`` random splits of every data set; the test part is read once per run.

    Args:
        datasets: names, with ``:featureless`` where features are to be left out.
        models: ``vgae``, ``vgae:PRESET``, ``vgae:OBJECTIVE``, ``gae``, or a baseline.
        runs: number of splits; split and model of run r are seeded by r.
        val: share of edges for validation.
        test: share of edges for the test.
        progress: is told of each finished run.

    Raises:
        InputError: for unknown names, and models or shares that a data set does not allow; before anything is trained.
    """
    runs = integer("runs", runs, low=1)
    makers = {spec: parse_model(spec) for spec in models}
    graphs = {
        spec: load_graph(name, features=features) for spec in datasets for name, features in [parse_dataset(spec)]
    }
    for dataset, graph in graphs.items():
        _check(dataset, graph, makers, split_links(graph, val=val, test=test, seed=0))
    records = []
    for dataset, graph in graphs.items():
        for seed in range(runs):
            split = split_links(graph, val=val, test=test, seed=seed)
            for model, maker in makers.items():
                record: dict[str, Any] = {"dataset": dataset, "model": model, "seed": seed, "split_hash": split.hash}
                record.update(_run_baseline(maker, split) if isinstance(maker, str) else _run_model(maker(seed), split))
                records.append(record)
                progress(f"{dataset} {model} {seed}: AUC {100 * record['auc']:.1f} AP {100 * record['ap']:.1f}")
    return BenchmarkResult(records, machine_description())


def machine_description() -> dict[str, Any]:
    """What a figure depends on and can be told without naming a machine."""
    return {
        "processor": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _check(dataset: str, graph: Graph, makers: Mapping[str, Callable[[int], Any] | str], split: LinkSplit) -> None:
    """Refuse now what would end a benchmark later, with its finished runs lost."""
    from graphvae.evaluation.heuristics import HEURISTICS

    if split.test.positive.shape[1] == 0:
        raise InputError(f"test=0: expected a share of the edges of {dataset} to test on")
    for spec, maker in makers.items():
        if isinstance(maker, str):
            needs = HEURISTICS[maker].needs_features
        else:
            needs = maker(0).get_params().get("prior") == "features"
        if needs and graph.x is None:
            raise InputError(f"model={spec!r} needs features: {dataset} has none")


def _run_model(model: Any, split: LinkSplit) -> dict[str, Any]:
    start = time.perf_counter()
    model.fit(split)
    seconds = time.perf_counter() - start
    report = model.evaluate(split)
    own, erdos_renyi, degrees = list((report.likelihoods or {}).values())
    return {
        "auc": report.auc,
        "ap": report.ap,
        **{key: own.get(key) for key in ("elbo", "elbo_standard_error", "kl", "heldout_edge", "heldout")},
        "null_erdos_renyi": erdos_renyi["log_likelihood"],
        "null_erdos_renyi_heldout": erdos_renyi["heldout"],
        "null_degrees": degrees["log_likelihood"],
        "null_degrees_heldout": degrees["heldout"],
        "seconds": seconds,
        "config": {"estimator": type(model).__name__, "params": to_json(model.get_params())},
    }


def _run_baseline(name: str, split: LinkSplit) -> dict[str, Any]:
    from graphvae.evaluation.metrics import average_precision, roc_auc

    start = time.perf_counter()
    scores = [
        heuristic_scores(name, split.train, pairs.numpy()) for pairs in (split.test.positive, split.test.negative)
    ]
    if scores[0] is None:
        raise InputError(f"model={name!r} needs features: expected a data set that has them")
    return {
        "auc": roc_auc(*scores),
        "ap": average_precision(*scores),
        "seconds": time.perf_counter() - start,
        "config": {"baseline": name},
    }
