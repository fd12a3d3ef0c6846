"""Reports of fitted models: the same pairs for model, baselines and null models, and nothing but the fitted split."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

import graphvae as gv
from graphvae.estimators.held_out import scorer_of
from graphvae.estimators.scoring import evaluate_samples, pair_logits
from graphvae.evaluation.heuristics import HEURISTICS
from graphvae.nn.structure import Structure


def graph(features: str | None = "dense", n: int = 40) -> gv.Graph:
    rng = np.random.default_rng(1)
    u, v = np.nonzero(np.triu(rng.random((n, n)) < 0.15, 1))
    x = rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.5)
    x = {"dense": torch.from_numpy(x), "sparse": torch.from_numpy(x).to_sparse_coo(), None: None}[features]
    return gv.Graph([[*u, *v], [*v, *u]], x=x, num_nodes=n)


@pytest.fixture(scope="module")
def split():
    return gv.split_links(graph(), val=0.1, test=0.2, seed=0)


@pytest.fixture(scope="module")
def model(split):
    return gv.VGAE(epochs=10).fit(split)


def test_logits_are_the_inner_products_of_the_means(model, split):
    mean = model.embed().vectors.astype(np.float64)
    u, v = split.test.positive.numpy()
    logits = pair_logits(model.fitted, split.test.positive)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, (mean[u] * mean[v]).sum(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", ["val", "test"])
def test_auc_and_ap_are_those_of_scikit_learn(model, split, part):
    links = getattr(split, part)
    scores = [pair_logits(model.fitted, pairs) for pairs in (links.positive, links.negative)]
    labels = np.repeat([1, 0], [len(s) for s in scores])
    report = model.evaluate(split, part=part)
    assert report.auc == pytest.approx(roc_auc_score(labels, np.concatenate(scores)), abs=1e-12)
    assert report.ap == pytest.approx(average_precision_score(labels, np.concatenate(scores)), abs=1e-12)
    assert report.part == part


def test_every_baseline_stands_beside_the_model(model, split):
    report = model.evaluate(split)
    assert set(report.baselines) == {heuristic.label for heuristic in HEURISTICS.values()}
    without = gv.split_links(graph(None), val=0.1, test=0.2, seed=0)
    fewer = gv.VGAE(epochs=2).fit(without).evaluate().baselines
    assert set(fewer) == {heuristic.label for heuristic in HEURISTICS.values() if not heuristic.needs_features}


def test_a_baseline_that_would_take_too_long_is_left_out_and_named(model, split, monkeypatch):
    monkeypatch.setitem(HEURISTICS, "katz", dataclasses.replace(HEURISTICS["katz"], limit=1000))
    report = model.evaluate(split)
    assert set(report.baselines) == {heuristic.label for heuristic in HEURISTICS.values()} - {"Katz"}
    assert "Katz is left out" in str(report)
    assert model.evaluate(split).to_dict()["notes"] == list(report.notes)


def test_baselines_see_the_training_edges_only(split):
    """Common neighbours of a held-out pair, counted on the dense training matrix."""
    a = split.train.to_scipy().toarray()
    u, v = split.test.positive.numpy()
    scores = scorer_of("common-neighbours", split.train).pairs(np.stack([u, v]))
    np.testing.assert_array_equal(scores, (a @ a)[u, v])


def test_baselines_take_a_weighted_graph_as_binary():
    weighted = gv.load_graph("lesmis")
    pairs = weighted.pairs.numpy()
    for name, heuristic in HEURISTICS.items():
        if not heuristic.needs_features:
            scores = [scorer_of(name, g).pairs(pairs) for g in (weighted, weighted.replace(edge_weight=None))]
            np.testing.assert_array_equal(*scores)


def test_likelihoods_of_model_and_null_models(model, split):
    rows = model.evaluate(split).likelihoods
    assert list(rows) == ["VGAE", "Erdős-Rényi", "degree-based"]
    n, e = split.train.num_pairs, split.train.num_edges
    expected = e * np.log(e / n) + (n - e) * np.log(1 - e / n)
    assert rows["Erdős-Rényi"]["log_likelihood"] == pytest.approx(expected)
    assert rows["VGAE"]["elbo"] == pytest.approx(model.elbo(samples=4))
    assert rows["VGAE"]["elbo"] == pytest.approx(rows["VGAE"]["log_likelihood"] - rows["VGAE"]["kl"])
    point = gv.GAE(epochs=2).fit(split).evaluate().likelihoods["GAE"]
    assert "elbo" not in point
    assert np.isfinite(point["heldout"])


def test_held_out_likelihood_weighs_non_edges_to_the_density(model, split):
    positive, negative = (pair_logits(model.fitted, pairs) for pairs in (split.test.positive, split.test.negative))
    pi = graph().density
    expected = -np.log1p(np.exp(-positive)).mean() - (1 - pi) / pi * np.log1p(np.exp(negative)).mean()
    assert model.evaluate(split).likelihoods["VGAE"]["heldout"] == pytest.approx(expected)


def test_ranks_against_all_nodes_and_hard_non_edges(model, split):
    """The report's figures from a loop over all candidates of every query."""
    mean = model.embed().vectors
    full = {frozenset(pair) for pair in graph().pairs.T.tolist()}
    reciprocal, hits = [], []
    for u, v in [*split.test.positive.T.tolist(), *split.test.positive.flip(0).T.tolist()]:
        scores = mean @ mean[u]
        others = [w for w in range(40) if w != u and frozenset((u, w)) not in full]
        rank = 1 + sum(scores[w] > scores[v] for w in others)
        reciprocal.append(1 / rank)
        hits.append(rank <= 10)
    report = model.evaluate(split)
    assert report.mrr == pytest.approx(np.mean(reciprocal))
    assert report.hits[10] == pytest.approx(np.mean(hits))
    assert report.hits[50] is None
    labels = {"VGAE", *(heuristic.label for heuristic in HEURISTICS.values())}
    assert set(report.rankings) == {"negatives", "all", "hard"}
    assert all(set(rows) == labels for rows in report.rankings.values())
    assert report.to_dict()["rankings"]["all"]["VGAE"]["mrr"] == report.mrr
    # All nodes are fewer than the hard ones asked for: the same candidates.
    assert report.rankings["hard"] == report.rankings["all"]


