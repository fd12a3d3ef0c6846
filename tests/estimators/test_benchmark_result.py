"""Summaries of runs: as statistics has them, paired by split, beside the best baseline and what others published."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphvae.estimators.benchmark_result import BenchmarkResult
from graphvae.evaluation.paired import paired_difference

AUC = {"vgae": [0.90, 0.93, 0.91], "katz": [0.80, 0.92, 0.85], "jaccard": [0.84, 0.86, 0.86]}


def run(model: str, split: str, **figures: float) -> dict:
    return {
        "dataset": "cora",
        "model": model,
        "split_hash": split,
        "train_edges": 4488,
        "test_edges": 527,
        **figures,
    }


@pytest.fixture
def result() -> BenchmarkResult:
    runs = [run(m, str(i), auc=v, seconds=1.0) for m, values in AUC.items() for i, v in enumerate(values)]
    for each, mrr in zip(runs[3:], [0.3, 0.3, 0.3, 0.2, 0.2, 0.2], strict=True):
        each["mrr"] = mrr
    return BenchmarkResult(runs)


def test_rows_are_mean_standard_error_and_spread(result):
    rows = {row["model"]: row for row in result.rows()}
    for model, values in AUC.items():
        assert rows[model]["n"] == 3
        figure = rows[model]["auc"]
        assert figure["mean"] == pytest.approx(np.mean(values))
        assert figure["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
        assert figure["standard_error"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    assert "mrr" not in rows["vgae"]


def test_one_run_has_no_spread():
    row = BenchmarkResult([{"dataset": "a", "model": "b", "auc": 0.5}]).rows()[0]
    assert row["auc"] == {"mean": 0.5, "standard_error": None, "standard_deviation": None}


def test_the_best_baseline_of_each_figure(result):
    (best,) = result.best_baselines()
    assert (best["dataset"], best["of"]) == ("cora", 2)
    assert (best["auc"]["model"], best["mrr"]["model"]) == ("katz", "katz")
    assert best["auc"]["mean"] == pytest.approx(np.mean(AUC["katz"]))
    assert "seconds" not in best
    for each in result.runs[3:]:
        each["mrr"] = 1 - each["mrr"]
    assert result.best_baselines()[0]["mrr"]["model"] == "jaccard"
    assert BenchmarkResult(result.runs[:3]).best_baselines() == []


def test_differences_are_paired_by_split(result):
    rows = {(r["figure"], r["model"], r["against"]): r for r in result.differences()}
    assert set(rows) == {
        ("auc", "katz", "vgae"),
        ("auc", "jaccard", "vgae"),
        ("auc", "jaccard", "katz"),
        ("mrr", "jaccard", "katz"),
    }
    found = rows["auc", "katz", "vgae"]
    expected = paired_difference(AUC["katz"], AUC["vgae"], ratio=527 / 4488)
    assert {key: found[key] for key in ("n", "mean", "decided")} == {
        key: expected[key] for key in ("n", "mean", "decided")
    }
    assert found["corrected_interval"] == pytest.approx(expected["corrected_interval"])
    assert found["p"] == pytest.approx(expected["p"])
    shuffled = BenchmarkResult(result.runs[:3] + result.runs[5:2:-1])
    assert shuffled.differences()[0]["mean"] == pytest.approx(found["mean"])


def test_models_met_on_other_splits_are_not_compared():
    runs = [run(m, s, auc=v) for m, s, v in [("x", "1", 0.5), ("x", "2", 0.6), ("y", "2", 0.5), ("y", "3", 0.9)]]
    (row,) = BenchmarkResult(runs).differences()
    assert (row["n"], row["mean"], row["decided"]) == (1, pytest.approx(-0.1), False)
    runs[2]["auc"] = math.nan
    assert BenchmarkResult(runs).differences() == []


def test_published_figures_stand_beside_the_models_they_are_of(result):
    rows = {row["model"]: row for row in result.rows()}
    published = rows["vgae"]["published"]
    assert (published["auc"], published["ap"]) == pytest.approx((0.914, 0.926))
    assert published["source"] == "Kipf and Welling (2016)"
    assert "published" not in rows["katz"]
    assert "published" not in BenchmarkResult([run("vgae:strong", "0", auc=0.9)]).rows()[0]
    assert BenchmarkResult([run("vgae", "0", auc=0.9, protocol="connected")]).published() == []
