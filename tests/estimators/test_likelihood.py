"""What a fitted model says of a whole graph, against a dense evaluation in float64 by numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp

import graphvae as gv
from graphvae.estimators.likelihood import elbo_terms, sample_edges
from graphvae.nn import FeaturePrior, InnerProductDecoder
from graphvae.training.randomness import seeded

LOG_2PI = math.log(2 * math.pi)


def graph(n: int = 14, seed: int = 0, features: bool = True) -> gv.Graph:
    rng = np.random.default_rng(seed)
    u, v = np.nonzero(np.triu(rng.random((n, n)) < 0.3, 1))
    x = rng.normal(size=(n, 4)) if features else None
    return gv.Graph([[*u, *v], [*v, *u]], x=x, num_nodes=n)


MODELS = {
    "plain": lambda: gv.VGAE(latent_dim=3, hidden_dims=(6,), epochs=8),
    "scaled": lambda: gv.VGAE(latent_dim=3, hidden_dims=(6,), epochs=8, objective="elbo"),
    "biased": lambda: gv.VGAE(latent_dim=3, hidden_dims=(), epochs=8, decoder=InnerProductDecoder(bias=True)),
    "features": lambda: gv.VGAE(
        latent_dim=3, hidden_dims=(6,), epochs=8, objective="elbo", prior=FeaturePrior((5,), dropout=0.5)
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]().fit(graph())


class Dense:
    """The model of the paper, written down again with dense float64 matrices."""

    def __init__(self, model: gv.VGAE, data: gv.Graph) -> None:
        w = {name: tensor.double().numpy() for name, tensor in model.fitted.module.state_dict().items()}
        a = data.to_scipy().toarray()
        x = np.eye(len(a)) if data.x is None else data.x.double().numpy()
        with_loops = a + np.eye(len(a))
        degree = with_loops.sum(1)
        a_hat = with_loops / np.sqrt(degree[:, None] * degree)
        h = x
        if "encoder.hidden.0.linear.weight" in w:
            h = np.maximum(a_hat @ h @ w["encoder.hidden.0.linear.weight"], 0)
        self.mean, log_scale = np.split(a_hat @ h @ w["encoder.head.linear.weight"], 2, axis=1)
        self.prior_mean, prior_log_scale = np.zeros_like(self.mean), 0.0
        if "prior.log_scale" in w:
            hidden = np.maximum(x @ w["prior.layers.0.weight"] + w["prior.layers.0.bias"], 0)
            self.prior_mean = hidden @ w["prior.layers.1.weight"] + w["prior.layers.1.bias"]
            prior_log_scale = w["prior.log_scale"]
            self.mean, log_scale = self.mean + self.prior_mean, log_scale + prior_log_scale
        self.scale, self.prior_scale = np.exp(log_scale), np.exp(prior_log_scale)
        self.factor = np.exp(w.get("decoder.log_scale", 0.0))
        self.bias = w.get("decoder.intercept", 0.0)
        self.upper = np.triu_indices(len(a), 1)
        self.edge = a[self.upper] != 0

    def log_likelihood(self, z: np.ndarray) -> float:
        s = (self.factor * z @ z.T + self.bias)[self.upper]
        return float(np.where(self.edge, -np.logaddexp(0, -s), -np.logaddexp(0, s)).sum())

    def kl(self) -> float:
        ratio, distance = (self.scale / self.prior_scale) ** 2, (self.mean - self.prior_mean) / self.prior_scale
        return float(0.5 * (ratio + distance**2 - 1 - np.log(ratio)).sum())

    def draw(self, *keys) -> np.ndarray:
        """The model's own noise, so that the two agree draw by draw."""
        with seeded(*keys):
            noise = torch.normal(torch.zeros(1, *self.mean.shape, dtype=torch.float64), 1.0)
        return self.mean + self.scale * noise[0].numpy()

    def log_weight(self, z: np.ndarray) -> float:
        log_q = (-0.5 * ((z - self.mean) / self.scale) ** 2 - np.log(self.scale)).sum()
        log_p = (-0.5 * ((z - self.prior_mean) / self.prior_scale) ** 2 - np.log(self.prior_scale * (z * 0 + 1))).sum()
        return self.log_likelihood(z) + float(log_p - log_q)


def test_the_elbo_is_that_of_a_dense_evaluation_draw_by_draw(model):
    dense = Dense(model, graph())
    log_likelihoods = [dense.log_likelihood(dense.draw(5, "elbo", draw)) for draw in range(6)]
    terms = elbo_terms(model.fitted, None, 6, 5)
    assert terms["kl"] == pytest.approx(dense.kl(), rel=1e-10)
    assert terms["log_likelihood"] == pytest.approx(np.mean(log_likelihoods), rel=1e-10)
    assert terms["elbo"] == pytest.approx(np.mean(log_likelihoods) - dense.kl(), rel=1e-10)
    assert terms["elbo_standard_error"] == pytest.approx(np.std(log_likelihoods, ddof=1) / math.sqrt(6), rel=1e-8)
    assert model.elbo(samples=6, seed=5) == terms["elbo"]


def test_the_elbo_agrees_with_draws_of_another_generator(model):
    dense, rng = Dense(model, graph()), np.random.default_rng(0)
    values = [
        dense.log_likelihood(dense.mean + dense.scale * rng.normal(size=dense.mean.shape)) - dense.kl()
        for _ in range(400)
    ]
    terms = elbo_terms(model.fitted, None, 200, 0)
    error = math.hypot(np.std(values) / math.sqrt(400), terms["elbo_standard_error"])
    assert abs(terms["elbo"] - np.mean(values)) < 4 * error


