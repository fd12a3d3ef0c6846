"""The likelihood of a graph given its latent positions: a Bernoulli for each pair of nodes, never held as N x N."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.distributions import Distribution

from graphvae._check import InputError, integer
from graphvae.kernels.control_variate import ControlVariate
from graphvae.kernels.edges import EdgeSet, edge_dots, pair_dots
from graphvae.kernels.negatives import sample_pairs
from graphvae.kernels.pair_terms import PairWeights, pair_terms
from graphvae.kernels.pairs import BLOCK, pair_sigmoid_sum, pair_softplus_sum, tiles
from graphvae.kernels.softplus import softplus, softplus_terms

__all__ = ["PairLikelihood", "PairwiseBernoulli", "per_draw", "upper"]


class PairLikelihood(Distribution, ABC):
    """``p(A|Z) = prod_{i<j} Bernoulli(A_ij; sigmoid(s_ij))`` over unordered pairs, no diagonal, for any ``s(Z)``.

    The value of this distribution is a set of edges: an :class:`~graphvae.kernels.edges.EdgeSet`, or ``(2, E)`` nodes,
    each edge as (u, v) with u < v, alone or with its reverse, which is not read. All it reports comes from three sums,
    over edges, over all pairs and over the diagonal, each computed without an N x N array.

    Args:
        z: ``(*batch, N, D)`` latent positions.
        block: rows in one tile of the sum over all pairs; None picks.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type

    def __init__(self, z: Tensor, block: int | None = None) -> None:
        self.z = z
        self.block = BLOCK[z.device.type] if block is None else block
        n = z.shape[-2]
        super().__init__(z.shape[:-2], torch.Size((n, n)), validate_args=False)

    @property
    def num_nodes(self) -> int:
        """N."""
        return int(self.z.shape[-2])

    @property
    def num_pairs(self) -> int:
        """Number of unordered pairs, N (N - 1) / 2."""
        return self.num_nodes * (self.num_nodes - 1) // 2

    @abstractmethod
    def logits(self, pairs: Tensor | EdgeSet) -> Tensor:
        """``(*batch, P)`` logits of the pairs ``(2, P)``."""

    @abstractmethod
    def block_logits(self, rows: Tensor | slice, columns: Tensor | slice) -> Tensor:
        """``(*batch, R, C)`` logits of every pair of one of R ``rows`` and one of C ``columns``."""

    @abstractmethod
    def ordered_softplus_sum(self) -> Tensor:
        """``(*batch)`` sums ``sum_ij softplus(s_ij)`` over all N² ordered pairs, the diagonal included."""

    def diagonal_logits(self) -> Tensor:
        """``(*batch, N)`` logits ``s_ii``: no part of the likelihood, but of Kipf and Welling's loss."""
        return self.logits(torch.arange(self.num_nodes, device=self.z.device).expand(2, -1))

    def softplus_sum(self) -> Tensor:
        """``(*batch)`` sums ``sum_{i<j} softplus(s_ij)``: minus the log-likelihood of the graph without edges."""
        return (self.ordered_softplus_sum() - softplus(self.diagonal_logits()).sum(-1)) / 2

    def weighted_sum(
        self,
        edges: Tensor | EdgeSet,
        all_pairs: float,
        on_edges: PairWeights,
        on_diagonal: PairWeights,
        variate: ControlVariate | None = None,
    ) -> Tensor:
        """``(*batch)`` sums ``all_pairs sum_ij softplus(s_ij) + sum_edges w(s_uv) + sum_i v(s_ii)``, in nats.

        Args:
            edges: ``(2, E)``, each counted once.
            all_pairs: weight of the sum over all N² ordered pairs.
            on_edges, on_diagonal: w and v.
            variate: take the sum over all pairs by an unbiased estimate, made with these edges; None takes it exactly.

        Raises:
            InputError: for a ``variate``, where logits are no inner products or the edges no :class:`EdgeSet`.
        """
        if variate is not None:
            raise InputError("variate: expected logits that are inner products, and the edges it was made with")

        def of(s: Tensor, weights: PairWeights) -> Tensor:
            return softplus_terms(s, plus=weights.plus, minus=weights.minus, polynomial=(0.0, weights.linear, 0.0))

        along, own = self.logits(edges), self.diagonal_logits()
        return all_pairs * self.ordered_softplus_sum() + of(along, on_edges) + of(own, on_diagonal)

    def log_prob(self, value: Tensor | EdgeSet, variate: ControlVariate | None = None) -> Tensor:
        """``(*batch)`` nats of ``log p(A|Z)`` of the edges ``value`` ``(2, E)``, in row blocks.

        With a ``variate`` it is an unbiased estimate; see :meth:`weighted_sum`.
        """
        return self.weighted_sum(upper(value), -0.5, PairWeights(linear=1.0), PairWeights(plus=0.5), variate)

    def log_prob_estimate(self, value: Tensor | EdgeSet, samples: int) -> Tensor:
        """``(*batch)`` unbiased estimate of :meth:`log_prob`, in O(E + samples).

        The edges are summed exactly; the sum over all pairs is estimated from ``samples`` uniform pairs, drawn from
        torch's current generator.

        Raises:
            InputError: if ``samples`` is not a positive integer.
        """
        samples = integer("samples", samples, low=1)
        edges = self.logits(upper(value)).sum(-1)
        if self.num_pairs == 0:
            return edges
        drawn = sample_pairs(self.num_nodes, samples, self.z.device)
        return edges - softplus(self.logits(drawn)).mean(-1) * self.num_pairs

    @torch.no_grad()
    def expected_edges(self) -> float:
        """``sum_{i<j} sigmoid(s_ij)``, the expected number of edges; for an empty batch shape."""
        total = 0.0
        for rows, columns in tiles(self.num_nodes, self.block):
            p = torch.sigmoid(self.block_logits(rows, columns))
            total += float((p.triu(1) if rows == columns else p).sum(dtype=torch.float64))
        return total

    def sample_edges(self) -> Tensor:
        """``(2, P)`` edges u < v, sorted, of one graph drawn from torch's current generator; empty batch shape."""
        found = list(self._sample_tiles())
        pairs = torch.cat(found, 1) if found else torch.empty(2, 0, dtype=torch.int64, device=self.z.device)
        return pairs[:, torch.argsort(pairs[0] * self.num_nodes + pairs[1])]

    @torch.no_grad()
    def _sample_tiles(self) -> Iterator[Tensor]:
        for rows, columns in tiles(self.num_nodes, self.block):
            p = torch.sigmoid(self.block_logits(rows, columns))
            # float32 draws are multiples of 2^-24, which would make every p below that equally likely.
            hit = torch.rand_like(p, dtype=torch.float64) < p
            hit = hit.triu(1) if rows == columns else hit
            yield hit.nonzero().T + torch.tensor([[rows.start], [columns.start]], device=p.device)


