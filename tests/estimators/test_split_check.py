"""``check_split``: of files, run folders and splits; leaks are named by their nodes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import graphvae as gv
from graphvae.estimators.split_check import check_split


@pytest.fixture(scope="module")
def split() -> gv.LinkSplit:
    graph = gv.load_graph("lesmis")
    return gv.split_links(graph.replace(node_ids=[f"n{i:02d}" for i in range(graph.num_nodes)]), 0.1, 0.2)


def test_a_sound_split_has_no_leak(split, tmp_path: Path) -> None:
    for found in (check_split(split), check_split(gv.save_split(split, tmp_path / "split.csv"))):
        assert found
        assert found.leaks == ()
        assert len(found.rules) == 7
        assert "no leak found" in str(found)
        assert "FAILED" not in str(found)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["val", "test"]), st.integers(0, 10), st.booleans(), st.sampled_from([".npz", ".csv"]))
def test_a_leak_planted_in_a_file_is_named(split, tmp_path: Path, part, at, reverse, suffix) -> None:
    file = gv.save_split(split, tmp_path / "split.csv")
    u, v = split.train.node_ids[getattr(split, part).positive[:, at].numpy()].tolist()
    row = {"source": v if reverse else u, "target": u if reverse else v, "part": "train", "label": "1"}
    file.write_text(file.read_text() + ",".join(row.values()) + "\n")
    if suffix == ".npz":
        table = np.loadtxt(file, delimiter=",", dtype=str)
        columns = dict(zip(table[0].tolist(), table[1:].T, strict=True))
        file = tmp_path / "split.npz"
        np.savez(file, **{**columns, "label": columns["label"].astype(int)})
    found = check_split(file)
    assert not found
    (leak,) = found.leaks
    assert leak.claim.startswith("no held-out edge is among")
    assert (u, v) in leak.examples
    assert f"('{u}', '{v}')" in str(found)
    assert found.to_dict()["leaks"]


def test_run_folders(split, tmp_path: Path) -> None:
    folder = gv.GAE(epochs=1).fit(split).save(tmp_path / "run")
    assert check_split(folder)
    file = folder / "graph.safetensors"
    tensors = load_file(file)
    from safetensors import safe_open

    with safe_open(file, "pt") as stored:
        metadata = stored.metadata()
    pair = tensors["test.positive"][:, :1]
    tensors["edge_index"] = np_cat(tensors["edge_index"], pair.flip(0))
    save_file(tensors, file, metadata=metadata)
    found = check_split(str(folder))
    assert [leak.count for leak in found.leaks] == [1]
    whole = gv.GAE(epochs=1).fit(split.train).save(tmp_path / "whole")
    with pytest.raises(gv.InputError, match="there is no split"):
        check_split(whole)


def np_cat(*parts):
    import torch

    return torch.cat(parts, 1).contiguous()


@pytest.mark.parametrize("protocol", ["temporal", "inductive"])
def test_times_and_new_nodes_are_kept_in_runs_and_checked(tmp_path: Path, protocol: str) -> None:
    graph = gv.load_graph("lesmis")
    graph = graph.replace(x=np.eye(graph.num_nodes, 8))
    times = np.arange(graph.num_edges) if protocol == "temporal" else None
    split = gv.split_links(graph, 0.1, 0.1, protocol=protocol, times=times)
    folder = gv.GAE(epochs=1).fit(split).save(tmp_path / "run")
    assert len(check_split(folder).rules) == (9 if protocol == "temporal" else 12)
    file = folder / "graph.safetensors"
    tensors = load_file(file)
    from safetensors import safe_open

    with safe_open(file, "pt") as stored:
        metadata = stored.metadata()
    if protocol == "temporal":
        tensors["times.test"][0] = -1
    else:
        tensors["new_nodes.test"][0] = tensors["edge_index"][0, 0]
    save_file(tensors, file, metadata=metadata)
    claims = " ".join(leak.claim for leak in check_split(folder).leaks)
    assert ("is older than" if protocol == "temporal" else "has a training edge") in claims


def test_what_is_no_split(tmp_path: Path) -> None:
    with pytest.raises(gv.InputError, match=r"has no graph\.safetensors"):
        check_split(tmp_path)
    with pytest.raises(gv.InputError, match="split=int"):
        check_split(3)
    with pytest.raises(gv.InputError, match="no such file"):
        check_split(tmp_path / "nowhere.npz")


def test_a_rule_is_plain_data(split) -> None:
    row = dataclasses.asdict(check_split(split).rules[0])
    assert set(row) == {"claim", "count", "examples"}
