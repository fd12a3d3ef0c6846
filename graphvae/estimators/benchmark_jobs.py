"""Work shared by processes: what each finishes comes back at once, and none outlives an interruption."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import torch

__all__ = ["in_processes"]


def in_processes(
    work: Callable[..., Iterable[Any]], tasks: Sequence[tuple[Any, ...]], *, jobs: int, threads: int
) -> Iterator[Any]:
    """What ``work(*task)`` gives for all tasks, in the order in which it comes.

    Tasks are dealt out in turn, so which process takes which does not depend on their speed. An error in one of them is
    raised here, and ends all.

    Args:
        work: a function at the top level of a module.
        tasks: its arguments.
        jobs: processes at most.
        threads: of torch in each of them.

    Raises:
        RuntimeError: if a process ends without a word, as one does that the system ends for want of memory.
    """
    context = get_context("spawn")
    workers: dict[Any, Any] = {}
    try:
        for share in (tasks[first::jobs] for first in range(min(jobs, len(tasks)))):
            ours, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=_serve, args=(theirs, work, share, threads), daemon=True)
            worker.start()
            theirs.close()
            workers[ours] = worker
        open_pipes = list(workers)
        while open_pipes:
            for pipe in cast("list[Connection]", wait(open_pipes)):
                try:
                    result, error = pipe.recv()
                except EOFError:
                    open_pipes.remove(pipe)
                    worker = workers[pipe]
                    worker.join()
                    if worker.exitcode:
                        raise RuntimeError(f"a process ended with status {worker.exitcode}") from None
                    continue
                if error is not None:
                    raise error
                yield result
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            worker.join()


def _serve(
    pipe: Connection, work: Callable[..., Iterable[Any]], tasks: Sequence[tuple[Any, ...]], threads: int
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    torch.set_num_threads(threads)
    try:
        for task in tasks:
            for result in work(*task):
                pipe.send((result, None))
    except Exception as error:
        pipe.send((None, error))