class PairwiseBernoulli(PairLikelihood):
    """The likelihood of logits ``s_ij = scale z_i . z_j + bias``, whose sums have fast kernels.

    Args:
        z: ``(*batch, N, D)`` latent positions.
        scale: ``()`` factor of the inner product; 1 by default.
        bias: ``()`` intercept of the logits; 0 by default.
        block: rows in one tile of the sum over all pairs; None picks.
        signature: ``(D,)`` factors of the products of the dimensions, which make the inner product an indefinite one;
            None is all ones.

    Reference:
        Kipf and Welling, Variational Graph Auto-Encoders (2016), equation 2, with scale and bias added.
    """

    def __init__(
        self,
        z: Tensor,
        scale: Tensor | None = None,
        bias: Tensor | None = None,
        block: int | None = None,
        *,
        signature: Tensor | None = None,
    ) -> None:
        super().__init__(z, block)
        self.signature = signature
        self._plain = scale is None and bias is None
        self.scale = z.new_ones(()) if scale is None else scale
        self.bias = z.new_zeros(()) if bias is None else bias

    def logits(self, pairs: Tensor | EdgeSet) -> Tensor:
        """``(*batch, P)`` logits of the pairs ``(2, P)``."""
        if isinstance(pairs, EdgeSet):
            return self._affine(per_draw(lambda z: edge_dots(z, pairs, self.signature), self.batch_shape, self.z))
        if not torch.is_grad_enabled() and self.z.dim() == 2:
            return self._affine(pair_dots(self.z, pairs, self.signature))
        u, v = self.z.index_select(-2, pairs[0]), self.z.index_select(-2, pairs[1])
        return self._affine((self._signed(u) * v).sum(-1))

    def block_logits(self, rows: Tensor | slice, columns: Tensor | slice) -> Tensor:
        """``(*batch, R, C)`` logits of every pair of a row and a column."""
        return self._affine(self._signed(self.z[..., rows, :]) @ self.z[..., columns, :].mT)

    def diagonal_logits(self) -> Tensor:
        """``(*batch, N)`` logits ``s_ii``."""
        return self._affine(self._signed(self.z.square()).sum(-1))

    def _signed(self, z: Tensor) -> Tensor:
        return z if self.signature is None else z * self.signature

    def _affine(self, dots: Tensor) -> Tensor:
        return dots if self._plain else dots * self.scale + self.bias

    def weighted_sum(
        self,
        edges: Tensor | EdgeSet,
        all_pairs: float,
        on_edges: PairWeights,
        on_diagonal: PairWeights,
        variate: ControlVariate | None = None,
    ) -> Tensor:
        """As for any pairs, but with one gradient for all terms, and of an edge set by an estimate too."""
        if not isinstance(edges, EdgeSet):
            return super().weighted_sum(edges, all_pairs, on_edges, on_diagonal, variate)

        def terms(z: Tensor) -> Tensor:
            given = z, self.scale, self.bias, edges, all_pairs, on_edges, on_diagonal
            return pair_terms(*given, signature=self.signature, variate=variate, block=self.block)

        return per_draw(terms, self.batch_shape, self.z)

    def ordered_softplus_sum(self) -> Tensor:
        """``(*batch)`` sums ``sum_ij softplus(s_ij)`` over all N² ordered pairs, the diagonal included."""

        def ordered(z: Tensor) -> Tensor:
            return pair_softplus_sum(z, self.scale, self.bias, signature=self.signature, block=self.block)

        return per_draw(ordered, self.batch_shape, self.z)

    def expected_edges(self) -> float:
        """``sum_{i<j} sigmoid(s_ij)``, the expected number of edges; for an empty batch shape."""
        return pair_sigmoid_sum(self.z, self.scale, self.bias, signature=self.signature, block=self.block)


def per_draw(function: Callable[..., Tensor], batch_shape: torch.Size, *tensors: Tensor) -> Tensor:
    """``(*batch, *out)`` results of ``function``, which knows no batch, for each draw of ``tensors`` ``(*batch, *in)``.

    A single draw, as training usually takes, is only seen in another shape.
    """
    leading, count = len(batch_shape), batch_shape.numel()
    if count == 1:
        out = function(*(each.reshape(each.shape[leading:]) for each in tensors))
    else:
        draws = zip(*(each.flatten(0, leading - 1) for each in tensors), strict=True)
        out = torch.stack([function(*draw) for draw in draws])
    return out.reshape(batch_shape + out.shape[count != 1 :])


def upper(value: Tensor | EdgeSet) -> Tensor | EdgeSet:
    """The pairs of ``(2, E)`` with u < v; an edge set has no others."""
    return value if isinstance(value, EdgeSet) else value[:, value[0] < value[1]]
