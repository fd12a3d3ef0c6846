"""What is in the pictures of images, dot by dot, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from graphvae._check import InputError
from graphvae.plots import images
from graphvae.plots.images import plot_grid, plot_manifold, plot_reconstructions


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were written, to look into."""
    figures: list[Figure] = []
    save = images.save_figure

    def keep(figure, path):
        figures.append(figure)
        return save(figure, path)

    monkeypatch.setattr(images, "save_figure", keep)
    return figures


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape)


def levels(*shape: int) -> np.ndarray:
    """Images of one pixel, each of a grey of its own, in order."""
    return np.linspace(0, 1, int(np.prod(shape))).reshape(*shape, 1)


def centres(figure: Figure, rows: int, columns: int, together: int = 0) -> np.ndarray:
    """The bytes ``(rows, columns, 3)`` in the middle of each cell, found without the module's own sizes."""
    dots = np.asarray(figure.axes[0].images[0].get_array())
    if together:
        # Rows of white longer than a margin are gaps between the blocks; the image is not white in its first column.
        white = (dots == 255).all(axis=(1, 2))
        margin = int(np.argmin(white))
        runs = np.split(np.arange(len(white)), np.flatnonzero(np.diff(white)) + 1)
        dots = np.delete(dots, [r for run in runs if white[run[0]] for r in run[2 * margin :]], axis=0)
    height, width = dots.shape[0] // rows, dots.shape[1] // columns
    assert dots.shape == (rows * height, columns * width, 3)
    return dots[height // 2 :: height, width // 2 :: width]


def greys(x: np.ndarray) -> np.ndarray:
    return np.rint(255 * x)


def test_images_are_laid_out_row_by_row_and_the_rest_is_white(tmp_path: Path, drawn: list[Figure]) -> None:
    x = levels(7) * 0.9
    plot_grid(x, tmp_path / "a.png")
    plot_grid(x, tmp_path / "b.png", columns=4)
    plot_grid(x, tmp_path / "c.png", rows=4)
    plot_grid(x, tmp_path / "d.png", rows=1, columns=5)
    for figure, (rows, columns) in zip(drawn, [(3, 3), (2, 4), (4, 2), (1, 5)], strict=True):
        seen = centres(figure, rows, columns)[..., 0].ravel()
        count = min(7, rows * columns)
        assert seen[:count].tolist() == greys(x[:count, 0]).tolist()
        assert (seen[count:] == 255).all()


def test_a_grid_of_images_keeps_its_rows_and_columns(tmp_path: Path, drawn: list[Figure]) -> None:
    x = levels(2, 5)
    plot_grid(x, tmp_path / "a.png", row_labels=["up", "down"], column_labels=range(5), title="Five")
    plot_grid(x[..., None, None], tmp_path / "b.png", rows=2, columns=5)
    for figure in drawn:
        assert centres(figure, 2, 5)[..., 0].tolist() == greys(x[..., 0]).tolist()
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["up", "down"]
    assert [text.get_text() for text in axes.get_xticklabels()] == list("01234")
    assert axes.get_ylim()[0] > axes.get_yticks()[1] > axes.get_yticks()[0]  # the first row is on top
    assert drawn[0].get_suptitle() == "Five"
    assert drawn[1].axes[0].get_yticks().size == drawn[1].axes[0].get_xticks().size == 0


@pytest.mark.parametrize("image_shape", [None, (3, 4, 6)])
def test_every_pixel_is_drawn_in_its_place_and_colour(
    tmp_path: Path, drawn: list[Figure], image_shape: tuple[int, ...] | None
) -> None:
    x = 0.8 * noise(1, 3, 4, 6)
    plot_grid(x if image_shape is None else x.reshape(1, -1), tmp_path / "x.png", image_shape=image_shape)
    dots = np.asarray(drawn[0].axes[0].images[0].get_array())
    inner = np.flatnonzero((dots < 210).any(axis=(1, 2)))
    outer = np.flatnonzero((dots < 210).any(axis=(0, 2)))
    block = dots[inner[0] : inner[-1] + 1, outer[0] : outer[-1] + 1]
    zoom = len(inner) // 4
    assert block.shape == (4 * zoom, 6 * zoom, 3)
    expected = greys(x[0].transpose(1, 2, 0)).repeat(zoom, axis=0).repeat(zoom, axis=1)
    assert np.array_equal(block, expected)


def test_flat_rows_are_squares_or_of_the_shape_given(tmp_path: Path) -> None:
    x = noise(4, 36)
    square = plot_grid(x, tmp_path / "a.png").read_bytes()
    assert plot_grid(x, tmp_path / "b.png", image_shape=(6, 6)).read_bytes() == square
    assert plot_grid(x.reshape(4, 1, 6, 6), tmp_path / "c.png", image_shape=(1, 6, 6)).read_bytes() == square
    wide = plot_grid(x, tmp_path / "d.png", image_shape=(4, 9)).read_bytes()
    assert wide != square
    assert imread(tmp_path / "d.png").shape[1] > 1.5 * imread(tmp_path / "d.png").shape[0]


def test_values_beyond_black_and_white_are_cut_and_left_alone(tmp_path: Path, drawn: list[Figure]) -> None:
    x = np.array([[-1e300], [-0.2], [0.5], [1.3], [1e300]])
    before = x.copy()
    plot_grid(x, tmp_path / "x.png", rows=1)
    assert centres(drawn[0], 1, 5)[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert np.array_equal(x, before)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32])
