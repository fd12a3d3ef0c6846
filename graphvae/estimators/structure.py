"""Fitting a :class:`~graphvae.nn.structure.StructureNetwork` on hidden edges, and its logits beside a decoder's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae.data.graph import Graph
from graphvae.data.protocols import spanning_forest
from graphvae.data.splits import LinkSet
from graphvae.estimators.held_out import matrix_of_ones
from graphvae.kernels.negatives import edge_keys, sample_by_node, sample_negative_pairs
from graphvae.kernels.softplus import softplus
from graphvae.nn.structure import EXTRA, PairFeatures, Structure, StructureNetwork
from graphvae.training.adam import Adam
from graphvae.training.randomness import seeded

__all__ = ["BlendedPairs", "fit_structure", "one_cycle"]

# The share of edges that is hidden at a time; edges asked for in all, and at most of one hiding.
RATE, EDGES, AT_ONCE = 0.1, 2000, 1500
# Non-edges of one hiding: partners of each of some nodes, whose walks are made anyway.
NODES, PARTNERS = 400, 40
# Edges and non-edges of a step; the highest learning rate, and the decay of weights at a rate of 1.
BATCH, OTHERS, LEARNING_RATE, DECAY = 256, 1024, 0.01, 1e-4
# Share of the hidings on which the best weights are told, and steps from one look to the next.
ASIDE, EVERY = 0.2, 40
# Standard deviation of the prior of every weight.
SPREAD = 0.5


class BlendedPairs:
    """Logits ``a score + b network + c`` of pairs: those of a decoder's likelihood and of what the edges say.

    Where the network has doublings, ``d PageRank`` is added.

    Args:
        likelihood: of the decoder, at fixed latent positions.
        network: fitted.
        pairs: ``(2, E)`` edges of the graph that predictions are made from.
    """

    def __init__(self, likelihood: Any, network: Any, pairs: Tensor) -> None:
        self.likelihood, self.network, self.z = likelihood, network, likelihood.z
        self.features = network.features(pairs)
        self._rows: tuple[Tensor, Tensor] | None = None

    def logits(self, pairs: Tensor) -> Tensor:
        """``(P,)`` logits of pairs ``(2, P)``."""
        return self._blend(self.likelihood.logits(pairs), self.network.of_pairs(self.features, pairs))

    def block_logits(self, rows: Tensor | slice, columns: Tensor | slice) -> Tensor:
        """``(R, C)`` logits of every pair of a row and a column; other columns of the same rows are at hand."""
        nodes = torch.arange(self.features.num_nodes, device=self.z.device)[rows]
        if self._rows is None or not torch.equal(self._rows[0], nodes):
            self._rows = nodes, self.network.of_rows(self.features, nodes)
        return self._blend(self.likelihood.block_logits(rows, columns), self._rows[1][:, columns])

    @torch.no_grad()
    def weigh(self, held: LinkSet, known: Tensor, seed: int) -> None:
        """Fit the weights of the scores on validation pairs, and on more non-edges than these have.

        Minimises the balanced log loss, in nats per edge, plus ``((a - 1/2)² + (b - 1/2)² + d²) / (2 SPREAD²)``, with
        a, b and d at least 0: on few pairs decoder and network count alike, and PageRank by itself does not count.

        Args:
            held: validation pairs.
            known: sorted keys of every edge that is known.
            seed: of the non-edges that are added.
        """
        from scipy.optimize import minimize

        with seeded(seed, "weigh"):
            pairs = torch.cat(
                [held.positive, held.negative, sample_by_node(known, self.features.num_nodes, NODES, PARTNERS)], 1
            )
        pairs, edges = pairs.to(self.z.device), held.positive.shape[1]
        logits = self.likelihood.logits(pairs), self.network.of_pairs(self.features, pairs)
        own, told = (values.double().cpu().numpy() for values in logits)
        design = np.stack([own, *told.T, np.ones_like(own)])
        prior = np.array([0.5, 0.5, 0.0])[: len(design) - 1]
        sign = np.where(np.arange(own.size) < edges, 1.0, -1.0)
        weight = np.where(sign > 0, 1.0, edges / max(own.size - edges, 1))

        def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
            margin, off = sign * (theta @ design), theta[:-1] - prior
            gradient = -design @ (weight * sign * np.exp(-np.logaddexp(0.0, margin)))
            gradient[:-1] += off / SPREAD**2
            return float(weight @ np.logaddexp(0.0, -margin) + off @ off / (2 * SPREAD**2)), gradient

        bounds = [*[(0, None)] * len(prior), (None, None)]
        found = minimize(loss, np.array([*prior, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
        self.network.weights.copy_(torch.from_numpy(found.x))

    def _blend(self, own: Tensor, told: Tensor) -> Tensor:
        weights = self.network.weights
        return weights[0] * own + told @ weights[1:-1] + weights[-1]


def fit_structure(
    settings: Structure, graph: Graph, seed: int, device: torch.device, *, connected: bool = False
) -> StructureNetwork:
    """A network trained to tell hidden edges of ``graph`` from non-edges, by what the others say.

    Args:
        settings: of the network.
        graph: whose edges are hidden, a tenth at a time.
        seed: of what is hidden, of non-edges and of the training.
        device: where the network is trained.
        connected: hide only what leaves every component in one piece, as ``protocol="connected"`` has held out.
    """
    n, pairs = graph.num_nodes, graph.pairs
    hidden = max(1, int(RATE * pairs.shape[1]))
    asked = min(hidden, AT_ONCE)
    with seeded(seed, "structure", device=device):
        network = settings.build(n).to(device)
        order, known = torch.randperm(pairs.shape[1]), edge_keys(pairs, n)
        positive, negative = [], []
        for part in range(min(max(2, -(-EDGES // asked)), -(-pairs.shape[1] // hidden))):
            chosen = order[part * hidden : (part + 1) * hidden]
            if connected:
                chosen = _beside_a_forest(pairs, n, hidden, chosen)
            kept = torch.ones(pairs.shape[1], dtype=torch.bool)
            kept[chosen] = False
            features = _features(network, pairs[:, kept])
            positive.append(_all(features, pairs[:, chosen[:AT_ONCE]]))
            others = sample_by_node(known, n, NODES, PARTNERS)
            # In a dense graph every partner drawn may be a neighbour.
            others = others if others.shape[1] else sample_negative_pairs(known, n, PARTNERS)
            negative.append(_all(features, others))
        network.scale_to(torch.cat(positive + negative))
        _train(network, positive, negative, settings.steps)
        _features(network, pairs)
    return network.eval()


def _beside_a_forest(pairs: Tensor, num_nodes: int, most: int, otherwise: Tensor) -> Tensor:
    """Edges outside a random spanning forest, half of them at most, or the only one; ``otherwise`` if there is none."""
    rng = np.random.default_rng(int(torch.randint(2**62, ())))
    forest = spanning_forest(pairs, num_nodes, rng)
    spare = rng.permutation(np.setdiff1d(np.arange(pairs.shape[1]), forest))
    return torch.from_numpy(spare[: min(most, -(-len(spare) // 2))]) if len(spare) else otherwise


def _features(network: StructureNetwork, pairs: Tensor) -> PairFeatures:
    """Features on the graph of edges ``pairs``, whose spectral embedding becomes the network's."""
    from graphvae.evaluation.spectral import spectral_positions

    n, dimensions = network.positions.shape
    found = spectral_positions(matrix_of_ones(torch.cat([pairs, pairs.flip(0)], 1).numpy(), n), dimensions)
    network.positions.zero_()
    network.positions[:, : found.shape[1]] = torch.from_numpy(found).to(network.positions)
    return network.features(pairs)


