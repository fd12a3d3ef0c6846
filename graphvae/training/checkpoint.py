"""``Checkpoint``: a training run on disk as it goes, from which it goes on bit for bit."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from graphvae._check import InputError, number
from graphvae._files import atomic_path, reading
from graphvae.training.adam import Adam

__all__ = ["Checkpoint", "Stateful", "TrainingState"]

FORMAT = 2


class Stateful(Protocol):
    """What learns beside the weights, such as a control variate; its state is JSON-able."""

    def state_dict(self) -> Any:
        """The state."""

    def load_state_dict(self, state: Any) -> None:
        """Go on from a state."""


class Checkpoint:
    """A safetensors file that a training run is saved to every so often, and goes on from if it is there.

    When it is written changes nothing about the run. No random state is in it: every step draws from a seed of its own.

    Args:
        file: its path.
        every: seconds between two saves.
        about: JSON-able, for whoever reads the file; :meth:`read_about` gives it back.
        fresh: whether a file that is there is of another run, and removed when training starts.

    Raises:
        InputError: for what is no path or no number of seconds.
    """

    def __init__(
        self, file: str | os.PathLike[str], every: float = 60.0, about: Any = None, *, fresh: bool = False
    ) -> None:
        if not isinstance(file, (str, os.PathLike)) or not str(file):
            raise InputError(f"checkpoint={file!r}: expected the path of a file")
        self.file, self.every = Path(file), number("every", every, low=0)
        self.about, self.fresh = about, fresh
        self.run = ""
        self._saved = time.monotonic()

    @classmethod
    def of(cls, checkpoint: Any, run: Mapping[str, Any]) -> Checkpoint | None:
        """What ``checkpoint=`` stands for: a path, a checkpoint or None; of the ``run`` with these arguments and data.

        Raises:
            InputError: for anything else.
        """
        if checkpoint is None:
            return None
        found = checkpoint if isinstance(checkpoint, Checkpoint) else cls(checkpoint)
        found.run = json.dumps(run, sort_keys=True)
        return found

    @staticmethod
    def read_about(file: Path) -> Any:
        """What the run of a file that is there said about itself.

        Raises:
            InputError: for a file that is no checkpoint.
        """
        return _read(file)[1]["about"]

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.every

    def save(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Write the file; it appears whole or not at all."""
        from safetensors.torch import save_file

        description = {"format": FORMAT, "run": self.run, "about": self.about, **facts}
        # Clones, because weights that are tied share memory, which the format does not know.
        held = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        with atomic_path(self.file) as path:
            save_file(held, path, metadata={"description": json.dumps(description)})
        self._saved = time.monotonic()

    def discard(self) -> None:
        """Remove the file, and its folder if nothing else is in it."""
        self.file.unlink(missing_ok=True)
        with suppress(OSError):
            self.file.parent.rmdir()

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What :meth:`save` wrote, or None if there is no file to go on from.

        Raises:
            InputError: for the checkpoint of another run, or a file that is none.
        """
        if self.fresh:
            self.file.unlink(missing_ok=True)
        if not self.file.is_file():
            return None
        tensors, facts = _read(self.file)
        if facts["run"] != self.run:
            raise InputError(
                f"checkpoint={str(self.file)!r} is of a run with other arguments or data: expected its own, or no file"
            )
        return tensors, facts


@dataclass
class TrainingState:
    """All that a step changes.

    Args:
        players: by name, what is trained, each with its optimiser.
        parts: what else learns, by name.
        history: records, one for each epoch.
        best: score, epoch and weights of the best evaluations.
    """

    players: Mapping[str, tuple[nn.Module, Adam]]
    parts: Mapping[str, Stateful]
    history: list[dict[str, float]] = field(default_factory=list)
    best: list[tuple[float, int, dict[str, Tensor]]] = field(default_factory=list)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write it."""
        tensors: dict[str, Tensor] = {}
        for player, (module, optimiser) in self.players.items():
            tensors |= {f"{player}.weights.{name}": value for name, value in module.state_dict().items()}
            tensors |= {f"{player}.optimiser.{name}": value for name, value in optimiser.state_dict().items()}
        for place, (_, _, weights) in enumerate(self.best):
            tensors |= {f"best.{place}.{name}": value for name, value in weights.items()}
        facts = {
            "history": self.history,
            "best": [[score, epoch] for score, epoch, _ in self.best],
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
        }
        checkpoint.save(tensors, facts)

    def restore(self, checkpoint: Checkpoint, device: torch.device) -> None:
        """Take over what the file holds, if there is one.

        Raises:
            InputError: for the checkpoint of another run, or a damaged one.
        """
        found = checkpoint.load()
        if found is None:
            return
        tensors, facts = found

        def below(prefix: str) -> dict[str, Tensor]:
            return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}

        with reading(checkpoint.file):
            for player, (module, optimiser) in self.players.items():
                module.load_state_dict(below(f"{player}.weights."))
                optimiser.load_state_dict(below(f"{player}.optimiser."))
            for name, part in self.parts.items():
                part.load_state_dict(facts["parts"][name])
            self.history[:] = facts["history"]
            self.best[:] = [
                (score, epoch, {name: value.to(device) for name, value in below(f"best.{place}.").items()})
                for place, (score, epoch) in enumerate(facts["best"])
            ]


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import safe_open

    with reading(file), safe_open(file, framework="pt") as stored:
        facts = json.loads((stored.metadata() or {})["description"])
        if facts["format"] != FORMAT:
            raise InputError(f"format {facts['format']!r}: this version of graphvae reads format {FORMAT}")
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    return tensors, facts
