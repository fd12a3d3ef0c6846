"""A few steps of optimisation per datum, by the same bound: the amortisation gap, and imputation of missing values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from graphvae.training.randomness import seeded
from graphvae.variational.bound import bound
from graphvae.variational.distributions import diagonal_normal

__all__ = ["MaskedLikelihood", "refine"]


class MaskedLikelihood:
    """The likelihood of the observed values only: what is missing is integrated out by leaving its factor away.

    Args:
        likelihood: independent over the last dimension.
        observed: ``(B, D)`` True where a value is known.
    """

    def __init__(self, likelihood: Independent, observed: Tensor) -> None:
        self.likelihood, self.observed = likelihood, observed

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*, B)`` log-likelihood of the observed part of ``value`` ``(B, D)``."""
        # Zero, because a missing value may be NaN, and NaN times zero is NaN.
        filled = torch.where(self.observed, value, torch.zeros_like(value))
        return (self.likelihood.base_dist.log_prob(filled) * self.observed).sum(-1)


def refine(
    posterior: Distribution,
    prior: Distribution,
    likelihood: Callable[[Tensor], Any],
    target: Tensor,
    *,
    steps: int,
    learning_rate: float = 0.05,
    samples: int = 4,
    seed: int = 0,
) -> Independent:
    """A diagonal Gaussian per datum, improved from ``posterior`` by gradient steps on the bound.

    Args:
        posterior: where to start: its mean and standard deviation, batch shape ``(B,)``.
        prior: ``p(z)``.
        likelihood: from z to what scores ``target``.
        target: ``(B, D)``.
        steps: number of Adam steps.
        learning_rate: Adam's.
        samples: draws of z per step.
        seed: of the draws.

    Reference:
        Cremer, Li and Duvenaud, Inference Suboptimality in Variational Autoencoders (2018), section 5.2.
    """
    with torch.enable_grad():
        loc = posterior.mean.detach().clone().requires_grad_()
        log_scale = posterior.stddev.detach().clamp(min=1e-6).log().requires_grad_()
        optimiser = torch.optim.Adam([loc, log_scale], lr=learning_rate)
        for step in range(steps):
            with seeded(seed, "refine", step, device=loc.device):
                terms = bound(diagonal_normal(loc, log_scale.exp(), 1), prior, likelihood, target, samples)
            # The network's own gradients are not wanted, so they are not computed.
            loc.grad, log_scale.grad = torch.autograd.grad(-terms.elbo().sum(), [loc, log_scale])
            optimiser.step()
    return diagonal_normal(loc.detach(), log_scale.detach().exp(), 1)
