"""From a fitted model and a split to a report: scores, baselines and null models on the very same pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graphvae._check import InputError, one_of
from graphvae.data.fields import is_sparse
from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSplit
from graphvae.estimators.fitting import Fitted, encode, logits_of
from graphvae.estimators.likelihood import elbo_terms, pairs_in_report

if TYPE_CHECKING:
    from graphvae.estimators.graph_estimator import GraphEstimator
    from graphvae.evaluation.generation import GenerationReport
    from graphvae.evaluation.report import LinkReport

__all__ = ["evaluate", "evaluate_samples", "heuristic_scores", "pair_logits"]


@torch.no_grad()
def pair_logits(fitted: Fitted, mean: np.ndarray, pairs: Any) -> np.ndarray:
    """``(P,)`` float64 logits of pairs of rows ``(2, P)`` at the posterior means ``(N, D)``."""
    device = next(fitted.module.parameters()).device
    likelihood = fitted.module.decode(torch.from_numpy(mean).to(device))
    return logits_of(likelihood, torch.as_tensor(pairs))


def heuristic_scores(name: str, graph: Graph, pairs: np.ndarray) -> np.ndarray | None:
    """Scores ``(P,)`` of a baseline computed on ``graph`` alone; None if it needs features that there are not."""
    from graphvae.evaluation.heuristics import HEURISTICS

    heuristic = HEURISTICS[name]
    if heuristic.needs_features and graph.x is None:
        return None
    return heuristic.score(_binary_adjacency(graph), features_array(graph), pairs)


def evaluate(fitted: Fitted, split: LinkSplit | None, part: str) -> LinkReport:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.evaluate`."""
    from graphvae.evaluation import null_models
    from graphvae.evaluation.heuristics import HEURISTICS
    from graphvae.evaluation.metrics import average_precision, roc_auc
    from graphvae.evaluation.report import LinkReport, heldout_log_likelihood

    one_of("part", part, ("test", "val"))
    split = _fitted_split(fitted, split)
    held = split.test if part == "test" else split.val
    if held.positive.shape[1] == 0:
        raise InputError(f'part="{part}": this split holds no {part} pairs; expected split_links(..., {part}=...) > 0')
    positive, negative = held.positive.numpy(), held.negative.numpy()
    graph = split.train
    mean, _ = encode(fitted, graph)
    scores = pair_logits(fitted, mean, positive), pair_logits(fitted, mean, negative)
    baselines: dict[str, dict[str, float]] = {}
    notes = []
    for name, heuristic in HEURISTICS.items():
        if (positive.shape[1] + negative.shape[1]) * graph.edge_index.shape[1] > heuristic.limit:
            notes.append(f"{heuristic.label} is left out: for this many pairs and edges it would take too long.")
            continue
        of_positive, of_negative = (heuristic_scores(name, graph, pairs) for pairs in (positive, negative))
        if of_positive is not None and of_negative is not None:
            baselines[heuristic.label] = {
                "auc": roc_auc(of_positive, of_negative),
                "ap": average_precision(of_positive, of_negative),
            }
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
        part=part,
        num_positive=positive.shape[1],
        num_negative=negative.shape[1],
        auc=roc_auc(*scores),
        ap=average_precision(*scores),
        baselines=baselines,
        likelihoods=likelihoods,
        notes=tuple(notes),
        model=fitted.label,
    )


def evaluate_samples(model: GraphEstimator, samples: int, seed: int, source: str) -> GenerationReport:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.evaluate_samples`."""
    from graphvae.evaluation.generation import compare_generated

    graph = model.fitted.graph()
    drawn = [model.sample(seed=seed + index, source=source).pairs.numpy() for index in range(samples)]
    return compare_generated(graph.num_nodes, graph.pairs.numpy(), drawn)


def features_array(graph: Graph) -> Any:
    """Features as a numpy array or a scipy CSR matrix; None without."""
    if graph.x is None:
        return None
    if not is_sparse(graph.x):
        return graph.x.numpy()
    from scipy.sparse import csr_array

    parts = (graph.x.values(), graph.x.col_indices(), graph.x.crow_indices())
    return csr_array(tuple(part.numpy() for part in parts), shape=(graph.num_nodes, graph.num_features))


def _binary_adjacency(graph: Graph) -> Any:
    from scipy.sparse import csr_array

    source, target = graph.edge_index.numpy()
    return csr_array((np.ones(len(source)), (source, target)), shape=(graph.num_nodes, graph.num_nodes))


def _fitted_split(fitted: Fitted, split: Any) -> LinkSplit:
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
