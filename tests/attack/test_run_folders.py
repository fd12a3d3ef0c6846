"""Pickles in the place of a run's files, and other traps: nothing in a run folder may ever run code on load."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import graphvae as gv
from graphvae.estimators.run_folder import FILES


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def model():
    return gv.VGAE(epochs=1, latent_dim=4).fit(gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1))


@pytest.fixture
def run(model, tmp_path):
    return model.save(tmp_path / "run")


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


def npz_of_objects(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, ids=np.array([payload] * 34, dtype=object), vectors=np.zeros((34, 4), dtype=np.float32))
    return buffer.getvalue()


def torch_file(payload: Payload) -> bytes:
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


def npy_member(payload: Payload) -> bytes:
    """A zip whose member is a bare pickle under the name of an array: numpy returns such members as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("ids.npy", "vectors.npy", "scale.npy", "data.pkl"):
            archive.writestr(name, pickle.dumps(payload))
    return buffer.getvalue()


DISGUISES = {
    "pickle": pickle.dumps,
    "old pickle": lambda payload: pickle.dumps(payload, protocol=0),
    "torch file": torch_file,
    "npz of objects": npz_of_objects,
    "zip of pickles": npy_member,
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_the_payloads_would_work(disguise, mark):
    """Otherwise none of what follows could fail."""
    content = DISGUISES[disguise](Payload(mark))
    if disguise == "torch file":
        torch.load(io.BytesIO(content), weights_only=False)
    elif disguise == "npz of objects":
        np.load(io.BytesIO(content), allow_pickle=True)["ids"]
    elif disguise == "zip of pickles":
        pickle.loads(zipfile.ZipFile(io.BytesIO(content)).read("data.pkl"))
    else:
        pickle.loads(content)
    assert mark.exists()


@pytest.mark.parametrize("name", [*FILES, "metrics.json"])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_file_of_a_run_is_ever_unpickled(run, mark, name, disguise):
    (run / name).write_bytes(DISGUISES[disguise](Payload(mark)))
    if name == "metrics.json":
        gv.load(run)  # is written for people and not read
    else:
        with pytest.raises(gv.InputError, match=name.replace(".", r"\.")):
            gv.load(run)
    assert not mark.exists()


def test_files_beside_those_of_a_run_are_not_read(run, mark):
    for name in ("model.pkl", "weights.pt", "weights.bin", "graph.pkl", "sitecustomize.py", "conftest.py"):
        (run / name).write_bytes(pickle.dumps(Payload(mark)))
    gv.load(run).evaluate()
    assert not mark.exists()


@pytest.mark.parametrize(
    "estimator", ["builtins.eval", "os.system", "__import__", "graphvae.estimators.vgae.VGAE", "VGAE;", "", None, {}]
)
def test_a_config_names_estimators_and_nothing_else(run, estimator):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "estimator": estimator}))
    with pytest.raises(gv.InputError, match=r"config\.json: estimator="):
        gv.load(run)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decoder", {"name": "os.system"}),
        ("decoder", {"name": "inner_product", "__class__": "x"}),
        ("prior", {"name": "features", "hidden_dims": "os"}),
        ("__class__", "os.system"),
        ("_fitted", {}),
        ("device", "cuda:99; rm"),
    ],
)
def test_arguments_in_a_config_are_checked_as_a_users(run, field, value):
    config = json.loads((run / "config.json").read_text())
    config["params"][field] = value
    (run / "config.json").write_text(json.dumps(config))
    if field == "device":
        # An argument of the next fit, checked there; where a loaded model lies, load's own argument says.
        with pytest.raises(gv.InputError, match="device="):
            gv.load(run, device="cpu").fit(gv.load_graph("karate"))
        return
    with pytest.raises(gv.InputError, match=r"config\.json"):
        gv.load(run)


def rewrite(run: Path, **changes) -> None:
    """The graph file again, with another description."""
    from safetensors import safe_open

    with safe_open(run / "graph.safetensors", framework="pt") as stored:
        description = json.loads(stored.metadata()["description"])
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    description["graph"].update(changes)
    save_file(tensors, run / "graph.safetensors", metadata={"description": json.dumps(description)})


@pytest.mark.parametrize(
    "origin",
    [
        {"kind": "exec", "code": "1"},
        {"kind": "dataset", "name": "../../etc/passwd"},
        {"kind": "dataset", "name": "karate", "loader": "os.system"},
        {"kind": "table", "edges": "/dev/null"},
        {"kind": "table"},
        ["dataset", "karate"],
        "karate",
    ],
    ids=str,
)
def test_an_origin_reads_tables_and_data_sets_and_nothing_else(run, origin):
    """With features promised, the origin is followed; it can lead to a graph or to a refusal."""
    config = json.loads((run / "config.json").read_text())
    config["fitted"]["num_features"] = 3
    config["params"]["hidden_dims"] = []
    (run / "config.json").write_text(json.dumps(config))
    save_file({"encoder.head.linear.weight": torch.zeros(3, 8)}, run / "weights.safetensors")
    rewrite(run, num_features=3, origin=origin)
    with pytest.raises(gv.InputError, match=r"graph\.safetensors"):
        gv.load(run).elbo()


def test_a_header_that_promises_more_than_there_is(run):
    """Eight bytes of length, then JSON: both can lie."""
    for header in (struct.pack("<Q", 2**63), struct.pack("<Q", 10**9) + b"{}"):
        (run / "weights.safetensors").write_bytes(header)
        with pytest.raises(gv.InputError, match=r"weights\.safetensors is damaged"):
            gv.load(run)


def test_a_number_of_nodes_that_fills_the_memory_is_refused_before_it_does(run):
    config = json.loads((run / "config.json").read_text())
    config["fitted"]["num_nodes"] = 10**12
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(gv.InputError, match=r"config\.json: its nodes and features are not those of graph"):
        gv.load(run)


def test_edges_outside_the_graph_are_refused(run):
    from safetensors import safe_open

    with safe_open(run / "graph.safetensors", framework="pt") as stored:
        metadata = stored.metadata()
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    tensors["edge_index"][:, 0] = 10**9
    save_file(tensors, run / "graph.safetensors", metadata=metadata)
    with pytest.raises(gv.InputError, match=r"graph\.safetensors: edge_index contains 1000000000"):
        gv.load(run).evaluate()


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links here")
def test_a_link_to_a_run_is_replaced_and_not_followed(model, run, tmp_path):
    """Overwriting through a link must not delete what it points to."""
    link = tmp_path / "link"
    link.symlink_to(run, target_is_directory=True)
    model.save(link, overwrite=True)
    assert not link.is_symlink()
    assert gv.load(run).latent_dim == gv.load(link).latent_dim == 4
