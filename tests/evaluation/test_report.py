"""The link report: its verdict, table and JSON, and the held-out log-likelihood."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import bernoulli

from graphvae._check import InputError
from graphvae.evaluation.report import LIKELIHOOD_COLUMNS, LinkReport, heldout_log_likelihood


def report(auc: float, ap: float, baselines: dict[str, tuple[float, float]], **fields) -> LinkReport:
    rows = {name: {"auc": a, "ap": b} for name, (a, b) in baselines.items()}
    return LinkReport("test", 527, 520, auc, ap, rows, model="VGAE", **fields)


@pytest.mark.parametrize(
    ("auc", "ap", "verdict"),
    [
        (
            0.914,
            0.926,
            "VGAE wins on AUC: 91.4 against 85.0 (Katz); VGAE wins on AP: 92.6 against 88.0 (feature cosine).",
        ),
        (0.8, 0.9, "Katz wins on AUC: 85.0 against 80.0 (VGAE); VGAE wins on AP: 90.0 against 88.0 (feature cosine)."),
        (0.9, 0.7, "VGAE wins on AUC: 90.0 against 85.0 (Katz); Feature cosine wins on AP: 88.0 against 70.0 (VGAE)."),
        (0.85, 0.88004, "VGAE and Katz tie on AUC at 85.0; VGAE and feature cosine tie on AP at 88.0."),
    ],
)
def test_verdict_says_who_won(auc: float, ap: float, verdict: str) -> None:
    found = report(auc, ap, {"Katz": (0.85, 0.6), "feature cosine": (0.8, 0.88)}).verdict
    assert found == verdict


def test_verdict_without_baselines_claims_nothing() -> None:
    assert report(0.9, 0.8, {}).verdict == "VGAE has no baseline beside it: AUC 90.0, AP 80.0."


def test_text_is_a_table_of_percentages() -> None:
    text = str(report(0.914, 0.926, {"Katz": (0.8461, 0.87)}, notes=("A note.",)))
    lines = text.splitlines()
    assert lines[0] == "Link prediction on test: 527 edges against 520 non-edges; in %"
    assert ["VGAE", "91.4", "92.6"] in [line.split() for line in lines]
    assert ["Katz", "84.6", "87.0"] in [line.split() for line in lines]
    assert "VGAE wins on AUC" in text
    assert lines[-1] == "A note."
    assert "nats" not in text


RANKS = {"mrr": 0.1421, "mrr_optimistic": 0.15, "mrr_pessimistic": 0.13, "hits@10": 0.3, "hits@100": None}


def test_rankings_stand_beside_auc_and_ap() -> None:
    rankings = {
        "negatives": {"VGAE": {**RANKS, "mrr": 0.4}, "Katz": RANKS},
        "all": {"VGAE": RANKS, "Katz": {**RANKS, "mrr": 0.2, "hits@10": 0.2}},
    }
    found = report(0.9, 0.9, {"Katz": (0.8, 0.8), "cosine": (0.7, 0.7)}, rankings=rankings)
    lines = [line.split() for line in str(found).splitlines()]
    assert ["VGAE", "90.0", "90.0", "40.0", "30.0", "14.2", "30.0"] in lines
    assert ["Katz", "80.0", "80.0", "14.2", "30.0", "20.0", "20.0"] in lines
    assert ["cosine", "70.0", "70.0", "–", "–", "–", "–"] in lines
    assert ["all", "nodes", "14.2", "15.0", "13.0", "–", "–", "30.0", "–", "–"] in lines
    assert max(len(line) for line in str(found).splitlines()) <= 100
    assert found.mrr == 0.1421
    assert found.hits == {10: 0.3, 100: None}
    assert "Katz wins on MRR: 20.0 against 14.2 (VGAE); VGAE wins on Hits@10: 30.0 against 20.0" in found.verdict
    assert json.loads(json.dumps(found.to_dict()))["rankings"] == rankings


def test_likelihoods_stand_beside_null_models() -> None:
    rows = {
        "VGAE": {"elbo": -24_900.04, "elbo_standard_error": math.nan, "log_likelihood": -20_000.0, "kl": 4900.04},
        "Erdős-Rényi": {
            "log_likelihood": -34_578.4,
            "heldout_edge": -6.7,
            "heldout_non_edge": -0.00122,
            "heldout": -7.7,
        },
        "degree-based": {"log_likelihood": -31_167.0, "heldout_edge": -math.inf, "heldout": -math.inf},
    }
    found = report(0.9, 0.9, {}, likelihoods=rows)
    lines = [line.split() for line in str(found).splitlines()]
    assert ["VGAE", "-20000.0", "4900.0", "-24900.0", "–", "–", "–", "–"] in lines
    assert ["Erdős-Rényi", "-34578.4", "–", "–", "–", "-6.700", "-0.001", "-7.70"] in lines
    assert ["degree-based", "-31167.0", "–", "–", "–", "-inf", "–", "-inf"] in lines
    fields = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert fields["likelihoods"]["VGAE"]["elbo_standard_error"] is None
    assert fields["likelihoods"]["degree-based"]["heldout"] is None
    assert fields["likelihoods"]["VGAE"]["kl"] == 4900.04


def test_to_dict_is_json_of_plain_numbers() -> None:
    found = LinkReport(
        "val", np.int64(3), 3, np.float64(0.5), np.float32(0.25), {"Katz": {"auc": np.float64(1), "ap": 1}}
    )
    fields = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert fields == {
        "model": "model",
        "part": "val",
        "num_positive": 3,
        "num_negative": 3,
        "auc": 0.5,
        "ap": 0.25,
        "baselines": {"Katz": {"auc": 1.0, "ap": 1.0}},
        "rankings": {},
        "likelihoods": None,
        "slices": {},
        "calibration": None,
        "intervals": {},
        "verdict": "Katz wins on AUC: 100.0 against 50.0 (model); Katz wins on AP: 100.0 against 25.0 (model).",
        "notes": [],
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: report(math.nan, 0.5, {}), "VGAE auc=nan"),
        (lambda: report(0.5, 91.0, {}), "VGAE ap=91.0"),
        (lambda: report(0.5, 0.5, {"VGAE": (0.5, 0.5)}), "baselines has a row 'VGAE'"),
        (lambda: LinkReport("test", 1, 1, 0.5, 0.5, {"Katz": {"auc": 0.5}}), r"baselines\['Katz'\] has no 'ap'"),
        (lambda: report(0.5, 0.5, {}, likelihoods={"ER": {"loglik": 1.0}}), r"likelihoods\['ER'\] has \['loglik'\]"),
        (lambda: report(0.5, 0.5, {}, rankings={"some": {"VGAE": RANKS}}), "rankings='some'"),
        (lambda: report(0.5, 0.5, {}, rankings={"all": {"Katz": RANKS}}), r"rankings\['all'\] has no row 'VGAE'"),
        (lambda: report(0.5, 0.5, {}, notes="one"), "notes='one'"),
    ],
)
def test_refusals_name_the_argument(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_heldout_equals_bernoulli_log_probabilities() -> None:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(-2, 2, 50), rng.normal(-6, 2, 70)
    found = heldout_log_likelihood(positive, negative, 0.02)
    edge = np.mean([bernoulli(1 / (1 + math.exp(-s))).logpmf(1) for s in positive])
    other = np.mean([bernoulli(1 / (1 + math.exp(-s))).logpmf(0) for s in negative])
    assert found == pytest.approx(
        {"heldout_edge": edge, "heldout_non_edge": other, "heldout": edge + 49 * other}, rel=1e-10
    )
    assert set(found) < set(LIKELIHOOD_COLUMNS)


def test_heldout_is_stable_at_extreme_logits() -> None:
    found = heldout_log_likelihood([-1000.0, 1000.0], [1000.0, -1000.0, -40.0], 0.5)
    assert found["heldout_edge"] == -500.0
    assert found["heldout_non_edge"] == pytest.approx(-1000 / 3)
    assert heldout_log_likelihood([-np.inf, 0.0], [0.0], 0.5)["heldout"] == -math.inf
    certain = heldout_log_likelihood([np.inf], [-np.inf], 0.5)
    assert certain == {"heldout_edge": 0.0, "heldout_non_edge": 0.0, "heldout": 0.0}


def test_heldout_weights_make_the_best_constant_the_density() -> None:
    # Under the density's weights the constant that scores best is the density itself, not the share of the sample.
    shares = np.linspace(0.005, 0.05, 46)
    logits = np.log(shares / (1 - shares))
    values = [heldout_log_likelihood([s] * 5, [s] * 5, 0.02)["heldout"] for s in logits]
    assert shares[int(np.argmax(values))] == pytest.approx(0.02)


def test_heldout_of_a_complete_graph_ignores_non_edges() -> None:
    assert heldout_log_likelihood([0.0], [np.inf], 1.0)["heldout"] == pytest.approx(math.log(0.5))


@pytest.mark.parametrize("density", [0.0, -0.1, 1.1, math.nan])
def test_heldout_refuses_bad_densities(density: float) -> None:
    with pytest.raises(InputError, match="density="):
        heldout_log_likelihood([0.0], [0.0], density)
    with pytest.raises(InputError, match="negative_logits is empty"):
        heldout_log_likelihood([0.0], [], 0.5)
