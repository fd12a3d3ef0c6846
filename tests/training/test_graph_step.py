"""One step on a graph: its loss and terms from the parts, put together by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import softplus

import graphvae as gv
from graphvae.estimators.fitting import build_module, check_params, inputs_of
from graphvae.kernels.edges import EdgeSet
from graphvae.training.adversary import Adversary
from graphvae.training.graph_step import graph_step
from graphvae.training.randomness import seeded

GRAPH = gv.load_graph("karate")
N = GRAPH.num_nodes


def parts(estimator, **others):
    model = estimator(4, **others)
    options = check_params(model.get_params())
    module = build_module(options, model.posterior_family, N, 0, GRAPH.density)
    return module, model.posterior_family, options, inputs_of(GRAPH), EdgeSet(GRAPH.pairs, N)


def dense_log_likelihood(module, z: torch.Tensor) -> torch.Tensor:
    u, v = torch.triu_indices(N, N, 1)
    logits = (z[u] * z[v]).sum(-1) * module.decoder.log_scale.exp() + module.decoder.intercept
    linked = torch.zeros(N, N)
    linked[tuple(GRAPH.pairs)] = 1
    return -(softplus(logits) - linked[u, v] * logits).sum()


@pytest.mark.parametrize(("epoch", "beta"), [(1, 0.125), (4, 0.5), (9, 0.5)])
def test_the_loss_of_the_true_bound_with_a_warm_up(epoch, beta):
    module, *rest = parts(gv.VGAE, objective="elbo", beta=0.5, kl_warmup=4, samples=3)
    with seeded(5):
        loss, terms = graph_step(module, *rest, None)(epoch, 0)
    with seeded(5):
        q, _ = module(rest[2])
        draws = q.rsample((3,))
    expected = torch.stack([dense_log_likelihood(module, z) for z in draws]).mean()
    normal = Independent(Normal(q.mean, q.stddev), 2)
    kl = kl_divergence(normal, Independent(Normal(torch.zeros(N, 4), torch.ones(N, 4)), 2))
    torch.testing.assert_close(terms["reconstruction"], expected, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(terms["kl"], kl)
    torch.testing.assert_close(loss, -(expected - beta * kl) / N, rtol=1e-5, atol=1e-5)


def test_a_point_posterior_has_no_divergence_among_its_terms():
    _, terms = graph_step(*parts(gv.GAE), None)(1, 0)
    assert set(terms) == {"reconstruction"}


def test_the_adversary_s_term_is_added_with_its_weight():
    module, family, options, *rest = parts(gv.VGAE, objective=gv.Adversarial("elbo", weight=0.5))
    adversary = Adversary(options["objective"], 4, torch.device("cpu"))
    with seeded(5):
        loss, terms = graph_step(module, family, options, *rest, None, adversary)(1, 0)
    plain = -(terms["reconstruction"] - terms["kl"]) / N
    torch.testing.assert_close(loss, plain + 0.5 * terms["fooling"])
    assert float(terms["fooling"].detach()) > 0.1


def test_the_importance_weighted_bound_of_whole_graphs():
    module, *rest = parts(gv.VGAE, objective="iwae", samples=3)
    with seeded(5):
        loss, terms = graph_step(module, *rest, None)(1, 0)
    with seeded(5):
        q, _ = module(rest[2])
        draws = q.rsample((3,))
    normal, unit = Normal(q.mean, q.stddev), Normal(0.0, 1.0)
    kl = (normal.log_prob(draws) - unit.log_prob(draws)).sum((-2, -1))
    weight = torch.stack([dense_log_likelihood(module, z) for z in draws]) - kl
    torch.testing.assert_close(loss, -(weight.logsumexp(0) - math.log(3)) / N, rtol=1e-5, atol=1e-5)
    assert float(loss.detach()) < float(-(terms["reconstruction"] - terms["kl"]).detach()) / N


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        (gv.VGAE, {}, "samples=1"),
        (gv.VGAE, {"samples": 3, "beta": 0.5}, "beta=0.5"),
        (gv.VGAE, {"samples": 3, "kl_warmup": 2}, "kl_warmup=2"),
        (gv.VGAE, {"samples": 3, "objective": gv.FreeBits(0.1, "iwae")}, "has no KL term"),
        (gv.GAE, {}, "point posterior has no density"),
    ],
)
def test_what_importance_weights_cannot_be_made_of_is_refused(estimator, options, message):
    with pytest.raises(gv.InputError, match=message):
        estimator(4, **{"objective": "iwae", "epochs": 1, **options}).fit(GRAPH)
