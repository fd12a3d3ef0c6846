"""Files of pictures, and that no global state of matplotlib is touched."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb

from graphvae._check import InputError
from graphvae.plots.style import COLOURS, MARKERS, check_path, new_figure, save_figure


def luminance(colour: str) -> float:
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_neighbouring_colours_differ_in_grey_and_none_is_too_pale() -> None:
    greys = [luminance(colour) for colour in COLOURS]
    assert max(greys) < 0.8
    assert all(abs(a - b) > 0.04 for a, b in pairwise(greys))
    assert len(set(COLOURS)) == len(COLOURS)


def test_colour_and_marker_repeat_together_late() -> None:
    styles = {(k % len(COLOURS), k % len(MARKERS)) for k in range(len(COLOURS) * len(MARKERS))}
    assert len(styles) == len(COLOURS) * len(MARKERS)


@pytest.mark.parametrize(("name", "magic"), [("x.png", b"\x89PNG\r\n"), ("x.svg", b"<?xml"), ("X.PNG", b"\x89PNG")])
def test_suffix_says_the_format(tmp_path: Path, name: str, magic: bytes) -> None:
    path = save_figure(new_figure(2, 2), tmp_path / name)
    assert path.read_bytes().startswith(magic)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"old")
    figure = new_figure(2, 2)

    def broken(*args, **kwargs) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="no space"):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ending in \.png or \.svg \(did you mean '\.png'\?\)"):
        check_path(tmp_path / "x.pmg")
    with pytest.raises(InputError, match=r"ending in \.png or \.svg$"):
        check_path(tmp_path / "x")


def test_pyplot_and_rcparams_stay_out_of_it(tmp_path: Path) -> None:
    code = f"""
import sys, matplotlib
# Reading "backend" would choose one, and import pyplot.
settings = lambda: {{key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}}
before = settings()
from graphvae.plots.embedding import plot_embedding
from graphvae.plots.history import plot_history
plot_embedding([[0.0, 1.0], [1.0, 0.5]], [0, 1], path={str(tmp_path / "e.png")!r})
plot_history([{{"epoch": 1, "loss": 2.0}}], {str(tmp_path / "h.png")!r})
assert "matplotlib.pyplot" not in sys.modules
assert settings() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "e.png").is_file()


def test_rooms_load_no_matplotlib_until_they_draw() -> None:
    code = "import sys, graphvae.plots.embedding, graphvae.plots.history; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
