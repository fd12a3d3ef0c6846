"""Columns of tables: ids keep their spelling, numbers are numbers, and what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from graphvae import InputError
from graphvae.data.columns import ids, numbers, open_table

AWKWARD = ["007", " padded ", "ünï", "a,b", 'q"q', "=1+1", "1000000000000000000"]


def test_string_ids_keep_their_spelling():
    assert ids(pa.array(AWKWARD), "column").to_pylist() == AWKWARD


def test_an_empty_or_missing_id_is_null():
    assert ids(pa.array(["a", "", None]), "column").to_pylist() == ["a", None, None]


def test_dtype_int_parses_and_dtype_str_writes():
    assert ids(pa.array(["7", "x", "-3"]), "column", int).to_pylist() == [7, None, -3]
    assert ids(pa.array([7, -3]), "column", str).to_pylist() == ["7", "-3"]


@pytest.mark.parametrize("values", [pa.array([0.5]), pa.array([True]), pa.array([2**63], pa.uint64())])
def test_what_is_no_id_is_refused_by_name(values):
    with pytest.raises(InputError, match="column"):
        ids(values, "column 'src'")


def test_numbers_are_float64_with_nan_for_what_is_none():
    np.testing.assert_array_equal(numbers(pa.array(["1.5", "x", None]), "w"), [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(numbers(pa.array([True, False]), "w"), [1.0, 0.0])


def test_dates_are_no_numbers():
    with pytest.raises(InputError, match="expected numbers"):
        numbers(pa.array([0], pa.date32()), "w")


def test_a_file_and_a_frame_of_the_same_content_read_alike(tmp_path):
    file = tmp_path / "edges.csv"
    file.write_text("src,dst\n007,b\na,b\n", encoding="utf-8")
    frame = pa.table({"src": ["007", "a"], "dst": ["b", "b"]})
    for value in (file, frame):
        table = open_table("edges", value)
        (source, target), ragged = table.read(["src", "dst"])
        assert (source.to_pylist(), target.to_pylist(), ragged) == (["007", "a"], ["b", "b"], ())


def test_a_missing_column_lists_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"source='scr'.*'src', 'dst'.*did you mean 'src'"):
        open_table("edges", pa.table({"src": ["a"], "dst": ["b"]})).find("source", "scr")
