"""Adjacency and features as baselines take them, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["adjacency_matrix", "feature_matrix"]


def adjacency_matrix(value: Any) -> scipy.sparse.csr_array:
    """``value`` as a float64 CSR array, checked: square, symmetric, zeros and ones, empty diagonal."""
    import scipy.sparse

    sparse: bool = scipy.sparse.issparse(value)
    if not sparse:
        raise InputError(f"adjacency is a {type(value).__name__}: expected a scipy sparse matrix")
    matrix = scipy.sparse.csr_array(value, dtype=np.float64, copy=True)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"adjacency has shape {matrix.shape}: expected (N, N)")
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if bool((matrix.data != 1.0).any()):
        raise InputError(f"adjacency holds {matrix.data[matrix.data != 1.0][0]}: expected zeros and ones")
    if bool(matrix.diagonal().any()):
        node = int(np.flatnonzero(matrix.diagonal())[0])
        raise InputError(f"adjacency has the self-loop ({node}, {node}): expected an empty diagonal")
    transposed = matrix.T.tocsr()
    transposed.sort_indices()
    if not (np.array_equal(matrix.indptr, transposed.indptr) and np.array_equal(matrix.indices, transposed.indices)):
        raise InputError("adjacency is not symmetric: expected both directions of every edge")
    return matrix


def feature_matrix(value: Any) -> Any:
    """``value`` as a dense array or a CSR array of finite real numbers."""
    import scipy.sparse

    features: Any
    sparse: bool = scipy.sparse.issparse(value)
    if sparse:
        features = scipy.sparse.csr_array(value, dtype=np.float64)
        if not features.has_canonical_format:
            features = features.copy()
            features.sum_duplicates()
        numbers = features.data
    else:
        features = numbers = np.asarray(value)
    if features.ndim != 2:
        raise InputError(f"x has shape {features.shape}: expected (N, F)")
    if numbers.dtype.kind not in "biuf":
        raise InputError(f"x is of type {numbers.dtype}: expected real numbers")
    if not bool(np.isfinite(numbers).all()):
        raise InputError("x contains NaN or infinite values: expected finite features")
    return features
