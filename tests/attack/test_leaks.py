"""Attempts to smuggle a held-out pair into training, or to pass off an edge as a negative: each must be refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSet, LinkSplit, split_links
from graphvae.data.tables import graph_from_edges


def grid(width=8, height=8):
    at = np.arange(width * height).reshape(height, width)
    across = np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()])
    down = np.stack([at[:-1].ravel(), at[1:].ravel()])
    return graph_from_edges(np.concatenate([across, down], axis=1))


@pytest.fixture
def split():
    return split_links(grid(), 0.1, 0.2, seed=1)


def remake(split, **changes):
    fields = {field.name: getattr(split, field.name) for field in dataclasses.fields(split)}
    return LinkSplit(**{**fields, **changes})


def plus(pairs, pair):
    return torch.cat([pairs, pair.reshape(2, 1)], dim=1)


def with_edge(graph, pair):
    both = torch.stack([pair, pair.flip(0)], dim=1)
    return graph.replace(edge_index=torch.cat([graph.edge_index, both], dim=1))


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_held_out_edge_among_the_messages(split, part):
    pair = getattr(split, part).positive[:, 0]
    with pytest.raises(InputError, match=r"split leaks.*no held-out edge is among the \d+ directed training edges"):
        remake(split, train=with_edge(split.train, pair))


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_held_out_edge_reversed_among_the_messages(split, part):
    """What PyG's RandomLinkSplit does by default to 80 % of Karate's test edges."""
    pair = getattr(split, part).positive[:, 0].flip(0).reshape(2, 1)
    # The graph's own door refuses one direction alone; as a directed graph, the split's does.
    one_way = torch.cat([split.train.edge_index, pair], dim=1)
    with pytest.raises(InputError, match="without its reverse"):
        split.train.replace(edge_index=one_way)
    with pytest.raises(InputError, match="directed graph"):
        remake(split, train=split.train.replace(edge_index=one_way, directed=True))


def test_a_reversed_edge_slipped_past_the_graphs_door(split):
    # Tensors can be written in place, so an edge can become the reverse of a test edge after the graph's own checks.
    train = split.train.replace()
    train.edge_index[:, 0] = split.test.positive[:, 0].flip(0)
    with pytest.raises(InputError, match=r"split leaks.*in either direction"):
        remake(split, train=train)


def test_a_reversed_pair_in_a_part(split):
    with pytest.raises(InputError, match="expected rows u < v"):
        LinkSet(plus(split.test.positive, split.train.pairs[:, 0].flip(0)), split.test.negative)


def test_a_test_edge_among_the_validation_edges(split):
    val = LinkSet(plus(split.val.positive, split.test.positive[:, 0]), split.val.negative)
    with pytest.raises(InputError, match="split leaks"):
        remake(split, val=val)


def test_an_edge_twice_in_a_part(split):
    test = LinkSet(plus(split.test.positive, split.test.positive[:, 0]), split.test.negative)
    with pytest.raises(InputError, match=r"split leaks.*different pairs"):
        remake(split, test=test)


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("source", ["train", "val", "test"])
def test_an_edge_of_any_part_as_a_negative(split, part, source):
    """tkipf/gae draws validation negatives that may be test edges."""
    edges = split.train.pairs if source == "train" else getattr(split, source).positive
    links = getattr(split, part)
    with pytest.raises(InputError, match=r"split leaks.*no edge of the full graph"):
        remake(split, **{part: LinkSet(links.positive, plus(links.negative, edges[:, 0]))})


def test_a_negative_shared_by_both_parts(split):
    val = LinkSet(split.val.positive, plus(split.val.negative, split.test.negative[:, 0]))
    with pytest.raises(InputError, match=r"split leaks.*different pairs"):
        remake(split, val=val)


def test_a_negative_repeated_in_a_part(split):
    test = LinkSet(split.test.positive, plus(split.test.negative, split.test.negative[:, 0]))
    with pytest.raises(InputError, match=r"split leaks.*different pairs"):
        remake(split, test=test)


def test_a_refusal_names_a_pair_that_leaks(split):
    pair = split.test.positive[:, 3]
    with pytest.raises(InputError) as error:
        remake(split, train=with_edge(split.train, pair))
    assert str(tuple(pair.tolist())) in str(error.value)


def test_an_honest_remake_is_accepted(split):
    assert remake(split).hash == split.hash


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(0.05, 0.1), (0.0, 0.3), (0.4, 0.5)]))
def test_the_message_matrix_holds_no_held_out_pair(seed, shares):
    """Checked on the dense matrix, by other means than the split's own."""
    graph = grid()
    split = split_links(graph, *shares, seed=seed)
    full, messages = graph.to_scipy().toarray(), split.train.to_scipy().toarray()
    assert (messages == messages.T).all()
    for links in (split.val, split.test):
        (u, v), (a, b) = links.positive.numpy(), links.negative.numpy()
        assert (full[u, v] == 1).all()
        assert (messages[u, v] == 0).all()
        assert (messages[v, u] == 0).all()
        assert (full[a, b] == 0).all()
        assert (full[b, a] == 0).all()
    assert messages.sum() / 2 + split.val.positive.shape[1] + split.test.positive.shape[1] == full.sum() / 2


def test_rows_written_twice_do_not_leak(capsys):
    """Duplicate and reversed rows of a table leak 87 % of the test edges elsewhere; here they are merged first."""
    graph = grid()
    rows = torch.cat([graph.pairs, graph.pairs.flip(0), graph.pairs], dim=1)
    again = graph_from_edges(rows)
    assert again.hash == graph.hash
    assert split_links(again, seed=1).hash == split_links(graph, seed=1).hash
    assert f"merged {2 * graph.num_edges} repeated rows" in capsys.readouterr().err


def test_a_split_of_another_graph_has_another_hash(split):
    other = split_links(grid().replace(y=np.zeros(64, dtype=np.int64)), 0.1, 0.2, seed=1)
    assert other.hash != split.hash
    assert Graph.replace(split.train).hash == split.train.hash
