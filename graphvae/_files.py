"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphvae._check import InputError

__all__ = ["atomic_path", "reading", "replace_folder", "write_text"]


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """A path that takes the place of ``target`` when the block ends well, and is removed if not.

    It is in a folder of its own beside ``target``, because writers may have temporary files, too: what a process that
    is killed leaves then has the name of ``target`` in its own. The folder of ``target`` is made if it does not exist.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        path = work / target.name
        yield path
        os.chmod(path, 0o644)
        os.replace(path, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def replace_folder(work: Path, target: Path) -> None:
    """Move the folder ``work`` to where the folder ``target`` is, which makes way, and comes back if that fails."""
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent)) / "old"
    try:
        os.replace(target, old)
        os.replace(work, target)
    except BaseException:
        if old.exists():
            os.replace(old, target)
        raise
    finally:
        # Where even that failed, the old folder stays beside it.
        if target.exists() or not old.exists():
            shutil.rmtree(old.parent, ignore_errors=True)


def write_text(target: str | Path, text: str) -> None:
    """Write UTF-8 text, atomically."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


@contextmanager
def reading(file: Path) -> Iterator[Path]:
    """Whatever goes wrong with what is read inside becomes an :class:`InputError` that names ``file``."""
    try:
        yield file
    except InputError as error:
        text = str(error)
        raise type(error)(text if text.startswith(str(file)) else f"{file}: {text}") from None
    except Exception as error:  # whatever a damaged file leads to
        raise InputError(f"{file} is damaged: {type(error).__name__}: {error}") from None
