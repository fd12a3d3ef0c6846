"""Seeding by scope: what is drawn inside depends on the seed alone, and the caller's random state stays untouched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from graphvae._check import InputError, integer

__all__ = ["check_seed", "derive_seed", "kept", "reseed", "seeded"]


def check_seed(seed: Any) -> int:
    """``seed`` as an int from 0 to 2**63 - 1; None is refused, because a result nobody can repeat is no result.

    Raises:
        InputError: for anything else.
    """
    if seed is None:
        raise InputError("seed=None: expected an integer; every run is reproducible")
    return integer("seed", seed, low=0, high=2**63 - 1)


def derive_seed(seed: int, *keys: Any) -> int:
    """A 63-bit seed for one purpose, the same in every process and on every machine."""
    text = repr((seed, *keys)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


@contextmanager
def kept(device: torch.device | None = None) -> Iterator[None]:
    """Run a block; torch's generators, that of ``device`` among them, are put back afterwards."""
    index = _index(device)
    with torch.random.fork_rng(devices=[] if index is None else [index]):
        yield


def reseed(seed: int, *keys: Any, device: torch.device | None = None) -> None:
    """Seed torch's generators from ``seed`` and ``keys``; only within :func:`kept`."""
    value, index = derive_seed(seed, *keys), _index(device)
    # torch.manual_seed would also queue a reseeding of every GPU; only the generators that are put back may change.
    torch.default_generator.manual_seed(value)
    if index is not None:
        torch.cuda.default_generators[index].manual_seed(value)


def _index(device: torch.device | None) -> int | None:
    """The number of a GPU."""
    if device is None or device.type != "cuda":
        return None
    return torch.cuda.current_device() if device.index is None else device.index


@contextmanager
def seeded(seed: int, *keys: Any, device: torch.device | None = None) -> Iterator[None]:
    """Run a block under a seed derived from ``seed`` and ``keys``; the generators are put back afterwards.

    ``rsample`` and ``dropout`` take no generator, so the scope seeds the default ones. A training run that seeds every
    step by its number needs no random state in its checkpoints.
    """
    with kept(device):
        reseed(seed, *keys, device=device)
        yield
