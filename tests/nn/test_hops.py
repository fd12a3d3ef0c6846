"""The hop encoder: its formula by hand, equivariance, what it does without features, and its refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import scipy.sparse
import torch
from torch.nn.functional import layer_norm

import graphvae as gv
from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.nn.hops import HopEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.training.randomness import seeded
from graphvae.variational.posteriors import POSTERIORS

N, F_IN, D, WIDTH = 9, 5, 3, 4


def graph(sparse: bool = False) -> Graph:
    with seeded(4):
        adjacency = (torch.rand(N, N) < 0.4).triu(1)
        adjacency[:, -1] = False
        x = torch.randn(N, F_IN, dtype=torch.float64) * (torch.rand(N, F_IN) < 0.6)
    return Graph((adjacency | adjacency.T).nonzero().T, scipy.sparse.csr_array(x.numpy()) if sparse else x)


def inputs(g: Graph, features: bool = True) -> GraphInputs:
    return GraphInputs.build(g.edge_index, g.num_nodes, g.x if features else None, dtype=torch.float64)


def network(features: bool = True, posterior: str = "gaussian", **settings):
    settings = {"width": WIDTH, "dropout": 0.0, **settings}
    with seeded(7):
        built = HopEncoder(**settings).build(
            num_nodes=N, num_features=F_IN if features else 0, latent_dim=D, posterior=POSTERIORS[posterior]
        )
        for parameter in built.parameters():
            torch.nn.init.normal_(parameter)
    return built.double()


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("teleport", [0.0, 0.3])
@pytest.mark.parametrize("hops", [0, 2])
@pytest.mark.parametrize("table", [False, True])
def test_the_formula_by_hand(normalise, teleport, hops, table):
    g = graph()
    net = network(normalise=normalise, teleport=teleport, hops=hops, node_table=table, degree_embedding=table)
    a = inputs(g).propagation.to_dense()
    h = g.x @ net.linear.weight + net.linear.bias
    if table:
        degree = (a > 0).sum(1) - 1
        h = h + net.table + net.degrees[(2 * torch.log2(1.0 + degree)).floor().long()]

    def norm(h, k):
        return layer_norm(h, (WIDTH,), net.norms[k].weight, net.norms[k].bias) if normalise else h

    first = norm(h, 0)
    parts = [first]
    for k in range(1, hops + 1):
        parts.append(norm((1 - teleport) * (a @ parts[-1]) + teleport * first, k))
    out = torch.cat(parts, 1) @ net.head.weight.T + net.head.bias
    q = net(inputs(g))
    assert (q.batch_shape, q.event_shape) == ((), (N, D))
    torch.testing.assert_close(q.mean, out[:, :D], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(q.stddev.log(), out[:, D:].clamp(-15, 10), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_relabelling_the_nodes_relabels_the_posterior(posterior, sparse):
    g, net = graph(sparse), network(posterior=posterior)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    x = g.x.to_dense()[order]
    moved = Graph(torch.argsort(order)[g.edge_index], scipy.sparse.csr_array(x.numpy()) if sparse else x)
    torch.testing.assert_close(net(inputs(moved)).mean, net(inputs(g)).mean[order], rtol=0, atol=1e-10)


def test_without_features_nodes_and_degrees_have_tables():
    net = network(features=False)
    assert net.per_node
    assert net.linear is None
    (net(inputs(graph(), features=False)).mean.square().sum()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in (net.table, net.degrees, net.head.weight))
    assert not network().per_node


def test_without_a_node_table_a_model_without_features_embeds_other_graphs():
    karate = gv.load_graph("karate")
    model = gv.VGAE(4, encoder=HopEncoder(node_table=False), epochs=2).fit(karate)
    other = Graph([[0, 1, 1, 2], [1, 0, 2, 1]], num_nodes=20)
    assert model.transform(other).shape == (20, 4)
    tabled = gv.VGAE(4, encoder="hops", epochs=2).fit(karate)
    with pytest.raises(InputError, match="one row per node"):
        tabled.transform(other)


@pytest.mark.parametrize("sparse", [False, True])
def test_dropout_draws_in_training_alone(sparse):
    g, net = inputs(graph(sparse)), network(dropout=0.5)
    with seeded(1):
        assert not torch.equal(net(g).mean, net(g).mean)
    net.eval()
    assert torch.equal(net(g).mean, net(g).mean)
    assert torch.equal(net(g).mean, network().eval()(g).mean)


def test_a_node_without_edges_is_told_by_its_features():
    g = inputs(graph())
    moved = replace(g, x=g.x + torch.eye(N)[-1][:, None])
    net = network()
    assert not torch.equal(net(g).mean[-1], net(moved).mean[-1])
    assert torch.equal(net(g).mean[:-1], net(moved).mean[:-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", 0), ("hops", -1), ("dropout", 1.0), ("teleport", 2), ("normalise", None), ("node_table", 1)],
)
def test_bad_settings_are_refused(name, value):
    with pytest.raises(InputError, match=name):
        HopEncoder(**{name: value})


def test_nothing_to_tell_nodes_apart_by_is_refused():
    with pytest.raises(InputError, match="no features"):
        network(features=False, node_table=False, degree_embedding=False)


@pytest.mark.parametrize(("name", "value"), [("hidden_dims", (8,)), ("dropout", 0.2)])
def test_settings_of_the_gcn_are_refused(name, value):
    with pytest.raises(InputError, match=rf'{name}=.*encoder="gcn"; HopEncoder has settings of its own'):
        gv.VGAE(encoder="hops", **{name: value}).fit(gv.load_graph("karate"))
