"""A reliability diagram: predicted against observed shares of edges."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphvae._check import InputError
from graphvae.plots.style import COLOURS, check_path, new_figure, save_figure, tidy

__all__ = ["plot_reliability"]


def plot_reliability(
    bins: Mapping[str, Sequence[float]], path: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Draw the bins with their 95 % intervals beside the diagonal, on which a calibrated model lies.

    Args:
        bins: ``predicted``, ``observed``, ``low`` and ``high``, equally many each, in [0, 1].
        path: ``.png`` or ``.svg`` file, written atomically.
        title: above the diagram.

    Returns:
        The path written to.

    Raises:
        InputError: for a missing key, unequal lengths or no bin.
    """
    target = check_path(path)
    values = {}
    for name in ("predicted", "observed", "low", "high"):
        if name not in bins:
            raise InputError(f"bins has no {name!r}: expected predicted, observed, low and high")
        values[name] = np.asarray(bins[name], dtype=np.float64)
    sizes = {name: array.shape for name, array in values.items()}
    if len(set(sizes.values())) > 1 or values["predicted"].ndim != 1 or not values["predicted"].size:
        raise InputError(f"bins have shapes {sizes}: expected one length, at least 1")
    figure = new_figure(4.6, 4.4)
    axes = figure.subplots()
    tidy(axes)
    end = 1.05 * max(values["predicted"].max(), values["high"].max())
    axes.plot([0, end], [0, end], "--", color="0.6", linewidth=1.0, label="calibrated")
    low, high = values["observed"] - values["low"], values["high"] - values["observed"]
    spread = np.maximum(np.stack([low, high]), 0.0)
    axes.errorbar(
        values["predicted"], values["observed"], yerr=spread, fmt="o", color=COLOURS[0], capsize=2, label="bins"
    )
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("share of held-out edges")
    axes.set_xlim(0, end)
    axes.set_ylim(0, end)
    axes.legend(frameon=False)
    if title:
        axes.set_title(title, loc="left", fontsize=11)
    return save_figure(figure, target)