def test_all_real_types_are_taken(tmp_path: Path, drawn: list[Figure], dtype: type) -> None:
    plot_grid(np.array([[0], [1]], dtype=dtype), tmp_path / "x.png", rows=1)
    assert centres(drawn[0], 1, 2)[0, :, 0].tolist() == [0, 255]


def test_originals_stand_above_their_reconstructions(tmp_path: Path, drawn: list[Figure]) -> None:
    x, y = 0.4 * levels(13), 0.5 + 0.4 * levels(13)
    plot_reconstructions(x, y, tmp_path / "a.png", title="Pairs")
    plot_reconstructions(x, y, tmp_path / "b.png", rows=1, columns=4)
    plot_reconstructions(x[:3], y[:3], tmp_path / "c.png")
    for figure, (rows, columns) in zip(drawn, [(2, 10), (1, 4), (1, 3)], strict=True):
        seen = centres(figure, 2 * rows, columns, together=2)[..., 0].reshape(rows, 2, columns)
        count = min(13, rows * columns)
        assert seen[:, 0].ravel()[:count].tolist() == greys(x[:count, 0]).tolist()
        assert seen[:, 1].ravel()[:count].tolist() == greys(y[:count, 0]).tolist()
        names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
        assert names == ["original", "reconstruction"] * rows


def test_the_manifold_is_a_map(tmp_path: Path, drawn: list[Figure]) -> None:
    steps, extent = 5, 2.0
    x = 0.9 * levels(steps, steps)
    plot_manifold(x, tmp_path / "x.png", extent=extent, dims=(2, 7))
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latent coordinate z[2]", "latent coordinate z[7]")
    dots = np.asarray(axes.images[0].get_array())
    left, right, bottom, top = axes.images[0].get_extent()
    line = np.linspace(-extent, extent, steps)
    for i, first in enumerate(line):
        for j, second in enumerate(line):
            column = int((first - left) / (right - left) * dots.shape[1])
            row = int((top - second) / (top - bottom) * dots.shape[0])
            assert dots[row, column, 0] == greys(x[i, j])
    # In the picture, too, the first coordinate grows to the right and the second upwards.
    (x0, y0), (x1, y1) = axes.transData.transform([(-1, -1), (1, 1)])
    assert x1 > x0
    assert y1 > y0
    assert axes.get_xticks() == pytest.approx(line)


@pytest.mark.parametrize("shape", [(5, 20), (20, 5)])
def test_images_of_the_manifold_keep_their_proportions(
    tmp_path: Path, drawn: list[Figure], shape: tuple[int, int]
) -> None:
    plot_manifold(noise(3, 3, 100), tmp_path / "x.png", image_shape=shape)
    axes = drawn[0].axes[0]
    box = axes.get_window_extent()
    rows, columns = np.asarray(axes.images[0].get_array()).shape[:2]
    assert box.height / box.width == pytest.approx(rows / columns, rel=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 12), (12, 1), (3, 7), (20, 20)])
