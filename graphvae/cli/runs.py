"""``graphvae runs``, ``evaluate`` and ``embed``: which run folders there are, and what one is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphvae._check import InputError, integer
from graphvae.cli.images import evaluate_images
from graphvae.cli.output import say, show, table

__all__ = ["embed", "evaluate", "runs"]

Run = Annotated[Path, typer.Argument(help="A run folder, as written by graphvae train.")]


def evaluate(
    run: Run,
    part: Annotated[str, typer.Option(help="test or val.")] = "test",
    samples: Annotated[int, typer.Option(help="Also draw this many graphs and compare them with the data.")] = 0,
    source: Annotated[str, typer.Option(help="What --samples draws from: prior or posterior.")] = "prior",
    ranking: Annotated[
        bool | None, typer.Option(help="Rank against all nodes and hard non-edges; by default on small graphs.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="piecewise, platt or isotonic: fit probabilities anew on the validation pairs.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Draws for 95 % intervals within the split; 0 for none.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Evaluate a run on the split it was trained with."""
    from graphvae.estimators.run_folder import load, read_config

    integer("--samples", samples, low=0)
    if read_config(run).get("kind") == "images":
        evaluate_images(run, as_json=as_json)
        return
    model = load(run)
    if calibration is not None:
        model.calibrate(calibration)
    report = model.evaluate(part=part, ranking=ranking, bootstrap=bootstrap)
    text, data = str(report), {"run": str(run), part: report.to_dict()}
    if samples:
        generated = model.evaluate_samples(samples=samples, source=source)
        text, data = f"{text}\n\n{generated}", {**data, "generation": generated.to_dict()}
    show(text, data, as_json=as_json)


def embed(
    run: Run,
    edges: Annotated[Path | None, typer.Argument(help="Edges of another graph to embed, new nodes included.")] = None,
    *,
    to: Annotated[Path, typer.Option(help="What to write: .npz, .parquet, .csv, .tsv, .txt (word2vec) or .projector.")],
    features: Annotated[Path | None, typer.Option(help="Features of that graph, as those of the run.")] = None,
    source: Annotated[str | None, typer.Option(help="Column of the edge's one end; as in the run's file.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the edge's other end.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of edge weights.")] = None,
) -> None:
    """Write node ids, posterior means and standard deviations to a file: of the run's graph, or of another one.

    Another graph's nodes need not be known; its features are encoded as those the model was trained with.
    """
    from graphvae.estimators.induction import embed_graph, read_alike
    from graphvae.estimators.run_folder import load

    model = load(run)
    if not hasattr(model, "embed"):
        raise InputError(f"{str(run)!r} holds a {type(model).__name__}: images have no ids; use transform from Python")
    options = {"source": source, "target": target, "weight": weight}
    if edges is None:
        for name, value in {"features": features, **options}.items():
            if value is not None:
                raise InputError(f"--{name}={str(value)!r}: expected with a file of edges only")
        embeddings = model.embed()
    else:
        embeddings = embed_graph(model.fitted, read_alike(model.fitted, edges, features, **options))
    embeddings.save(to)
    say(f"{len(embeddings)} embeddings of dimension {embeddings.vectors.shape[1]} written to {to}")


def runs(
    folder: Annotated[Path, typer.Argument(help="Where to look, folders below included.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List run folders with their data, model and test figures."""
    from graphvae.estimators.run_list import list_runs, list_unfinished

    found = list_runs(folder)
    rows = [[each.run, each.data, each.model, str(each.epochs), _figures(each.metrics)] for each in found]
    sound = [row for row, each in zip(rows, found, strict=True) if each.fault is None]
    text = table(["run", "data", "model", "epochs", "test"], sound, prose=True) if sound else f"no runs below {folder}"
    show(text, {"runs": [each.to_dict() for each in found]}, as_json=as_json)
    say(*(f"cannot be read: {each.fault}" for each in found if each.fault is not None))
    say(*(f"not finished: {each}; graphvae resume {each} goes on" for each in list_unfinished(folder)))


def _figures(metrics: dict[str, Any]) -> str:
    """The numbers of the test part, the first few; a dash where nothing was evaluated."""
    part = metrics.get("test")
    part = part if isinstance(part, dict) else {}
    numbers = [(name, value) for name, value in part.items() if isinstance(value, float)]
    return "  ".join(f"{name} {value:.4g}" for name, value in numbers[:3]) or "-"
