"""Every objective keeps one contract: a scalar loss through the one bound, which a step along its gradient lowers."""

from __future__ import annotations

import pytest
import torch

from graphvae._check import InputError
from graphvae.kernels import pair_terms
from graphvae.kernels.edges import EdgeSet
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.training.objectives import OBJECTIVES, objective_named
from graphvae.training.randomness import seeded
from graphvae.variational.bound import bound
from graphvae.variational.distributions import diagonal_normal
from graphvae.variational.likelihoods import PairwiseBernoulli

N, D = 12, 3
PAIRS = torch.tensor([[0, 1, 2, 5, 3, 0], [4, 7, 3, 9, 11, 1]])


@pytest.fixture(params=OBJECTIVES)
def objective(request):
    return OBJECTIVES[request.param]


def loss(objective, mean: torch.Tensor, pairs: torch.Tensor = PAIRS, samples: int = 2) -> torch.Tensor:
    decoder = InnerProductDecoder(bias=True).build(likelihood_based=False, density=0.1).double()
    q = diagonal_normal(mean, torch.full_like(mean, 0.3), 2)
    p = diagonal_normal(torch.zeros_like(mean), torch.ones_like(mean), 2)
    with seeded(0):
        terms = bound(q, p, lambda z: objective.reconstruct(decoder(z)), pairs, samples)
    return objective.loss(terms.log_likelihood.mean(), terms.kl.mean(), N)


def start() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(N, D, dtype=torch.float64, generator=generator).requires_grad_()


def test_names_and_descriptions(objective):
    assert OBJECTIVES[objective.name] is objective
    assert objective.description.endswith(".")
    assert objective.is_bound == ("not a bound" not in objective.description)


def test_a_small_step_along_the_gradient_lowers_the_loss(objective):
    mean = start()
    value = loss(objective, mean)
    assert value.shape == ()
    value.backward()
    step = 1e-4 * mean.grad / mean.grad.norm()
    fall = float(value.detach()) - float(loss(objective, (mean - step).detach()).detach())
    assert fall == pytest.approx(1e-4 * float(mean.grad.norm()), rel=1e-2)


def test_both_directions_of_the_edges_or_one(objective):
    mean = start()
    both = torch.cat([PAIRS, PAIRS.flip(0)], 1)
    torch.testing.assert_close(loss(objective, mean, both), loss(objective, mean))


def test_edges_that_are_far_cost_more_than_edges_that_are_near(objective):
    # Two clusters with all edges inside, against the same number of edges across.
    z = torch.zeros(4, 2, dtype=torch.float64)
    z[:2, 0], z[2:, 1] = 2.0, 2.0
    values = []
    for pairs in ([[0, 2], [1, 3]], [[0, 1], [2, 3]]):
        with seeded(0):
            values.append(float(objective.reconstruct(PairwiseBernoulli(z)).log_prob(torch.tensor(pairs))))
    assert values[0] > values[1]
    assert values[0] < 0


def test_only_a_bound_is_a_distribution_over_graphs(objective):
    # Summed over all graphs of three nodes (without the empty one, which the others refuse, and the complete one).
    z, everything = torch.randn(3, 2, dtype=torch.float64), torch.triu_indices(3, 3, 1)
    masks = [[code >> bit & 1 for bit in range(3)] for code in range(8)]
    exact = PairwiseBernoulli(z)
    total, mass = 0.0, 0.0
    for mask in masks[1:-1]:
        pairs = everything[:, torch.tensor(mask) > 0]
        with seeded(0):
            total += float(objective.reconstruct(exact).log_prob(pairs).exp())
        mass += float(exact.log_prob(pairs).exp())
    assert (abs(total - mass) < 1e-12) == objective.is_bound


@pytest.mark.parametrize("name", ["kipf", "elbo"])
def test_the_estimate_is_unbiased_through_every_layer(name, monkeypatch):
    """Averaged over all shifts, the loss of the control variate is the exact loss, and so are its gradients."""
    objective, edges = OBJECTIVES[name], EdgeSet(PAIRS[:, :5], N)
    z = start()
    scale, bias = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.7, -0.4))
    exact = objective.reconstruct(PairwiseBernoulli(z, scale, bias)).log_prob(edges)
    expected = [exact, *torch.autograd.grad(exact, [z, scale, bias])]
    found = []
    for k in range(1, N):
        monkeypatch.setattr(pair_terms, "draw_shifts", lambda n, k=k: [k])
        variate = objective.companion("control-variate", edges)
        value = objective.reconstruct(PairwiseBernoulli(z, scale, bias), variate).log_prob(edges)
        found.append([value, *torch.autograd.grad(value, [z, scale, bias])])
    for terms, truth in zip(zip(*found, strict=True), expected, strict=True):
        torch.testing.assert_close(torch.stack(terms).mean(0), truth, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["kipf", "elbo"])
def test_every_sample_of_z_has_an_estimate_of_its_own(name):
    objective, edges = OBJECTIVES[name], EdgeSet(PAIRS[:, :5], N)
    z = torch.randn(2, 3, N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = objective.reconstruct(PairwiseBernoulli(z)).log_prob(edges)
    with seeded(0):
        estimated = objective.reconstruct(PairwiseBernoulli(z), objective.companion("control-variate", edges))
        draws = torch.stack([estimated.log_prob(edges) for _ in range(300)])
    assert draws.shape == (300, 2, 3)
    error = draws.std(0) / 300**0.5
    assert ((draws.mean(0) - exact).abs() < 5 * error).all()


def test_an_edge_set_or_its_pairs(objective):
    z, edges = start(), PAIRS[:, :5]
    values = []
    for target in (edges, EdgeSet(edges, N)):
        with seeded(0):
            values.append(objective.reconstruct(PairwiseBernoulli(z)).log_prob(target))
    torch.testing.assert_close(*values)


def test_paths_are_reachable_by_name_and_chosen_by_cost():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for name in ("kipf", "elbo"):
        chosen = objective_named(name)
        assert chosen is OBJECTIVES[name]
        assert chosen.choose_path(20, 40, 16, cpu) == "exact"
        assert chosen.choose_path(10**6, 10**7, 16, cpu) == "control-variate"
        # A GPU takes the exact sum where a core would not.
        assert chosen.choose_path(3000, 5000, 16, gpu) == "exact"
        for path in ("exact", "control-variate"):
            assert objective_named(f"{name}:{path}").choose_path(10**6, 10**7, 16, cpu) == path
    assert objective_named("sampled").choose_path(20, 40, 16, cpu) == "sampled"
    # The true bound feels the noise of the estimate, so it is exact for as long as that can be afforded.
    assert objective_named("kipf").choose_path(2708, 5000, 16, cpu) == "control-variate"
    assert objective_named("elbo").choose_path(2708, 5000, 16, cpu) == "exact"
    assert objective_named("elbo").choose_path(19_717, 44_000, 16, cpu) == "exact"


@pytest.mark.parametrize("name", ["kipf:fast", "sampled:exact", "kip", "kipf:", None, 3])
def test_unknown_names_and_paths_are_refused(name):
    with pytest.raises(InputError, match="objective"):
        objective_named(name)
