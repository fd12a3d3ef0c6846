"""Pictures of pictures: grids of images, reconstructions beside their originals, the manifold of two latent axes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, integer, number
from graphvae.plots.style import check_path, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_grid", "plot_manifold", "plot_reconstructions"]

_MAX_IMAGES = 2500  # in one picture; more would be smaller than a mark
_RESOLUTION = 150  # dots per inch, that of save_figure
_DOTS, _LEAST = 72, 450  # at least so many for the longer side of an image, and of all images together
_MAX_INCHES = 10.0
_CHARACTER = 0.085  # inches, the width of one at 10 points
_FRAME, _WHITE = 217, 255


def plot_grid(
    images: Any,
    path: str | os.PathLike[str],
    *,
    image_shape: Sequence[int] | None = None,
    rows: int | None = None,
    columns: int | None = None,
    row_labels: Sequence[Any] | None = None,
    column_labels: Sequence[Any] | None = None,
    title: str | None = None,
) -> Path:
    """Draw images in rows and columns and write the picture: samples, interpolations, traversals.

    Args:
        images: ``(N, D)`` or ``(N, C, H, W)``, laid out row by row; or ``(R, K, D)`` or ``(R, K, C, H, W)``, R rows of
            K images. Finite; C is 1 (grey) or 3 (red, green, blue). 0 is black and 1 white or full colour; for display
            alone, what lies beyond is drawn as 0 or 1. ``(N, H, W)`` would be read as ``(R, K, D)``: give
            ``x[:, None]``.
        path: ``.png`` or ``.svg`` file, written atomically.
        image_shape: ``(C, H, W)`` or ``(H, W)`` of flat rows; without it a D that is a perfect square is grey, H = W.
        rows: of the layout of N images; only the first ``rows * columns`` are drawn. By default all are, in a layout
            near a square.
        columns: see ``rows``.
        row_labels: one for each row, to its left.
        column_labels: one for each column, above it.
        title: above the picture.

    Returns:
        The path written to.

    Raises:
        InputError: naming the argument, the offending value and what was expected.
    """
    target = check_path(path)
    x = _as_images("images", images, image_shape)
    if x.ndim == 5:
        for name, given, size in (("rows", rows, x.shape[0]), ("columns", columns, x.shape[1])):
            if given is not None and given != size:
                raise InputError(f"{name}={given!r}: expected {size} or None, images being a grid of {x.shape[:2]}")
        rows, columns = x.shape[:2]
        x = x.reshape(-1, *x.shape[2:])
    rows, columns = _layout(len(x), rows, columns, near=math.ceil(math.sqrt(len(x))))
    cells = _cells(x, rows, columns)
    figure = _draw(cells, _labels("row_labels", row_labels, rows), _labels("column_labels", column_labels, columns))
    return _finish(figure, target, title)


def plot_reconstructions(
    originals: Any,
    reconstructions: Any,
    path: str | os.PathLike[str],
    *,
    image_shape: Sequence[int] | None = None,
    rows: int | None = None,
    columns: int | None = None,
    title: str | None = None,
) -> Path:
    """Draw originals with their reconstructions below them and write the picture.

    Args:
        originals: ``(N, D)`` or ``(N, C, H, W)``, as of :func:`plot_grid`.
        reconstructions: of the same shape.
        path: ``.png`` or ``.svg`` file, written atomically.
        image_shape: as of :func:`plot_grid`.
        rows: of pairs; only the first ``rows * columns`` are drawn. By default all are, up to ten in a row.
        columns: see ``rows``.
        title: above the picture.

    Returns:
        The path written to.

    Raises:
        InputError: naming the argument, the offending value and what was expected.
    """
    target = check_path(path)
    x = _as_images("originals", originals, image_shape)
    y = _as_images("reconstructions", reconstructions, image_shape)
    if x.ndim != 4:
        raise InputError(f"originals has shape {np.shape(originals)}: expected (N, D) or (N, C, H, W)")
    if x.shape != y.shape:
        below, above = np.shape(reconstructions), np.shape(originals)
        raise InputError(f"reconstructions has shape {below}: expected {above}, that of originals")
    rows, columns = _layout(len(x), rows, columns, near=10)
    cells = np.stack([_cells(x, rows, columns), _cells(y, rows, columns)], axis=1)
    figure = _draw(cells.reshape(2 * rows, *cells.shape[2:]), ["original", "reconstruction"] * rows, [], together=2)
    return _finish(figure, target, title)


def plot_manifold(
    grid: Any,
    path: str | os.PathLike[str],
    *,
    extent: float = 3.0,
    dims: tuple[int, int] = (0, 1),
    image_shape: Sequence[int] | None = None,
    title: str | None = None,
) -> Path:
    """Draw images decoded from a square of two latent coordinates and write the picture.

    It is a map: the first coordinate grows to the right and the second upwards, as in a scatter plot of the codes.

    Args:
        grid: ``(S, S, D)`` or ``(S, S, C, H, W)``, S at least 2, images as of :func:`plot_grid`. ``grid[i, j]`` is
            decoded from the i-th value of the first coordinate and the j-th of the second, both S evenly spaced values
            from ``-extent`` to ``extent``.
        path: ``.png`` or ``.svg`` file, written atomically.
        extent: of the square, positive.
        dims: the two latent dimensions, counted from 0; they name the axes.
        image_shape: as of :func:`plot_grid`.
        title: above the picture.

    Returns:
        The path written to.

    Raises:
        InputError: naming the argument, the offending value and what was expected.
    """
    target = check_path(path)
    extent = number("extent", extent, low=0, open_low=True)
    if len(dims) != 2:
        raise InputError(f"dims={dims!r}: expected two latent dimensions")
    dims = (integer("dims", dims[0], low=0), integer("dims", dims[1], low=0))
    x = _as_images("grid", grid, image_shape)
    steps = x.shape[0]
    if x.ndim != 5 or x.shape[1] != steps or steps < 2:
        raise InputError(f"grid has shape {np.shape(grid)}: expected (S, S, D) or (S, S, C, H, W), S at least 2")
    upright = x.swapaxes(0, 1)[::-1]
    cells = _cells(upright.reshape(-1, *x.shape[2:]), *_layout(steps**2, steps, steps, near=steps))
    figure = _draw(cells, [], [])
    (axes,) = figure.axes
    (image,) = axes.images
    # Cells are as wide as the spacing, so that the centre of an image lies at its coordinates.
    edge = extent * steps / (steps - 1)
    image.set_extent((-edge, edge, -edge, edge))
    axes.set_aspect(cells.shape[2] / cells.shape[3])
    axes.set_anchor("SW")
    ticks = np.linspace(-extent, extent, steps if steps < 10 else 5)
    for axis, dim in ((axes.xaxis, dims[0]), (axes.yaxis, dims[1])):
        axis.set_ticks(ticks, labels=[f"{tick:.3g}".replace("-", "\N{MINUS SIGN}") for tick in ticks])
        axis.set_tick_params(length=3)
        axis.set_label_text(f"latent coordinate z[{dim}]")
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + 0.6, height + 0.3)
    return _finish(figure, target, title)


def _as_images(name: str, images: Any, image_shape: Sequence[int] | None) -> np.ndarray:
    """``(N, C, H, W)`` or ``(R, K, C, H, W)``, checked."""
    try:
        x = np.asarray(images)
    except ValueError as error:
        raise InputError(f"{name}: expected an array ({error})") from None
    if x.ndim not in (2, 3, 4, 5) or 0 in x.shape:
        raise InputError(
            f"{name} has shape {x.shape}: expected (N, D), (N, C, H, W), (R, K, D) or (R, K, C, H, W), none of them 0"
        )
    if x.dtype.kind not in "biuf" or not bool(np.isfinite(x).all()):
        raise InputError(f"{name} contains other than finite numbers: expected grey values or colours in [0, 1]")
    if x.dtype.kind in "iu" and x.max() > 1:
        raise InputError(f"{name} are integers up to {x.max()}: expected values in [0, 1] (divide by 255?)")
    shape = _as_image_shape(name, x.shape, image_shape)
    if shape[0] not in (1, 3):
        raise InputError(f"{name} have {shape[0]} channels: expected 1 (grey) or 3 (red, green, blue)")
    lead = x.shape[: 1 if x.ndim in (2, 4) else 2]
    return x.reshape(*lead, *shape)


def _as_image_shape(name: str, shape: tuple[int, ...], image_shape: Any) -> tuple[int, int, int]:
    """``(C, H, W)`` of arrays of a shape that may tell it, or may be flat."""
    own = shape[-3:] if len(shape) > 3 else None
    if image_shape is None:
        side = math.isqrt(shape[-1])
        if own is None and side**2 != shape[-1]:
            raise InputError(f"image_shape=None: expected (C, H, W), as the {shape[-1]} values of {name} are no square")
        channels, height, width = own or (1, side, side)
        return channels, height, width
    try:
        sizes = [integer("image_shape", size, low=1) for size in image_shape]
        channels, height, width = sizes if len(sizes) != 2 else (1, *sizes)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"image_shape={image_shape!r}: expected (C, H, W) or (H, W)") from None
    given = (channels, height, width)
    if given != own if own else math.prod(given) != shape[-1]:
        raise InputError(f"image_shape={image_shape!r} does not fit {name} of shape {shape}: expected C H W = D")
    return given


def _layout(n: int, rows: int | None, columns: int | None, *, near: int) -> tuple[int, int]:
    """Rows and columns for ``n`` images; ``near`` columns where neither is given."""
    rows = None if rows is None else integer("rows", rows, low=1)
    columns = None if columns is None else integer("columns", columns, low=1)
    columns = columns or (min(n, near) if rows is None else math.ceil(n / rows))
    rows = rows or math.ceil(n / columns)
    if rows * columns > _MAX_IMAGES:
        raise InputError(f"{rows} rows of {columns} images: expected at most {_MAX_IMAGES:,} images in one picture")
    return rows, columns


def _labels(name: str, labels: Sequence[Any] | None, n: int) -> list[str]:
    texts = [] if labels is None else [str(label) for label in labels]
    if labels is not None and len(texts) != n:
        raise InputError(f"{name} has {len(texts)} members: expected {n}")
    return texts


def _cells(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Images ``(N, C, H, W)`` as ``(rows, columns, h, w, 3)`` bytes, each in a hairline and a margin; white if none."""
    count = min(len(images), rows * columns)
    dots = np.rint(255 * images[:count].astype(np.float64).clip(0, 1)).astype(np.uint8).transpose(0, 2, 3, 1)
    # Enlarged here, by whole dots, the pixels of an image are equal and sharp whatever the resolution of the picture.
    zoom = math.ceil(max(_DOTS, _LEAST / max(rows, columns)) / max(dots.shape[1:3]))
    dots = np.broadcast_to(dots, (*dots.shape[:3], 3)).repeat(zoom, axis=1).repeat(zoom, axis=2)
    # The hairline bounds images that are white at their edges.
    for width, grey in ((1, _FRAME), (math.ceil(max(dots.shape[1:3]) / 40), _WHITE)):
        dots = np.pad(dots, ((0, 0), (width, width), (width, width), (0, 0)), constant_values=grey)
    cells = np.full((rows * columns, *dots.shape[1:]), _WHITE, dtype=np.uint8)
    cells[:count] = dots
    return cells.reshape(rows, columns, *dots.shape[1:])


