"""Imports that leave the caller's random numbers alone."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import graphvae
from graphvae._state import random_state_kept


def test_what_is_drawn_inside_is_drawn_again_outside():
    random.seed(4)
    with random_state_kept():
        inside = random.random()
    assert random.random() == inside


def test_it_is_kept_when_the_block_fails():
    state = random.getstate()

    def draw() -> None:
        with random_state_kept():
            random.random()
            raise ImportError

    with pytest.raises(ImportError):
        draw()
    assert random.getstate() == state


@pytest.mark.parametrize(
    "call",
    [
        "import graphvae; graphvae.load_graph('digits-knn')",
        "import graphvae; graphvae.VGAE(epochs=1).fit(graphvae.load_graph('karate'), progress=True)",
        "from graphvae.plots.embedding import plot_embedding as p; p([[i, i * i % 7] for i in range(9)],"
        " path='e.png', method='tsne')",
    ],
    ids=["digits", "progress", "tsne"],
)
def test_first_imports_of_a_fresh_interpreter(call, tmp_path):
    """Only there are the libraries not imported yet."""
    path = str(Path(graphvae.__file__).parents[1])
    script = f"import sys, random; sys.path.insert(0, {path!r}); random.seed(1); state = random.getstate()\n{call}\n"
    script += "sys.exit(0 if random.getstate() == state else 3)"
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
