"""PyG's VGAE with the same weights: the same distributions and logits, and the same weights after a step of Adam."""

from __future__ import annotations

import copy

import pytest
import scipy.sparse
import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.nn import VGAE, GCNConv

from graphvae.data.graph import Graph
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.nn.encoders import GCNEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.priors import StandardNormalPrior
from graphvae.training.loop import train
from graphvae.training.objectives import OBJECTIVES
from graphvae.variational import pseudo_likelihoods
from graphvae.variational.bound import bound
from graphvae.variational.posteriors import GaussianPosterior

N, F_IN, HIDDEN, D = 24, 10, 7, 3


class PeerEncoder(nn.Module):
    """The encoder of PyG's VGAE example."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.conv1 = GCNConv(F_IN, HIDDEN, bias=bias)
        self.conv_mu, self.conv_logstd = (GCNConv(HIDDEN, D, bias=bias) for _ in range(2))

    def forward(self, x, edge_index):
        x = self.conv1(x, edge_index).relu()
        return self.conv_mu(x, edge_index), self.conv_logstd(x, edge_index)


def peer_state(encoder: PeerEncoder) -> dict[str, torch.Tensor]:
    """PyG's weights in the shapes and under the names of ours: transposed, and both heads side by side."""
    state = {
        "hidden.0.linear.weight": encoder.conv1.lin.weight.T,
        "head.linear.weight": torch.cat([encoder.conv_mu.lin.weight, encoder.conv_logstd.lin.weight]).T,
    }
    if encoder.conv1.bias is not None:
        state["hidden.0.bias"] = encoder.conv1.bias
        state["head.bias"] = torch.cat([encoder.conv_mu.bias, encoder.conv_logstd.bias])
    return {name: value.detach().clone() for name, value in state.items()}


@pytest.fixture(params=[False, True], ids=["plain", "bias"])
def case(request):
    """PyG's model, ours with its weights, and a graph with an isolated node."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        peer = VGAE(PeerEncoder(request.param)).double()
        for name, parameter in peer.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter)
        adjacency = (torch.rand(N, N) < 0.2).triu(1)
        adjacency[:, -1] = False
        x = torch.randn(N, F_IN, dtype=torch.float64) * (torch.rand(N, F_IN) < 0.5)
        encoder = GCNEncoder(F_IN, D, GaussianPosterior(), (HIDDEN,), bias=request.param)
    encoder = encoder.double()
    encoder.load_state_dict(peer_state(peer.encoder))
    prior = StandardNormalPrior().build(num_features=F_IN, latent_dim=D).double()
    module = Autoencoder(encoder, prior, InnerProductDecoder(scale=False, bias=False))
    edge_index = (adjacency | adjacency.T).nonzero().T
    return peer, module, x, edge_index


@pytest.mark.parametrize("sparse", [False, True])
def test_same_weights_give_the_same_distributions_and_logits(case, sparse):
    peer, module, x, edge_index = case
    z = peer.encode(x, edge_index)
    graph = Graph(edge_index, scipy.sparse.csr_array(x.numpy()) if sparse else x)
    inputs = GraphInputs.build(graph.edge_index, N, graph.x, dtype=torch.float64)
    q, prior = module(inputs)
    torch.testing.assert_close(q.mean, peer.__mu__, rtol=0, atol=1e-9)
    torch.testing.assert_close(q.stddev.log(), peer.__logstd__, rtol=0, atol=1e-9)
    pairs = torch.triu_indices(N, N, 1)
    theirs = peer.decoder(z, pairs, sigmoid=False)
    torch.testing.assert_close(module.decode(z).logits(pairs), theirs, rtol=0, atol=1e-9)
    # PyG's divergence is the mean over nodes.
    kl = torch.distributions.kl_divergence(q, prior)
    torch.testing.assert_close(kl, peer.kl_loss() * N, rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", ["sampled", "kipf", "elbo"])
def test_one_step_of_adam_gives_the_same_weights(case, name, monkeypatch):
    peer, module, x, edge_index = case
    before = copy.deepcopy(module.encoder.state_dict())
    inputs = GraphInputs.build(edge_index, N, x, dtype=torch.float64)
    drawn = {}
    original = pseudo_likelihoods.sample_negative_pairs

    def remember(*arguments):
        drawn["negatives"] = original(*arguments)
        return drawn["negatives"]

    monkeypatch.setattr(pseudo_likelihoods, "sample_negative_pairs", remember)
    objective = OBJECTIVES[name]

    def step(epoch: int, batch: int):
        posterior, prior = module(inputs)
        terms = bound(posterior, prior, lambda z: objective.reconstruct(module.decode(z)), edge_index)
        drawn["noise"] = ((terms.z[0] - posterior.mean) / posterior.stddev).detach()
        return objective.loss(terms.log_likelihood.mean(), terms.kl.mean(), N), {"kl": terms.kl.mean()}

    result = train(module, step, epochs=1, learning_rate=0.01, seed=0, device=torch.device("cpu"))

    optimiser = torch.optim.Adam(peer.parameters(), lr=0.01)
    mu, log_std = peer.encoder(x, edge_index)
    peer.encode(x, edge_index)
    z = mu + drawn["noise"] * log_std.exp()
    if name == "sampled":
        loss = peer.recon_loss(z, edge_index, drawn["negatives"]) + peer.kl_loss(mu, log_std) / N
    else:
        loss = dense_loss(name, z @ z.T, edge_index) + peer.kl_loss(mu, log_std) / (N if name == "kipf" else 1)
    loss.backward()
    optimiser.step()

    assert result.history[0]["loss"] == pytest.approx(float(loss.detach()), rel=1e-9)
    theirs = peer_state(peer.encoder)
    assert theirs.keys() == module.encoder.state_dict().keys()
    for key, ours in module.encoder.state_dict().items():
        torch.testing.assert_close(ours, theirs[key], rtol=0, atol=1e-9)
        # The step did move them.
        assert float((ours - before[key]).abs().max()) > 5e-3


def dense_loss(name: str, logits: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
    target = torch.zeros(N, N, dtype=torch.float64)
    target[edge_index[0], edge_index[1]] = 1
    if name == "elbo":
        cost = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return cost.triu(1).sum() / N
    ones = edge_index.shape[1]
    cost = F.binary_cross_entropy_with_logits(
        logits, target + torch.eye(N), pos_weight=torch.tensor((N * N - ones) / ones, dtype=torch.float64)
    )
    return N * N / (2 * (N * N - ones)) * cost
