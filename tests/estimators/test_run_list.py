"""What run folders there are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import graphvae as gv
from graphvae.estimators.run_folder import write_metrics
from graphvae.estimators.run_list import RunSummary, list_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("place")
    (root / "friends.csv").write_text("src,dst\na,b\nb,c\nc,d\nd,e\n")
    gv.VGAE(epochs=2).fit(gv.split_links(gv.load_graph("lesmis"))).save(root / "b" / "les")
    gv.GAE(epochs=1).fit(gv.Graph.from_edges(root / "friends.csv")).save(root / "a")
    gv.VGAE(epochs=1).fit(gv.Graph.from_edges([[0, 1], [1, 2]])).save(root / "c")
    write_metrics(root / "b" / "les", {"test": {"auc": 0.5}})
    write_metrics(
        gv.VAE(epochs=3, latent_dim=2, hidden_dims=(4,)).fit(gv.load_images("digits").x[:40]).save(root / "d"),
        {"data": {"name": "digits"}, "test": {"elbo": -1.0}},
    )
    (root / "e").mkdir()
    (root / "e" / "config.json").write_text("{}")  # somebody else's
    shutil.copytree(root / "a", root / ".a.xyz")  # being written
    return root


def test_every_run_with_its_data_model_epochs_and_metrics(folder):
    at = lambda *names: str(Path(folder, *names))
    assert list_runs(folder) == [
        RunSummary(at("a"), "GAE", "friends.csv", 1, {}),
        RunSummary(at("b", "les"), "VGAE", "lesmis", 2, {"test": {"auc": 0.5}}),
        RunSummary(at("c"), "VGAE", "memory", 1, {}),
        RunSummary(at("d"), "VAE", "digits", 3, {"data": {"name": "digits"}, "test": {"elbo": -1.0}}),
    ]
    assert [run.model for run in list_runs(folder / "a")] == ["GAE"]
    json.dumps([run.to_dict() for run in list_runs(folder)])


@pytest.mark.parametrize("name", ["config.json", "graph.safetensors", "history.jsonl", "metrics.json"])
def test_a_damaged_run_is_listed_with_its_fault(folder, tmp_path, name):
    shutil.copytree(folder / "b" / "les", tmp_path / "run")
    if name == "config.json":
        config = json.loads((tmp_path / "run" / name).read_text())
        (tmp_path / "run" / name).write_text(json.dumps({**config, "format": 99}))
    elif name == "history.jsonl":
        (tmp_path / "run" / name).unlink()
    else:
        (tmp_path / "run" / name).write_bytes(b"\xff\x00")
    (found,) = list_runs(tmp_path)
    assert found.fault is not None
    assert name in found.fault


def test_no_folder_and_none_with_runs(tmp_path):
    assert list_runs(tmp_path) == []
    with pytest.raises(gv.InputError, match="'nowhere' is no folder"):
        list_runs("nowhere")
