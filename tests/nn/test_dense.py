"""Dense encoders and decoders: shapes, conditions, and the linear model without hidden layers."""

from __future__ import annotations

import pytest
import torch

from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.dense import DenseDecoder, DenseEncoder, ImageInputs, perceptron
from graphvae.nn.priors import PRIORS
from graphvae.variational.bound import bound
from graphvae.variational.observations import GaussianObservation
from graphvae.variational.posteriors import POSTERIORS

D, LATENT, K = 6, 3, 4


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        yield


def test_inputs_are_as_many_data_as_rows():
    inputs = ImageInputs(torch.zeros(5, D))
    assert (inputs.num_vectors, inputs.event_dim, inputs.condition) == (5, 1, None)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 7)])
def test_perceptron_is_linear_layers_with_relu_between(hidden):
    net = perceptron([D, *hidden, 2])
    assert [type(layer).__name__ for layer in net] == ["Linear", *["ReLU", "Linear"] * len(hidden)]
    h = x = torch.randn(4, D)
    for layer in net:
        h = h.clamp(min=0) if not hasattr(layer, "weight") else h @ layer.weight.T + layer.bias
    torch.testing.assert_close(net(x), h)


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize("classes", [0, K])
def test_every_posterior_on_an_image_is_a_bound_whose_gradient_reaches_every_weight(name, classes):
    family = POSTERIORS[name]
    module = Autoencoder(
        DenseEncoder(D, LATENT, family, (8,), classes),
        PRIORS[family.default_prior]().build(num_features=0, latent_dim=LATENT),
        DenseDecoder(LATENT, D, GaussianObservation(None), (8,), classes),
    )
    x = torch.rand(5, D)
    condition = torch.eye(K)[torch.tensor([0, 1, 2, 3, 0])] if classes else None
    posterior, prior = module(ImageInputs(x, condition))
    assert (posterior.batch_shape, posterior.event_shape) == ((5,), (LATENT,))
    terms = bound(posterior, prior, lambda z: module.decode(z, condition), x, 7, analytic=family.analytic_kl)
    assert terms.log_likelihood.shape == terms.kl.shape == (7, 5)
    (-terms.elbo().mean()).backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(torch.isfinite(parameter.grad).all()), parameter_name
        assert bool((parameter.grad != 0).any()), parameter_name


def test_without_hidden_layers_the_model_is_linear():
    decoder = DenseDecoder(LATENT, D, GaussianObservation(0.5), ())
    (layer,) = decoder.body
    z = torch.randn(9, 2, LATENT)
    torch.testing.assert_close(decoder(z).mean, z @ layer.weight.T + layer.bias)
    (layer,) = DenseEncoder(D, LATENT, POSTERIORS["point"], ()).body
    assert layer.weight.shape == (LATENT, D)


def test_a_condition_is_read_by_both_networks_row_by_row():
    encoder = DenseEncoder(D, LATENT, POSTERIORS["gaussian"], (8,), K)
    decoder = DenseDecoder(LATENT, D, GaussianObservation(), (8,), K)
    x, z = torch.randn(1, D).expand(K, D), torch.randn(6, 1, LATENT).expand(6, K, LATENT)
    q, p = encoder(ImageInputs(x, torch.eye(K))), decoder(z, torch.eye(K))
    for k in range(K):
        one = torch.eye(K)[[k]]
        torch.testing.assert_close(encoder(ImageInputs(x[:1], one)).mean[0], q.mean[k])
        torch.testing.assert_close(decoder(z[:, :1], one).mean[:, 0], p.mean[:, k])
    assert len({tuple(row.tolist()) for row in q.mean.detach()}) == K
    assert p.batch_shape == (6, K)
    assert len({tuple(row.tolist()) for row in p.mean[0].detach()}) == K
