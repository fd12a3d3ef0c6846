"""Benchmarks: every model on the same splits, every run kept, summarised as statistics has it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import graphvae as gv
from graphvae.data.registry import dataset_names
from graphvae.estimators import benchmark
from graphvae.estimators.benchmark import PUBLISHED, BenchmarkResult, parse_dataset, parse_model, run_benchmark
from graphvae.evaluation.heuristics import HEURISTICS


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark.VGAE, "preset", classmethod(lambda cls, name, **o: cls(epochs=3, **o)))
        patch.setattr(benchmark, "GAE", lambda seed: gv.GAE(epochs=3, seed=seed))
        lines = []
        made = run_benchmark(["karate", "lesmis"], ["vgae", "gae", "katz"], runs=3, val=0.1, progress=lines.append)
    assert len(lines) == 18
    return made


def test_every_model_meets_the_same_splits(result):
    assert len(result.runs) == 2 * 3 * 3
    hashes = {}
    for run in result.runs:
        hashes.setdefault((run["dataset"], run["seed"]), set()).add(run["split_hash"])
    assert len(hashes) == 6
    assert all(len(group) == 1 for group in hashes.values())
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=2)
    assert hashes["karate", 2] == {split.hash}


def test_each_run_can_be_repeated_from_its_record(result):
    run = next(r for r in result.runs if (r["dataset"], r["model"], r["seed"]) == ("lesmis", "gae", 1))
    split = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=run["seed"])
    model = getattr(gv, run["config"]["estimator"])(**run["config"]["params"])
    report = model.fit(split).evaluate()
    assert (report.auc, report.ap) == (run["auc"], run["ap"])


def test_rows_are_mean_standard_error_and_spread(result):
    rows = {(row["dataset"], row["model"]): row for row in result.rows()}
    assert len(rows) == 6
    values = [r["auc"] for r in result.runs if (r["dataset"], r["model"]) == ("karate", "vgae")]
    figure = rows["karate", "vgae"]["auc"]
    assert figure["mean"] == pytest.approx(np.mean(values))
    assert figure["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert figure["standard_error"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    assert rows["karate", "vgae"]["n"] == 3


def test_a_figure_that_a_model_does_not_have_is_left_out(result):
    rows = {row["model"]: row for row in result.rows() if row["dataset"] == "karate"}
    assert {"auc", "ap", "elbo", "kl", "heldout", "null_degrees", "seconds"} <= set(rows["vgae"])
    assert not {"elbo", "kl"} & set(rows["gae"])
    assert {"heldout", "null_erdos_renyi"} <= set(rows["gae"])
    assert {"auc", "ap", "seconds"} == set(rows["katz"]) - {"dataset", "model", "n"}


def test_one_run_has_no_spread():
    row = BenchmarkResult([{"dataset": "a", "model": "b", "auc": 0.5}]).rows()[0]
    assert row["auc"] == {"mean": 0.5, "standard_error": None, "standard_deviation": None}


def test_published_figures_stand_beside_the_models_they_are_of():
    rows = BenchmarkResult([{"dataset": "cora", "model": m, "auc": 0.9} for m in ("vgae", "vgae:elbo", "katz")]).rows()
    published = rows[0]["published"]
    assert (published["auc"], published["ap"]) == pytest.approx((0.914, 0.926))
    assert published["source"] == "Kipf and Welling (2016)"
    assert "published" not in rows[1]
    assert "published" not in rows[2]
    for (dataset, model), (auc, ap) in PUBLISHED.items():
        assert parse_dataset(dataset)[0] in dataset_names()
        assert callable(parse_model(model))
        assert 70 < auc < ap < 100


def test_all_of_it_is_json(result):
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(data) == {"machine", "rows", "runs"}
    assert data["machine"]["threads"] >= 1


def test_models_by_name():
    assert parse_model("vgae")(7).get_params() == gv.VGAE(seed=7).get_params()
    assert parse_model("vgae:generative")(1).prior == "features"
    assert parse_model("vgae:elbo")(1).get_params() == gv.VGAE.preset("elbo", seed=1).get_params()
    assert parse_model("vgae:kipf:exact")(1).get_params() == gv.VGAE(objective="kipf:exact", seed=1).get_params()
    assert isinstance(parse_model("gae")(0), gv.GAE)
    for name in HEURISTICS:
        assert parse_model(name) == name
    assert parse_dataset("cora") == ("cora", True)
    assert parse_dataset("pubmed:featureless") == ("pubmed", False)


@pytest.mark.parametrize(
    ("datasets", "models", "options", "message"),
    [
        (["karate"], ["vgea"], {}, "model='vgea'.*did you mean 'vgae'"),
        (["karate"], ["vgae:papr"], {}, "preset='papr'.*did you mean 'paper'"),
        (["karate"], ["vgae:kipf:fast"], {}, "path of the objective='fast'"),
        (["karate"], ["gae:paper"], {}, "expected a preset or an objective for vgae only"),
        (["karat"], ["vgae"], {}, "name='karat'.*did you mean 'karate'"),
        (["karate:nofeatures"], ["vgae"], {}, "dataset view='nofeatures': expected one of 'featureless'"),
        (["karate"], ["vgae"], {"runs": 0}, "runs=0"),
        (["karate"], ["vgae"], {"val": 0.6, "test": 0.6}, "val=0.6 and test=0.6"),
        (["karate"], ["vgae"], {"test": 0}, "test=0: expected a share of the edges of karate"),
        (["karate"], ["vgae", "feature-cosine"], {}, "model='feature-cosine' needs features: karate has none"),
        (["digits-knn", "karate"], ["vgae:generative"], {}, "model='vgae:generative' needs features: karate has none"),
    ],
)
def test_refusals_come_before_any_training(monkeypatch, datasets, models, options, message):
    monkeypatch.setattr(gv.VGAE, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    with pytest.raises(gv.InputError, match=message):
        run_benchmark(datasets, models, **options)
