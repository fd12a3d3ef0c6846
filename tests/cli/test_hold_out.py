"""``graphvae train --protocol``, ``--time`` and ``--split``: the split that was asked for, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphvae as gv
from graphvae.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng, lines = np.random.default_rng(0), ["src,dst,since"]
    pairs = {tuple(sorted(pair)) for pair in rng.integers(0, 30, (120, 2)).tolist() if pair[0] != pair[1]}
    lines += [f"n{u},n{v},2026-01-{day % 28 + 1:02d}" for day, (u, v) in enumerate(sorted(pairs))]
    Path("friends.csv").write_text("\n".join(lines) + "\n")
    Path("people.csv").write_text("id,age\n" + "".join(f"n{i},{i % 7}\n" for i in range(30)))


def fitted(*options: str) -> gv.LinkSplit:
    files = ["friends.csv", "--source", "src", "--target", "dst", "--features", "people.csv"]
    assert main(["train", *files, *options, "--epochs", "1", "--quiet", "--json", "--out", "run", "--overwrite"]) == 0
    return gv.load("run").fitted.data()


def test_temporal_splits_by_a_column() -> None:
    split = fitted("--time", "since", "--test", "0.2", "--seed", "3")
    assert (split.protocol, split.seed) == ("temporal", 3)
    graph = gv.Graph.from_edges("friends.csv", source="src", target="dst", features="people.csv")
    times = gv.edge_times(graph, "since")
    expected = gv.split_links(graph, 0.05, 0.2, seed=3, protocol="temporal", times=times)
    assert split.hash == expected.hash


@pytest.mark.parametrize("protocol", ["connected", "inductive"])
def test_protocols_by_name(protocol: str, capsys) -> None:
    split = fitted("--protocol", protocol, "--val", "0.1")
    assert split.protocol == protocol
    assert json.loads(capsys.readouterr().out)["test"]["auc"] >= 0
    assert main(["evaluate", "run"]) == 0
    assert main(["check", "run"]) == 0


def test_fixed_splits_from_files(capsys) -> None:
    graph = gv.Graph.from_edges("friends.csv", source="src", target="dst", features="people.csv")
    split = gv.split_links(graph, 0.1, 0.3, seed=9)
    gv.save_split(split, "split.csv")
    assert fitted("--split", "split.csv").hash == split.hash
    capsys.readouterr()
    Path("config.toml").write_text(
        'data = "friends.csv"\nsource = "src"\ntarget = "dst"\nsplit = "split.csv"\nepochs = 1\n'
    )
    assert main(["train", "--config", "config.toml", "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert 'split = "split.csv"' in printed
    assert "val = " not in printed
    assert main(["train", "--config", "config.toml", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--protocol", "conected"], "did you mean 'connected'"),
        (["--protocol", "temporal"], "expected the column of times as --time"),
        (["--protocol", "random", "--time", "since"], "expected with the temporal protocol"),
        (["--time", "sinc"], "did you mean 'since'"),
        (["--split", "nowhere.csv"], "--split='nowhere.csv': no such file"),
        (["--split", "people.csv", "--val", "0.1"], "--val: expected without --split"),
        (["--split", "people.csv"], "source='source': split has the columns 'id', 'age'"),
    ],
)
def test_refusals(options: list[str], message: str, capsys) -> None:
    assert main(["train", "friends.csv", "--source", "src", "--target", "dst", *options, "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()
