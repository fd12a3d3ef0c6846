"""Decompression that never inflates more than it was told to."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphvae import InputError
from graphvae.data.gzipped import inflate, is_gzip


@given(st.binary(max_size=500))
def test_what_was_packed_comes_out(content):
    packed = gzip.compress(content)
    assert is_gzip(packed)
    assert inflate(packed, len(content), "file") == content


@given(st.binary(min_size=1, max_size=500), st.integers(0, 499))
def test_no_more_than_the_limit_comes_out(content, limit):
    assert inflate(gzip.compress(content), limit, "file") == content[:limit]


@pytest.mark.parametrize("cut", [1, 9, 15])
def test_a_truncated_file_is_refused(cut):
    with pytest.raises(InputError, match="file"):
        inflate(gzip.compress(b"some content")[:-cut], 100, "file")


def test_a_bomb_is_not_inflated():
    assert inflate(gzip.compress(bytes(1 << 24)), 1000, "file") == bytes(1000)


@given(st.binary(max_size=50))
def test_what_is_no_gzip_is_refused(content):
    with pytest.raises(InputError, match="file"):
        inflate(b"no" + content, 100, "file")
