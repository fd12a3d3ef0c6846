"""From arguments and a graph to a fitted model: the door's checks, the module, the steps, the calibration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer, number
from graphvae.data.fields import rows_of
from graphvae.data.graph import Graph
from graphvae.data.pairs import note
from graphvae.data.splits import LinkSet, LinkSplit
from graphvae.estimators.edge_weights import weights_ignored
from graphvae.estimators.members import Member, other_runs
from graphvae.estimators.parameters import component, to_json
from graphvae.estimators.predicting import calibrate, check_unseen, logits_of, predictions
from graphvae.estimators.structure import BlendedPairs, fit_structure
from graphvae.kernels.control_variate import ControlVariate
from graphvae.kernels.edges import EdgeSet
from graphvae.kernels.negatives import edge_keys
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.encoders import GCN
from graphvae.nn.inputs import GraphInputs
from graphvae.training.adversary import Adversarial, Adversary
from graphvae.training.checkpoint import Checkpoint
from graphvae.training.graph_step import graph_step
from graphvae.training.loop import check_learning_rate, resolve_device, train
from graphvae.training.objectives import objective_named
from graphvae.training.progress import progress_bar
from graphvae.training.randomness import check_seed, seeded
from graphvae.training.selection import Selection
from graphvae.variational.posteriors import PosteriorFamily

__all__ = [
    "Fitted",
    "build_module",
    "check_compatible",
    "check_params",
    "encode",
    "fit_graph",
    "inputs_of",
]


@dataclass
class Fitted:
    """All that a fitted graph estimator knows.

    Args:
        label: what reports call the model.
        params: the arguments it was fitted with, JSON-able; the estimator's own may have been changed since.
        module: encoder, prior and decoder, in evaluation mode.
        posterior: family of the posterior.
        num_features: F of the fitted graph; 0 for a model with one free row per node.
        node_ids: ``(N,)`` ids of the fitted graph.
        mean: ``(N, D)`` float32 posterior means of the fitted graph.
        scale: ``(N, D)`` float32 posterior standard deviations, or None for a point posterior.
        density: share of pairs that are edges, of the whole graph where a split knows it.
        calibration: from logits to probabilities.
        history: one record per epoch.
        best_epoch: the epoch whose weights were kept.
        split_hash: hash of the fitted split; None after ``fit(graph)``.
        path: how the sum over all pairs was taken in training: ``"exact"``, ``"control-variate"`` or ``"sampled"``.
        seconds: time the training took.
        settled: what ``encoder="auto"`` chose of the arguments, JSON-able.
        why: what ``encoder="auto"`` chose and what a structure network counts, in words; empty for other models.
        source: the fitted split or graph; after loading, a callable that reads it when it is first needed.
    """

    label: str
    params: dict[str, Any]
    module: Autoencoder
    posterior: PosteriorFamily
    num_features: int
    node_ids: np.ndarray
    mean: np.ndarray
    scale: np.ndarray | None
    density: float
    calibration: Any
    history: list[dict[str, float]]
    best_epoch: int
    split_hash: str | None
    path: str
    seconds: float
    source: Any
    settled: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    _rows: dict[Any, int] = field(default_factory=dict, repr=False)
    _predictor: Any = field(default=None, repr=False)

    def data(self) -> Graph | LinkSplit:
        """The fitted split or graph; read from its origin if the model was loaded.

        Raises:
            InputError: if a loaded model's features cannot be read again.
        """
        if callable(self.source):
            self.source = self.source()
        return self.source

    def graph(self) -> Graph:
        """The graph the model was fitted on: ``split.train``, or the graph itself."""
        data = self.data()
        return data.train if isinstance(data, LinkSplit) else data

    def graph_or_none(self) -> Graph | None:
        """The fitted graph, or None where a loaded model's features cannot be read again."""
        try:
            return self.graph()
        except InputError:
            return None

    def predictor(self) -> Any:
        """Logits of pairs, ``logits`` and ``block_logits``, at the posterior means of the fitted graph."""
        if self._predictor is None:
            self._predictor = predictions(self.module, self.mean, self.known_pairs(True)[0])
        return self._predictor

    def known_pairs(self, held_out: bool) -> tuple[Tensor, bool]:
        """``(2, P)`` edges of the fitted data, those held out among them unless ``held_out``; whether directed.

        Needs no features.
        """
        data = self.source
        if callable(data):
            return data.known_pairs(held_out)
        graph, held = data, []
        if isinstance(data, LinkSplit):
            graph, held = data.train, [] if held_out else [data.val.positive, data.test.positive]
        return torch.cat([graph.pairs, *held], 1), graph.directed

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Rows of node ids, any shape."""
        if not self._rows:
            self._rows.update((identifier, row) for row, identifier in enumerate(self.node_ids.tolist()))
        return rows_of(self._rows, self.node_ids, ids)


def check_graph(graph: Graph) -> None:
    """Refuse, by name, a graph that this family of models cannot be fitted on."""
    if graph.directed:
        raise InputError("directed=True: an inner-product decoder is symmetric; expected an undirected graph")
    if graph.num_edges == 0:
        raise InputError(f"edge_index: the graph of {graph.num_nodes} nodes has no edges; expected at least one")
    if graph.num_edges == graph.num_pairs:
        raise InputError("edge_index: every pair of nodes is an edge; expected at least one pair that is none")


def check_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The estimator's arguments, validated and completed: names become the objects they stand for.

    Raises:
        InputError: naming the argument, its value and what was expected.
    """
    hidden = params["hidden_dims"]
    # An iterator would be spent by the first fit.
    if isinstance(hidden, (str, bytes)) or not (isinstance(hidden, Sequence) or getattr(hidden, "ndim", 0) == 1):
        raise InputError(f"hidden_dims={hidden!r}: expected a sequence of widths, such as (32,)")
    # "auto" is settled when the graph is known; before that it is one of these.
    asked = params.get("encoder", "gcn")
    encoder = component("encoder", "hops" if isinstance(asked, str) and asked == "auto" else asked)
    if not isinstance(encoder, GCN):
        for name, plain in (("hidden_dims", (32,)), ("dropout", 0)):
            given = tuple(params[name]) if name == "hidden_dims" else params[name]
            if given != plain:
                kind = type(encoder).__name__
                raise InputError(f'{name}={params[name]!r}: is of encoder="gcn"; {kind} has settings of its own')
    return {
        "latent_dim": integer("latent_dim", params["latent_dim"], low=1),
        "hidden_dims": tuple(integer("hidden_dims", width, low=1) for width in hidden),
        "objective": objective_named(params["objective"]),
        "prior": None if params.get("prior") is None else component("prior", params["prior"]),
        "encoder": encoder,
        "decoder": component("decoder", params["decoder"]),
        "structure": None if params.get("structure") is None else component("structure", params["structure"]),
        "dropout": number("dropout", params["dropout"], low=0, high=0.99),
        "beta": number("beta", params.get("beta", 1.0), low=0),
        "kl_warmup": integer("kl_warmup", params.get("kl_warmup", 0), low=0),
        "samples": integer("samples", params.get("samples", 1), low=1),
        "epochs": integer("epochs", params["epochs"], low=1),
        "learning_rate": check_learning_rate(params["learning_rate"]),
        "patience": Selection.of(params["patience"]),
        "seed": check_seed(params["seed"]),
    }


