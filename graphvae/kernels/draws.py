"""``standard_normal`` and ``standard_uniform``: what torch draws, at a quarter of its cost on a CPU.

torch's generator for CPUs is a Mersenne twister that makes one number at a time. In C its state is taken on by the very
same steps, sixteen numbers at a time, and put back: the numbers are the same (normal ones to rounding), and so is all
that is drawn afterwards.
"""

from __future__ import annotations

import os
from functools import cache
from threading import Lock

import torch
from torch import Tensor

from graphvae.kernels import native

__all__ = ["standard_normal", "standard_uniform"]

# Of the state of the generator; and normal numbers below which torch draws in another way.
STATE_BYTES, FEWEST = 5056, 16
# Uniform numbers from which on it pays to move the state.
MANY = 4096


def standard_normal(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What ``torch.randn`` draws next from the default generator, to rounding where it is drawn in C.

    Threads that call this draw different numbers; one that draws by torch at the same time may draw the same.
    """
    if shape.numel() >= FEWEST and _draws_as_torch(dtype, device):
        return _draw("standard_normal", shape, torch.default_generator)
    return torch.randn(shape, dtype=dtype, device=device)


def standard_uniform(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What ``torch.rand`` draws next from the default generator, numbers in [0, 1); threads as above."""
    if shape.numel() >= MANY and _draws_as_torch(dtype, device):
        return _draw("standard_uniform", shape, torch.default_generator)
    return torch.rand(shape, dtype=dtype, device=device)


def _draw(kind: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    out = torch.empty(shape, dtype=torch.float32, device="cpu")
    with _drawing():
        state = generator.get_state()
        native.call(kind, state, out, out.numel())
        generator.set_state(state)
    return out


def _draws_as_torch(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether such numbers can be drawn in C: there is a library, and torch's generator is the one that it knows."""
    single = dtype == torch.float32 and device.type == "cpu"
    return single and native.load() is not None and _knows_the_generator()


@cache
def _knows_the_generator() -> bool:
    one, other = (torch.Generator().manual_seed(0) for _ in range(2))
    if len(one.get_state()) != STATE_BYTES:
        return False
    shape, single, cpu = torch.Size((40,)), torch.float32, torch.device("cpu")
    normal, uniform = (_draw(kind, shape, one) for kind in ("standard_normal", "standard_uniform"))
    same = torch.allclose(normal, torch.randn(shape, generator=other, dtype=single, device=cpu), atol=1e-4)
    same = same and torch.equal(uniform, torch.rand(shape, generator=other, dtype=single, device=cpu))
    return same and torch.equal(one.get_state(), other.get_state())


@cache
def _drawing() -> Lock:
    return Lock()


# In a process that forks from this one nobody would let go of it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawing.cache_clear)
