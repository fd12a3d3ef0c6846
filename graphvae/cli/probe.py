"""``graphvae probe``: what the embeddings of a run are worth for classifying its nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphvae._check import InputError
from graphvae.cli.output import show

__all__ = ["probe"]


def probe(
    run: Annotated[Path, typer.Argument(help="A run folder of a graph model.")],
    labels: Annotated[
        Path | None, typer.Option(help="Table of labels keyed by node id; the data set's own by default.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of labels, if there is more than one.")] = None,
    label_id: Annotated[str | None, typer.Option(help="Column of ids; the first by default.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds and clusters.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Linear probe, nearest neighbours and clusters of the embeddings, beside raw features and a spectral embedding."""
    from graphvae.estimators.graph_estimator import GraphEstimator
    from graphvae.estimators.probing import probe as judge
    from graphvae.estimators.probing import read_labels
    from graphvae.estimators.run_folder import load
    from graphvae.training.randomness import check_seed

    seed = check_seed(seed)
    if labels is None and (label is not None or label_id is not None):
        raise InputError("--label and --label-id: expected with --labels only")
    model = load(run)
    if not isinstance(model, GraphEstimator):
        raise InputError(f"{str(run)!r} holds a {type(model).__name__}: expected a graph model")
    known = None if labels is None else read_labels(model.fitted, labels, label, label_id)
    report = judge(model.fitted, known, seed=seed)
    show(str(report), {"run": str(run), **report.to_dict()}, as_json=as_json)
