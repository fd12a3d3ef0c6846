"""Observation models against scipy, and against the integral over all that can be observed."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from graphvae._check import InputError
from graphvae.variational.observations import (
    BernoulliObservation,
    ContinuousBernoulli,
    ContinuousBernoulliObservation,
    GaussianObservation,
)

# On both sides of where series are used (0.1), and beyond where float32 probabilities are 1 (16.6).
LOGITS = [-300.0, -30.0, -5.0, -1.0, -0.1001, -0.0999, -1e-4, 0.0, 1e-6, 0.05, 0.0999, 0.1001, 2.0, 17.0, 40.0, 300.0]


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        yield


def double(value) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def exponential(a: float):
    """The continuous Bernoulli of a negative logit is an exponential distribution cut off at 1."""
    return scipy.stats.uniform() if a == 0 else scipy.stats.truncexpon(b=abs(a), scale=1 / abs(a))


@pytest.mark.parametrize("a", LOGITS)
def test_continuous_bernoulli_is_a_truncated_exponential(a):
    q, oracle = ContinuousBernoulli(double(a)), exponential(a)
    x = np.array([0.0, 1e-3, 0.1, 0.5, 0.77, 1.0])
    expected = oracle.logpdf(x if a < 0 else 1 - x)
    np.testing.assert_allclose(q.log_prob(double(x)), expected, rtol=1e-8, atol=1e-8)
    # scipy's own moments cancel near zero; integrate there.
    grid, weights = np.polynomial.legendre.leggauss(200)
    grid, weights = (grid + 1) / 2, weights / 2
    if abs(a) <= 40:
        density = q.log_prob(double(grid)).exp().numpy() * weights
        assert density.sum() == pytest.approx(1, abs=1e-9)
        mean = (density * grid).sum()
        assert float(q.mean) == pytest.approx(mean, abs=1e-9)
        assert float(q.variance) == pytest.approx((density * (grid - mean) ** 2).sum(), abs=1e-8)
    else:
        mean = oracle.mean() if a < 0 else 1 - oracle.mean()
        assert float(q.mean) == pytest.approx(mean, rel=1e-9)
        assert float(q.variance) == pytest.approx(oracle.var(), rel=1e-6)


@pytest.mark.parametrize("a", LOGITS)
def test_continuous_bernoulli_holds_in_float32_too(a):
    exact, single = ContinuousBernoulli(double(a)), ContinuousBernoulli(torch.tensor(a))
    x = torch.linspace(0, 1, 11)
    torch.testing.assert_close(single.log_prob(x), exact.log_prob(x.double()).float(), rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(single.mean, exact.mean.float(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(single.variance, exact.variance.float(), rtol=1e-2, atol=1e-7)
    assert single.log_prob(x).dtype == single.rsample().dtype == torch.float32


@pytest.mark.parametrize("a", LOGITS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_a_continuous_bernoulli_is_that_of_an_exponential_family(a, dtype):
    logits = torch.tensor(a, dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(ContinuousBernoulli(logits).log_prob(torch.tensor(0.3, dtype=dtype)), logits)
    expected = 0.3 - ContinuousBernoulli(double(a)).mean
    assert float(slope) == pytest.approx(float(expected), abs=1e-5 if dtype == torch.float32 else 1e-9)


@pytest.mark.parametrize("a", [-30.0, -2.0, -0.05, 0.0, 0.3, 25.0])
def test_continuous_bernoulli_draws_follow_the_density(a):
    x = ContinuousBernoulli(torch.tensor(a)).sample(torch.Size((4000,)))
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1
    assert scipy.stats.kstest(x.numpy() if a < 0 else 1 - x.numpy(), exponential(a).cdf).pvalue > 1e-3


def test_continuous_bernoulli_agrees_with_torch_where_torch_is_right():
    logits = double([-9.0, -1.0, -0.5, 0.2, 3.0, 12.0])
    x = torch.rand(50, 6, dtype=torch.float64)
    theirs = torch.distributions.ContinuousBernoulli(logits=logits, validate_args=False)
    torch.testing.assert_close(ContinuousBernoulli(logits).log_prob(x), theirs.log_prob(x), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(ContinuousBernoulli(logits).mean, theirs.mean)


def test_continuous_bernoulli_is_reparameterised():
    logits = double([-4.0, 0.5, 4.0]).requires_grad_()
    q = ContinuousBernoulli(logits)
    (slope,) = torch.autograd.grad(q.rsample(torch.Size((40_000,))).mean(0).sum(), logits)
    # In an exponential family the mean changes with its parameter by the variance.
    torch.testing.assert_close(slope, q.variance.detach(), rtol=0.05, atol=0)


@pytest.mark.parametrize("scale", [0.1, 2.5])
def test_gaussian_is_scipy_s_and_integrates_to_one(scale):
    mean, x = double([[0.3, -1.0, 2.0]]), torch.randn(4, 3, dtype=torch.float64)
    p = GaussianObservation(scale).double()(mean)
    assert p.event_shape == (3,)
    np.testing.assert_allclose(p.log_prob(x), scipy.stats.norm(mean, scale).logpdf(x).sum(-1), rtol=1e-6)
    one = GaussianObservation(scale).double()(double([0.3]))
    total, _ = scipy.integrate.quad(lambda v: float(one.log_prob(double([v])).exp()), 0.3 - 9 * scale, 0.3 + 9 * scale)
    assert total == pytest.approx(1, abs=1e-9)


def test_bernoulli_is_scipy_s_and_sums_to_one():
    logits = double([-2.0, 0.5, 40.0])
    p = BernoulliObservation()(logits)
    images = torch.cartesian_prod(*[double([0.0, 1.0])] * 3)
    assert float(p.log_prob(images).exp().sum()) == pytest.approx(1, abs=1e-12)
    expected = scipy.stats.bernoulli(torch.sigmoid(logits[:2])).logpmf(images[:, :2]).sum(-1)
    ours = BernoulliObservation()(logits[:2]).log_prob(images[:, :2])
    np.testing.assert_allclose(ours, expected)
    # Work on logits: no floor, no vanishing gradient.
    assert float(p.log_prob(double([0.0, 0.0, 0.0]))) < -40


def test_a_learned_scale_gets_its_gradient_and_a_fixed_one_is_no_weight():
    learned, mean, x = GaussianObservation(None), torch.zeros(5, 4), torch.randn(5, 4)
    assert [name for name, _ in learned.named_parameters()] == ["log_scale"]
    assert float(learned.log_scale.detach().exp()) == pytest.approx(0.1)
    learned(mean).log_prob(x).sum().backward()
    assert float(learned.log_scale.grad) == pytest.approx(float((x.square() / 0.01 - 1).sum()), rel=1e-4)
    fixed = GaussianObservation(0.5)
    assert not list(fixed.parameters())
    assert not fixed.state_dict()


def test_a_learned_scale_is_found():
    family = GaussianObservation(None)
    x = 0.37 * torch.randn(2000, 3)
    optimiser = torch.optim.Adam(family.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        (-family(torch.zeros_like(x)).log_prob(x).mean()).backward()
        optimiser.step()
    assert float(family.log_scale.detach().exp()) == pytest.approx(float(x.square().mean().sqrt()), rel=1e-2)


@pytest.mark.parametrize("family", [BernoulliObservation(), ContinuousBernoulliObservation()])
@pytest.mark.parametrize("bad", [-0.1, 1.5, -3.0])
def test_values_outside_the_unit_interval_are_refused(family, bad):
    family.check(torch.tensor([[0.0, 1.0, 0.4]]))
    with pytest.raises(InputError, match=rf"x contains {bad:g}: .* \[0, 1\]"):
        family.check(torch.tensor([[0.2, bad]]))


def test_a_gaussian_takes_any_value():
    GaussianObservation().check(torch.tensor([[-100.0, 100.0]]))


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "0.1", True])
def test_a_scale_is_a_positive_number(scale):
    with pytest.raises(InputError, match="scale="):
        GaussianObservation(scale)
