"""``standard_normal``: what ``torch.randn`` draws, at a quarter of its cost on a CPU.

torch's generator for CPUs is a Mersenne twister that makes one number at a time. In C its state is taken on by the very
same steps, sixteen numbers at a time, and put back: the numbers are the same to rounding, and so is all that is drawn
afterwards.
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock

import torch
from torch import Tensor

from graphvae.kernels import native

__all__ = ["standard_normal"]

# Of the state of the generator; and numbers below which torch draws in another way.
STATE_BYTES, FEWEST = 5056, 16


def standard_normal(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What ``torch.randn`` draws next from the default generator, to rounding where it is drawn in C.

    Threads that call this draw different numbers; one that draws by torch at the same time may draw the same.
    """
    if dtype == torch.float32 and device.type == "cpu" and shape.numel() >= FEWEST and _draws_as_torch():
        return _draw(shape, torch.default_generator)
    return torch.randn(shape, dtype=dtype, device=device)


def _draw(shape: torch.Size, generator: torch.Generator) -> Tensor:
    out = torch.empty(shape, dtype=torch.float32, device="cpu")
    with _drawing():
        state = generator.get_state()
        native.call("standard_normal", state, out, out.numel())
        generator.set_state(state)
    return out


def _draws_as_torch() -> bool:
    """Whether there is a library, and torch's generator is the one that it knows."""
    return native.load() is not None and _knows_the_generator()


@cache
def _knows_the_generator() -> bool:
    one, other = (torch.Generator().manual_seed(0) for _ in range(2))
    if len(one.get_state()) != STATE_BYTES:
        return False
    shape = torch.Size((40,))
    ours, theirs = _draw(shape, one), torch.randn(shape, generator=other, dtype=torch.float32, device="cpu")
    return torch.allclose(ours, theirs, atol=1e-4) and torch.equal(one.get_state(), other.get_state())


@cache
def _drawing() -> Lock:
    return Lock()


# In a process that forks from this one nobody would let go of it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawing.cache_clear)
