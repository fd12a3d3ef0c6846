"""What is trained on in the place of the exact likelihood: offered under its own name, never reported as one.

Each wraps a :class:`~graphvae.variational.likelihoods.PairLikelihood` and has its ``log_prob``, in weighted nats, so
that the same ``bound`` applies. The sum over all N² pairs that two of them need is exact, or an unbiased estimate by a
control variate, which learns from step to step of one training run.
"""

from __future__ import annotations

from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.control_variate import ControlVariate
from graphvae.kernels.edges import EdgeSet
from graphvae.kernels.negatives import edge_keys, sample_negative_pairs
from graphvae.kernels.pair_terms import PairWeights
from graphvae.kernels.softplus import softplus
from graphvae.variational.likelihoods import PairLikelihood, upper

__all__ = ["KipfPseudoLikelihood", "SampledPseudoLikelihood", "TrainedLikelihood"]


class TrainedLikelihood:
    """``log p(A|Z)`` itself, exactly or as an unbiased estimate.

    Args:
        likelihood: of the graph.
        variate: how the sum over all pairs is estimated; None takes it exactly.
    """

    def __init__(self, likelihood: PairLikelihood, variate: ControlVariate | None = None) -> None:
        self.likelihood, self.variate = likelihood, variate

    def log_prob(self, value: Tensor | EdgeSet) -> Tensor:
        """``(*batch)`` nats of the edges ``value`` ``(2, E)``."""
        return self.likelihood.log_prob(value, self.variate)


class KipfPseudoLikelihood:
    """Kipf and Welling's weighted reconstruction term over all N² ordered pairs, with self-loops in the target.

    With ``A~ = A + I``, ``w = (N² - |A|) / |A|`` and ``c = N² / (2 (N² - |A|))``, where ``|A|`` counts the ones of A:

        log_prob(A) = -c sum_ij [ w A~_ij softplus(-s_ij) + (1 - A~_ij) softplus(s_ij) ].

    Positives are weighted, every pair counts twice and the diagonal is a target, so this is no likelihood and gives no
    bound. The paper's training loss is ``-(log_prob - KL) / N²``.

    Args:
        likelihood: of the graph.
        variate: how the sum over all pairs is estimated; None takes it exactly.

    Reference:
        Kipf and Welling, Variational Graph Auto-Encoders (2016), section 2; the authors' ``gae/optimizer.py``.
    """

    def __init__(self, likelihood: PairLikelihood, variate: ControlVariate | None = None) -> None:
        self.likelihood, self.variate = likelihood, variate

    def log_prob(self, value: Tensor | EdgeSet) -> Tensor:
        """``(*batch)`` weighted nats of the edges ``value`` ``(2, E)``.

        Raises:
            InputError: if there are none.
        """
        pairs = _some(value)
        n, ones = self.likelihood.num_nodes, 2 * _count(pairs)
        weight = (n * n - ones) / ones
        norm = n * n / (2 * (n * n - ones))
        # From the cost of a zero, which the sum over all pairs holds, to the weighted cost of a one:
        # weight softplus(-s) - softplus(s), where softplus(s) = s + softplus(-s).
        on_diagonal = PairWeights(minus=-norm * (weight - 1), linear=norm)
        on_edges = PairWeights(minus=2 * on_diagonal.minus, linear=2 * norm)
        return self.likelihood.weighted_sum(pairs, -norm, on_edges, on_diagonal, self.variate)


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
