"""The evaluation pass against scikit-learn on the logits of the same pairs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import graphvae as gv
from graphvae.estimators import link_metrics as module
from graphvae.estimators.fitting import inputs_of
from graphvae.estimators.link_metrics import link_metrics
from graphvae.estimators.scoring import pair_logits


@pytest.mark.parametrize("options", [{}, {"objective": "elbo", "prior": "features"}])
@pytest.mark.parametrize("block", [7, 1 << 18])
def test_auc_and_ap_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch, options: dict, block: int) -> None:
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", block)
    split = gv.split_links(gv.load_graph("digits-knn"), val=0.02, test=0.05, seed=0)
    model = gv.VGAE(epochs=3, **options).fit(split)
    found = link_metrics(model.fitted.module, inputs_of(split.train), split.test)
    scores = [pair_logits(model.fitted, pairs) for pairs in (split.test.positive, split.test.negative)]
    labels = np.repeat([1, 0], [len(s) for s in scores])
    expected = [metric(labels, np.concatenate(scores)) for metric in (roc_auc_score, average_precision_score)]
    assert found == pytest.approx(expected, abs=1e-6)
