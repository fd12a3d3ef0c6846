"""Projections against scikit-learn, and what is in the picture of an embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from sklearn.decomposition import PCA

from graphvae._check import InputError
from graphvae.plots import embedding
from graphvae.plots.embedding import plot_embedding, project


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were written, to look into."""
    figures: list[Figure] = []
    save = embedding.save_figure

    def keep(figure, path):
        figures.append(figure)
        return save(figure, path)

    monkeypatch.setattr(embedding, "save_figure", keep)
    return figures


def blobs(n: int, d: int = 5, groups: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, groups, n)
    return rng.normal(0, 4, (groups, d))[labels] + rng.normal(size=(n, d)), labels


@pytest.mark.parametrize(("n", "d"), [(50, 5), (4, 30), (10, 2)])
def test_pca_equals_scikit_learn(n: int, d: int) -> None:
    vectors = np.random.default_rng(n).normal(size=(n, d))
    points, names = project(vectors)
    oracle = PCA(2, svd_solver="full").fit(vectors)
    # The sign of an axis is free.
    assert np.abs(points) == pytest.approx(np.abs(oracle.transform(vectors)), abs=1e-10)
    assert names[0] == f"PC 1 ({oracle.explained_variance_ratio_[0]:.0%} of variance)"


def test_pca_signs_are_settled() -> None:
    vectors, _ = blobs(40)
    points, _ = project(vectors)
    centred = vectors - vectors.mean(axis=0)
    loadings = np.linalg.lstsq(centred, points, rcond=None)[0]
    assert (loadings[np.abs(loadings).argmax(axis=0), [0, 1]] > 0).all()
    assert project(vectors)[0].tobytes() == points.tobytes()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_small_and_flat_tables_are_drawn(tmp_path: Path, shape: tuple[int, int], method: str) -> None:
    for vectors in (np.zeros(shape), np.random.default_rng(0).normal(size=shape)):
        points, _ = project(vectors, method=method)
        assert points.shape == (shape[0], 2)
        assert np.isfinite(points).all()
        plot_embedding(vectors, path=tmp_path / "x.png", method=method)


def test_tsne_keeps_groups_together_and_is_repeatable() -> None:
    vectors, labels = blobs(90)
    points, names = project(vectors, method="tsne", seed=3)
    assert names == ("t-SNE 1", "t-SNE 2")
    assert project(vectors, method="tsne", seed=3)[0].tobytes() == points.tobytes()
    centres = np.stack([points[labels == k].mean(axis=0) for k in range(3)])
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.95


def test_groups_differ_in_colour_and_marker_and_are_named(tmp_path: Path, drawn: list[Figure]) -> None:
    vectors, labels = blobs(60, groups=9)
    plot_embedding(vectors, labels, path=tmp_path / "x.png")
    (figure,) = drawn
    marks = figure.axes[0].collections
    assert sum(len(mark.get_offsets()) for mark in marks) == 60
    assert len({mark.get_paths()[0].vertices.tobytes() for mark in marks}) == 9
    assert len({mark.get_facecolor().tobytes() for mark in marks[:7]}) == 7
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [str(k) for k in range(9)]


def test_without_labels_there_is_no_legend(tmp_path: Path, drawn: list[Figure]) -> None:
    plot_embedding(blobs(30)[0], path=tmp_path / "x.svg")
    plot_embedding(blobs(30)[0], ["one"] * 30, path=tmp_path / "y.svg", title="Mine")
    assert [figure.legends for figure in drawn] == [[], []]
    assert [figure.axes[0].get_title(loc="left") for figure in drawn] == ["30 nodes, PCA of 5 dimensions", "Mine"]


def test_unknown_and_rare_groups_are_grey_and_last(tmp_path: Path, drawn: list[Figure]) -> None:
    labels = np.concatenate([np.repeat(np.arange(-1, 25), 4), [30, 31]])
    plot_embedding(np.random.default_rng(0).normal(size=(labels.size, 3)), labels, path=tmp_path / "x.png")
    (figure,) = drawn
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*map(str, range(18)), "unknown", "other (9 groups)"]
    marks = figure.axes[0].collections
    assert [len(mark.get_offsets()) for mark in marks] == [*[4] * 19, 7 * 4 + 2]
    for mark in marks[-2:]:
        assert len(set(mark.get_facecolor()[0, :3])) == 1
        assert mark.get_zorder() < min(other.get_zorder() for other in marks[:-2])


def test_string_labels(tmp_path: Path, drawn: list[Figure]) -> None:
    plot_embedding(blobs(4)[0], np.array(["b", "a", "b", "zoë"], dtype=object), path=tmp_path / "x.png")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["a", "b", "zoë"]


def test_the_picture_has_ink_and_is_the_same_again(tmp_path: Path) -> None:
    vectors, labels = blobs(200)
    first = plot_embedding(vectors, labels, path=tmp_path / "new" / "a.png").read_bytes()
    assert plot_embedding(vectors, labels, path=str(tmp_path / "b.png")).read_bytes() == first
    pixels = imread(tmp_path / "b.png")
    assert 0.01 < (pixels[..., :3] < 0.9).any(axis=-1).mean() < 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: plot_embedding(np.zeros(3), path=p), r"vectors has shape \(3,\)"),
        (lambda p: plot_embedding(np.zeros((0, 2)), path=p), r"vectors has shape \(0, 2\)"),
        (lambda p: plot_embedding([[np.nan, 1.0]], path=p), "vectors contains"),
        (lambda p: plot_embedding(np.zeros((2, 2)), [0], path=p), r"labels has shape \(1,\)"),
        (lambda p: plot_embedding(np.zeros((2, 2)), [0.5, 1.5], path=p), "labels are of type float64"),
        (lambda p: plot_embedding(np.zeros((2, 2)), path=p, method="umap"), "method='umap'"),
        (lambda p: plot_embedding(np.zeros((2, 2)), path=p, seed=-1), "seed=-1"),
        (lambda p: plot_embedding(np.zeros((2, 2)), path=p.with_suffix(".gif")), "ending in .png or .svg"),
    ],
)
def test_refusals_name_the_argument_and_leave_no_file(tmp_path: Path, call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
