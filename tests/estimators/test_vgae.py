"""VGAE and GAE: what they learn, against independent evaluations and null models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.evaluation.null_models import degree_model, erdos_renyi
from graphvae.nn import FeaturePrior, InnerProductDecoder
from graphvae.training.loop import NonFiniteError

KARATE = gv.load_graph("karate")
LESMIS = gv.load_graph("lesmis")


def all_pairs(graph: gv.Graph) -> np.ndarray:
    return np.stack(np.triu_indices(graph.num_nodes, 1))


def test_training_lowers_the_loss():
    losses = [record["loss"] for record in gv.VGAE(epochs=60).fit(KARATE).history]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_training_finds_links_that_were_held_out():
    aucs = []
    for seed in range(4):
        split = gv.split_links(LESMIS, val=0.05, test=0.2, seed=seed)
        aucs.append(gv.VGAE(epochs=200, seed=seed).fit(split).evaluate().auc)
    assert np.mean(aucs) > 0.75


def test_weights_change_what_is_learned():
    """Les Misérables is weighted: the propagation uses the weights, the likelihood does not."""
    plain = LESMIS.replace(edge_weight=None)
    weighted = gv.VGAE(epochs=5).fit(LESMIS)
    binary = gv.VGAE(epochs=5).fit(plain)
    assert not np.allclose(weighted.embed().vectors, binary.embed().vectors)
    assert np.isfinite(weighted.elbo())
    assert weighted.fitted.density == binary.fitted.density


@pytest.mark.parametrize("graph", [KARATE, LESMIS], ids=["karate", "lesmis"])
@pytest.mark.parametrize("model", [gv.VGAE(), gv.VGAE(objective="elbo"), gv.GAE()], ids=repr)
def test_probabilities_over_all_pairs_add_up_to_the_edges(graph, model):
    model.fit(graph)
    p = model.predict_proba(edge_label_index=all_pairs(graph))
    assert p.sum() == pytest.approx(graph.num_edges, rel=1e-5)  # all pairs of so small a graph are fitted
    assert model.calibration.method == "intercept"
    assert model.calibration.density == pytest.approx(graph.density)
    edges = model.predict_proba(edge_label_index=graph.pairs)
    assert edges.mean() > 0.99 * graph.density


def test_calibration_on_validation_is_at_the_density_of_the_whole_graph():
    split = gv.split_links(LESMIS, val=0.2, test=0.1)
    model = gv.VGAE(epochs=50).fit(split)
    assert model.calibration.method == "piecewise"
    assert model.calibration.density == pytest.approx(LESMIS.density)
    p = model.predict_proba(edge_label_index=all_pairs(LESMIS))
    # Fitted on 50 pairs of each kind only.
    assert p.sum() == pytest.approx(LESMIS.num_edges, rel=0.5)


@pytest.mark.parametrize("graph", [KARATE, LESMIS], ids=["karate", "lesmis"])
def test_the_true_bound_ends_no_worse_than_erdos_renyi(graph):
    """The model contains Erdős-Rényi, so anything worse than it by more than 1 % is a fault of training."""
    model = gv.VGAE(objective="elbo", epochs=300).fit(graph)
    null = erdos_renyi(graph.num_nodes, graph.num_edges).log_likelihood
    assert model.elbo(samples=64) > null - 0.01 * abs(null)
    assert gv.VGAE(epochs=300).fit(graph).elbo() < 2 * null  # without an intercept, the paper's loss is far below


def test_scale_zero_and_the_prior_as_posterior_is_erdos_renyi():
    """The sentence above, exactly: with nothing learned but the intercept, the bound is the null model's."""
    model = gv.VGAE(objective="elbo", epochs=1, decoder=InnerProductDecoder(initial_scale=1e-12)).fit(KARATE)
    with torch.no_grad():
        for parameter in model.fitted.module.encoder.parameters():
            parameter.zero_()
        density = KARATE.density
        model.fitted.module.decoder.intercept.fill_(np.log(density / (1 - density)))
    null = erdos_renyi(KARATE.num_nodes, KARATE.num_edges).log_likelihood
    assert model.elbo() == pytest.approx(null, abs=1e-3)


def test_a_prior_that_knows_the_features_beats_the_null_models():
    """A block model whose blocks the features tell: the generative preset finds it, and samples graphs like it."""
    rng = np.random.default_rng(0)
    group = np.arange(150) % 3
    p = np.where(group[:, None] == group, 0.3, 0.01)
    u, v = np.nonzero(np.triu(rng.random((150, 150)) < p, 1))
    x = np.eye(3)[group] + 0.1 * rng.normal(size=(150, 3))
    graph = gv.Graph([[*u, *v], [*v, *u]], x=x, num_nodes=150)
    model = gv.VGAE.preset("generative", epochs=250, prior=FeaturePrior((16,), dropout=0.0)).fit(graph)
    elbo = model.elbo()
    assert elbo > erdos_renyi(150, graph.num_edges).log_likelihood + 500
    assert elbo > degree_model(graph.degrees.numpy()).log_likelihood + 500
    sampled = model.sample(seed=0)
    assert sampled.num_edges == pytest.approx(graph.num_edges, rel=0.15)
    inside = (group[sampled.pairs[0]] == group[sampled.pairs[1]]).mean()
    assert inside > 0.8  # a third, were the groups unknown


