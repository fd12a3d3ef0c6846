"""Objectives around another one: what they do not say is the base's, and they are stored with it."""

from __future__ import annotations

import json

import pytest
import torch

from graphvae._check import InputError
from graphvae.kernels.edges import EdgeSet
from graphvae.training.adversary import Adversarial
from graphvae.training.free_bits import FreeBits
from graphvae.training.masked import MaskedEdges
from graphvae.training.objectives import OBJECTIVES, objective_named
from graphvae.training.randomness import seeded
from graphvae.training.wrapped import Wrapped
from graphvae.variational.likelihoods import PairwiseBernoulli

AROUND = [type(objective) for objective in OBJECTIVES.values() if isinstance(objective, Wrapped)]
BASES = [name for name, objective in OBJECTIVES.items() if not isinstance(objective, Wrapped)]


def test_both_are_met():
    assert set(AROUND) == {Adversarial, FreeBits}


@pytest.mark.parametrize("kind", AROUND)
@pytest.mark.parametrize("name", BASES)
def test_what_is_not_said_is_the_base_s(kind, name):
    base, around = OBJECTIVES[name], objective_named(kind(base=name))
    assert around.base is base
    edges, cpu = EdgeSet(torch.tensor([[0, 1, 2], [3, 2, 4]]), 5), torch.device("cpu")
    assert around.likelihood_based == base.likelihood_based
    assert around.importance_weighted == base.importance_weighted
    path = around.choose_path(5, 3, 2, cpu)
    assert path == base.choose_path(5, 3, 2, cpu)
    z = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = []
    for objective in (base, around):
        with seeded(0):
            likelihood = objective.reconstruct(PairwiseBernoulli(z), objective.companion(path, edges))
            values.append(objective.loss(likelihood.log_prob(edges), torch.tensor(3.0), 5, beta=0.5))
    assert torch.equal(*values)


@pytest.mark.parametrize("kind", AROUND)
@pytest.mark.parametrize("base", ["kipf", "elbo:exact", MaskedEdges(0.2, negatives=2.0)])
def test_settings_go_through_json(kind, base):
    around = kind(base=base)
    again = kind(**json.loads(json.dumps(around.settings())))
    assert again == around


@pytest.mark.parametrize("kind", AROUND)
def test_a_base_of_the_own_kind_is_refused(kind):
    for base in (kind.name, f"{kind.name}:kipf", kind()):
        with pytest.raises(InputError, match=f"base='{kind.name}'"):
            kind(base=base)
