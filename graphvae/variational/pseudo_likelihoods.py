"""What is trained on in the place of the exact likelihood: offered under its own name, never reported as one.

Each wraps a :class:`~graphvae.variational.likelihoods.PairLikelihood` and has its ``log_prob``, in weighted nats, so
that the same ``bound`` applies. The sum over all N² pairs that two of them need is exact, or an unbiased estimate: a
``pair_sum`` says how it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.control_variate import ControlVariate, pair_softplus_estimate
from graphvae.kernels.edges import EdgeSet
from graphvae.kernels.negatives import edge_keys, sample_negative_pairs
from graphvae.kernels.softplus import softplus, softplus_terms
from graphvae.variational.likelihoods import PairLikelihood, PairwiseBernoulli, per_draw, upper

__all__ = ["EstimatedSum", "KipfPseudoLikelihood", "SampledPseudoLikelihood", "TrainedLikelihood", "exact_sum"]

#: From a likelihood and the logits of the edges ``(*batch, E)`` to ``sum_ij softplus(s_ij)``, ``(*batch)``.
PairSum = Callable[[Any, Tensor], Tensor]


def exact_sum(likelihood: PairLikelihood, edge_logits: Tensor) -> Tensor:
    """The sum over all ordered pairs, in row blocks; it needs no edges."""
    return likelihood.ordered_softplus_sum()


class EstimatedSum:
    """An unbiased estimate of the sum by a control variate, which learns from step to step of one training run.

    Args:
        variate: made with the very edges whose logits are brought.
    """

    def __init__(self, variate: ControlVariate) -> None:
        self.variate = variate

    def __call__(self, likelihood: PairwiseBernoulli, edge_logits: Tensor) -> Tensor:
        """``(*batch)`` estimates; shifts are drawn from torch's current generator."""

        def estimate(z: Tensor, logits: Tensor) -> Tensor:
            scale, bias, signature = likelihood.scale, likelihood.bias, likelihood.signature
            return pair_softplus_estimate(z, scale, bias, self.variate, edge_logits=logits, signature=signature)

        return per_draw(estimate, likelihood.batch_shape, likelihood.z, edge_logits)


class TrainedLikelihood:
    """``log p(A|Z)`` itself, with the sum over all pairs taken as ``pair_sum`` says.

    Args:
        likelihood: of the graph.
        pair_sum: :func:`exact_sum` or an :class:`EstimatedSum`, of which this is unbiased.
    """

    def __init__(self, likelihood: PairLikelihood, pair_sum: PairSum = exact_sum) -> None:
        self.likelihood, self.pair_sum = likelihood, pair_sum

    def log_prob(self, value: Tensor | EdgeSet) -> Tensor:
        """``(*batch)`` nats of the edges ``value`` ``(2, E)``."""
        edges = self.likelihood.logits(upper(value))
        return edges.sum(-1) - self.likelihood.softplus_sum(self.pair_sum(self.likelihood, edges))


class KipfPseudoLikelihood:
    """Kipf and Welling's weighted reconstruction term over all N² ordered pairs, with self-loops in the target.

    With ``A~ = A + I``, ``w = (N² - |A|) / |A|`` and ``c = N² / (2 (N² - |A|))``, where ``|A|`` counts the ones of A:

        log_prob(A) = -c sum_ij [ w A~_ij softplus(-s_ij) + (1 - A~_ij) softplus(s_ij) ],

    with the sum over all pairs taken as ``pair_sum`` says. Positives are weighted, every pair counts twice and the
    diagonal is a target, so this is no likelihood and gives no bound. The paper's training loss is
    ``-(log_prob - KL) / N²``.

    Reference:
        Kipf and Welling, Variational Graph Auto-Encoders (2016), section 2; the authors' ``gae/optimizer.py``.
    """

    def __init__(self, likelihood: PairLikelihood, pair_sum: PairSum = exact_sum) -> None:
        self.likelihood, self.pair_sum = likelihood, pair_sum

    def log_prob(self, value: Tensor | EdgeSet) -> Tensor:
        """``(*batch)`` weighted nats of the edges ``value`` ``(2, E)``.

        Raises:
            InputError: if there are none.
        """
        pairs = _some(value)
        n, ones = self.likelihood.num_nodes, 2 * _count(pairs)
        weight = (n * n - ones) / ones
        norm = n * n / (2 * (n * n - ones))

        def swap(s: Tensor) -> Tensor:
            """From the cost of a zero, which the sum over all pairs holds, to the weighted cost of a one."""
            # weight softplus(-s) - softplus(s), where softplus(s) = s + softplus(-s).
            return softplus_terms(s, minus=weight - 1, polynomial=(0.0, -1.0, 0.0))

        logits = self.likelihood.logits(pairs)
        edges = 2 * swap(logits)
        diagonal = swap(self.likelihood.diagonal_logits())
        return -norm * (self.pair_sum(self.likelihood, logits) + edges + diagonal)


class SampledPseudoLikelihood:
    """Edges against sampled non-edges, each half averaged: the usual loss of later implementations.

        log_prob(A) = -N² [ mean_{edges} softplus(-s) + mean_{non-edges} softplus(s) ]

    The non-edges are drawn anew at every call, uniformly, from torch's current generator. The factor N² only makes the
    training loss ``-(log_prob - KL) / N²`` that of PyG's VGAE example; like the above, this is no likelihood.

    Args:
        likelihood: of the graph.
        known: sorted keys of pairs that must not be drawn; those of the edges that are scored by default.
        negatives: non-edges drawn for each edge.
    """

    def __init__(self, likelihood: PairLikelihood, known: Tensor | None = None, negatives: float = 1.0) -> None:
        self.likelihood, self.known, self.negatives = likelihood, known, negatives

    def log_prob(self, value: Tensor | EdgeSet) -> Tensor:
        """``(*batch)`` weighted nats of the edges ``value`` ``(2, E)``.

        Raises:
            InputError: if there are no edges, or no pairs that are none.
        """
        pairs = _some(value)
        n, known = self.likelihood.num_nodes, self.known
        if known is None:
            known = pairs.keys if isinstance(pairs, EdgeSet) else edge_keys(pairs, n)
        others = sample_negative_pairs(known, n, max(1, round(self.negatives * _count(pairs))))
        cost = softplus(-self.likelihood.logits(pairs)).mean(-1) + softplus(self.likelihood.logits(others)).mean(-1)
        return -float(n * n) * cost


def _some(value: Tensor | EdgeSet) -> Tensor | EdgeSet:
    pairs = upper(value)
    if _count(pairs) == 0:
        raise InputError("the graph has no edges: this objective weighs edges against other pairs and expects some")
    return pairs


def _count(pairs: Tensor | EdgeSet) -> int:
    return pairs.num_edges if isinstance(pairs, EdgeSet) else int(pairs.shape[1])
