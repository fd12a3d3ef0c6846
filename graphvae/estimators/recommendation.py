"""The best unknown links of a fitted model, exactly: what its decoder says of all pairs, without those it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer
from graphvae.estimators.fitting import Fitted
from graphvae.estimators.predicting import logits_of
from graphvae.export.recommendations import Recommendations
from graphvae.export.top_pairs import KnownPairs, PairScores, top_pairs, top_partners
from graphvae.variational.likelihoods import PairwiseBernoulli

__all__ = ["pair_scores", "recommend"]

# How far a decoder's scores of a block may be from those of single pairs, in units of the largest of the block.
SLACK = 1e-4
# Numbers that a decoder other than the inner product may need for each score of a block.
HIDDEN = 64


def recommend(
    fitted: Fitted, ids: Any, k: int, *, held_out: bool = False, announce: Callable[[float], None] | None = None
) -> Recommendations:
    """See :meth:`graphvae.estimators.graph_estimator.GraphEstimator.recommend`."""
    k = integer("k", k, low=1)
    if not isinstance(held_out, bool):
        raise InputError(f"held_out={held_out!r}: expected True or False")
    n = len(fitted.node_ids)
    rows = None if ids is None else _rows(fitted, ids)
    pairs, directed = fitted.known_pairs(held_out)
    scores, known = pair_scores(fitted, directed=directed), KnownPairs(pairs, n, directed=directed)
    if rows is None:
        source, target, logits = top_pairs(scores, k, known, announce)
        rank = np.arange(1, len(source) + 1)
    else:
        at, target, rank, logits = top_partners(scores, rows, k, known, announce)
        source = rows.numpy()[at]
    names = fitted.node_ids
    return Recommendations(names[source], names[target], rank, fitted.calibration.probabilities(logits))


@torch.no_grad()
def pair_scores(fitted: Fitted, *, directed: bool = False) -> PairScores:
    """The decoder's logits at the posterior means, by block and by pair."""
    likelihood = fitted.predictor()
    n = len(fitted.node_ids)

    def exact(pairs: Tensor) -> Tensor:
        return torch.from_numpy(logits_of(likelihood, pairs))

    def block(rows: Tensor | slice, columns: slice) -> tuple[Tensor, Tensor | float]:
        values = likelihood.block_logits(rows, columns)
        return values, rounding(values, rows)

    is_product = isinstance(likelihood, PairwiseBernoulli)
    rounding = _product_rounding(likelihood) if is_product else _rounding
    return PairScores(n, block, exact, directed, 1 if is_product else HIDDEN)


def _rounding(values: Tensor, rows: Tensor | slice) -> float:
    return SLACK * (1 + float(values.abs().max())) if values.numel() else 0.0


def _product_rounding(likelihood: PairwiseBernoulli) -> Callable[[Tensor, Tensor | slice], Tensor]:
    """The bound on rounding of ``scale z_i . z_j + bias`` that holds for sums in any order, ``(R, 1)``."""
    z, scale, bias = likelihood.z, likelihood.scale, likelihood.bias
    lengths = z.norm(dim=1, keepdim=True)
    longest = lengths.max() if len(z) else 0.0
    # Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1: (d + 2) roundings in each of the two.
    unit = 4 * (z.shape[1] + 4) * torch.finfo(z.dtype).eps
    return lambda values, rows: unit * (scale.abs() * lengths[rows] * longest + bias.abs())


def _rows(fitted: Fitted, ids: Any) -> Tensor:
    some = fitted.node_ids[0].item()
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise InputError(f"ids={ids!r}: expected a sequence of node ids, such as [{some!r}]")
    ids = ids.to_numpy() if hasattr(ids, "to_numpy") else ids
    array = ids if isinstance(ids, np.ndarray) else np.array(list(ids), dtype=object)
    if array.ndim != 1:
        raise InputError(f"ids has shape {array.shape}: expected (M,) node ids, such as [{some!r}]")
    return torch.from_numpy(fitted.rows(array)) if array.size else torch.zeros(0, dtype=torch.int64)
