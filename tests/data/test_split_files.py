"""Splits as files: what is written is read, what others wrote too, and what leaks is refused."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import graphvae as gv
from graphvae.data.split_files import load_split, read_rows, save_split
from graphvae.data.splits import LinkSplit, split_links


def named(seed: int = 0, **fields) -> gv.Graph:
    graph = gv.Graph.from_networkx(nx.gnm_random_graph(30, 80, seed=seed))
    return graph.replace(node_ids=[f'n"{i:02d}, é' for i in range(30)], **fields)


def made(graph: gv.Graph, protocol: str) -> LinkSplit:
    times = np.arange(graph.num_edges) % 17 / 3 if protocol == "temporal" else None
    return split_links(graph, 0.1, 0.2, seed=1, protocol=protocol, times=times)


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
@pytest.mark.parametrize("protocol", ["random", "connected", "temporal", "inductive"])
@pytest.mark.parametrize("ids", ["names", "numbers"])
def test_what_is_written_is_read(tmp_path: Path, suffix: str, protocol: str, ids: str) -> None:
    graph = named(x=np.eye(30), y=np.arange(30))
    graph = graph if ids == "names" else graph.replace(node_ids=np.arange(30) * 3 - 7)
    split, file = made(graph, protocol), tmp_path / f"split{suffix}"
    if protocol == "inductive" and suffix == ".csv":
        with pytest.raises(gv.InputError, match=r"expected an \.npz file"):
            save_split(split, file)
        return
    again = load_split(save_split(split, file), graph)
    assert again.hash == split.hash
    assert again.protocol == (protocol if protocol in ("temporal", "inductive") else "fixed")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    alone = load_split(file)  # without a graph, of the nodes that the file names
    assert alone.train.x is None
    assert alone.test.positive.shape == split.test.positive.shape


def test_what_others_write(tmp_path: Path) -> None:
    graph, file = named(), tmp_path / "split.csv"
    split = made(graph, "random")
    save_split(split, file)
    lines = file.read_text().splitlines()
    # Rows in any order and either direction, no labels, no non-edges, no training edges.
    held = [line.split(",") for line in lines[1:] if (",val,1" in line or ",test,1" in line)]
    swapped = ["source,target,part", *(",".join([*row[2:4], *row[:2], row[4]]) for row in reversed(held))]
    file.write_text("\n".join(swapped) + "\n")
    again = load_split(file, graph, seed=5)
    assert again.train.hash == split.train.hash
    for part in ("val", "test"):
        mine, theirs = getattr(again, part), getattr(split, part)
        assert mine.positive.tolist() == theirs.positive.tolist()
        assert mine.negative.shape == theirs.negative.shape
    assert load_split(file, graph, seed=5).hash == again.hash
    assert load_split(file, graph, seed=6).hash != again.hash


def arrays(split: LinkSplit, tmp_path: Path) -> dict[str, np.ndarray]:
    with np.load(save_split(split, tmp_path / "whole.npz")) as stored:
        return dict(stored)


def test_what_leaks_is_refused(tmp_path: Path) -> None:
    graph = named()
    rows, file = arrays(made(graph, "random"), tmp_path), tmp_path / "leaky.npz"
    test = np.flatnonzero((rows["part"] == "test") & (rows["label"] == 1))[0]
    more = {"source": rows["target"][test], "target": rows["source"][test], "part": "train", "label": 1}
    np.savez(file, **{name: np.append(rows[name], more[name]) for name in rows})
    with pytest.raises(gv.InputError, match=r"leaky\.npz: split leaks: .* no held-out edge is among"):
        load_split(file, graph)
    rows["label"][test] = 0
    np.savez(file, **rows)
    with pytest.raises(gv.InputError, match="an edge of the graph and not here"):
        load_split(file, graph)


def change(rows: dict[str, np.ndarray], name: str, value: object) -> dict[str, np.ndarray]:
    return {**rows, name: np.where(np.arange(len(rows[name])) == 0, value, rows[name])}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: change(rows, "part", "tset"), "part='tset': expected one of .*did you mean 'test'"),
        (lambda rows: change(rows, "label", 2), "expected 1 for an edge and 0 for a non-edge"),
        (lambda rows: change(rows, "label", 0), "'train' has rows of label 0"),
        (lambda rows: change(rows, "source", "zoe"), "node id 'zoe' is not in the graph of 30 nodes"),
        (lambda rows: {**rows, "label": rows["label"][1:]}, "expected arrays of one length"),
        (lambda rows: {"source": rows["source"]}, "expected arrays source, target and part; found source"),
        (lambda rows: {name: values[1:] for name, values in rows.items()}, "an edge of the graph and not here"),
        (lambda rows: {**rows, "source": rows["source"].astype(object)}, "is damaged: ValueError"),
    ],
)
def test_refusals(tmp_path: Path, edit, message: str) -> None:
    graph, file = named(), tmp_path / "split.npz"
    np.savez(file, **edit(arrays(made(graph, "random"), tmp_path)))
    with pytest.raises(gv.InputError, match=message):
        load_split(file, graph)


def test_edges_of_another_graph_and_files_that_are_none(tmp_path: Path) -> None:
    split = made(named(), "random")
    file = save_split(split, tmp_path / "split.csv")
    with pytest.raises(gv.InputError, match="are in this file and no edge of the graph"):
        load_split(file, named(seed=1))
    with pytest.raises(gv.InputError, match="no such file"):
        read_rows(tmp_path / "nowhere.csv")
    with pytest.raises(gv.InputError, match=r"ends in \.npz or \.csv"):
        save_split(split, tmp_path / "split.json")
    (tmp_path / "other.csv").write_text("source,target\na,b\n")
    with pytest.raises(gv.InputError, match="part='part': split has the columns"):
        load_split(tmp_path / "other.csv")
    (tmp_path / "gap.csv").write_text("source,target,part\na,,train\n")
    with pytest.raises(gv.InputError, match="column 'target' has 1 rows without one"):
        load_split(tmp_path / "gap.csv")


def test_a_temporal_file_needs_its_training_rows(tmp_path: Path) -> None:
    graph = named()
    rows = arrays(made(graph, "temporal"), tmp_path)
    np.savez(tmp_path / "held.npz", **{name: values[rows["part"] != "train"] for name, values in rows.items()})
    with pytest.raises(gv.InputError, match="time: expected training rows"):
        load_split(tmp_path / "held.npz", graph)
