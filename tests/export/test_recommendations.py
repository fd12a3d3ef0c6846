"""Recommended links as text and files."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest

from graphvae._check import InputError
from graphvae.export.recommendations import Recommendations

AWKWARD = ["zoë", "a,b", 'say "hi"', "007", "=1+1", " blank ", "tab\there", "line\nbreak", "10" * 9]


def make(ids) -> Recommendations:
    ids = np.array(ids)
    n = len(ids)
    return Recommendations(ids, ids[::-1], np.arange(1, n + 1), np.linspace(0.9, 0.1, n))


def test_it_is_a_sequence_of_links():
    found = make(["a", "b", "c"])
    assert len(found) == 3
    assert list(found) == [("a", "c", 0.9), ("b", "b", 0.5), ("c", "a", 0.1)]
    assert repr(found) == "Recommendations(3 links)"
    assert str(found).splitlines()[:2] == ["source  target  rank  probability", "a       c          1       0.9000"]
    assert str(make([])) == "no unknown links"


def test_json_has_all_columns():
    found = make([3, 1])
    assert json.loads(json.dumps(found.to_dict())) == {
        "source": [3, 1], "target": [1, 3], "rank": [1, 2], "probability": [0.9, 0.1]
    }  # fmt: skip


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_awkward_ids_in_text(tmp_path, suffix, delimiter):
    found = make(AWKWARD)
    with found.save(tmp_path / f"x{suffix}").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter=delimiter)
    assert header == ["source", "target", "rank", "probability"]
    assert [row[0] for row in rows] == AWKWARD
    assert [row[1] for row in rows] == AWKWARD[::-1]
    assert np.allclose([float(row[3]) for row in rows], found.probability, rtol=1e-8)


@pytest.mark.parametrize("ids", [AWKWARD, [10**18, 7, -5]])
def test_parquet_is_exact(tmp_path, ids):
    found = make(ids)
    table = pd.read_parquet(found.save(tmp_path / "x.parquet"))
    assert table.source.tolist() == found.source.tolist()
    assert table.target.tolist() == found.target.tolist()
    assert table.probability.tolist() == found.probability.tolist()
    assert len(pd.read_parquet(make(np.zeros(0, dtype=str)).save(tmp_path / "none.parquet"))) == 0


def test_a_format_that_is_none_and_ids_that_are_no_text(tmp_path):
    with pytest.raises(InputError, match=r"x\.parqet.*did you mean '\.parquet'"):
        make(["a"]).save(tmp_path / "x.parqet")
    with pytest.raises(InputError, match="UTF-8"):
        make(["\ud800"]).save(tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []
