"""Reliability at the head of all pairs, and thresholds chosen on validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphvae as gv
from graphvae.evaluation.reliability import shift_prior


@pytest.fixture(scope="module")
def split() -> gv.LinkSplit:
    return gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.2, seed=0)


@pytest.fixture(scope="module")
def model(split: gv.LinkSplit) -> gv.VGAE:
    return gv.VGAE(epochs=30).fit(split)


def test_bins_are_the_likeliest_candidates_of_a_sort_of_all(model: gv.VGAE, split: gv.LinkSplit) -> None:
    z = model.embed().vectors
    left_out = {tuple(pair) for part in (split.train.pairs, split.val.positive) for pair in part.T.tolist()}
    candidates = [(u, v) for u in range(77) for v in range(u + 1, 77) if (u, v) not in left_out]
    logits = np.array([z[u] @ z[v] for u, v in candidates])
    best = np.argsort(-logits, kind="stable")[:20]
    sought = {tuple(pair) for pair in split.test.positive.T.tolist()}
    density = len(sought) / len(candidates)
    p = shift_prior(model.calibration.probabilities(logits[best]), split.density, density)
    found = model.reliability(split, pairs=20, bins=2)
    assert found.predicted == pytest.approx([p[:10].mean(), p[10:].mean()], rel=1e-4)
    hits = np.array([candidates[i] in sought for i in best])
    assert found.observed == pytest.approx([hits[:10].mean(), hits[10:].mean()])
    assert model.reliability().counts.sum() == 2 * len(sought)


def test_thresholds_are_chosen_on_validation_at_the_density(model: gv.VGAE, split: gv.LinkSplit) -> None:
    found = model.threshold()
    p = model.predict_proba(edge_label_index=split.val.positive)
    assert found["threshold"] in p
    assert found["recall"] == pytest.approx((p >= found["threshold"]).mean())
    assert model.threshold(precision=0.1)["precision"] >= 0.1


def test_no_validation_no_threshold_and_no_other_split() -> None:
    graph = gv.load_graph("karate")
    for data in (graph, gv.split_links(graph, val=0.0, test=0.1)):
        with pytest.raises(gv.InputError, match="fitted without validation pairs"):
            gv.VGAE(epochs=1).fit(data).threshold()
    with pytest.raises(gv.InputError, match="nothing is held out"):
        gv.VGAE(epochs=1).fit(graph).reliability()


def test_reports_carry_slices_calibration_and_intervals(model: gv.VGAE, split: gv.LinkSplit) -> None:
    report = model.evaluate(split, bootstrap=20)
    assert sum(row["edges"] for row in list(report.slices.values())[:4]) == report.num_positive
    assert set(report.calibration) == {"brier_skill", "log_loss_skill", "calibration_error", "calibration_floor"}
    low, high = report.intervals["auc"]
    assert low < report.auc < high
    assert set(report.intervals) == {"auc", "ap", *report.calibration}
    text = str(report)
    assert "a node without training edges" in text
    assert "Brier skill" in text
    assert "95 % bootstrap intervals" in text
    assert "bootstrap" not in str(model.evaluate(split))
    with pytest.raises(gv.InputError, match="bootstrap=-1"):
        model.evaluate(split, bootstrap=-1)


def test_isotonic_probabilities_by_argument_are_kept_with_the_run(split: gv.LinkSplit, tmp_path: Path) -> None:
    model = gv.VGAE(epochs=30).fit(split)
    before, pairs = model.calibration.to_dict(), split.test.positive
    fitted = model.predict_proba(edge_label_index=pairs)
    assert model.calibrate("isotonic") is model.calibration
    p = model.predict_proba(edge_label_index=pairs)
    assert "isotonic regression" in str(model.calibration)
    assert not np.allclose(p, fitted)
    order = np.argsort(fitted)
    assert (np.diff(p[order]) >= 0).all()  # monotone in the same logits
    again = gv.load(model.save(tmp_path / "run"))
    assert again.predict_proba(edge_label_index=pairs).tolist() == p.tolist()
    assert again.evaluate().calibration == pytest.approx(model.evaluate().calibration)
    assert again.calibrate("platt").method == "platt"
    assert model.calibrate().to_dict() == before
    with pytest.raises(gv.InputError, match="did you mean 'isotonic'"):
        model.calibrate("isotone")
    with pytest.raises(gv.InputError, match="calibrate: this model was fitted without validation pairs"):
        gv.VGAE(epochs=1).fit(gv.load_graph("karate")).calibrate()
