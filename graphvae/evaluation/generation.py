"""Generated graphs beside the graph they should resemble: density, degrees, clustering, components."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, integer

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["GenerationReport", "compare_generated", "graph_statistics"]

# Multiplications of one block of the sparse product that counts triangles: bounds its memory to about 200 MB.
_BUDGET = 10_000_000

_LABELS = {
    "num_edges": "edges",
    "density": "density",
    "degree_mean": "degree, mean",
    "degree_std": "degree, standard deviation",
    "degree_q25": "degree, lower quartile",
    "degree_median": "degree, median",
    "degree_q75": "degree, upper quartile",
    "degree_q99": "degree, 99th percentile",
    "degree_max": "degree, largest",
    "transitivity": "clustering, global",
    "average_clustering": "clustering, local average",
    "isolated_nodes": "isolated nodes",
    "largest_component": "largest component, share",
}


def graph_statistics(num_nodes: int, pairs: Any) -> dict[str, float]:
    """Statistics of an undirected simple graph.

    Transitivity is ``3 triangles / paths of length 2``; the local clustering of a node is the share of its pairs of
    neighbours that are edges, 0 for degree below 2, and its average runs over all nodes (as networkx has them).
    Triangles are counted on edges directed from lower to higher degree, in ``O(E^1.5)`` time and bounded memory.

    Args:
        num_nodes: N, at least 1.
        pairs: ``(2, E)`` integers, each edge once, in either direction.

    Returns:
        ``num_edges``, ``density``, ``degree_mean``, ``degree_std`` (of the population), ``degree_q25``,
        ``degree_median``, ``degree_q75``, ``degree_q99``, ``degree_max``, ``transitivity``, ``average_clustering``,
        ``isolated_nodes`` and ``largest_component`` (the share of nodes in it).

    Raises:
        InputError: if ``pairs`` holds self-loops, an edge twice, or rows outside 0..N-1.
    """
    from scipy.sparse.csgraph import connected_components

    n = integer("num_nodes", num_nodes, low=1)
    low, high = _simple_pairs(pairs, n)
    degree = np.bincount(low, minlength=n) + np.bincount(high, minlength=n)
    directed = _by_degree(low, high, degree)
    _, component = connected_components(directed, directed=False)
    triangles = _triangles(directed)
    triads = degree * (degree - 1) / 2
    local = np.divide(triangles, triads, out=np.zeros(n), where=triads > 0)
    q25, median, q75, q99 = np.quantile(degree, [0.25, 0.5, 0.75, 0.99]).tolist()
    return {
        "num_edges": float(low.size),
        "density": low.size / (n * (n - 1) / 2) if n > 1 else 0.0,
        "degree_mean": float(degree.mean()),
        "degree_std": float(degree.std()),
        "degree_q25": q25,
        "degree_median": median,
        "degree_q75": q75,
        "degree_q99": q99,
        "degree_max": float(degree.max()),
        "transitivity": float(triangles.sum() / triads.sum()) if triads.any() else 0.0,
        "average_clustering": float(local.mean()),
        "isolated_nodes": float((degree == 0).sum()),
        "largest_component": float(np.bincount(component).max() / n),
    }


@dataclass(frozen=True)
class GenerationReport:
    """Statistics of generated graphs beside those of the data.

    Attributes:
        num_nodes: N of all graphs.
        num_samples: how many graphs were generated.
        data: statistics of the data, see :func:`graph_statistics`.
        mean: the same, averaged over the samples.
        std: their standard deviation over the samples (divisor S - 1), or None for a single sample.
        degree_distance: Wasserstein-1 distance between the degree distributions of sample and data, in edges per
            node, averaged over the samples.
    """

    num_nodes: int
    num_samples: int
    data: dict[str, float]
    mean: dict[str, float]
    std: dict[str, float] | None
    degree_distance: float

    def __str__(self) -> str:
        graphs = "1 sample" if self.num_samples == 1 else f"{self.num_samples} samples (mean ± standard deviation)"
        width = max(map(len, _LABELS.values()))
        lines = [f"{'':{width}}  {'data':>10}  {graphs}"]
        for key, label in _LABELS.items():
            spread = "" if self.std is None else f" ± {_short(self.std[key])}"
            lines.append(f"{label:{width}}  {_short(self.data[key]):>10}  {_short(self.mean[key]):>10}{spread}")
        lines.append(f"degree distributions differ by {_short(self.degree_distance)} (Wasserstein-1, edges per node)")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-able numbers and dictionaries."""
        return {
            "num_nodes": self.num_nodes,
            "num_samples": self.num_samples,
            "data": dict(self.data),
            "mean": dict(self.mean),
            "std": None if self.std is None else dict(self.std),
            "degree_distance": self.degree_distance,
        }


