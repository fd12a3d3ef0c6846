"""Plain baselines of link prediction: scores of node pairs straight from the adjacency or the features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, number
from graphvae.evaluation.blocks import blocks
from graphvae.evaluation.score_rows import check_rows

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["HEURISTICS", "Heuristic", "common_neighbours", "feature_cosine", "katz", "largest_eigenvalue"]

# Entries of two gathered sparse blocks, and values of one dense block: about 100 MB and 32 MB.
_SPARSE_BUDGET = 4_000_000
_DENSE_BUDGET = 4_000_000
# Up to this share of the largest eigenvalue the series converges in thousands of terms; beyond, it takes for ever.
_KATZ_LIMIT = 0.999


def common_neighbours(adjacency: Any, pairs: Any) -> np.ndarray:
    """Number of common neighbours, ``(A^2)_uv``, of each pair (Liben-Nowell & Kleinberg, 2007, section 3.2).

    Args:
        adjacency: ``(N, N)`` scipy sparse matrix A, symmetric, of zeros and ones, with an empty diagonal.
        pairs: ``(2, M)`` integers, rows u and v.

    Returns:
        ``(M,)`` float64 counts.

    Raises:
        InputError: naming what is wrong with ``adjacency`` or ``pairs``.
    """
    matrix = _adjacency(adjacency)
    u, v = check_rows("pairs", pairs, matrix.shape[0])
    return _row_products(matrix, u, v)


def feature_cosine(x: Any, pairs: Any) -> np.ndarray:
    """Cosine similarity ``x_u . x_v / (|x_u| |x_v|)`` of each pair's features; 0 where a node has none.

    Args:
        x: ``(N, F)`` finite features, dense or scipy sparse.
        pairs: ``(2, M)`` integers, rows u and v.

    Returns:
        ``(M,)`` float64 similarities in [-1, 1].

    Raises:
        InputError: naming what is wrong with ``x`` or ``pairs``.
    """
    features = _features(x)
    u, v = check_rows("pairs", pairs, features.shape[0])
    every = np.arange(features.shape[0])
    norms = np.sqrt(_row_products(features, every, every))
    lengths = norms[u] * norms[v]
    dots = _row_products(features, u, v)
    return np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)


def katz(adjacency: Any, pairs: Any, beta: float | None = None) -> np.ndarray:
    """Katz index ``sum_{l>=1} beta^l (A^l)_uv``: all walks from u to v, damped by their length (Katz, 1953).

    The series is summed until what is missing of each entry is less than 1e-12 of it. Every term is positive, so
    small entries are as exact as large ones, and pairs in different components get exactly 0. Memory is bounded: one
    dense block of columns for some of the distinct nodes in ``pairs`` is held at a time.

    With ``F = (I - beta A)^-1``, a leaf u (degree 1) of a node a has ``F_uv = [u = v] + beta F_av``. So leaves are
    left out of the iteration: their neighbours stand for them, and get ``beta^2`` on the diagonal for each leaf.

    Args:
        adjacency: ``(N, N)`` scipy sparse matrix A, symmetric, of zeros and ones, with an empty diagonal.
        pairs: ``(2, M)`` integers, rows u and v.
        beta: damping, positive and below ``1 / lambda_max``, where the series converges (0.999 of it is the most
            taken, because the number of terms grows without bound there). Default ``0.5 / lambda_max``.

    Returns:
        ``(M,)`` float64 scores.

    Raises:
        InputError: naming what is wrong with ``adjacency`` or ``pairs``, or if ``beta`` is out of its range.
    """
    from scipy.sparse.csgraph import connected_components

    matrix = _adjacency(adjacency)
    u, v = check_rows("pairs", pairs, matrix.shape[0])
    if beta is not None:
        beta = number("beta", beta, low=0.0, open_low=True)
    largest = largest_eigenvalue(matrix)
    if largest == 0.0:
        return np.zeros(u.size)
    if beta is None:
        beta = 0.5 / largest
    radius = beta * largest
    if radius > _KATZ_LIMIT:
        raise InputError(
            f"beta={beta!r}: expected less than {_KATZ_LIMIT} / lambda_max = {_KATZ_LIMIT / largest:.6g}; "
            f"the Katz series diverges from 1 / lambda_max = {1 / largest:.6g}"
        )
    core, stand_in, factor = _without_leaves(matrix, beta)
    _, component = connected_components(matrix, directed=False)
    joined = component[u] == component[v]
    # The walk of length 0 in the core is none in the graph, save from a node that is no leaf to itself.
    scores = np.where((stand_in[u] == stand_in[v]) & ((u != v) | (factor[u] < 1.0)), 1.0, 0.0)
    scores[joined] += _walk_sums(core, stand_in[u[joined]], stand_in[v[joined]], radius)
    return scores * factor[u] * factor[v]


def largest_eigenvalue(adjacency: scipy.sparse.csr_array) -> float:
    """Largest eigenvalue of a symmetric matrix of zeros and ones, by Lanczos from a fixed positive start."""
    from scipy.sparse.linalg import eigsh

    n = adjacency.shape[0]
    if adjacency.nnz == 0:
        return 0.0
    if n <= 64:
        return float(np.linalg.eigvalsh(adjacency.toarray())[-1])
    # A positive start is never orthogonal to the Perron vector; a generator of its own keeps numpy's state untouched.
    start = np.random.default_rng(0).uniform(0.5, 1.5, n)
    return float(eigsh(adjacency, k=1, which="LA", v0=start, return_eigenvectors=False)[0])


@dataclass(frozen=True)
class Heuristic:
    """A baseline by name: what it is called in tables, whether it needs features, and its function.

    ``function`` takes the adjacency, or the features where ``needs_features``, and pairs. Reports leave it out where
    pairs times directed edges are more than ``limit``, because it would take longer than some minutes.
    """

    label: str
    needs_features: bool
    function: Callable[[Any, Any], np.ndarray]
    limit: float = math.inf

    def score(self, adjacency: Any, x: Any, pairs: Any) -> np.ndarray:
        """``(M,)`` scores of ``pairs`` (2, M); ``x`` may be None for a heuristic that needs no features."""
        if self.needs_features and x is None:
            raise InputError(f"x=None: {self.label} needs node features")
        return self.function(x if self.needs_features else adjacency, pairs)


HEURISTICS: dict[str, Heuristic] = {
    "common-neighbours": Heuristic("common neighbours", False, common_neighbours),
    "katz": Heuristic("Katz", False, katz, limit=2e10),
    "feature-cosine": Heuristic("feature cosine", True, feature_cosine),
}
"""Baselines by name."""


def _without_leaves(
    matrix: scipy.sparse.csr_array, beta: float
) -> tuple[scipy.sparse.csr_array, np.ndarray, np.ndarray]:
    """``beta A`` without its leaves, the row that stands for each node there, and the factor of each node's entries."""
    import scipy.sparse

    n = matrix.shape[0]
    degree = np.diff(matrix.indptr)
    candidates = np.flatnonzero(degree == 1)
    neighbours = matrix.indices[matrix.indptr[candidates]]
    outer = degree[neighbours] > 1  # of an edge that stands alone both ends stay
    leaves, neighbours = candidates[outer], neighbours[outer]
    kept = np.ones(n, dtype=bool)
    kept[leaves] = False
    row = np.cumsum(kept) - 1
    stand_in = row.copy()
    stand_in[leaves] = row[neighbours]
    factor = np.ones(n)
    factor[leaves] = beta
    diagonal = beta**2 * np.bincount(row[neighbours], minlength=int(kept.sum()))
    core = beta * matrix[kept][:, kept] + scipy.sparse.diags_array(diagonal)
    return scipy.sparse.csr_array(core), stand_in, factor


