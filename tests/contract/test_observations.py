"""Every observation family keeps one contract."""

from __future__ import annotations

import pytest
import torch

from graphvae.variational.observations import OBSERVATIONS, GaussianObservation

MEMBERS = [*(pytest.param(family(), id=name) for name, family in OBSERVATIONS.items())]
MEMBERS.append(pytest.param(GaussianObservation(None), id="gaussian-learned"))


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        yield


@pytest.mark.parametrize("family", MEMBERS)
def test_shapes_and_dtypes(family):
    parameters = torch.randn(7, 5, 3)
    p = family(parameters)
    assert (p.batch_shape, p.event_shape) == ((7, 5), (3,))
    x = p.sample()
    assert x.shape == p.mean.shape == (7, 5, 3)
    family.check(x.flatten(0, 1))
    assert p.log_prob(x).shape == (7, 5)
    assert p.log_prob(x).dtype == torch.float32
    assert bool(torch.isfinite(p.log_prob(x)).all())
    # One target for all samples of z.
    torch.testing.assert_close(p.log_prob(x[0])[0], p.log_prob(x)[0])


@pytest.mark.parametrize("family", MEMBERS)
def test_values_are_independent(family):
    parameters = torch.randn(5, 3)
    x = family(parameters).sample()
    apart = sum(family(parameters[:, [d]]).log_prob(x[:, [d]]) for d in range(3))
    torch.testing.assert_close(family(parameters).log_prob(x), apart)


@pytest.mark.parametrize("family", MEMBERS)
def test_mean_is_the_mean_of_draws(family):
    parameters = torch.tensor([[-3.0, -0.05, 0.0, 0.6, 8.0]])
    p = family(parameters)
    draws = p.sample(torch.Size((20_000,)))
    error = draws.std(0) / 20_000**0.5 + 1e-6
    assert bool(((draws.mean(0) - p.mean).abs() < 5 * error).all())


@pytest.mark.parametrize("family", MEMBERS)
@pytest.mark.parametrize("size", [0.0, 1.0, 60.0])
def test_gradients_reach_the_parameters_and_are_finite(family, size):
    parameters = (size * torch.randn(6, 4)).requires_grad_()
    x = torch.rand(6, 4).round() if family.binary else torch.rand(6, 4)
    family(parameters).log_prob(x).sum().backward()
    assert bool(torch.isfinite(parameters.grad).all())
    assert bool((parameters.grad != 0).any())


@pytest.mark.parametrize("family", MEMBERS)
def test_built_anew_from_its_settings(family):
    again = family.build()
    assert again is not family
    assert type(again) is type(family)
    assert again.settings() == family.settings()
    assert [n for n, _ in again.named_parameters()] == [n for n, _ in family.named_parameters()]
    assert not {id(p) for p in again.parameters()} & {id(p) for p in family.parameters()}
