"""The commands, by name."""

from __future__ import annotations

import typer

from graphvae.cli import benchmark, check, compare, datasets, images, probe, quickstart, recommend, resume, runs, train

__all__ = ["app"]

app = typer.Typer(
    name="graphvae",
    help="Variational graph auto-encoders: train, evaluate, embed, recommend.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _top(context: typer.Context, version: bool = typer.Option(False, "--version", help="Show the version.")) -> None:
    if version:
        import graphvae

        print(graphvae.__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


app.command("quickstart")(quickstart.quickstart)
app.command("train")(train.train)
app.command("resume")(resume.resume)
app.command("evaluate")(runs.evaluate)
app.command("embed")(runs.embed)
app.command("recommend")(recommend.recommend)
app.command("probe")(probe.probe)
app.command("runs")(runs.runs)
app.command("sample")(images.sample)
app.command("plot")(images.plot)
app.command("compare")(compare.compare)
app.command("check")(check.check)
app.command("benchmark")(benchmark.benchmark)
app.add_typer(datasets.app, name="datasets")
