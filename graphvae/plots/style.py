"""One look for all pictures, without matplotlib's global state: figures, colours with markers, files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from graphvae._check import InputError, suggest
from graphvae._files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "GREY", "LINE_STYLES", "MARKERS", "check_path", "new_figure", "save_figure", "tidy"]

# Okabe & Ito (2008), told apart in all common kinds of colour blindness; yellow, too pale on white, left out.
# Ordered so that neighbours differ in lightness, too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#D55E00")
GREY = "0.65"  # of what belongs to no group
# Eleven, so that colour and marker repeat together only after 77 groups. All are filled, none depends on an edge.
MARKERS = ("o", "^", "s", "D", "P", "v", "X", "*", "<", "p", ">")
LINE_STYLES = ("-", "--", ":", "-.")

_SUFFIXES = (".png", ".svg")


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, in inches, that no pyplot knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """Light grid behind the data, no frame at the top and right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG (150 dots per inch) or SVG; it appears whole or not at all, its folder is made.

    Raises:
        InputError: if the suffix is neither ``.png`` nor ``.svg``.
    """
    target = check_path(path)
    suffix = target.suffix.lower()
    # Without a date the same picture is the same file (SVG still numbers its parts at random).
    metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
    with atomic_path(target) as temporary:
        figure.savefig(temporary, format=suffix[1:], dpi=150, metadata=metadata)
    return target


def check_path(path: str | os.PathLike[str]) -> Path:
    """``path`` if a picture can be written there, so that a bad one is refused before any work is done."""
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in _SUFFIXES:
        hint = suggest(suffix, _SUFFIXES) if suffix else ""
        raise InputError(f"path={str(target)!r}: expected a file name ending in {' or '.join(_SUFFIXES)}{hint}")
    return target
