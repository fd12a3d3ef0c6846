"""From arguments to a fitted image model: what is refused, how batches are made, what is minimised."""

from __future__ import annotations

import math

import pytest
import torch

from graphvae._check import InputError
from graphvae.estimators.autoencoders import VAE
from graphvae.estimators.image_fitting import (
    binarised,
    bound_objective,
    build_image_module,
    check_image_params,
    fit_images,
    widest_layer,
)
from graphvae.estimators.parameters import component
from graphvae.nn.convolutional import ConvNetwork
from graphvae.nn.dense import ImageInputs
from graphvae.training.randomness import seeded
from graphvae.variational.bound import bound
from graphvae.variational.observations import OBSERVATIONS, GaussianObservation, ObservationFamily
from graphvae.variational.posteriors import POSTERIORS


def options(posterior: str = "gaussian", **changes):
    settings = {"latent_dim": 2, "hidden_dims": (8,), "epochs": 2, "batch_size": 10}
    return check_image_params({**VAE(**settings).get_params(deep=False), **changes}, POSTERIORS[posterior])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"latent_dim": 2.0}, "latent_dim=2.0"),
        ({"hidden_dims": 8}, "hidden_dims=8: expected a sequence"),
        ({"hidden_dims": "88"}, "hidden_dims='88'"),
        ({"hidden_dims": (8, 0)}, "hidden_dims=0"),
        ({"likelihood": "gausian"}, "did you mean 'gaussian'"),
        ({"likelihood": None}, "likelihood=None"),
        ({"likelihood": GaussianObservation}, "likelihood="),
        ({"likelihood": torch.nn.Linear(1, 1)}, "likelihood="),
        ({"binarize": "threshold"}, "with likelihood='bernoulli' only"),
        ({"binarize": "thresh", "likelihood": "bernoulli"}, "binarize='thresh'"),
        ({"objective": "vae"}, "objective='vae'"),
        ({"objective": "iwae"}, "samples=1: objective='iwae' expects at least 2"),
        ({"objective": "iwae", "samples": 5, "beta": 0.5}, "beta=0.5, kl_warmup=0, free_bits=0: objective='iwae'"),
        ({"objective": "iwae", "samples": 5, "kl_warmup": 3}, "beta=1, kl_warmup=3, free_bits=0: objective='iwae'"),
        ({"objective": "iwae", "samples": 5, "free_bits": 1}, "kl_warmup=0, free_bits=1: objective='iwae'"),
        ({"free_bits": -0.1}, "free_bits=-0.1"),
        ({"network": "cnn"}, "network='cnn'"),
        ({"network": "custom"}, "expected a torch.nn.Module"),
        ({"network": torch.nn.Linear(1, 1)}, "network=Linear"),
        ({"learning_rate": (0.1,)}, "expected one number, or two"),
        ({"learning_rate": (0.1, 0)}, "learning_rate=0"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"beta": math.nan}, "beta=nan"),
        ({"kl_warmup": -1}, "kl_warmup=-1"),
        ({"samples": 0}, "samples=0"),
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"seed": None}, "seed=None"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_refusals_name_the_argument_and_the_value(changes, message):
    with pytest.raises(InputError, match=message):
        options(**changes)


def test_a_point_has_no_importance_weights():
    with pytest.raises(InputError, match="objective='iwae': a point posterior has no density"):
        options("point", objective="iwae", samples=3)


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_a_likelihood_is_a_name_or_an_object(name):
    assert type(component("likelihood", name)) is OBSERVATIONS[name]
    family = OBSERVATIONS[name]()
    assert component("likelihood", family) is family


def test_the_user_s_likelihood_is_not_trained_in_place():
    family = GaussianObservation(None)
    before = float(family.log_scale.detach())
    x = 5 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    model = VAE(1, hidden_dims=(4,), likelihood=family, epochs=20, batch_size=20, learning_rate=0.05).fit(x)
    assert isinstance(model.likelihood, ObservationFamily)
    assert float(family.log_scale.detach()) == before
    assert float(model.module_.decoder.observation.log_scale.detach()) > before + 0.5


def test_binarised():
    x = torch.tensor([[0.0, 0.2, 0.5, 0.7, 1.0]])
    assert binarised(x, None) is x
    assert binarised(x, "threshold").tolist() == [[0, 0, 0, 1, 1]]
    with seeded(0):
        draws = binarised(x.expand(4000, 5), "stochastic")
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert draws.dtype == x.dtype
    torch.testing.assert_close(draws.mean(0), x[0], atol=0.03, rtol=0)


