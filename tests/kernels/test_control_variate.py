"""The estimated sum over all pairs: the mean over every shift is the exact sum, so no statistics are needed."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import graphvae
from graphvae._check import InputError
from graphvae.kernels.control_variate import ControlVariate, pair_softplus_estimate
from graphvae.kernels.pairs import pair_softplus_sum
from graphvae.training.randomness import seeded

C = {"zero": (0.0, 0.0, 0.0, 0.0), "taylor": (0.0, np.log(2), 0.5, 0.125), "odd": (-1.5, 0.3, -2.0, 0.7)}


def positions(n: int, d: int, seed: int = 0, spread: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)) * spread)


@pytest.fixture(autouse=True)
def _same_draws_every_time():
    with seeded(0):
        yield


def leaves(z: torch.Tensor, scale: float, bias: float) -> list[torch.Tensor]:
    return [z.clone().requires_grad_(), *(torch.tensor(x, dtype=z.dtype, requires_grad=True) for x in (scale, bias))]


def frozen(variate: ControlVariate, coefficients) -> ControlVariate:
    """The same with these coefficients, whatever it has seen: moments without variance allow no fit."""
    variate.load_state_dict({"coefficients": list(coefficients), "moments": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]})
    return variate


def logits(z, scale, bias, edges, signature=None):
    signed = z if signature is None else z * signature
    return None if edges is None else (signed[edges[0]] * z[edges[1]]).sum(1) * scale + bias


def estimate(z, scale, bias, variate, edges=None, signature=None, **options):
    along = logits(z, scale, bias, edges, signature)
    return pair_softplus_estimate(z, scale, bias, variate, edge_logits=along, signature=signature, **options)


def value_and_gradients(arguments, function, *args, **options):
    value = function(*arguments, *args, **options)
    return value.detach(), *torch.autograd.grad(value, arguments)


def assert_close(ours, theirs, rtol=1e-10):
    for one, other in zip(ours, theirs, strict=True):
        size = float(other.abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(one, other, rtol=rtol, atol=rtol * (1 + size))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 13),
    d=st.integers(1, 4),
    block=st.integers(1, 15),
    scale=st.floats(-2, 2),
    bias=st.floats(-20, 20),
    coefficients=st.sampled_from([None, *C.values()]),
    edges=st.booleans(),
    signed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_mean_over_all_shifts_is_the_exact_sum_and_its_gradients(
    n, d, block, scale, bias, coefficients, edges, signed, seed
):
    arguments = leaves(positions(n, d, seed, 1.5), scale, bias)
    pairs = torch.triu_indices(n, n, 1)[:, seed % 3 :: 3] if edges else None
    variate = ControlVariate(n, pairs)
    signature = torch.tensor([-1.0, 1.0, 0.5, 1.0], dtype=torch.float64)[:d] if signed else None
    if coefficients is None:
        with seeded(seed):  # a fit to what an earlier call saw
            estimate(*arguments, variate, pairs, signature)
    else:
        frozen(variate, coefficients)
    ours = value_and_gradients(arguments, estimate, variate, pairs, signature, shifts=range(1, n), block=block)
    exact = value_and_gradients(arguments, pair_softplus_sum, backend="reference", signature=signature)
    if coefficients is not None:
        assert variate.state_dict()["coefficients"] == list(coefficients)
    assert_close(ours, exact)


@pytest.mark.parametrize("n", [0, 1])
def test_without_pairs_the_diagonal_is_left(n):
    arguments = leaves(positions(n, 3), 0.7, -1.0)
    assert_close(
        value_and_gradients(arguments, estimate, ControlVariate(n)),
        value_and_gradients(arguments, pair_softplus_sum, backend="reference"),
    )


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (0.1, -9.0), (2.0, 3.0)])
@pytest.mark.parametrize("shifts", [[1], [350], [349, 351, 349]])
def test_each_draw_is_the_formula(dtype, rtol, scale, bias, shifts):
    """The dense sum of q over all pairs, r on the diagonal, and r weighted at the shifts; in double by numpy."""
    n = 700
    z = positions(n, 5, 1)
    c = (bias + 0.4, 0.2, 0.35, 0.06)
    variate = frozen(ControlVariate(n), c)
    value, to_z, to_scale, to_bias = value_and_gradients(
        leaves(z.to(dtype), scale, bias), estimate, variate, shifts=shifts, block=100
    )
    x = z.to(dtype).double().numpy()
    order = variate.order.squeeze(1).numpy()
    inner = x @ x.T
    s = scale * inner + bias
    weight = np.eye(n)
    for k in shifts:
        weight[order, np.roll(order, -k)] += (n - 1) / len(shifts)
    t = s - c[0]
    q, slope = c[1] + c[2] * t + c[3] * t**2, c[2] + 2 * c[3] * t
    slope = slope + weight * (expit(s) - slope)
    expected = [
        (q + weight * (np.logaddexp(0, s) - q)).sum(),
        scale * (slope + slope.T) @ x,
        (slope * inner).sum(),
        slope.sum(),
    ]
    for ours, theirs in zip((value, to_z, to_scale, to_bias), expected, strict=True):
        error = np.abs(ours.double().numpy() - theirs).max()
        # Terms as large as the parts of the sum, not as what is left of it.
        assert error <= rtol * max(
            np.abs(theirs).max(), (np.abs(slope) * np.abs(inner)).sum() if theirs.ndim == 0 else 0
        )


@pytest.mark.parametrize("wanted", [(0, 1, 2), (0,), (1,), (2,)])
@pytest.mark.parametrize("with_edges", [False, True])
def test_gradcheck_in_all_and_each_argument(wanted, with_edges):
    arguments = leaves(positions(7, 2), 0.8, -0.3)
    for index, tensor in enumerate(arguments):
        tensor.requires_grad_(index in wanted)
    edges = torch.tensor([[0, 2, 5], [1, 6, 6]]) if with_edges else None
    variate = ControlVariate(7, edges)
    assert torch.autograd.gradcheck(
        lambda *args: estimate(*args, frozen(variate, C["odd"]), edges, shifts=[2, 3], block=3), arguments
    )


def test_any_memory_layout_is_read():
    z = positions(6, 4)
    arguments = leaves(z, 1.0, 0.0)
    strided = [z.T.contiguous().T.requires_grad_(), *arguments[1:]]
    ours, plain = (value_and_gradients(each, estimate, ControlVariate(6), shifts=[2]) for each in (strided, arguments))
    assert not strided[0].is_contiguous()
    assert_close(ours, plain, 1e-14)


# --- noise -----------------------------------------------------------------------------------------------------------


def gradient_noise(z, scale, bias, variate, edges=None, draws=60, total=False):
    """Variance of the gradient in z, summed over its entries; of its sum over nodes if ``total``."""
    arguments = leaves(z, scale, bias)
    with seeded(7):
        drawn = torch.stack(
            [torch.autograd.grad(estimate(*arguments, variate, edges), arguments[0])[0] for _ in range(draws)]
        )
    return float((drawn.sum(1) if total else drawn).var(0).sum())


def communities(n=800, d=8, groups=20):
    """Positions like those of a trained model, nodes of one group side by side."""
    return positions(groups, d, 1, 0.5).repeat_interleave(n // groups, 0) + positions(n, d, 2, 0.25)


@pytest.mark.parametrize(("scale", "bias", "gain"), [(1.0, 0.0, 60), (0.3, -5.0, 25)])
def test_noise_of_the_gradient_is_far_below_plain_sampling(scale, bias, gain):
    z = communities()
    plain = ControlVariate(len(z))
    plain.refit = lambda bias: C["zero"]
    assert gradient_noise(z, scale, bias, plain) > gain * gradient_noise(z, scale, bias, ControlVariate(len(z)))


def test_exact_edges_take_the_heavy_tail_away():
    # Sparse and well fitted: nearly all probability lies on the edges.
    z = communities()
    s = (z @ z.T).triu(1)
    edges = (s > s[s != 0].quantile(0.99)).nonzero().T
    without = gradient_noise(z, 2.0, -9.0, ControlVariate(len(z)))
    assert without > 4 * gradient_noise(z, 2.0, -9.0, ControlVariate(len(z), edges), edges)


def test_shared_weights_do_not_feel_the_order_of_the_nodes():
    z = communities()
    shuffled, stored = ControlVariate(len(z)), ControlVariate(len(z))
    stored.order = stored.place = torch.arange(len(z), dtype=torch.int32)[:, None]
    assert gradient_noise(z, 1.0, -2.0, stored, total=True) > 5 * gradient_noise(z, 1.0, -2.0, shuffled, total=True)


# --- the fit ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [0.0, -9.0, 800.0, -800.0])
def test_the_first_call_expands_at_the_bias(bias):
    variate = ControlVariate(5)
    arguments = leaves(positions(5, 2), 1.0, bias)
    estimate(*arguments, variate)
    p = expit(bias)
    assert variate.state_dict()["coefficients"] == pytest.approx([bias, np.logaddexp(0, bias), p, p * (1 - p) / 2])


def test_the_fit_is_the_least_squares_line_through_the_sigmoid_of_earlier_pairs():
    n = 40
    z = positions(n, 3)
    arguments = leaves(z, 0.8, -2.0)
    variate = ControlVariate(n)
    first = variate.refit(arguments[2])
    estimate(*arguments, variate, shifts=range(1, n))
    assert variate.state_dict()["coefficients"] == list(first), "a call must not be fitted to its own shifts"
    m, c0, c1, c2 = variate.refit(arguments[2])
    s = (0.8 * z @ z.T - 2.0)[~torch.eye(n, dtype=torch.bool)].numpy()
    slope, level = np.polyfit(s - s.mean(), expit(s), 1)
    assert (m, c1, 2 * c2) == pytest.approx((s.mean(), level, slope), rel=1e-9)
    residual = np.logaddexp(0, s) - (c0 + c1 * (s - m) + c2 * (s - m) ** 2)
    assert residual.mean() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(variate.residual_sum(torch.from_numpy(s)[:, None]), residual, rtol=1e-9, atol=1e-12)


def test_the_fit_follows_what_it_sees_and_forgets():
    n = 50
    z = positions(n, 3, spread=0.5)
    variate, fresh = ControlVariate(n, decay=0.5), ControlVariate(n, decay=0.5)
    for _ in range(20):
        estimate(*leaves(z, 1.0, 6.0), variate, shifts=range(1, n))
    for _ in range(40):
        estimate(*leaves(z, 1.0, -4.0), variate, shifts=range(1, n))
    estimate(*leaves(z, 1.0, -4.0), fresh, shifts=range(1, n))
    bias = torch.tensor(0.0)
    assert variate.refit(bias) == pytest.approx(fresh.refit(bias), rel=1e-6)


def test_nothing_finite_or_nothing_different_leaves_the_coefficients():
    n = 6
    good, same = leaves(positions(n, 2), 1.0, -1.0), leaves(torch.zeros(n, 2, dtype=torch.float64), 1.0, 3.0)
    broken = leaves(torch.full((n, 2), torch.nan, dtype=torch.float64), 1.0, -1.0)
    variate = ControlVariate(n, decay=0.0)
    estimate(*good, variate)
    kept = variate.refit(good[2])
    estimate(*broken, variate)
    assert variate.refit(good[2]) == kept
    estimate(*same, variate)  # equal logits: no line goes through one point
    assert variate.refit(good[2]) == kept
    estimate(*leaves(positions(n, 2), 1.0, 1.0), variate)
    assert variate.refit(good[2]) != kept, "and the next good call counts"


@pytest.mark.parametrize(
    ("slope", "spread", "fits"), [(0.1, 1.0, True), (-0.01, 1.0, False), (0.26, 1.0, False), (0.1, 1e-15, False)]
)
def test_a_line_that_no_sigmoid_has_is_refused(slope, spread, fits):
    mean, level = 3.0, 0.9
    variate, kept = ControlVariate(5), (0.5, 0.1, 0.2, 0.03)
    moments = [1.0, mean, mean**2 + spread, level, mean * level + slope * spread, 2.0]
    variate.load_state_dict({"coefficients": list(kept), "moments": moments})
    fitted = pytest.approx((mean, 2.0 - slope / 2 * spread, level, slope / 2)) if fits else kept
    assert variate.refit(torch.zeros(())) == fitted


# --- extremes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [-100.0, 100.0])
def test_saturated_logits_keep_value_and_gradient(dtype, bias):
    arguments = leaves(torch.zeros(3, 2, dtype=dtype), 1.0, bias)
    value, _, _, to_bias = value_and_gradients(arguments, estimate, ControlVariate(3))
    assert value.dtype == dtype
    assert float(value) == pytest.approx(9 * max(bias, 0), abs=1e-30)
    assert float(to_bias) == pytest.approx(9.0 if bias > 0 else 0.0, abs=1e-30)


@pytest.mark.parametrize("scale", [1e3, -1e3, 1e-8, 0.0])
def test_extreme_scales_stay_exact_on_average(scale):
    n = 9
    arguments = leaves(positions(n, 2), scale, -1.0)
    variate = ControlVariate(n)
    for _ in range(3):
        estimate(*arguments, variate)
    ours = value_and_gradients(arguments, estimate, variate, shifts=range(1, n))
    assert_close(ours, value_and_gradients(arguments, pair_softplus_sum, backend="reference"), 1e-9)


def test_single_precision_agrees_with_double_at_size():
    n = 30_000
    z = positions(n, 16, 3, 0.5)
    variate = ControlVariate(n)
    estimate(*leaves(z, 0.3, -9.0), variate, shifts=[5])
    double = value_and_gradients(leaves(z, 0.3, -9.0), estimate, copy.deepcopy(variate), shifts=[17, 4711])
    single = value_and_gradients(leaves(z.float(), 0.3, -9.0), estimate, variate, shifts=[17, 4711])
    for ours, theirs in zip(single, double, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


# --- state, seeds, memory, refusals ----------------------------------------------------------------------------------


def run(variate, steps, n=60):
    out = []
    for step in steps:
        with seeded(0, "step", step):
            arguments = leaves(positions(n, 3, step).float(), 1.0, -1.0)
            out += [tensor.clone() for tensor in value_and_gradients(arguments, estimate, variate)]
    return out


def equal(ours, theirs):
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_the_seed_and_the_state_settle_every_bit():
    whole = run(ControlVariate(60), range(6))
    variate = ControlVariate(60)
    start = run(variate, range(3))
    saved, copied = json.loads(json.dumps(variate.state_dict())), copy.deepcopy(variate)
    resumed = ControlVariate(60)
    resumed.load_state_dict(saved)
    assert equal(start + run(variate, range(3, 6)), whole)
    assert equal(run(copied, range(3, 6)), whole[12:])
    assert equal(run(resumed, range(3, 6)), whole[12:])
    assert not equal(run(ControlVariate(60), range(3, 6)), whole[12:]), "the state matters"


def test_shifts_are_drawn_uniformly_and_nothing_else_is():
    n, counts = 7, np.zeros(7)
    variate = frozen(ControlVariate(n), C["zero"])
    z, one, zero = positions(n, 2), torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        by_value = {round(float(estimate(z, one, zero, variate, shifts=[k])), 9): k for k in range(1, n)}
    with seeded(1), torch.no_grad():
        for _ in range(600):
            counts[by_value[round(float(estimate(z, one, zero, variate, shifts=1)), 9)]] += 1
        after = torch.rand(())
    with seeded(1):
        torch.stack([torch.randint(1, n, (1,)) for _ in range(600)])
        assert torch.equal(after, torch.rand(()))
    # A shift and its opposite are the same pairs.
    assert len(by_value) == 3
    assert counts[counts > 0].min() > 150


def test_without_gradients_the_value_is_the_same_and_the_state_stays():
    variate = ControlVariate(60)
    run(variate, range(2))
    before = variate.state_dict()
    arguments = leaves(positions(60, 3), 1.0, -1.0)
    with seeded(0), torch.no_grad():
        reported = estimate(*arguments, variate)
    assert not reported.requires_grad
    with seeded(0):
        trained = estimate(*arguments, copy.deepcopy(variate))
    assert torch.equal(reported, trained.detach())
    assert variate.state_dict()["moments"] == before["moments"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same():
    n, edges = 500, torch.tensor([[0, 3, 70], [1, 400, 71]])
    z = positions(n, 4)
    cpu, gpu = ControlVariate(n, edges), ControlVariate(n, edges, device="cuda")
    for _ in range(3):
        ours = value_and_gradients(
            [x.detach().cuda().requires_grad_() for x in leaves(z, 0.7, -2.0)],
            estimate,
            gpu,
            edges.cuda(),
            shifts=[7, 499],
        )
        theirs = value_and_gradients(leaves(z, 0.7, -2.0), estimate, cpu, edges, shifts=[7, 499])
        assert_close([x.cpu() for x in ours], theirs)


MEMORY = """
import re, torch
from graphvae.kernels.control_variate import ControlVariate, pair_softplus_estimate

