"""The link-prediction report: a model beside plain baselines, and likelihoods beside null models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphvae._check import InputError, number, one_of
from graphvae.evaluation.metrics import as_scores

__all__ = ["CANDIDATES", "LIKELIHOOD_COLUMNS", "RANK_COLUMNS", "LinkReport", "heldout_log_likelihood"]

LIKELIHOOD_COLUMNS = {
    "log_likelihood": "log-likelihood",
    "kl": "KL",
    "elbo": "ELBO",
    "elbo_standard_error": "s.e.",
    "heldout_edge": "held-out edge",
    "heldout_non_edge": "held-out non-edge",
    "heldout": "held-out, weighted",
}
"""Columns of the likelihood table by key; what a row lacks is shown as a dash."""

CANDIDATES = {"negatives": "test non-edges", "all": "all nodes", "hard": "hard non-edges"}
"""What held-out edges are ranked among, by key."""

RANK_COLUMNS = {
    "mrr": "MRR",
    "mrr_optimistic": "optimistic",
    "mrr_pessimistic": "pessimistic",
    **{f"hits@{k}": f"Hits@{k}" for k in (1, 3, 10, 50, 100)},
}
"""Figures of a ranking, by key; Hits@K is None where an edge has fewer than K candidates."""


def heldout_log_likelihood(positive_logits: Any, negative_logits: Any, density: float) -> dict[str, float]:
    """Log-likelihood of held-out pairs, in nats per held-out edge.

    As many held-out non-edges as edges say too little about a graph in which non-edges are the rule, so they are
    weighted by their true ratio: ``heldout = mean_pos log sigma(s) + (1 - pi) / pi mean_neg log sigma(-s)``: what one
    unseen edge, together with its share of the non-edges, adds to the log-likelihood of the graph.

    Args:
        positive_logits: ``(P,)`` logits s of held-out edges; infinities are allowed.
        negative_logits: ``(Q,)`` logits of pairs drawn uniformly from those without an edge.
        density: pi, the share of edges among the pairs, in (0, 1].

    Returns:
        ``heldout_edge`` (mean log p of an edge), ``heldout_non_edge`` (mean log p of a non-edge) and ``heldout``;
        -inf where the model was certain and wrong.

    Raises:
        InputError: if a class is empty or contains NaN, or the density is out of its range.
    """
    positive = as_scores("positive_logits", positive_logits)
    negative = as_scores("negative_logits", negative_logits)
    pi = number("density", density, low=0.0, high=1.0, open_low=True)
    # log sigma(s) = -log(1 + exp(-s)), stable for any s.
    edge = float(-np.logaddexp(0.0, -positive).mean())
    other = float(-np.logaddexp(0.0, negative).mean())
    ratio = (1.0 - pi) / pi
    return {"heldout_edge": edge, "heldout_non_edge": other, "heldout": edge + (ratio * other if ratio else 0.0)}


# How the columns of the scores say what was ranked among: test non-edges, all nodes, hard non-edges.
_SHORT = {"negatives": "test", "all": "all", "hard": "hard"}


@dataclass(frozen=True)
class LinkReport:
    """How well a model tells held-out edges from non-edges, with plain baselines beside it.

    Attributes:
        part: which pairs, ``"test"`` or ``"val"``.
        num_positive: P, held-out edges.
        num_negative: Q, sampled non-edges.
        auc: area under the ROC curve of the model, in [0, 1].
        ap: its average precision, in [0, 1].
        baselines: for each baseline by name its ``{"auc": ..., "ap": ...}`` on the same pairs.
        rankings: for each set of candidates (keys of ``CANDIDATES``) the figures (keys of ``RANK_COLUMNS``, in [0, 1])
            of the model and the baselines by name; realistic ranks, but where the key says otherwise.
        likelihoods: None, or rows by name (the model and null models) of the keys of ``LIKELIHOOD_COLUMNS``, in nats.
        slices: by kind of pair ``edges``, ``non_edges``, ``auc`` and ``ap`` of the model.
        calibration: None, or ``brier_skill``, ``log_loss_skill`` and ``calibration_error`` of its probabilities, and
            ``calibration_floor``, the error to be expected of a perfect forecast of so many pairs.
        intervals: 95 % intervals within this split, by figure.
        notes: sentences to print below.
        model: what the model is called.
    """

    part: str
    num_positive: int
    num_negative: int
    auc: float
    ap: float
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rankings: Mapping[str, Mapping[str, Mapping[str, float | None]]] = field(default_factory=dict)
    likelihoods: Mapping[str, Mapping[str, float | None]] | None = None
    slices: Mapping[str, Mapping[str, float | int | None]] = field(default_factory=dict)
    calibration: Mapping[str, float] | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    model: str = "model"

    def __post_init__(self) -> None:
        scores = {self.model: {"auc": self.auc, "ap": self.ap}, **self.baselines}
        if len(scores) != 1 + len(self.baselines):
            raise InputError(f"baselines has a row {self.model!r}: expected another name than the model's")
        for name, row in scores.items():
            for metric in ("auc", "ap"):
                if metric not in row:
                    raise InputError(f"baselines[{name!r}] has no {metric!r}: expected 'auc' and 'ap'")
                number(f"{name} {metric}", row[metric], low=0.0, high=1.0)
        for among, rows in self.rankings.items():
            one_of("rankings", among, CANDIDATES)
            if self.model not in rows:
                raise InputError(f"rankings[{among!r}] has no row {self.model!r}: expected the model's")
        for name, likelihoods in (self.likelihoods or {}).items():
            unknown = set(likelihoods) - set(LIKELIHOOD_COLUMNS)
            if unknown:
                raise InputError(
                    f"likelihoods[{name!r}] has {sorted(unknown)}: expected some of {', '.join(LIKELIHOOD_COLUMNS)}"
                )
        if isinstance(self.notes, str):
            raise InputError(f"notes={self.notes!r}: expected a sequence of sentences")
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    def mrr(self) -> float | None:
        """Mean reciprocal rank of the model, filtered, against all nodes; None where that was not asked for."""
        return self.rankings["all"][self.model]["mrr"] if "all" in self.rankings else None

    @property
    def hits(self) -> dict[int, float | None]:
        """Hits@K of the model against all nodes, by K; empty where that was not asked for."""
        row = self.rankings["all"][self.model] if "all" in self.rankings else {}
        return {int(key.removeprefix("hits@")): value for key, value in row.items() if key.startswith("hits@")}

    @property
    def verdict(self) -> str:
        """Who won on AUC, AP and, against all nodes, MRR and Hits@10: the model or the best baseline.

        Equal as printed is a tie.
        """
        if not self.baselines:
            return f"{self.model} has no baseline beside it: AUC {_percent(self.auc)}, AP {_percent(self.ap)}."
        rows = {self.model: {"auc": self.auc, "ap": self.ap}, **self.baselines}
        metrics = {"AUC": {k: r["auc"] for k, r in rows.items()}, "AP": {k: r["ap"] for k, r in rows.items()}}
        for key, label in (("mrr", "MRR"), ("hits@10", "Hits@10")):
            found = {name: row.get(key) for name, row in self.rankings.get("all", {}).items()}
            if found.get(self.model) is not None and len(found) > 1:
                metrics[label] = {name: value for name, value in found.items() if value is not None}
        parts = []
        for label, scores in metrics.items():
            rival = max((name for name in scores if name != self.model), key=lambda name: scores[name])
            score, best = scores[self.model], scores[rival]
            ours, theirs = _percent(score), _percent(best)
            if ours == theirs:
                parts.append(f"{self.model} and {rival} tie on {label} at {ours}")
            elif score > best:
                parts.append(f"{self.model} wins on {label}: {ours} against {theirs} ({rival})")
            else:
                parts.append(f"{rival} wins on {label}: {theirs} against {ours} ({self.model})")
        return "; ".join(_capital(part) for part in parts) + "."

    def __str__(self) -> str:
        counts = f"{self.num_positive} edges against {self.num_negative} non-edges"
        parts = [f"Link prediction on {self.part}: {counts}; in %", *self._scores(), self.verdict.replace("; ", ";\n")]
        if self.likelihoods:
            used = [key for key in LIKELIHOOD_COLUMNS if any(key in row for row in self.likelihoods.values())]
            rows = [["", *(LIKELIHOOD_COLUMNS[key] for key in used)]]
            rows += [[name, *(_nats(key, row.get(key)) for key in used)] for name, row in self.likelihoods.items()]
            parts += [
                "Likelihood in nats; held-out: per held-out edge, non-edges weighted to the density",
                _table(rows),
            ]
        return "\n\n".join([*parts, *self._probabilities(), *self.notes])

    def _probabilities(self) -> list[str]:
        """What is known of slices, calibration and intervals, in lines."""
        parts = []
        if self.slices:
            rows = [[f"{self.model} on pairs of", "edges", "non-edges", "AUC", "AP"]]
            for name, row in self.slices.items():
                rows.append([name, str(row["edges"]), str(row["non_edges"]), _share(row["auc"]), _share(row["ap"])])
            parts.append(_table(rows))
        if self.calibration is not None:
            brier, nats, error = (
                self.calibration[key] for key in ("brier_skill", "log_loss_skill", "calibration_error")
            )
            floor = self.calibration.get("calibration_floor")
            chance = "" if floor is None else f" (of a perfect forecast of so few: {floor:.3f})"
            parts.append(
                f"Probabilities, against the density alone: Brier skill {100 * brier:.1f} %, log-loss skill "
                f"{100 * nats:.1f} %;\ncalibration error on balanced pairs {error:.3f}{chance}"
            )
        if self.intervals:
            ends = ", ".join(f"{n} {_percent(low)} to {_percent(high)}" for n, (low, high) in self.intervals.items())
            parts.append(f"95 % bootstrap intervals within this split, in %: {ends.replace('_', ' ')}")
        return parts

    def _scores(self) -> list[str]:
        """The table of the model and its baselines, and that of the model's ranks."""
        shown = [(among, key) for among in self.rankings for key in ("mrr", "hits@10")]
        head = ["", "AUC", "AP", *(f"{'H@10' if key != 'mrr' else 'MRR'} {_SHORT[among]}" for among, key in shown)]
        rows = [head]
        for name, row in {self.model: {"auc": self.auc, "ap": self.ap}, **self.baselines}.items():
            ranks = [_share(self.rankings[among].get(name, {}).get(key)) for among, key in shown]
            rows.append([name, _percent(row["auc"]), _percent(row["ap"]), *ranks])
        if not self.rankings:
            return [_table(rows)]
        own = [[f"{self.model} among", *RANK_COLUMNS.values()]]
        for among, found in self.rankings.items():
            own.append([CANDIDATES[among], *(_share(found[self.model].get(key)) for key in RANK_COLUMNS)])
        return [_table(rows), _table(own)]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-able values; a number that is not finite becomes None."""
        likelihoods = None
        if self.likelihoods is not None:
            likelihoods = {n: {k: _json(v) for k, v in row.items()} for n, row in self.likelihoods.items()}
        return {
            "model": self.model,
            "part": self.part,
            "num_positive": int(self.num_positive),
            "num_negative": int(self.num_negative),
            "auc": float(self.auc),
            "ap": float(self.ap),
            "baselines": {n: {k: float(v) for k, v in row.items()} for n, row in self.baselines.items()},
            "rankings": {
                among: {name: {k: _json(v) for k, v in row.items()} for name, row in rows.items()}
                for among, rows in self.rankings.items()
            },
            "likelihoods": likelihoods,
            "slices": {name: dict(row) for name, row in self.slices.items()},
            "calibration": None if self.calibration is None else {k: _json(v) for k, v in self.calibration.items()},
            "intervals": {name: [_json(end) for end in ends] for name, ends in self.intervals.items()},
            "verdict": self.verdict,
            "notes": list(self.notes),
        }


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _share(value: float | None) -> str:
    return "–" if value is None else _percent(value)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _nats(key: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3f}" if key.startswith("heldout_") else f"{value:.2f}" if key == "heldout" else f"{value:.1f}"


def _json(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _table(rows: list[list[str]]) -> str:
    """Plain text: the first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
