"""Logits of a fitted module and the probabilities made of them."""

from __future__ import annotations

import torch

import graphvae as gv
from graphvae.estimators.predicting import calibrate, logits_of, predictions


def test_predictions_are_the_decoder_at_the_means() -> None:
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=0)
    fitted = gv.VGAE(epochs=5).fit(split).fitted
    likelihood = predictions(fitted.module, fitted.mean, split.train.pairs)
    z = torch.from_numpy(fitted.mean)
    u, v = split.test.positive
    torch.testing.assert_close(
        torch.from_numpy(logits_of(likelihood, split.test.positive)), (z[u] * z[v]).sum(1).double()
    )


def test_calibration_names_the_pairs_it_was_fitted_on() -> None:
    split = gv.split_links(gv.load_graph("karate"), val=0.1, test=0.1, seed=0)
    fitted = gv.VGAE(epochs=5).fit(split).fitted
    likelihood = predictions(fitted.module, fitted.mean, split.train.pairs)
    again = calibrate(likelihood, split.train, split.val, split.density, 0)
    assert again.to_dict() == fitted.calibration.to_dict()
    assert again.method == "piecewise"
    assert calibrate(likelihood, split.train, None, split.density, 0).method == "intercept"
