"""The bound where the evidence is known: a linear-Gaussian model, and a graph small enough to integrate."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.special import log_expit

from graphvae._check import InputError
from graphvae.variational.bound import Bound, bound, marginalise
from graphvae.variational.distributions import FullNormal, Point, diagonal_normal
from graphvae.variational.likelihoods import PairwiseBernoulli


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(11)
        yield


def double(value) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def normal(mean, scale, event_dim: int = 1):
    mean = double(mean)
    return diagonal_normal(mean, double(scale).expand(mean.shape), event_dim)


class LinearGaussian:
    """``z ~ N(0, I)``, ``x | z ~ N(W z, s² I)`` with orthogonal columns of W, so that the posterior is diagonal too."""

    def __init__(self, batch: int = 3) -> None:
        rng = np.random.default_rng(0)
        self.w = np.linalg.qr(rng.normal(size=(5, 2)))[0] * np.array([2.0, 0.5])
        self.s = 0.7
        self.x = rng.normal(size=(batch, 5)) * 1.5
        self.log_evidence = scipy.stats.multivariate_normal(
            np.zeros(5), self.w @ self.w.T + self.s**2 * np.eye(5)
        ).logpdf(self.x)
        precision = 1 + (self.w**2).sum(0) / self.s**2
        self.posterior = normal(self.x @ self.w / self.s**2 / precision, precision**-0.5)
        self.prior = normal(np.zeros((batch, 2)), 1.0)

    def likelihood(self, z: torch.Tensor):
        mean = z @ double(self.w).T
        return diagonal_normal(mean, torch.full_like(mean, self.s), 1)

    def elbo(self, q) -> np.ndarray:
        """The closed form for any diagonal Gaussian ``q``."""
        mean, variance = q.mean.numpy(), q.variance.numpy()
        fit = scipy.stats.norm(mean @ self.w.T, self.s).logpdf(self.x).sum(-1)
        fit -= (variance * (self.w**2).sum(0)).sum(-1) / (2 * self.s**2)
        return fit - 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum(-1)


def test_with_the_true_posterior_every_weight_is_the_evidence():
    model = LinearGaussian()
    terms = bound(model.posterior, model.prior, model.likelihood, double(model.x), 7, analytic=False)
    np.testing.assert_allclose((terms.log_likelihood - terms.kl).T, np.repeat(model.log_evidence[:, None], 7, 1))
    np.testing.assert_allclose(terms.iwae(), model.log_evidence)
    np.testing.assert_allclose(terms.elbo(), model.log_evidence)
    np.testing.assert_allclose(terms.effective_sample_size(), 7)
    np.testing.assert_allclose(model.elbo(model.posterior), model.log_evidence)


@pytest.mark.parametrize("analytic", [True, False])
def test_elbo_is_its_closed_form(analytic):
    model = LinearGaussian()
    q = normal(model.posterior.mean + 0.3, 0.6)
    terms = bound(q, model.prior, model.likelihood, double(model.x), 20_000, analytic=analytic)
    per_sample = terms.log_likelihood - terms.kl
    error = (per_sample.std(0) / 20_000**0.5).numpy()
    assert bool((np.abs(terms.elbo().numpy() - model.elbo(q)) < 5 * error).all())
    assert bool((terms.elbo().numpy() + 5 * error < model.log_evidence).all())


def test_iwae_rises_with_the_samples_and_its_exponential_is_unbiased():
    model = LinearGaussian()
    q = normal(model.posterior.mean + 0.2, 0.5)
    repetitions, means = 2000, []
    for samples in (1, 4, 32):
        z = bound(q, model.prior, model.likelihood, double(model.x), repetitions * samples, analytic=False)
        groups = [t.reshape(samples, repetitions, -1) for t in (z.log_likelihood, z.kl)]
        ratio = (Bound(*groups, z.z).iwae() - double(model.log_evidence)).exp()
        error = ratio.std(0) / repetitions**0.5
        assert bool(((ratio.mean(0) - 1).abs() < 4 * error).all())
        means.append(ratio.log().mean(0))
        assert bool((means[-1] < 0).all())
    assert bool((means[0] < means[1]).all())
    assert bool((means[1] < means[2]).all())
    # With one sample the bound is the ELBO.
    np.testing.assert_allclose(means[0] + double(model.log_evidence), model.elbo(q), atol=0.15)


def test_effective_sample_size_counts_the_weights_that_matter():
    log_weight = torch.tensor([[0.0, 900.0, 0.0], [0.0, 0.0, -1.0], [0.0, 0.0, -2.0]])
    size = Bound(log_weight, torch.zeros(3, 3), torch.zeros(3)).effective_sample_size()
    w = np.exp(-np.arange(3.0))
    np.testing.assert_allclose(size, [3, 1, w.sum() ** 2 / (w**2).sum()], rtol=1e-6)


@pytest.mark.parametrize("analytic", [True, False])
@pytest.mark.parametrize(("event_dim", "batch"), [(1, (6,)), (2, ())])
def test_an_image_is_a_datum_and_so_is_a_whole_graph(event_dim, batch, analytic):
    q, p = normal(torch.randn(6, 2), 0.5, event_dim), normal(torch.zeros(6, 2), 1.0, event_dim)

    def likelihood(z):
        return PairwiseBernoulli(z) if event_dim == 2 else diagonal_normal(z, torch.ones_like(z), 1)

    target = torch.tensor([[0, 1], [1, 2]]) if event_dim == 2 else torch.zeros(6, 2, dtype=torch.float64)
    terms = bound(q, p, likelihood, target, samples=4, analytic=analytic)
    assert terms.z.shape == (4, 6, 2)
    assert terms.log_likelihood.shape == terms.kl.shape == (4, *batch)
    assert terms.elbo().shape == batch
    if not analytic:
        assert terms.iwae().shape == terms.effective_sample_size().shape == batch
        assert bool((terms.effective_sample_size() >= 1).all())
        assert bool((terms.effective_sample_size() <= 4).all())
        assert bool((terms.iwae() >= terms.elbo()).all())


def test_beta_weighs_the_divergence_alone():
    model = LinearGaussian()
    terms = bound(normal(np.ones((3, 2)), 0.5), model.prior, model.likelihood, double(model.x), 2)
    divergence = torch.full((3,), 2 * 0.5 * (1 + 0.25 - 1 - math.log(0.25))).double()
    torch.testing.assert_close(terms.kl, divergence.expand(2, 3))
    torch.testing.assert_close(terms.elbo(beta=0.0), terms.log_likelihood.mean(0))
    torch.testing.assert_close(terms.elbo(beta=2.0), terms.elbo() - divergence)


def test_gradients_reach_the_parameters_of_the_posterior():
    model = LinearGaussian()
    loc, log_scale = (torch.zeros(3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    q = diagonal_normal(loc, log_scale.exp(), 1)
    bound(q, model.prior, model.likelihood, double(model.x), 20_000).elbo().sum().backward()
    exact_loc = (model.x @ model.w) / model.s**2
    exact_log_scale = 1 - 1 - (model.w**2).sum(0) / model.s**2
    np.testing.assert_allclose(loc.grad, exact_loc, atol=0.15)
    np.testing.assert_allclose(log_scale.grad, np.tile(exact_log_scale, (3, 1)), atol=0.25)


def test_importance_weights_are_refused_where_there_are_no_densities():
    model = LinearGaussian()
    closed = bound(model.posterior, model.prior, model.likelihood, double(model.x), 3)
    for quantity in (closed.iwae, closed.effective_sample_size):
        with pytest.raises(InputError, match="expected analytic=False"):
            quantity()
    point = Point(model.posterior.mean, 1)
    assert torch.equal(bound(point, model.prior, model.likelihood, double(model.x)).kl, torch.zeros(1, 3).double())
    with pytest.raises(NotImplementedError):
        bound(point, model.prior, model.likelihood, double(model.x), analytic=False)


@pytest.mark.parametrize("samples", [0, -1, 1.5, True, None])
def test_samples_must_be_a_positive_integer(samples):
    model = LinearGaussian()
    with pytest.raises(InputError, match="samples="):
        bound(model.posterior, model.prior, model.likelihood, double(model.x), samples)


# A path of three nodes with one latent dimension: p(A) is an integral over three numbers.
PATH = torch.tensor([[0, 1], [1, 2]])
SIGNS = {(0, 1): 1.0, (1, 2): 1.0, (0, 2): -1.0}
SCALE, BIAS = 1.3, -0.4


def gauss_hermite(mean: np.ndarray, scale: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and log-likelihoods of the path at the nodes of a 3-D rule for ``N(mean, scale²)``."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    weights = weights / weights.sum()
    z = [mean[i] + scale[i] * nodes.reshape([-1 if i == j else 1 for j in range(3)]) for i in range(3)]
    log_likelihood = sum(log_expit(sign * (SCALE * z[i] * z[j] + BIAS)) for (i, j), sign in SIGNS.items())
    return np.einsum("i,j,k->ijk", weights, weights, weights), log_likelihood


def test_the_bound_of_a_path_lies_below_its_evidence_and_importance_weights_reach_it():
    weights, log_likelihood = gauss_hermite(np.zeros(3), np.ones(3), 80)
    evidence = float((weights * np.exp(log_likelihood)).sum())
    coarse, at_coarse = gauss_hermite(np.zeros(3), np.ones(3), 60)
    assert evidence == pytest.approx(float((coarse * np.exp(at_coarse)).sum()), rel=1e-6)

    # Wider than the prior, so that no importance weight is far from the rest.
    mean, scale = np.array([0.3, 0.4, 0.3]), np.array([1.1, 1.2, 1.1])
    kl = 0.5 * (mean**2 + scale**2 - 1 - 2 * np.log(scale)).sum()
    weights, log_likelihood = gauss_hermite(mean, scale, 60)
    elbo = float((weights * log_likelihood).sum() - kl)
    assert elbo < math.log(evidence)

    def likelihood(z):
        return PairwiseBernoulli(z, double(SCALE), double(BIAS))

    q, p = normal(mean[:, None], scale[:, None], 2), normal(np.zeros((3, 1)), 1.0, 2)
    terms = bound(q, p, likelihood, PATH, 4000)
    assert float(terms.kl[0]) == pytest.approx(kl, rel=1e-12)
    error = float(terms.log_likelihood.std()) / 4000**0.5
    assert float(terms.elbo()) == pytest.approx(elbo, abs=4 * error)
    assert float(terms.elbo()) + 4 * error < math.log(evidence)

    estimates = torch.stack([bound(q, p, likelihood, PATH, 40, analytic=False).iwae() for _ in range(100)]).exp()
    error = float(estimates.std()) / 10
    assert error < 0.02 * evidence
    assert float(estimates.mean()) == pytest.approx(evidence, abs=4 * error)


def test_the_evidences_of_all_graphs_of_three_nodes_sum_to_one():
    z = bound(normal(np.zeros((3, 1)), 1.0, 2), normal(np.zeros((3, 1)), 1.0, 2), PairwiseBernoulli, PATH, 20).z
    pairs, total = torch.tensor([[0, 0, 1], [1, 2, 2]]), torch.zeros(20, dtype=torch.float64)
    for edges in product([False, True], repeat=3):
        total += PairwiseBernoulli(z, double(SCALE), double(BIAS)).log_prob(pairs[:, list(edges)]).exp()
    torch.testing.assert_close(total, torch.ones_like(total))


class LabelledMixture:
    """``p(y) = pi_y``, ``p(x|y) = N(mu_y, I)``: with exact ``log p(x, y)`` for bounds, the evidence is known."""

    def __init__(self) -> None:
        rng = np.random.default_rng(4)
        self.x, self.log_prior = double(rng.normal(size=(5, 2))), double([0.5, 0.3, 0.2]).log()
        means = rng.normal(size=(3, 2)) * 2
        log_p = np.stack([scipy.stats.multivariate_normal(m, np.eye(2)).logpdf(self.x) for m in means])
        self.joint = double(log_p) + self.log_prior[:, None]
        self.evidence = torch.logsumexp(self.joint, 0)


def test_a_label_is_summed_out_as_by_hand():
    model = LabelledMixture()
    logits = torch.randn(5, 3, dtype=torch.float64)
    q = logits.softmax(-1)
    by_hand = [
        sum(float(q[i, y]) * (float(model.joint[y, i]) - math.log(float(q[i, y]))) for y in range(3)) for i in range(5)
    ]
    value = marginalise(model.joint, torch.distributions.Categorical(logits=logits))
    np.testing.assert_allclose(value, by_hand, rtol=1e-6)
    # The gap is the divergence of q(y|x) from p(y|x), so it is a bound, and tight for the true posterior.
    posterior = torch.distributions.Categorical(logits=model.joint.T)
    gap = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=logits), posterior)
    np.testing.assert_allclose(model.evidence - torch.tensor(by_hand), gap, rtol=1e-5)
    assert bool((gap > 0).all())
    torch.testing.assert_close(marginalise(model.joint, posterior), model.evidence)


def test_a_certain_label_leaves_its_own_bound_and_no_nan():
    model = LabelledMixture()
    one_hot = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0, 1]]
    certain = torch.distributions.Categorical(probs=one_hot, validate_args=False)
    value = marginalise(model.joint, certain)
    torch.testing.assert_close(value, model.joint[[0, 1, 2, 0, 1], range(5)], atol=1e-12, rtol=1e-12)


def test_gradients_of_marginalised_labels_lead_to_the_true_posterior():
    model = LabelledMixture()
    logits = model.joint.T.log_softmax(-1).clone().requires_grad_()
    marginalise(model.joint, torch.distributions.Categorical(logits=logits)).sum().backward()
    assert float(logits.grad.abs().max()) < 1e-12
    away = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    marginalise(model.joint, torch.distributions.Categorical(logits=away)).sum().backward()
    assert bool((away.grad.argmax(1) == model.joint.argmax(0)).all())


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_marginalise_keeps_the_batch(batch):
    bounds = torch.randn(6, *batch)
    labels = torch.distributions.Categorical(logits=torch.randn(*batch, 6))
    value = marginalise(bounds, labels)
    assert value.shape == batch
    if batch:
        first = (0,) * len(batch)
        one = torch.distributions.Categorical(logits=labels.logits[first])
        torch.testing.assert_close(value[first], marginalise(bounds[(slice(None), *first)], one))


def free(posterior, prior, free_bits: float, **options):
    """Terms of a bound whose likelihood is zero, so that the divergence is all there is."""
    return bound(posterior, prior, lambda z: Zero(z), None, free_bits=free_bits, **options)


class Zero:
    def __init__(self, z: torch.Tensor) -> None:
        self.batch = z.shape[:-1]

    def log_prob(self, target) -> torch.Tensor:
        return torch.zeros(self.batch, dtype=torch.float64)


def test_free_bits_charge_every_unit_at_least_its_allowance():
    mean = double([[0.1, 2.0, 0.0], [0.3, 1.0, 0.0]]).requires_grad_()
    q, p = diagonal_normal(mean, torch.ones_like(mean), 1), normal(np.zeros((2, 3)), 1.0)
    each = mean.square().mean(0) / 2
    terms = free(q, p, 0.4)
    torch.testing.assert_close(terms.kl[0], mean.square().sum(-1) / 2)
    loss = -terms.elbo(0.5).mean()
    torch.testing.assert_close(loss, 0.5 * each.clamp(min=0.4).sum())
    (gradient,) = torch.autograd.grad(loss, mean)
    # Only the unit above its allowance is drawn to the prior.
    expected = torch.zeros_like(mean)
    expected[:, 1] = 0.5 * mean[:, 1] / 2
    torch.testing.assert_close(gradient, expected.detach())


def test_free_bits_of_a_graph_are_for_each_unit_averaged_over_nodes():
    mean = double([[0.1, 2.0], [0.3, 1.0], [0.2, 0.0]])
    q, p = normal(mean, 1.0, 2), normal(np.zeros((3, 2)), 1.0, 2)
    terms = bound(q, p, lambda z: normal(z.sum((-1, -2)), 1.0, 0), double(0), free_bits=0.4)
    charged = 3 * (mean.square().mean(0) / 2).clamp(min=0.4).sum()
    torch.testing.assert_close(terms.kl[0] + terms.shortfall, charged)


def test_free_bits_of_a_posterior_that_does_not_factorise_are_one_allowance():
    mean = double([[0.1, 0.5], [0.3, 0.2]])
    q = FullNormal(mean, torch.eye(2, dtype=torch.float64).expand(2, 2, 2), 1)
    p = normal(np.zeros((2, 2)), 1.0)
    total = mean.square().sum(-1).mean() / 2
    torch.testing.assert_close(-free(q, p, 0.4).elbo().mean(), double(0.8))
    torch.testing.assert_close(-free(q, p, 0.01).elbo().mean(), total)
    torch.testing.assert_close(free(q, p, 0.0).shortfall, 0.0)
