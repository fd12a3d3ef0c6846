"""A structure network beside a decoder: what it learns, how it is weighed, and one answer at every door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.data.splits import LinkSplit
from graphvae.estimators import structure
from graphvae.estimators.held_out import row_logits
from graphvae.estimators.scoring import pair_logits
from graphvae.estimators.structure import one_cycle
from graphvae.nn.structure import Structure

SMALL = Structure(hops=3, dimensions=4, width=8, steps=150)
FURTHER = replace(SMALL, doublings=2)


@pytest.fixture(scope="module")
def split() -> LinkSplit:
    graph = nx.relaxed_caveman_graph(20, 6, 0.1, seed=1)
    return gv.split_links(gv.Graph.from_edges(np.array(sorted(graph.edges())).T), val=0.1, test=0.1, seed=0)


@pytest.fixture(scope="module", params=[SMALL, FURTHER], ids=["short walks", "long walks"])
def model(request: pytest.FixtureRequest, split: LinkSplit) -> gv.VGAE:
    return gv.VGAE(epochs=10, structure=request.param).fit(split)


def test_structure_tells_links_that_a_short_training_does_not(split: LinkSplit, model: gv.VGAE) -> None:
    plain = gv.VGAE(epochs=10).fit(split)
    assert model.evaluate(split).auc > plain.evaluate(split).auc + 0.05
    assert np.array_equal(model.transform(split.train), plain.transform(split.train))
    assert model.elbo(samples=2) == plain.elbo(samples=2)


def test_pairs_blocks_and_recommendations_agree(split: LinkSplit, model: gv.VGAE) -> None:
    n = split.train.num_nodes
    rows = row_logits(model.fitted.predictor())(np.arange(n)).numpy()
    pairs = torch.triu_indices(n, n, 1)
    logits = pair_logits(model.fitted, pairs)
    np.testing.assert_allclose(rows[pairs[0], pairs[1]], logits, atol=1e-4)
    np.testing.assert_allclose(rows, rows.T, atol=1e-4)
    best = model.recommend(k=5, held_out=True)
    known = set(map(tuple, split.train.pairs.T.tolist()))
    order = [i for i in np.argsort(-logits, kind="stable") if tuple(pairs[:, i].tolist()) not in known][:5]
    np.testing.assert_allclose(best.probability, model.calibration.probabilities(logits[order]), rtol=1e-6)


def test_a_run_folder_gives_the_same_probabilities(split: LinkSplit, model: gv.VGAE, tmp_path: Path) -> None:
    loaded = gv.load(model.save(tmp_path / "run"))
    pairs = split.test.positive.numpy()
    same = loaded.predict_proba(edge_label_index=pairs)
    assert np.array_equal(same, model.predict_proba(edge_label_index=pairs))
    assert loaded.get_params()["structure"] == model.structure


def test_same_seed_same_network(split: LinkSplit, model: gv.VGAE) -> None:
    again = gv.VGAE(epochs=10, structure=model.structure).fit(split)
    pairs = split.test.negative.numpy()
    assert np.array_equal(pair_logits(again.fitted, pairs), pair_logits(model.fitted, pairs))


def test_without_validation_both_count_a_half(split: LinkSplit) -> None:
    model = gv.VGAE(epochs=3, structure=SMALL).fit(split.train)
    structure = model.fitted.module.structure
    assert structure is not None
    assert structure.weights.tolist() == [0.5, 0.5, 0.0]
    assert np.isfinite(model.predict_proba(edge_label_index=split.test.positive.numpy())).all()


def spoiled(split: LinkSplit, settings: Structure) -> Any:
    """Predictions with a network for which a link is the less likely the busier a pair is."""
    predictor = gv.VGAE(epochs=200, structure=settings).fit(split).fitted.predictor()
    for parameter in predictor.network.parameters():
        torch.nn.init.zeros_(parameter)
    predictor.network.layers[0].weight.data.normal_()
    predictor.network.layers[2].weight.data.normal_()
    predictor.network.layers[4].weight.data.fill_(-5.0)
    predictor.weigh(split.val, torch.empty(0, dtype=torch.int64), 0)
    return predictor


def test_a_network_that_says_nothing_is_left_out(split: LinkSplit) -> None:
    a, b, _ = spoiled(split, SMALL).network.weights.tolist()
    assert b < 0.1 < a


def test_where_the_network_is_wrong_pagerank_counts(split: LinkSplit) -> None:
    predictor = spoiled(split, FURTHER)
    _, b, d, _ = predictor.network.weights.tolist()
    assert b < 0.1 < d
    pairs = split.test.positive
    logits = predictor.logits(pairs)
    predictor.network.weights[2] = 0.0
    rest = predictor.logits(pairs)
    scores = predictor.network.of_pairs(predictor.features, pairs)
    torch.testing.assert_close(logits - rest, d * scores[:, 1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 10, 37, 800])
def test_rates_and_momenta_are_those_of_torch(steps: int) -> None:
    optimiser = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.02, total_steps=steps)
    for step in range(steps):
        group = optimiser.param_groups[0]
        assert one_cycle(step, steps, 0.02) == pytest.approx((group["lr"], group["betas"][0]), rel=1e-9)
        optimiser.step()
        if step + 1 < steps:
            schedule.step()


@pytest.mark.parametrize("protocol", ["connected", "random"])
def test_edges_are_hidden_as_the_split_holds_them_out(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a ring with chords a tenth of the edges, at random, cuts some node off as good as always."""
    ring = nx.circulant_graph(60, [1])
    ring.add_edges_from((i, (i + 7) % 60) for i in range(0, 60, 2))
    split = gv.split_links(gv.Graph.from_networkx(ring), val=0.05, test=0.05, seed=0, protocol=protocol)
    kept: list[int] = []
    features = structure._features

    def counting(network: Any, pairs: torch.Tensor) -> Any:
        some = nx.Graph(pairs.T.tolist())
        some.add_nodes_from(range(60))
        kept.append(nx.number_connected_components(some))
        return features(network, pairs)

    monkeypatch.setattr(structure, "_features", counting)
    gv.VGAE(epochs=1, structure=SMALL).fit(split)
    whole = nx.number_connected_components(split.train.to_networkx())
    assert len(kept) > 2
    assert (set(kept) == {whole}) == (protocol == "connected")


def test_a_tree_has_no_edge_to_spare_and_is_fitted() -> None:
    tree = gv.split_links(gv.Graph.from_networkx(nx.cycle_graph(30)), val=0, test=0.04, seed=0, protocol="connected")
    model = gv.VGAE(epochs=1, structure=SMALL).fit(tree)
    assert np.isfinite(model.predict_proba(edge_label_index=tree.test.positive.numpy())).all()


@pytest.mark.parametrize(
    "graph",
    [nx.path_graph(3), nx.star_graph(5), nx.Graph([(0, 1), (2, 3)]), nx.complete_graph(9)],
    ids=["path", "star", "two edges", "all edges but one"],
)
def test_the_smallest_graphs_are_fitted(graph: nx.Graph) -> None:
    graph = nx.Graph(graph)
    if graph.number_of_nodes() == 9:
        graph.remove_edge(0, 1)
    some = gv.Graph.from_edges(np.array(sorted(graph.edges())).T)
    model = gv.VGAE(epochs=2, structure=Structure(hops=2, dimensions=2, width=4, steps=5)).fit(some)
    p = model.predict_proba(edge_label_index=np.array([[0, 0], [1, 2]]))
    assert ((p > 0) & (p < 1)).all()
