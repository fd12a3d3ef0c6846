"""Dense networks, and the encoder and decoder of images: shapes, conditions, and the linear model."""

from __future__ import annotations

import pytest
import torch

from graphvae._check import InputError
from graphvae.nn.dense import ACTIVATIONS, DenseNetwork, ImageDecoder, ImageEncoder, ImageInputs, broadcast, perceptron
from graphvae.variational.observations import GaussianObservation
from graphvae.variational.posteriors import POSTERIORS

D, LATENT, K = 6, 3, 4


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        yield


def encoder(name="gaussian", hidden=(8,), classes=0):
    family = POSTERIORS[name].build(LATENT)
    return ImageEncoder(DenseNetwork().encoder((D,), hidden, classes, family.width(LATENT)), family)


def decoder(hidden=(8,), classes=0):
    return ImageDecoder(DenseNetwork().decoder(LATENT, hidden, classes, (D,)), GaussianObservation(0.5))


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


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    net = DenseNetwork(name).encoder((D,), (5,), 0, 2)
    x = torch.randn(4, D)
    expected = net[2](getattr(torch.nn.functional, name)(net[0](x)))
    torch.testing.assert_close(net(x), expected)


def test_unknown_activation_is_refused():
    with pytest.raises(InputError, match=r"activation='rellu': expected one of .* \(did you mean 'relu'"):
        DenseNetwork("rellu")


def test_a_condition_is_more_columns_and_is_broadcast():
    net = perceptron([D + K, 5, 2])
    x, condition = torch.randn(7, D), torch.eye(K)[:, None]
    found = net(x, condition)
    assert found.shape == (K, 7, 2)
    wide = torch.cat([x.expand(K, 7, D), condition.expand(K, 7, K)], -1)
    torch.testing.assert_close(found, net(wide))
    a, b = broadcast(x, condition)
    torch.testing.assert_close(torch.cat([a, b], -1), wide)


def test_without_hidden_layers_the_model_is_linear():
    p = decoder(())
    (layer,) = p.body
    z = torch.randn(9, 2, LATENT)
    torch.testing.assert_close(p(z).mean, z @ layer.weight.T + layer.bias)
    (layer,) = encoder("point", ()).body
    assert layer.weight.shape == (LATENT, D)


def test_a_condition_is_read_by_both_networks_row_by_row():
    encode, decode = encoder(classes=K), decoder(classes=K)
    x, z = torch.randn(1, D).expand(K, D), torch.randn(6, 1, LATENT).expand(6, K, LATENT)
    q, p = encode(ImageInputs(x, torch.eye(K))), decode(z, torch.eye(K))
    for k in range(K):
        one = torch.eye(K)[[k]]
        torch.testing.assert_close(encode(ImageInputs(x[:1], one)).mean[0], q.mean[k])
        torch.testing.assert_close(decode(z[:, :1], one).mean[:, 0], p.mean[:, k])
    assert len({tuple(row.tolist()) for row in q.mean.detach()}) == K
    assert p.batch_shape == (6, K)
    assert len({tuple(row.tolist()) for row in p.mean[0].detach()}) == K
