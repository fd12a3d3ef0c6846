"""Labels as conditions: what the conditional and the semi-supervised estimators share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import Tensor
from torch.nn import functional as F

from graphvae._check import InputError

__all__ = ["as_labels", "condition_of", "num_rows"]


def as_labels(y: Any, n: int) -> np.ndarray:
    """``(n,)`` labels, from one class for all or one for each.

    Raises:
        InputError: for another length.
    """
    array = y.detach().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)
    labels = np.full(n, array) if array.ndim == 0 else column_or_1d(array, warn=True)
    if len(labels) != n:
        raise InputError(f"y has {len(labels)} entries: expected one class, or one for each of {n} rows")
    return labels


def num_rows(X: Any) -> int:
    """Number of rows of an array, table, sparse matrix or tensor, before any of it is validated."""
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    return int(shape[0]) if shape else 0


def condition_of(model: Any, y: Any, n: int) -> Tensor:
    """``(n, K)`` one-hot labels on the model's device.

    Raises:
        InputError: without ``y``, or for a class the model was not fitted with.
    """
    check_is_fitted(model)
    classes = model.classes_
    if y is None:
        raise InputError(f"y=None: this model is conditional; expected a class among {classes.tolist()}")
    labels = as_labels(y, n)
    codes = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    unknown = classes[codes] != labels
    if unknown.any():
        raise InputError(f"y contains {labels[unknown].tolist()[0]!r}: expected classes among {classes.tolist()}")
    device = next(model.module_.parameters()).device
    return F.one_hot(torch.from_numpy(codes.astype(np.int64)), len(classes)).float().to(device)
