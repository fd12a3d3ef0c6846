"""The progress bar: on stderr, silent unless asked for."""

from __future__ import annotations

import sys

import pytest

from graphvae.training.progress import progress_bar


def test_without_it_there_is_no_callback_and_no_output(capsys):
    with progress_bar(5, enabled=False) as callback:
        assert callback is None
    assert capsys.readouterr() == ("", "")


def test_it_writes_to_stderr_alone(capsys):
    with progress_bar(2, enabled=True) as callback:
        for epoch in (1, 2):
            callback({"epoch": epoch, "loss": 0.5 / epoch})
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "loss 0.2500" in err
    assert "AUC" not in err


def test_it_shows_validation_where_there_is_some(capsys):
    with progress_bar(1, enabled=True) as callback:
        callback({"epoch": 1, "loss": 1.0, "val_auc": 0.913})
    assert "val AUC 91.3" in capsys.readouterr().err


def test_it_ends_when_training_fails_and_gives_the_streams_back(capsys):
    streams = sys.stdout, sys.stderr

    def train() -> None:
        with progress_bar(9, enabled=True) as callback:
            callback({"epoch": 1, "loss": 1.0})
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        train()
    assert (sys.stdout, sys.stderr) == streams
    # Another bar can be shown: rich refuses a second one while the first is alive.
    with progress_bar(1, enabled=True):
        pass
    assert "1/9" in capsys.readouterr().err
