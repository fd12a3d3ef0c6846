"""The commands by name, and what becomes of errors."""

from __future__ import annotations

import errno

import pytest
import typer

import graphvae
from graphvae import cli
from graphvae.cli import app as app_module
from graphvae.training.loop import NonFiniteError


def raising(monkeypatch, error: BaseException) -> None:
    def app(**options):
        raise error

    monkeypatch.setattr(app_module, "app", app)


def test_the_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr() == (f"{graphvae.__version__}\n", "")


def test_without_a_command_there_is_help(capsys):
    assert cli.main([]) == 0
    out, err = capsys.readouterr()
    for command in ("quickstart", "train", "evaluate", "embed", "benchmark", "datasets"):
        assert command in out
    assert err == ""


def test_arguments_are_those_of_the_process_by_default(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["graphvae", "--version"])
    assert cli.main() == 0
    assert capsys.readouterr().out == f"{graphvae.__version__}\n"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (graphvae.InputError("seed=None:\n  expected  an integer"), 2, "seed=None: expected an integer"),
        (NonFiniteError("epoch 3: kl is nan"), 1, "epoch 3: kl is nan"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "[Errno 13] Permission denied: '/x'"),
        (typer.BadParameter("--epochs is odd"), 2, "Invalid value: --epochs is odd"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.Abort(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_one_line_and_a_status(monkeypatch, capsys, error, status, line):
    raising(monkeypatch, error)
    assert cli.main(["train"]) == status
    assert capsys.readouterr() == ("", f"graphvae: error: {line}\n")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), AssertionError(), ZeroDivisionError()])
def test_what_nobody_foresaw_keeps_its_traceback(monkeypatch, error):
    raising(monkeypatch, error)
    with pytest.raises(type(error)):
        cli.main(["train"])


def test_an_interrupted_training_leaves_nothing(monkeypatch, tmp_path):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("graphvae.estimators.fitting.train", interrupt)
    assert cli.main(["train", "karate", "--out", "run", "--quiet"]) == 130
    assert list(tmp_path.iterdir()) == []
