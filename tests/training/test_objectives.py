"""Objectives by name, and the scale of their losses. Their numbers are held against others' in peer/."""

from __future__ import annotations

import pytest
import torch

from graphvae.training.objectives import OBJECTIVES


def test_names_and_which_of_them_is_a_bound():
    assert {name: objective.is_bound for name, objective in OBJECTIVES.items()} == {
        "kipf": False,
        "elbo": True,
        "sampled": False,
        "masked": False,
        "adversarial": False,
        "iwae": True,
        "free-bits": True,
    }


@pytest.mark.parametrize(
    ("name", "divisor"), [("kipf", 100), ("elbo", 10), ("sampled", 100), ("masked", 100), ("iwae", 10)]
)
def test_loss_is_minus_the_weighted_bound_over_the_divisor(name, divisor):
    reconstruction, kl = torch.tensor(-300.0), torch.tensor(40.0)
    objective = OBJECTIVES[name]
    assert float(objective.loss(reconstruction, kl, 10)) == pytest.approx(340 / divisor)
    assert float(objective.loss(reconstruction, kl, 10, beta=0.5)) == pytest.approx(320 / divisor)
    # A whole float: N² of a million nodes is beyond float32's integers, and must not be a tensor of them.
    assert name == "masked" or objective.divisor(10) == divisor
