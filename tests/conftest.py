"""Shared fixtures: where the data are, and a printed reason where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
