"""Averages over seeds: the logits of separate fits, at every door, in the run folder too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae.estimators.held_out import row_logits
from graphvae.estimators.members import other_runs
from graphvae.estimators.scoring import pair_logits
from graphvae.training.selection import Selection

SPLIT = gv.split_links(gv.load_graph("lesmis"), val=0.1, test=0.1, seed=0)
THREE = Selection(patience=3, every=2, average=2, seeds=3)


@pytest.mark.parametrize("estimator", [gv.VGAE, gv.GAE])
def test_logits_are_the_means_of_separate_fits(estimator: type, tmp_path: Path) -> None:
    model = estimator(epochs=8, patience=THREE, seed=5).fit(SPLIT)
    pairs = SPLIT.test.positive.numpy()
    given = [model.get_params() | {"patience": replace(THREE, seeds=1)}, *other_runs(model.get_params(), THREE, 5)]
    alone = [estimator(**params).fit(SPLIT) for params in given]
    assert len({each.seed for each in alone}) == 3
    expected = np.mean([pair_logits(each.fitted, pairs) for each in alone], axis=0)
    np.testing.assert_allclose(pair_logits(model.fitted, pairs), expected, rtol=1e-5)
    assert np.array_equal(model.transform(SPLIT.train), alone[0].transform(SPLIT.train))
    rows = row_logits(model.fitted.predictor())(np.arange(SPLIT.train.num_nodes)).numpy()
    np.testing.assert_allclose(rows[pairs[0], pairs[1]], expected, rtol=1e-4, atol=1e-5)
    loaded = gv.load(model.save(tmp_path / "run"))
    assert np.array_equal(loaded.predict_proba(edge_label_index=pairs), model.predict_proba(edge_label_index=pairs))
    best = model.recommend(k=3)
    assert np.array_equal(loaded.recommend(k=3).probability, best.probability)


def test_seeds_go_with_structure() -> None:
    structure = gv.nn.Structure(hops=2, dimensions=2, width=4, steps=10)
    model = gv.VGAE(epochs=4, patience=THREE, structure=structure).fit(SPLIT)
    predictor = model.fitted.predictor()
    pairs = SPLIT.test.positive
    a, b, c = predictor.network.weights
    (told,) = predictor.network.of_pairs(predictor.features, pairs).T
    expected = a * predictor.likelihood.logits(pairs) + b * told + c
    torch.testing.assert_close(torch.from_numpy(pair_logits(model.fitted, pairs)).float(), expected)


def test_without_selection_there_is_one_run() -> None:
    assert other_runs({"seed": 1}, None, 1) == []
    assert other_runs({"seed": 1}, Selection(), 1) == []
