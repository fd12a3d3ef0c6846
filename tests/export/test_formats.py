"""Every file format of embeddings alone: what is written is what is read."""

from __future__ import annotations

import numpy as np
import pytest

from graphvae import InputError
from graphvae.export.formats import FORMATS, Table

IDS = {"strings": np.array(["ann", "bob,x", '"q"']), "integers": np.array([7, -1, 10**18])}


@pytest.mark.parametrize("suffix", sorted(FORMATS))
@pytest.mark.parametrize("kind", sorted(IDS))
@pytest.mark.parametrize("scaled", [True, False])
def test_round_trip_is_exact(suffix, kind, scaled, tmp_path):
    rng = np.random.default_rng(0)
    vectors, scale = rng.normal(size=(2, 3, 4)).astype(np.float32)
    path = tmp_path / f"file{suffix}"
    with path.open("wb") as file:
        FORMATS[suffix].write(file, Table(IDS[kind], vectors, scale if scaled else None))
    table = FORMATS[suffix].read(path)
    assert [str(item) for item in table.ids] == [str(item) for item in IDS[kind]]
    np.testing.assert_array_equal(table.vectors, vectors)
    if scaled and suffix != ".txt":
        np.testing.assert_array_equal(table.scale, scale)
    else:
        assert table.scale is None


@pytest.mark.parametrize(
    ("suffix", "text"), [(".csv", "id,z0\na,1,2\n"), (".txt", "2 1\na 1\n"), (".tsv", "id\tz0\na\tx\n")]
)
def test_damaged_text_is_refused(suffix, text, tmp_path):
    path = tmp_path / f"file{suffix}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        FORMATS[suffix].read(path)
