"""The standard normal prior, the one that knows each node's features, and the uniform one on the sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import scipy.sparse
import torch
from torch.distributions import kl_divergence

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.priors import PRIORS, FeaturePrior, MixturePrior, SphericalUniformPrior, StandardNormalPrior
from graphvae.variational.posteriors import POSTERIORS, closed_form

N, F_IN, D = 7, 4, 3
EDGES = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(4)
        yield


def inputs(features: str | None = "dense", seed: int = 0) -> GraphInputs:
    x = torch.randn(N, F_IN, generator=torch.Generator().manual_seed(seed))
    if features == "sparse":
        x = scipy.sparse.csr_array(x.numpy())
    graph = Graph(EDGES, None if features is None else x, num_nodes=N)
    return GraphInputs.build(graph.edge_index, N, graph.x)


@pytest.mark.parametrize("name", PRIORS)
def test_contract_of_every_prior(name):
    template = PRIORS[name]()
    prior = PRIORS[name](**template.settings()).build(num_features=F_IN, latent_dim=D).eval()
    p = prior(inputs())
    assert (p.batch_shape, p.event_shape) == ((), (N, D))
    assert bool((p.stddev > 0).all())
    assert isinstance(prior.conditional, bool)
    family = POSTERIORS["hyperspherical" if prior.support == "sphere" else "gaussian"]
    q = family(torch.randn(N, family.width(D)), 2)
    if closed_form(family, prior):
        assert kl_divergence(q, p).shape == ()
    else:
        with pytest.raises(NotImplementedError):
            kl_divergence(q, p)
    # A template stays one; what is built can be built again and takes the weights.
    assert list(template.parameters()) == []
    again = PRIORS[name](**prior.settings()).build(num_features=F_IN, latent_dim=D).eval()
    again.load_state_dict(prior.state_dict())
    assert torch.equal(again(inputs()).mean, p.mean)
    assert prior.double()(GraphInputs.build(EDGES, N, torch.randn(N, F_IN), dtype=torch.float64)).mean.dtype == (
        torch.float64
    )


def test_standard_normal_is_that_and_has_no_weights():
    prior = StandardNormalPrior().build(num_features=0, latent_dim=D)
    p = prior(inputs(None))
    assert torch.equal(p.mean, torch.zeros(N, D))
    assert torch.equal(p.stddev, torch.ones(N, D))
    assert prior.state_dict() == {}
    assert not prior.conditional


def test_the_uniform_prior_draws_from_the_sphere_and_has_no_weights():
    prior = SphericalUniformPrior().build(num_features=0, latent_dim=D)
    p = prior(inputs(None))
    z = p.sample((5,))
    torch.testing.assert_close(z.square().sum(-1), torch.ones(5, N))
    # The area of the sphere in three dimensions is 4 pi; there are N of them.
    torch.testing.assert_close(p.log_prob(z), torch.full((5,), -N * math.log(4 * math.pi)))
    assert prior.state_dict() == {}
    assert not prior.conditional
    with pytest.raises(InputError, match="latent_dim=1"):
        SphericalUniformPrior().build(num_features=0, latent_dim=1)


@dataclass(frozen=True)
class Batch:
    num_vectors: int = N
    event_dim: int = 1


@pytest.mark.parametrize("name", ["normal", "mixture", "uniform-sphere"])
def test_a_batch_of_images_is_as_many_data(name):
    prior = PRIORS[name]().build(num_features=0, latent_dim=D)
    images, graph = prior(Batch()), prior(inputs(None))
    assert (images.batch_shape, images.event_shape) == ((N,), (D,))
    z = graph.sample()
    torch.testing.assert_close(images.log_prob(z).sum(), graph.log_prob(z))


@pytest.mark.parametrize("hidden_dims", [(), (5,), (6, 5)])
def test_features_alone_decide_and_each_node_for_itself(hidden_dims):
    prior = FeaturePrior(hidden_dims, dropout=0.5).build(num_features=F_IN, latent_dim=D).eval()
    p, other = prior(inputs()), inputs()
    # Another node's features and all edges changed: nothing happens to the rest.
    other.x[0] += 1
    moved = prior(GraphInputs.build(EDGES[:, :0], N, other.x))
    assert torch.equal(moved.mean[1:], p.mean[1:])
    assert not torch.equal(moved.mean[0], p.mean[0])
    torch.testing.assert_close(prior(inputs("sparse")).mean, p.mean)
    assert len(prior.layers) == len(hidden_dims) + 1


def test_the_mean_is_a_relu_network_of_the_features():
    prior = FeaturePrior((6, 5), dropout=0.0).build(num_features=F_IN, latent_dim=D)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter)
    x, (first, second, last) = inputs().x, prior.layers
    h = torch.relu(torch.relu(x @ first.weight + first.bias) @ second.weight + second.bias)
    torch.testing.assert_close(prior(inputs()).mean, h @ last.weight + last.bias)
    assert bool((prior(inputs()).mean < 0).any())


def test_one_scale_for_all_is_learned():
    prior = FeaturePrior((5,), dropout=0.0).build(num_features=F_IN, latent_dim=D)
    torch.nn.init.constant_(prior.log_scale, 0.5)
    torch.testing.assert_close(prior(inputs()).stddev, torch.full((N, D), 0.5).exp())
    prior(inputs()).log_prob(torch.zeros(N, D)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in prior.parameters())


def test_a_mixture_starts_as_wide_as_the_normal_and_learns_all_it_has():
    prior = MixturePrior(200).build(num_features=0, latent_dim=D)
    p = prior(inputs(None))
    torch.testing.assert_close(p.variance, torch.ones(N, D), rtol=0.2, atol=0.0)
    torch.testing.assert_close(p.mean, torch.zeros(N, D), rtol=0.0, atol=0.2)
    p.log_prob(torch.randn(N, D)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in prior.parameters())
    one = MixturePrior(1).build(num_features=0, latent_dim=D)
    torch.testing.assert_close(one(inputs(None)).variance, torch.ones(N, D))


def test_a_mixture_that_was_not_built_or_has_no_components_is_refused():
    with pytest.raises(InputError, match="weights of its own"):
        MixturePrior()(inputs(None))
    with pytest.raises(InputError, match="components=0"):
        MixturePrior(0)


def test_dropout_draws_in_training_alone():
    prior = FeaturePrior((50,), dropout=0.5).build(num_features=F_IN, latent_dim=D)
    assert not torch.equal(prior(inputs()).mean, prior(inputs()).mean)
    prior.eval()
    assert torch.equal(prior(inputs()).mean, prior(inputs()).mean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_dims": (0,)}, "hidden_dims=0"),
        ({"hidden_dims": (2.5,)}, "hidden_dims=2.5"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"dropout": -0.1}, "dropout=-0.1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        FeaturePrior(**options)


def test_a_graph_without_features_is_refused():
    with pytest.raises(InputError, match="the graph has no features to condition on"):
        FeaturePrior().build(num_features=0, latent_dim=D)
    prior = FeaturePrior().build(num_features=F_IN, latent_dim=D)
    with pytest.raises(InputError, match="x is None"):
        prior(inputs(None))
