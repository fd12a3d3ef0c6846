"""Null models of a graph: what a likelihood is worth that knows the density only, or the degrees only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError, integer, number

__all__ = [
    "HELDOUT_PSEUDO_COUNT",
    "NullModel",
    "degree_log_likelihood",
    "degree_model",
    "erdos_renyi",
    "erdos_renyi_log_likelihood",
]

HELDOUT_PSEUDO_COUNT = 1.0
"""Pseudo-edges per node for held-out scores: a node without training edges then still has some chance of one."""

# Order of a node whose intercept is finite: behind every node that was settled as a limit.
_REGULAR = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class NullModel:
    """Independent edges with ``logit p_ij = a_i + a_j`` for the unordered pairs i < j.

    Attributes:
        name: what it is called in tables.
        log_likelihood: ``log p(A)`` of the graph it was fitted to, in nats, over all N(N-1)/2 unordered pairs.
        intercepts: ``(N,)`` float64 intercepts a; infinite for nodes settled as a limit (no pair or every pair is an
            edge).
        order: ``(N,)`` int64, the round in which a node was settled as a limit; in a pair the earlier one decides.
    """

    name: str
    log_likelihood: float
    intercepts: np.ndarray
    order: np.ndarray

    def logits(self, pairs: Any) -> np.ndarray:
        """``(M,)`` log-odds of an edge for ``pairs`` (2, M), rows u and v; infinite where the model is certain.

        Raises:
            InputError: if ``pairs`` is not (2, M) integers in 0..N-1.
        """
        u, v = _pairs(pairs, self.intercepts.size)
        first = np.where(self.order[u] <= self.order[v], u, v)
        logits = self.intercepts[first]
        regular = self.order[first] == _REGULAR
        logits[regular] = self.intercepts[u[regular]] + self.intercepts[v[regular]]
        return logits


def erdos_renyi_log_likelihood(num_nodes: int, num_edges: int) -> float:
    """Maximum log-likelihood of a graph in which every pair is an edge with the same probability (Gilbert, 1959).

    ``E log p + (P - E) log(1 - p)`` with ``p = E / P`` and ``P = N(N-1)/2``; ``0 log 0 = 0``.

    Args:
        num_nodes: N.
        num_edges: E, unordered pairs that are edges.

    Returns:
        Nats, at most 0.

    Raises:
        InputError: if there are more edges than pairs, or a count is negative.
    """
    pairs, edges = _counts(num_nodes, num_edges)
    if edges in (0, pairs):
        return 0.0
    p = edges / pairs
    return edges * math.log(p) + (pairs - edges) * math.log1p(-p)


def erdos_renyi(num_nodes: int, num_edges: int) -> NullModel:
    """The Erdős-Rényi model of density ``E / P``, as :class:`NullModel`; arguments as for its log-likelihood."""
    pairs, edges = _counts(num_nodes, num_edges)
    certain = edges in (0, pairs)
    half = math.copysign(math.inf, edges - 0.5) if certain else (math.log(edges) - math.log(pairs - edges)) / 2
    return NullModel(
        name="Erdős-Rényi",
        log_likelihood=erdos_renyi_log_likelihood(num_nodes, num_edges),
        intercepts=np.full(num_nodes, half),
        order=np.full(num_nodes, 0 if certain else _REGULAR),
    )


def degree_log_likelihood(degrees: Any) -> float:
    """Maximum log-likelihood of a graph with these degrees under the beta-model; see :func:`degree_model`."""
    return degree_model(degrees).log_likelihood


def degree_model(degrees: Any, pseudo_count: float = 0.0) -> NullModel:
    """The beta-model, one intercept per node: ``logit p_ij = a_i + a_j`` (Chatterjee, Diaconis & Sly, 2011).

    The degrees are sufficient: ``log p(A) = sum_i d_i a_i - sum_{i<j} log(1 + exp(a_i + a_j))``, and at the maximum
    expected degrees are the observed ones. Nodes of equal degree share their intercept, so Newton's method runs over
    the distinct degrees only. A node of degree 0 (or N-1) has its maximum in the limit -inf (or +inf), where its pairs
    contribute 0; such nodes are set aside, and so are those that have degree 0 or N'-1 among the rest, until none is
    left. Other degree sequences on the boundary (a clique joined to a hollow set, say) have finite suprema too, which
    Newton's method approaches to less than 1e-9 nats while intercepts grow.

    In the maximum a node without training edges is certain never to have one, and a held-out edge of it has a
    log-likelihood of -inf: true of the fit, useless as a yardstick. For held-out pairs pass ``pseudo_count=c``: each
    node gets c pseudo-edges and degrees are scaled back to their sum, ``d'_i = (d_i + c) d / (d + c)`` with d the mean
    degree, which equals c/d pseudo-observations per pair at the graph's density. All intercepts are then finite, the
    density is unchanged, and ``log_likelihood`` (still of the observed degrees) lies below the maximum.

    Args:
        degrees: ``(N,)`` integers d.
        pseudo_count: c, at least 0: 0 for the exact maximum on the training graph, ``HELDOUT_PSEUDO_COUNT`` for
            scores of held-out pairs.

    Raises:
        InputError: if no simple graph has these degrees, or ``pseudo_count`` is negative or not finite.
    """
    degree = _degrees(degrees)
    pseudo_count = number("pseudo_count", pseudo_count, low=0.0)
    n = degree.size
    intercepts = np.zeros(n)
    order = np.full(n, _REGULAR)
    total = int(degree.sum())
    left = np.ones(n, dtype=bool)
    if pseudo_count == 0.0 or total in (0, n * (n - 1)):
        left, degree = _settle_limits(degree, intercepts, order)
    if not left.any():
        return NullModel("degree-based", 0.0, intercepts, order)
    observed, member, sizes = np.unique(degree[left], return_inverse=True, return_counts=True)
    mean = total / n
    target = observed if pseudo_count == 0.0 else (observed + pseudo_count) * mean / (mean + pseudo_count)
    solution = _fit(target.astype(np.float64), sizes.astype(np.float64))
    intercepts[left] = solution[member]
    return NullModel("degree-based", _value(solution, observed, sizes), intercepts, order)


def _settle_limits(degree: np.ndarray, intercepts: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Set aside nodes with no or all possible edges, round by round; the nodes left and their degrees among them."""
    left = np.ones(degree.size, dtype=bool)
    degree = degree.copy()
    for step in range(degree.size + 1):
        rest = int(left.sum())
        empty = left & (degree == 0)
        full = left & (degree == rest - 1) & ~empty
        if not (empty.any() or full.any()):
            break
        intercepts[empty], intercepts[full] = -math.inf, math.inf
        order[empty | full] = step
        left &= ~(empty | full)
        degree[left] -= int(full.sum())
    return left, degree


