"""Seeding by scope: the same draws everywhere, and a caller whose random state nobody touches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import graphvae
from graphvae._check import InputError
from graphvae.training.randomness import check_seed, derive_seed, seeded


def draws(seed: int, *keys, **options) -> list[float]:
    with seeded(seed, *keys, **options):
        return [
            *torch.randn(3).tolist(),
            torch.randint(1 << 30, ()).item(),
            *torch.nn.functional.dropout(torch.ones(4)),
        ]


def test_derived_seeds_are_pinned():
    # Literals: another number here would change the result of every run anybody has kept.
    assert derive_seed(0) == 5254295370254170289
    assert derive_seed(0, "step", 1) == 3670991852909586624
    assert derive_seed(2**63 - 1, "initialise") == 3323318860723560865


def test_derived_seeds_differ_by_seed_and_every_key():
    keys = [(0,), (1,), (0, "step", 1), (0, "step", 11), (0, "step", 1, 1), (0, "step", "1"), (0, "step1")]
    seeds = [derive_seed(*key) for key in keys]
    assert len(set(seeds)) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_same_keys_same_draws_whatever_came_before():
    first = draws(0, "step", 1)
    torch.randn(7)
    assert draws(0, "step", 1) == first
    assert draws(0, "step", 1, device=torch.device("cpu")) == first
    assert draws(0, "step", 2) != first
    assert draws(1, "step", 1) != first


def test_another_process_draws_the_same():
    script = (
        "import torch, random, numpy; torch.manual_seed(99); torch.randn(5)\n"
        "from graphvae.training.randomness import seeded\n"
        "with seeded(7, 'step', 3): print(torch.randn(6).view(torch.int32).tolist())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(graphvae.__file__).parents[1]), "PYTHONHASHSEED": "5"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    with seeded(7, "step", 3):
        assert run.stdout.strip() == str(torch.randn(6).view(torch.int32).tolist())


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_caller_s_state_is_untouched_even_by_exceptions(error):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - the state looked after
    try:
        with seeded(0):
            torch.randn(10)
            with seeded(1):
                torch.randn(10)
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        assert error is not None
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_scopes_nest():
    plain = draws(0)
    with seeded(0):
        first = torch.randn(2)
        draws(1)
        nested = torch.cat([first, torch.randn(1)]).tolist()
    assert nested == plain[:3]


def test_no_gpu_is_reseeded(monkeypatch):
    # torch.manual_seed would, or queue it for the first moment CUDA is used.
    reseeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    initialised = torch.cuda.is_initialized()
    draws(0, device=torch.device("cpu"))
    assert reseeded == []
    assert torch.cuda.is_initialized() == initialised


@pytest.mark.parametrize("seed", [0, 5, 2**63 - 1, np.int64(3)])
def test_seeds_that_are_taken(seed):
    assert check_seed(seed) == int(seed)
    assert type(check_seed(seed)) is int


@pytest.mark.parametrize("seed", [None, -1, 2**63, 1.0, "0", True])
def test_seeds_that_are_refused(seed):
    with pytest.raises(InputError, match="seed="):
        check_seed(seed)