def test_ranking_against_all_nodes_is_left_out_where_it_is_long_or_declined(model, split, monkeypatch):
    declined = model.evaluate(split, ranking=False)
    assert set(declined.rankings) == {"negatives"}
    assert declined.mrr is None
    assert declined.hits == {}
    assert not declined.notes
    assert set(model.evaluate(split, hard=0).rankings) == {"negatives", "all"}
    monkeypatch.setattr("graphvae.estimators.held_out.CHEAP", 100)
    assert "ask for it with ranking=True" in str(model.evaluate(split))
    assert model.evaluate(split, ranking=True).mrr == pytest.approx(model.evaluate(split, ranking=True).mrr)
    for options, message in (({"ranking": 1}, "ranking=1"), ({"hard": -1}, "hard=-1")):
        with pytest.raises(gv.InputError, match=message):
            model.evaluate(split, **options)


def test_another_split_is_refused(model, split):
    for other in (
        gv.split_links(graph(), val=0.1, test=0.2, seed=1),
        dataclasses.replace(split, test=gv.LinkSet(split.test.positive[:, 1:], split.test.negative)),
        gv.split_links(graph(None), val=0.1, test=0.2, seed=0),
    ):
        with pytest.raises(gv.InputError, match=r"split: its hash \w{12} is not that of the fitted split"):
            model.evaluate(other)
    again = gv.split_links(graph(), val=0.1, test=0.2, seed=0)
    assert model.evaluate(again).auc == model.evaluate(split).auc


@pytest.mark.parametrize("other", [graph(), "test", 3])
def test_what_is_no_split_is_refused(model, other):
    with pytest.raises(gv.InputError, match="expected the LinkSplit that split_links returns"):
        model.evaluate(other)


