"""Baselines that are products of rows: shared neighbours, weighted or not, and shared features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae.evaluation.blocks import blocks
from graphvae.evaluation.matrices import adjacency_matrix, feature_matrix
from graphvae.evaluation.score_rows import check_rows

__all__ = [
    "Scorer",
    "adamic_adar",
    "common_neighbours",
    "feature_cosine",
    "jaccard",
    "preferential_attachment",
    "resource_allocation",
    "row_products",
]

# Entries of two gathered sparse blocks, and values of one dense block: about 100 MB and 32 MB.
_SPARSE_BUDGET = 4_000_000
_DENSE_BUDGET = 4_000_000


@dataclass(frozen=True)
class Scorer:
    """A symmetric score of pairs of nodes on one graph, never held as N x N.

    Attributes:
        num_nodes: N.
        of_pairs: from u and v, ``(M,)`` rows each, to ``(M,)`` scores.
        rows: from rows ``(B,)`` to their scores with all nodes, ``(B, N)``.
    """

    num_nodes: int
    of_pairs: Callable[[np.ndarray, np.ndarray], np.ndarray]
    rows: Callable[[np.ndarray], np.ndarray]

    def pairs(self, pairs: Any) -> np.ndarray:
        """``(M,)`` float64 scores of ``pairs`` (2, M).

        Raises:
            InputError: if ``pairs`` is not (2, M) integers in 0..N-1.
        """
        return self.of_pairs(*check_rows("pairs", pairs, self.num_nodes))


def common_neighbours(adjacency: Any) -> Scorer:
    """Number of common neighbours, ``(A^2)_uv``, of each pair (Liben-Nowell & Kleinberg, 2007, section 3.2).

    Args:
        adjacency: ``(N, N)`` scipy sparse matrix A, symmetric, of zeros and ones, with an empty diagonal; so for all
            baselines of this family.

    Raises:
        InputError: naming what is wrong with ``adjacency``.
    """
    matrix = adjacency_matrix(adjacency)
    return row_products(matrix, matrix)


def jaccard(adjacency: Any) -> Scorer:
    """Common neighbours over all neighbours, ``|N(u) ∩ N(v)| / |N(u) ∪ N(v)|``; 0 where there are none.

    Arguments and errors are those of :func:`common_neighbours`.
    """
    matrix = adjacency_matrix(adjacency)
    degree = np.diff(matrix.indptr).astype(np.float64)

    def finish(common: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return _ratio(common, degree[u] + degree[v] - common)

    return row_products(matrix, matrix, finish)


def adamic_adar(adjacency: Any) -> Scorer:
    """``sum 1 / log d_w`` over common neighbours w (Adamic & Adar, 2003); each has a degree of at least 2.

    Arguments and errors are those of :func:`common_neighbours`.
    """
    matrix = adjacency_matrix(adjacency)
    degree = np.maximum(np.diff(matrix.indptr), 2)  # what has degree 1 is nobody's common neighbour
    return row_products(matrix.multiply(1.0 / np.log(degree)[None, :]).tocsr(), matrix)


def resource_allocation(adjacency: Any) -> Scorer:
    """``sum 1 / d_w`` over common neighbours w (Zhou, Lü & Zhang, 2009).

    Arguments and errors are those of :func:`common_neighbours`.
    """
    matrix = adjacency_matrix(adjacency)
    return row_products(matrix.multiply(1.0 / np.maximum(np.diff(matrix.indptr), 1)[None, :]).tocsr(), matrix)


def preferential_attachment(adjacency: Any) -> Scorer:
    """Product of the degrees, ``d_u d_v`` (Barabási & Albert, 1999).

    Arguments and errors are those of :func:`common_neighbours`.
    """
    degree = np.diff(adjacency_matrix(adjacency).indptr).astype(np.float64)
    return Scorer(degree.size, lambda u, v: degree[u] * degree[v], lambda rows: degree[rows][:, None] * degree)


def feature_cosine(x: Any) -> Scorer:
    """Cosine similarity ``x_u . x_v / (|x_u| |x_v|)`` of each pair's features; 0 where a node has none.

    Args:
        x: ``(N, F)`` finite features, dense or scipy sparse.

    Raises:
        InputError: naming what is wrong with ``x``.
    """
    features = feature_matrix(x)
    every = np.arange(features.shape[0])
    norms = np.sqrt(row_products(features, features).of_pairs(every, every))

    def finish(dots: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return _ratio(dots, norms[u] * norms[v])

    return row_products(features, features, finish)


def row_products(
    left: Any, right: Any, finish: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None
) -> Scorer:
    """``finish(left_u . right_v, u, v)`` for two dense or two CSR matrices of N rows, in blocks of bounded memory.

    Args:
        left: ``(N, F)`` matrix.
        right: ``(N, F)`` matrix.
        finish: from products, u and v that broadcast to one shape, to scores; None leaves the products as they are.
    """

    def of_pairs(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        result = np.zeros(u.size)
        if hasattr(left, "indptr"):
            costs = np.diff(left.indptr)[u] + np.diff(right.indptr)[v] + 1
            for part in blocks(costs, _SPARSE_BUDGET):
                result[part] = left[u[part]].multiply(right[v[part]]).sum(axis=1)
        else:
            for part in blocks(np.full(u.size, left.shape[1] + 1), _DENSE_BUDGET):
                result[part] = np.einsum("ij,ij->i", left[u[part]], right[v[part]], dtype=np.float64)
        return result if finish is None else finish(result, u, v)

    def rows(u: np.ndarray) -> np.ndarray:
        products = left[u] @ right.T
        products = products.toarray() if hasattr(products, "toarray") else products
        return products if finish is None else finish(products, u[:, None], np.arange(right.shape[0])[None, :])

    return Scorer(left.shape[0], of_pairs, rows)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below``, 0 where ``below`` is 0."""
    return np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below > 0)
