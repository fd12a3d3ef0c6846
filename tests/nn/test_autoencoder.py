"""Three networks as one module: who sees what of whom, and which weights are stored."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import kl_divergence

from graphvae._check import InputError
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.nn.encoders import GCNEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.priors import PRIORS
from graphvae.variational.posteriors import POSTERIORS

N, F_IN, D = 6, 4, 2
INPUTS = GraphInputs.build(
    torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), N, torch.randn(N, F_IN, generator=torch.Generator().manual_seed(0))
)


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(4)
        yield


FITTING = [(q, p) for q in POSTERIORS for p in PRIORS if (q == "hyperspherical") == (p == "uniform-sphere")]


def module(prior: str, posterior: str = "gaussian") -> Autoencoder:
    decoder = InnerProductDecoder().build(likelihood_based=True, density=0.1)
    built = PRIORS[prior]().build(num_features=F_IN, latent_dim=D)
    return Autoencoder(GCNEncoder(F_IN, D, POSTERIORS[posterior], (3,)), built, decoder).eval()


@pytest.mark.parametrize(("posterior", "prior"), FITTING)
def test_posterior_and_prior_of_one_datum(prior, posterior):
    model = module(prior, posterior)
    q, p = model(INPUTS)
    assert (q.batch_shape, q.event_shape) == (p.batch_shape, p.event_shape) == ((), (N, D))
    assert model.decode(q.rsample((3,))).batch_shape == (3,)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_a_posterior_and_a_prior_on_different_spaces_are_refused(posterior):
    module(POSTERIORS[posterior].default_prior, posterior)
    for prior in PRIORS:
        if (posterior, prior) not in FITTING:
            with pytest.raises(InputError, match=f"such as prior='{POSTERIORS[posterior].default_prior}'"):
                module(prior, posterior)


def test_a_user_s_own_networks_need_not_say_where_they_live():
    class Anywhere(torch.nn.Module):
        conditional = False

    decoder = InnerProductDecoder().build(likelihood_based=True, density=0.1)
    Autoencoder(Anywhere(), PRIORS["uniform-sphere"](), decoder)
    Autoencoder(GCNEncoder(F_IN, D, POSTERIORS["hyperspherical"]), Anywhere(), decoder)


def test_around_a_conditional_prior_silent_weights_cost_nothing():
    model = module("features")
    torch.nn.init.constant_(model.prior.log_scale, -1.0)
    torch.nn.init.zeros_(model.encoder.head.linear.weight)
    q, p = model(INPUTS)
    assert torch.equal(q.mean, p.mean)
    assert float(p.mean.detach().abs().max()) > 0
    assert float(kl_divergence(q, p).detach()) == pytest.approx(0, abs=1e-6)


def test_in_training_posterior_and_prior_share_one_draw_of_dropout():
    model = module("features").train()
    torch.nn.init.zeros_(model.encoder.head.linear.weight)
    q, p = model(INPUTS)
    assert torch.equal(q.mean, p.mean)


def test_around_the_standard_normal_the_posterior_stands_alone():
    model = module("normal")
    assert torch.equal(model(INPUTS)[0].mean, model.encoder(INPUTS).mean)


def test_state_holds_every_weight_once():
    names = set(module("features").state_dict())
    assert names == {
        "encoder.hidden.0.linear.weight",
        "encoder.head.linear.weight",
        "prior.log_scale",
        *(f"prior.layers.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")),
        "decoder.log_scale",
        "decoder.intercept",
    }
