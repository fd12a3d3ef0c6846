"""``BenchmarkResult``: every run of a benchmark, summarised over splits and compared on the same ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from graphvae.estimators.published import published_rows

__all__ = ["COMPARED", "BenchmarkResult"]

# Figures that models are compared by on the same splits.
COMPARED = ("auc", "ap", "mrr", "hits@10", "hard_mrr", "heldout")

RANKS = ("mrr", *(f"hits@{k}" for k in (1, 3, 10, 50, 100)))

# Figures summarised over runs; those a model does not have are left out. Ranks among all nodes have no prefix.
FIGURES = (
    "auc",
    "ap",
    *(prefix + key for prefix in ("", "hard_", "test_") for key in RANKS),
    "brier_skill",
    "log_loss_skill",
    "calibration_error",
    "calibration_floor",
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
    """Every run of a benchmark, and what follows from them.

    Args:
        runs: one record per data set, model and split, with its configuration and split hash.
        machine: processor, threads, versions.
    """

    runs: list[dict[str, Any]]
    machine: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One row per data set and model: mean, standard error and spread of each figure, and n."""
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for run in self.runs:
            groups.setdefault((run["dataset"], run["model"]), []).append(run)
        known = {(row["dataset"], row["model"]): row for row in self.published()}
        rows = []
        for (dataset, model), runs in groups.items():
            row: dict[str, Any] = {"dataset": dataset, "model": model, "n": len(runs)}
            for figure in FIGURES:
                values = [run[figure] for run in runs if run.get(figure) is not None]
                if len(values) == len(runs):
                    spread = stdev(values) if len(values) > 1 else None
                    error = None if spread is None else spread / math.sqrt(len(values))
                    row[figure] = {"mean": mean(values), "standard_error": error, "standard_deviation": spread}
            if (dataset, model) in known:
                row["published"] = {key: known[dataset, model][key] for key in ("auc", "ap", "source")}
            rows.append(row)
        return rows

    def best_baselines(self) -> list[dict[str, Any]]:
        """One row per data set with baselines: the best of them by each figure's mean, chosen on the test part itself.

        So chosen, it is a harder mark than any baseline one could have picked before.
        """
        from graphvae.evaluation.heuristics import HEURISTICS

        rows = self.rows()
        best = []
        for dataset in dict.fromkeys(row["dataset"] for row in rows):
            found = [row for row in rows if row["dataset"] == dataset and row["model"] in HEURISTICS]
            if not found:
                continue
            chosen: dict[str, Any] = {"dataset": dataset, "of": len(found)}
            for figure in FIGURES:
                having = [row for row in found if figure in row]
                if having and figure != "seconds":
                    means = [row[figure]["mean"] for row in having]
                    top = having[means.index(max(means))]
                    chosen[figure] = {"model": top["model"], **top[figure]}
            best.append(chosen)
        return best

    def differences(self) -> list[dict[str, Any]]:
        """For every two models of a data set the paired difference of each figure on the splits both were run on.

        A row is about ``model`` minus ``against``, which was listed before it.
        """
        from graphvae.evaluation.paired import paired_difference

        groups: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
        for run in self.runs:
            groups.setdefault(run["dataset"], {}).setdefault(run["model"], {})[run["split_hash"]] = run
        rows = []
        for dataset, models in groups.items():
            names = list(models)
            for against, model in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
                own, other = models[model], models[against]
                shared = [(own[key], other[key]) for key in own if key in other]
                for figure in COMPARED:
                    both = [(a[figure], b[figure]) for a, b in shared if None not in (a.get(figure), b.get(figure))]
                    if both and all(math.isfinite(value) for pair in both for value in pair):
                        ratio = mean(a["test_edges"] / a["train_edges"] for a, _ in shared)
                        found = paired_difference(*zip(*both, strict=True), ratio=ratio)
                        rows.append({"dataset": dataset, "figure": figure, "model": model, "against": against, **found})
        return rows

    def published(self) -> list[dict[str, Any]]:
        """What others have published on the data sets at hand, with its source; it is of random splits."""
        return published_rows({run["dataset"] for run in self.runs if run.get("protocol", "random") == "random"})

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {
            "machine": self.machine,
            "rows": self.rows(),
            "best_baselines": self.best_baselines(),
            "differences": self.differences(),
            "published": self.published(),
            "runs": self.runs,
        }
