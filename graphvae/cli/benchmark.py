"""``graphvae benchmark``: models against data sets over random splits."""

from __future__ import annotations

import json
import shlex
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from graphvae.cli.output import say, show, table

__all__ = ["benchmark"]


def benchmark(
    datasets: Annotated[str, typer.Option(help="Names by comma; NAME:featureless leaves features out.")] = "cora",
    models: Annotated[
        str,
        typer.Option(
            help="By comma: vgae, vgae:PRESET, vgae:OBJECTIVE, gae, a baseline, or heuristics for all baselines; "
            "NAME=VALUE after a model sets its argument: vgae:strong,posterior=hyperspherical,gae,latent_dim=32."
        ),
    ] = "vgae,gae,heuristics",
    runs: Annotated[int, typer.Option(help="Random splits per data set.")] = 10,
    val: Annotated[float, typer.Option(help="Share of edges for validation.")] = 0.05,
    test: Annotated[float, typer.Option(help="Share of edges for the test.")] = 0.10,
    protocol: Annotated[str, typer.Option(help="Links held out: random, connected or inductive.")] = "random",
    ranking: Annotated[
        bool | None, typer.Option(help="Rank against all nodes and hard non-edges; by default on small graphs.")
    ] = None,
    hard: Annotated[int, typer.Option(help="Hard non-edges at each end of an edge; 0 for none.")] = 250,
    jobs: Annotated[int, typer.Option(help="Processes that share the splits; the figures stay the same.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of each process; in the last digits figures depend on it.")] = 1,
    store: Annotated[
        Path, typer.Option(help="Folder that keeps each finished run; started again, those are not repeated.")
    ] = Path("runs/benchmark"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what the store has.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write every run and the summary to this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Mean and standard error over random splits, the same for every model, beside baselines and published figures."""
    from graphvae._check import InputError
    from graphvae.estimators.benchmark import run_benchmark
    from graphvae.estimators.benchmark_models import split_specs

    if out is not None and out.is_dir():
        raise InputError(f"--out={str(out)!r} is a folder: expected a file to write")
    result = run_benchmark(
        datasets.split(","),
        split_specs(models),
        runs=runs,
        val=val,
        test=test,
        kind=protocol,
        ranking=ranking,
        hard=hard,
        jobs=jobs,
        threads=threads,
        store=store,
        fresh=fresh,
        progress=say,
    )
    command = ["graphvae", "benchmark", "--datasets", datasets, "--models", models, "--runs", str(runs)]
    command += ["--val", str(val), "--test", str(test), "--hard", str(hard)]
    command += [] if protocol == "random" else ["--protocol", protocol]
    command += {None: [], True: ["--ranking"], False: ["--no-ranking"]}[ranking]
    data = {"command": shlex.join(command), **result.to_dict()}
    show(_text(data), data, as_json=as_json)
    if out is not None:
        from graphvae._files import write_text

        write_text(out, json.dumps(data, indent=1, allow_nan=False) + "\n")


# Columns of the table after the model's name and n: title, key, factor, digits. The published figures follow AP.
_COLUMNS = (
    ("AUC %", "auc", 100, 1),
    ("AP %", "ap", 100, 1),
    ("MRR %", "mrr", 100, 1),
    ("Hits@10 %", "hits@10", 100, 1),
    ("hard MRR %", "hard_mrr", 100, 1),
    ("ELBO", "elbo", 1, 0),
    ("Erdős-Rényi", "null_erdos_renyi", 1, 0),
    ("degrees", "null_degrees", 1, 0),
    ("held-out", "heldout", 1, 2),
    ("seconds", "seconds", 1, 1),
)


def _text(data: dict[str, Any]) -> str:
    """The table of means, published figures in it and below it, and the paired differences."""
    rows = data["rows"]
    used = [column for column in _COLUMNS if any(column[1] in row for row in rows)]

    def line(name: str, row: dict[str, Any]) -> list[str]:
        cells = [_figure(row, key, factor, digits) for _, key, factor, digits in used]
        return [name, str(row.get("n", "")), *cells[:2], _pair(row.get("published")), *cells[2:]]

    cells = []
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        cells += [line(f"{dataset} {row['model']}", row) for row in rows if row["dataset"] == dataset]
        for best in data["best_baselines"]:
            if best["dataset"] == dataset and best["of"] > 1:
                cells.append(line(f"{dataset} best of {best['of']} baselines", best))
    titles = [title for title, *_ in used]
    columns = ["", "n", *titles[:2], "published", *titles[2:]]
    note = (
        "mean ± standard error over splits; MRR and Hits@10: filtered, against all nodes; ELBO and null models: nats\n"
        "on the training graph; held-out: nats per held-out edge, non-edges weighted to the density; published: AUC /\n"
        "AP %, Kipf and Welling (2016); best of baselines: by each figure's mean on the test part, so a hard mark"
    )
    return "\n\n".join([f"{table(columns, cells)}\n{note}", *_elsewhere(data["published"]), *_differences(data)])


def _elsewhere(published: list[dict[str, Any]]) -> list[str]:
    """Published rows of models that are not this package's."""
    rows = [row for row in published if row["recalled"]]
    if not rows:
        return []
    cells = [[f"{row['dataset']} {row['model']}", _pair(row), row["source"] + ", recalled"] for row in rows]
    return [table(["published elsewhere", "AUC / AP %", "source"], cells, prose=True)]


def _differences(data: dict[str, Any]) -> list[str]:
    """What was trained against the first of it and against the best baseline; all other pairs are in the JSON."""
    best = {
        (row["dataset"], key): row[key]["model"]
        for row in data["best_baselines"]
        for _, key, *_ in _COLUMNS
        if key in row
    }
    baselines = {(run["dataset"], run["model"]) for run in data["runs"] if "baseline" in run["config"]}
    found = {(row["dataset"], row["figure"], row["model"], row["against"]): row for row in data["differences"]}
    cells = []
    for dataset in dict.fromkeys(row["dataset"] for row in data["rows"]):
        names = [row["model"] for row in data["rows"] if row["dataset"] == dataset]
        trained = [name for name in names if (dataset, name) not in baselines]
        for model, (title, key, factor, _) in product(trained, _COLUMNS):
            for other in (trained[0], best.get((dataset, key), "")):
                pair, sign = found.get((dataset, key, model, other)), factor
                if pair is None:
                    pair, sign = found.get((dataset, key, other, model)), -factor
                if pair is not None and pair["n"] > 1 and not (other in trained and model == trained[0]):
                    cells.append([f"{dataset} {model} - {other}", title, *_difference(pair, sign, model, other)])
    if not cells:
        return []
    columns = ["on the same splits", "", "difference", "95 % interval", "p", "verdict"]
    note = (
        "every model trained against the first of them and the best baseline of each figure; ±: standard error over\n"
        "splits; interval and p: t-test with Nadeau and Bengio's variance, for the splits of one graph overlap"
    )
    return [f"{table(columns, cells, prose=True)}\n{note}"]


def _difference(pair: dict[str, Any], factor: float, model: str, other: str) -> list[str]:
    gap = factor * pair["mean"]
    low, high = sorted(factor * end for end in pair["corrected_interval"])
    verdict = f"{model if gap > 0 else other} is better" if pair["decided"] else "not decided"
    error = abs(factor) * pair["standard_error"]
    return [f"{gap:+.2f} ±{error:.2f}", f"{low:+.2f} to {high:+.2f}", f"{pair['corrected_p']:.2g}", verdict]


def _pair(row: dict[str, Any] | None) -> str:
    return "-" if row is None else f"{100 * row['auc']:.1f} / {100 * row['ap']:.1f}"


def _figure(row: dict[str, Any], key: str, factor: float, digits: int) -> str:
    if key not in row:
        return "-"
    error = row[key]["standard_error"]
    text = f"{factor * row[key]['mean']:.{digits}f}"
    return text if error is None else f"{text} ±{factor * error:.{digits}f}"
