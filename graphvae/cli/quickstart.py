"""``graphvae quickstart``: the whole job on embedded data, without a network."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from graphvae.cli.output import say, show

__all__ = ["quickstart"]


def quickstart(
    out: Annotated[Path, typer.Option(help="Run folder; an earlier quickstart there is replaced.")] = Path(
        "runs/quickstart"
    ),
    epochs: Annotated[int, typer.Option(help="Training steps.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the split and the model.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a VGAE on the digits-knn graph, report, and write embeddings and pictures."""
    from graphvae.data.registry import card, load_graph
    from graphvae.data.splits import split_links
    from graphvae.estimators.run_folder import check_target, save_run, write_metrics
    from graphvae.estimators.vgae import VGAE
    from graphvae.plots.embedding import plot_embedding
    from graphvae.plots.history import plot_history

    check_target(out, overwrite=_replaceable(out))
    graph = load_graph("digits-knn")
    say(
        f"digits-knn: {card('digits-knn').title}",
        f"{graph.num_nodes} nodes, {graph.num_edges} edges, {graph.num_features} features",
    )
    split = split_links(graph, val=0.05, test=0.10, seed=seed)
    model = VGAE(epochs=epochs, seed=seed).fit(split, progress=True)
    report = model.evaluate(split)
    metrics = {"command": "quickstart", "run": str(out), "test": report.to_dict()}
    save_run(model, out, overwrite=True)
    write_metrics(out, metrics)
    embeddings = model.embed()
    written = {
        "embeddings": out / "embeddings.csv",
        "picture": out / "embeddings.png",
        "training": out / "history.png",
    }
    embeddings.save(written["embeddings"])
    plot_embedding(
        embeddings.vectors,
        labels=None if graph.y is None else graph.y.numpy(),
        path=written["picture"],
        title="digits-knn: posterior means of the VGAE, in two principal components",
    )
    plot_history(model.history, written["training"])
    show(str(report), {**metrics, "written": {k: str(v) for k, v in written.items()}}, as_json=as_json)
    say(
        f"run folder              {out}",
        f"embeddings              {written['embeddings']}",
        f"picture of them         {written['picture']}",
        f"picture of the training {written['training']}",
        f"next: graphvae evaluate {shlex.quote(str(out))} --samples 3 --source posterior",
    )


def _replaceable(out: Path) -> bool:
    """Whether ``out`` is empty or an earlier quickstart; no other run is replaced unasked."""
    try:
        return not any(out.iterdir()) or json.loads((out / "metrics.json").read_text())["command"] == "quickstart"
    except (OSError, ValueError, KeyError, TypeError):
        return False
