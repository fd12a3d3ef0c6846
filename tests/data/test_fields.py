"""Each field of a graph, checked on its own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphvae import InputError
from graphvae.data import fields


def test_edges_are_a_copy():
    edges = torch.tensor([[0, 1], [1, 0]])
    held = fields.as_edge_index(edges)
    edges[0, 0] = 9
    assert held.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("value", [[[0.5], [1.0]], [[True], [False]], [0, 1], [[0, 1, 2]], "ab"])
def test_what_is_no_edge_index_is_refused(value):
    with pytest.raises(InputError, match="edge_index"):
        fields.as_edge_index(value)


def test_sparse_and_dense_features_hold_the_same_numbers():
    dense = np.array([[0.0, 2.0], [1.0, 0.0]])
    for value in (dense, scipy.sparse.coo_array(dense), torch.tensor(dense).to_sparse()):
        x = fields.as_features(value)
        assert (x.to_dense() if fields.is_sparse(x) else x).tolist() == dense.tolist()


@pytest.mark.parametrize("value", [[[np.nan]], [[np.inf]], [[1j]], [1.0, 2.0]])
def test_features_that_are_none_are_refused(value):
    with pytest.raises(InputError, match=r"^x "):
        fields.as_features(np.array(value))


@pytest.mark.parametrize("value", [[0, 1, -2], [0, 1], [0.0, 1.0, 2.0]])
def test_labels_that_are_none_are_refused(value):
    with pytest.raises(InputError, match=r"^y "):
        fields.as_labels(value, 3)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=3), min_size=1, max_size=6, unique=True))
def test_ids_are_of_one_kind_or_refused(values):
    kinds = {type(value) for value in values}
    if len(kinds) == 2 or any("\0" in value for value in values if isinstance(value, str)):
        with pytest.raises(InputError, match="node_ids"):
            fields.as_node_ids(values, len(values))
    else:
        ids = fields.as_node_ids(values, len(values))
        assert ids.tolist() == values
        assert ids.dtype.kind in "iU"
        assert not ids.flags.writeable


def test_rows_never_turn_one_kind_of_id_into_the_other():
    ids = np.array(["1", "ann"])
    row_of = {"1": 0, "ann": 1}
    assert fields.rows_of(row_of, ids, [["ann", "1"]]).tolist() == [[1, 0]]
    with pytest.raises(InputError, match="strings: got 1 of type int"):
        fields.rows_of(row_of, ids, [1, "ann"])


def test_digest_depends_on_type_shape_and_content():
    one = np.arange(4)
    others = [one.astype(np.int32), one.reshape(2, 2), one + 1, np.array(["0", "1", "2", "3"])]
    digests = {fields.digest(array) for array in [one, *others]}
    assert len(digests) == 5
    assert fields.digest(one) == fields.digest(one.astype(">i8"))
