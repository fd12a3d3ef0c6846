"""A picture of node embeddings: two dimensions, one mark per node, groups by colour and marker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, integer, one_of
from graphvae._state import random_state_kept
from graphvae.plots.style import COLOURS, GREY, MARKERS, check_path, new_figure, save_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_points", "label_groups", "mark_size", "plot_embedding", "project"]

_MAX_GROUPS = 20
_UNKNOWN, _OTHER = "unknown", "other"


def plot_embedding(
    vectors: Any,
    labels: Any = None,
    *,
    path: str | os.PathLike[str],
    method: str = "pca",
    title: str | None = None,
    seed: int = 0,
) -> Path:
    """Draw embeddings projected to a plane and write the picture.

    Args:
        vectors: ``(N, D)`` finite embeddings, N and D at least 1.
        labels: ``(N,)`` integers or strings, drawn as groups in sorted order, or None. The integer -1 is drawn as
            "unknown"; of more than 20 groups the 19 largest are told apart.
        path: ``.png`` or ``.svg`` file, written atomically.
        method: ``"pca"``, or ``"tsne"`` for neighbourhoods rather than distances.
        title: above the picture; by default it says what was projected how.
        seed: of t-SNE.

    Returns:
        The path written to.

    Raises:
        InputError: naming the argument, the offending value and what was expected.
    """
    target = check_path(path)
    points, axis_names = project(vectors, method=method, seed=seed)
    groups = label_groups(labels, points.shape[0])
    figure = new_figure(7.5 if len(groups) > 1 else 6.4, 5.4)
    axes = figure.subplots()
    tidy(axes)
    draw_points(axes, points, groups)
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.set_aspect("equal", adjustable="datalim")
    width = np.asarray(vectors).shape[1]
    name = "PCA" if method == "pca" else "t-SNE"
    axes.set_title(title or f"{points.shape[0]:,} nodes, {name} of {width} dimensions", loc="left")
    if len(groups) > 1:
        scale = np.sqrt(40.0 / mark_size(points.shape[0]))
        legend = figure.legend(loc="outside right upper", frameon=False, markerscale=scale)
        for handle in filter(None, legend.legend_handles):
            handle.set_alpha(1.0)
    return save_figure(figure, target)


def project(vectors: Any, *, method: str = "pca", seed: int = 0) -> tuple[np.ndarray, tuple[str, str]]:
    """Embeddings ``(N, D)`` in the plane: points ``(N, 2)`` and the names of the two axes.

    PCA by singular value decomposition of the centred vectors; of each axis the sign is fixed so that the largest
    loading is positive, hence the result does not depend on the LAPACK at hand. t-SNE (van der Maaten & Hinton, 2008)
    by scikit-learn, started from PCA.
    """
    one_of("method", method, ("pca", "tsne"))
    seed = integer("seed", seed, low=0, high=2**32 - 1)
    x = np.asarray(vectors)
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"vectors has shape {x.shape}: expected (N, D), with N and D at least 1")
    if x.dtype.kind not in "iuf" or not bool(np.isfinite(x).all()):
        raise InputError("vectors contains other than finite numbers: expected finite real embeddings")
    x = x.astype(np.float64)
    if method == "tsne" and x.shape[0] > 3:
        with random_state_kept():
            from sklearn.manifold import TSNE

        perplexity = min(30.0, (x.shape[0] - 1) / 3)
        init = "pca" if min(x.shape) > 1 else "random"
        tsne = TSNE(n_components=2, perplexity=perplexity, init=init, random_state=seed)
        return tsne.fit_transform(x.astype(np.float32)), ("t-SNE 1", "t-SNE 2")
    centred = x - x.mean(axis=0)
    # Of a tall matrix the small Gram matrix would do, at half the digits; the SVD of N x D is quick enough.
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    points = np.zeros((x.shape[0], 2))
    points[:, : len(axes)] = centred @ axes.T
    total = float((singular**2).sum()) or 1.0
    shares = [*(singular[:2] ** 2 / total), 0.0][:2]
    return points, (f"PC 1 ({shares[0]:.0%} of variance)", f"PC 2 ({shares[1]:.0%} of variance)")


def label_groups(labels: Any, n: int) -> list[tuple[str, np.ndarray]]:
    """Name and rows of each group to draw; what belongs to none, "unknown" and "other", comes last."""
    if labels is None:
        return [("nodes", np.arange(n))]
    values = np.asarray(labels)
    if values.dtype.kind == "O":
        values = values.astype(str)
    if values.shape != (n,):
        raise InputError(f"labels has shape {values.shape}: expected ({n},), one for each vector")
    if values.dtype.kind not in "biuU":
        raise InputError(f"labels are of type {values.dtype}: expected integers or strings")
    names, member, counts = np.unique(values, return_inverse=True, return_counts=True)
    shown = np.arange(names.size)
    if names.size > _MAX_GROUPS:
        shown = np.sort(np.argsort(-counts, kind="stable")[: _MAX_GROUPS - 1])
    groups = [(str(names[k]), np.flatnonzero(member == k)) for k in shown]
    if values.dtype.kind == "i":
        # -1 sorts first among classes, and would take the first colour.
        known = [group for group in groups if group[0] != "-1"]
        groups = known + [(_UNKNOWN, rows) for name, rows in groups if name == "-1"]
    if shown.size < names.size:
        groups.append((f"{_OTHER} ({names.size - shown.size} groups)", np.flatnonzero(~np.isin(member, shown))))
    return groups


def draw_points(axes: Axes, points: np.ndarray, groups: list[tuple[str, np.ndarray]]) -> None:
    """Every group in colour and marker of its own; small groups on top of large ones, grey below all."""
    n = points.shape[0]
    for k, (name, rows) in enumerate(groups):
        grey = name == _UNKNOWN or name.startswith(f"{_OTHER} (")
        axes.scatter(
            points[rows, 0],
            points[rows, 1],
            s=mark_size(n),
            marker=MARKERS[k % len(MARKERS)],
            color=GREY if grey else COLOURS[k % len(COLOURS)],
            alpha=0.8 if n < 5000 else 0.5,
            linewidths=0,
            label=name,
            zorder=2.0 if grey else 3.0 - rows.size / (n + 1),
            rasterized=n > 5000,
        )


def mark_size(n: int) -> float:
    """Area of a mark in square points: smaller the more there are, but never too small to tell its shape."""
    return float(np.clip(24_000 / n, 4.0, 40.0))
