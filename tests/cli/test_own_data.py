"""A user's own files through every command: awkward names in, the same names out, whatever the format."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import graphvae as gv
from graphvae.cli import main

AWKWARD = [
    *("dân", "O'Brien, Cid", '"q"', "007", "7", str(10**18), "=1+1", " both ends ", "a;b", "1e3", "NULL", "née\tTab"),
    *("-3", "東京", "x y", "NaN", "true", "@me", "#5", "c\\d"),
]
NEW = ["newcomer", " newcomer", "00"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edges(names: list[str]) -> pd.DataFrame:
    n = len(names)
    rows = [(names[i], names[(i + step) % n], 1 + i % 3) for i in range(n) for step in (1, 3)]
    return pd.DataFrame(rows, columns=["who, from", "whom", "strength"])


def people(names: list[str]) -> pd.DataFrame:
    colours = ["red", "blue", None]
    return pd.DataFrame(
        {
            "name": names,
            "age": [np.nan if i % 7 == 3 else 20.0 + i for i in range(len(names))],
            "member": [i % 2 == 0 for i in range(len(names))],
            "colour": [colours[i % 3] for i in range(len(names))],
            "about": [f"likes the number {i % 5} and long {'walks' if i % 2 else 'rests'}" for i in range(len(names))],
        }
    )


def write(frame: pd.DataFrame, path: str) -> str:
    if path.endswith(".parquet"):
        frame.to_parquet(path)
        return path
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if ".tsv" in path else ",")
        writer.writerow(frame.columns)
        writer.writerows([["" if pd.isna(cell) else cell for cell in row] for row in frame.itertuples(index=False)])
    return path


def run(*arguments: str) -> None:
    assert main(list(arguments)) == 0, arguments


COLUMNS = ["--source", "who, from", "--target", "whom", "--weight", "strength"]


@pytest.mark.parametrize("suffix", ["csv", "tsv.gz", "parquet"])
def test_names_survive_every_command(suffix, capsys, tmp_path, monkeypatch):
    data = write(edges(AWKWARD), f"friends.{suffix}")
    table = write(people(AWKWARD), f"people.{suffix}")
    run("train", data, *COLUMNS, "--features", table, "--epochs", "3", "--latent-dim", "4", "--out", "runs/friends")
    said = capsys.readouterr().err
    assert "features scaled to mean 0 and variance 1: age" in said
    assert "features tf-idf: about" in said
    assert "missing values filled and flagged" in said

    run("embed", "runs/friends", "--to", "all.npz")
    exact = gv.Embeddings.load("all.npz")
    assert sorted(exact) == sorted(AWKWARD)
    for each in ("parquet", "csv", "tsv"):
        run("embed", "runs/friends", "--to", f"all.{each}")
        read = gv.Embeddings.load(f"all.{each}")
        assert read.ids.tolist() == exact.ids.tolist()
        assert np.array_equal(read.vectors, exact.vectors)

    # Features are read again from where they were, also from another folder.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run("evaluate", "../runs/friends")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    asked = [argument for name in AWKWARD for argument in ("--node", name)]
    for to in ("links.csv", "links.parquet"):
        run("recommend", "runs/friends", *asked, "-k", "2", "--held-out", "--json", "--to", to)
        links = json.loads(capsys.readouterr().out)["links"]
        assert [link["source"] for link in links[::2]] == AWKWARD
        read = pd.read_parquet(to) if to.endswith("parquet") else pd.read_csv(to, dtype=str, keep_default_na=False)
        assert read["source"].tolist() == [link["source"] for link in links]
        assert read["target"].tolist() == [link["target"] for link in links]

    known = {frozenset(pair) for pair in edges(AWKWARD)[["who, from", "whom"]].to_numpy().tolist()}
    run("recommend", "runs/friends", "--all", "-k", "50", "--json")
    found = {frozenset((link["source"], link["target"])) for link in json.loads(capsys.readouterr().out)["links"]}
    every = {frozenset((a, b)) for a in AWKWARD for b in AWKWARD if a != b}
    assert found == every - known

    everyone = AWKWARD + NEW
    more, of_all = write(edges(everyone), f"more.{suffix}"), write(people(everyone), f"of_all.{suffix}")
    run("embed", "runs/friends", more, "--features", of_all, "--to", "more.parquet")
    assert sorted(gv.Embeddings.load("more.parquet")) == sorted(everyone)


def test_labels_and_the_list_of_runs(capsys):
    run("train", write(edges(AWKWARD), "friends.csv"), *COLUMNS, "--epochs", "1", "--latent-dim", "2", "--quiet")
    labels = pd.DataFrame({"name": AWKWARD, "team": ["north" if i % 2 else "south" for i in range(len(AWKWARD))]})
    run("probe", "runs/friends-vgae-0", "--labels", write(labels, "labels.csv"))
    run("runs")
    assert "friends-vgae-0" in capsys.readouterr().out


def test_numbers_as_ids_where_one_file_has_text_and_the_other_numbers(capsys):
    frame = pd.DataFrame({"a": range(30), "b": [(7 * i + 1) % 30 for i in range(30)]})
    write(frame, "e.csv")
    pd.DataFrame({"id": range(30), "v": np.arange(30) / 3}).to_parquet("p.parquet")
    assert main(["train", "e.csv", "--features", "p.parquet", "--self-loops", "drop"]) == 2
    assert "id_dtype=int or id_dtype=str makes them one" in capsys.readouterr().err
    start = ["train", "e.csv", "--features", "p.parquet", "--self-loops", "drop", "--epochs", "1", "--quiet"]
    run(*start, "--id-dtype", "int", "--out", "ints", "--val", "0.1")
    assert gv.load("ints").embed().ids.dtype == np.int64
    run("recommend", "ints", "--node", "7", "-k", "1")
    run("embed", "ints", "e.csv", "--features", "p.parquet", "--to", "again.npz")
    assert gv.Embeddings.load("again.npz").ids.tolist() == list(range(30))
    run(*start, "--id-dtype", "str", "--out", "texts", "--val", "0.1")
    assert gv.load("texts").embed().ids.dtype.kind == "U"
    assert main([*start, "--id-dtype", "float", "--out", "no"]) == 2
    assert "--id-dtype='float': expected one of 'int', 'str'" in capsys.readouterr().err


def test_formats_of_one_table_are_one_graph():
    graphs = []
    for suffix in ("csv", "tsv", "csv.gz", "parquet"):
        path, table = write(edges(AWKWARD), f"e.{suffix}"), write(people(AWKWARD), f"p.{suffix}")
        graphs.append(gv.Graph.from_edges(path, source="who, from", target="whom", weight="strength", features=table))
    assert len({graph.hash for graph in graphs}) == 1
    assert Path("e.csv").stat().st_size > 0


def test_a_run_embeds_alike_after_its_files_are_gone():
    """Embeddings and recommendations come from the folder alone; what needs the features says which file is missing."""
    write(edges(AWKWARD), "friends.csv")
    write(people(AWKWARD), "people.csv")
    run("train", "friends.csv", *COLUMNS, "--features", "people.csv", "--epochs", "1", "--out", "r", "--quiet")
    before = gv.load("r").recommend(["007"], k=3, held_out=True).to_dict()
    Path("friends.csv").unlink()
    Path("people.csv").unlink()
    assert gv.load("r").recommend(["007"], k=3, held_out=True).to_dict() == before
    run("embed", "r", "--to", "e.csv")
    assert main(["evaluate", "r"]) == 2
