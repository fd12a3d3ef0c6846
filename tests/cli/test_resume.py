"""``graphvae resume``: killed by the system in the middle, a run goes on to the very files of one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import graphvae
from graphvae.cli import main
from graphvae.training.loop import NonFiniteError

SAME = ("weights.safetensors", "history.jsonl", "embeddings.npz", "graph.safetensors")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = "abcdefghijkl"
    rows = [f"{names[i]},{names[(i + s) % 12]}" for i in range(12) for s in (1, 3)]
    Path("e.csv").write_text("\n".join(["from,to", *rows]) + "\n")
    return tmp_path


def kill_in_the_middle(*arguments: str, run: str) -> None:
    """Start a command that trains, wait until it has been saved a few times, and kill it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(graphvae.__file__).parents[1])}
    command = [sys.executable, "-m", "graphvae", *arguments, "--checkpoint-every", "0", "--quiet"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    file, end = Path(run, "checkpoint.safetensors"), time.monotonic() + 120
    started = file.stat().st_mtime_ns if file.is_file() else 0
    while not (file.is_file() and file.stat().st_mtime_ns > started):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_twice_and_resumed_from_elsewhere(folder, capsys, monkeypatch):
    settings = ["e.csv", "--epochs", "600", "--latent-dim", "4", "--objective", "kipf:control-variate", "--val", "0.1"]
    kill_in_the_middle("train", *settings, "--out", "runs/killed", run="runs/killed")
    assert main(["evaluate", "runs/killed"]) == 2
    assert main(["train", *settings, "--out", "runs/killed"]) == 2
    assert "graphvae resume goes on with what is unfinished there" in capsys.readouterr().err
    kill_in_the_middle("resume", "runs/killed", run="runs/killed")

    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert main(["resume", "../runs/killed", "--quiet", "--json"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    monkeypatch.chdir(folder)
    assert main(["train", *settings, "--out", "runs/whole", "--quiet", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert {**resumed, "run": ""} == {**whole, "run": ""}
    for name in SAME:
        assert Path("runs/killed", name).read_bytes() == Path("runs/whole", name).read_bytes(), name
    assert sorted(os.listdir("runs/killed")) == sorted(os.listdir("runs/whole"))
    one, two = (json.loads(Path("runs", run, "config.json").read_text()) for run in ("killed", "whole"))
    assert one["params"] == two["params"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_while_it_is_saved(folder, capsys):
    """Writers have temporary files of their own, and a kill leaves them: a run goes on all the same."""
    settings = ["train", "e.csv", "--epochs", "6", "--latent-dim", "2", "--val", "0.1", "--quiet"]
    killed = [*settings, "--out", "one", "--checkpoint-every", "0"]
    code = f"""
import os, signal
import safetensors.torch as stored
from graphvae.cli import main

saves, save = [], stored.save_file

def dying(tensors, path, metadata=None):
    saves.append(path)
    if len(saves) == 3:
        open(os.path.join(os.path.dirname(path), ".tmp12345"), "wb").write(b"half")
        open(path, "wb").write(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    save(tensors, path, metadata=metadata)

stored.save_file = dying
main({killed!r})
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(graphvae.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(os.listdir("one")) == 2
    assert main(["resume", "one", "--quiet"]) == 0
    assert main([*settings, "--out", "two"]) == 0
    for name in SAME:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name
    assert sorted(os.listdir("one")) == sorted(os.listdir("two"))


def interrupted(*arguments: str, monkeypatch, by: type[BaseException] = KeyboardInterrupt) -> int:
    """The status of a command that is interrupted after its third save."""
    from graphvae.training.checkpoint import Checkpoint

    save, saved = Checkpoint.save, []

    def interrupting(self, tensors, facts):
        save(self, tensors, facts)
        saved.append(facts)
        if len(saved) == 3:
            raise by("enough")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", interrupting)
        return main([*arguments, "--checkpoint-every", "0", "--quiet"])


@pytest.mark.parametrize(
    "settings",
    [
        ["karate", "--model", "gae", "--no-features", "--val", "0"],
        ["e.csv", "--preset", "strong-featureless", "--val", "0.1", "--device", "cpu"],
        ["digits", "--model", "vae", "--hidden-dims", "8", "--batch-size", "900", "--network", "dense"],
    ],
    ids=["gae", "strong", "vae"],
)
def test_every_setting_comes_back(settings, capsys, monkeypatch):
    arguments = ["train", *settings, "--epochs", "6"]
    assert interrupted(*arguments, "--out", "one", monkeypatch=monkeypatch) == 130
    assert "graphvae resume one goes on from where it was last saved" in capsys.readouterr().err.splitlines()
    assert os.listdir("one") == ["checkpoint.safetensors"]
    assert main(["runs", "."]) == 0
    assert "not finished: one; graphvae resume one goes on" in capsys.readouterr().err
    assert main(["resume", "one", "--quiet"]) == 0
    assert main([*arguments, "--out", "two", "--quiet"]) == 0
    for name in SAME[:2]:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes(), name
    one, two = (json.loads(Path(run, "config.json").read_text()) for run in ("one", "two"))
    assert one["params"] == two["params"]


def test_a_run_that_was_to_be_overwritten_stays_until_the_new_one_is_whole(monkeypatch, capsys):
    start = ["train", "karate", "--out", "run"]
    assert main([*start, "--epochs", "5", "--quiet"]) == 0
    before = Path("run/weights.safetensors").read_bytes()
    assert interrupted(*start, "--epochs", "9", "--overwrite", monkeypatch=monkeypatch) == 130
    assert Path("run/weights.safetensors").read_bytes() == before
    assert main(["evaluate", "run"]) == 0
    assert main(["resume", "run", "--quiet"]) == 0
    assert len(Path("run/history.jsonl").read_text().splitlines()) == 9
    assert not Path("run/checkpoint.safetensors").exists()


def test_overwriting_starts_anew(monkeypatch, capsys):
    assert interrupted("train", "karate", "--out", "run", "--epochs", "9", monkeypatch=monkeypatch) == 130
    assert main(["train", "karate", "--out", "run", "--epochs", "4", "--overwrite", "--quiet"]) == 0
    assert len(Path("run/history.jsonl").read_text().splitlines()) == 4


def test_a_training_that_diverged_leaves_nothing_to_go_on_with(monkeypatch, folder, capsys):
    before = sorted(folder.rglob("*"))
    assert (
        interrupted("train", "karate", "--out", "run", "--epochs", "9", monkeypatch=monkeypatch, by=NonFiniteError) == 1
    )
    assert sorted(folder.rglob("*")) == before


def test_data_that_changed_are_refused(monkeypatch, capsys):
    assert (
        interrupted("train", "e.csv", "--val", "0.1", "--out", "run", "--epochs", "9", monkeypatch=monkeypatch) == 130
    )
    with Path("e.csv").open("a") as file:
        file.write("a,g\n")
    capsys.readouterr()
    assert main(["resume", "run"]) == 2
    assert "is of a run with other arguments or data" in capsys.readouterr().err
    Path("e.csv").unlink()
    assert main(["resume", "run"]) == 2
    assert "e.csv' is no file" in capsys.readouterr().err


def test_what_cannot_be_resumed(capsys):
    Path("run").mkdir()
    Path("run/checkpoint.safetensors").write_bytes(b"no tensors")
    assert main(["resume", "run"]) == 2
    assert "checkpoint.safetensors is damaged" in capsys.readouterr().err
    from graphvae.training.checkpoint import Checkpoint

    file = Path("own/checkpoint.safetensors")
    graphvae.VGAE(epochs=3).fit(graphvae.load_graph("karate"), checkpoint=Checkpoint(file, every=0))
    assert main(["resume", "own"]) == 2
    assert "was written from Python" in capsys.readouterr().err