def _all(features: PairFeatures, pairs: Tensor) -> Tensor:
    """``(P, F)`` features of pairs ``(2, P)``."""
    out = features.positions.new_zeros(pairs.shape[1], features.hops + features.doublings + EXTRA)
    for some, values in features.pairs(pairs.to(out.device)):
        out[some] = values
    return out


def _train(network: StructureNetwork, positive: list[Tensor], negative: list[Tensor], steps: int) -> None:
    """Minimise the balanced log loss of features of edges and of non-edges, hidden part by part.

    A share of the parts is kept aside, and the weights that do best there are kept: a small graph has few edges.
    """
    aside = max(1, int(ASIDE * len(positive))) if len(positive) > 1 else 0
    edges, others = torch.cat(positive[aside:]), torch.cat(negative[aside:])
    kept_edges, kept_others = torch.cat(positive[: aside or None]), torch.cat(negative[: aside or None])
    # torch's optimisers and schedules load its compiler at their first step, more than a second of a short training.
    optimiser = Adam(network.parameters())
    best, state = math.inf, {}
    for step in range(1, steps + 1):
        batch = [some[torch.randint(len(some), (size,))] for some, size in ((edges, BATCH), (others, OTHERS))]
        loss = _loss(network, *batch)
        optimiser.zero_grad()
        loss.backward()
        rate, momentum = one_cycle(step - 1, steps, LEARNING_RATE)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1 - rate * DECAY)
        optimiser.betas = (momentum, 0.999)
        optimiser.step(rate)
        if step % EVERY == 0 or step == steps:
            with torch.no_grad():
                value = float(_loss(network, kept_edges, kept_others))
            if value < best:
                best, state = value, {name: each.clone() for name, each in network.state_dict().items()}
    network.load_state_dict(state)


def one_cycle(step: int, steps: int, highest: float) -> tuple[float, float]:
    """Learning rate and momentum at ``step`` 0 to ``steps - 1``: up to ``highest`` and down again, along cosines.

    Reference:
        Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates (2018);
        the shares and ends are those of torch's ``OneCycleLR``.
    """
    top, last = 0.3 * steps - 1, steps - 1
    low, lowest, slow, fast = highest / 25, highest / 250_000, 0.95, 0.85
    if step <= top:
        rates, momenta, share = (low, highest), (slow, fast), step / top
    else:
        rates, momenta, share = (highest, lowest), (fast, slow), (step - top) / (last - top)
    weight = (1 + math.cos(math.pi * share)) / 2
    return rates[1] + (rates[0] - rates[1]) * weight, momenta[1] + (momenta[0] - momenta[1]) * weight


def _loss(network: StructureNetwork, edges: Tensor, others: Tensor) -> Tensor:
    return softplus(-network(edges)).mean() + softplus(network(others)).mean()
