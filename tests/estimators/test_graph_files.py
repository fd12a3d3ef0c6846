"""Graphs and splits as tensors: the same graph back, whatever its ids, and of features only their hash."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

import graphvae as gv
from graphvae.estimators.graph_files import graph_from_tensors, graph_to_tensors, ids_from_tensors, split_from_tensors

RING = [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]]
BOTH = [RING[0] + RING[1], RING[1] + RING[0]]


def there_and_back(data):
    """Through bytes, as a file has them."""
    tensors, description = graph_to_tensors(data)
    description = json.loads(json.dumps(description))
    tensors = load(save(tensors))
    if description["kind"] == "split":
        return split_from_tensors(tensors, description)
    return graph_from_tensors(tensors, description["graph"])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"num_nodes": 9},
        {"y": [0, 1, 2, 0, 1, -1]},
        {"edge_weight": [0.1, 2.0, 3.5, 1.0, 1.0, 0.0] * 2},
        {"edge_weight": torch.tensor([0.1, 2.0, 3.5, 1.0, 1.0, 7.0] * 2, dtype=torch.float64)},
        {"node_ids": [5, -3, 2**62, 0, 1, 2]},
        {"node_ids": ["", "a", " ", "à́", "語", "a,b\n"]},
    ],
    ids=lambda fields: ", ".join(fields) or "edges",
)
def test_a_graph_without_features_comes_back_to_the_hash(fields):
    graph = gv.Graph(BOTH, **fields)
    back = there_and_back(graph)
    assert back.hash == graph.hash
    assert back.part_hashes == graph.part_hashes
    assert back.node_ids.tolist() == graph.node_ids.tolist()
    assert back.node_ids.dtype.kind == graph.node_ids.dtype.kind


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(names, min_size=6, max_size=6, unique=True))
def test_any_names_come_back(ids):
    graph = gv.Graph(BOTH, node_ids=ids)
    back = there_and_back(graph)
    assert back.node_ids.tolist() == ids
    assert back.hash == graph.hash


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6, unique=True))
def test_any_numbers_come_back(ids):
    tensors, _ = graph_to_tensors(gv.Graph(BOTH, node_ids=ids))
    assert ids_from_tensors(load(save(tensors))).tolist() == ids


def test_names_that_are_a_slice_of_longer_ones_come_back_to_the_hash():
    """numpy gives every string of an array the width of the longest."""
    long = gv.load_graph("lesmis").node_ids[[0, 1, 2, 3, 4, 5]]
    graph = gv.Graph(BOTH, node_ids=long.astype("U200"))
    assert there_and_back(graph).hash == graph.hash


@pytest.mark.parametrize("shares", [(0.1, 0.2), (0.0, 0.2), (0.1, 0.0), (0.0, 0.0)])
def test_a_split_comes_back_to_the_hash(shares):
    split = gv.split_links(gv.load_graph("lesmis"), *shares, seed=4)
    back = there_and_back(split)
    assert back.hash == split.hash
    assert back.description() == split.description()
    assert back.density == split.density


def test_of_features_only_origin_and_hash_are_kept():
    graph = gv.load_graph("digits-knn")
    tensors, description = graph_to_tensors(graph)
    assert set(tensors) == {"edge_index", "ids", "y"}
    assert description["graph"]["num_features"] == 32
    assert description["graph"]["origin"] == {"kind": "dataset", "name": "digits-knn", "features": True}
    back = there_and_back(graph)
    assert torch.equal(back.x, graph.x)
    assert back.hash == graph.hash


def test_features_of_memory_cannot_be_read_again():
    with pytest.raises(gv.InputError, match="lived in memory only"):
        there_and_back(gv.Graph(BOTH, x=np.eye(6)))


def test_features_of_other_nodes_are_not_taken():
    """The file is the same, but its nodes are others: nothing may be matched by position."""
    graph = gv.load_graph("digits-knn")
    tensors, description = graph_to_tensors(graph)
    tensors["ids"] = tensors["ids"].flip(0)
    with pytest.raises(gv.InputError, match="are not those this run was fitted on"):
        graph_from_tensors(tensors, description["graph"])


def test_tensors_that_were_changed_are_noticed():
    tensors, description = graph_to_tensors(gv.Graph(BOTH, y=[0, 1, 2, 0, 1, 2]))
    tensors["y"] = tensors["y"].flip(0)
    with pytest.raises(gv.InputError, match=r"graph\.safetensors: hash \w{12}, expected \w{12}"):
        graph_from_tensors(tensors, description["graph"])


def test_a_split_that_leaks_is_refused_when_it_is_read():
    split = gv.split_links(gv.load_graph("lesmis"), 0.1, 0.2)
    tensors, description = graph_to_tensors(split)
    tensors["test.negative"] = split.train.pairs[:, :5].contiguous()
    with pytest.raises(gv.InputError, match="split leaks"):
        split_from_tensors(tensors, description)
