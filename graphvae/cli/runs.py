"""``graphvae evaluate`` and ``graphvae embed``: what a run folder is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphvae._check import InputError, integer
from graphvae.cli.images import evaluate_images
from graphvae.cli.output import say, show

__all__ = ["embed", "evaluate"]

Run = Annotated[Path, typer.Argument(help="A run folder, as written by graphvae train.")]


def evaluate(
    run: Run,
    part: Annotated[str, typer.Option(help="test or val.")] = "test",
    samples: Annotated[int, typer.Option(help="Also draw this many graphs and compare them with the data.")] = 0,
    source: Annotated[str, typer.Option(help="What --samples draws from: prior or posterior.")] = "prior",
    ranking: Annotated[
        bool | None, typer.Option(help="Rank against all nodes and hard non-edges; by default on small graphs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Evaluate a run on the split it was trained with."""
    from graphvae.estimators.run_folder import load, read_config

    integer("--samples", samples, low=0)
    if read_config(run).get("kind") == "images":
        evaluate_images(run, as_json=as_json)
        return
    model = load(run)
    report = model.evaluate(part=part, ranking=ranking)
    text, data = str(report), {"run": str(run), part: report.to_dict()}
    if samples:
        generated = model.evaluate_samples(samples=samples, source=source)
        text, data = f"{text}\n\n{generated}", {**data, "generation": generated.to_dict()}
    show(text, data, as_json=as_json)


def embed(
    run: Run,
    to: Annotated[Path, typer.Option(help="File to write: .npz, .parquet, .csv, .tsv or .txt (word2vec).")],
) -> None:
    """Write node ids, posterior means and standard deviations to a file."""
    from graphvae.estimators.run_folder import load

    model = load(run)
    if not hasattr(model, "embed"):
        raise InputError(f"{str(run)!r} holds a {type(model).__name__}: images have no ids; use transform from Python")
    embeddings = model.embed()
    embeddings.save(to)
    say(f"{len(embeddings)} embeddings of dimension {embeddings.vectors.shape[1]} written to {to}")
