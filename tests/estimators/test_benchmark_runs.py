"""Single runs: named by all that they depend on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphvae as gv
from graphvae.estimators.benchmark_runs import Protocol, code_state, runs_of_split


def files(folder: Path, protocol: Protocol, epochs: int = 1, seed: int = 0) -> set[str]:
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=seed)
    makers = {
        "gae": lambda s: gv.GAE(epochs=epochs, seed=s),
        "vgae:kipf:exact": lambda s: gv.VGAE(epochs=epochs, seed=s),
    }
    list(runs_of_split("karate", split, seed, makers, protocol))
    return {path.name for path in folder.iterdir()}


def test_every_setting_makes_another_file(tmp_path: Path) -> None:
    plain = Protocol(0.1, 0.1, "random", False, 5, tmp_path)
    found = files(tmp_path, plain)
    assert len(found) == 2
    assert all(name.startswith(("karate-gae-0-", "karate-vgae_kipf_exact-0-")) for name in found)
    assert files(tmp_path, plain) == found
    for count, options in enumerate(({"epochs": 2}, {"seed": 1}), start=2):
        assert len(files(tmp_path, plain, **options)) == 2 * count
    assert len(files(tmp_path, Protocol(0.1, 0.1, "random", True, 5, tmp_path))) == 8
    assert len(files(tmp_path, Protocol(0.1, 0.1, "random", True, 6, tmp_path))) == 10


def test_a_record_tells_what_it_is_of(tmp_path: Path) -> None:
    files(tmp_path, Protocol(0.1, 0.1, "random", True, 5, tmp_path))
    record = json.loads(next(tmp_path.glob("karate-gae-*")).read_text())
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=0)
    assert record["config"] == {"estimator": "GAE", "params": gv.GAE(epochs=1).fit(split).fitted.params}
    assert (record["split_hash"], record["train_edges"], record["test_edges"]) == (split.hash, 64, 7)
    assert {"auc", "mrr", "hard_mrr", "test_hits@1", "brier_skill", "seconds", "torch", "threads"} <= set(record)
    assert (record["version"], record["code"]) == (gv.__version__, code_state())
    report = gv.GAE(epochs=1).fit(split).evaluate(ranking=True, hard=5)
    assert record["mrr"] == report.rankings["all"]["GAE"]["mrr"]
    assert record["hard_mrr"] == report.rankings["hard"]["GAE"]["mrr"]


def test_what_is_there_is_read_unless_asked_for_anew(tmp_path: Path) -> None:
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=0)

    def once(fresh: bool = False) -> list[bool]:
        protocol = Protocol(0.1, 0.1, "random", False, 0, tmp_path, fresh)
        return [run.found for run in runs_of_split("karate", split, 0, {"katz": "katz"}, protocol)]

    assert [once(), once(), once(fresh=True), once()] == [[False], [True], [False], [True]]
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"katz"', '"jaccard"'))
    with pytest.raises(gv.InputError, match="it is of another run"):
        once()
