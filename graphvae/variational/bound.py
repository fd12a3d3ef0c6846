"""The one bound: posterior, prior and likelihood in; the terms of the ELBO out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, kl_divergence

from graphvae._check import InputError, integer

__all__ = ["Bound", "bound", "marginalise"]


@dataclass(frozen=True)
class Bound:
    """The terms of the bound on ``log p(x)``, in nats, for S samples of ``z`` and a batch of data.

    Args:
        log_likelihood: ``(S, *batch)`` values of ``log p(x | z)``.
        kl: ``(S, *batch)``; the analytic ``KL(q(z|x) || p(z))`` in every row, or ``log q(z|x) - log p(z)`` per sample.
        z: ``(S, *batch, *event)`` the samples.
        analytic: whether ``kl`` is the closed form, of which no importance weights can be made.
        shortfall: ``()`` nats per datum by which units fall short of their free bits; see :func:`bound`.
    """

    log_likelihood: Tensor
    kl: Tensor
    z: Tensor
    analytic: bool = False
    shortfall: Tensor | float = 0.0

    def elbo(self, beta: float = 1.0) -> Tensor:
        """``(*batch)`` evidence lower bound, ``E_q[log p(x|z)] - beta KL``, averaged over the samples.

        With free bits it is lower still by ``beta`` times the shortfall.
        """
        each = torch.sub(self.log_likelihood, self.kl, alpha=beta)
        if each.dim():
            each = each.squeeze(0) if len(each) == 1 else each.mean(0)
        return each - beta * self.shortfall if isinstance(self.shortfall, Tensor) else each

    def mean(self) -> Bound:
        """The bound whose terms ``()`` are the means over samples and data; its :meth:`elbo` is the data's mean."""
        return replace(self, log_likelihood=_mean(self.log_likelihood), kl=_mean(self.kl))

    def iwae(self) -> Tensor:
        """``(*batch)`` importance-weighted bound ``log 1/S sum_s p(x, z_s) / q(z_s | x)``.

        Raises:
            InputError: for a bound not taken with ``analytic=False``: the weights are made of densities.

        Reference:
            Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8.
        """
        return torch.logsumexp(self._log_weight(), 0) - math.log(len(self.kl))

    def effective_sample_size(self) -> Tensor:
        """``(*batch)`` effective number of importance samples, ``(sum w)² / sum w²``, between 1 and S.

        Raises:
            InputError: as :meth:`iwae`.
        """
        log_weight = self._log_weight()
        return torch.exp(2 * torch.logsumexp(log_weight, 0) - torch.logsumexp(2 * log_weight, 0))

    def _log_weight(self) -> Tensor:
        if self.analytic:
            raise InputError("analytic=True: importance weights are made of densities; expected analytic=False")
        return self.log_likelihood - self.kl


def bound(
    posterior: Distribution,
    prior: Distribution,
    likelihood: Callable[[Tensor], Any],
    target: Any,
    samples: int = 1,
    *,
    analytic: bool = True,
    free_bits: float = 0.0,
) -> Bound:
    """The terms of the evidence lower bound of ``target`` under a model.

    A datum is what the posterior's event covers: an image has batch shape ``(B,)`` and event shape ``(D,)``; a whole
    graph is one datum, of batch shape ``()`` and event shape ``(N, D)``, because its likelihood couples all nodes.

    Args:
        posterior: ``q(z|x)``, reparameterised.
        prior: ``p(z)``, of the same batch and event shape.
        likelihood: maps samples ``(S, *batch, *event)`` to ``p(x|z)``, whose ``log_prob(target)`` is ``(S, *batch)``.
        target: what the likelihood scores.
        samples: S, the number of reparameterised samples.
        analytic: take the KL divergence in closed form rather than at the samples.
        free_bits: nats that every unit of z may spend freely: one whose divergence, averaged over all latent vectors of
            the batch, is less counts as if it were so many, and feels no pull to the prior. Units of a posterior that
            does not factorise share one allowance.

    Raises:
        InputError: if ``samples`` is not a positive integer.
        NotImplementedError: by torch, if ``analytic`` and no closed form is registered for the two families.

    Reference:
        Kingma and Welling, Auto-Encoding Variational Bayes (2014), equations 3 and 7; for free bits Kingma et al.,
        Improved Variational Inference with Inverse Autoregressive Flow (2016), equation 15.
    """
    samples = integer("samples", samples, low=1)
    z = posterior.rsample(torch.Size((samples,)))
    if analytic:
        kl = kl_divergence(posterior, prior).expand(samples, *posterior.batch_shape)
    else:
        kl = posterior.log_prob(z) - prior.log_prob(z)
    shortfall = _shortfall(posterior, prior, kl, free_bits) if free_bits else 0.0
    return Bound(likelihood(z).log_prob(target), kl, z, analytic, shortfall)


def _mean(x: Tensor) -> Tensor:
    """The mean; of one number, itself, without the two operators that this would take."""
    return x.reshape(()) if x.numel() == 1 else x.mean()


def _shortfall(posterior: Distribution, prior: Distribution, kl: Tensor, free_bits: float) -> Tensor:
    """``()`` nats per datum: what the units' mean divergences lack of ``free_bits``, times the vectors in a datum."""
    *vectors, units = posterior.event_shape
    if isinstance(posterior, Independent) and isinstance(prior, Independent) and not posterior.base_dist.event_shape:
        each = kl_divergence(posterior.base_dist, prior.base_dist).flatten(0, -2).mean(0)
        lacking = (free_bits - each).relu().sum()
    else:
        lacking = (free_bits * units - kl.mean() / math.prod(vectors)).relu()
    return lacking * math.prod(vectors)


def marginalise(bounds: Tensor, labels: Categorical) -> Tensor:
    """Bound on ``log p(x)`` from bounds on ``log p(x, y)`` for every class y: the label is summed out exactly.

    Args:
        bounds: ``(K, *batch)`` lower bounds on ``log p(x, y)`` in nats, class by class.
        labels: ``q(y|x)`` of batch shape ``(*batch)`` over K classes.

    Returns:
        ``(*batch)`` values of ``sum_y q(y|x) bounds_y + H(q(y|x))``.

    Reference:
        Kingma, Rezende, Mohamed and Welling, Semi-supervised Learning with Deep Generative Models (2014), equation 7.
    """
    return (labels.probs.movedim(-1, 0) * bounds).sum(0) + labels.entropy()
