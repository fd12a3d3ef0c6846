"""From arguments and a graph to a fitted model: what is built, what is recorded, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.estimators import predicting
from graphvae.estimators.fitting import (
    build_module,
    check_compatible,
    check_graph,
    check_params,
    encode,
    fit_graph,
    inputs_of,
)
from graphvae.nn import FeaturePrior, InnerProductDecoder, StandardNormalPrior

KARATE = gv.load_graph("karate")


def with_features(graph: gv.Graph = KARATE) -> gv.Graph:
    x = np.random.default_rng(0).normal(size=(graph.num_nodes, 3)).astype(np.float32)
    return graph.replace(x=x)


def test_names_become_what_they_stand_for():
    options = check_params(gv.VGAE(hidden_dims=[8, 4], learning_rate=1, dropout=0).get_params())
    assert options["hidden_dims"] == (8, 4)
    assert options["objective"].name == "kipf"
    assert options["prior"] is None  # the posterior's own
    assert isinstance(check_params(gv.VGAE(prior="normal").get_params())["prior"], StandardNormalPrior)
    assert isinstance(options["decoder"], InnerProductDecoder)
    assert options["learning_rate"] == (1.0, 1.0)
    assert isinstance(options["learning_rate"][0], float)


def test_a_point_posterior_lacks_the_arguments_of_a_distribution():
    options = check_params(gv.GAE().get_params())
    assert (options["beta"], options["kl_warmup"], options["samples"]) == (1.0, 0, 1)


@pytest.mark.parametrize(("name", "value"), [("beta", -0.1), ("kl_warmup", -1), ("samples", 0), ("prior", "norma")])
def test_arguments_of_the_vgae_alone(name, value):
    with pytest.raises(gv.InputError, match=f"{name}="):
        check_params(gv.VGAE(**{name: value}).get_params())


def build(model: gv.VGAE, num_features: int = 3, density: float = 0.1):
    return build_module(check_params(model.get_params()), model.posterior_family, 34, num_features, density)


def test_the_module_has_the_papers_shapes():
    shapes = {name: tuple(w.shape) for name, w in build(gv.VGAE()).state_dict().items()}
    assert shapes == {"encoder.hidden.0.linear.weight": (3, 32), "encoder.head.linear.weight": (32, 32)}
    # Without features the first layer is a table of one row per node.
    assert build(gv.VGAE(), num_features=0).encoder.hidden[0].linear.weight.shape == (34, 32)


def test_only_the_true_bound_has_an_intercept_by_default():
    assert build(gv.VGAE()).decoder.intercept is None
    decoder = build(gv.VGAE(objective="elbo"), density=0.2).decoder
    assert torch.sigmoid(decoder.intercept).item() == pytest.approx(0.2)
    assert decoder.log_scale is not None
    fixed = build(gv.VGAE(objective="elbo", decoder=InnerProductDecoder(bias=False))).decoder
    assert fixed.intercept is None
    assert fixed.log_scale is not None


def test_the_users_objects_are_templates_and_stay_untrained():
    decoder, prior = InnerProductDecoder(bias=True), FeaturePrior((4,))
    model = gv.VGAE(decoder=decoder, prior=prior, epochs=3)
    first = model.fit(with_features()).fitted.module
    assert first.decoder is not decoder
    assert decoder.intercept.item() == 0
    assert len(prior.layers) == 0
    assert model.fit(with_features()).fitted.module.decoder is not first.decoder


def test_initial_weights_are_the_seeds():
    first, again, other = build(gv.VGAE()), build(gv.VGAE()), build(gv.VGAE(seed=1))
    name = "encoder.head.linear.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_what_fit_records_of_a_graph():
    graph = with_features()
    fitted = gv.VGAE(epochs=3).fit(graph).fitted
    assert fitted.label == "VGAE"
    assert fitted.num_features == 3
    assert fitted.density == graph.density
    assert fitted.split_hash is None
    assert fitted.data() is fitted.graph() is graph
    assert fitted.mean.shape == fitted.scale.shape == (34, 16)
    assert fitted.best_epoch == 3
    assert not fitted.module.training


def test_what_fit_records_of_a_split():
    split = gv.split_links(KARATE, val=0.1, test=0.1)
    fitted = gv.GAE(epochs=2).fit(split).fitted
    assert fitted.density == pytest.approx(KARATE.density)
    assert fitted.split_hash == split.hash
    assert fitted.data() is split
    assert fitted.graph() is split.train
    assert fitted.scale is None


def test_the_arguments_of_the_fit_are_kept_apart_from_the_estimators():
    """What is saved is what was fitted, whatever the estimator is set to afterwards."""
    model = gv.VGAE(epochs=2, hidden_dims=[5]).fit(KARATE)
    model.set_params(epochs=99, latent_dim=3)
    model.hidden_dims.append(7)
    assert model.fitted.params["epochs"] == 2
    assert model.fitted.params["latent_dim"] == 16
    assert model.fitted.params["hidden_dims"] == [5]


def test_rows_of_ids():
    fitted = gv.GAE(epochs=1).fit(gv.load_graph("lesmis")).fitted
    assert fitted.rows(np.array([["Valjean"], ["Javert"]])).shape == (2, 1)
    with pytest.raises(gv.InputError, match="'Batman' is not in the graph of 77 nodes"):
        fitted.rows(np.array(["Batman"]))


def test_a_source_that_is_a_callable_is_called_once():
    calls = []
    fitted = gv.GAE(epochs=1).fit(KARATE).fitted
    fitted.source = lambda: calls.append(1) or KARATE
    assert fitted.graph() is fitted.graph() is KARATE
    assert len(calls) == 1

    def missing():
        raise gv.InputError("gone")

    fitted.source = missing
    assert fitted.graph_or_none() is None
    with pytest.raises(gv.InputError, match="gone"):
        fitted.graph()


def test_encode_is_the_modules_posterior():
    graph = with_features()
    fitted = gv.VGAE(epochs=2, dropout=0.5).fit(graph).fitted
    mean, scale = encode(fitted, graph)
    with torch.no_grad():
        posterior, _ = fitted.module(inputs_of(graph))
    np.testing.assert_array_equal(mean, posterior.mean.numpy())
    np.testing.assert_array_equal(scale, posterior.stddev.numpy())
    assert np.array_equal(mean, fitted.mean)


def test_sparse_and_dense_features_are_the_same_model():
    dense = with_features()
    sparse = dense.replace(x=dense.x.to_sparse_coo())
    a, b = (gv.VGAE(epochs=3).fit(graph).embed().vectors for graph in (dense, sparse))
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (gv.Graph([[0], [1]], directed=True), "directed=True: an inner-product decoder is symmetric"),
        (gv.Graph(np.zeros((2, 0), dtype=int), num_nodes=5), "the graph of 5 nodes has no edges"),
        (gv.Graph([[0, 1], [1, 0]]), "every pair of nodes is an edge"),
    ],
)
def test_graphs_that_are_refused(graph, message):
    with pytest.raises(gv.InputError, match=message):
        check_graph(graph)


def test_two_edges_short_of_complete_can_be_fitted():
    """Rejection of negatives would hardly end here."""
    n = 12
    pairs = np.stack(np.triu_indices(n, 1))[:, 2:]
    graph = gv.Graph(np.concatenate([pairs, pairs[::-1]], 1), num_nodes=n)
    for objective in ("kipf", "elbo", "sampled"):
        model = gv.VGAE(objective=objective, epochs=3).fit(graph)
        p = model.predict_proba(edge_label_index=np.stack(np.triu_indices(n, 1)))
        assert p.sum() == pytest.approx(pairs.shape[1], rel=1e-5)


def test_a_larger_graph_is_calibrated_on_a_sample(monkeypatch):
    monkeypatch.setattr(predicting, "CALIBRATION_PAIRS", 400)
    graph = gv.load_graph("lesmis")
    model = gv.VGAE(epochs=30).fit(graph)
    p = model.predict_proba(edge_label_index=np.stack(np.triu_indices(77, 1)))
    assert p.sum() == pytest.approx(254, rel=0.1)
    assert p.sum() != pytest.approx(254, rel=1e-5)


def test_check_compatible_names_what_does_not_fit():
    fitted = gv.GAE(epochs=1).fit(with_features()).fitted
    check_compatible(fitted, with_features(gv.load_graph("lesmis")))
    with pytest.raises(gv.InputError, match="x: the graph has no features, the model was fitted with 3"):
        check_compatible(fitted, KARATE)


def test_fit_graph_refuses_other_data():
    with pytest.raises(gv.InputError, match=r"fit\(ndarray\): expected a Graph or the LinkSplit"):
        fit_graph("VGAE", gv.VGAE().get_params(), "gaussian", np.zeros(3), progress=False)


def test_nodes_held_out_are_not_seen_in_training():
    """Their features may be anything: the weights are the same, and their embeddings are not."""
    rng = np.random.default_rng(0)
    graph = gv.load_graph("lesmis")
    x = rng.normal(size=(graph.num_nodes, 6)).astype(np.float32)
    splits = []
    for other in (x, rng.normal(size=x.shape).astype(np.float32)):
        split = gv.split_links(graph.replace(x=x), 0.1, 0.2, protocol="inductive")
        new = torch.cat(list(split.new_nodes.values()))
        mixed = torch.from_numpy(x.copy())
        mixed[new] = torch.from_numpy(other)[new]
        splits.append(gv.split_links(graph.replace(x=mixed), 0.1, 0.2, protocol="inductive"))
        assert torch.equal(torch.cat(list(splits[-1].new_nodes.values())), new)
    one, two = (gv.VGAE(epochs=5).fit(split) for split in splits)
    for own, its in zip(one.fitted.module.state_dict().values(), two.fitted.module.state_dict().values(), strict=True):
        assert torch.equal(own, its)
    assert not np.allclose(one.fitted.mean[new], two.fitted.mean[new])
    assert one.fitted.mean.shape == (graph.num_nodes, 16)
    report = one.evaluate()
    assert set(report.baselines) >= {"feature cosine"}
    with pytest.raises(gv.InputError, match="one row for each node"):
        gv.VGAE(epochs=1).fit(gv.split_links(graph, 0.1, 0.2, protocol="inductive"))
    with pytest.raises(gv.InputError, match="one row for each node"):
        gv.VGAE(epochs=1, encoder=gv.nn.HopEncoder(node_table=True)).fit(splits[0])
