"""``Structure``: what the edges of a graph themselves say of a pair of nodes, learned beside the latent positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from graphvae._check import integer
from graphvae.kernels.propagation import propagate
from graphvae.kernels.sparse import SparseMatrix

__all__ = ["PairFeatures", "Structure", "StructureNetwork"]

# Pairs whose features and hidden units are held at once: some 100 MB.
PAIRS_AT_ONCE = 500_000
# Features beside the walks of 2 to K steps; chance that PageRank's walk goes on.
EXTRA, DAMPING = 4, 0.85


@dataclass(frozen=True)
class Structure:
    """Settings of a network on what a graph's edges say of a pair, whose logit is added to the decoder's.

        s_ij = a score(z_i, z_j) + b network(common neighbours, walks, PageRank, spectral product, degrees)_ij + c

    The network is trained after encoder and decoder, on edges hidden from it: the graph without a tenth of its edges is
    asked for these. The weights a and b are at least 0 and are fitted on validation pairs, with the prior that both are
    a half; so a network that says nothing is left out. The bound is that of encoder and decoder alone: given the edges,
    there is no likelihood of them.

    In a graph where K steps lead to few of the nodes, walks must be longer to tell a pair far apart from one that no
    path joins. With ``doublings`` D, walks of K + 1 to 2 K steps are one more feature, those of up to 4 K another, and
    so on to 2^D K; and PageRank is a third score, of a weight at least 0 whose prior is 0, because edges hidden from a
    sparse graph often cut it, and a network that has learned from these may do worse than PageRank by itself.

    Args:
        hops: K, the most steps of a walk that is a feature by itself.
        dimensions: of the spectral embedding.
        width: of the network's two hidden layers.
        steps: of its training.
        doublings: D, how often the reach of walks is doubled.
    """

    hops: int = 6
    dimensions: int = 32
    width: int = 32
    steps: int = 800
    doublings: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hops", integer("hops", self.hops, low=2))
        for name in ("dimensions", "width", "steps"):
            object.__setattr__(self, name, integer(name, getattr(self, name), low=1))
        object.__setattr__(self, "doublings", integer("doublings", self.doublings, low=0, high=8))

    def settings(self) -> dict[str, int]:
        """The arguments this object can be built from again."""
        return asdict(self)

    def build(self, num_nodes: int) -> StructureNetwork:
        """A fresh network for N nodes."""
        return StructureNetwork(self, num_nodes)


class PairFeatures:
    """Features of pairs on one graph: common neighbours, walks, nearness in a spectral embedding, and both degrees.

    A walk of l = 2 to K steps counts ``(D^(-1/2) A D^(-1/2))^l_uv``; with the degrees, resource allocation is that of
    two steps. Then come walks of K + 1 to 2 K steps, together, and so on, and personalised PageRank, a sum over all.
    Blocks of rows are walked at once, so nothing is N x N.

    Args:
        pairs: ``(2, E)`` edges, in one direction or both.
        positions: ``(N, K)`` whose products are the spectral nearness.
        hops: K, the most steps of a walk that is a feature by itself.
        doublings: how often that many steps are doubled.
    """

    def __init__(self, pairs: Tensor, positions: Tensor, hops: int, doublings: int = 0) -> None:
        n, device = len(positions), positions.device
        keys = torch.unique(torch.cat([pairs[0] * n + pairs[1], pairs[1] * n + pairs[0]]).to(device))
        source, target = keys // n, keys % n
        degrees = torch.bincount(source, minlength=n)
        pointers = torch.cat([degrees.new_zeros(1), degrees.cumsum(0)])
        root = degrees.clamp(min=1).rsqrt()
        ones = torch.ones(len(keys), device=device)
        self.adjacency = SparseMatrix.from_csr(pointers, target, ones, (n, n))
        self.walk = SparseMatrix.from_csr(pointers, target, root[source] * root[target], (n, n))
        self.log_degrees, self.positions = torch.log1p(degrees.float()), positions
        self.hops, self.doublings = hops, doublings

    @property
    def num_nodes(self) -> int:
        """N."""
        return len(self.positions)

    def rows(self, nodes: Tensor) -> Tensor:
        """``(R, N, F)`` features of the pairs of ``nodes`` ``(R,)`` and every node."""
        return torch.stack(self._columns(nodes), -1)

    def _columns(self, nodes: Tensor) -> list[Tensor]:
        """The features one by one, ``(R, N)`` each."""
        start = self.positions.new_zeros(self.num_nodes, len(nodes))
        start[nodes, torch.arange(len(nodes), device=nodes.device)] = 1.0
        parts = [propagate(self.adjacency, propagate(self.adjacency, start)).T]
        before, walks, taken = start, propagate(self.walk, start), 1
        pagerank = torch.zeros_like(walks)
        for last in [*range(2, self.hops + 1), *(self.hops << k for k in range(1, self.doublings + 1))]:
            together = torch.zeros_like(walks)
            while taken < last:
                before, walks, taken = walks, propagate(self.walk, walks), taken + 1
                together += walks
                pagerank += DAMPING**taken * walks
            parts.append(together.T)
        # Walks that are longer are taken to be like the last; on a graph of two sides these alternate.
        pagerank += (before + walks) / 2 * (DAMPING ** (taken + 1) / (1 - DAMPING))
        degrees = self.log_degrees.expm1().clamp(min=1)
        ratio = (degrees[nodes, None] / degrees).sqrt()
        parts += [pagerank.T * (ratio + 1 / ratio), self.positions[nodes] @ self.positions.T]
        own = self.log_degrees[nodes, None]
        return [*parts, torch.minimum(own, self.log_degrees), torch.maximum(own, self.log_degrees)]

    def pairs(self, pairs: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Where in ``pairs`` ``(2, P)`` some are, and their features ``(some, F)``, part by part."""
        first, second = pairs.min(0).values, pairs.max(0).values
        sources, index = torch.unique(first, return_inverse=True)
        width = max(1, PAIRS_AT_ONCE // max(self.num_nodes, 1))
        order = torch.argsort(index, stable=True)
        for low in range(0, len(sources), width):
            a, b = torch.searchsorted(index[order], torch.tensor([low, low + width], device=index.device)).tolist()
            some = order[a:b]
            columns, at = self._columns(sources[low : low + width]), (index[some] - low, second[some])
            yield some, torch.stack([column[at] for column in columns], -1)


class StructureNetwork(nn.Module):
    """From features of pairs to logits; how features are scaled, and how much the logits count, is stored with it.

    Args:
        settings: widths and sizes.
        num_nodes: N.
    """

    positions: Tensor
    unit: Tensor
    mean: Tensor
    deviation: Tensor
    weights: Tensor

    def __init__(self, settings: Structure, num_nodes: int) -> None:
        super().__init__()
        self.hops, self.doublings, width = settings.hops, settings.doublings, settings.width
        features = self.hops + self.doublings + EXTRA
        self.register_buffer("positions", torch.zeros(num_nodes, settings.dimensions))
        self.register_buffer("unit", torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.register_buffer("weights", torch.tensor([0.5, 0.5, *([0.0] if self.doublings else []), 0.0]))
        self.layers = nn.Sequential(
            nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def features(self, pairs: Tensor) -> PairFeatures:
        """Features on the graph of edges ``pairs`` ``(2, E)``, whose spectral embedding this network holds."""
        return PairFeatures(pairs, self.positions, self.hops, self.doublings)

    @torch.no_grad()
    def scale_to(self, features: Tensor) -> None:
        """Take the scales of inputs from ``features`` ``(P, F)``: walks differ by orders of magnitude."""
        for k, column in enumerate(features.abs().T):
            some = column[column > 0]
            if len(some):
                # Products of positions may cancel to nothing but rounding errors.
                self.unit[k] = torch.maximum(some.quantile(0.1), 1e-4 * some.max())
        values = torch.asinh(features / self.unit)
        self.mean.copy_(values.mean(0))
        spread = values.std(0, correction=0)
        # What is the same everywhere here may be another thing later, and must not count for a million times more.
        self.deviation.copy_(torch.where(spread > 1e-3, spread, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """``(*,)`` logits of features ``(*, F)``."""
        return self.layers(self._scaled(features)).squeeze(-1)

    def _scaled(self, features: Tensor) -> Tensor:
        return (torch.asinh(features / self.unit) - self.mean) / self.deviation

    def _scores(self, features: Tensor) -> Tensor:
        """``(*, S)`` what is weighed: the logit, and with doublings PageRank, which is before the last three."""
        values = self._scaled(features)
        logits = self.layers(values)
        return torch.cat([logits, values[..., -EXTRA : 1 - EXTRA]], -1) if self.doublings else logits

    @torch.no_grad()
    def of_pairs(self, features: PairFeatures, pairs: Tensor) -> Tensor:
        """``(P, S)`` scores of pairs ``(2, P)``."""
        out = self.positions.new_zeros(pairs.shape[1], len(self.weights) - 2)
        for some, values in features.pairs(pairs):
            out[some] = self._scores(values)
        return out

    @torch.no_grad()
    def of_rows(self, features: PairFeatures, nodes: Tensor) -> Tensor:
        """``(R, N, S)`` scores of ``nodes`` with every node."""
        parts = nodes.split(max(1, PAIRS_AT_ONCE // max(features.num_nodes, 1)))
        return torch.cat([self._scores(features.rows(part)) for part in parts])
