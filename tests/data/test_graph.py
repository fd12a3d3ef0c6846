"""The graph's door: what it accepts, what it refuses and how, what it keeps and what it hashes."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data.graph import Graph

PATH = [[0, 1, 1, 2], [1, 0, 2, 1]]


def path(**fields):
    return Graph(PATH, **fields)


def test_stores_sorted_int64_edges_and_moves_weights_along():
    graph = Graph([[2, 1, 0, 1], [1, 2, 1, 0]], edge_weight=[5, 5, 3, 3])
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph.edge_index.dtype == torch.int64
    assert graph.edge_weight.tolist() == [3.0, 3.0, 5.0, 5.0]
    assert graph.edge_weight.dtype == torch.float32


def test_counts():
    graph = path(num_nodes=4, x=np.eye(4), y=[0, 2, -1, 1])
    assert (graph.num_nodes, graph.num_edges, graph.num_pairs) == (4, 2, 6)
    assert graph.density == 2 / 6
    assert graph.pairs.tolist() == [[0, 1], [1, 2]]
    assert graph.degrees.tolist() == [1, 2, 1, 0]
    assert (graph.num_features, graph.num_classes) == (4, 3)


def test_counts_of_a_directed_graph():
    graph = Graph([[0, 1, 1], [1, 0, 2]], directed=True)
    assert (graph.num_edges, graph.num_pairs, graph.density) == (3, 6, 0.5)
    assert graph.degrees.tolist() == [1, 2, 0]
    assert torch.equal(graph.pairs, graph.edge_index)


def test_without_nodes_or_edges():
    empty = Graph([[], []])
    assert (empty.num_nodes, empty.num_edges, empty.density, empty.num_classes) == (0, 0, 0.0, 0)
    assert Graph([[], []], num_nodes=3).pairs.shape == (2, 0)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"edge_index": [0, 1]}, r"edge_index has shape \(2,\): expected \(2, E\)"),
        ({"edge_index": [[0, 1], [1, 2], [2, 0]]}, r"edge_index has shape \(3, 2\)"),
        ({"edge_index": [[0.0, 1.0], [1.0, 0.0]]}, "edge_index is of type .*float64: expected integers"),
        ({"edge_index": [[True, False], [False, True]]}, "edge_index is of type .*bool"),
        ({"edge_index": [["a"], ["b"]]}, "edge_index: expected a tensor or array of numbers"),
        ({"edge_index": [[0, -1], [-1, 0]]}, "edge_index contains -1: expected node indices from 0"),
        ({"edge_index": PATH, "num_nodes": 2}, "edge_index contains 2: expected node indices from 0 to 1"),
        ({"edge_index": [[0, 0], [0, 0]]}, r"self-loop \(0, 0\)"),
        ({"edge_index": [[0, 1, 0, 1], [1, 0, 1, 0]]}, r"holds the edge \(0, 1\) more than once"),
        ({"edge_index": [[0], [1]]}, r"holds \(0, 1\) without its reverse \(1, 0\)"),
        ({"edge_index": [[0, 1, 2], [1, 0, 1]]}, r"holds \(2, 1\) without its reverse \(1, 2\)"),
        ({"edge_index": PATH, "directed": 1}, "directed=1: expected True or False"),
        ({"edge_index": PATH, "num_nodes": 2.5}, "num_nodes=2.5: expected an integer"),
        ({"edge_index": PATH, "num_nodes": -1}, "num_nodes=-1: expected a value between 0 and"),
        ({"edge_index": [[0, 2**40], [2**40, 0]]}, r"edge_index contains 1099511627776: .*Graph\.from_edges"),
        ({"edge_index": PATH, "num_nodes": 2**31}, "num_nodes=2147483648: expected a value between 0 and 2147483647"),
        ({"edge_index": PATH, "origin": "friends.csv"}, "origin='friends.csv': expected a mapping"),
        ({"edge_index": PATH, "edge_weight": [1.0]}, r"edge_weight has shape \(1,\): expected \(4,\)"),
        ({"edge_index": PATH, "edge_weight": [1, 1, 2, float("nan")]}, "edge_weight contains NaN"),
        ({"edge_index": PATH, "edge_weight": [1, 2, 3, 3]}, r"edge_weight differs between \(0, 1\) and \(1, 0\)"),
        ({"edge_index": PATH, "x": np.ones(3)}, r"x has shape \(3,\): expected \(N, F\)"),
        ({"edge_index": PATH, "x": np.ones((3, 0))}, r"x has shape \(3, 0\): expected at least one column, or x=None"),
        ({"edge_index": PATH, "x": np.ones((2, 1)), "num_nodes": 3}, "x has 2 rows: expected one for each of 3 nodes"),
        ({"edge_index": PATH, "x": np.full((3, 1), np.inf)}, "x contains NaN or infinite values"),
        ({"edge_index": PATH, "x": np.ones((3, 1), dtype=complex)}, "x is complex"),
        ({"edge_index": PATH, "y": [0, 1]}, r"edge_index contains 2"),
        ({"edge_index": PATH, "y": [0, 1], "num_nodes": 3}, r"y has shape \(2,\): expected \(3,\)"),
        ({"edge_index": PATH, "y": [0, 1, -2]}, "y contains -2"),
        ({"edge_index": PATH, "y": [0.5, 1, 2]}, "y is of type .*: expected integers"),
        ({"edge_index": PATH, "y": 5}, r"y has shape \(\): expected \(3,\)"),
        ({"edge_index": PATH, "node_ids": ["a", "b", "a"]}, "node_ids contains 'a' more than once"),
        ({"edge_index": PATH, "node_ids": [0.0, 1.0, 2.0]}, "node_ids are of type float64"),
        ({"edge_index": PATH, "node_ids": [0, "a", "b"]}, "node_ids mix kinds"),
        ({"edge_index": PATH, "node_ids": np.array([0, "a", "b"], dtype=object)}, "node_ids are of type object"),
        ({"edge_index": PATH, "node_ids": ["a", "b\0c", "d"]}, "node_ids contain the character NUL"),
        ({"edge_index": PATH, "node_ids": ["a", "b\0", "d"]}, "node_ids contain the character NUL"),
        ({"edge_index": PATH, "node_ids": np.array(["a", "b\0", "d"], dtype=object)}, "contain the character NUL"),
        ({"edge_index": PATH, "node_ids": np.array([0, 1, 2**63], dtype=np.uint64)}, "expected integers below"),
        ({"edge_index": PATH, "node_ids": ["a", "b"], "num_nodes": 3}, r"node_ids has shape \(2,\): expected \(3,\)"),
    ],
)
def test_refusals_name_the_argument(fields, named):
    with pytest.raises(InputError, match=named):
        Graph(**fields)


@pytest.mark.parametrize("name", ["x", "edge_index", "hash", "anything"])
def test_is_immutable(name):
    graph = path()
    with pytest.raises(AttributeError, match="immutable"):
        setattr(graph, name, None)
    with pytest.raises(AttributeError, match="immutable"):
        delattr(graph, name)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph)), Graph.replace])
def test_node_ids_cannot_be_written(duplicate):
    graph = duplicate(path(node_ids=["a", "b", "c"]))
    assert graph.node_ids.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="read-only"):
        graph.node_ids[0] = "z"


def test_keeps_no_hold_on_what_it_was_given():
    index, x, y = torch.tensor(PATH), torch.ones(3, 2), np.zeros(3, dtype=np.int64)
    weight, ids = np.ones(4, dtype=np.float32), np.arange(3)
    sparse = torch.sparse_coo_tensor([[0, 1], [0, 1]], torch.ones(2), (3, 2), check_invariants=True).coalesce()
    graph = Graph(index, x=x, y=y, edge_weight=weight, node_ids=ids)
    other = Graph(index, x=sparse)
    before = [graph.hash, other.hash]
    again = Graph(index, x=other.x)
    index[0, 0], x[0], y[0], weight[0], ids[0] = 2, 9, 9, 9, 9
    sparse.values().fill_(9)
    again.x.values().fill_(9)
    # The hash is cached, so it is a new graph's that tells.
    assert [graph.replace().hash, other.replace().hash] == before


def test_accepts_read_only_arrays():
    index, x = np.array(PATH), np.ones((3, 1))
    index.flags.writeable = x.flags.writeable = False
    assert Graph(index, x=x).num_edges == 2


def test_the_byte_order_of_another_machine_does_not_matter():
    there = path(x=np.arange(6, dtype=">f4").reshape(3, 2), y=np.arange(3, dtype=">i2"))
    assert there.hash == path(x=np.arange(6, dtype="<f4").reshape(3, 2), y=np.arange(3)).hash


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_sparse_features_are_held_as_csr(layout):
    dense = torch.tensor([[0.0, 2.0], [0.0, 0.0], [3.0, 0.0]])
    matrix = getattr(scipy.sparse, f"{layout}_array")(dense.numpy())
    for x in (matrix, dense.to_sparse_coo()):
        graph = path(x=x)
        assert graph.x.layout == torch.sparse_csr
        assert torch.equal(graph.x.to_dense(), dense)


def test_does_not_tidy_up_the_callers_matrix():
    matrix = scipy.sparse.csr_array((np.ones(3), np.array([1, 0, 0]), np.array([0, 2, 3, 3])), shape=(3, 2))
    before = matrix.indices.copy()
    path(x=matrix)
    assert np.array_equal(matrix.indices, before)


@pytest.mark.parametrize(
    ("given", "stored"), [(torch.float64, torch.float64), (torch.float16, torch.float32), (torch.int64, torch.float32)]
)
def test_features_are_float32_unless_float64(given, stored):
    assert path(x=torch.ones(3, 2, dtype=given)).x.dtype == stored
    assert path(x=torch.ones(3, 2, dtype=given).to_sparse_coo()).x.dtype == stored


def test_rows_of_ids():
    graph = path(node_ids=["ann", "bob", "001"])
    assert graph.rows([["bob", "ann"], ["001", "001"]]).tolist() == [[1, 0], [2, 2]]
    assert graph.rows([]).shape == (0,)
    with pytest.raises(InputError, match="'1' is not in the graph of 3 nodes"):
        graph.rows(["1"])
    with pytest.raises(InputError, match="node ids of this graph are strings: got 1"):
        graph.rows([1])
    with pytest.raises(InputError, match="node ids of this graph are integers"):
        path().rows(["1"])


def test_replace_validates_and_forgets_the_origin():
    graph = path(origin={"kind": "memory"})
    changed = graph.replace(y=[0, 1, 1])
    assert changed.y.tolist() == [0, 1, 1]
    assert changed.origin is None
    assert graph.replace(origin={"kind": "k"}).origin == {"kind": "k"}
    with pytest.raises(InputError, match=r"colour.*expected fields among"):
        graph.replace(colour="red")
    with pytest.raises(InputError, match="expected one for each"):
        graph.replace(x=np.ones((4, 1)))


def test_repr_says_what_is_there():
    graph = Graph([[0], [1]], directed=True, edge_weight=[2.0], x=scipy.sparse.eye_array(2))
    assert repr(graph) == "Graph(num_nodes=2, num_edges=1, features=2 sparse, directed=True, weighted=True)"


# Hashes that files already hold: a change of either is a new HASH_VERSION.
PINNED = {
    "plain": "e65184117343f3983c0522328e9b1900a144daeb38a75a195bd7c9d5c4a56ed7",
    "full": "bc3dbd3669a45af852c31e9d3bcc9880599305c504d0a018c5307904c36087df",
}


def pinned_graphs():
    full = path(x=[[1.5, 0], [0, 2], [-1, 0]], y=[0, 1, -1], edge_weight=[1, 1, 0.5, 0.5], node_ids=["ä", "b,", " c"])
    return {"plain": path(), "full": full}


@pytest.mark.parametrize("name", PINNED)
def test_hash_is_the_same_for_ever(name):
    assert pinned_graphs()[name].hash == PINNED[name]


def test_hash_is_the_same_in_another_process():
    code = "from graphvae.data.graph import Graph; print(Graph([[0, 1, 1, 2], [1, 0, 2, 1]]).hash)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == path().hash


def test_hash_sees_everything_but_the_origin():
    base = {"x": np.eye(3), "y": [0, 1, 0], "edge_weight": [1, 1, 2, 2], "node_ids": ["a", "b", "c"]}
    changes = [
        {},
        {"x": np.eye(3) * 2},
        {"x": scipy.sparse.eye_array(3)},
        {"x": np.eye(3, dtype=np.float32)},
        {"x": None},
        {"y": [0, 1, 1]},
        {"y": None},
        {"edge_weight": [1, 1, 3, 3]},
        {"edge_weight": None},
        {"node_ids": ["a", "b", "d"]},
        {"node_ids": ["ab", "", "c"]},
        {"node_ids": None},
        {"directed": True},
    ]
    hashes = {path(**{**base, **change}).hash for change in changes}
    assert len(hashes) == len(changes)
    assert path(**base, origin={"kind": "memory"}).hash in hashes
    assert path(num_nodes=4).hash != path().hash


def test_hash_does_not_see_the_order_of_the_edges():
    assert Graph([[2, 1, 1, 0], [1, 0, 2, 1]]).hash == path().hash


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_undirected_edge_set_comes_back(data):
    n = data.draw(st.integers(2, 8))
    every = [(u, v) for u in range(n) for v in range(u + 1, n)]
    chosen = data.draw(st.lists(st.sampled_from(every), unique=True))
    both = data.draw(st.permutations([*chosen, *((v, u) for u, v in chosen)]))
    graph = Graph(np.array(both, dtype=np.int64).reshape(-1, 2).T, num_nodes=n)
    assert graph.pairs.T.tolist() == sorted(map(list, chosen))
    assert graph.degrees.sum() == 2 * len(chosen)
    # Without any one of its entries it is no undirected graph any more.
    if both:
        with pytest.raises(InputError, match="without its reverse"):
            Graph(np.array(both).T[:, 1:], num_nodes=n)


def test_the_encoding_goes_with_the_features_it_made():
    from graphvae.data.encoding import FeatureEncoding, NumericColumn

    encoding = FeatureEncoding((NumericColumn("v", False, 1.0, 0.5, 0.5),))
    graph = Graph([[0, 1], [1, 0]], x=[[-1.0], [1.0]], encoding=encoding)
    assert graph.replace(node_ids=["a", "b"]).encoding is encoding
    assert graph.replace(x=[[0.0], [1.0]]).encoding is None
    assert graph.hash == Graph([[0, 1], [1, 0]], x=[[-1.0], [1.0]]).hash
