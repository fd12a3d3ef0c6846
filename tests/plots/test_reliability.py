"""The reliability diagram is drawn, and refuses bins that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphvae._check import InputError
from graphvae.plots.reliability import plot_reliability

BINS = {"predicted": [0.9, 0.2], "observed": [0.7, 0.0], "low": [0.5, 0.0], "high": [0.8, 0.1]}


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_written(tmp_path: Path, suffix: str) -> None:
    path = plot_reliability(BINS, tmp_path / f"r.{suffix}", title="Cora")
    assert path.stat().st_size > 1000
    if suffix == "svg":
        assert "predicted probability" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ({k: v for k, v in BINS.items() if k != "low"}, "bins has no 'low'"),
        ({**BINS, "high": [0.8]}, "bins have shapes"),
        ({k: [] for k in BINS}, "bins have shapes"),
    ],
)
def test_bad_bins_are_refused(tmp_path: Path, bins: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_reliability(bins, tmp_path / "r.png")
    assert list(tmp_path.iterdir()) == []
