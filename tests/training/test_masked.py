"""Edge masking: what a step hides, what it scores, and that the encoder never sees what it is asked about."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae._check import InputError
from graphvae.kernels.edges import EdgeSet
from graphvae.nn.inputs import GraphInputs
from graphvae.training.masked import MaskedEdges
from graphvae.training.randomness import seeded
from graphvae.variational import pseudo_likelihoods
from graphvae.variational.likelihoods import PairwiseBernoulli

GRAPH = gv.load_graph("lesmis")


def parts() -> tuple[GraphInputs, EdgeSet]:
    inputs = GraphInputs.build(GRAPH.edge_index, GRAPH.num_nodes, edge_weight=GRAPH.edge_weight)
    return inputs, EdgeSet(GRAPH.pairs, GRAPH.num_nodes)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_hidden_edges_are_scored_and_not_seen(rate):
    inputs, edges = parts()
    with seeded(3):
        seen, scored = MaskedEdges(rate).view(inputs, edges)
    matrix = seen.propagation.to_dense()
    assert not matrix[scored[0], scored[1]].any()
    assert not matrix[scored[1], scored[0]].any()
    hidden = {tuple(pair) for pair in scored.T.tolist()}
    left = {tuple(pair) for pair in seen.edge_index.T.tolist()}
    for u, v in edges.pairs.T.tolist():
        assert ((u, v) in hidden) != ((u, v) in left)
        assert ((v, u) in left) == ((u, v) in left)
        assert (matrix[u, v] > 0) == ((u, v) in left)
    assert abs(len(hidden) / edges.num_edges - rate) < 4 * np.sqrt(0.25 / edges.num_edges)
    assert len(seen.edge_weight) == seen.edge_index.shape[1]
    # Degrees are those of the graph that is seen.
    assert seen.degrees.tolist() == torch.bincount(seen.edge_index[0], minlength=GRAPH.num_nodes).tolist()


def test_at_least_one_edge_is_scored():
    inputs, edges = parts()
    with seeded(0):
        _, scored = MaskedEdges(1e-12).view(inputs, edges)
    assert scored.shape == (2, 1)


def test_the_loss_is_two_means_and_a_share_of_the_divergence(monkeypatch):
    drawn = torch.tensor([[0, 2, 2, 1], [4, 3, 4, 3]])
    counts = []
    monkeypatch.setattr(
        pseudo_likelihoods, "sample_negative_pairs", lambda known, n, count: counts.append((known, count)) or drawn
    )
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    edges = EdgeSet(torch.tensor([[0, 1, 1], [1, 2, 4]]), 5)
    hidden, objective = edges.pairs[:, :2], MaskedEdges(negatives=2.0)
    s = (z @ z.T).numpy()
    cost = np.logaddexp(0, -s[tuple(hidden)]).mean() + np.logaddexp(0, s[tuple(drawn)]).mean()
    reconstruction = objective.reconstruct(PairwiseBernoulli(z), edges).log_prob(hidden)
    loss = objective.loss(reconstruction, torch.tensor(7.0), 5, beta=0.5)
    assert float(loss) == pytest.approx(cost + 0.5 * 7 / 25)
    # Edges that are not scored are still no non-edges.
    assert counts[0][0].tolist() == [1, 7, 9]
    assert counts[0][1] == 4


@pytest.mark.parametrize(("name", "value"), [("rate", 0), ("rate", 1.5), ("negatives", 0), ("negatives", "many")])
def test_bad_settings_are_refused(name, value):
    with pytest.raises(InputError, match=name):
        MaskedEdges(**{name: value})


def test_it_trains_any_model():
    split = gv.split_links(GRAPH, val=0.05, test=0.2, seed=0)
    model = gv.VGAE(objective="masked", epochs=150).fit(split)
    assert model.fitted.path == "sampled"
    assert model.evaluate().auc > 0.75