def compare_generated(num_nodes: int, data_pairs: Any, sample_pairs: Sequence[Any]) -> GenerationReport:
    """Compare generated graphs with the data, all on the same N nodes.

    Args:
        num_nodes: N.
        data_pairs: ``(2, E)`` edges of the data, each once.
        sample_pairs: for each generated graph its edges, ``(2, E_s)``.

    Raises:
        InputError: if there are no samples, or a graph is not simple.
    """
    from scipy.stats import wasserstein_distance

    if len(sample_pairs) == 0:
        raise InputError("sample_pairs is empty: expected at least one generated graph")
    data = graph_statistics(num_nodes, data_pairs)
    samples = [graph_statistics(num_nodes, pairs) for pairs in sample_pairs]
    table = np.array([[sample[key] for key in data] for sample in samples])
    observed = np.bincount(np.asarray(data_pairs).ravel(), minlength=num_nodes)
    distances = [
        wasserstein_distance(observed, np.bincount(np.asarray(pairs).ravel(), minlength=num_nodes))
        for pairs in sample_pairs
    ]
    std = None if len(samples) == 1 else dict(zip(data, table.std(axis=0, ddof=1).tolist(), strict=True))
    return GenerationReport(
        num_nodes=int(num_nodes),
        num_samples=len(samples),
        data=data,
        mean=dict(zip(data, table.mean(axis=0).tolist(), strict=True)),
        std=std,
        degree_distance=float(np.mean(distances)),
    )


def _by_degree(low: np.ndarray, high: np.ndarray, degree: np.ndarray) -> scipy.sparse.csr_array:
    """Each edge once, from lower to higher degree (ties by row): no node then has more than sqrt(2E) out-edges."""
    import scipy.sparse

    rank = np.empty(degree.size, dtype=np.int64)
    rank[np.argsort(degree, kind="stable")] = np.arange(degree.size)
    forward = rank[low] < rank[high]
    source, target = np.where(forward, low, high), np.where(forward, high, low)
    ones = np.ones(low.size, dtype=np.int64)
    return scipy.sparse.csr_array((ones, (source, target)), shape=(degree.size, degree.size))


def _triangles(directed: scipy.sparse.csr_array) -> np.ndarray:
    """``(N,)`` triangles through each node. With u -> v -> w and u -> w, each is found once per role of the node."""
    n = directed.shape[0]
    out = np.diff(directed.indptr)
    reverse = directed.T.tocsr()
    triangles = np.zeros(n, dtype=np.int64)
    # Row u of D D, where D is: paths u -> v -> w over an edge u -> w; its row sum counts for u, its column sums for w.
    for rows in _row_blocks(directed @ out):
        closed = (directed[rows] @ directed).multiply(directed[rows])
        triangles[rows] += closed.sum(axis=1)
        triangles += closed.sum(axis=0)
    # Row v of D'D, where D is: nodes u with u -> v and u -> w over an edge v -> w; its row sum counts for v.
    for rows in _row_blocks(reverse @ out):
        triangles[rows] += (reverse[rows] @ directed).multiply(directed[rows]).sum(axis=1)
    return triangles


def _row_blocks(costs: np.ndarray) -> list[slice]:
    """Consecutive slices of rows whose costs sum to about the budget."""
    block = (np.cumsum(costs) - costs) // _BUDGET
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    return [slice(int(a), int(b)) for a, b in zip(starts, np.append(starts[1:], costs.size), strict=True)]


def _simple_pairs(value: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """``value`` as two int64 vectors u < v without repeats."""
    pairs = np.asarray(value)
    if pairs.ndim != 2 or pairs.shape[0] != 2:
        raise InputError(f"pairs has shape {pairs.shape}: expected (2, E)")
    if pairs.size and pairs.dtype.kind not in "iu":
        raise InputError(f"pairs is of type {pairs.dtype}: expected integers")
    low, high = pairs.astype(np.int64).min(axis=0), pairs.astype(np.int64).max(axis=0)
    if low.size and (low.min() < 0 or high.max() >= n):
        raise InputError(f"pairs contains {low.min() if low.min() < 0 else high.max()}: expected rows 0 to {n - 1}")
    if bool((low == high).any()):
        node = int(low[low == high][0])
        raise InputError(f"pairs has the self-loop ({node}, {node}): expected none")
    keys = np.sort(low * n + high)
    if bool((keys[1:] == keys[:-1]).any()):
        key = int(keys[1:][keys[1:] == keys[:-1]][0])
        raise InputError(f"pairs holds the edge ({key // n}, {key % n}) more than once: expected each once")
    return low, high


def _short(value: float) -> str:
    """Whole numbers in full, others to four significant digits."""
    return f"{value:.0f}" if math.isfinite(value) and value == round(value) else f"{value:.4g}"
