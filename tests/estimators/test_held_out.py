"""What models and baselines are scored on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.estimators import held_out as module
from graphvae.estimators.held_out import binary_adjacency, features_array, held_out, row_logits
from graphvae.evaluation.heuristics import HEURISTICS
from graphvae.variational.likelihoods import PairwiseBernoulli


def graph(features: str | None = "dense", n: int = 40) -> gv.Graph:
    rng = np.random.default_rng(1)
    u, v = np.nonzero(np.triu(rng.random((n, n)) < 0.15, 1))
    x = rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.5)
    x = {"dense": torch.from_numpy(x), "sparse": torch.from_numpy(x).to_sparse_coo(), None: None}[features]
    return gv.Graph([[*u, *v], [*v, *u]], x=x, num_nodes=n)


def test_features_as_the_baselines_take_them():
    dense, sparse = features_array(graph("dense")), features_array(graph("sparse"))
    assert features_array(graph(None)) is None
    assert sparse.format == "csr"
    np.testing.assert_array_equal(sparse.toarray(), dense.astype(np.float64))


def test_hard_non_edges_share_an_end_and_are_none() -> None:
    whole = graph()
    split = gv.split_links(whole, val=0.1, test=0.2, seed=0)
    held = held_out(split, "test", True, 5)
    assert held.candidates.shape == (held.queries.shape[1], 5)
    edges = {frozenset(pair) for pair in whole.pairs.T.tolist()}
    for (u, v), chosen in zip(held.queries.T.tolist(), held.candidates.tolist(), strict=True):
        assert frozenset((u, v)) in edges
        assert all(frozenset((u, w)) not in edges and w not in (u, v) for w in chosen)
    # Harder than non-edges as they come: baselines score them higher.
    scores = HEURISTICS["resource-allocation"].scorer(binary_adjacency(split.train))
    u = np.repeat(held.queries[0], 5)
    assert scores.pairs(np.stack([u, held.candidates.ravel()])).mean() > 2 * scores.pairs(held.negative).mean()


def test_a_part_without_pairs_is_refused() -> None:
    with pytest.raises(gv.InputError, match='part="val": this split holds no val pairs'):
        held_out(gv.split_links(graph(), val=0.0, test=0.2), "val", None, 0)


def test_rows_of_logits_are_the_logits_of_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    likelihood = PairwiseBernoulli(torch.randn(11, 3), torch.tensor(0.5), torch.tensor(-1.0))
    rows = np.array([4, 0, 4])
    pairs = torch.stack([torch.from_numpy(rows).repeat_interleave(11), torch.arange(11).repeat(3)])
    for width in (1, 7, 1 << 18):
        monkeypatch.setattr(module, "PAIRS_AT_ONCE", width)
        found = row_logits(likelihood)(rows)
        torch.testing.assert_close(found, likelihood.logits(pairs).reshape(3, 11))
