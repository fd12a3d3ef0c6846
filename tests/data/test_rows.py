"""Rows of edges before they are a graph: from arrays and tables, with numbers that messages can point to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from graphvae import InputError
from graphvae.data.columns import open_table
from graphvae.data.rows import rows_of_array, rows_of_table


@pytest.mark.parametrize("edges", [[[0, 5], [5, 9]], np.array([[0, 5], [5, 9]]), torch.tensor([[0, 5], [5, 9]])])
def test_arrays_of_any_kind_give_the_same_rows(edges):
    rows = rows_of_array(edges, None, None)
    assert (rows.source.to_pylist(), rows.target.to_pylist(), rows.weight) == ([0, 5], [5, 9], None)


@pytest.mark.parametrize(
    ("edges", "hint"),
    [([[0, 1], [1, 2], [2, 3]], "transpose"), ([[0.0], [1.0]], "integers"), ([["a"], ["b"]], "table")],
)
def test_arrays_that_are_no_edges_say_what_to_do(edges, hint):
    with pytest.raises(InputError, match=hint):
        rows_of_array(edges, None, None)


def test_weights_must_fit():
    assert rows_of_array([[0], [1]], [2], None).weight.tolist() == [2.0]
    with pytest.raises(InputError, match="weight"):
        rows_of_array([[0], [1]], [2, 3], None)
    with pytest.raises(InputError, match="names a column"):
        rows_of_array([[0], [1]], "w", None)


def test_two_columns_need_no_names_and_three_do():
    two = open_table("edges", pa.table({"a": ["x"], "b": ["y"]}))
    assert rows_of_table(two, None, None, None, None, skip_ragged=False).source.to_pylist() == ["x"]
    three = open_table("edges", pa.table({"a": ["x"], "b": ["y"], "c": [1.0]}))
    with pytest.raises(InputError, match="source"):
        rows_of_table(three, None, None, None, None, skip_ragged=False)
    rows = rows_of_table(three, "a", "b", "c", None, skip_ragged=False)
    assert rows.weight.tolist() == [1.0]


def test_a_row_keeps_its_number_when_others_are_taken_out():
    table = open_table("edges", pa.table({"a": ["x", "y", "z"], "b": ["y", "z", "x"]}))
    rows = rows_of_table(table, "a", "b", None, None, skip_ragged=False)
    assert rows.take(np.array([False, False, True])).describe(0) == "edges row 3 (a='z', b='x')"
