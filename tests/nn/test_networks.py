"""Every network of images against one contract, and modules of the user's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphvae._check import InputError
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.dense import ImageDecoder, ImageEncoder, ImageInputs
from graphvae.nn.networks import NETWORKS, CustomNetwork
from graphvae.nn.priors import PRIORS
from graphvae.variational.bound import bound
from graphvae.variational.observations import GaussianObservation
from graphvae.variational.posteriors import POSTERIORS

SHAPE, D, LATENT, K = (2, 5, 4), 40, 3, 4


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        yield


class Beside(nn.Module):
    """Flattens what it is given, puts the classes beside it, and is linear."""

    def __init__(self, given: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(given, out)

    def forward(self, x, *condition):
        return self.linear(torch.cat([x.flatten(1), *condition], -1)).tanh()


def network(name, classes=0):
    if name == "custom":
        return CustomNetwork(Beside(D + classes, 9), Beside(LATENT + classes, D))
    return NETWORKS[name]()


@pytest.mark.parametrize("classes", [0, K])
@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_posterior_is_a_bound_whose_gradient_reaches_every_weight(name, posterior, classes):
    family, net = POSTERIORS[posterior], network(name, classes)
    module = Autoencoder(
        ImageEncoder(net.encoder(SHAPE, (8,), classes, family.width(LATENT)), family.build(LATENT)),
        PRIORS[family.default_prior]().build(num_features=0, latent_dim=LATENT),
        ImageDecoder(net.decoder(LATENT, (8,), classes, SHAPE), GaussianObservation(None)),
    )
    x = torch.rand(16, D)
    condition = torch.eye(K).repeat(4, 1) if classes else None
    posterior, prior = module(ImageInputs(x, condition))
    assert (posterior.batch_shape, posterior.event_shape) == ((16,), (LATENT,))
    terms = bound(posterior, prior, lambda z: module.decode(z, condition), x, 7, analytic=family.analytic_kl)
    assert terms.log_likelihood.shape == terms.kl.shape == (7, 16)
    (-terms.elbo().mean()).backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(torch.isfinite(parameter.grad).all()), parameter_name
        assert bool((parameter.grad != 0).any()), parameter_name


@pytest.mark.parametrize("name", NETWORKS)
def test_a_class_in_front_of_the_batch_is_every_class_of_every_datum(name):
    net = network(name, K)
    encoder, decoder = net.encoder(SHAPE, (8,), K, 6), net.decoder(LATENT, (8,), K, SHAPE)
    x, z, every = torch.rand(5, D), torch.randn(2, K, 5, LATENT), torch.eye(K)[:, None]
    h, out = encoder(x, every), decoder(z, every)
    assert h.shape == (K, 5, 6)
    assert out.shape == (2, K, 5, D)
    for k in range(K):
        one = torch.eye(K)[[k]].expand(5, -1)
        torch.testing.assert_close(h[k], encoder(x, one))
        torch.testing.assert_close(out[:, k], decoder(z[:, k], one))


@pytest.mark.parametrize("name", ["dense", "conv"])
def test_settings_rebuild_the_network(name):
    net = NETWORKS[name](activation="tanh")
    assert NETWORKS[name](**net.settings()) == net != NETWORKS[name]()


def test_fitting_trains_a_copy_of_the_user_s_modules():
    own = CustomNetwork(Beside(D, 9), Beside(LATENT, D))
    body = own.encoder(SHAPE, (), 0, 6)
    torch.testing.assert_close(body.body.linear.weight, own._encoder.linear.weight)
    with torch.no_grad():
        body.body.linear.weight.zero_()
    assert bool((own._encoder.linear.weight != 0).all())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CustomNetwork(), "encoder is NoneType; expected a torch.nn.Module"),
        (lambda: CustomNetwork(nn.Linear(1, 1), len), "decoder is builtin_function_or_method"),
        (
            lambda: CustomNetwork(nn.Linear(7, 2), nn.Flatten()).encoder((D,), (), 0, 6),
            r"encoder does not take \(2, 40",
        ),
        (lambda: CustomNetwork(nn.Flatten(0), nn.Flatten()).encoder((D,), (), 0, 6), r"puts out \(80,\) for a batch"),
        (lambda: CustomNetwork(nn.LSTM(D, 2), nn.Flatten()).encoder((D,), (), 0, 6), "puts out tuple"),
        (
            lambda: CustomNetwork(nn.Flatten(), nn.Linear(LATENT, 7)).decoder(LATENT, (), 0, SHAPE),
            r"out \(7,\) for one",
        ),
    ],
)
def test_modules_that_do_not_fit_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
