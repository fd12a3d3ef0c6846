"""A structure network beside a decoder: what it learns, how it is weighed, and one answer at every door."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.data.splits import LinkSplit
from graphvae.estimators.held_out import row_logits
from graphvae.estimators.scoring import pair_logits
from graphvae.nn.structure import Structure

SMALL = Structure(hops=3, dimensions=4, width=8, steps=150)


@pytest.fixture(scope="module")
def split() -> LinkSplit:
    graph = nx.relaxed_caveman_graph(20, 6, 0.1, seed=1)
    return gv.split_links(gv.Graph.from_edges(np.array(sorted(graph.edges())).T), val=0.1, test=0.1, seed=0)


@pytest.fixture(scope="module")
def model(split: LinkSplit) -> gv.VGAE:
    return gv.VGAE(epochs=10, structure=SMALL).fit(split)


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
    assert loaded.get_params()["structure"] == SMALL


def test_same_seed_same_network(split: LinkSplit, model: gv.VGAE) -> None:
    again = gv.VGAE(epochs=10, structure=SMALL).fit(split)
    pairs = split.test.negative.numpy()
    assert np.array_equal(pair_logits(again.fitted, pairs), pair_logits(model.fitted, pairs))


def test_without_validation_both_count_a_half(split: LinkSplit) -> None:
    model = gv.VGAE(epochs=3, structure=SMALL).fit(split.train)
    structure = model.fitted.module.structure
    assert structure is not None
    assert structure.weights.tolist() == [0.5, 0.5, 0.0]
    assert np.isfinite(model.predict_proba(edge_label_index=split.test.positive.numpy())).all()


def test_a_network_that_says_nothing_is_left_out(split: LinkSplit, model: gv.VGAE) -> None:
    predictor = gv.VGAE(epochs=200, structure=SMALL).fit(split).fitted.predictor()
    for parameter in predictor.network.parameters():
        torch.nn.init.zeros_(parameter)
    predictor.network.layers[0].weight.data.normal_()
    predictor.network.layers[2].weight.data.normal_()
    predictor.network.layers[4].weight.data.fill_(-5.0)  # the busier a pair, the less likely a link
    predictor.weigh(split.val, torch.empty(0, dtype=torch.int64), 0)
    a, b, _ = predictor.network.weights.tolist()
    assert b < 0.1 < a


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