def build_module(
    options: Mapping[str, Any], family: PosteriorFamily, num_nodes: int, num_features: int, density: float
) -> Autoencoder:
    """A freshly initialised module; under a seed of its own."""
    with seeded(options["seed"], "initialise"):
        prior = options["prior"] or component("prior", family.default_prior)
        prior = prior.build(num_features=num_features, latent_dim=options["latent_dim"])
        decoder = options["decoder"].build(
            latent_dim=options["latent_dim"], likelihood_based=options["objective"].likelihood_based, density=density
        )
        chosen = options["encoder"]
        own = {name: options[name] for name in ("hidden_dims", "dropout")} if isinstance(chosen, GCN) else {}
        encoder = chosen.build(
            num_nodes=num_nodes,
            num_features=num_features,
            latent_dim=options["latent_dim"],
            posterior=family,
            **own,
        )
    return Autoencoder(encoder, prior, decoder)


def inputs_of(graph: Graph, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> GraphInputs:
    """The tensors networks take of a graph."""
    return GraphInputs.build(graph.edge_index, graph.num_nodes, graph.x, graph.edge_weight, device=device, dtype=dtype)


def fit_graph(
    label: str, params: Mapping[str, Any], family: PosteriorFamily, data: Any, *, progress: bool, checkpoint: Any = None
) -> Fitted:
    """Train a model on a graph or on the message graph of a split, of which it sees no node that is held out."""
    if not isinstance(data, (Graph, LinkSplit)):
        raise InputError(f"fit({type(data).__name__}): expected a Graph or the LinkSplit that split_links returns")
    split = data if isinstance(data, LinkSplit) else None
    graph, seen = (data.train, data.seen) if isinstance(data, LinkSplit) else (data, data)
    validation = split.val if split is not None and split.val.positive.shape[1] else None
    check_graph(seen)
    options, device = check_params(params), resolve_device(params["device"])
    if options["patience"] is not None and validation is None:
        raise InputError(f"patience={params['patience']}: selection needs validation pairs; fit a split with val > 0")
    objective = options["objective"]
    module = build_module(options, family, seen.num_nodes, seen.num_features, seen.density).to(device)
    check_unseen(module, graph, seen)
    if (ignored := weights_ignored(module.encoder, seen)) is not None:
        note(ignored)
    inputs, target = inputs_of(seen, device), EdgeSet(seen.pairs.to(device), seen.num_nodes)
    whole = inputs if seen is graph else inputs_of(graph, device)
    path = objective.choose_path(
        seen.num_nodes, seen.num_edges, options["latent_dim"], device, options["decoder"].inner_product
    )
    adversary = None
    if isinstance(objective, Adversarial):
        with seeded(options["seed"], "initialise", "adversary"):
            adversary = Adversary(objective, options["latent_dim"], device)
    companion = objective.companion(path, target)
    parts = {"variate": companion} if isinstance(companion, ControlVariate) else {}
    run: dict[str, Any] = {"estimator": label, "params": to_json(dict(params)), "data": data.hash}

    @torch.no_grad()
    def validate(held: LinkSet) -> dict[str, float]:
        from graphvae.evaluation.metrics import average_precision, roc_auc

        likelihood = module.decode(module(whole)[0].mean)
        positive, negative = logits_of(likelihood, held.positive), logits_of(likelihood, held.negative)
        if not np.isfinite([*positive, *negative]).all():
            return dict.fromkeys(("auc", "ap", "score"), np.nan)  # training has diverged; the loop says where
        auc, ap = roc_auc(positive, negative), average_precision(positive, negative)
        return {"auc": auc, "ap": ap, "score": (auc + ap) / 2}

    start = time.perf_counter()
    with progress_bar(options["epochs"], enabled=progress) as callback:
        result = train(
            module,
            graph_step(module, family, options, inputs, target, companion, adversary),
            epochs=options["epochs"],
            learning_rate=options["learning_rate"],
            seed=options["seed"],
            device=device,
            validate=None if validation is None else partial(validate, validation),
            patience=options["patience"],
            callback=callback,
            opponent=adversary,
            # The estimate's shifts and the sampled non-edges are looked at on the host.
            static_from=max(options["kl_warmup"], 1) if path == "exact" else None,
            checkpoint=Checkpoint.of(checkpoint, run),
            parts=parts,
        )
    for given in other_runs(params, options["patience"], options["seed"]):
        other = fit_graph(label, given, family, data, progress=progress)
        module.others.append(Member(other.module, torch.from_numpy(other.mean).to(device)))
    if options["structure"] is not None:
        connected = split is not None and split.protocol == "connected"
        module.structure = fit_structure(options["structure"], graph, options["seed"], device, connected=connected)
    mean, scale = _posterior_arrays(module, whole)
    density = split.density if split is not None else graph.density
    known = edge_keys(torch.cat([graph.pairs, *([] if validation is None else [validation.positive])], 1), len(mean))
    predictor = predictions(module, mean, graph.pairs)
    if validation is not None and isinstance(predictor, BlendedPairs):
        predictor.weigh(validation, known, options["seed"])
    seconds = time.perf_counter() - start
    return Fitted(
        label=label,
        params=run["params"],
        module=module,
        posterior=family,
        num_features=graph.num_features,
        node_ids=graph.node_ids,
        mean=mean,
        scale=scale,
        density=density,
        calibration=calibrate(predictor, graph, validation, density, options["seed"]),
        history=result.history,
        best_epoch=result.best_epoch,
        split_hash=split.hash if split is not None else None,
        path=path,
        seconds=seconds,
        source=data,
    )


def encode(fitted: Fitted, graph: Graph) -> tuple[np.ndarray, np.ndarray | None]:
    """Posterior means and standard deviations ``(N, D)`` of a graph, the fitted one or another.

    Raises:
        InputError: if the model cannot be applied to this graph.
    """
    check_compatible(fitted, graph)
    return _posterior_arrays(fitted.module, inputs_of(graph, next(fitted.module.parameters()).device))


def check_compatible(fitted: Fitted, graph: Any) -> None:
    """Refuse a graph that the fitted model's weights do not fit, and whatever is no graph."""
    if not isinstance(graph, Graph):
        hint = "; a split's graph is split.train" if isinstance(graph, LinkSplit) else ""
        raise InputError(f"graph is of type {type(graph).__name__}: expected a Graph{hint}")
    if graph.directed:
        raise InputError("directed=True: this model was fitted on an undirected graph")
    if graph.num_features != fitted.num_features:
        have, need = graph.num_features or "no", fitted.num_features or "none"
        raise InputError(f"x: the graph has {have} features, the model was fitted with {need}")
    # A user's own encoder need not say whether it has a row for each node.
    per_node = getattr(fitted.module.encoder, "per_node", fitted.num_features == 0)
    if per_node and not np.array_equal(graph.node_ids, fitted.node_ids):
        raise InputError(
            "node_ids: a model with one row per node, as one without features is, can only embed the nodes it was "
            "fitted on; expected a graph with the same node ids in the same order"
        )


@torch.no_grad()
def _posterior_arrays(module: Any, inputs: GraphInputs) -> tuple[np.ndarray, np.ndarray | None]:
    module.eval()
    posterior, _ = module(inputs)
    scale = posterior.stddev.cpu().numpy() if module.encoder.posterior.variational else None
    return posterior.mean.cpu().numpy(), scale
