"""Known pairs in compressed rows, and blocks of scores checked at the door."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphvae._check import InputError
from graphvae.evaluation.score_rows import KnownPairs, score_block


def test_known_pairs_are_the_neighbours_in_both_directions() -> None:
    known = KnownPairs.build([[0, 3, 1, 3, 2], [1, 0, 0, 0, 2]], 5)
    assert [known.columns[a:b].tolist() for a, b in zip(known.pointers, known.pointers[1:], strict=False)] == [
        [1, 3],
        [0],
        [],
        [0],
        [],
    ]
    assert known.num_nodes == 5
    assert known.degrees.tolist() == [2, 1, 0, 1, 0]
    columns, index = known.expand(np.array([3, 2, 0, 0]))
    assert columns.tolist() == [0, 1, 3, 1, 3]
    assert index.tolist() == [0, 2, 2, 3, 3]


def test_nothing_known() -> None:
    known = KnownPairs.build(np.zeros((2, 0), dtype=np.int64), 3)
    assert known.degrees.tolist() == [0, 0, 0]
    assert known.expand(np.array([1, 2]))[0].size == 0
    assert KnownPairs.build(np.zeros((2, 0), dtype=np.int64), 0).num_nodes == 0


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([0, 1], "pairs has shape"),
        ([[0.0], [1.0]], "pairs is of type"),
        ([[0], [3]], "pairs contains 3: expected rows from 0 to 2"),
        ([[-1], [2]], "pairs contains -1"),
    ],
)
def test_pairs_that_are_none_are_refused(pairs: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KnownPairs.build(pairs, 3)


def test_blocks_of_arrays_and_tensors() -> None:
    values = np.arange(6.0).reshape(2, 3)
    rows = np.array([0, 1])
    for source in (values, torch.from_numpy(values), torch.from_numpy(values).requires_grad_(), values.tolist()):
        found = score_block(lambda _, source=source: source, rows, 3)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, values)


def test_bad_blocks_are_refused() -> None:
    rows = np.array([0, 1])
    with pytest.raises(InputError, match=r"score_rows returned shape \(3, 2\): expected \(2, 3\)"):
        score_block(lambda _: np.zeros((3, 2)), rows, 3)
    for nan in (np.array([[0, 1, 2], [0, np.nan, 2]]), torch.tensor([[0, 1, 2], [0, np.nan, 2]])):
        with pytest.raises(InputError, match="score_rows returned NaN"):
            score_block(lambda _, nan=nan: nan, rows, 3)
