"""A spectral embedding as a baseline of link prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphvae._check import integer
from graphvae.evaluation.matrices import adjacency_matrix
from graphvae.evaluation.similarity import Scorer, row_products

__all__ = ["spectral_embedding", "spectral_positions"]

# Of a small graph all eigenvectors, in 2 MB at most: Lanczos may break down on it and start anew at random.
_DENSE_NODES = 500
# Decimals of a score: nodes that are alike must tie, and rounding errors are not the same in every run.
_DECIMALS = 10


def spectral_embedding(adjacency: Any, dimensions: int = 32) -> Scorer:
    """``(U L U')_uv`` of the largest positive eigenvalues L of ``(D + t)^(-1/2) A (D + t)^(-1/2)``, t the mean degree.

    Without t every component, however small, has the eigenvalue 1, and the embedding of a graph that lost edges to a
    split is taken up by its smallest pieces.

    Args:
        adjacency: see :func:`~graphvae.evaluation.similarity.common_neighbours`.
        dimensions: eigenvalues kept.

    Raises:
        InputError: naming what is wrong with ``adjacency`` or ``dimensions``.

    Reference:
        Qin and Rohe, Regularized Spectral Clustering under the Degree-Corrected Stochastic Blockmodel (2013), eq. 1.
    """
    embedding = spectral_positions(adjacency, dimensions)
    return row_products(embedding, embedding, lambda scores, u, v: scores.round(_DECIMALS))


def spectral_positions(adjacency: Any, dimensions: int = 32) -> np.ndarray:
    """``(N, K)`` rows ``U L^(1/2)`` of :func:`spectral_embedding`, K at most ``dimensions``; arguments as there."""
    import scipy.sparse
    from scipy.sparse.linalg import eigsh

    matrix = adjacency_matrix(adjacency)
    dimensions = integer("dimensions", dimensions, low=1)
    n, degree = matrix.shape[0], np.diff(matrix.indptr)
    if matrix.nnz == 0:
        return np.zeros((n, 1))
    root = scipy.sparse.diags_array(1.0 / np.sqrt(degree + degree.mean()))
    normalised = (root @ matrix @ root).tocsr()
    if n <= max(_DENSE_NODES, 4 * dimensions):
        values, vectors = np.linalg.eigh(normalised.toarray())
        values, vectors = values[-dimensions:], vectors[:, -dimensions:]
    else:
        start = np.random.default_rng(0).uniform(0.5, 1.5, n)
        values, vectors = eigsh(normalised, k=dimensions, which="LA", v0=start, tol=1e-8)
    embedding = vectors * np.sqrt(np.maximum(values, 0.0))
    embedding[degree == 0] = 0.0  # rounding would rank pairs of which nothing is known
    return embedding
