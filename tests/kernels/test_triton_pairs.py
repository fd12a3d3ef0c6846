"""The sum over all pairs in Triton: tiles of all sizes, the same bits every time; in its interpreter or on a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from graphvae._check import InputError
from graphvae.kernels import pairs, triton_pairs
from graphvae.kernels.softplus import softplus
from graphvae.kernels.triton_pairs import PRECISIONS, Tiles, choose_tiles, pair_sums, triton_runs_on
from graphvae.training.randomness import seeded

ROOT = Path(__file__).parents[2]
SMALL = Tiles(32, 16, 4)
# Nodes, dimensions, tiles, and how many row tiles there is workspace for: whole tiles and ragged ones, one band and
# several, columns as tall as rows and shorter, spans of several tiles (with few programs).
CASES = [
    (1, 1, SMALL, 9),
    (16, 16, Tiles(16, 16, 4), 1),
    (32, 3, SMALL, 9),
    (33, 20, SMALL, 1),
    (50, 5, Tiles(16, 16, 4), 2),
    (70, 2, Tiles(32, 32, 4), 2),
    (65, 130, Tiles(32, 16, 8), 9),
    (40, 16, None, 9),
]


def tensors(n: int, d: int, device: str, spread: float = 0.7, bias: float = -1.0) -> tuple[torch.Tensor, ...]:
    with seeded(0, n, d):
        z = spread * torch.randn(n, d)
    return z.to(device), torch.tensor(0.8, device=device), torch.tensor(bias, device=device)


def formula(z: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, ...]:
    z, scale, bias = (each.double().cpu() for each in (z, scale, bias))
    s = scale * z @ z.T + bias
    return softplus(s).sum(), s.sigmoid() @ z, s.sigmoid().sum()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="is what this test starts")
@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernels run on the GPU here")
def test_all_that_needs_triton_holds_in_its_interpreter():
    files = ["tests/kernels/test_triton_pairs.py", "tests/contract/test_pair_backends.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-k", "triton", "-p", "no:cacheprovider", "-rA", *files]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("PASSED") >= len(CASES) * len(PRECISIONS) + 6
    assert "no CUDA here" not in run.stdout


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("n", "d", "tiles", "band"), CASES)
def test_triton_sums_are_those_of_the_formula(triton_device, monkeypatch, n, d, tiles, band, precision):
    monkeypatch.setattr(triton_pairs, "PROGRAMS", 4)
    z, scale, bias = tensors(n, d, triton_device)
    if precision == "tf32":
        # What the kernel sees; of tf32's errors only that of the sigmoids is left, in the second product.
        z = triton_pairs._round_to_tf32(z)
    width = max(16, 1 << (d - 1).bit_length())
    value, g, sigmoids = pair_sums(z, scale, bias, precision=precision, tiles=tiles, workspace=band * n * width)
    expected = formula(z, scale, bias)
    assert (value.dtype, g.shape, g.dtype) == (torch.float64, z.shape, torch.float32)
    torch.testing.assert_close(value.cpu(), expected[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(sigmoids.cpu(), expected[2], rtol=1e-6, atol=0)
    error = torch.linalg.vector_norm(g.cpu() - expected[1]) / torch.linalg.vector_norm(expected[1])
    assert error < {"tf32": 3e-4, "fp32": 1e-6}[precision]
    again = pair_sums(z, scale, bias, precision=precision, tiles=tiles, workspace=band * n * width)
    assert all(torch.equal(*both) for both in zip(again, (value, g, sigmoids), strict=True))
    alone, *none = pair_sums(z, scale, bias, False, precision=precision, tiles=tiles)
    torch.testing.assert_close(alone, value, rtol=1e-7, atol=0)
    assert none == [None, None]


def test_triton_keeps_the_value_of_tiny_probabilities(triton_device):
    # In float32, 1 + exp(-20) is 1: its logarithm alone would say that such a graph costs nothing.
    z, scale, bias = tensors(50, 4, triton_device, bias=-20.0)
    torch.testing.assert_close(pair_sums(z, scale, bias)[0].cpu(), formula(z, scale, bias)[0], rtol=1e-3, atol=0)
    exact = pair_sums(z, scale, bias, precision="fp32")[0].cpu()
    torch.testing.assert_close(exact, formula(z, scale, bias)[0], rtol=1e-5, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_triton_hides_nothing_that_is_not_finite(triton_device, bad):
    z, scale, bias = tensors(20, 3, triton_device)
    z[7, 1] = bad
    value, g, _ = pair_sums(z, scale, bias)
    assert not torch.isfinite(value)
    assert not torch.isfinite(g).all()


def test_triton_differentiates_through_the_door(triton_device):
    z, scale, bias = (each.requires_grad_() for each in tensors(30, 4, triton_device))
    value = pairs.pair_softplus_sum(z, scale, bias, backend="triton-fp32")
    found = torch.autograd.grad(3 * value, (z, scale, bias))
    expected = torch.autograd.grad(3 * pairs.pair_softplus_sum(z, scale, bias, backend="reference"), (z, scale, bias))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_rounding_to_tf32_is_to_the_nearest_of_11_bits():
    x = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-11 + 2**-20, 1 + 2**-12, -3.0001, 0.0, 1e-30])
    rounded = triton_pairs._round_to_tf32(x)
    assert rounded.tolist()[:4] == [1.0, 1 + 2**-10, 1 + 2**-10, 1.0]
    assert bool(((rounded - x).abs() <= 2**-11 * x.abs()).all())
    assert (rounded.view(torch.int32) & 0x1FFF).count_nonzero() == 0


def test_on_a_cpu_it_is_not_chosen(monkeypatch, torch_kernels):
    assert not triton_runs_on(torch.zeros(3, 2))
    called = []
    monkeypatch.setitem(pairs.BACKENDS, "triton", lambda *args: called.append(args))
    pairs.pair_softplus_sum(*tensors(3, 2, "cpu"))
    monkeypatch.setattr(pairs, "triton_runs_on", lambda z: True)
    pairs.pair_softplus_sum(*tensors(3, 2, "cpu"))
    assert len(called) == 1


class Chip(NamedTuple):
    major: int
    shared_memory_per_block_optin: int


@pytest.mark.parametrize(
    ("chip", "cuda", "installed", "width"),
    [
        (Chip(9, 232_448), "13.0", True, 256),
        (Chip(8, 166_912), "13.0", True, 256),
        (Chip(8, 101_376), "13.0", True, 128),
        (Chip(7, 98_304), "13.0", True, -1),
        (Chip(9, 232_448), None, True, -1),
        (Chip(9, 232_448), "13.0", False, -1),
    ],
)
def test_what_a_gpu_can_take(monkeypatch, chip, cuda, installed, width):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: chip)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(triton_pairs, "find_spec", lambda name: object() if installed else None)
    assert triton_pairs._widest.__wrapped__(torch.device("cuda")) == width


@pytest.mark.parametrize("width", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("num_nodes", [1, 10_000, 10_000_000])
def test_tiles_are_what_the_kernels_take(num_nodes, width):
    rows, columns, warps = choose_tiles(num_nodes, width)
    assert rows % columns == 0
    assert all(size & (size - 1) == 0 and size >= 16 for size in (rows, columns))
    assert warps in (4, 8)


@pytest.mark.parametrize(
    ("z", "options", "message"),
    [
        (torch.zeros(3, 2, dtype=torch.float64), {}, "z is torch.float64 of shape"),
        (torch.zeros(3, 257), {}, "D up to 256"),
        (torch.zeros(3, 2), {"precision": "tf23"}, "precision='tf23'.*did you mean 'tf32'"),
    ],
)
def test_what_the_kernels_cannot_take_is_refused(z, options, message):
    with pytest.raises(InputError, match=message):
        pair_sums(z, torch.ones(()), torch.zeros(()), **options)


def test_missing_triton_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(InputError, match='backend="triton" needs triton'):
        triton_pairs._kernels.__wrapped__()
