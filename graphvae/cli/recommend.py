"""``graphvae recommend``: the best unknown links of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphvae._check import InputError, integer
from graphvae.cli.output import say, show

__all__ = ["recommend"]

# Seconds of search from which on the time is told, and from which on --yes is asked for.
TELL, ASK = 5.0, 60.0


def recommend(
    run: Annotated[Path, typer.Argument(help="A run folder of a graph model.")],
    node: Annotated[list[str] | None, typer.Option(help="Node id; may be given several times.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="The best partners of every node.")] = False,
    k: Annotated[int, typer.Option("-k", help="How many for each node; in all, if no node is named.")] = 10,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Let edges appear that the split held out from the model.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="File to write as well: .csv, .tsv or .parquet.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help=f"Search even if it takes more than {ASK:.0f} s.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """The k likeliest unknown partners of each --node, or, without one, the k likeliest unknown links of all pairs.

    Edges of the data and a node itself never appear; those the split held out for validation and test do with
    --held-out. The search is exact.
    """
    from graphvae.estimators.graph_estimator import GraphEstimator
    from graphvae.estimators.run_folder import load

    k = integer("-k", k, low=1)
    if node and everyone:
        raise InputError(f"--node={node[0]!r} and --all: expected one of them")
    model = load(run)
    if not isinstance(model, GraphEstimator):
        raise InputError(f"{str(run)!r} holds a {type(model).__name__}: images have no links; expected a graph model")
    ids = model.fitted.node_ids if everyone else None if not node else _ids(model.fitted.node_ids, node)

    def announce(seconds: float) -> None:
        if seconds > TELL:
            say(f"scoring all pairs, about {_duration(seconds)}")
        if seconds > ASK and not yes:
            raise InputError(f"--yes: this search takes about {_duration(seconds)}; expected --yes, or fewer nodes")

    found = model.recommend(ids, k, held_out=held_out, announce=announce)
    if to is not None:
        found.save(to)
    data = {"run": str(run), "k": k, "calibration": str(model.calibration), "links": _records(found)}
    show(str(found), data, as_json=as_json)
    say(str(model.calibration), *([] if to is None else [f"{len(found)} links written to {to}"]))


def _ids(known: Any, texts: list[str]) -> list[Any]:
    """Ids whose text is that on the command line."""
    by_text = {str(name): name for name in known.tolist()}
    for text in texts:
        if text not in by_text:
            raise InputError(f"--node={text!r} is not in the graph of {len(known)} nodes, such as {known[0].item()!r}")
    return [by_text[text] for text in texts]


def _records(found: Any) -> list[dict[str, Any]]:
    columns = found.to_dict()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