def _draw(cells: np.ndarray, row_labels: list[str], column_labels: list[str], *, together: int = 0) -> Figure:
    """One axes with all cells; with ``together``, a gap after every so many rows."""
    rows, columns, height, width, _ = cells.shape
    mosaic = cells.transpose(0, 2, 1, 3, 4).reshape(rows, height, columns * width, 3)
    gap = height // 6 if together else 0
    blocks = mosaic.reshape(-1, (together or rows) * height, columns * width, 3)
    blocks = np.pad(blocks, ((0, 0), (0, gap), (0, 0), (0, 0)), constant_values=_WHITE)
    mosaic = blocks.reshape(-1, columns * width, 3)[: -gap or None]
    scale = min(1 / _RESOLUTION, _MAX_INCHES / max(mosaic.shape))  # inches for a dot
    left = _CHARACTER * max(map(len, row_labels), default=-1) + 0.1
    longest_name = max(map(len, column_labels), default=0)
    turned = longest_name * _CHARACTER > width * scale
    top = _CHARACTER * longest_name if turned else 0.2 * bool(column_labels)
    figure = new_figure(mosaic.shape[1] * scale + left, mosaic.shape[0] * scale + top + 0.1)
    axes = figure.subplots()
    axes.imshow(mosaic, extent=(0, mosaic.shape[1], mosaic.shape[0], 0))
    axes.spines[:].set_visible(False)
    # Where labels stand the axes keep their edge as they shrink to their aspect, or the layout leaves too little room.
    axes.set_anchor("NW" if row_labels else "N")
    middles = [(r + 0.5) * height + (r // together * gap if together else 0) for r in range(rows)]
    _mark(axes, "y", middles, row_labels, height * scale)
    _mark(axes, "x", [(c + 0.5) * width for c in range(columns)], column_labels, (width if turned else height) * scale)
    if column_labels:
        axes.xaxis.tick_top()
        axes.xaxis.set_tick_params(labelrotation=90 if turned else 0)
    return figure


def _mark(axes: Axes, which: str, places: list[float], labels: list[str], room: float) -> None:
    """Labels without tick marks, to the left or above, in letters no higher than ``room`` inches."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_ticks(places if labels else [], labels=labels or None)
    axis.set_tick_params(length=0, labelsize=float(np.clip(0.8 * 72 * room, 4.0, 10.0)))


def _finish(figure: Figure, target: Path, title: str | None) -> Path:
    """Title above, room for it, and the file."""
    if title:
        width, height = figure.get_size_inches()
        figure.set_size_inches(max(width, min(_MAX_INCHES, 1.2 * _CHARACTER * len(title) + 0.2)), height + 0.3)
        figure.suptitle(title, fontsize=11)
    return save_figure(figure, target)
