"""The inner-product decoder: what is learned, what is settled when, and the null model it contains."""

from __future__ import annotations

import math

import pytest
import torch

from graphvae._check import InputError
from graphvae.nn.decoders import DECODERS, CosineDecoder, InnerProductDecoder
from graphvae.variational.bound import bound
from graphvae.variational.distributions import diagonal_normal


@pytest.mark.parametrize("likelihood_based", [False, True])
@pytest.mark.parametrize("scale", [None, False, True])
@pytest.mark.parametrize("bias", [None, False, True])
def test_build_settles_what_is_open_and_keeps_what_is_chosen(scale, bias, likelihood_based):
    template = InnerProductDecoder(scale, bias, initial_scale=0.3)
    decoder = template.build(likelihood_based=likelihood_based, density=0.2)
    rest = {"initial_scale": 0.3, "intercepts": False}
    assert template.settings() == {"scale": scale, "bias": bias, **rest}
    expected = {
        "log_scale": likelihood_based if scale is None else scale,
        "intercept": likelihood_based if bias is None else bias,
    }
    assert {name for name, wanted in expected.items() if wanted} == set(dict(decoder.named_parameters()))
    assert decoder.settings() == {"scale": expected["log_scale"], "bias": expected["intercept"], **rest}
    # Rebuilt from its settings it takes its weights.
    InnerProductDecoder(**decoder.settings()).load_state_dict(decoder.state_dict())
    likelihood = decoder.requires_grad_(False)(torch.ones(3, 2))
    assert float(likelihood.scale) == pytest.approx(0.3 if expected["log_scale"] else 1)
    assert float(likelihood.bias) == pytest.approx(math.log(0.25) if expected["intercept"] else 0)
    expected_logit = float(likelihood.scale) * 2 + float(likelihood.bias)
    assert float(likelihood.logits(torch.tensor([[0], [1]]))) == pytest.approx(expected_logit)


@pytest.mark.parametrize(("density", "sign"), [(0.0, -1), (1.0, 1)])
def test_empty_and_complete_graphs_start_at_a_finite_intercept(density, sign):
    decoder = InnerProductDecoder(bias=True).build(likelihood_based=True, density=density)
    assert 10 < sign * float(decoder.intercept.detach()) < 30


def test_gradients_reach_scale_and_intercept():
    decoder = InnerProductDecoder(scale=True, bias=True)
    decoder(torch.randn(2, 4, 2)).log_prob(torch.tensor([[0], [1]])).sum().backward()
    assert all(parameter.grad.abs() > 0 for parameter in decoder.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 1}, "scale=1: expected True, False or None"),
        ({"bias": "yes"}, "bias='yes': expected True, False or None"),
        ({"intercepts": 1}, "intercepts=1: expected True or False"),
        ({"initial_scale": 0}, "initial_scale=0"),
        ({"initial_scale": -1.0}, "initial_scale=-1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        InnerProductDecoder(**options)


def test_intercepts_leave_a_dimension_for_positions():
    template = InnerProductDecoder(intercepts=True)
    with pytest.raises(InputError, match="latent_dim=1"):
        template.build(likelihood_based=True, density=0.1, latent_dim=1)
    decoder = template.build(likelihood_based=True, density=0.1, latent_dim=2).double().requires_grad_(False)
    decoder.log_spread.fill_(math.log(2.0))
    # A node without a position links by its intercept alone: 2 * 3 + 2 * (-1) and the logit of 0.1.
    z = torch.tensor([[0.0, 3.0], [5.0, -1.0]], dtype=torch.float64)
    logit = float(decoder(z).logits(torch.tensor([[0], [1]])))
    assert logit == pytest.approx(4 + math.log(0.1 / 0.9))


def test_a_cosine_with_intercepts_is_checked_as_well():
    with pytest.raises(InputError, match="intercepts=1: expected True or False"):
        CosineDecoder(intercepts=1)
    with pytest.raises(InputError, match="latent_dim=1"):
        CosineDecoder(intercepts=True).build(likelihood_based=True, density=0.1, latent_dim=1)


def test_names():
    assert DECODERS["inner_product"] is InnerProductDecoder


def test_without_scale_and_with_the_prior_as_posterior_the_model_is_erdos_renyi():
    n, edges = 12, torch.tensor([[0, 1, 2, 5, 3], [4, 7, 3, 9, 11]])
    pairs, count = n * (n - 1) // 2, edges.shape[1]
    density = count / pairs
    template = InnerProductDecoder(scale=True, bias=True, initial_scale=1e-14)
    decoder = template.build(likelihood_based=True, density=density).double()
    prior = diagonal_normal(torch.zeros(n, 3).double(), torch.ones(n, 3).double(), 2)
    erdos_renyi = count * math.log(density) + (pairs - count) * math.log1p(-density)
    elbo = bound(prior, prior, decoder, edges, samples=2).elbo()
    # The intercept is made in float32, and at the maximum an error in it counts only squared.
    assert float(elbo.detach()) == pytest.approx(erdos_renyi, abs=1e-9)
    elbo.backward()
    assert float(decoder.intercept.grad) == pytest.approx(0, abs=1e-5)
