"""A picture of a training run: each term of the objective in a panel of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError
from graphvae.plots.style import COLOURS, LINE_STYLES, check_path, new_figure, save_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_history"]

# Panels in order: title, label of the vertical axis, and the keys drawn in it with their names.
_PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Loss", "loss", {"loss": "loss"}),
    ("Reconstruction", "nats", {"reconstruction": "reconstruction"}),
    ("KL divergence", "nats", {"kl": "KL"}),
    ("Validation", "%", {"val_auc": "AUC", "val_ap": "AP"}),
)


def plot_history(
    history: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Draw the history of a training run and write the picture.

    Terms differ by orders of magnitude and stand apart, so each has its own panel and scale.

    Args:
        history: one mapping per recorded epoch, with ``epoch`` and ``loss`` and, where recorded, ``reconstruction``
            and ``kl`` (nats), ``val_auc`` and ``val_ap`` (in [0, 1], drawn in %). A key may be missing, or None, in
            some epochs; its panel is left out when it is in none. Values that are not finite leave a gap.
        path: ``.png`` or ``.svg`` file, written atomically.
        title: above the panels.

    Returns:
        The path written to.

    Raises:
        InputError: if the history is empty, or has no epochs or losses.
    """
    target = check_path(path)
    if len(history) == 0:
        raise InputError("history is empty: expected at least one epoch")
    for key in ("epoch", "loss"):
        if any(row.get(key) is None for row in history):
            raise InputError(f"history has a row without {key!r}: expected one in each")
    panels = []
    for heading, unit, keys in _PANELS:
        curves = {name: curve for key, name in keys.items() if (curve := _curve(history, key))[0].size}
        if curves:
            panels.append((heading, unit, curves))
    rows, columns = (2, 2) if len(panels) == 4 else (1, len(panels))
    figure = new_figure(4.3 * columns, 2.9 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, (heading, unit, curves) in zip(grid.flat, panels, strict=True):
        _panel(axes, heading, unit, curves)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    if title:
        figure.suptitle(title)
    return save_figure(figure, target)


def _panel(axes: Axes, heading: str, unit: str, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    from matplotlib.ticker import MaxNLocator

    tidy(axes)
    for k, (name, (epochs, values)) in enumerate(curves.items()):
        scale = 100.0 if unit == "%" else 1.0
        marker = "o" if epochs.size == 1 else None  # a line of one point would not be seen
        axes.plot(epochs, scale * values, LINE_STYLES[k], marker=marker, color=COLOURS[k], linewidth=1.6, label=name)
    axes.set_title(heading, loc="left", fontsize=11)
    axes.set_ylabel(unit)
    axes.margins(x=0.02)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    axes.locator_params(axis="y", nbins=5)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if len(curves) > 1:
        axes.legend(frameon=False)


def _curve(history: Sequence[Mapping[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and values of ``key`` where it was recorded."""
    rows = [(row["epoch"], row[key]) for row in history if row.get(key) is not None]
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], np.where(np.isfinite(table[:, 1]), table[:, 1], np.nan)
