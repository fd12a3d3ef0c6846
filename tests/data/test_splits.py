"""Link splits: sizes, partition, negatives, determinism, and a report that really checks."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSet, LinkSplit, split_links


def make_graph(pairs, num_nodes, weight=None, **fields):
    index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    weight = None if weight is None else np.concatenate([weight, weight])
    return Graph(np.concatenate([index, index[::-1]], axis=1), num_nodes=num_nodes, edge_weight=weight, **fields)


def ring(n, **fields):
    return make_graph([(i, (i + 1) % n) for i in range(n)], n, **fields)


def circulant(num_edges, num_nodes=101):
    """Exactly ``num_edges`` edges: rings of growing stride."""
    pairs = ((i, (i + stride) % num_nodes) for stride in range(1, num_nodes) for i in range(num_nodes))
    return make_graph(list(itertools.islice(pairs, num_edges)), num_nodes)


def as_set(pairs):
    return {tuple(pair) for pair in pairs.T.tolist()}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_split_is_a_partition_with_clean_negatives(data):
    n = data.draw(st.integers(4, 14))
    every = list(itertools.combinations(range(n), 2))
    edges = data.draw(st.lists(st.sampled_from(every), min_size=5, unique=True))
    graph = make_graph(edges, n)
    val, test = data.draw(st.sampled_from([(0.2, 0.2), (0.0, 0.25), (0.5, 0.0), (0.0, 0.0), (0.3, 0.4), (0.21, 0.7)]))
    held = sum(int(Fraction(str(share)) * len(edges)) for share in (val, test))
    if held > len(every) - len(edges):
        with pytest.raises(InputError, match="non-edges"):
            split_links(graph, val, test)
        return
    split = split_links(graph, val, test, seed=data.draw(st.integers(0, 50)))
    parts = [as_set(split.train.pairs), as_set(split.val.positive), as_set(split.test.positive)]
    assert set.union(*parts) == set(edges)
    assert sum(map(len, parts)) == len(edges)
    negatives = [as_set(split.val.negative), as_set(split.test.negative)]
    assert [len(part) for part in negatives] == [len(part) for part in parts[1:]]
    assert not negatives[0] & negatives[1]
    assert not set.union(*negatives) & set(edges)
    assert set.union(*negatives) <= set(every)
    assert split.num_edges == len(edges)
    assert split.density == graph.density
    assert split.train.num_nodes == n


@pytest.mark.parametrize(
    ("edges", "val", "test", "sizes"),
    [
        (5278, 0.05, 0.10, (263, 527, 4488)),  # Cora
        (4552, 0.05, 0.10, (227, 455, 3870)),  # CiteSeer
        (100, 0.29, 0.57, (29, 57, 14)),  # 0.29 * 100 and 0.57 * 100 are below 29 and 57 in floating point
        (70, 0.1, 0.7, (7, 49, 14)),  # 0.1 * 70 and 0.7 * 70 are above or below
        (1000, 0.001, 1e-3, (1, 1, 998)),
        (3, Fraction(1, 3), Fraction(1, 3), (1, 1, 1)),
        (100, Decimal("0.29"), 0, (29, 0, 71)),
        (100, np.float32(0.29), np.float64(0.57), (29, 57, 14)),
        (100, torch.tensor(0.25), 0.5, (25, 50, 25)),
        (19, 0.0, 0.99, (0, 18, 1)),
    ],
)
def test_sizes_are_floors_of_the_decimals_as_written(edges, val, test, sizes):
    split = split_links(circulant(edges, 200), val, test)
    assert (split.val.positive.shape[1], split.test.positive.shape[1], split.train.num_edges) == sizes
    assert (split.val.negative.shape[1], split.test.negative.shape[1]) == sizes[:2]
    assert split.fractions == pytest.approx((float(val), float(test)), rel=1e-7)


@pytest.mark.data
def test_cora(data_root, monkeypatch):
    from graphvae.data.registry import load_graph

    graph = load_graph("cora")
    split = split_links(graph)
    assert repr(split) == "LinkSplit(train=4488, val=263, test=527, seed=0)"
    assert split.graph_hash == graph.hash
    assert split.train.part_hashes["x"] == graph.part_hashes["x"]


def test_the_training_graph_keeps_nodes_features_labels_ids_weights_and_origin():
    n = 40
    weight = np.arange(1, n + 1) / 7
    graph = ring(
        n, weight=weight, x=np.eye(n), y=np.arange(n), node_ids=[f"n{i}" for i in range(n)], origin={"kind": "k"}
    )
    split = split_links(graph, 0.25, 0.25, seed=4)
    for part in ("x", "y", "node_ids"):
        assert split.train.part_hashes[part] == graph.part_hashes[part]
    assert split.train.origin == graph.origin
    assert split.train.edge_weight.dtype == graph.edge_weight.dtype
    of_pair = {frozenset(p): w for p, w in zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist(), strict=True)}
    kept = zip(split.train.edge_index.T.tolist(), split.train.edge_weight.tolist(), strict=True)
    assert all(of_pair[frozenset(pair)] == w for pair, w in kept)
    assert split.graph_hash == graph.hash


def test_isolated_nodes_stay_and_get_negatives():
    split = split_links(circulant(60, 61).replace(num_nodes=90, node_ids=None), 0.2, 0.2)
    assert split.train.num_nodes == 90
    drawn = torch.cat([split.val.negative, split.test.negative], dim=1)
    assert int(drawn.max()) >= 61


def test_dense_graphs():
    # 190 pairs, 8 of them no edges; all 8 are needed.
    every = list(itertools.combinations(range(20), 2))
    graph = make_graph(every[8:], 20)
    split = split_links(graph, Fraction(4, 182), Fraction(4, 182))
    drawn = as_set(split.val.negative) | as_set(split.test.negative)
    assert drawn == set(every[:8])


def test_empty_parts():
    split = split_links(ring(20), val=0, test=0)
    assert split.train.hash == split.graph_hash
    for part in (split.val, split.test):
        assert part.positive.shape == part.negative.shape == (2, 0)
    assert "ok" in split.report()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"val": -0.1}, "val=-0.1: expected a value between 0"),
        ({"test": 1.5}, "test=1.5: expected a value between 0"),
        ({"val": float("nan")}, "val=nan: expected a finite number"),
        ({"val": "0.1"}, "val='0.1': expected a number"),
        ({"val": None}, "val=None: expected a number"),
        ({"val": True}, "val=True: expected a number"),
        ({"val": 0.7, "test": 0.3}, "val=0.7 and test=0.3 add up to 1 or more"),
        ({"val": 1}, "add up to 1 or more"),
        ({"val": 0.01}, "val=0.01 of 20 edges is less than one edge: expected at least 100 edges, or val=0"),
        ({"test": 0.04}, "test=0.04 of 20 edges is less than one edge: expected at least 25 edges, or test=0"),
        ({"seed": None}, "seed=None: expected an integer"),
        ({"seed": 1.0}, "seed=1.0: expected an integer"),
        ({"seed": -1}, "seed=-1: expected a value at least 0"),
    ],
)
def test_refused_arguments(options, named):
    with pytest.raises(InputError, match=named):
        split_links(ring(20), **options)


@pytest.mark.parametrize(
    ("graph", "named"),
    [
        ([[0, 1], [1, 0]], "graph is of type list: expected a Graph"),
        (Graph([[0], [1]], directed=True), "graph has directed=True: expected an undirected graph"),
        (
            make_graph(list(itertools.combinations(range(10), 2)), 10),
            "need 6 non-edges, as many as edges held out, and the graph of 10 nodes and 45 edges has 0",
        ),
    ],
)
def test_refused_graphs(graph, named):
    with pytest.raises(InputError, match=named):
        split_links(graph)


@pytest.mark.parametrize("n", [0, 3])
def test_a_graph_without_edges(n):
    graph = Graph([[], []], num_nodes=n)
    with pytest.raises(InputError, match=r"val=0.05 of 0 edges is less than one edge"):
        split_links(graph)
    with pytest.raises(InputError, match="graph has 0 edges"):
        split_links(graph, 0, 0)


# Determinism

CODE = """
import numpy, torch, random
numpy.random.seed(5); torch.manual_seed(5); random.seed(5)
from graphvae.data.graph import Graph
from graphvae.data.splits import split_links
i = numpy.arange(50)
index = numpy.stack([i, (i + 1) % 50])
print(split_links(Graph(numpy.concatenate([index, index[::-1]], axis=1)), 0.1, 0.2, seed=9).hash)
"""


def test_one_seed_is_one_split_in_every_process():
    split = split_links(ring(50), 0.1, 0.2, seed=9)
    assert split.hash == split_links(ring(50), 0.1, 0.2, seed=np.int64(9)).hash
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == split.hash
    assert len({split_links(ring(50), 0.1, 0.2, seed=seed).hash for seed in range(5)}) == 5


def test_global_random_state_is_left_alone():
    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002

    before = states()
    split_links(ring(50), 0.1, 0.2, seed=9).report()
    assert states() == before


def test_every_edge_is_as_likely_to_be_held_out():
    counts = np.zeros(20)
    for seed in range(400):
        for u, v in split_links(ring(20), 0.1, 0.2, seed=seed).test.positive.T.tolist():
            counts[u if v == u + 1 else v] += 1
    # 400 splits hold out each edge 80 times, give or take 8.
    assert counts.sum() == 1600
    assert abs(counts - 80).max() < 5 * 8


# Splits made from parts


def parts(split):
    return {field.name: getattr(split, field.name) for field in dataclasses.fields(split)}


def test_a_split_comes_back_from_its_parts():
    split = split_links(ring(30), 0.1, 0.2, seed=3)
    description = json.loads(json.dumps(split.description()))
    again = LinkSplit(
        train=split.train,
        val=LinkSet(split.val.positive.numpy(), split.val.negative.tolist()),
        test=split.test,
        **description,
    )
    assert again.hash == split.hash
    assert again.fractions == (0.1, 0.2)
    assert (again.seed, again.graph_hash, again.num_edges, again.density) == (3, split.graph_hash, 30, split.density)
    assert again.report() == split.report()


def test_a_split_is_immutable():
    split = split_links(ring(30))
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.train = ring(30)
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.val.positive = split.test.positive


def test_link_sets_keep_no_hold_on_what_they_were_given():
    pairs = torch.tensor([[0], [1]])
    links = LinkSet(pairs, pairs)
    pairs[0] = 7
    assert links.positive.tolist() == [[0], [1]]
    assert repr(links) == "LinkSet(positive=1, negative=1)"


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        ([[1], [0]], r"positive contains the pair \(1, 0\): expected rows u < v"),
        ([[2], [2]], r"positive contains the pair \(2, 2\)"),
        ([[-1], [2]], r"positive contains the pair \(-1, 2\)"),
        ([[0, 1]], r"positive has shape \(1, 2\): expected \(2, P\)"),
        ([[0.0], [1.0]], "positive is of type torch.float64: expected integers"),
    ],
)
def test_refused_link_sets(pairs, named):
    with pytest.raises(InputError, match=named):
        LinkSet(pairs, [[0], [1]])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"train": None}, "train is of type NoneType: expected a Graph"),
        ({"val": (1, 2)}, "val is of type tuple: expected a LinkSet"),
        ({"train": Graph([[0], [1]], directed=True)}, "train is a directed graph"),
        ({"test": LinkSet([[3], [30]], [[0], [2]])}, "test.positive contains 30: expected rows from 0 to 29"),
    ],
)
def test_refused_parts(change, named):
    with pytest.raises(InputError, match=named):
        LinkSplit(**{**parts(split_links(ring(30))), **change})


def test_hash_is_the_same_for_ever():
    # No random number in it, so that it pins the hash and nothing else.
    split = LinkSplit(
        train=make_graph([(0, 1), (1, 2), (2, 3)], 5),
        val=LinkSet([[3], [4]], [[0], [2]]),
        test=LinkSet([[0, 1], [4, 4]], [[0, 1], [3, 3]]),
        seed=None,
        fractions=None,
        graph_hash="none",
    )
    assert split.hash == "c0dbbaf5adba2bfdce7e82d1df70d9129f85d8b342ad7afbb5ba1394dabafc96"


def test_hash_sees_every_part():
    split = split_links(ring(30), 0.1, 0.2)
    changes = [
        {},
        {"train": split.train.replace(y=np.zeros(30, dtype=int))},
        {"val": LinkSet(split.val.positive, [[], []])},
        {"test": LinkSet(split.test.positive[:, :-1], split.test.negative)},
        {"val": LinkSet(split.val.positive[:, :-1], split.val.negative)},
        {"test": LinkSet(split.test.positive, split.test.negative[:, :-1])},
        {"val": split.test, "test": split.val},
    ]
    assert len({LinkSplit(**{**parts(split), **change}).hash for change in changes}) == len(changes)


# The report


def test_report_says_what_was_checked_with_counts():
    report = split_links(ring(100), 0.05, 0.1, seed=6).report()
    assert "Link split of 100 undirected edges between 100 nodes (seed 6, asked for 0.05 and 0.1)" in report
    assert "training    85 edges" in report
    assert "validation  5 edges, 5 non-edges" in report
    assert "test        10 edges, 10 non-edges" in report
    for claim in (
        "the 15 held-out edges are 15 different pairs",
        "no validation edge is a test edge (5 against 10)",
        "no held-out edge is among the 170 directed training edges, in either direction (30 compared)",
        "each of the 15 sampled non-edges is no edge of the full graph of 100 edges",
        "the 15 sampled non-edges are 15 different pairs",
        "no validation non-edge is a test non-edge (5 against 10)",
    ):
        assert f"ok: {claim}" in report
    assert "FAILED" not in report


@pytest.mark.parametrize(
    ("damage", "claim"),
    [
        (lambda s: s.test.positive[:, 0].copy_(s.train.pairs[:, 0]), r"no held-out edge is among"),
        (lambda s: s.test.positive[:, 0].copy_(s.val.positive[:, 0]), r"no validation edge is a test edge"),
        (lambda s: s.val.negative[:, 0].copy_(s.test.negative[:, 0]), r"no validation non-edge is a test non-edge"),
        (lambda s: s.val.negative[:, 0].copy_(s.test.positive[:, 0]), r"is no edge of the full graph"),
        (lambda s: s.val.negative[:, 0].copy_(s.train.pairs[:, 0]), r"is no edge of the full graph"),
        (lambda s: s.val.negative[:, 0].copy_(s.val.negative[:, 1]), r"sampled non-edges are \d+ different pairs"),
        (lambda s: s.val.positive[:, 0].copy_(s.val.positive[:, 1]), r"held-out edges are \d+ different pairs"),
        (lambda s: s.val.negative[:, 0].fill_(3), r"joins two different nodes"),
    ],
)
def test_report_checks_anew(damage, claim):
    # Tensors can be written in place; a report made after that has to notice.
    split = split_links(ring(100), 0.05, 0.1)
    damage(split)
    failed = [line for line in split.report().splitlines() if "FAILED (" in line]
    assert failed
    assert any(re.search(claim, line) for line in failed)