def test_after_fitting_a_graph_nothing_is_held_out(split):
    model = gv.VGAE(epochs=1).fit(graph())
    for data in (None, split):
        with pytest.raises(gv.InputError, match="fitted on all edges of a graph, so nothing is held out"):
            model.evaluate(data)


@pytest.mark.parametrize(("val", "test", "empty"), [(0.0, 0.2, "val"), (0.1, 0.0, "test")])
def test_an_empty_part_is_refused(val, test, empty):
    model = gv.VGAE(epochs=1).fit(gv.split_links(graph(), val=val, test=test))
    with pytest.raises(gv.InputError, match=rf'part="{empty}": this split holds no {empty} pairs'):
        model.evaluate(part=empty)
    assert model.evaluate(part="val" if empty == "test" else "test").num_positive > 0


def test_unknown_parts_are_refused(model):
    with pytest.raises(gv.InputError, match=r"part='tst'.*did you mean 'test'"):
        model.evaluate(part="tst")


def test_samples_are_compared_with_the_fitted_graph(model, split):
    report = evaluate_samples(model, 3, 5, "posterior")
    assert report.num_samples == 3
    assert report.data["num_edges"] == split.train.num_edges
    counts = [model.sample(seed=seed, source="posterior").num_edges for seed in (5, 6, 7)]
    assert report.mean["num_edges"] == pytest.approx(np.mean(counts))
    with pytest.raises(gv.InputError, match="samples=0"):
        model.evaluate_samples(samples=0)


# --- nodes a model has not seen --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [0.0, 0.5])
@pytest.mark.parametrize("by", ["graph", "split"])
def test_links_of_new_nodes_are_those_of_their_embeddings(shown, by, tmp_path):
    whole = graph("sparse")
    nodes = gv.split_nodes(whole, 0.2, shown=shown, seed=1)
    fitted_on = nodes.seen if by == "graph" else gv.split_links(nodes.seen, val=0.1, test=0, seed=0)
    model = gv.VGAE(epochs=5).fit(fitted_on)
    report = model.evaluate(nodes)
    z = model.transform(nodes.links.train).astype(np.float64)
    assert z.shape == (40, 16)
    test = nodes.links.test
    scores = [(z[u] * z[v]).sum(1) for u, v in (test.positive.numpy(), test.negative.numpy())]
    labels = np.repeat([1, 0], [len(s) for s in scores])
    assert report.auc == pytest.approx(roc_auc_score(labels, np.concatenate(scores)), abs=1e-12)
    assert "feature cosine" in report.baselines
    if shown == 0:
        assert report.baselines["Katz"]["auc"] == 0.5
    loaded = gv.load(model.save(tmp_path / "run"))
    assert loaded.evaluate(nodes).to_dict() == report.to_dict()


def test_new_nodes_are_refused_where_they_are_not_new_or_cannot_be_told():
    whole = graph("dense")
    nodes, others = gv.split_nodes(whole, 0.2, seed=1), gv.split_nodes(whole, 0.2, seed=2)
    for data in (whole, others.seen, gv.split_links(whole, val=0, test=0.1), nodes.links):
        with pytest.raises(gv.InputError, match=r"was not fitted on split\.seen"):
            gv.VGAE(epochs=1).fit(data).evaluate(nodes)
    with pytest.raises(gv.InputError, match="holds no val pairs"):
        gv.VGAE(epochs=1).fit(nodes.seen).evaluate(nodes, part="val")
    bare = gv.split_nodes(graph(None), 0.2, seed=1)
    with pytest.raises(gv.InputError, match="a model with one row per node, as one without features is"):
        gv.VGAE(epochs=1).fit(bare.seen).evaluate(bare)
    with pytest.raises(gv.InputError, match="expected a model with structure=None"):
        gv.VGAE(epochs=1, structure=Structure(steps=1)).fit(nodes.seen).evaluate(nodes)
