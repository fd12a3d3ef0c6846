"""Benchmarks: every model on the same splits, every run kept, resumed where it ended."""

from __future__ import annotations

import json

import pytest

import graphvae as gv
from graphvae.estimators import benchmark_runs
from graphvae.estimators.benchmark import run_benchmark
from graphvae.evaluation.heuristics import HEURISTICS

MODELS = ["vgae,epochs=3", "gae,epochs=3", "katz"]


@pytest.fixture(scope="module")
def result():
    lines = []
    made = run_benchmark(["karate", "lesmis"], MODELS, runs=3, val=0.1, progress=lines.append)
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
    run = next(r for r in result.runs if (r["dataset"], r["model"], r["seed"]) == ("lesmis", "gae,epochs=3", 1))
    split = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=run["seed"])
    model = getattr(gv, run["config"]["estimator"])(**run["config"]["params"])
    report = model.fit(split).evaluate()
    assert (report.auc, report.ap) == (run["auc"], run["ap"])
    assert report.rankings["all"]["GAE"]["mrr"] == run["mrr"]


def test_a_figure_that_a_model_does_not_have_is_left_out(result):
    rows = {row["model"]: row for row in result.rows() if row["dataset"] == "karate"}
    assert {"auc", "ap", "elbo", "kl", "heldout", "null_degrees", "seconds"} <= set(rows["vgae,epochs=3"])
    assert not {"elbo", "kl"} & set(rows["gae,epochs=3"])
    assert {"heldout", "null_erdos_renyi"} <= set(rows["gae,epochs=3"])
    ranks = {key for key in rows["katz"] if "mrr" in key or "hits@" in key}
    assert {"mrr", "hits@10", "hard_mrr", "test_mrr"} <= ranks
    assert "hits@50" not in ranks  # of 34 nodes
    assert {"auc", "ap", "seconds"} == set(rows["katz"]) - ranks - {"dataset", "model", "n"}


def test_all_of_it_is_json(result):
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(data) == {"machine", "rows", "best_baselines", "differences", "published", "runs"}
    assert data["machine"]["threads"] >= 1
    found = {(row["figure"], row["model"], row["against"]) for row in data["differences"]}
    assert ("heldout", "gae,epochs=3", "vgae,epochs=3") in found
    assert ("heldout", "katz", "vgae,epochs=3") not in found


def test_what_auto_chose_is_told():
    (run,) = run_benchmark(["karate"], ["vgae:auto,epochs=2"], runs=1).runs
    assert run["config"]["params"]["encoder"] == "auto"
    assert run["settled"]["encoder"]["name"] == "hops"
    assert "no features" in run["why"]


def test_heuristics_are_all_that_a_data_set_allows(monkeypatch):
    found = run_benchmark(["karate"], ["katz", "heuristics"], runs=1)
    assert [run["model"] for run in found.runs] == [
        "katz",
        *(n for n in HEURISTICS if n not in ("katz", "feature-cosine")),
    ]
    assert "feature-cosine" in {run["model"] for run in run_benchmark(["digits-knn"], ["heuristics"], runs=1).runs}
    from dataclasses import replace

    monkeypatch.setitem(HEURISTICS, "katz", replace(HEURISTICS["katz"], limit=10))
    lines = []
    without = run_benchmark(["karate"], ["heuristics"], runs=1, progress=lines.append)
    assert "katz" not in {run["model"] for run in without.runs}
    assert lines[0] == "karate: Katz is left out, for it would take too long; named, it is run"
    assert [run["model"] for run in run_benchmark(["karate"], ["katz"], runs=1).runs] == ["katz"]