def test_a_module_follows_from_the_seed_alone():
    weights = []
    for caller, seed in [(1, 0), (2, 0), (2, 1)]:
        with seeded(caller):
            before = torch.get_rng_state()
            module = build_image_module(options(seed=seed), (6,))
            assert torch.equal(torch.get_rng_state(), before)
        weights.append(torch.cat([p.flatten() for p in module.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def batches_of(n: int, **changes):
    """The row numbers, data and betas that training asks for, in order."""
    chosen, seen = options(**changes), []
    x = torch.linspace(0, 1, n * 3).view(n, 3)
    module = build_image_module(chosen, (3,))
    loss = lambda: sum(p.sum() for p in module.parameters()) * 0

    def objective(rows, batch, beta):
        seen.append((rows.tolist(), batch, beta))
        return loss(), {}

    fit_images(module, chosen, objective, x, progress=False)
    return seen, x


@pytest.mark.parametrize(("n", "sizes"), [(10, {10}), (7, {7}), (11, {5, 6}), (29, {9, 10}), (2, {2})])
def test_every_row_is_met_once_in_every_epoch_in_batches_of_nearly_one_size(n, sizes):
    seen, x = batches_of(n)
    per_epoch = math.ceil(n / 10)
    assert len(seen) == 2 * per_epoch
    assert {len(rows) for rows, _, _ in seen} == sizes
    epochs = [[row for rows, _, _ in part for row in rows] for part in (seen[:per_epoch], seen[per_epoch:])]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(n))
    if n > 2:
        assert epochs[0] != epochs[1]
    for rows, batch, _ in seen:
        assert torch.equal(batch, x[rows])


def test_the_order_follows_from_the_seed_alone():
    with seeded(7):
        first = [rows for rows, _, _ in batches_of(25)[0]]
    assert [rows for rows, _, _ in batches_of(25)[0]] == first
    assert [rows for rows, _, _ in batches_of(25, seed=1)[0]] != first


def test_the_weight_of_the_divergence_grows_over_the_warm_up():
    seen, _ = batches_of(20, epochs=5, kl_warmup=4, beta=2.0)
    assert [beta for _, _, beta in seen] == pytest.approx([0.5, 0.5, 1, 1, 1.5, 1.5, 2, 2, 2, 2])
    assert {beta for _, _, beta in batches_of(20, epochs=3)[0]} == {1.0}


def test_stochastic_binarisation_is_drawn_anew_in_every_epoch_and_batch():
    seen, _ = batches_of(10, likelihood="bernoulli", binarize="stochastic", epochs=3)
    images = []
    for rows, batch, _ in seen:
        ordered = torch.empty_like(batch)
        ordered[rows] = batch
        images.append(ordered)
    assert set(torch.cat(images).unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[1], images[2])


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
@pytest.mark.parametrize("condition", [None, torch.eye(4)[:, :2]])
def test_the_loss_is_minus_the_bound(objective, condition):
    chosen = options(objective=objective, samples=3)
    module = build_image_module(chosen, (5,), 0 if condition is None else 2)
    with seeded(0):
        x, rows = torch.rand(3, 5), torch.tensor([2, 0, 3])
    given = None if condition is None else condition[rows]
    beta = 0.5 if objective == "elbo" else 1.0
    with seeded(1):
        loss, terms = bound_objective(module, chosen, condition)(rows, x, beta)
    with seeded(1):
        posterior, prior = module(ImageInputs(x, given))
        by_hand = bound(posterior, prior, lambda z: module.decode(z, given), x, 3, analytic=objective == "elbo")
    value = by_hand.elbo(beta) if objective == "elbo" else by_hand.iwae()
    torch.testing.assert_close(loss, -value.mean())
    torch.testing.assert_close(terms["reconstruction"], by_hand.log_likelihood.mean())
    torch.testing.assert_close(terms["kl"], by_hand.kl.mean())


def test_free_bits_and_the_name_beta_reach_the_objective():
    chosen = options(objective="beta", beta=0.5, free_bits=3.0)
    module = build_image_module(chosen, (5,))
    x = torch.linspace(0, 1, 10).view(2, 5)
    with seeded(1):
        loss, terms = bound_objective(module, chosen, None)(torch.arange(2), x, 0.5)
    # Untrained, no unit comes near 3 nats: each is charged its allowance, whatever it spends.
    torch.testing.assert_close(loss, -(terms["reconstruction"] - 0.5 * 2 * 3.0))
    assert float(terms["kl"].detach()) < 3.0


def test_the_widest_layer_is_found_wherever_it_is():
    wide = build_image_module(options(hidden_dims=(4, 99, 7)), (5,))
    assert widest_layer(wide, torch.zeros(1, 5), None) == 99
    assert not any(layer._forward_hooks for layer in wide.modules())
    image = build_image_module(options(network=ConvNetwork((3,))), (1, 8, 8), 2)
    assert widest_layer(image, torch.zeros(1, 64), torch.eye(2)[:1]) == 64
    assert (
        widest_layer(build_image_module(options(network=ConvNetwork((9,))), (1, 8, 8)), torch.zeros(1, 64), None) == 144
    )


def test_a_point_posterior_has_no_divergence_to_report():
    chosen = options("point")
    loss, terms = bound_objective(build_image_module(chosen, (5,)), chosen, None)(
        torch.arange(2), torch.rand(2, 5), 1.0
    )
    assert set(terms) == {"reconstruction"}
    torch.testing.assert_close(loss, -terms["reconstruction"])
