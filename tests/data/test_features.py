"""Columns of a feature table: of which kind they are, and what is read of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from graphvae._check import InputError
from graphvae.data.encoding import CategoryColumn, FeatureEncoding, NumericColumn, TextColumn
from graphvae.data.features import FEW_VALUES, read_features

KINDS = {NumericColumn: "numeric", CategoryColumn: "category", TextColumn: "text"}


def kinds(frame) -> list[str]:
    return [KINDS[type(column)] for column in read_features(frame).encoding.columns]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "numeric"),
        ([1.5, None, 3], "numeric"),
        (["1", " 2 ", "+3e4"], "numeric"),
        (["1", "", "3"], "numeric"),
        ([True, False, True], "category"),
        ([True, None, False], "category"),
        (["red", "blue", "red"], "category"),
        (["New York", None, "Oslo"], "category"),
        (["a tale of two cities", "war and peace again", "x"], "text"),
    ],
)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_values_decide_the_kind(values, kind, make):
    assert kinds(make({"id": ["a", "b", "c"], "v": values})) == [kind]


def test_many_different_words_are_text():
    n = FEW_VALUES + 1
    ids = [str(i) for i in range(2 * n)]
    assert kinds(pd.DataFrame({"id": ids, "v": [f"w{i % n}" for i in range(2 * n)]})) == ["category"]
    assert kinds(pd.DataFrame({"id": ids, "v": [f"w{i % (n + 1)}" for i in range(2 * n)]})) == ["text"]


def test_the_user_may_decide_and_skip():
    frame = pd.DataFrame({"id": ["a", "b"], "zip": [7000, 8000], "note": ["so so", "no no"], "w": [1, 2]})
    table = read_features(frame, kinds={"zip": "category", "note": "text", "w": "skip"})
    assert [type(column) for column in table.encoding.columns] == [CategoryColumn, TextColumn]
    assert table.encoding.columns[0].values == ("7000", "8000")
    assert table.encoding.ignored == ("w",)
    with pytest.raises(InputError, match=r"feature_kinds\['w'\]='number'.*did you mean 'numeric'"):
        read_features(frame, kinds={"w": "number"})
    with pytest.raises(InputError, match=r"'id' is no column of features"):
        read_features(frame, kinds={"id": "text"})


@pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_words_for_missing_values_in_a_file(tmp_path, word):
    (tmp_path / "f.csv").write_text(f"id,age,city\na,1,Rome\nb,{word},{word}\nc,3,Rome\n")
    age, city = read_features(tmp_path / "f.csv").columns
    assert np.array_equal(age, [1, np.nan, 3], equal_nan=True)
    assert city == ["Rome", None, "Rome"]


def test_in_a_frame_only_null_and_blank_are_missing():
    frame = pl.DataFrame({"id": ["a", "b", "c", "d"], "status": ["None", "x", None, " "]})
    assert read_features(frame).columns == (["None", "x", None, None],)


def test_new_rows_are_read_as_the_first_ones_were():
    first = pd.DataFrame({"id": ["a", "b", "c"], "v": [1.0, 2, 6], "c": ["x", "y", "x"], "k": [1, 1, 1]})
    encoding = read_features(first).encoding
    # Other order, other columns, other values: a number column of categories stays one.
    second = pl.DataFrame({"more": [1, 2], "c": ["z", "y"], "id": ["p", "q"], "k": [5, 6], "v": [1, None]})
    table = read_features(second, "id", encoding=encoding)
    x = table.aligned(np.array([1, 0]))
    scale = np.std([1, 2, 6])
    np.testing.assert_allclose(x, [[0, 0, 1, 0], [(1 - 3) / scale, 0, 0, 0]], rtol=1e-6)
    with pytest.raises(InputError, match="encoding='k': features has the columns"):
        read_features(second.drop("k"), "id", encoding=encoding)
    with pytest.raises(InputError, match=r"feature_kinds=.*expected none, because encoding="):
        read_features(second, "id", encoding=encoding, kinds={"v": "text"})
    with pytest.raises(InputError, match="'v' holds 'old' in row 2: expected finite numbers"):
        read_features(second.with_columns(v=pl.Series(["1", "old"])), "id", encoding=encoding)


def test_columns_may_have_numbers_for_names():
    frame = pd.DataFrame([["a", 1.0], ["b", 3.0]])
    table = read_features(frame)
    assert table.encoding.names == ["1"]
    assert read_features(frame, encoding=table.encoding).encoding is table.encoding
    assert isinstance(table.encoding, FeatureEncoding)
