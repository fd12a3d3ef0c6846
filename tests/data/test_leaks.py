"""Planted leaks are found, whatever the graph and whichever pair; and nothing else is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from graphvae.data.graph import Graph
from graphvae.data.leaks import Parts, rules
from graphvae.data.splits import split_links


def plus(pairs: Tensor, pair: Tensor) -> Tensor:
    return torch.cat([pairs, pair.reshape(2, 1)], 1)


def put(parts: Parts, name: str, part: str, pairs: Tensor) -> Parts:
    return dataclasses.replace(parts, **{name: {**getattr(parts, name), part: pairs}})


def into_training(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return dataclasses.replace(parts, train=plus(parts.train, pair))


def into_training_reversed(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return dataclasses.replace(parts, train=plus(parts.train, pair.flip(0)))


def twice(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "positive", part, plus(parts.positive[part], pair))


def into_the_other_part(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "positive", other, plus(parts.positive[other], pair))


def as_a_non_edge(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "negative", other, plus(parts.negative[other], pair))


def a_training_edge_as_a_non_edge(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "negative", part, plus(parts.negative[part], parts.train[:, 0].sort().values))


def a_non_edge_twice(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "negative", part, plus(parts.negative[part], parts.negative[part][:, 0]))


def a_non_edge_of_the_other_part(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "negative", part, plus(parts.negative[part], parts.negative[other][:, 0]))


def a_self_loop(parts: Parts, part: str, other: str, pair: Tensor) -> Parts:
    return put(parts, "positive", part, plus(parts.positive[part], pair[[0, 0]]))


PLANTS: dict[Callable[[Parts, str, str, Tensor], Parts], str] = {
    into_training: "no held-out edge is among",
    into_training_reversed: "no held-out edge is among",
    twice: "different pairs",
    into_the_other_part: "no validation edge is a test edge",
    as_a_non_edge: "is no edge of the full graph",
    a_training_edge_as_a_non_edge: "is no edge of the full graph",
    a_non_edge_twice: "sampled non-edges are",
    a_non_edge_of_the_other_part: "no validation non-edge is a test non-edge",
    a_self_loop: "joins two different nodes",
}


def graph_of(seed: int, nodes: int, edges: int) -> Graph:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, nodes, (2, edges))
    pairs = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
    return Graph(np.concatenate([pairs, pairs[::-1]], 1), num_nodes=nodes)


def broken(parts: Parts) -> list[str]:
    return [claim for claim, offenders in rules(parts) if offenders.shape[1]]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(PLANTS)),
    st.sampled_from(["val", "test"]),
    st.integers(0, 10**6),
    st.sampled_from(["random", "connected", "temporal", "inductive"]),
    st.data(),
)
def test_a_planted_leak_is_found(plant, part: str, seed: int, protocol: str, data) -> None:
    graph = graph_of(seed, 30, 120)
    times = np.random.default_rng(seed).integers(0, 50, graph.num_edges) if protocol == "temporal" else None
    split = split_links(graph, 0.15, 0.2, seed=seed, protocol=protocol, times=times)
    parts = split.parts()
    assert broken(parts) == []
    pair = parts.positive[part][:, data.draw(st.integers(0, parts.positive[part].shape[1] - 1))]
    leaky = plant(parts, part, "test" if part == "val" else "val", pair)
    if protocol == "temporal":  # the pair that was added has a time as well
        leaky = dataclasses.replace(leaky, times={name: torch.zeros(leaky_size(leaky, name)) for name in leaky.times})
    assert any(PLANTS[plant] in claim for claim in broken(leaky))


def leaky_size(parts: Parts, name: str) -> int:
    return (parts.train if name == "train" else parts.positive[name]).shape[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["val", "test"]), st.data())
def test_a_time_out_of_order_is_found(seed: int, part: str, data) -> None:
    graph = graph_of(seed, 30, 120)
    split = split_links(graph, 0.15, 0.2, protocol="temporal", times=np.arange(graph.num_edges) / 7)
    parts = split.parts()
    times = {name: values.clone() for name, values in parts.times.items()}
    at = data.draw(st.integers(0, len(times[part]) - 1))
    times[part][at] = times["train"].max() - 1e-9
    (claim,) = broken(dataclasses.replace(parts, times=times))
    assert claim.startswith("no validation edge is older" if part == "val" else "no test edge is older")
    (offenders,) = [
        pairs for claim, pairs in rules(dataclasses.replace(parts, times=times)) if "older" in claim and pairs.shape[1]
    ]
    assert torch.equal(offenders, parts.positive[part][:, at : at + 1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["val", "test"]))
def test_a_held_out_node_with_a_training_edge_is_found(seed: int, part: str) -> None:
    split = split_links(graph_of(seed, 30, 120), 0.15, 0.2, seed=seed, protocol="inductive")
    parts = split.parts()
    end = parts.train[0, 0]
    news = {**parts.new_nodes, part: torch.cat([parts.new_nodes[part], end[None]])}
    found = broken(dataclasses.replace(parts, new_nodes=news))
    assert any("held-out nodes has a training edge" in claim for claim in found)


def test_nodes_of_two_parts_and_pairs_of_other_nodes_are_found() -> None:
    parts = split_links(graph_of(3, 30, 120), 0.15, 0.2, protocol="inductive").parts()
    both = {"val": parts.new_nodes["test"], "test": parts.new_nodes["test"]}
    found = broken(dataclasses.replace(parts, new_nodes=both))
    assert "no node is held out for both validation and test" in found
    swapped = {"val": parts.new_nodes["test"], "test": parts.new_nodes["val"]}
    found = broken(dataclasses.replace(parts, new_nodes=swapped))
    assert "each validation pair has an end among the nodes held out for it" in found
    assert "no validation pair has an end among the nodes held out for the test" in found


@pytest.mark.parametrize("protocol", ["random", "inductive"])
def test_empty_parts_break_no_rule(protocol: str) -> None:
    assert broken(split_links(graph_of(1, 30, 120), 0.0, 0.0, protocol=protocol).parts()) == []
