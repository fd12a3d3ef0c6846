"""The training losses in the likelihood's place: sums, refusals and saturation. Numbers of others: peer/."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphvae._check import InputError
from graphvae.variational import pseudo_likelihoods
from graphvae.variational.likelihoods import PairwiseBernoulli
from graphvae.variational.pseudo_likelihoods import KipfPseudoLikelihood, SampledPseudoLikelihood

FAMILY = [KipfPseudoLikelihood, SampledPseudoLikelihood]
PAIRS = torch.tensor([[0, 1, 1, 3], [1, 2, 4, 4]])


def positions(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("pseudo", FAMILY)
def test_a_graph_without_edges_is_refused(pseudo):
    with pytest.raises(InputError, match="the graph has no edges"):
        pseudo(PairwiseBernoulli(positions(4, 2))).log_prob(torch.empty(2, 0, dtype=torch.int64))


def test_a_complete_graph_has_no_negatives():
    with pytest.raises(InputError, match="complete"):
        SampledPseudoLikelihood(PairwiseBernoulli(positions(4, 2))).log_prob(torch.triu_indices(4, 4, 1))


@pytest.mark.parametrize("pseudo", FAMILY)
def test_batches_and_directions(pseudo):
    z, values = positions(3, 5, 2), []
    for value in (PAIRS, torch.cat([PAIRS, PAIRS.flip(0)], 1)):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            values.append(pseudo(PairwiseBernoulli(z)).log_prob(value))
    assert values[0].shape == (3,)
    torch.testing.assert_close(*values)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        torch.testing.assert_close(pseudo(PairwiseBernoulli(z[0])).log_prob(PAIRS), values[0][0])


def test_sampled_halves_are_means_over_edges_and_over_drawn_non_edges(monkeypatch):
    drawn = torch.tensor([[0, 2, 2], [4, 3, 4]])
    monkeypatch.setattr(pseudo_likelihoods, "sample_negative_pairs", lambda keys, n, count: drawn)
    z = positions(5, 2)
    s = (z @ z.T).numpy()
    halves = np.logaddexp(0, -s[tuple(PAIRS)]).mean() + np.logaddexp(0, s[tuple(drawn)]).mean()
    assert float(SampledPseudoLikelihood(PairwiseBernoulli(z)).log_prob(PAIRS)) == pytest.approx(-25 * halves)


def test_sampled_draws_as_many_as_edges_among_the_non_edges_alone(monkeypatch):
    calls = []
    original = pseudo_likelihoods.sample_negative_pairs

    def spy(keys, n, count):
        calls.append(original(keys, n, count))
        assert torch.equal(keys, PAIRS[0] * 5 + PAIRS[1])
        return calls[-1]

    monkeypatch.setattr(pseudo_likelihoods, "sample_negative_pairs", spy)
    likelihood = SampledPseudoLikelihood(PairwiseBernoulli(positions(5, 2)))
    for _ in range(2):
        likelihood.log_prob(PAIRS)
    assert [pairs.shape for pairs in calls] == [(2, 4), (2, 4)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [-100.0, 100.0])
def test_saturated_logits_keep_a_gradient(dtype, logit):
    # Where PyG's log(1 - sigmoid + 1e-15) has none. The weights of a path of three: 5/4 on ones, 9/10 on all.
    bias = torch.tensor(logit, dtype=dtype, requires_grad=True)
    path = torch.tensor([[0, 1], [1, 2]])
    likelihood = PairwiseBernoulli(torch.zeros(3, 1, dtype=dtype), bias=bias)
    (kipf,) = torch.autograd.grad(KipfPseudoLikelihood(likelihood).log_prob(path), bias)
    assert float(kipf) == pytest.approx(0.9 * (7 * 5 / 4 if logit < 0 else -2), rel=1e-5)
    (sampled,) = torch.autograd.grad(SampledPseudoLikelihood(likelihood).log_prob(path), bias)
    assert float(sampled) == pytest.approx(9 if logit < 0 else -9, rel=1e-6)