def _walk_sums(matrix: scipy.sparse.csr_array, u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    """``sum_{l>=1} (G^l)_uv`` for a non-negative symmetric G of spectral radius at most ``radius`` < 1.

    All pairs must be connected. After the term l the rest of an entry is at most ``|G^l e_u| radius / (1 - radius)``.
    """
    n = matrix.shape[0]
    # Columns are computed for one end of each pair; the end that occurs more often makes for fewer of them.
    counts = np.bincount(u, minlength=n) + np.bincount(v, minlength=n)
    swap = counts[v] > counts[u]
    u, v = np.where(swap, v, u), np.where(swap, u, v)
    sources, column = np.unique(u, return_inverse=True)
    order = np.argsort(column, kind="stable")
    width = max(1, min(32, _DENSE_BUDGET // max(n, 1)))
    sums = np.zeros(u.size)
    for start in range(0, sources.size, width):
        block = sources[start : start + width]
        low, high = np.searchsorted(column[order], [start, start + block.size])
        entries = order[low:high]
        columns, targets = column[entries] - start, v[entries]
        walks = np.zeros((n, block.size))
        walks[block, np.arange(block.size)] = 1.0
        values = np.zeros(entries.size)
        for term in count(1):
            walks = matrix @ walks
            values += walks[targets, columns]
            if term % 8:
                continue
            rest = np.sqrt(np.einsum("ij,ij->j", walks, walks)) * (radius / (1.0 - radius))
            # A pair so far apart that its entry is not representable ends by the second condition.
            open_entries = (rest[columns] > 1e-12 * values) & (rest[columns] > 1e-300)
            if not open_entries.any():
                break
            active = np.unique(columns[open_entries])
            if 2 * active.size <= walks.shape[1]:
                sums[entries] = values
                inside = np.isin(columns, active)
                entries, targets, values = entries[inside], targets[inside], values[inside]
                columns = np.searchsorted(active, columns[inside])
                walks = np.ascontiguousarray(walks[:, active])
        sums[entries] = values
    return sums


def _row_products(matrix: Any, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """``(M,)`` inner products of the rows u and v of a dense or CSR matrix, in blocks of bounded memory."""
    result = np.zeros(u.size)
    if hasattr(matrix, "indptr"):
        lengths = np.diff(matrix.indptr)
        for part in blocks(lengths[u] + lengths[v] + 1, _SPARSE_BUDGET):
            result[part] = matrix[u[part]].multiply(matrix[v[part]]).sum(axis=1)
    else:
        for part in blocks(np.full(u.size, matrix.shape[1] + 1), _DENSE_BUDGET):
            result[part] = np.einsum("ij,ij->i", matrix[u[part]], matrix[v[part]], dtype=np.float64)
    return result


def _adjacency(value: Any) -> scipy.sparse.csr_array:
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


def _features(value: Any) -> Any:
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
