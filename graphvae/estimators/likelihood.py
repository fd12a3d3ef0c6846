"""What a fitted model says of a whole graph in nats: the exact ELBO, the marginal likelihood, and draws from it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from graphvae._check import InputError, integer, one_of
from graphvae.data.graph import Graph
from graphvae.estimators.fitting import Fitted, check_compatible, inputs_of
from graphvae.nn.autoencoder import Autoencoder
from graphvae.training.randomness import seeded
from graphvae.variational.bound import Bound, bound
from graphvae.variational.likelihoods import PairLikelihood, PairwiseBernoulli
from graphvae.variational.posteriors import GaussianPosterior, closed_form

__all__ = ["MarginalEstimate", "elbo_terms", "log_marginal", "pairs_in_report", "sample_edges"]

# Pairs of a report's estimate.
REPORTED = 1 << 18
# Pairs scored at a time, so that no array of all sampled pairs' positions is made.
AT_ONCE = 1 << 16


@dataclass(frozen=True)
class MarginalEstimate:
    """A lower bound on ``log p(A)`` by importance sampling.

    Args:
        estimate: the bound, in nats.
        standard_error: of the mean importance weight, carried to the logarithm; in nats.
        effective_sample_size: between 1 and ``samples``; near 1, the estimate rests on one sample.
        samples: number of draws.
    """

    estimate: float
    standard_error: float
    effective_sample_size: float
    samples: int

    def __float__(self) -> float:
        return self.estimate


def elbo_terms(
    fitted: Fitted, graph: Graph | None, samples: int, seed: int, pairs: int | None = None
) -> dict[str, float]:
    """``elbo``, its Monte-Carlo ``elbo_standard_error``, ``log_likelihood`` and ``kl`` in nats, in float64.

    With ``pairs`` the sum over all pairs is an unbiased estimate from so many at each draw, whose error is part of the
    standard error.
    """
    samples = integer("samples", samples, low=1)

    def likelihood(z: Tensor, module: Autoencoder) -> Any:
        exact = module.decode(z)
        return exact if pairs is None else _Sampled(exact, pairs)

    with _exact(fitted, graph, "elbo") as (module, posterior, prior, edges):
        # One draw at a time, so that memory does not grow with the number of draws.
        draws = []
        for draw in range(samples):
            with seeded(seed, "elbo", draw, device=edges.device):
                model = partial(likelihood, module=module)
                analytic = closed_form(fitted.posterior, module.prior)
                draws.append(bound(posterior, prior, model, edges, analytic=analytic))
    log_likelihood = torch.cat([draw.log_likelihood for draw in draws])
    divergence = torch.cat([draw.kl for draw in draws])
    error = float((log_likelihood - divergence).std() / math.sqrt(samples)) if samples > 1 else math.nan
    mean, kl = float(log_likelihood.mean()), float(divergence.mean())
    return {"elbo": mean - kl, "elbo_standard_error": error, "log_likelihood": mean, "kl": kl}


def pairs_in_report(fitted: Fitted, graph: Graph) -> int | None:
    """Pairs from which a report estimates the ELBO at each draw; None where all are affordable.

    Inner products have a fast sum; a network on every pair of a large graph would take longer than training it.
    """
    likelihood = fitted.module.decode(torch.from_numpy(fitted.mean[:1]).to(next(fitted.module.parameters()).device))
    return None if isinstance(likelihood, PairwiseBernoulli) or graph.num_pairs <= REPORTED else REPORTED


def log_marginal(fitted: Fitted, graph: Graph | None, samples: int, seed: int) -> MarginalEstimate:
    """Importance sampling with the posterior as proposal; see :meth:`GraphEstimator.log_marginal`."""
    samples = integer("samples", samples, low=2)
    with _exact(fitted, graph, "log_marginal") as (module, posterior, prior, edges):
        draws = []
        for draw in range(samples):
            with seeded(seed, "log_marginal", draw, device=edges.device):
                one = bound(posterior, prior, module.decode, edges, analytic=False)
            draws.append((one.log_likelihood, one.kl))
    log_likelihood, kl = (torch.cat(terms) for terms in zip(*draws, strict=True))
    together = Bound(log_likelihood, kl, torch.empty(0))
    estimate, ess = float(together.iwae()), float(together.effective_sample_size())
    # Delta method: the relative error of the mean weight, sqrt((S / ESS - 1) / (S - 1)), is that of its logarithm.
    error = math.sqrt(max(samples / ess - 1, 0) / (samples - 1))
    return MarginalEstimate(estimate, error, ess, samples)


def sample_edges(fitted: Fitted, seed: int, source: str, max_edges: int) -> Tensor:
    """``(2, P)`` edges of one graph drawn from the model; see :meth:`GraphEstimator.sample`."""
    one_of("source", source, ("prior", "posterior"))
    variational = fitted.posterior.variational
    if source == "prior" and not variational:
        raise InputError('source="prior": a model with a point posterior has no prior; expected source="posterior"')
    device = next(fitted.module.parameters()).device
    with torch.no_grad(), seeded(seed, "sample", source, device=device):
        if source == "posterior":
            z = _posterior_draw(fitted, device)
        else:
            z = fitted.module.prior(inputs_of(fitted.graph(), device)).sample()
        model = fitted.module.decode(z)
        expected = model.expected_edges()
        if expected > max_edges:
            raise InputError(
                f"max_edges={max_edges}: this draw would have about {expected:.3g} edges (a model trained without an "
                'intercept calls half of all pairs edges; objective="elbo" has one); raise max_edges to draw it'
            )
        return model.sample_edges().cpu()


class _Sampled:
    """A likelihood whose ``log_prob`` is its unbiased estimate from ``pairs`` uniform pairs."""

    def __init__(self, likelihood: PairLikelihood, pairs: int) -> None:
        self.likelihood, self.pairs = likelihood, pairs

    def log_prob(self, value: Tensor) -> Tensor:
        parts = [AT_ONCE] * (self.pairs // AT_ONCE) + [self.pairs % AT_ONCE]
        empty = [self.likelihood.log_prob_estimate(value[:, :0], part) * part for part in parts if part]
        return self.likelihood.logits(value).sum(-1) + torch.stack(empty).sum(0) / self.pairs


def _posterior_draw(fitted: Fitted, device: torch.device) -> Tensor:
    """One draw of Z from the posterior of the fitted graph."""
    if isinstance(fitted.posterior, GaussianPosterior) or fitted.scale is None:
        # Mean and standard deviation say all there is to know, and are at hand in every run folder.
        mean = torch.from_numpy(fitted.mean).to(device)
        return mean if fitted.scale is None else torch.normal(mean, torch.from_numpy(fitted.scale).to(device))
    return fitted.module(inputs_of(fitted.graph(), device))[0].sample()


@contextmanager
def _exact(
    fitted: Fitted, graph: Graph | None, what: str
) -> Iterator[tuple[Autoencoder, Distribution, Distribution, Tensor]]:
    """The module, posterior and prior in float64 and the edges, without gradients."""
    if not fitted.posterior.variational:
        raise InputError(f"{what}: a point posterior has no density, so there is no bound; expected a VGAE")
    if graph is None:
        graph = fitted.graph()
    check_compatible(fitted, graph)
    device = next(fitted.module.parameters()).device
    with torch.no_grad():
        module = copy.deepcopy(fitted.module).double()
        posterior, prior = module(inputs_of(graph, device, torch.float64))
        yield module, posterior, prior, graph.pairs.to(device)
