"""Labels as conditions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import BaseEstimator

from graphvae._check import InputError
from graphvae.estimators.conditional import as_labels, condition_of, num_rows


class Fitted(BaseEstimator):
    """As much of a fitted model as a condition takes."""

    def fit(self, X, y):
        self.classes_, self.module_ = np.asarray(y), torch.nn.Linear(1, 1)
        return self


def model(classes):
    return Fitted().fit(None, classes)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (3, [3, 3, 3]),
        ("a", ["a", "a", "a"]),
        (np.int64(2), [2, 2, 2]),
        (torch.tensor(2), [2, 2, 2]),
        ([1, 2, 3], [1, 2, 3]),
        (torch.tensor([1, 2, 3]), [1, 2, 3]),
        (("x", "y", "x"), ["x", "y", "x"]),
    ],
)
def test_one_label_for_all_or_one_for_each(y, expected):
    assert as_labels(y, 3).tolist() == expected


@pytest.mark.parametrize("y", [[1, 2], [1], []])
def test_another_number_of_labels_is_refused(y):
    with pytest.raises(InputError, match=rf"y has {len(y)} entries: expected one class, or one for each of 3 rows"):
        as_labels(y, 3)


def test_a_table_of_labels_is_refused():
    with pytest.raises(ValueError, match="1d"):
        as_labels(np.zeros((3, 2)), 3)


@pytest.mark.parametrize("classes", [[2, 5, 9], ["ape", "bee", "cow"], [-1.5, 0.0, 2.5]])
def test_conditions_are_one_hot_in_the_order_of_the_classes(classes):
    condition = condition_of(model(classes), [classes[2], classes[0], classes[2]], 3)
    assert condition.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert condition.dtype == torch.float32
    assert condition_of(model(classes), classes[1], 2).tolist() == [[0, 1, 0]] * 2


@pytest.mark.parametrize(
    ("classes", "y"), [([2, 5], 3), ([2, 5], 7), ([2, 5], -1), ([2, 5], 2.5), ([2, 5], "2"), (["a"], "b"), (["a"], 1)]
)
def test_unknown_classes_are_refused_by_name(classes, y):
    with pytest.raises(InputError, match=rf"y contains {y!r}: expected classes among"):
        condition_of(model(classes), y, 2)


def test_a_missing_class_is_refused():
    with pytest.raises(InputError, match=r"y=None: this model is conditional; expected a class among \[2, 5\]"):
        condition_of(model([2, 5]), None, 2)


def test_rows_are_counted_before_anything_is_validated():
    for x in (np.zeros((4, 2)), [[1, 2]] * 4, torch.zeros(4, 1, 2, 2), scipy.sparse.eye(4)):
        assert num_rows(x) == 4
    assert num_rows(7) == 0
