"""A picture of several embeddings of labelled data side by side, one panel for each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from graphvae._check import InputError, integer, one_of
from graphvae.plots.embedding import draw_points, label_groups, mark_size, project
from graphvae.plots.style import check_path, new_figure, save_figure, tidy

__all__ = ["plot_projections"]


def plot_projections(
    embeddings: Mapping[str, tuple[Any, Any]],
    path: str | os.PathLike[str],
    *,
    method: str = "tsne",
    title: str | None = None,
    seed: int = 0,
) -> Path:
    """Draw embeddings side by side, each projected to a plane of its own, and write the picture.

    A label has the same colour and marker in all panels, and one legend serves all.

    Args:
        embeddings: name of each panel and its vectors ``(N, D)`` and labels, ``(N,)`` or None, as of
            :func:`graphvae.plots.embedding.plot_embedding`; N and D may differ, but all or none have labels.
        path: ``.png`` or ``.svg`` file, written atomically.
        method: ``"tsne"`` for neighbourhoods, or ``"pca"``.
        title: above the panels; by default it says what was projected how.
        seed: of t-SNE.

    Returns:
        The path written to.

    Raises:
        InputError: naming the panel, the argument, the offending value and what was expected.
    """
    target = check_path(path)
    one_of("method", method, ("tsne", "pca"))
    seed = integer("seed", seed, low=0, high=2**32 - 1)
    groups = _joint_groups(embeddings)
    panels = {}
    for name, (vectors, _) in embeddings.items():
        with _naming(name):
            panels[name] = project(vectors, method=method, seed=seed)
    columns = len(panels) if len(panels) < 4 else math.ceil(math.sqrt(len(panels)))
    rows = math.ceil(len(panels) / columns)
    legend = len(groups[0]) > 1
    figure = new_figure(4.2 * columns + 0.9 * legend, 4.2 * rows + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (name, (points, axis_names)), members in zip(grid.flat, panels.items(), groups, strict=False):
        tidy(axes)
        draw_points(axes, points, members)
        axes.set_title(name, loc="left", fontsize=11)
        axes.set_xlabel(axis_names[0])
        axes.set_ylabel(axis_names[1])
        axes.set_aspect("equal", adjustable="datalim")
    figure.suptitle(title or f"{'PCA' if method == 'pca' else 't-SNE'} of the embeddings", fontsize=11)
    if legend:
        # Of the first panel: the marks of a group without members there are shown, too.
        first = figure.axes[0]
        handles, names = first.get_legend_handles_labels()
        scale = np.sqrt(40.0 / mark_size(len(next(iter(panels.values()))[0])))
        drawn = figure.legend(handles, names, loc="outside right upper", frameon=False, markerscale=scale)
        for handle in filter(None, drawn.legend_handles):
            handle.set_alpha(1.0)
    return save_figure(figure, target)


def _joint_groups(embeddings: Mapping[str, tuple[Any, Any]]) -> list[list[tuple[str, np.ndarray]]]:
    """For each panel the same groups in the same order, so with the same colours, of its own rows."""
    if not embeddings:
        raise InputError("embeddings is empty: expected at least one panel")
    counts, labels = [], []
    for name, pair in embeddings.items():
        with _naming(name):
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise InputError(f"expected (vectors, labels), got {type(pair).__name__}")
            shape = np.shape(pair[0])
            if len(shape) != 2:
                raise InputError(f"vectors has shape {shape}: expected (N, D)")
            counts.append(shape[0])
            if pair[1] is not None:
                label_groups(pair[1], counts[-1])
                labels.append(np.asarray(pair[1]))
    if not labels:
        return [label_groups(None, count) for count in counts]
    if len(labels) < len(counts):
        raise InputError("embeddings: some panels have labels and some have none: expected all or none")
    ends = np.cumsum([0, *counts])
    joint = label_groups(np.concatenate(labels), ends[-1])
    return [[(name, rows[(rows >= a) & (rows < b)] - a) for name, rows in joint] for a, b in pairwise(ends)]


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Refusals within say which panel they are about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"embeddings[{name!r}]: {error}") from None
