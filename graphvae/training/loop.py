"""The one training loop: seeded steps, a history of terms, selection on validation, a stop at a non-finite term."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from graphvae._check import InputError, number
from graphvae.training.adam import Adam
from graphvae.training.checkpoint import Checkpoint, Stateful, TrainingState
from graphvae.training.cuda_graph import CapturedStep, recorder_for
from graphvae.training.randomness import kept, reseed, seeded
from graphvae.training.selection import Selection

__all__ = ["NonFiniteError", "Opponent", "TrainingResult", "check_learning_rate", "resolve_device", "train"]

Step = Callable[[int, int], tuple[Tensor, Mapping[str, Tensor]]]

# On a GPU: steps whose terms wait to be read together, and epochs below which capturing a step does not pay.
READ_EVERY, WORTH_CAPTURING = 64, 20


class NonFiniteError(ArithmeticError):
    """Training met a NaN or an infinity; the message names the epoch and the term."""


class Opponent(Protocol):
    """A second player: what it trains, how fast, and its loss against what the step before has just made."""

    module: nn.Module
    learning_rate: float

    def loss(self) -> Tensor:
        """``()``; reaches ``module`` alone."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training run leaves behind beside the weights.

    Args:
        history: one record per epoch: ``epoch``, ``loss``, each term in nats, validation figures as ``val_*``.
        best_epoch: the epoch whose weights were kept; the last one unless selected on validation.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0


