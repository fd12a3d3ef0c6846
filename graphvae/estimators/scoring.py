"""From a fitted model and a split to a report: scores, baselines and null models on the very same pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphvae._check import InputError, integer, one_of
from graphvae.data.graph import Graph
from graphvae.data.node_splits import NodeSplit
from graphvae.data.splits import LinkSplit
from graphvae.estimators.edge_weights import weights_ignored
from graphvae.estimators.fitting import Fitted, encode
from graphvae.estimators.graph_files import StoredData
from graphvae.estimators.held_out import HeldOut, held_out, row_logits
from graphvae.estimators.likelihood import elbo_terms, pairs_in_report
from graphvae.estimators.predicting import logits_of, predictions

if TYPE_CHECKING:
    from graphvae.estimators.graph_estimator import GraphEstimator
    from graphvae.evaluation.generation import GenerationReport
    from graphvae.evaluation.report import LinkReport

__all__ = ["evaluate", "evaluate_samples", "fitted_split", "pair_logits", "report_on"]


@torch.no_grad()
def pair_logits(fitted: Fitted, pairs: Any) -> np.ndarray:
    """``(P,)`` float64 logits of pairs of rows ``(2, P)`` of the fitted graph."""
    return logits_of(fitted.predictor(), torch.as_tensor(pairs))


def evaluate(
    fitted: Fitted, split: LinkSplit | NodeSplit | None, part: str, ranking: bool | None, hard: int, bootstrap: int
) -> LinkReport:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.evaluate`."""
    bootstrap = integer("bootstrap", bootstrap, low=0)
    one_of("part", part, ("test", "val"))
    split = _of_new_nodes(fitted, split) if isinstance(split, NodeSplit) else fitted_split(fitted, split)
    held = held_out(split, part, ranking, hard)
    report = report_on(fitted, split, held, bootstrap=bootstrap)
    if held.queries is not None or ranking is not None:
        return report
    note = (
        f"Ranking against all nodes is left out: for {2 * held.positive.shape[1]} queries among {held.graph.num_nodes} "
        "nodes baselines take long; ask for it with ranking=True (--ranking)."
    )
    return replace(report, notes=(*report.notes, note))


@torch.no_grad()
def report_on(
    fitted: Fitted, split: LinkSplit, held: HeldOut, *, baselines: bool = True, bootstrap: int = 0
) -> LinkReport:
    """The report on held-out pairs of the fitted split, with the baselines or without."""
    from graphvae.evaluation import null_models
    from graphvae.evaluation.heuristics import HEURISTICS
    from graphvae.evaluation.report import LinkReport, heldout_log_likelihood
    from graphvae.evaluation.slices import slice_figures

    positive, negative, graph = held.positive, held.negative, held.graph
    predictor = predictions(fitted.module, encode(fitted, graph)[0], graph.pairs)
    scores = logits_of(predictor, torch.from_numpy(positive)), logits_of(predictor, torch.from_numpy(negative))
    rows = {fitted.label: held.figures(*scores, row_logits(predictor))}
    notes = [each for each in (fitted.why, weights_ignored(fitted.module.encoder, graph)) if each]
    for name, heuristic in HEURISTICS.items() if baselines else ():
        if held.cost > heuristic.limit:
            notes.append(f"{heuristic.label} is left out: for this many pairs and edges it would take too long.")
        elif graph.x is not None or not heuristic.needs_features:
            rows[heuristic.label] = held.baseline(name)
    model_row = heldout_log_likelihood(*scores, split.density)
    if fitted.posterior.variational:
        pairs = pairs_in_report(fitted, graph)
        model_row = {**elbo_terms(fitted, graph, samples=4, seed=0, pairs=pairs), **model_row}
        if pairs is not None:
            notes.append(f"The ELBO is estimated without bias from {pairs} pairs at each draw; elbo() takes them all.")
    likelihoods = {fitted.label: model_row}
    degrees = graph.degrees.numpy()
    for fitted_null, heldout_null in (
        (null_models.erdos_renyi(graph.num_nodes, graph.num_edges),) * 2,
        (null_models.degree_model(degrees), null_models.degree_model(degrees, null_models.HELDOUT_PSEUDO_COUNT)),
    ):
        likelihoods[fitted_null.name] = {
            "log_likelihood": fitted_null.log_likelihood,
            **heldout_log_likelihood(heldout_null.logits(positive), heldout_null.logits(negative), split.density),
        }
    return LinkReport(
        part=held.part,
        num_positive=positive.shape[1],
        num_negative=negative.shape[1],
        auc=rows[fitted.label]["auc"],
        ap=rows[fitted.label]["ap"],
        baselines={name: {"auc": row["auc"], "ap": row["ap"]} for name, row in rows.items() if name != fitted.label},
        rankings={
            among: {name: row["rankings"][among] for name, row in rows.items()}
            for among in rows[fitted.label]["rankings"]
        },
        likelihoods=likelihoods,
        slices=slice_figures(*scores, *(held.kinds(pairs) for pairs in (positive, negative))),
        calibration=_calibration(fitted, *scores),
        intervals=_intervals(fitted, *scores, samples=bootstrap) if bootstrap else {},
        notes=tuple(notes),
        model=fitted.label,
    )


