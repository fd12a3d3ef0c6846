"""``graphvae datasets``: what there is, and whether the files are right."""

from __future__ import annotations

from typing import Annotated

import typer

from graphvae._check import InputError
from graphvae.cli.output import say, show, table

__all__ = ["app"]

app = typer.Typer(help="Data sets: list, fetch, verify.")

Names = Annotated[list[str] | None, typer.Argument(help="Data sets; all by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """Every data set with its counts, and whether its files are at hand."""
    from graphvae.data.registry import card, dataset_names, dataset_status

    columns = ["nodes", "edges", "features", "images", "pixels", "classes"]
    rows, data = [], []
    for name in dataset_names():
        known, status = card(name), dataset_status(name)
        counts = vars(known.counts)
        shown = counts | ({"pixels": counts["height"] * counts["width"]} if known.kind == "images" else {})
        rows.append([name, *(str(shown.get(column) or "-") for column in columns), status.state, known.title])
        data.append(
            {"name": name, "kind": known.kind, **counts, "state": status.state, "missing": list(status.missing)}
        )
    text = table(["name", *columns, "files", "what"], rows, prose=True)
    show(text, data, as_json=as_json)


@app.command("fetch")
def fetch(names: Names = None) -> None:
    """Fetch missing files from their pinned sources, each verified before it is put in place."""
    from graphvae.data.registry import dataset_names, fetch_dataset

    for name in names or dataset_names():
        files = fetch_dataset(name)
        say(*(f"{name}: at hand and verified: {path}" for path in files) if files else (f"{name}: nothing to fetch",))


@app.command("verify")
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Check files against their checksums; exit status 2 if one is wrong, or missing from a data set that was named."""
    from graphvae.data.registry import dataset_names, verify_dataset

    results = [result for name in names or dataset_names() for result in verify_dataset(name)]
    lines = [f"{r.state:<8} {r.path}  {r.detail}" for r in results]
    show("\n".join(lines), [vars(r) for r in results], as_json=as_json)
    bad = [r.path for r in results if r.state == "wrong" or (names and r.state == "missing")]
    if bad:
        raise InputError(f"{len(bad)} of {len(results)} files are not as their cards say: {', '.join(bad)}")