def resolve_device(device: Any) -> torch.device:
    """``"auto"`` (CUDA where there is one, else CPU), ``"cpu"``, ``"cuda"`` or a ``torch.device``.

    Raises:
        InputError: for anything else, or for CUDA on a machine without.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError):
        raise InputError(f"device={device!r}: expected 'auto', 'cpu' or 'cuda'") from None
    if resolved.type not in ("cpu", "cuda"):
        raise InputError(f"device={device!r}: expected 'auto', 'cpu' or 'cuda'")
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device={device!r}: torch finds no CUDA device here; expected 'cpu' or 'auto'")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device={device!r}: torch finds {torch.cuda.device_count()} CUDA devices here")
    return resolved


def check_learning_rate(value: Any) -> tuple[float, float]:
    """A learning rate, or a pair of them, as the rates of the first and the last epoch.

    Raises:
        InputError: for anything but one or two positive numbers.
    """
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise InputError(f"learning_rate={value!r}: expected one number, or two: of the first epoch and of the last")
    first, last = (number("learning_rate", each, low=0, open_low=True) for each in pair)
    return first, last


def train(
    module: nn.Module,
    step: Step,
    *,
    epochs: int,
    learning_rate: float | tuple[float, float],
    seed: int,
    device: torch.device,
    batches: int = 1,
    validate: Callable[[], Mapping[str, float]] | None = None,
    patience: int | Selection | None = None,
    callback: Callable[[Mapping[str, float]], None] | None = None,
    static_from: int | None = None,
    opponent: Opponent | None = None,
    checkpoint: Checkpoint | None = None,
    parts: Mapping[str, Stateful] | None = None,
) -> TrainingResult:
    """Minimise a loss with Adam.

    Args:
        module: what is trained, in place; left in evaluation mode.
        step: maps the epoch (from 1) and the number of the batch (from 0) to the loss ``()`` and its terms ``()`` in
            nats; called under a seed of its own.
        epochs: number of passes at most.
        learning_rate: Adam's; of a pair the first is that of the first epoch, and it changes geometrically to the last.
        seed: everything drawn in a step follows from it, the epoch and the batch.
        device: where ``module`` lives.
        batches: steps in one epoch; a graph is one datum, so it has one. Records are means over them.
        validate: figures on validation data after each epoch, ``score`` (higher is better) among them.
        patience: keep the weights of the best ``score`` and stop after this many epochs without a better one, or as a
            :class:`~graphvae.training.selection.Selection` says; None runs all epochs and keeps the last weights.
        callback: is given each record of the history as it is made; on a GPU, without ``validate``, up to 64 at once.
        static_from: the epoch from which on every step does the same but for what it draws from torch's generators, and
            reads nothing on the host; None if none does. On a GPU such steps become one CUDA graph.
        opponent: a second player with an optimiser of its own, who moves after every step of the first; its loss is
            the term ``opponent`` of a record.
        checkpoint: where the run is saved as it goes, and goes on from if it is there: bit for bit the run it was.
        parts: what learns beside ``module``, for the checkpoint.

    Raises:
        InputError: for ``patience`` without ``validate``, and for the checkpoint of another run.
        NonFiniteError: at the first loss, term or validation figure that is not finite, or for such weights at the end;
            on a GPU, where terms are read every so often, a few steps later.
    """
    if patience is not None and validate is None:
        raise InputError(f"patience={patience}: expected validate as well; without it nothing can be selected")
    first, last = check_learning_rate(learning_rate)
    optimiser = Adam(module.parameters())
    answer = None if opponent is None else Adam(opponent.module.parameters())
    players = {"module": (module, optimiser)}
    if opponent is not None and answer is not None:
        players["opponent"] = (opponent.module, answer)
    state = TrainingState(players, parts or {})
    if checkpoint is not None:
        state.restore(checkpoint, device)
    # Records, and score, epoch and weights of the best evaluations, the best first; of equals the earlier.
    history, best = state.history, state.best
    done = len(history)
    recorder = recorder_for(device)
    # A captured step reads a rate that changes where it lies.
    rate: Any = torch.tensor(first, device=device) if recorder is not None and first != last else first
    names: list[str] = []

    def take(epoch: int, batch: int) -> Any:
        """One step; its figures, which on a GPU nobody waits for."""
        loss, terms = step(epoch, batch)
        if opponent is not None:
            terms = {**terms, "opponent": opponent.loss()}
        # The terms come first: a loss is not finite because one of them is not.
        figures: Any = {**terms, "loss": loss}
        names[:] = figures
        if recorder is None:
            figures = [float(value.detach()) for value in figures.values()]
            _check_finite(epoch, dict(zip(names, figures, strict=True)))
        else:
            figures = torch.stack([value.detach().to(device, torch.float64) for value in figures.values()])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(rate)
        if opponent is not None and answer is not None:
            # The first player's gradient has passed through the second's weights.
            answer.zero_grad()
            terms["opponent"].backward()
            answer.step(opponent.learning_rate)
        return figures

    def scope(epoch: int, batch: int) -> Any:
        reseed(seed, "step", epoch, *([batch] if batch else []), device=device)
        return nullcontext()

    captured = None
    if recorder is not None and static_from is not None and batches == 1:
        static_from = max(static_from, done + 1)
        if epochs - static_from >= WORTH_CAPTURING:
            captured = CapturedStep(take, scope, static_from, recorder)
    waiting: list[tuple[int, Any]] = []
    selection = Selection.of(patience)
    module.train()
    set_mode = _mode_of(module)
    for epoch in range(done + 1, epochs + 1):
        if not module.training:
            set_mode(True)
        now = first * (last / first) ** ((epoch - 1) / max(epochs - 1, 1))
        rate = rate.fill_(now) if isinstance(rate, Tensor) else now
        with kept(device):
            for batch in range(batches):
                if captured is not None:
                    waiting.append((epoch, captured(epoch, batch)))
                else:
                    with scope(epoch, batch):
                        waiting.append((epoch, take(epoch, batch)))
        due = checkpoint is not None and epoch < epochs and checkpoint.due()
        if recorder is not None and validate is None and epoch < epochs and len(waiting) < READ_EVERY and not due:
            continue
        records = _read(waiting, names)
        waiting.clear()
        record = records[-1]
        if validate is not None and (selection is None or epoch % selection.every == 0 or epoch == epochs):
            set_mode(False)
            with seeded(seed, "validate", epoch, device=device):
                validation = {f"val_{name}": float(value) for name, value in validate().items()}
            _check_finite(epoch, validation)
            record.update(validation)
            if selection is not None:
                score = validation["val_score"]
                if len(best) < selection.average or score > best[-1][0]:
                    weights = {name: value.clone() for name, value in module.state_dict().items()}
                    best.append((score, epoch, weights))
                    best.sort(key=lambda kept: -kept[0])
                    del best[selection.average :]
        for each in records:
            history.append(each)
            if callback is not None:
                callback(each)
        if selection is not None and best and epoch - best[0][1] >= selection.patience * selection.every:
            break
        if checkpoint is not None and due:
            state.save(checkpoint)
    if validate is not None and best:
        _keep(module, best, validate)
    module.eval()
    # The last step's gradient shows in no loss; once a parameter is not finite, it stays so.
    for name, parameter in module.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise NonFiniteError(f"epoch {len(history)}: the weights {name} are not finite after the last step")
    return TrainingResult(history, best[0][1] if best else len(history))


def _mode_of(module: nn.Module) -> Callable[[bool], Any]:
    """``module.train``; if no part has one of its own, without what torch does around setting so many attributes."""
    parts = list(module.modules())
    for part in parts:
        if type(part).train is not nn.Module.train or "train" in vars(part) or isinstance(part, torch.jit.ScriptModule):
            return module.train

    def set_mode(training: bool) -> None:
        for part in parts:
            part.__dict__["training"] = training

    return set_mode


def _keep(module: nn.Module, best: list[tuple[float, int, dict[str, Tensor]]], validate: Callable[[], Any]) -> None:
    """Load the mean of the weights that did best, or, if it scores worse than the best alone, those."""
    score, _, first = best[0]
    if len(best) > 1:
        mean = {
            name: torch.stack([state[name] for *_, state in best]).mean(0) if value.is_floating_point() else value
            for name, value in first.items()
        }
        module.load_state_dict(mean)
        module.eval()
        if float(validate()["score"]) >= score:
            return
    module.load_state_dict(first)


def _read(waiting: list[tuple[int, Any]], names: list[str]) -> list[dict[str, float]]:
    """Records of the epochs whose steps' figures wait: means over their steps, each checked; one transfer for all."""
    numbers = [row for _, row in waiting]
    if isinstance(numbers[0], Tensor):
        numbers = torch.stack(numbers).tolist()
        for (epoch, _), row in zip(waiting, numbers, strict=True):
            _check_finite(epoch, dict(zip(names, row, strict=True)))
    records: list[dict[str, float]] = []
    for epoch in dict.fromkeys(epoch for epoch, _ in waiting):
        rows = [row for (each, _), row in zip(waiting, numbers, strict=True) if each == epoch]
        means = {name: sum(column) / len(rows) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
        records.append({"epoch": epoch, "loss": means.pop("loss"), **means})
    return records


def _check_finite(epoch: int, figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        if not math.isfinite(value):
            raise NonFiniteError(f"epoch {epoch}: {name} is {value}; expected finite terms (lower learning_rate?)")
