"""Free bits on graphs: the allowance by hand, what it prevents, and the names it goes by."""

from __future__ import annotations

import pytest
import torch

import graphvae as gv
from graphvae._check import InputError
from graphvae.kernels.edges import EdgeSet
from graphvae.nn.inputs import GraphInputs
from graphvae.training.free_bits import FreeBits
from graphvae.training.graph_step import graph_step
from graphvae.training.objectives import OBJECTIVES, objective_named
from graphvae.training.randomness import seeded

KARATE = gv.load_graph("karate")
N = KARATE.num_nodes


def test_a_unit_pays_for_its_divergence_or_for_the_allowance():
    from graphvae.estimators.fitting import build_module, check_params

    model = gv.VGAE(4, objective=FreeBits(0.03), beta=0.5)
    options = check_params(model.get_params())
    module = build_module(options, model.posterior_family, N, 0, KARATE.density)
    with torch.no_grad():
        # Divergences on both sides of the allowance.
        module.encoder.head.linear.weight *= torch.tensor([9.0, 9, 0.1, 0.1, 1, 1, 1, 1])
    inputs = GraphInputs.build(KARATE.edge_index, N)
    with seeded(0):
        step = graph_step(module, model.posterior_family, options, inputs, EdgeSet(KARATE.pairs, N), None)
        loss, terms = step(1, 0)
    q = module(inputs)[0]
    each = (q.mean.square() + q.stddev.square() - 1) / 2 - q.stddev.log()
    units = each.mean(0)
    assert 0 < int((units > 0.03).sum()) < 4
    charged = N * torch.where(units > 0.03, units, torch.tensor(0.03)).sum()
    torch.testing.assert_close(terms["kl"], each.sum())
    torch.testing.assert_close(loss, -(terms["reconstruction"] - 0.5 * charged) / N)


def test_units_do_not_give_up():
    """Under the true bound alone the posterior of a sparse graph ends at the prior; with an allowance it does not."""
    plain, free = (gv.VGAE(4, objective=objective, epochs=150).fit(KARATE) for objective in ("elbo", FreeBits(0.5)))
    assert plain.history[-1]["kl"] < 0.05 * 0.5 * 4 * N
    assert free.history[-1]["kl"] > 0.9 * 0.5 * 4 * N
    # The loss is never below what the bound itself would cost.
    assert all(r["loss"] * N > -(r["reconstruction"] - r["kl"]) - 1e-3 for r in free.history)


def test_names_reach_any_base():
    assert objective_named("free-bits").base is OBJECTIVES["elbo"]
    assert objective_named("free-bits:kipf:exact").choose_path(10**6, 10**7, 16, torch.device("cpu")) == "exact"
    assert not objective_named("free-bits:masked").likelihood_based
    assert objective_named(FreeBits(0.2, gv.MaskedEdges(0.3))).base.rate == 0.3


@pytest.mark.parametrize(("options", "message"), [({"nats": -1}, "nats="), ({"base": "free-bits"}, "base='free-bits'")])
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        FreeBits(**options)
