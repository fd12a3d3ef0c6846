"""The pickle reader gives what ``pickle.load`` would, for arrays, and refuses all else (attacks: tests/attack)."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from graphvae import InputError
from graphvae.data.plain_pickle import read_adjacency, read_csr, read_dense


@pytest.mark.parametrize("dtype", ["<i4", "<f4", ">i8", "<f8"])
def test_arrays_come_out_as_they_went_in(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    np.testing.assert_array_equal(read_dense(pickle.dumps(array, 2), "f"), array)


def test_fortran_order_is_kept():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(read_dense(pickle.dumps(array, 2), "f"), array)


@given(st.integers(0, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_sparse_matrices_come_out_as_they_went_in(m, n, seed):
    matrix = scipy.sparse.random(m, n, 0.4, format="csr", rng=np.random.default_rng(seed), dtype=np.float32)
    read = read_csr(pickle.dumps(matrix, 2), "f")
    again = scipy.sparse.csr_matrix((read.data, read.indices, read.indptr), shape=read.shape)
    np.testing.assert_array_equal(again.toarray(), matrix.toarray())


@given(st.dictionaries(st.integers(0, 99), st.lists(st.integers(0, 99), max_size=5), max_size=8))
def test_adjacency_comes_out_as_it_went_in(graph):
    assert read_adjacency(pickle.dumps(graph, 2), "f") == graph


@pytest.mark.parametrize("read", [read_csr, read_dense, read_adjacency])
@pytest.mark.parametrize("value", ["text", None, {"a": [1]}, [1, 2], 3.5, {1: {2}}])
def test_anything_else_is_refused_with_the_file_s_name(read, value):
    with pytest.raises(InputError, match=r"ind\.cora\.x"):
        read(pickle.dumps(value, 2), "ind.cora.x")


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_crashes(content):
    for read in (read_csr, read_dense, read_adjacency):
        with pytest.raises(InputError):
            read(b"\x80\x02" + content + b"\xff", "noise")
