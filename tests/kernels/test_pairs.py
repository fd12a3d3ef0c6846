"""The sum over all pairs: independence of the tiling, precision in both floating types, and memory."""

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
from graphvae.kernels.pairs import pair_sigmoid_sum, pair_softplus_sum, tiles


def positions(n: int, d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(n), dtype=torch.float64).to(dtype)


def scalar(value: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(value, dtype=dtype, requires_grad=True)


def value_and_gradients(z, scale, bias, **options):
    leaves = [z.clone().requires_grad_(), scalar(scale, z.dtype), scalar(bias, z.dtype)]
    value = pair_softplus_sum(*leaves, **options)
    return value.detach(), torch.autograd.grad(value, leaves)


@pytest.mark.parametrize(("n", "block"), [(0, 3), (1, 3), (6, 3), (7, 3), (7, 7), (7, 100), (5, 1)])
def test_tiles_cover_the_upper_triangle_once(n, block):
    count = np.zeros((n, n), dtype=int)
    for rows, columns in tiles(n, block):
        count[rows, columns] += 1
    upper = np.triu(np.ones((n, n), dtype=int))
    assert np.array_equal(count * upper, upper)
    # Below the diagonal only what a tile on it brings along.
    assert np.array_equal(count[::block, ::block], np.triu(np.ones_like(count[::block, ::block])))


@pytest.mark.parametrize("z", [torch.zeros(3), torch.zeros(2, 3, 1)])
def test_a_batch_is_refused(z):
    with pytest.raises(InputError, match=r"z has shape .*: expected \(N, D\)"):
        pair_softplus_sum(z, scalar(1.0), scalar(0.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"block": 0}, "block=0"), ({"block": 2.5}, "block=2.5"), ({"backend": "blockwize"}, "did you mean 'blockwise'")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        pair_softplus_sum(positions(3, 2), scalar(1.0), scalar(0.0), **options)


@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (0.1, -6.0), (1.0, -8.0), (3.0, 4.0)])
def test_single_precision_agrees_with_double(scale, bias):
    n = 700
    z = positions(n, 16)
    exact, gradients = value_and_gradients(z, scale, bias)
    value, single = value_and_gradients(z.float(), scale, bias)
    torch.testing.assert_close(value.double(), exact, rtol=3e-7, atol=0)
    for ours, theirs in zip(single, gradients, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=1e-6 * float(theirs.abs().max()))


def test_value_without_gradient_keeps_small_terms_even_for_parameters():
    # All pairs alike: the training path rounds each 1 - p alike (by design); what is reported must not.
    z, zero = torch.zeros(600, 2), torch.zeros(())
    bias = torch.nn.Parameter(torch.tensor(-9.0))
    exact = 600**2 * float(np.log1p(np.exp(-9.0)))
    with torch.no_grad():
        reported = pair_softplus_sum(z, zero, bias)
    assert not reported.requires_grad
    assert float(reported) == pytest.approx(exact, rel=3e-7)
    trained = pair_softplus_sum(z, zero, bias)
    # One rounding of 1 - p in each pair.
    assert float(trained.detach()) == pytest.approx(exact, abs=600**2 * 6e-8)


@pytest.mark.parametrize("block", [1, 4, 512])
def test_expected_edges_equal_the_dense_sum(block):
    z = positions(11, 3)
    dense = torch.sigmoid(z @ z.T * 0.7 - 0.2).triu(1).sum()
    ours = pair_sigmoid_sum(z, scalar(0.7), scalar(-0.2), block=block)
    assert ours == pytest.approx(float(dense), rel=1e-13)


MEMORY = """
import re, torch
from graphvae.variational.likelihoods import PairwiseBernoulli

def kib(field):
    return int(re.search(field + r":\\s*(\\d+) kB", open("/proc/self/status").read())[1])

def gradient(n):
    z = torch.randn(n, 16, requires_grad=True)
    scale, bias = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    edges = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    before = kib("VmRSS")
    PairwiseBernoulli(z, scale, bias).log_prob(edges).backward()
    return before

gradient(1000)  # what torch loads and keeps once is no part of the need
before = gradient(20_000)
print((kib("VmHWM") - before) / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure the peak of a process")
def test_exact_log_prob_and_gradient_of_20000_nodes_need_less_than_200_mb():
    # A process of its own: its high-water mark holds nothing of other tests.
    root = str(Path(graphvae.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", MEMORY], env=environment, capture_output=True, text=True, check=True)
    assert 1 < float(run.stdout) < 200
