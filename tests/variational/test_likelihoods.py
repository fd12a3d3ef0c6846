"""The lazy pairwise Bernoulli against torch's dense one: values, gradients, samples, and the estimate's expectation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli

from graphvae._check import InputError
from graphvae.variational import likelihoods
from graphvae.variational.likelihoods import PairwiseBernoulli


@pytest.fixture(autouse=True, scope="module")
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        yield


def double(value) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def random_case(n: int, d: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions, and about a third of all pairs as edges."""
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(np.triu(rng.random((n, n)) < 0.3, 1)).T
    return double(rng.normal(size=(n, d))), torch.as_tensor(pairs.copy())


def dense_log_prob(z, scale, bias, pairs) -> torch.Tensor:
    n = z.shape[-2]
    target = torch.zeros(n, n, dtype=z.dtype)
    target[pairs[0], pairs[1]] = 1
    logits = z @ z.transpose(-1, -2) * scale + bias
    i, j = torch.triu_indices(n, n, 1)
    return Bernoulli(logits=logits[..., i, j]).log_prob(target[i, j]).sum(-1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 13),
    d=st.integers(1, 4),
    block=st.integers(1, 15),
    scale=st.floats(-3, 3),
    bias=st.floats(-12, 12),
    seed=st.integers(0, 99),
)
def test_log_prob_is_torch_s_dense_one_whatever_the_block(n, d, block, scale, bias, seed):
    z, pairs = random_case(n, d, seed)
    leaves = [z.requires_grad_(), double(scale).requires_grad_(), double(bias).requires_grad_()]
    ours = PairwiseBernoulli(*leaves, block=block).log_prob(pairs)
    theirs = dense_log_prob(*leaves, pairs)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    # A graph of one node has no pairs, so torch's sum does not depend on the bias.
    ours, theirs = (torch.autograd.grad(value, leaves, materialize_grads=True) for value in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_gradcheck_in_positions_scale_and_bias():
    z, pairs = random_case(6, 2, seed=1)
    leaves = [z.requires_grad_(), double(0.8).requires_grad_(), double(-0.5).requires_grad_()]
    assert torch.autograd.gradcheck(lambda *args: PairwiseBernoulli(*args, block=4).log_prob(pairs), leaves)


def test_single_precision_agrees_with_double():
    z, pairs = random_case(600, 16, seed=2)
    results = []
    for dtype in (torch.float32, torch.float64):
        leaves = [t.to(dtype).requires_grad_() for t in (z, double(0.5), double(-3.0))]
        value = PairwiseBernoulli(*leaves).log_prob(pairs)
        results.append([value, *torch.autograd.grad(value, leaves)])
    for single, exact in zip(*results, strict=True):
        assert single.dtype == torch.float32
        size = float(exact.detach().abs().max())
        torch.testing.assert_close(single.double(), exact, rtol=1e-6, atol=2e-6 * size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [-100.0, 100.0])
@pytest.mark.parametrize("edge", [True, False])
def test_saturated_pairs_keep_their_gradient(dtype, logit, edge):
    bias = torch.tensor(logit, dtype=dtype, requires_grad=True)
    pairs = torch.tensor([[0], [1]])[:, : int(edge)]
    value = PairwiseBernoulli(torch.zeros(2, 1, dtype=dtype), bias=bias).log_prob(pairs)
    (gradient,) = torch.autograd.grad(value, bias)
    wrong = edge == (logit < 0)
    assert float(value.detach()) == pytest.approx(-100.0 if wrong else 0.0, abs=1e-30)
    assert float(gradient) == pytest.approx((1.0 if edge else -1.0) if wrong else 0.0, abs=1e-30)


def test_both_directions_or_one_and_any_relabelling_are_the_same_graph():
    z, pairs = random_case(9, 3, seed=4)
    value = PairwiseBernoulli(z).log_prob(pairs)
    torch.testing.assert_close(PairwiseBernoulli(z).log_prob(torch.cat([pairs, pairs.flip(0)], 1)), value)
    order = torch.randperm(9)
    relabelled = torch.argsort(order)[pairs].sort(0).values
    torch.testing.assert_close(PairwiseBernoulli(z[order]).log_prob(relabelled), value, rtol=1e-13, atol=0)


def test_a_batch_of_positions_is_a_batch_of_graphs():
    z = torch.randn(2, 3, 7, 2, dtype=torch.float64)
    _, pairs = random_case(7, 2, seed=5)
    likelihood = PairwiseBernoulli(z, double(0.7), double(-1.0))
    assert (likelihood.batch_shape, likelihood.event_shape) == ((2, 3), (7, 7))
    assert (likelihood.num_nodes, likelihood.num_pairs) == (7, 21)
    torch.testing.assert_close(likelihood.log_prob(pairs), dense_log_prob(z, 0.7, -1.0, pairs), rtol=0, atol=1e-11)
    dense = z @ z.transpose(-1, -2) * 0.7 - 1.0
    torch.testing.assert_close(likelihood.logits(pairs), dense[..., pairs[0], pairs[1]])
    torch.testing.assert_close(likelihood.diagonal_logits(), dense.diagonal(dim1=-2, dim2=-1))
    nothing = torch.empty(2, 0, dtype=torch.int64)
    torch.testing.assert_close(likelihood.softplus_sum(), -likelihood.log_prob(nothing))
    assert likelihood.log_prob_estimate(pairs, 5).shape == (2, 3)


@pytest.mark.parametrize("n", [0, 1])
def test_graphs_without_pairs_are_certain(n):
    likelihood, nothing = PairwiseBernoulli(torch.randn(n, 2)), torch.empty(2, 0, dtype=torch.int64)
    assert float(likelihood.log_prob(nothing)) == pytest.approx(0, abs=1e-6)
    assert float(likelihood.log_prob_estimate(nothing, 3)) == 0
    assert likelihood.sample_edges().shape == (2, 0)
    assert likelihood.expected_edges() == 0


def test_estimate_is_exact_in_expectation(monkeypatch):
    z, pairs = random_case(9, 2, seed=6)
    likelihood = PairwiseBernoulli(z, double(1.5), double(-0.5))
    exact = float(likelihood.log_prob(pairs))
    # Exhaustively: every pair, drawn once each, is the expectation over uniform pairs.
    everything = torch.triu_indices(9, 9, 1)
    monkeypatch.setattr(likelihoods, "sample_pairs", lambda n, count, device: everything)
    assert float(likelihood.log_prob_estimate(pairs, 36)) == pytest.approx(exact, abs=1e-10)
    monkeypatch.undo()
    # And with the real sampler, within its own standard error.
    estimates = torch.stack([likelihood.log_prob_estimate(pairs, 4) for _ in range(4000)])
    error = float(estimates.std()) / 4000**0.5
    assert float(estimates.mean()) == pytest.approx(exact, abs=4 * error)
    assert error < 0.02 * abs(exact)


def test_gradient_of_the_estimate_is_unbiased():
    z, pairs = random_case(6, 2, seed=7)
    bias = double(-0.5).requires_grad_()
    likelihood = PairwiseBernoulli(z, bias=bias)
    (exact,) = torch.autograd.grad(likelihood.log_prob(pairs), bias)
    draws = torch.stack([torch.autograd.grad(likelihood.log_prob_estimate(pairs, 3), bias)[0] for _ in range(1000)])
    assert float(draws.mean()) == pytest.approx(float(exact), abs=4 * float(draws.std()) / 1000**0.5)


@pytest.mark.parametrize("samples", [0, 1.5, None])
def test_estimate_needs_samples(samples):
    with pytest.raises(InputError, match="samples="):
        PairwiseBernoulli(torch.zeros(3, 1)).log_prob_estimate(torch.tensor([[0], [1]]), samples)


def test_sampled_graphs_have_the_probabilities_of_the_model():
    z, _ = random_case(7, 2, seed=8)
    likelihood = PairwiseBernoulli(z, double(1.0), double(-0.7), block=3)
    p = torch.sigmoid(z @ z.T - 0.7).triu(1)
    assert likelihood.expected_edges() == pytest.approx(float(p.sum()), rel=1e-12)
    count, draws = torch.zeros(7, 7, dtype=torch.float64), 2000
    for _ in range(draws):
        edges = likelihood.sample_edges()
        assert torch.equal(edges, edges[:, torch.argsort(edges[0] * 7 + edges[1])])
        count[edges[0], edges[1]] += 1
    assert bool((count.tril() == 0).all())
    error = (p * (1 - p) / draws).sqrt()
    assert bool(((count / draws - p).abs() <= 4 * error).all())


def test_sampled_edges_hold_no_gradient_and_each_pair_at_most_once():
    edges = PairwiseBernoulli(torch.zeros(9, 1, requires_grad=True), bias=torch.tensor(50.0), block=4).sample_edges()
    assert torch.equal(edges, torch.triu_indices(9, 9, 1))
    assert not edges.requires_grad


def test_without_scale_and_bias_the_model_is_the_paper_s():
    z, pairs = random_case(5, 2, seed=9)
    i, j = torch.triu_indices(5, 5, 1)
    p = torch.sigmoid((z[i] * z[j]).sum(1))
    chosen = torch.isin(i * 5 + j, pairs[0] * 5 + pairs[1])
    by_hand = sum(math.log(q if edge else 1 - q) for q, edge in zip(p.tolist(), chosen.tolist(), strict=True))
    assert float(PairwiseBernoulli(z).log_prob(pairs)) == pytest.approx(by_hand, rel=1e-12)