def kib(field):
    return int(re.search(field + r":\\s*(\\d+) kB", open("/proc/self/status").read())[1])

def gradient(n):
    z, scale, bias = torch.randn(n, 16, requires_grad=True), torch.ones((), requires_grad=True), torch.zeros(())
    variate = ControlVariate(n)
    before = kib("VmRSS")
    pair_softplus_estimate(z, scale, bias, variate).backward()
    return before

gradient(1000)  # what torch loads and keeps once is no part of the need
before = gradient(300_000)
print((kib("VmHWM") - before) / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure the peak of a process")
def test_300000_nodes_need_two_arrays_of_the_size_of_z_and_blocks():
    # 18 MB each; N x N would be 360 GB. A process of its own: its high-water mark holds nothing of other tests.
    root = str(Path(graphvae.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", MEMORY], env=environment, capture_output=True, text=True, check=True)
    assert 1 < float(run.stdout) < 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": torch.zeros(3)}, r"z has shape \(3,\): expected \(4, D\)"),
        ({"z": torch.zeros(5, 2)}, r"z has shape \(5, 2\): expected \(4, D\)"),
        ({"shifts": 0}, "shifts=0"),
        ({"shifts": [4]}, "shifts=4: expected a value between 1 and 3"),
        ({"shifts": []}, r"shifts=\[\]"),
        ({"block": 0}, "block=0"),
        ({"edge_logits": torch.zeros(2)}, "expected 0 logits"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {"z": torch.zeros(4, 2), "scale": torch.ones(()), "bias": torch.zeros(()), "variate": ControlVariate(4)}
    with pytest.raises(InputError, match=message):
        pair_softplus_estimate(**{**arguments, **change})


@pytest.mark.parametrize("edges", [[[0], [0]], [[0, 0], [1, 1]], [[0, 1], [1, 0]]])
def test_loops_and_repeated_edges_are_refused(edges):
    with pytest.raises(InputError, match="edges holds a loop, or a pair twice"):
        ControlVariate(3, torch.tensor(edges))


def test_the_edges_of_the_variate_are_asked_for():
    variate = ControlVariate(3, torch.tensor([[0], [1]]))
    with pytest.raises(InputError, match="edge_logits=None: expected 1 logits"):
        pair_softplus_estimate(torch.zeros(3, 2), torch.ones(()), torch.zeros(()), variate)


@pytest.mark.parametrize("options", [{"num_nodes": -1}, {"num_nodes": 3, "decay": 1.5}, {"num_nodes": 2.5}])
def test_bad_settings_are_refused(options):
    with pytest.raises(InputError):
        ControlVariate(**options)
