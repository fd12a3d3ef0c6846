"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from graphvae._files import atomic_path, write_text


def test_the_file_appears_when_the_block_ends_and_not_before(tmp_path):
    target = tmp_path / "new" / "a.csv"
    with atomic_path(target) as path:
        path.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert os.listdir(target.parent) == ["a.csv"]


def test_what_is_temporary_lies_in_a_folder_beside_the_target_that_is_named_after_it(tmp_path):
    with atomic_path(tmp_path / "a.parquet") as path:
        (path.parent / ".tmp12345").write_text("of a writer that is atomic itself")
        path.write_text("whole")
        assert path.name == "a.parquet"
        (folder,) = os.listdir(tmp_path)
        assert folder.startswith(".a.parquet.")
    assert os.listdir(tmp_path) == ["a.parquet"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write() -> None:
        with atomic_path(target) as path:
            path.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_fails_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ValueError, match="no"), atomic_path(tmp_path / "a.txt"):
        raise ValueError("no")
    assert os.listdir(tmp_path) == []


def test_a_folder_in_the_way_is_an_error_and_leaves_no_litter(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        write_text(tmp_path / "a.txt", "x")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_text_is_utf8_and_replaces_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "long, long, long")
    write_text(str(target), "Erdős–Rényi\n")
    assert target.read_bytes() == "Erdős–Rényi\n".encode()


def test_others_may_read_it(tmp_path):
    """Temporary files are made for their author alone."""
    write_text(tmp_path / "a.txt", "x")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644
