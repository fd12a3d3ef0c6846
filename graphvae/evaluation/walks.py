"""Baselines that count walks of any length: the Katz index and personalised PageRank."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, number
from graphvae.evaluation.matrices import adjacency_matrix
from graphvae.evaluation.similarity import Scorer

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["katz", "largest_eigenvalue", "personalised_pagerank"]

# Values of one dense block of columns; a block that fits the cache is twice as fast a column, and memory is bounded.
_DENSE_BUDGET = 160_000
# Up to this share of the largest eigenvalue the series converges in thousands of terms; beyond, it takes for ever.
_KATZ_LIMIT = 0.999


def katz(adjacency: Any, beta: float | None = None) -> Scorer:
    """Katz index ``sum_{l>=1} beta^l (A^l)_uv``: all walks from u to v, damped by their length (Katz, 1953).

    The series is summed until what is missing of each entry is less than 1e-12 of it. Every term is positive, so
    small entries are as exact as large ones, and pairs in different components get exactly 0. Memory is bounded: one
    dense block of columns for some of the distinct nodes in the pairs is held at a time.

    With ``F = (I - beta A)^-1``, a leaf u (degree 1) of a node a has ``F_uv = [u = v] + beta F_av``. So leaves are
    left out of the iteration: their neighbours stand for them, and get ``beta^2`` on the diagonal for each leaf.

    Args:
        adjacency: ``(N, N)`` scipy sparse matrix A, symmetric, of zeros and ones, with an empty diagonal.
        beta: damping, positive and below ``1 / lambda_max``, where the series converges (0.999 of it is the most
            taken, because the number of terms grows without bound there). Default ``0.5 / lambda_max``.

    Raises:
        InputError: naming what is wrong with ``adjacency``, or if ``beta`` is out of its range.
    """
    matrix = adjacency_matrix(adjacency)
    n = matrix.shape[0]
    if beta is not None:
        beta = number("beta", beta, low=0.0, open_low=True)
    largest = largest_eigenvalue(matrix)
    if largest == 0.0:
        return Scorer(n, lambda u, v: np.zeros(u.size), lambda rows: np.zeros((rows.size, n)))
    if beta is None:
        beta = 0.5 / largest
    radius = beta * largest
    if radius > _KATZ_LIMIT:
        raise InputError(
            f"beta={beta!r}: expected less than {_KATZ_LIMIT} / lambda_max = {_KATZ_LIMIT / largest:.6g}; "
            f"the Katz series diverges from 1 / lambda_max = {1 / largest:.6g}"
        )
    core, stand_in, factor = _without_leaves(matrix, beta)
    component = _components(matrix)

    def first_walk(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        # The walk of length 0 in the core is none in the graph, save from a node that is no leaf to itself.
        return np.where((stand_in[u] == stand_in[v]) & ((u != v) | (factor[u] < 1.0)), 1.0, 0.0)

    def of_pairs(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        scores, joined = first_walk(u, v), component[u] == component[v]
        scores[joined] += _walk_sums(core, stand_in[u[joined]], stand_in[v[joined]], radius)
        return scores * factor[u] * factor[v]

    def rows(u: np.ndarray) -> np.ndarray:
        sources, back = np.unique(stand_in[u], return_inverse=True)
        sums = _walk_rows(core, sources, radius)[:, stand_in][back]
        return (sums + first_walk(u[:, None], np.arange(n)[None, :])) * factor[u][:, None] * factor

    return Scorer(n, of_pairs, rows)


def personalised_pagerank(adjacency: Any, alpha: float = 0.85) -> Scorer:
    """``p_u(v) + p_v(u)`` with p_u the PageRank that restarts at u: a walk from u goes on with chance ``alpha``.

    With ``P = D^-1 A``, ``p_u = (1 - alpha) sum_l alpha^l e_u' P^l``, and ``p_u(v) d_u = p_v(u) d_v``, so that one
    solution serves both. By Chebyshev's iteration on ``I - alpha D^(-1/2) A D^(-1/2)`` to about 1e-13, in a fixed
    number of steps; pairs in different components get exactly 0.

    Args:
        adjacency: see :func:`katz`.
        alpha: chance to go on, in (0, 0.999].

    Raises:
        InputError: naming what is wrong with ``adjacency`` or ``alpha``.

    References:
        Liben-Nowell and Kleinberg, The Link-Prediction Problem for Social Networks (2007), section 3.3.
        Golub and Varga, Chebyshev Semi-Iterative Methods (1961), for the iteration.
    """
    import scipy.sparse

    matrix = adjacency_matrix(adjacency)
    alpha = number("alpha", alpha, low=0.0, high=_KATZ_LIMIT, open_low=True)
    n, degree = matrix.shape[0], np.diff(matrix.indptr).astype(np.float64)
    root = np.sqrt(degree)
    inverse = np.divide(1.0, root, out=np.zeros(n), where=root > 0)
    scale = scipy.sparse.diags_array(inverse)
    walk = (alpha * (scale @ matrix @ scale)).tocsr()
    steps = math.ceil(math.log(1e-13) / math.log(alpha / (1 + math.sqrt(1 - alpha**2))))

    def solve(sources: np.ndarray) -> np.ndarray:
        """Columns of ``(I - walk)^-1``, ``(N, B)``."""
        start = np.zeros((n, sources.size))
        start[sources, np.arange(sources.size)] = 1.0
        before, now, weight = np.zeros_like(start), start.copy(), 2.0
        for _ in range(steps):
            weight = 1.0 / (1.0 - alpha**2 * weight / 4.0)
            step = walk @ now
            step += start
            step -= before
            step *= weight
            step += before
            before, now = now, step
        return np.maximum(now, 0.0)  # rounding may leave a far node a little below 0

    def finish(walks: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        # p_u(v) = (1 - alpha) walks_uv sqrt(d_v / d_u)
        return (1.0 - alpha) * walks * (root[v] * inverse[u] + root[u] * inverse[v])

    def of_pairs(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        u, v = _fewer_sources(u, v, n)
        sources, column = np.unique(u, return_inverse=True)
        walks = np.zeros(u.size)
        for start in range(0, sources.size, _width(n)):
            some = (column >= start) & (column < start + _width(n))
            walks[some] = solve(sources[start : start + _width(n)])[v[some], column[some] - start]
        return finish(walks, u, v)

    def rows(u: np.ndarray) -> np.ndarray:
        parts = [solve(u[start : start + _width(n)]).T for start in range(0, u.size, _width(n))]
        return finish(np.concatenate(parts), u[:, None], np.arange(n)[None, :])

    return Scorer(n, of_pairs, rows)


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
    u, v = _fewer_sources(u, v, n)
    sources, column = np.unique(u, return_inverse=True)
    order = np.argsort(column, kind="stable")
    width = _width(n)
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


def _walk_rows(matrix: scipy.sparse.csr_array, sources: np.ndarray, radius: float) -> np.ndarray:
    """``(B, N)`` rows of ``sum_{l>=1} G^l``, each entry relatively exact; see :func:`_walk_sums`."""
    n = matrix.shape[0]
    sums = np.zeros((sources.size, n))
    for start in range(0, sources.size, _width(n)):
        block = sources[start : start + _width(n)]
        walks = np.zeros((n, block.size))
        walks[block, np.arange(block.size)] = 1.0
        total = np.zeros_like(walks)
        for term in count(1):
            walks = matrix @ walks
            total += walks
            if term % 8 == 0:
                rest = np.sqrt(np.einsum("ij,ij->j", walks, walks)) * (radius / (1.0 - radius))
                least = np.where(total > 0, total, np.inf).min(axis=0)
                # A node is reached within N steps or never, and sums that are not representable stay 0.
                if bool(((rest <= 1e-12 * least) | (rest <= 1e-300)).all()):
                    break
        sums[start : start + block.size] = total.T
    return sums


def _fewer_sources(u: np.ndarray, v: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs with that end first that occurs more often: columns are computed for the distinct first ends."""
    counts = np.bincount(u, minlength=n) + np.bincount(v, minlength=n)
    swap = counts[v] > counts[u]
    return np.where(swap, v, u), np.where(swap, u, v)


def _components(matrix: scipy.sparse.csr_array) -> np.ndarray:
    """The number of each node's component."""
    from scipy.sparse.csgraph import connected_components

    return np.asarray(connected_components(matrix, directed=False)[1])


def _width(n: int) -> int:
    """Columns in a block."""
    return max(8, min(32, _DENSE_BUDGET // max(n, 1)))