def test_an_interrupted_benchmark_goes_on(tmp_path, monkeypatch):
    calls = []
    fit = gv.GAE.fit

    def counted(self, split, **options):
        calls.append(self.seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(self, split, **options)

    monkeypatch.setattr(gv.GAE, "fit", counted)
    store, models, lines = tmp_path / "store", ["gae,epochs=2", "katz"], []
    options = {"runs": 3, "store": store, "progress": lines.append}
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(["karate"], models, **options)
    assert len(list(store.iterdir())) == 4
    whole = run_benchmark(["karate"], models, **options)
    assert calls == [0, 1, 2, 2]
    assert lines[-1] == f"4 of 6 runs were found in {store} and not run again"
    assert [(r["seed"], r["model"]) for r in whole.runs] == [(s, m) for s in range(3) for m in models]
    assert run_benchmark(["karate"], models, **options).runs == whole.runs
    # Another setting is another run, and so is whatever is asked for anew.
    run_benchmark(["karate"], ["gae,epochs=3"], **options)
    assert calls[4:] == [0, 1, 2]
    run_benchmark(["karate"], ["gae,epochs=3"], **options, fresh=True)
    assert calls[7:] == [0, 1, 2]
    # Runs of another state of the code count, and are told.
    monkeypatch.setattr(benchmark_runs, "code_state", lambda: "changed")
    monkeypatch.setattr("graphvae.estimators.benchmark.code_state", lambda: "changed")
    run_benchmark(["karate"], models, **options)
    assert lines[-1].startswith("6 of them were made by another state of this package's code")


def test_a_store_that_cannot_be_read_is_named(tmp_path):
    run_benchmark(["karate"], ["katz"], runs=1, store=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text("{}")
    with pytest.raises(gv.InputError, match=r"karate-katz-0-\w+\.json is no finished run"):
        run_benchmark(["karate"], ["katz"], runs=1, store=tmp_path)
    with pytest.raises(gv.InputError, match="is a file: expected a folder"):
        run_benchmark(["karate"], ["katz"], runs=1, store=file)


@pytest.mark.slow
def test_processes_give_the_same_runs_in_the_same_order(tmp_path):
    lines, models = [], ["vgae,epochs=5", "spectral"]
    found = run_benchmark(["karate"], models, runs=3, jobs=2, store=tmp_path, progress=lines.append)
    alone = run_benchmark(["karate"], models, runs=3)
    assert len(found.runs) == len(alone.runs) == len(lines) == len(list(tmp_path.iterdir())) == 6
    for one, other in zip(found.runs, alone.runs, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


@pytest.mark.parametrize(
    ("datasets", "models", "options", "message"),
    [
        (["karate"], ["vgea"], {}, "model='vgea'.*did you mean 'vgae'"),
        (["karate"], ["vgae:papr"], {}, "preset='papr'.*did you mean 'paper'"),
        (["karate"], ["vgae,posterior=hypersperical"], {}, "posterior='hypersperical'.*did you mean 'hyperspherical'"),
        (["karate"], ["vgae,epochs=0"], {}, "model='vgae,epochs=0' on karate: epochs=0"),
        (["karate"], ["vgae,patience=3"], {"val": 0}, "its selection needs validation pairs"),
        (["karat"], ["vgae"], {}, "name='karat'.*did you mean 'karate'"),
        (["karate:nofeatures"], ["vgae"], {}, "dataset view='nofeatures': expected one of 'featureless'"),
        (["karate"], ["vgae"], {"runs": 0}, "runs=0"),
        (["karate"], ["vgae"], {"kind": "temporal"}, "kind='temporal'"),
        (["karate"], ["vgae"], {"kind": "inductive"}, 'protocol="inductive": this model learns one row for each'),
        (["karate"], ["vgae"], {"jobs": 0}, "jobs=0"),
        (["karate"], ["vgae"], {"threads": 0}, "threads=0"),
        (["karate"], ["vgae"], {"hard": -1}, "hard=-1"),
        (["karate"], ["vgae"], {"val": 0.6, "test": 0.6}, "val=0.6 and test=0.6"),
        (["karate"], ["vgae"], {"test": 0}, "test=0: expected a share of the edges of karate"),
        (["karate"], ["vgae", "feature-cosine"], {}, "model='feature-cosine' on karate: needs features"),
        (["digits-knn", "karate"], ["vgae:generative"], {}, "model='vgae:generative' on karate: .*no features"),
    ],
)
def test_refusals_come_before_any_training(monkeypatch, datasets, models, options, message):
    monkeypatch.setattr(gv.VGAE, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    with pytest.raises(gv.InputError, match=message):
        run_benchmark(datasets, models, **options)
