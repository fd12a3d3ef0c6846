"""Adam in one fused call a step: torch's own kernel, or C, without what torch's optimiser class does around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from graphvae.kernels import native

__all__ = ["Adam"]


class Adam:
    """``p <- p - lr m^ / (sqrt(v^) + eps)`` for all parameters that have a gradient; others stay as they are.

    On small models ``torch.optim.Adam(fused=True)`` spends two thirds of its time on grouping parameters and on one
    counter of steps each; here they share one for as long as all of them get a gradient at every step. Values are the
    same to rounding.

    Args:
        parameters: what is optimised, in place.
        betas: decay of the running means of gradients and of their squares.
        eps: added to the root.

    Reference:
        Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), algorithm 1.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.parameters = list(parameters)
        self.betas, self.eps = betas, eps
        self._values = [each.detach() for each in self.parameters]
        self._first = [torch.zeros_like(each) for each in self._values]
        self._second = [torch.zeros_like(each) for each in self._values]
        self._shared: dict[torch.device, Tensor] | None = {}
        for each in self._values:
            self._shared.setdefault(each.device, torch.zeros((), dtype=torch.float32, device=each.device))
        self._steps = [self._shared[each.device] for each in self._values]
        whole = all(each.is_contiguous() for each in self._values)
        arrays = self._values, self._first, self._second
        self._native = native.AdamArrays(*arrays) if whole and native.native_runs_on(*self._values) else None

    def __getstate__(self) -> dict[str, Any]:
        """All but where the arrays lie, which is another place in a copy."""
        rest = {name: value for name, value in vars(self).items() if name != "_native"}
        return {**rest, "whole": self._native is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        whole = state.pop("whole")
        vars(self).update(state)
        self._values = [each.detach() for each in self.parameters]
        self._native = native.AdamArrays(self._values, self._first, self._second) if whole else None

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for each in self.parameters:
            each.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Running means by the number of the parameter, and ``steps`` ``(P,)``, how many each has taken."""
        means = {f"first.{index}": value for index, value in enumerate(self._first)}
        means |= {f"second.{index}": value for index, value in enumerate(self._second)}
        return {**means, "steps": torch.tensor([float(count) for count in self._steps])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from where another was, before the first step."""
        for index, (first, second) in enumerate(zip(self._first, self._second, strict=True)):
            first.copy_(state[f"first.{index}"])
            second.copy_(state[f"second.{index}"])
        counts = state["steps"]
        if len(counts.unique()) > 1:
            self._shared, self._steps = None, [count.clone() for count in self._steps]
        for own, count in zip(self._steps, counts, strict=True):
            own.copy_(count)

    def _count(self) -> int:
        """Steps taken by all, as long as they share one counter."""
        return int(self._steps[0])

    def step(self, learning_rate: float | Tensor) -> None:
        """One step from the gradients that are there; a rate ``()`` on the parameters' device may change later."""
        gradients = {index: each.grad for index, each in enumerate(self.parameters) if each.grad is not None}
        if self._shared is not None and len(gradients) == len(self.parameters):
            for count in self._shared.values():
                count.add_(1)
        else:
            if self._shared is not None:
                self._shared, self._steps = None, [count.clone() for count in self._steps]
            for index in gradients:
                self._steps[index].add_(1)
        if not gradients:
            return
        # A gradient that still needs the values of before is refused.
        for index in gradients:
            torch.autograd.graph.increment_version(self._values[index])
        if self._native is not None and self._shared is not None:
            self._native.step(list(gradients.values()), float(learning_rate), self.betas, self._count(), self.eps)
            return
        torch._fused_adam_(
            [self._values[index] for index in gradients],
            list(gradients.values()),
            [self._first[index] for index in gradients],
            [self._second[index] for index in gradients],
            [],
            [self._steps[index] for index in gradients],
            lr=learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )
