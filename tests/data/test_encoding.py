"""Columns to numbers as scikit-learn has it, and the choices as JSON and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from graphvae._check import InputError
from graphvae.data import encoding as module
from graphvae.data.encoding import CategoryColumn, FeatureEncoding, NumericColumn, TextColumn, as_encoding

TEXTS = ["The sea and the Ödön", None, "a piano, in a bar", "sea sea bar", "", "x y z"]


def make() -> tuple[FeatureEncoding, list]:
    values = [np.array([1.0, np.nan, 4.0, 4.0, 5.0, 0.5]), ["b", "a", None, "b", "c", "a"], TEXTS, np.full(6, 7.0)]
    kinds = [NumericColumn, CategoryColumn, TextColumn, NumericColumn]
    columns = tuple(kind.fit(name, v) for kind, name, v in zip(kinds, ["n", "c", "t", "k"], values, strict=True))
    return FeatureEncoding(columns, ("skipped",)), values


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e6, 1e300])
def test_numbers_are_scaled_at_every_size(scale):
    values = np.random.default_rng(0).normal(2.0, 1.0, size=50)
    column = NumericColumn.fit("v", values * scale)
    # scikit-learn is asked at scale 1: squares of 1e300 overflow there.
    expected = StandardScaler().fit_transform(values[:, None])
    np.testing.assert_allclose(column.transform(values * scale), expected, rtol=1e-9, atol=1e-9)


def test_constant_numbers_become_zero_even_if_their_mean_is_rounded():
    for values in (np.full(7, 0.1), np.zeros(7), np.empty(0), np.array([np.nan, 0.3])):
        column = NumericColumn.fit("v", values)
        assert column.scale == 0
        assert (column.transform(np.array([0.1, 5.0, np.nan])) == 0).all()


def test_gaps_are_the_mean_of_what_is_there_and_flagged():
    encoding, values = make()
    x = encoding.transform(values)
    assert encoding.names[:2] == ["n", "n is missing"]
    dense = x.toarray()
    assert dense[1, :2].tolist() == [0, 1]
    there = np.array([1, 4, 4, 5, 0.5])
    np.testing.assert_allclose(dense[[0, 2, 3, 4, 5], 0], (there - there.mean()) / there.std(), rtol=1e-6)
    assert dense[:, 5].tolist() == [0, 0, 1, 0, 0, 0]  # of the categories
    assert dense[1, -2] == 1  # of the texts


def test_categories_and_texts_are_scikit_learns():
    encoding, values = make()
    one_hot = encoding.columns[1].transform(values[1]).toarray()
    kept = [0, 1, 3, 4, 5]
    names = np.array([values[1][i] for i in kept])[:, None]
    assert np.array_equal(one_hot[kept], OneHotEncoder().fit_transform(names).toarray())
    assert not one_hot[2].any()
    there = [text for text in TEXTS if text is not None]
    own = TfidfVectorizer(strip_accents="unicode", sublinear_tf=True).fit(there)
    assert list(encoding.columns[2].terms) == own.get_feature_names_out().tolist()
    found = encoding.columns[2].transform(TEXTS)
    np.testing.assert_allclose(found.toarray(), own.transform([text or "" for text in TEXTS]).toarray(), rtol=1e-12)


def test_what_was_not_there_is_nothing():
    encoding, _ = make()
    x = encoding.transform([np.array([4.0]), ["new"], ["unheard words only"], np.array([9.0])]).toarray()
    assert not x[0, 1:].any()


def test_many_texts_need_a_term_twice_and_keep_the_most_frequent(monkeypatch):
    texts = ["red fish"] * module.MANY_TEXTS + ["red whale"]
    assert TextColumn.fit("t", texts).terms == ("fish", "red")
    monkeypatch.setattr(module, "MAX_TERMS", 1)
    assert TextColumn.fit("t", texts).terms == ("red",)


def test_text_without_words_is_refused():
    with pytest.raises(InputError, match=r"'t' has no word of two letters or more.*'category'"):
        TextColumn.fit("t", ["a b", "? !"])


def test_text_and_many_categories_are_sparse_and_the_rest_dense():
    encoding, values = make()
    assert isinstance(encoding.transform(values), scipy.sparse.csr_array)
    assert encoding.transform(values).dtype == np.float32
    narrow = FeatureEncoding(encoding.columns[:2])
    assert isinstance(narrow.transform(values[:2]), np.ndarray)
    assert narrow.transform(values[:2]).dtype == np.float32
    wide = CategoryColumn.fit("w", [str(i) for i in range(module.WIDE + 1)])
    assert isinstance(FeatureEncoding((wide,)).transform([["3"]]), scipy.sparse.csr_array)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=6),
    st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=1),
)
def test_json_brings_it_back_to_the_last_bit(numbers, words):
    numeric = NumericColumn.fit("n", np.array(numbers))
    category = CategoryColumn.fit("c", words)
    encoding = FeatureEncoding((numeric, category), ("gone",))
    again = FeatureEncoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    assert again == encoding
    assert np.array_equal(again.columns[0].transform(np.array(numbers)), numeric.transform(np.array(numbers)))
    pair = [scipy.sparse.csr_array(each.transform(words)).toarray() for each in (again.columns[1], category)]
    assert np.array_equal(*pair)


def test_text_comes_back_as_well():
    encoding, values = make()
    again = FeatureEncoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    assert again == encoding
    assert (again.transform(values) != encoding.transform(values)).nnz == 0


def test_what_was_done_in_words():
    encoding, values = make()
    assert encoding.describe(values) == [
        "features scaled to mean 0 and variance 1: n",
        "features missing values filled and flagged: n (1), c (1), t (1)",
        "features one-hot: c (3 values)",
        "features tf-idf: t (7 terms)",
        "features constant, so all 0: k",
        "features left out: skipped",
    ]
    many = FeatureEncoding(tuple(NumericColumn.fit(f"v{i}", np.arange(2.0)) for i in range(20)))
    assert many.describe([np.arange(2.0)] * 20)[0].endswith("v10, v11, and 8 more")


def test_an_encoding_from_an_object_a_file_and_a_run_folder(tmp_path):
    encoding, _ = make()
    (tmp_path / "features.json").write_text(json.dumps(encoding.to_dict()))
    assert as_encoding(encoding) is encoding
    assert as_encoding(tmp_path) == as_encoding(str(tmp_path / "features.json")) == encoding


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[", "damaged"),
        ("[]", "expected the encoding of features"),
        ("{}", "expected the encoding of features"),
        ('{"format": 9}', "format 9"),
        ('{"format": 1, "columns": [{"kind": "numbr"}], "ignored": []}', "did you mean 'numeric'"),
        ('{"format": 1, "columns": [{"kind": "numeric", "name": "x"}], "ignored": []}', "expected the encoding"),
    ],
)
def test_a_file_that_holds_none(tmp_path, content, hint):
    (tmp_path / "features.json").write_text(content)
    with pytest.raises(InputError, match=hint) as refusal:
        as_encoding(tmp_path)
    assert "features.json" in str(refusal.value)


def test_what_is_no_encoding():
    with pytest.raises(InputError, match="expected a run whose features came from a table"):
        as_encoding("nowhere")
    with pytest.raises(InputError, match="encoding is of type int"):
        as_encoding(3)
