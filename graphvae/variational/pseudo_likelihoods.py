"""What people train on in the place of the likelihood: offered under their own names, never reported as one.

Each wraps a :class:`PairwiseBernoulli` and has its ``log_prob``, in weighted nats, so that the same ``bound`` applies.
"""

from __future__ import annotations

from torch import Tensor

from graphvae._check import InputError
from graphvae.kernels.negatives import edge_keys, sample_negative_pairs
from graphvae.kernels.pairs import softplus
from graphvae.variational.likelihoods import PairwiseBernoulli, upper

__all__ = ["KipfPseudoLikelihood", "SampledPseudoLikelihood"]


class KipfPseudoLikelihood:
    """Kipf and Welling's weighted reconstruction term over all N² ordered pairs, with self-loops in the target.

    With ``A~ = A + I``, ``w = (N² - |A|) / |A|`` and ``c = N² / (2 (N² - |A|))``, where ``|A|`` counts the ones of A:

        log_prob(A) = -c sum_ij [ w A~_ij softplus(-s_ij) + (1 - A~_ij) softplus(s_ij) ],

    exactly. Positives are weighted, every pair counts twice and the diagonal is a target, so this is no likelihood and
    gives no bound. The paper's training loss is ``-(log_prob - KL) / N²``.

    Reference:
        Kipf and Welling, Variational Graph Auto-Encoders (2016), section 2; the authors' ``gae/optimizer.py``.
    """

    def __init__(self, likelihood: PairwiseBernoulli) -> None:
        self.likelihood = likelihood

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*batch)`` weighted nats of the edges ``value`` ``(2, E)``.

        Raises:
            InputError: if there are none.
        """
        pairs = _some(value)
        n, ones = self.likelihood.num_nodes, 2 * pairs.shape[1]
        weight = (n * n - ones) / ones
        norm = n * n / (2 * (n * n - ones))

        def swap(s: Tensor) -> Tensor:
            """From the cost of a zero, which the sum over all pairs holds, to the weighted cost of a one."""
            return weight * softplus(-s) - softplus(s)

        edges = 2 * swap(self.likelihood.logits(pairs)).sum(-1)
        diagonal = swap(self.likelihood.diagonal_logits()).sum(-1)
        return -norm * (self.likelihood.ordered_softplus_sum() + edges + diagonal)


class SampledPseudoLikelihood:
    """Edges against as many sampled non-edges, each half averaged: the usual loss of later implementations.

        log_prob(A) = -N² [ mean_{edges} softplus(-s) + mean_{non-edges} softplus(s) ]

    The non-edges are drawn anew at every call, uniformly, from torch's current generator. The factor N² only makes the
    training loss ``-(log_prob - KL) / N²`` that of PyG's VGAE example; like the above, this is no likelihood.
    """

    def __init__(self, likelihood: PairwiseBernoulli) -> None:
        self.likelihood = likelihood

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*batch)`` weighted nats of the edges ``value`` ``(2, E)``.

        Raises:
            InputError: if there are no edges, or no pairs that are none.
        """
        pairs = _some(value)
        n = self.likelihood.num_nodes
        negatives = sample_negative_pairs(edge_keys(pairs, n), n, pairs.shape[1])
        cost = softplus(-self.likelihood.logits(pairs)).mean(-1) + softplus(self.likelihood.logits(negatives)).mean(-1)
        return -float(n * n) * cost


def _some(value: Tensor) -> Tensor:
    pairs = upper(value)
    if pairs.shape[1] == 0:
        raise InputError("the graph has no edges: this objective weighs edges against other pairs and expects some")
    return pairs
