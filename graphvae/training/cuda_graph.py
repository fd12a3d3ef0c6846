"""A training step as one CUDA graph: where kernels last microseconds, launching them one by one is most of a step.

The step is taken as it is a few times, then recorded, and from then on replayed: the same kernels on the same memory.
What it draws still follows from the seed of its epoch: a captured generator reads its seed from the device, where every
replay puts that of the current scope. So a replayed run draws the numbers of one that is not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["CapturedStep", "CudaRecorder", "Recorder", "recorder_for"]

# Steps before the recording, in which memory is reserved, kernels are compiled and what is computed once is.
WARM_UP = 3

Body = Callable[[], Tensor]


class Recorder(Protocol):
    """Who turns a step into something that can be replayed."""

    def rehearse(self, body: Body, strict: bool) -> Tensor:
        """Run ``body`` where it will be recorded.

        Raises:
            RuntimeError: if ``strict`` and the body waits for the device, which cannot be recorded.
        """

    def record(self, body: Body) -> Body:
        """Record ``body`` without effect; what is returned repeats it, with figures of its own.

        Raises:
            RuntimeError: if something in it cannot be recorded.
        """


class CapturedStep:
    """A step that is recorded after a few epochs, and replayed from then on; or taken as it is, where that fails.

    Args:
        body: one whole step of an epoch and a batch, update included; returns figures ``(K,)`` on the device.
        scope: the seeded scope of an epoch and a batch.
        static_from: the first epoch whose body does what all later ones do.
        recorder: who records.
    """

    def __init__(
        self,
        body: Callable[[int, int], Tensor],
        scope: Callable[[int, int], AbstractContextManager[None]],
        static_from: int,
        recorder: Recorder,
    ) -> None:
        self.body, self.scope, self.recorder = body, scope, recorder
        self.record_at = max(static_from, 1) + WARM_UP
        self.refused = False
        self._replay: Body | None = None

    def __call__(self, epoch: int, batch: int) -> Tensor:
        """The figures of this step, ``(K,)``."""
        body = partial(self.body, epoch, batch)
        if self._replay is None and not self.refused and epoch >= self.record_at - WARM_UP:
            try:
                with self.scope(epoch, batch):
                    if epoch < self.record_at:
                        return self.recorder.rehearse(body, epoch == self.record_at - 1)
                    self._replay = self.recorder.record(body)
            except RuntimeError:
                # A mistake in the body shows again below.
                self.refused = True
        with self.scope(epoch, batch):
            return body() if self._replay is None else self._replay()


class CudaRecorder:
    """Records with ``torch.cuda.CUDAGraph``, on a stream of its own.

    Args:
        device: where the step runs.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream = device, torch.cuda.Stream(device)

    def rehearse(self, body: Body, strict: bool) -> Tensor:
        """Run ``body`` on the stream; ``strict`` by torch's own watch over synchronisation."""
        with self._aside(), _watched() if strict else warnings.catch_warnings():
            return body()

    def record(self, body: Body) -> Body:
        """Capture ``body``."""
        graph = torch.cuda.CUDAGraph()
        index = torch.cuda.current_device() if self.device.index is None else self.device.index
        generator = torch.cuda.default_generators[index]
        before = generator.clone_state()
        try:
            with torch.cuda.device(self.device), torch.cuda.graph(graph, stream=self.stream):
                figures = body()
        except RuntimeError:
            # A generator caught in a capture that failed would refuse to draw from then on.
            generator.graphsafe_set_state(before)
            raise

        def replay() -> Tensor:
            graph.replay()
            return figures.clone()

        return replay

    @contextmanager
    def _aside(self) -> Iterator[None]:
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            current.wait_stream(self.stream)


def recorder_for(device: torch.device) -> Recorder | None:
    """The recorder for this device; None on a CPU, which has nothing to launch."""
    return CudaRecorder(device) if device.type == "cuda" else None


@contextmanager
def _watched() -> Iterator[None]:
    """Whatever waits for the device raises inside; torch's mode is put back afterwards."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it does not see everything: a capture does
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(mode)