def test_labels_and_titles_lie_within_the_picture(tmp_path: Path, drawn: list[Figure], rows: int, columns: int) -> None:
    row_labels = [f"row number {r}" for r in range(rows)]
    column_labels = [f"column number {c}" for c in range(columns)]
    x = noise(rows, columns, 4)
    plot_grid(x, tmp_path / "a.png", row_labels=row_labels, column_labels=column_labels, title="A title " * 5)
    plot_reconstructions(x[0], x[0], tmp_path / "b.png")
    if rows == columns > 1:
        plot_manifold(x, tmp_path / "c.png", title="A title " * 5)
    for figure in drawn:
        box = figure.get_tightbbox()  # inches
        width, height = figure.get_size_inches()
        assert box.x0 > -0.01
        assert box.y0 > -0.01
        assert box.x1 < width + 0.01
        assert box.y1 < height + 0.01
        assert max(width, height) < 13


def test_long_column_labels_are_turned(tmp_path: Path, drawn: list[Figure]) -> None:
    for names in (["a", "b"], ["much longer than its column is wide"] * 2):
        plot_grid(noise(2, 4), tmp_path / "x.png", column_labels=names)
    assert [figure.axes[0].get_xticklabels()[0].get_rotation() for figure in drawn] == [0, 90]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_files_are_whole_and_where_they_were_wanted(tmp_path: Path, suffix: str) -> None:
    x = noise(4, 4, 9)
    paths = [
        plot_grid(x, tmp_path / "new" / f"grid{suffix}"),
        plot_reconstructions(x[0], x[1], str(tmp_path / "new" / f"pairs{suffix}")),
        plot_manifold(x, tmp_path / "new" / f"map{suffix}"),
    ]
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    for path in paths:
        if suffix == ".png":
            pixels = imread(path)
            assert min(pixels.shape[:2]) > 150
            assert (pixels[..., :3] < 0.9).any(axis=-1).mean() > 0.2
        else:
            assert b"<image" in path.read_bytes()


