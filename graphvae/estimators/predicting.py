"""From a fitted module to logits of pairs, and from these to probabilities."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.splits import LinkSet
from graphvae.estimators.members import AveragedPairs, Member
from graphvae.estimators.structure import BlendedPairs
from graphvae.kernels.negatives import edge_keys, sample_by_node, sample_negative_pairs
from graphvae.nn.autoencoder import Autoencoder
from graphvae.training.loop import NonFiniteError
from graphvae.training.randomness import seeded

__all__ = ["calibrate", "calibration_pairs", "check_unseen", "logits_of", "predictions"]

# Non-edges that an intercept is fitted on: all of them where there are no more than so many, else a sample.
CALIBRATION_PAIRS = 200_000
# Non-edges added to those of validation: partners of each of some nodes.
NODES, PARTNERS = 400, 128
NUMBERS_AT_ONCE = 1 << 22


def check_unseen(module: Autoencoder, graph: Graph, seen: Graph) -> None:
    """Refuse a module that cannot embed those nodes of ``graph`` that are not in ``seen``, the graph it trains on."""
    if seen is not graph and getattr(module.encoder, "per_node", seen.x is None):
        raise InputError(
            'protocol="inductive": this model learns one row for each node; expected one of features alone'
        )


@torch.no_grad()
def predictions(module: Autoencoder, mean: np.ndarray, pairs: Tensor) -> Any:
    """What links are predicted with: the decoder at ``mean``, that of other seeds and what the edges say, if fitted.

    Args:
        module: fitted.
        mean: ``(N, D)`` posterior means.
        pairs: ``(2, E)`` edges that predictions are made from.
    """
    likelihood: Any = module.decode(torch.from_numpy(mean).to(next(module.parameters()).device))
    if len(module.others):
        likelihood = AveragedPairs([likelihood, *(cast(Member, other).likelihood() for other in module.others)])
    return likelihood if module.structure is None else BlendedPairs(likelihood, module.structure, pairs)


@torch.no_grad()
def calibrate(likelihood: Any, graph: Graph, validation: Any, density: float, seed: int) -> Any:
    """On validation pairs where there are any, else one intercept at the training density."""
    from graphvae.evaluation.calibration import fit_calibration_intercept
    from graphvae.evaluation.piecewise import fit_calibration_piecewise

    def logits(pairs: Tensor) -> np.ndarray:
        values = logits_of(likelihood, pairs)
        if not np.isfinite(values).all():
            raise NonFiniteError("the last epoch: logits are not finite; expected finite ones (lower learning_rate?)")
        return values

    if validation is not None:
        positive, negative = calibration_pairs(graph, validation, seed)
        return fit_calibration_piecewise(logits(positive), logits(negative), density)
    n, keys = graph.num_nodes, edge_keys(graph.pairs, graph.num_nodes)
    if graph.num_pairs <= CALIBRATION_PAIRS:
        every = torch.triu_indices(n, n, 1)
        others = every[:, ~torch.isin(every[0] * n + every[1], keys)]
    else:
        with seeded(seed, "calibrate"):
            others = sample_negative_pairs(keys, n, CALIBRATION_PAIRS)
    weight = (graph.num_pairs - graph.num_edges) / others.shape[1]
    return fit_calibration_intercept(logits(graph.pairs), logits(others), weight)


def calibration_pairs(graph: Graph, validation: LinkSet, seed: int) -> tuple[Tensor, Tensor]:
    """``(2, P)`` validation edges, and non-edges of validation with more beside them.

    As many non-edges as validation has edges say little of the few that score high: at a density of 0.1 % each of them
    stands for a thousand.
    """
    known = edge_keys(torch.cat([graph.pairs, validation.positive], 1), graph.num_nodes)
    with seeded(seed, "calibrate"):
        more = sample_by_node(known, graph.num_nodes, NODES, PARTNERS)
    return validation.positive, torch.cat([validation.negative, more], 1)


def logits_of(likelihood: Any, pairs: Tensor) -> np.ndarray:
    """``(P,)`` float64 logits of pairs of rows ``(2, P)``, in blocks, so that no array of P vectors is made."""
    at_once = max(NUMBERS_AT_ONCE // likelihood.z.shape[-1], 1)
    blocks = [likelihood.logits(part.to(likelihood.z.device)) for part in pairs.split(at_once, 1)]
    return torch.cat(blocks).double().cpu().numpy()
