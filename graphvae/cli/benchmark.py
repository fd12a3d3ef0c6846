"""``graphvae benchmark``: models against data sets over random splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from graphvae.cli.output import say, show, table

__all__ = ["benchmark"]


def benchmark(
    datasets: Annotated[str, typer.Option(help="Names by comma; NAME:featureless leaves features out.")] = "cora",
    models: Annotated[
        str, typer.Option(help="By comma: vgae, vgae:PRESET, vgae:OBJECTIVE, gae, or a baseline.")
    ] = "vgae,gae,katz",
    runs: Annotated[int, typer.Option(help="Random splits per data set.")] = 10,
    val: Annotated[float, typer.Option(help="Share of edges for validation.")] = 0.05,
    test: Annotated[float, typer.Option(help="Share of edges for the test.")] = 0.10,
    out: Annotated[Path | None, typer.Option(help="Also write every run and the summary to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Mean and standard error over random splits, the same for every model, beside published figures."""
    from graphvae._check import InputError
    from graphvae.estimators.benchmark import run_benchmark

    if out is not None and out.is_dir():
        raise InputError(f"--out={str(out)!r} is a folder: expected a file to write")
    result = run_benchmark(datasets.split(","), models.split(","), runs=runs, val=val, test=test, progress=say)
    command = f"graphvae benchmark --datasets {datasets} --models {models} --runs {runs} --val {val} --test {test}"
    data = {"command": command, **result.to_dict()}
    show(_text(data["rows"]), data, as_json=as_json)
    if out is not None:
        from graphvae._files import write_text

        write_text(out, json.dumps(data, indent=1, allow_nan=False) + "\n")


def _text(rows: list[dict[str, Any]]) -> str:
    cells = []
    for row in rows:
        published = row.get("published")
        cells.append(
            [
                f"{row['dataset']} {row['model']}",
                str(row["n"]),
                _figure(row, "auc", 100, 1),
                _figure(row, "ap", 100, 1),
                "-" if published is None else f"{100 * published['auc']:.1f} / {100 * published['ap']:.1f}",
                _figure(row, "elbo", 1, 0),
                _figure(row, "null_erdos_renyi", 1, 0),
                _figure(row, "null_degrees", 1, 0),
                _figure(row, "heldout", 1, 2),
                _figure(row, "seconds", 1, 1),
            ]
        )
    columns = ["", "n", "AUC %", "AP %", "published", "ELBO", "Erdős-Rényi", "degrees", "held-out", "seconds"]
    note = (
        "mean ± standard error over splits; ELBO and null models: nats on the training graph; held-out: nats per "
        "held-out edge, non-edges weighted to the density; published: Kipf and Welling (2016), AUC / AP %"
    )
    return f"{table(columns, cells)}\n{note}"


def _figure(row: dict[str, Any], key: str, factor: float, digits: int) -> str:
    if key not in row:
        return "-"
    error = row[key]["standard_error"]
    text = f"{factor * row[key]['mean']:.{digits}f}"
    return text if error is None else f"{text} ±{factor * error:.{digits}f}"
