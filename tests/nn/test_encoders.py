"""The GCN encoder: equivariance, depth, features of every kind, dropout, and all posterior families."""

from __future__ import annotations

from dataclasses import replace

import pytest
import scipy.sparse
import torch
import torch.nn.utils.prune

from graphvae.data.graph import Graph
from graphvae.nn.encoders import GCNEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.training.randomness import seeded
from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.posteriors import POSTERIORS, GaussianPosterior

N, F_IN, D = 9, 5, 3
DEPTHS = [(), (4,), (6, 4)]


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(4)
        yield


def graph(sparse: bool = False) -> Graph:
    adjacency = (torch.rand(N, N) < 0.4).triu(1)
    adjacency[:, -1] = False
    x = torch.randn(N, F_IN, dtype=torch.float64) * (torch.rand(N, F_IN) < 0.6)
    return Graph((adjacency | adjacency.T).nonzero().T, scipy.sparse.csr_array(x.numpy()) if sparse else x)


def inputs(g: Graph, features: bool = True) -> GraphInputs:
    return GraphInputs.build(g.edge_index, g.num_nodes, g.x if features else None, dtype=torch.float64)


def encoder(hidden_dims=(4,), posterior="gaussian", in_features=F_IN, **options) -> GCNEncoder:
    return GCNEncoder(in_features, D, POSTERIORS[posterior], hidden_dims, **options).double()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("hidden_dims", DEPTHS)
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_relabelling_the_nodes_relabels_the_posterior(posterior, hidden_dims, bias, sparse):
    g, net = graph(sparse), encoder(hidden_dims, posterior, bias=bias)
    order = torch.randperm(N)
    x = g.x.to_dense()[order]
    moved = Graph(torch.argsort(order)[g.edge_index], scipy.sparse.csr_array(x.numpy()) if sparse else x)
    q, r = net(inputs(g)), net(inputs(moved))
    assert (q.batch_shape, q.event_shape) == ((), (N, D))
    torch.testing.assert_close(r.mean, q.mean[order], rtol=0, atol=1e-12)
    if net.posterior.variational:
        torch.testing.assert_close(r.stddev, q.stddev[order], rtol=0, atol=1e-12)
    layers = [*net.hidden.parameters(), *net.head.parameters()]
    assert len(layers) == (len(hidden_dims) + 1) * (2 if bias else 1)
    own = list(net.posterior.parameters()) if posterior in ("flow", "semi-implicit") else []
    assert len(list(net.parameters())) == len(layers) + len(own)


def test_a_hidden_layer_is_equation_one_of_the_paper():
    g, net = graph(), encoder((4,))
    a = inputs(g).propagation.to_dense()
    w0, w1 = net.hidden[0].linear.weight, net.head.linear.weight
    out = a @ torch.relu(a @ g.x @ w0) @ w1
    q = net(inputs(g))
    torch.testing.assert_close(q.mean, out[:, :D], rtol=0, atol=1e-12)
    torch.testing.assert_close(q.stddev, out[:, D:].exp(), rtol=0, atol=1e-12)


def test_without_hidden_layers_the_encoder_is_linear():
    g, net = graph(), encoder(())
    out = inputs(g).propagation.to_dense() @ g.x @ net.head.linear.weight
    torch.testing.assert_close(net(inputs(g)).mean, out[:, :D], rtol=0, atol=1e-12)


@pytest.mark.parametrize("hidden_dims", DEPTHS)
def test_a_graph_without_features_has_a_table_of_rows(hidden_dims):
    g, net = graph(), encoder(hidden_dims, in_features=N)
    eye = GraphInputs.build(g.edge_index, N, torch.eye(N), dtype=torch.float64)
    torch.testing.assert_close(net(inputs(g, features=False)).mean, net(eye).mean, rtol=0, atol=1e-12)


@pytest.mark.parametrize("hidden_dims", DEPTHS)
def test_every_weight_receives_a_gradient(hidden_dims):
    net = encoder(hidden_dims, bias=True)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    q = net(inputs(graph()))
    (q.mean.square().sum() + q.stddev.log().square().sum()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("hidden_dims", DEPTHS)
def test_dropout_draws_in_training_alone(hidden_dims, sparse):
    g, net = inputs(graph(sparse)), encoder(hidden_dims, dropout=0.5)
    assert not torch.equal(net(g).mean, net(g).mean)
    net.eval()
    assert torch.equal(net(g).mean, net(g).mean)
    plain = encoder(hidden_dims)
    plain.load_state_dict(net.state_dict())
    assert torch.equal(plain(g).mean, net(g).mean)


def test_without_features_dropout_draws_among_hidden_units_alone():
    g = inputs(graph(), features=False)
    net, linear = (encoder(dims, in_features=N, dropout=0.5) for dims in ((6,), ()))
    assert not torch.equal(net(g).mean, net(g).mean)
    assert torch.equal(linear(g).mean, linear(g).mean)


def test_relative_to_a_prior():
    g, net = inputs(graph()), encoder()
    place = torch.randn(N, D, dtype=torch.float64)
    q, r = net(g), net(g, diagonal_normal(place, torch.full_like(place, 0.5), 2))
    torch.testing.assert_close(r.mean, q.mean + place)
    torch.testing.assert_close(r.stddev, q.stddev / 2)


def test_a_flow_s_weights_are_part_of_the_encoder():
    g, net = inputs(graph()), encoder(posterior="flow")
    assert net.posterior is not POSTERIORS["flow"]
    assert list(POSTERIORS["flow"].parameters()) == []
    own = {name for name, _ in net.named_parameters() if name.startswith("posterior.")}
    assert own
    (-net(g).log_prob(torch.ones(N, D, dtype=torch.float64))).backward()
    assert all(net.get_parameter(name).grad.abs().sum() > 0 for name in own)
    again = encoder(posterior="flow")
    assert not torch.equal(again(g).mean, net(g).mean)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(g).mean, net(g).mean)


def test_the_posterior_is_the_user_s_to_replace():
    class Wide(GaussianPosterior):
        def __call__(self, parameters, event_dim, around=None):
            return super().__call__(parameters * 2, event_dim, around)

    g, net = inputs(graph()), GCNEncoder(F_IN, D, Wide(), (4,)).double()
    plain = encoder()
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(g).mean, 2 * plain(g).mean)


@pytest.mark.parametrize("hidden_dims", DEPTHS)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_features_propagated_before_change_nothing(hidden_dims, dropout):
    once = inputs(graph())
    plain = replace(once, propagated=None)
    assert once.propagated is not None
    gcn = encoder(hidden_dims, dropout=dropout, bias=True)
    for training in (False, True):
        gcn.train(training)
        means = []
        for each in (once, plain):
            with seeded(0):
                means.append(gcn(each).mean)
        torch.testing.assert_close(*means)


@pytest.mark.parametrize("part", ["layer", "linear"])
def test_hooks_on_a_layer_are_called(part):
    g, net, seen = inputs(graph()), encoder(), []
    expected = net(g).mean
    layer = net.head if part == "layer" else net.head.linear
    layer.register_forward_hook(lambda module, given, out: seen.append(out.shape))
    torch.testing.assert_close(net(g).mean, expected)
    assert seen == [(N, 2 * D)]


def test_a_pruned_layer_is_trained():
    net = encoder()
    torch.nn.utils.prune.l1_unstructured(net.head.linear, "weight", 0.5)
    for _ in range(2):
        net(inputs(graph())).mean.sum().backward()
    assert net.head.linear.weight_orig.grad.ne(0).sum() <= net.head.linear.weight_orig.numel() // 2