def _fit(degrees: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Maximise the beta-model's log-likelihood over K distinct degrees of ``sizes`` nodes each; damped Newton."""
    n = sizes.sum()
    partners = sizes[None, :] - np.eye(sizes.size)  # how many nodes of class l a node of class k is paired with
    # Exact where all degrees are equal, and a good start elsewhere.
    a = 0.5 * np.log(degrees / (n - 1 - degrees)) if sizes.size == 1 else np.log(degrees / np.sqrt(n * degrees.mean()))
    value = _value(a, degrees, sizes)
    for _ in range(200):
        p = _sigmoid(a[:, None] + a[None, :])
        gradient = sizes * (degrees - (partners * p).sum(axis=1))
        weights = sizes[:, None] * partners * p * (1.0 - p)
        curvature = weights + np.diag(weights.sum(axis=1))
        # The floor keeps directions solvable in which the likelihood has become flat on its way to a limit.
        floor = 1e-14 * (1.0 + np.trace(curvature))
        step = np.linalg.solve(curvature + floor * np.eye(sizes.size), gradient)
        decrement = float(gradient @ step)
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 5.0))
        if decrement < 1e-10:
            return a + step  # convergence is quadratic: this one ends in rounding error
        scale = 1.0
        while (trial := _value(a + scale * step, degrees, sizes)) < value and scale > 1e-8:
            scale /= 2
        if trial < value:
            break  # no ascent left in this precision
        a, value = a + scale * step, trial
    return a


def _value(a: np.ndarray, degrees: np.ndarray, sizes: np.ndarray) -> float:
    """``sum_i d_i a_i - sum_{i<j} log(1 + exp(a_i + a_j))`` by classes of equal degree, in nats."""
    softplus = np.logaddexp(0.0, a[:, None] + a[None, :])
    pairs = (sizes[:, None] * sizes[None, :] - np.diag(sizes)) / 2
    return float((sizes * degrees * a).sum() - (pairs * softplus).sum())


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -x))


def _counts(num_nodes: int, num_edges: int) -> tuple[int, int]:
    n = integer("num_nodes", num_nodes, low=0)
    pairs = n * (n - 1) // 2
    return pairs, integer("num_edges", num_edges, low=0, high=pairs)


def _degrees(value: Any) -> np.ndarray:
    """``value`` as int64 degrees that some simple graph has (Erdős & Gallai, 1960)."""
    degree = np.asarray(value)
    if degree.ndim != 1:
        raise InputError(f"degrees has shape {degree.shape}: expected (N,)")
    if degree.size and degree.dtype.kind not in "iu":
        raise InputError(f"degrees is of type {degree.dtype}: expected integers")
    degree = degree.astype(np.int64)
    n = degree.size
    if n == 0:
        return degree
    if degree.min() < 0 or degree.max() > n - 1:
        bad = degree.min() if degree.min() < 0 else degree.max()
        raise InputError(f"degrees contains {bad}: expected 0 to N-1 = {n - 1}")
    if degree.sum() % 2:
        raise InputError(f"degrees sum to {degree.sum()}: expected an even number, twice the edges")
    falling = np.sort(degree)[::-1]
    k = np.arange(1, n + 1)
    # sum_{i>k} min(d_i, k): the first `larger` nodes have d_i > k, and of those only the ones behind k count.
    larger = n - np.searchsorted(falling[::-1], k, side="right")
    tails = np.append(np.cumsum(falling[::-1])[::-1], 0)
    bound = k * (k - 1) + k * np.maximum(larger - k, 0) + tails[np.maximum(larger, k)]
    if bool((np.cumsum(falling) > bound).any()):
        raise InputError(f"degrees: no simple graph has them (Erdős-Gallai fails, largest degree {falling[0]})")
    return degree


def _pairs(value: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.asarray(value)
    if pairs.ndim != 2 or pairs.shape[0] != 2:
        raise InputError(f"pairs has shape {pairs.shape}: expected (2, M)")
    if pairs.size and (pairs.dtype.kind not in "iu" or pairs.min() < 0 or pairs.max() >= n):
        raise InputError(f"pairs: expected integer rows from 0 to {n - 1}")
    return pairs[0].astype(np.int64), pairs[1].astype(np.int64)
