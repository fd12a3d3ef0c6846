"""``ScoredPairs``: the likelihood of a graph whose logits come from any symmetric function of two latent positions."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from graphvae.kernels.edges import EdgeSet
from graphvae.kernels.softplus import softplus
from graphvae.variational.likelihoods import PairLikelihood

__all__ = ["PairScore", "ScoredPairs"]


class PairScore(Protocol):
    """A symmetric function of two latent positions, for pairs one by one and for blocks of them."""

    def of_pairs(self, u: Tensor, v: Tensor) -> Tensor:
        """``(*, P)`` logits of positions ``u`` and ``v``, each ``(*, P, D)``."""

    def of_block(self, a: Tensor, b: Tensor) -> Tensor:
        """``(*, R, C)`` logits of every pair of one of ``a`` ``(*, R, D)`` and one of ``b`` ``(*, C, D)``."""


class ScoredPairs(PairLikelihood):
    """``p(A|Z) = prod_{i<j} Bernoulli(A_ij; sigmoid(score(z_i, z_j)))``.

    The exact sum over all pairs goes by tiles of the upper triangle, and each tile is computed again for its gradient:
    memory is that of one tile, whatever N is.

    Args:
        z: ``(*batch, N, D)`` latent positions.
        score: from two positions to a logit.
        block: rows in one tile of the sum over all pairs; None picks.
    """

    def __init__(self, z: Tensor, score: PairScore, block: int | None = None) -> None:
        super().__init__(z, block)
        self.score = score

    def logits(self, pairs: Tensor | EdgeSet) -> Tensor:
        """``(*batch, P)`` logits of the pairs ``(2, P)``."""
        u, v = pairs.pairs if isinstance(pairs, EdgeSet) else pairs
        return self.score.of_pairs(self.z.index_select(-2, u), self.z.index_select(-2, v))

    def block_logits(self, rows: Tensor | slice, columns: Tensor | slice) -> Tensor:
        """``(*batch, R, C)`` logits of every pair of a row and a column."""
        return self.score.of_block(self.z[..., rows, :], self.z[..., columns, :])

    def ordered_softplus_sum(self) -> Tensor:
        """``(*batch)`` sums ``sum_ij softplus(s_ij)`` over all N² ordered pairs, the diagonal included."""
        total = self.z.new_zeros(self.batch_shape, dtype=torch.float64)
        parts = self.z.split(self.block, -2)
        for i, a in enumerate(parts):
            for j, b in enumerate(parts[i:], i):
                tile = (
                    checkpoint(self._tile, a, b, use_reentrant=False) if torch.is_grad_enabled() else self._tile(a, b)
                )
                total = total + (tile if i == j else 2 * tile)
        return total.to(self.z.dtype)

    def _tile(self, a: Tensor, b: Tensor) -> Tensor:
        return softplus(self.score.of_block(a, b)).sum((-2, -1), dtype=torch.float64)
