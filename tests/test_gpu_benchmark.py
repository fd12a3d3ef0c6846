"""The script that measures on a GPU: it refuses where there is none, and all of it runs on toy sizes without one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *arguments]
    return subprocess.run(command, env=known, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_it_refuses_where_there_is_no_gpu(tmp_path: Path) -> None:
    done = run("--to", str(tmp_path / "gpu.json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "benchmarks/gpu.py: error: torch finds no CUDA device here\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_all_of_it_runs_on_toy_sizes(tmp_path: Path) -> None:
    target = tmp_path / "gpu.json"
    done = run("--dry-run", "--tune", "--splits", "2", "--to", str(target), TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stderr
    result = json.loads(target.read_text(encoding="utf-8"))
    assert result["dry_run"]
    assert {row["precision"] for row in result["exact"]} == {"tf32", "fp32"}
    for row in result["exact"]:
        assert row["same_bits_again"]
        assert row["value_error"] < {"tf32": 1e-4, "fp32": 1e-6}[row["precision"]]
        assert row["gradient_error"] < {"tf32": 1e-3, "fp32": 1e-6}[row["precision"]]
    # On one and the same device the same splits give the same figures.
    assert all(row["difference"]["values"] == [0.0, 0.0] for row in result["accuracy"])
    assert result["small_step"]["kernels"] > 0
    assert result["tiles"]
