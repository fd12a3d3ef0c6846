"""Kinds of pairs: each pair counted once by degree and once by common neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from graphvae.evaluation.metrics import auc_and_ap
from graphvae.evaluation.slices import SLICES, slice_figures


def test_kinds_share_out_all_pairs_and_have_the_figures_of_their_own() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=90), rng.normal(size=70)
    kinds = [(rng.integers(0, 12, len(s)), rng.integers(0, 3, len(s))) for s in scores]
    found = slice_figures(*scores, *kinds)
    names = list(SLICES)
    for group in (names[:4], names[4:]):
        assert sum(found[name]["edges"] for name in group) == 90
        assert sum(found[name]["non_edges"] for name in group) == 70
    isolated = [s[degree == 0] for s, (degree, _) in zip(scores, kinds, strict=True)]
    row = found["a node without training edges"]
    assert (row["auc"], row["ap"]) == pytest.approx(auc_and_ap(*isolated))


def test_a_kind_without_one_class_has_no_figures() -> None:
    none = (np.array([1]), np.array([0]))
    found = slice_figures([1.0], [0.0], none, (np.array([9]), np.array([2])))
    assert found["common neighbours"] == {"edges": 0, "non_edges": 1, "auc": None, "ap": None}
