"""The doors of a fitted estimator: ids or rows, never guessed; one graph or another, if the weights fit it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import graphvae as gv
from graphvae.estimators.graph_estimator import GraphEstimator

NAMES = gv.load_graph("lesmis")
KARATE = gv.load_graph("karate")


@pytest.fixture(scope="module")
def by_name():
    return gv.VGAE(epochs=5).fit(NAMES)


@pytest.fixture(scope="module")
def by_number():
    graph = KARATE.replace(node_ids=np.arange(34)[::-1] + 100)
    return gv.VGAE(epochs=5).fit(graph)


def test_the_estimator_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        GraphEstimator()


def test_pairs_in_every_form(by_name):
    expected = by_name.predict_proba([("Valjean", "Javert"), ("Cosette", "Marius")])
    assert expected.shape == (2,)
    assert expected.dtype == np.float64
    for pairs in (
        np.array([["Valjean", "Javert"], ["Cosette", "Marius"]]),
        np.array([["Valjean", "Javert"], ["Cosette", "Marius"]], dtype=object),
        (("Valjean", "Javert"), ["Cosette", "Marius"]),
        pd.DataFrame({"from": ["Valjean", "Cosette"], "to": ["Javert", "Marius"]}),
        iter([("Javert", "Valjean"), ("Marius", "Cosette")]),
        zip(["Valjean", "Cosette"], ["Javert", "Marius"], strict=True),
    ):
        assert np.array_equal(by_name.predict_proba(pairs), expected)
    rows = NAMES.rows([["Valjean", "Cosette"], ["Javert", "Marius"]])
    for index in (rows, torch.from_numpy(rows), rows.tolist(), rows.astype(np.uint8)):
        assert np.array_equal(by_name.predict_proba(edge_label_index=index), expected)


def test_ids_are_not_rows(by_number):
    """The node at row 0 has the id 133: the two readings of a pair differ, and none is guessed."""
    assert by_number.predict_proba([(133, 132)]) == by_number.predict_proba(edge_label_index=[[0], [1]])
    with pytest.raises(gv.InputError, match="node id 0 is not in the graph of 34 nodes"):
        by_number.predict_proba([(0, 1)])
    with pytest.raises(gv.InputError, match=r"edge_label_index contains 132 to 133: expected rows 0 to 33"):
        by_number.predict_proba(edge_label_index=[[133], [132]])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("Valjean", "Nobody")], "node id 'Nobody' is not in the graph of 77 nodes"),
        ([("Valjean", 3)], "node ids of this graph are strings: got 3 of type int"),
        ([(0, 1)], "are strings"),
        ([("Valjean", "Javert"), ("Javert", "Javert")], "pair 1 joins a node to itself"),
        ([("Valjean", "Javert", "Cosette")], r"pairs has shape \(1, 3\)"),
        ([("Valjean", "Javert"), ("Cosette",)], r"pairs has shape \(2,\)"),
        (["Valjean", "Javert"], r"expected \(M, 2\)"),
        ("Valjean", r"expected \(M, 2\)"),
        (7, r"pairs=7: expected \(M, 2\)"),
        ([(None, "Valjean")], "got None"),
    ],
)
def test_pairs_that_are_refused(by_name, pairs, message):
    with pytest.raises(gv.InputError, match=message):
        by_name.predict_proba(pairs)


@pytest.mark.parametrize("pairs", [[("100", "101")], [(100.0, 101.0)], [(True, 101)], np.array([[100.5, 101]])])
def test_integer_ids_are_integers(by_number, pairs):
    with pytest.raises(gv.InputError, match="node ids of this graph are integers"):
        by_number.predict_proba(pairs)


@pytest.mark.parametrize(
    "index", [[[0, 1]], [0, 1], [[0.0], [1.0]], [[0], [34]], [[-1], [0]], [["0"], ["1"]], [[3], [3]], [[0], [1, 2]], 5]
)
def test_rows_that_are_refused(by_number, index):
    with pytest.raises(gv.InputError, match=r"edge_label_index|joins a node to itself"):
        by_number.predict_proba(edge_label_index=index)


def test_exactly_one_of_ids_and_rows(by_number):
    for arguments in ({}, {"pairs": [(100, 101)], "edge_label_index": [[0], [1]]}):
        with pytest.raises(gv.InputError, match=r"expected either pairs=\(M, 2\) node ids or edge_label_index"):
            by_number.predict_proba(**arguments)


@pytest.mark.parametrize("nothing", [[], np.empty((0, 2), dtype=np.int64), iter([])])
def test_no_pairs_have_no_probabilities(by_number, nothing):
    assert by_number.predict_proba(nothing).shape == (0,)
    assert by_number.predict_proba(edge_label_index=np.empty((2, 0), dtype=np.int64)).shape == (0,)
    assert by_number.predict_proba(edge_label_index=[[], []]).shape == (0,)


def test_probabilities_are_calibrated_logits(by_name):
    rows = np.stack(np.triu_indices(77, 1))
    z = by_name.embed().vectors.astype(np.float64)
    c = by_name.calibration
    expected = 1 / (1 + np.exp(-(c.scale * (z @ z.T)[rows[0], rows[1]] + c.bias)))
    np.testing.assert_allclose(by_name.predict_proba(edge_label_index=rows), expected, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 33), st.integers(0, 33)).filter(lambda p: p[0] != p[1]), max_size=8))
def test_a_pair_has_the_same_probability_in_any_company(by_number, pairs):
    ids = [(133 - u, 133 - v) for u, v in pairs]
    together = by_number.predict_proba(ids)
    apart = [by_number.predict_proba([pair])[0] for pair in ids]
    np.testing.assert_allclose(together, apart, rtol=1e-6)


def test_a_model_without_features_knows_its_nodes_and_no_others(by_name):
    assert by_name.transform(NAMES).shape == (77, 16)
    other_edges = NAMES.replace(edge_weight=None)
    assert not np.array_equal(by_name.transform(other_edges), by_name.transform(NAMES))
    for graph in (KARATE, NAMES.replace(node_ids=NAMES.node_ids[::-1])):
        with pytest.raises(gv.InputError, match=r"node_ids: a model with one row per node"):
            by_name.transform(graph)
    with pytest.raises(gv.InputError, match=r"x: the graph has 2 features, the model was fitted with none"):
        by_name.transform(NAMES.replace(x=np.ones((77, 2))))


@pytest.mark.parametrize("thing", [np.zeros((77, 3)), "lesmis", 3])
def test_what_is_no_graph_is_refused(by_name, thing):
    for method in (by_name.transform, by_name.elbo, by_name.log_marginal):
        with pytest.raises(gv.InputError, match="expected a Graph"):
            method(thing)
    with pytest.raises(gv.InputError, match="expected a Graph"):
        by_name.transform(None)


def test_a_split_in_place_of_a_graph_is_told_where_its_graph_is(by_name):
    with pytest.raises(gv.InputError, match=r"LinkSplit: expected a Graph; a split's graph is split\.train"):
        by_name.transform(gv.split_links(NAMES))


@pytest.mark.parametrize("method", ["transform", "elbo", "log_marginal"])
def test_a_split_is_no_graph(by_name, method):
    with pytest.raises(gv.InputError, match=r"graph is of type LinkSplit: expected a Graph; .* split\.train"):
        getattr(by_name, method)(gv.split_links(NAMES))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_pairs_of_a_data_frame_are_its_rows(by_name, library):
    frame = pytest.importorskip(library).DataFrame({"a": ["Valjean", "Cosette"], "b": ["Javert", "Marius"]})
    expected = by_name.predict_proba([("Valjean", "Javert"), ("Cosette", "Marius")])
    assert np.array_equal(by_name.predict_proba(frame), expected)


def test_transform_of_a_directed_graph_is_refused(by_number):
    directed = gv.Graph([[0, 1], [1, 2]], num_nodes=34, node_ids=np.arange(34)[::-1] + 100, directed=True)
    with pytest.raises(gv.InputError, match="directed=True"):
        by_number.transform(directed)


def test_embeddings_do_not_lend_out_the_models_own_arrays(by_name):
    before = by_name.transform(NAMES)
    by_name.embed().vectors.copy()[:] = 0
    assert np.array_equal(by_name.embed().vectors, before)
    assert not np.shares_memory(by_name.embed().vectors, by_name.fitted.mean)


def test_sampled_graphs_keep_what_belongs_to_the_nodes(by_number):
    sampled = by_number.sample(seed=0)
    assert sampled.node_ids.tolist() == by_number.fitted.node_ids.tolist()
    assert torch.equal(sampled.y, KARATE.y)
    assert sampled.origin is None
    assert not sampled.directed


def test_fit_returns_the_model_and_shows_progress_only_if_asked(capsys):
    model = gv.VGAE(epochs=2)
    assert model.fit(KARATE) is model
    assert capsys.readouterr() == ("", "")
    model.fit(KARATE, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err


def test_an_unfitted_model_has_no_calibration_or_history():
    for name in ("history", "calibration", "fitted"):
        with pytest.raises(gv.InputError, match="this GAE is not fitted"):
            getattr(gv.GAE(), name)