def test_the_marginal_is_that_of_a_dense_evaluation(model):
    dense = Dense(model, graph())
    log_weights = np.array([dense.log_weight(dense.draw(2, "log_marginal", draw)) for draw in range(20)])
    result = model.log_marginal(samples=20, seed=2)
    assert result.estimate == float(result) == pytest.approx(logsumexp(log_weights) - math.log(20), rel=1e-10)
    w = np.exp(log_weights - log_weights.max())
    assert result.effective_sample_size == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-8)
    # The relative standard error of a mean, as it is usually written.
    assert result.standard_error == pytest.approx(w.std(ddof=1) / math.sqrt(20) / w.mean(), rel=1e-6)
    assert result.samples == 20


def test_the_marginal_is_a_tighter_bound_than_the_elbo(model):
    assert model.log_marginal(samples=200).estimate > model.elbo(samples=200)


def test_both_are_the_seeds_alone_and_may_be_of_another_graph(model):
    torch.randn(9)
    assert model.elbo(seed=3) == model.elbo(seed=3) != model.elbo(seed=4)
    other = graph(n=9, seed=5)
    dense = Dense(model, other)
    expected = np.mean([dense.log_likelihood(dense.draw(0, "elbo", draw)) for draw in range(8)]) - dense.kl()
    assert model.elbo(other) == pytest.approx(expected, rel=1e-10)


def test_the_elbo_is_taken_without_dropout():
    model = gv.VGAE(dropout=0.5, epochs=3).fit(graph())
    assert not model.fitted.module.training
    assert model.elbo(samples=1) == model.elbo(samples=1)


def test_float64_leaves_the_model_in_float32(model):
    before = {name: tensor.clone() for name, tensor in model.fitted.module.state_dict().items()}
    model.elbo(), model.log_marginal(samples=2)
    for name, tensor in model.fitted.module.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.elbo(samples=0), "samples=0"),
        (lambda m: m.elbo(samples=2.0), r"samples=2\.0"),
        (lambda m: m.elbo(seed=None), "seed=None"),
        (lambda m: m.log_marginal(samples=1), "samples=1: expected a value at least 2"),
        (lambda m: m.sample(seed=-1), "seed=-1"),
        (lambda m: m.sample(source="priors"), r"source='priors'.*did you mean 'prior'"),
        (lambda m: m.sample(max_edges=0), "max_edges=0"),
        (lambda m: m.elbo(graph(features=False)), r"x: the graph has no features, the model was fitted with 4"),
    ],
)
def test_refusals(call, message):
    model = gv.VGAE(epochs=1).fit(graph())
    with pytest.raises(gv.InputError, match=message):
        call(model)


def test_samples_from_the_posterior_have_the_posteriors_probabilities():
    """Each pair's frequency over many graphs, against the dense probability averaged over draws of Z."""
    model = MODELS["scaled"]().fit(graph())
    dense, rng = Dense(model, graph()), np.random.default_rng(0)
    for source in ("posterior", "prior"):
        mean, scale = (dense.mean, dense.scale) if source == "posterior" else (0.0, 1.0)
        p = np.zeros(len(dense.edge))
        for _ in range(2000):
            z = mean + scale * rng.normal(size=dense.mean.shape)
            p += expit((dense.factor * z @ z.T + dense.bias)[dense.upper]) / 2000
        hits = np.zeros((14, 14))
        draws = 1500
        for seed in range(draws):
            u, v = sample_edges(model.fitted, seed, source, 1000).numpy()
            hits[u, v] += 1 / draws
        assert not np.tril(hits).any()
        error = np.sqrt(p * (1 - p) / draws)
        assert (np.abs(hits[dense.upper] - p) < 5 * error + 0.005).all()


def test_a_draw_with_too_many_edges_is_refused_before_it_is_drawn():
    model = gv.VGAE(epochs=2).fit(graph())
    with pytest.raises(gv.InputError, match=r"max_edges=3: this draw would have about [\d.]+ edges.*raise max"):
        model.sample(max_edges=3)
    assert model.sample(max_edges=91).num_edges > 3


def test_a_report_estimates_what_would_take_too_long_and_says_so(monkeypatch):
    """The ELBO of a decoder without a fast sum, from some of the pairs: within its standard error of the exact one."""
    from graphvae.estimators import likelihood

    split = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=0)
    model = gv.VGAE(4, decoder="mlp", objective="elbo", epochs=20).fit(split)
    assert likelihood.pairs_in_report(model.fitted, split.train) is None
    exact = model.evaluate()
    monkeypatch.setattr(likelihood, "REPORTED", 2000)
    estimated = model.evaluate()
    row, truth = estimated.likelihoods["VGAE"], likelihood.elbo_terms(model.fitted, None, 64, 1)
    error = np.hypot(row["elbo_standard_error"], truth["elbo_standard_error"])
    assert abs(row["elbo"] - truth["elbo"]) < 4 * error
    assert any("estimated without bias from 2000 pairs" in note for note in estimated.notes)
    assert not any("estimated" in note for note in exact.notes)
    inner = gv.VGAE(4, objective="elbo", epochs=2).fit(split)
    assert likelihood.pairs_in_report(inner.fitted, split.train) is None