def test_the_same_picture_is_the_same_file(tmp_path: Path) -> None:
    x = noise(3, 3, 16)
    for draw in (
        lambda p: plot_grid(x, p),
        lambda p: plot_reconstructions(x[0], x[1], p),
        lambda p: plot_manifold(x, p),
    ):
        assert draw(tmp_path / "a.png").read_bytes() == draw(tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: plot_grid(np.zeros(4), p), r"images has shape \(4,\): expected \(N, D\)"),
        (lambda p: plot_grid(np.zeros((0, 4)), p), r"images has shape \(0, 4\)"),
        (lambda p: plot_grid([[1.0], [1.0, 2.0]], p), "images: expected an array"),
        (lambda p: plot_grid([["a"]], p), "images contains other than finite numbers"),
        (lambda p: plot_grid([[np.nan]], p), "images contains other than finite numbers"),
        (lambda p: plot_grid(np.full((2, 4), 255, np.uint8), p), r"integers up to 255: .*divide by 255"),
        (lambda p: plot_grid(np.zeros((2, 5)), p), r"image_shape=None: expected \(C, H, W\), as the 5 values"),
        (lambda p: plot_grid(np.zeros((2, 2, 3, 3)), p), "images have 2 channels"),
        (lambda p: plot_grid(np.zeros((2, 8)), p, image_shape=(2, 2, 2)), "images have 2 channels"),
        (lambda p: plot_grid(np.zeros((2, 9)), p, image_shape=(2, 3)), r"image_shape=\(2, 3\) does not fit"),
        (lambda p: plot_grid(np.zeros((2, 1, 2, 3)), p, image_shape=(3, 2)), r"image_shape=\(3, 2\) does not fit"),
        (lambda p: plot_grid(np.zeros((2, 9)), p, image_shape=9), r"image_shape=9: expected \(C, H, W\) or \(H, W\)"),
        (lambda p: plot_grid(np.zeros((2, 9)), p, image_shape=(9,)), r"image_shape=\(9,\): expected \(C, H, W\)"),
        (lambda p: plot_grid(np.zeros((2, 9)), p, image_shape=(0, 9)), "image_shape=0: expected a value at least 1"),
        (lambda p: plot_grid(np.zeros((2, 9)), p, rows=0), "rows=0"),
        (lambda p: plot_grid(np.zeros((2, 9)), p, columns=1.5), "columns=1.5: expected an integer"),
        (lambda p: plot_grid(np.zeros((2, 3, 9)), p, columns=2), r"columns=2: expected 3 or None"),
        (lambda p: plot_grid(np.zeros((2601, 1)), p), "51 rows of 51 images: expected at most 2,500"),
        (lambda p: plot_grid(np.zeros((2, 3, 9)), p, row_labels="abc"), "row_labels has 3 members: expected 2"),
        (lambda p: plot_grid(np.zeros((2, 3, 9)), p, column_labels=[]), "column_labels has 0 members: expected 3"),
        (lambda p: plot_grid(np.zeros((2, 9)), p.with_suffix(".jpg")), "ending in .png or .svg"),
        (lambda p: plot_reconstructions(np.zeros((2, 9)), np.zeros((3, 9)), p), r"reconstructions has shape \(3, 9\)"),
        (
            lambda p: plot_reconstructions(np.zeros((2, 3, 9)), np.zeros((2, 3, 9)), p),
            r"originals has shape \(2, 3, 9\)",
        ),
        (lambda p: plot_reconstructions([[1.0], [1.0, 2.0]], np.zeros((2, 1)), p), "originals: expected an array"),
        (lambda p: plot_reconstructions(np.zeros((2, 9)), np.full((2, 9), np.inf), p), "reconstructions contains"),
        (lambda p: plot_reconstructions(np.zeros((2, 9)), np.zeros((2, 9)), p.with_suffix("")), "ending in"),
        (lambda p: plot_manifold(np.zeros((2, 3, 9)), p), r"grid has shape \(2, 3, 9\): expected \(S, S, D\)"),
        (lambda p: plot_manifold(np.zeros((1, 1, 9)), p), "grid has shape"),
        (lambda p: plot_manifold(np.zeros((4, 9)), p), "grid has shape"),
        (lambda p: plot_manifold(np.zeros((2, 2, 9)), p, extent=0), "extent=0"),
        (lambda p: plot_manifold(np.zeros((2, 2, 9)), p, dims=(0, -1)), "dims=-1"),
        (lambda p: plot_manifold(np.zeros((2, 2, 9)), p, dims=(0, 1, 2)), r"dims=\(0, 1, 2\): expected two"),
        (lambda p: plot_manifold(np.zeros((51, 51, 1)), p), "at most 2,500"),
        (lambda p: plot_manifold(np.zeros((2, 2, 9)), p.with_suffix(".pdf")), "ending in"),
    ],
)
def test_refusals_name_the_argument_and_leave_no_file(tmp_path: Path, call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_global_is_touched(tmp_path: Path) -> None:
    code = f"""
import sys
from graphvae.plots.images import plot_grid, plot_manifold, plot_reconstructions
from graphvae.plots.projection import plot_projections
assert "matplotlib" not in sys.modules
import matplotlib
import numpy as np
# Reading "backend" would choose one, and import pyplot.
settings = lambda: {{key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}}
before, draws = settings(), np.random.get_state()[1].tolist()
x = np.arange(16).reshape(2, 2, 4) / 16
plot_grid(x, {str(tmp_path / "a.png")!r})
plot_reconstructions(x[0], x[1], {str(tmp_path / "b.png")!r})
plot_manifold(x, {str(tmp_path / "c.png")!r})
plot_projections({{"a": (x[0], [0, 1])}}, {str(tmp_path / "d.png")!r}, method="pca")
assert "matplotlib.pyplot" not in sys.modules
assert settings() == before
assert np.random.get_state()[1].tolist() == draws
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(list(tmp_path.iterdir())) == 4
