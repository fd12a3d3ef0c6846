"""One table over graph and image models: the same bound, the same units, the same measures of the embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError, integer
from graphvae.data.graph import Graph
from graphvae.estimators.graph_estimator import GraphEstimator

__all__ = ["Comparison", "ComparisonRow", "compare"]

COLUMNS: dict[str, tuple[str, str]] = {
    "elbo": ("ELBO / datum", ".1f"),
    "log_likelihood": ("log-likelihood", ".1f"),
    "kl": ("KL", ".2f"),
    "elbo_per_value": ("ELBO / value", ".4f"),
    "log_marginal": ("log p(x)", ".1f"),
    "active_units": ("active units", "d"),
    "kl_per_unit": ("KL / unit", ".3f"),
    "probe": ("probe %", ".1f"),
    "knn": ("kNN %", ".1f"),
    "nmi": ("NMI", ".2f"),
    "parameters": ("parameters", "d"),
    "seconds": ("seconds", ".1f"),
}


@dataclass(frozen=True)
class ComparisonRow:
    """What is known of one model; None where a model has no such thing (an auto-encoder's bound, PCA's time).

    Attributes:
        name: what the table calls it.
        data: number of data and of observed values in each, in words.
        elbo: nats per datum; a whole graph is one datum.
        log_likelihood: ``E_q[log p(x|z)]``, nats per datum.
        kl: nats per datum.
        elbo_per_value: ELBO per observed value: pixel, or pair of nodes.
        log_marginal: importance-sampled lower bound on ``log p(x)``, nats per datum.
        active_units: latent units whose posterior mean varies over data (nodes).
        kl_per_unit: KL per vector and latent unit, nats.
        probe: accuracy of a linear probe, in %, by the labels of the data.
        knn: accuracy of 5 nearest neighbours, in %.
        nmi: agreement of k-means clusters with the labels.
        parameters: number of weights.
        seconds: time of the fit.
    """

    name: str
    data: str
    elbo: float | None = None
    log_likelihood: float | None = None
    kl: float | None = None
    elbo_per_value: float | None = None
    log_marginal: float | None = None
    active_units: int | None = None
    kl_per_unit: float | None = None
    probe: float | None = None
    knn: float | None = None
    nmi: float | None = None
    parameters: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Rows of a comparison; ``str`` makes a table of them, with a dash for what a model does not have."""

    rows: tuple[ComparisonRow, ...]

    def __str__(self) -> str:
        header = ["", "data", *(title for title, _ in COLUMNS.values())]
        lines = [header]
        for row in self.rows:
            cells = [getattr(row, key) for key in COLUMNS]
            shown = [
                "–" if v is None else format(v, spec) for v, (_, spec) in zip(cells, COLUMNS.values(), strict=True)
            ]
            lines.append([row.name, row.data, *shown])
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        return "\n".join(
            "  ".join(
                c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {"rows": [asdict(row) for row in self.rows]}


def compare(models: Mapping[str, tuple[Any, Any]], *, samples: int = 100) -> Comparison:
    """Compare fitted models, each on the data given beside it.

    Args:
        models: by name a pair: an estimator of this package and its data (a graph, :class:`graphvae.Images`, an array,
            or a pair of array and labels); or any transformer with ``transform`` (PCA, say) and its data, of which the
            embedding is judged alone.
        samples: importance samples for the marginal likelihood.

    Raises:
        InputError: for anything else.
    """
    samples = integer("samples", samples, low=2)
    if not isinstance(models, Mapping) or not models:
        raise InputError(f"models={type(models).__name__}: expected a mapping of names to (model, data)")
    rows = []
    for name, pair in models.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InputError(f"models[{name!r}] is {type(pair).__name__}: expected a pair (model, data)")
        model, data = pair
        if not hasattr(model, "transform"):
            raise InputError(f"models[{name!r}]: {type(model).__name__} has no transform; expected a fitted model")
        if isinstance(model, GraphEstimator) != isinstance(data, Graph):
            raise InputError(f"models[{name!r}]: {type(model).__name__} cannot embed a {type(data).__name__}")
        rows.append(
            _graph_row(name, model, data, samples) if isinstance(data, Graph) else _row(name, model, data, samples)
        )
    return Comparison(tuple(rows))


def _graph_row(name: str, model: Any, graph: Graph, samples: int) -> ComparisonRow:
    from graphvae.estimators.likelihood import elbo_terms

    z = model.transform(graph)
    figures = _embedding_figures(z, None if graph.y is None else graph.y.numpy())
    if model.is_variational:
        terms = elbo_terms(model.fitted, graph, 8, 0)
        figures.update({key: terms[key] for key in ("elbo", "log_likelihood", "kl")})
        figures["elbo_per_value"] = terms["elbo"] / graph.num_pairs
        figures["kl_per_unit"] = terms["kl"] / z.size
        figures["log_marginal"] = model.log_marginal(graph, samples=samples).estimate
    parameters = sum(p.numel() for p in model.fitted.module.parameters())
    seconds = model.fitted.seconds
    return ComparisonRow(name, f"1 x {graph.num_pairs} pairs", parameters=parameters, seconds=seconds, **figures)


def _row(name: str, model: Any, data: Any, samples: int) -> ComparisonRow:
    from graphvae.estimators.autoencoders import CVAE
    from graphvae.estimators.image_estimator import ImageEstimator

    x, y = data if isinstance(data, tuple) else (getattr(data, "x", data), getattr(data, "y", None))
    x, y = np.asarray(x), None if y is None else np.asarray(y)
    values = int(np.prod(x.shape[1:]))
    shape = f"{len(x)} x {values} values"
    if not isinstance(model, ImageEstimator):
        return ComparisonRow(name, shape, **_embedding_figures(model.transform(x.reshape(len(x), -1)), y))
    # A semi-supervised model sums the classes out; only where there is no other way, the figures are those given y.
    given = y if isinstance(model, CVAE) else None
    shape += " given y" if isinstance(model, CVAE) else ""
    z = model.transform(x, given)
    figures = _embedding_figures(z, y)
    if model.is_variational:
        elbo, log_likelihood, kl = (float(term.mean()) for term in model.elbo_terms(x, given))
        figures.update(elbo=elbo, log_likelihood=log_likelihood, kl=kl, elbo_per_value=elbo / values)
        figures["kl_per_unit"] = kl / z.shape[1]
        figures["log_marginal"] = float(model.log_marginal(x, given, samples=samples).mean())
    parameters = sum(p.numel() for p in model.module_.parameters())
    return ComparisonRow(name, shape, parameters=parameters, seconds=model.fit_seconds_, **figures)


def _embedding_figures(z: np.ndarray, y: np.ndarray | None) -> dict[str, Any]:
    from graphvae.evaluation.embedding_quality import active_units, embedding_quality

    figures: dict[str, Any] = {"active_units": active_units(z)}
    if y is not None:
        quality = embedding_quality(z, y)
        figures.update(probe=100 * quality.probe, knn=100 * quality.knn, nmi=quality.nmi)
    return figures
