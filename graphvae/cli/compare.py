"""``graphvae compare``: one table over the runs of graph and image models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphvae._check import InputError
from graphvae.cli.images import held_out
from graphvae.cli.output import show

__all__ = ["compare"]


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, as written by graphvae train.")],
    samples: Annotated[int, typer.Option(help="Importance samples of the marginal likelihood.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare runs: graph models on their training graph, image models on the images they held out."""
    from graphvae.estimators.comparison import compare as compare_models
    from graphvae.estimators.graph_estimator import GraphEstimator
    from graphvae.estimators.run_folder import load

    models: dict[str, tuple[Any, Any]] = {}
    for run in runs:
        if str(run) in models:
            raise InputError(f"{str(run)!r} is named twice: expected different runs")
        model = load(run)
        models[str(run)] = (model, model.fitted.graph() if isinstance(model, GraphEstimator) else held_out(run))
    comparison = compare_models(models, samples=samples)
    show(str(comparison), comparison.to_dict(), as_json=as_json)
