"""What is in the picture of a training run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphvae._check import InputError
from graphvae.plots import history
from graphvae.plots.history import plot_history


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    save = history.save_figure

    def keep(figure, path):
        figures.append(figure)
        return save(figure, path)

    monkeypatch.setattr(history, "save_figure", keep)
    return figures


def run(epochs: int, *keys: str) -> list[dict[str, float]]:
    return [
        {"epoch": e, "loss": 1 / e, **{key: 0.1 * k + e / 100 for k, key in enumerate(keys)}}
        for e in range(1, epochs + 1)
    ]


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def test_terms_stand_apart_in_panels(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = run(20, "reconstruction", "kl", "val_auc", "val_ap")
    path = plot_history(rows, tmp_path / "x.png", title="a run")
    assert path.read_bytes().startswith(b"\x89PNG")
    found = panels(drawn[0])
    assert list(found) == ["Loss", "Reconstruction", "KL divergence", "Validation"]
    for title, key in (("Loss", "loss"), ("Reconstruction", "reconstruction"), ("KL divergence", "kl")):
        (line,) = found[title].get_lines()
        assert line.get_xdata().tolist() == [row["epoch"] for row in rows]
        assert line.get_ydata().tolist() == [row[key] for row in rows]
    auc, ap = found["Validation"].get_lines()
    assert auc.get_ydata() == pytest.approx([100 * row["val_auc"] for row in rows])
    assert auc.get_linestyle() != ap.get_linestyle()
    assert [text.get_text() for text in found["Validation"].get_legend().get_texts()] == ["AUC", "AP"]
    assert found["KL divergence"].get_ylabel() == found["Reconstruction"].get_ylabel() == "nats"


@pytest.mark.parametrize(
    ("keys", "titles"),
    [
        ((), ["Loss"]),
        (("reconstruction",), ["Loss", "Reconstruction"]),
        (("reconstruction", "kl"), ["Loss", "Reconstruction", "KL divergence"]),
        (("reconstruction", "val_ap"), ["Loss", "Reconstruction", "Validation"]),
    ],
)
def test_panels_of_what_was_recorded_only(tmp_path: Path, drawn: list[Figure], keys, titles: list[str]) -> None:
    plot_history(run(5, *keys), tmp_path / "x.svg")
    assert list(panels(drawn[0])) == titles
    assert all(axes.get_lines() for axes in drawn[0].axes)


def test_values_recorded_now_and_then_are_joined_and_gaps_are_gaps(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = run(9)
    rows[2]["val_auc"], rows[5]["val_auc"], rows[7]["val_auc"] = 0.5, 0.75, None
    rows[4]["loss"] = math.nan
    rows[6]["loss"] = math.inf
    plot_history(rows, tmp_path / "x.png")
    found = panels(drawn[0])
    (auc,) = found["Validation"].get_lines()
    assert (auc.get_xdata().tolist(), auc.get_ydata().tolist()) == ([3, 6], [50, 75])
    (loss,) = found["Loss"].get_lines()
    assert np.flatnonzero(np.isnan(loss.get_ydata())).tolist() == [4, 6]


def test_a_single_epoch_is_seen(tmp_path: Path, drawn: list[Figure]) -> None:
    plot_history(run(1, "kl"), tmp_path / "x.png")
    assert {axes.get_lines()[0].get_marker() for axes in drawn[0].axes} == {"o"}


def test_bad_histories_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="history is empty"):
        plot_history([], tmp_path / "x.png")
    with pytest.raises(InputError, match="without 'epoch'"):
        plot_history([{"loss": 1.0}], tmp_path / "x.png")
    with pytest.raises(InputError, match="without 'loss'"):
        plot_history([{"epoch": 1, "loss": None}], tmp_path / "x.png")
    with pytest.raises(InputError, match="ending in"):
        plot_history(run(1), tmp_path / "x.pdf")
    assert list(tmp_path.iterdir()) == []
