"""Every example runs, on a small setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = {
    "a_model_of_the_graph.py": ["digits-knn", "--epochs", "2"],
    "amortisation_gap.py": ["--epochs", "1", "--images", "10", "--samples", "10", "--steps", "1", "2"],
    "attribute_vector.py": ["--epochs", "1", "--out", "attribute.svg"],
    "choose_latent_dim.py": ["--epochs", "1", "--dims", "2", "4", "--folds", "2", "--samples", "5"],
    "climb_a_property.py": ["--epochs", "1", "--steps", "3"],
    "cora_as_in_the_paper.py": ["digits-knn", "--epochs", "2"],
    "custom_encoder.py": ["digits-knn", "--epochs", "2"],
    "export_to_a_classifier.py": ["digits-knn", "--epochs", "2"],
    "fine_tune_a_classifier.py": ["--epochs", "1", "--runs", "2", "--steps", "2"],
    "installed_packages.py": ["safetensors", "narwhals", "--epochs", "2"],
    "own_edge_list.py": [],
}


def test_every_example_is_listed() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_example_runs(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXAMPLES / name), *SMALL[name]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "nan" not in done.stdout
    pictures = [path.suffix for path in tmp_path.iterdir() if path.stat().st_size > 1000]
    assert bool(pictures) == ("--out" in (EXAMPLES / name).read_text(encoding="utf-8")), pictures
