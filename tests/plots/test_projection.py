"""Panels of projections beside each other: each its own points, all the same colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from graphvae._check import InputError
from graphvae.plots import projection
from graphvae.plots.embedding import project
from graphvae.plots.projection import plot_projections


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    save = projection.save_figure

    def keep(figure, path):
        figures.append(figure)
        return save(figure, path)

    monkeypatch.setattr(projection, "save_figure", keep)
    return figures


def codes(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    return rng.normal(size=(n, d)) + 3 * labels[:, None], labels


def marks(axes: Axes) -> dict[str, tuple[bytes, bytes]]:
    """Colour and marker of each group by its name."""
    return {
        mark.get_label(): (mark.get_facecolor().tobytes(), mark.get_paths()[0].vertices.tobytes())
        for mark in axes.collections
    }


def test_each_panel_shows_its_own_projection(tmp_path: Path, drawn: list[Figure]) -> None:
    panels = {"AE": codes(30, 4), "VAE": codes(45, 7, 1)}
    plot_projections(panels, tmp_path / "x.png", method="pca")
    (figure,) = drawn
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["AE", "VAE"]
    for axes, (vectors, labels) in zip(figure.axes, panels.values(), strict=True):
        points, names = project(vectors)
        assert (axes.get_xlabel(), axes.get_ylabel()) == names
        for mark in axes.collections:
            assert np.array_equal(mark.get_offsets(), points[labels == int(mark.get_label())])


def test_a_label_looks_the_same_in_all_panels_even_where_others_are_missing(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    vectors, _ = codes(6, 3)
    first, second = ["b", "b", "c", "c", "d", "d"], ["a", "d", "d", "c", "c", "c"]
    plot_projections({"x": (vectors, first), "y": (vectors, second)}, tmp_path / "x.png", method="pca")
    left, right = map(marks, drawn[0].axes)
    assert left == right
    assert len(set(left.values())) == 4
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c", "d"]
    sizes = [[len(mark.get_offsets()) for mark in axes.collections] for axes in drawn[0].axes]
    assert sizes == [[0, 2, 2, 2], [1, 0, 3, 2]]


def test_unknown_labels_are_grey_and_without_labels_there_is_no_legend(tmp_path: Path, drawn: list[Figure]) -> None:
    vectors, labels = codes(20, 3)
    plot_projections({"x": (vectors, np.where(labels == 2, -1, labels))}, tmp_path / "a.png", method="pca")
    plot_projections({"x": (vectors, None), "y": (vectors[:5], None)}, tmp_path / "b.png", method="pca", title="Mine")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["0", "1", "unknown"]
    grey = drawn[0].axes[0].collections[-1].get_facecolor()[0, :3]
    assert len(set(grey)) == 1
    assert drawn[1].legends == []
    assert [figure.get_suptitle() for figure in drawn] == ["PCA of the embeddings", "Mine"]


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3))])
def test_panels_fill_rows(tmp_path: Path, drawn: list[Figure], count: int, shape: tuple[int, int]) -> None:
    plot_projections({str(k): codes(5, 2, k) for k in range(count)}, tmp_path / "x.png", method="pca")
    grid = drawn[0].axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == shape
    assert [axes.axison for axes in drawn[0].axes] == [k < count for k in range(shape[0] * shape[1])]


def test_tsne_is_repeatable_to_the_byte(tmp_path: Path, drawn: list[Figure]) -> None:
    panels = {"AE": codes(40, 4), "VAE": codes(40, 4, 1)}
    first = plot_projections(panels, tmp_path / "new" / "a.png", seed=3).read_bytes()
    assert plot_projections(panels, str(tmp_path / "b.png"), seed=3).read_bytes() == first
    assert drawn[0].axes[1].get_xlabel() == "t-SNE 1"
    assert drawn[0].get_suptitle() == "t-SNE of the embeddings"
    pixels = imread(tmp_path / "b.png")
    assert pixels.shape[1] > 1.5 * pixels.shape[0]
    assert 0.01 < (pixels[..., :3] < 0.9).any(axis=-1).mean() < 0.5


@pytest.mark.parametrize(
    ("panels", "options", "message"),
    [
        ({}, {}, "embeddings is empty"),
        ({"AE": np.zeros((4, 2))}, {}, r"embeddings\['AE'\]: expected \(vectors, labels\), got ndarray"),
        ({"AE": (np.zeros(3), None)}, {}, r"embeddings\['AE'\]: vectors has shape \(3,\)"),
        ({"AE": ([[np.nan, 1.0]], None)}, {}, r"embeddings\['AE'\]: vectors contains"),
        ({"AE": (np.zeros((2, 2)), [0, 1, 2])}, {}, r"embeddings\['AE'\]: labels has shape \(3,\)"),
        ({"AE": (np.zeros((2, 2)), [0.5, 1])}, {}, r"embeddings\['AE'\]: labels are of type float64"),
        ({"AE": (np.zeros((2, 2)), [0, 1]), "VAE": (np.zeros((2, 2)), None)}, {}, "expected all or none"),
        ({"AE": (np.zeros((2, 2)), None)}, {"method": "umap"}, "method='umap'"),
        ({"AE": (np.zeros((2, 2)), None)}, {"seed": -1}, "seed=-1"),
    ],
)
def test_refusals_name_the_panel_and_leave_no_file(tmp_path: Path, panels, options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_projections(panels, tmp_path / "x.png", **options)
    with pytest.raises(InputError, match="ending in"):
        plot_projections({"AE": codes(5, 2)}, tmp_path / "x.gif")
    assert list(tmp_path.iterdir()) == []