def test_a_mixture_finds_groups_that_no_features_tell():
    """The same block model without features: the bound is far above that of a normal prior, and groups are found."""
    rng = np.random.default_rng(0)
    group = np.arange(90) % 3
    p = np.where(group[:, None] == group, 0.4, 0.01)
    u, v = np.nonzero(np.triu(rng.random((90, 90)) < p, 1))
    graph = gv.Graph([[*u, *v], [*v, *u]], num_nodes=90)
    fit = lambda prior: gv.VGAE(4, objective="elbo", prior=prior, kl_warmup=150, epochs=300).fit(graph)
    plain, mixed = fit("normal"), fit("mixture")
    assert mixed.elbo() > plain.elbo() + 100
    assert mixed.elbo() > erdos_renyi(90, graph.num_edges).log_likelihood + 300
    assert mixed.log_marginal(samples=50).estimate > mixed.elbo()
    # Of two nodes of one group, positions are nearer to each other than of two of two groups.
    z = mixed.embed().vectors
    inside = group[:, None] == group
    distance = np.linalg.norm(z[:, None] - z, axis=-1)
    assert distance[inside].mean() < 0.5 * distance[~inside].mean()
    drawn = mixed.sample(seed=1)
    assert drawn.num_edges == pytest.approx(graph.num_edges, rel=0.4)


def test_features_are_needed_for_a_prior_of_features():
    with pytest.raises(gv.InputError, match=r'prior="features": the graph has no features'):
        gv.VGAE(prior="features").fit(KARATE)


def test_patience_keeps_the_best_epoch():
    split = gv.split_links(LESMIS, val=0.2, test=0.1)
    model = gv.VGAE(epochs=80, patience=10).fit(split)
    scores = [record["val_score"] for record in model.history]
    best = int(np.argmax(scores))
    assert model.fitted.best_epoch == best + 1
    assert len(scores) == min(80, best + 1 + 10)
    # What was kept is that epoch's: training for just so long gives the same weights.
    again = gv.VGAE(epochs=best + 1).fit(split)
    assert np.array_equal(again.embed().vectors, model.embed().vectors)
    assert model.evaluate(part="val").auc == model.history[best]["val_auc"]


def test_without_patience_the_last_epoch_is_kept():
    split = gv.split_links(LESMIS, val=0.2, test=0.1)
    model = gv.VGAE(epochs=30).fit(split)
    assert model.fitted.best_epoch == len(model.history) == 30
    assert model.evaluate(part="val").auc == model.history[-1]["val_auc"]


@pytest.mark.parametrize("data", [KARATE, gv.split_links(KARATE, val=0.0, test=0.1)], ids=["graph", "split"])
def test_patience_without_validation_is_refused(data):
    with pytest.raises(gv.InputError, match=r"patience=5: selection needs validation pairs"):
        gv.VGAE(patience=5).fit(data)


def test_beta_and_its_warm_up_weigh_the_kl():
    """Loss = -(reconstruction - beta_t KL) / divisor, beta_t growing over the first epochs."""
    model = gv.VGAE(objective="elbo", beta=0.5, kl_warmup=4, epochs=6).fit(KARATE)
    for record in model.history:
        beta = 0.5 * min(1.0, record["epoch"] / 4)
        expected = -(record["reconstruction"] - beta * record["kl"]) / KARATE.num_nodes
        assert record["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("data", [KARATE, gv.split_links(KARATE, val=0.1)], ids=["graph", "split"])
@pytest.mark.parametrize("rate", [1e18, 1e39])
@pytest.mark.parametrize("epochs", [1, 5])
def test_training_that_diverges_stops_with_epoch_and_term(data, rate, epochs):
    """Also where it shows after the last step only, or first in the validation."""
    with pytest.raises(NonFiniteError, match=r"epoch( \d+)?: (the weights )?[\w.]+ (is|are) (nan|inf|not finite)"):
        gv.VGAE(learning_rate=rate, epochs=epochs).fit(data)


@pytest.mark.data
@pytest.mark.slow
def test_cora_by_the_papers_protocol(data_root):
    """Kipf and Welling: 91.4 / 92.6 over ten splits."""
    split = gv.split_links(gv.load_graph("cora"), val=0.05, test=0.10, seed=0)
    report = gv.VGAE().fit(split).evaluate()
    assert report.auc >= 0.895
    assert report.ap >= 0.905


@pytest.mark.data
@pytest.mark.slow
def test_cora_under_the_true_bound_is_no_worse_than_erdos_renyi(data_root):
    split = gv.split_links(gv.load_graph("cora"), val=0.05, test=0.10, seed=0)
    model = gv.VGAE.preset("elbo").fit(split)
    null = erdos_renyi(split.train.num_nodes, split.train.num_edges).log_likelihood
    assert model.elbo() > null - 0.01 * abs(null)


@pytest.mark.data
@pytest.mark.slow
def test_cora_with_a_prior_of_features_is_a_model_of_the_graph(data_root):
    split = gv.split_links(gv.load_graph("cora"), val=0.05, test=0.10, seed=0)
    model = gv.VGAE.preset("generative").fit(split)
    assert model.elbo() > degree_model(split.train.degrees.numpy()).log_likelihood + 5000
    assert model.evaluate().auc >= 0.90
