"""Work in processes: all of it comes back, errors end it, and nothing outlives an interruption."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch

import graphvae as gv
from graphvae.estimators.benchmark_jobs import in_processes

pytestmark = pytest.mark.slow


def work(first: int, count: int) -> Iterator[tuple[int, int, int]]:
    for value in range(first, first + count):
        if value == 13:
            raise gv.InputError("value=13: expected another")
        if value == 666:
            os._exit(9)
        yield os.getpid(), torch.get_num_threads(), value


def test_tasks_are_dealt_out_in_turn() -> None:
    tasks = [(0, 2), (2, 2), (4, 1), (5, 1)]
    found = list(in_processes(work, tasks, jobs=2, threads=3))
    assert sorted(value for *_, value in found) == list(range(6))
    assert {threads for _, threads, _ in found} == {3}
    by_process: dict[int, set[int]] = {}
    for process, _, value in found:
        by_process.setdefault(process, set()).add(value)
    assert os.getpid() not in by_process
    assert sorted(map(sorted, by_process.values())) == [[0, 1, 4], [2, 3, 5]]


@pytest.mark.parametrize(("task", "error"), [((12, 2), "value=13"), ((666, 1), "ended with status 9")])
def test_what_goes_wrong_in_one_ends_all(task: tuple[int, int], error: str) -> None:
    with pytest.raises((gv.InputError, RuntimeError), match=error):
        list(in_processes(work, [task, (1000, 10**9)], jobs=2, threads=1))
    assert not multiprocessing.active_children()


def left_of(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_interrupted_command_ends_its_processes_and_goes_on_later(tmp_path) -> None:
    """As Ctrl-C does it: the signal reaches every process of the group."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def start(runs: int) -> subprocess.Popen:
        command = ["benchmark", "--datasets", "karate", "--models", "katz", "--runs", str(runs), "--jobs", "2"]
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        code += f"from graphvae.cli import main; raise SystemExit(main({command!r}))"
        return subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True, **pipes)

    first, store = start(100_000), tmp_path / "runs" / "benchmark"
    while not (store.is_dir() and len(list(store.glob("karate-katz-[0-3]-*.json"))) >= 2):
        assert first.poll() is None
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGINT)
    first.communicate(timeout=600)
    assert first.returncode == 130
    deadline = time.monotonic() + 300
    while left_of(first.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kept = len(list(store.glob("karate-katz-[0-3]-*.json")))
    _, err = (second := start(4)).communicate(timeout=600)
    assert second.returncode == 0
    assert f"{kept} of 4 runs were found in" in err
