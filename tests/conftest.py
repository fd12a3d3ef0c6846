"""Shared fixtures: where the data are, and a printed reason where they are not."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
import torch

from graphvae.kernels import native

PROBE = "planetoid/ind.cora.graph"


def _root() -> Path | None:
    root = os.environ.get("GRAPHVAE_DATA")
    return Path(root) if root and (Path(root) / PROBE).is_file() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _root() is not None:
        return
    reason = f"needs {PROBE} below the folder that GRAPHVAE_DATA names"
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def data_root() -> Path:
    """The folder of raw data files; only for tests marked ``data``."""
    root = _root()
    if root is None:
        pytest.fail("a test that asks for data_root must be marked data")
    return root


@pytest.fixture(scope="session")
def compiled() -> None:
    """For tests of the kernels in C."""
    if native.load() is None:
        pytest.skip("the kernels in C were not compiled here")


@pytest.fixture
def torch_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no compiler was at hand: every kernel on a CPU is made of torch's operators."""
    monkeypatch.setattr(native, "load", lambda: None)


@pytest.fixture(scope="session")
def triton_device() -> str:
    """Where Triton's kernels can run: a GPU, or the CPU in Triton's interpreter, which must be asked for at the start.

    ``tests/kernels/test_triton_pairs.py`` runs those who ask for this in a process of its own that does so.
    """
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    if os.environ.get("TRITON_INTERPRET") == "1":
        return "cpu"
    if not torch.cuda.is_available():
        pytest.skip("no CUDA here, and not in Triton's interpreter (TRITON_INTERPRET=1)")
    return "cuda"
