"""Flow posteriors: what they cost, what they remember, where they start, and what importing zuko may not do."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load, save

from graphvae._check import InputError
from graphvae.variational.flows import Flow, FlowPosterior, gaussian_nodes
from graphvae.variational.posteriors import GaussianPosterior

DIM = 3


@pytest.fixture(autouse=True)
def _fixed_seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        yield


def family(**options) -> FlowPosterior:
    return FlowPosterior(**options).build(DIM).double()


def parameters(built: FlowPosterior, batch: int = 4) -> torch.Tensor:
    return torch.randn(batch, built.width(DIM), dtype=torch.float64, requires_grad=True)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_zuko_leaves_torch_as_it_was():
    run("""
import sys
import torch
from torch.distributions import Distribution, Normal, transforms
def state():
    names = ("_validate_args", "arg_constraints")
    return [Distribution.__dict__[name] for name in names], transforms._InverseTransform.__name__
before = state()
import graphvae.variational.posteriors as posteriors
assert "zuko" not in sys.modules
family = posteriors.POSTERIORS["flow"].build(2)
assert "zuko" in sys.modules
q = family(torch.randn(3, family.width(2)), 1)
q.log_prob(q.rsample().detach())
assert state() == before
try:
    Normal(0.0, -1.0)
except ValueError:
    sys.exit(0)
sys.exit("torch's own checks are off")
""")


def test_a_user_who_imported_zuko_keeps_what_it_set():
    run("""
import zuko
from torch.distributions import Distribution
from graphvae.variational.posteriors import POSTERIORS
POSTERIORS["flow"].build(2)
assert Distribution._validate_args is False
assert Distribution.__dict__["arg_constraints"] == {}
zuko.flows.NSF(2, 0)().sample()
""")


def test_with_silent_steps_it_is_the_diagonal_gaussian():
    built = family()
    for step in built.steps:
        for parameter in step.hyper[-1].parameters():
            torch.nn.init.zeros_(parameter)
    leaf = parameters(built)
    q, plain = built(leaf, 1), GaussianPosterior()(leaf[:, : 2 * DIM], 1)
    z = q.rsample((5,))
    torch.testing.assert_close(q.log_prob(z), plain.log_prob(z))
    torch.testing.assert_close(q.mean, plain.mean)
    torch.testing.assert_close(q.stddev, plain.stddev)


def test_it_starts_near_the_diagonal_gaussian():
    built = family()
    leaf = parameters(built)
    q, plain = built(leaf, 1), GaussianPosterior()(leaf[:, : 2 * DIM], 1)
    z = q.rsample((2000,))
    assert float((q.log_prob(z) - plain.log_prob(z)).detach().mean(0).max()) < 0.05
    assert not torch.allclose(q.mean, plain.mean)


def test_steps_take_turns_so_that_every_dimension_hears_of_every_other():
    noise = torch.randn(1, DIM, dtype=torch.float64)
    for transforms in (1, 2):
        built = family(transforms=transforms)
        q = built(parameters(built, 1), 1)
        jacobian = torch.autograd.functional.jacobian(lambda eps, q=q: q.transform(eps), noise).squeeze()
        above = torch.ones(DIM, DIM).triu(1) > 0
        assert bool((jacobian[above] != 0).all()) == (transforms == 2)
        assert bool((jacobian[~above] != 0).all())


def test_a_trained_flow_is_no_gaussian():
    built = family()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    z = built(parameters(built, 1), 1).sample((20_000,))[:, 0]
    cubes = ((z - z.mean(0)) / z.std(0)).pow(3).mean(0)
    assert float(cubes.abs().max()) > 0.2


def counted(q: Flow) -> list[int]:
    """Counts inversions from now on."""
    calls, inverse = [0], q.transform.inv

    class Counted:
        inv = property(lambda self: self.count)
        call_and_ladj = staticmethod(q.transform.call_and_ladj)

        def count(self, value):
            calls[0] += 1
            return inverse(value)

    q.transform = Counted()
    return calls


def test_a_draw_s_density_needs_no_inversion_and_a_copy_s_does():
    built = family()
    q = built(parameters(built), 1)
    calls = counted(q)
    z = q.rsample((3,))
    known = q.log_prob(z)
    assert calls == [0]
    torch.testing.assert_close(q.log_prob(z.clone()), known)
    assert calls == [1]
    q.rsample()
    torch.testing.assert_close(q.log_prob(z), known)
    assert calls == [2]


def test_a_draw_without_gradient_has_a_density_with_one():
    built = family()
    leaf = parameters(built)
    q = built(leaf, 1)
    z = q.sample()
    q.log_prob(z).sum().backward()
    score = leaf.grad.clone()
    leaf.grad = None
    built(leaf, 1).log_prob(z.clone()).sum().backward()
    assert torch.equal(score, leaf.grad)
    assert bool((score != 0).all())
    with torch.no_grad():
        assert not q.log_prob(q.sample()).requires_grad


def test_both_ways_to_the_density_have_the_same_gradient():
    built = family()
    leaf = parameters(built)
    gradients = []
    for copy in (False, True):
        q = built(leaf, 1)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            z = q.rsample((2,))
        value = q.log_prob(z.clone() if copy else z) + z.square().sum(-1)
        gradients.append(torch.autograd.grad(value.sum(), [leaf, *built.parameters()]))
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dim", [1, 4, 40])
def test_nodes_have_the_moments_of_a_standard_normal(dim):
    nodes = gaussian_nodes(dim)
    torch.testing.assert_close(nodes.mean(0), torch.zeros(dim).double())
    torch.testing.assert_close(nodes.T @ nodes / len(nodes), torch.eye(dim).double())
    torch.testing.assert_close(nodes.pow(3).sum(0), torch.zeros(dim).double())
    state = torch.get_rng_state()
    assert torch.equal(gaussian_nodes(dim), nodes)
    assert torch.equal(torch.get_rng_state(), state)


def test_moments_of_an_affine_flow_are_exact():
    # T(eps) = L eps + b, as an autoregressive transform would be if its networks were linear.
    lower, shift = torch.randn(DIM, DIM).double().tril(), torch.randn(DIM).double()

    class Affine:
        def call_and_ladj(self, eps):
            return eps @ lower.T + shift, lower.diagonal().abs().log().sum().expand(eps.shape[:-1])

    loc, scale = torch.randn(4, DIM).double(), torch.rand(4, DIM).double() + 0.1
    q = Flow(loc, scale, Affine(), event_dim=1)
    torch.testing.assert_close(q.mean, loc + scale * shift)
    torch.testing.assert_close(q.variance, scale.square() * lower.square().sum(-1))
    torch.testing.assert_close(q.stddev, q.variance.sqrt())


def test_weights_are_stored_and_settings_build_the_same_family_again():
    built = family(transforms=3, context=5, hidden_dims=(7, 9))
    leaf = parameters(built)
    assert built.width(DIM) == 2 * DIM + 5
    again = FlowPosterior(**built.settings()).build(DIM).double()
    again.load_state_dict(load(save(built.state_dict())))
    assert torch.equal(again(leaf, 1).mean, built(leaf, 1).mean)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        one = family()
        torch.default_generator.manual_seed(1)
        two = family()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_template_has_no_weights_and_no_distribution():
    template = FlowPosterior()
    assert template.state_dict() == {}
    with pytest.raises(InputError, match="build"):
        template(torch.zeros(1, template.width(DIM)), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transforms": 0}, "transforms=0"),
        ({"context": 0}, "context=0"),
        ({"hidden_dims": (8, 0)}, "hidden_dims=0"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        FlowPosterior(**options)