def _calibration(fitted: Fitted, positive: np.ndarray, negative: np.ndarray) -> dict[str, float]:
    from graphvae.evaluation.reliability import calibration_error, calibration_floor, skill

    p, q = (fitted.calibration.probabilities(logits) for logits in (positive, negative))
    density = fitted.calibration.density
    error, floor = (measure(p, q, density) for measure in (calibration_error, calibration_floor))
    return {**skill(p, q, density), "calibration_error": error, "calibration_floor": floor}


def _intervals(
    fitted: Fitted, positive: np.ndarray, negative: np.ndarray, *, samples: int
) -> dict[str, tuple[float, float]]:
    from graphvae.evaluation.bootstrap import bootstrap_intervals
    from graphvae.evaluation.metrics import auc_and_ap

    def figures(edges: np.ndarray, others: np.ndarray) -> dict[str, float]:
        scores = positive[edges], negative[others]
        return {**dict(zip(("auc", "ap"), auc_and_ap(*scores), strict=True)), **_calibration(fitted, *scores)}

    return bootstrap_intervals(figures, positive.size, negative.size, samples=samples)


def evaluate_samples(model: GraphEstimator, samples: int, seed: int, source: str) -> GenerationReport:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.evaluate_samples`."""
    from graphvae.evaluation.generation import compare_generated

    graph = model.fitted.graph()
    drawn = [model.sample(seed=seed + index, source=source).pairs.numpy() for index in range(samples)]
    return compare_generated(graph.num_nodes, graph.pairs.numpy(), drawn)


def _of_new_nodes(fitted: Fitted, split: NodeSplit) -> LinkSplit:
    """The links of nodes that the model has not seen."""
    if fitted.module.structure is not None:
        raise InputError(
            "structure: what is learned of walks and degrees is of the nodes the model was fitted on; expected a model "
            "with structure=None for nodes it has not seen"
        )
    data = fitted.source if isinstance(fitted.source, StoredData) else fitted.data()
    if (data.hash if isinstance(data, Graph) else data.graph_hash) != split.seen.hash:
        raise InputError(
            "split: this model was not fitted on split.seen, or a split of its links; the nodes held out, or their "
            "edges, may be among those it knows"
        )
    return split.links


def fitted_split(fitted: Fitted, split: Any) -> LinkSplit:
    """The split to evaluate on: the fitted one, and no other; one that a run folder gave is held to it as well."""
    if fitted.split_hash is None:
        raise InputError("evaluate: this model was fitted on all edges of a graph, so nothing is held out; fit a split")
    split = fitted.data() if split is None else split
    if not isinstance(split, LinkSplit):
        raise InputError(f"split={type(split).__name__}: expected the LinkSplit that split_links returns")
    if split.hash != fitted.split_hash:
        raise InputError(
            f"split: its hash {split.hash[:12]} is not that of the fitted split, {fitted.split_hash[:12]}; this "
            "model's training edges may be among its test edges"
        )
    return split
