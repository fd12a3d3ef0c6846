"""``encoder="auto"``: what is chosen follows from the graph, what the user says stays, and the reason is kept."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

import graphvae as gv
from graphvae._check import InputError
from graphvae.estimators import auto
from graphvae.estimators.auto import presumed, settle, weights_sentence
from graphvae.estimators.fitting import check_params
from graphvae.nn.hops import HopEncoder
from graphvae.nn.structure import Structure

KARATE = gv.load_graph("karate")
SPLIT = gv.split_links(KARATE, val=0.1, test=0.1, seed=0)
SHORT = {"epochs": 2, "structure": Structure(hops=2, dimensions=2, width=4, steps=10)}


def settled(data: gv.Graph | gv.LinkSplit, **params: object) -> tuple[dict, str]:
    model = gv.VGAE.preset("auto", **params)
    chosen, why = settle(model.get_params(), model.changed(), data)
    return {**model.get_params(), **chosen}, why


def test_the_choice_follows_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, why = settled(SPLIT)
    assert plain["encoder"] == HopEncoder(width=48, hops=3)
    assert "no features on 34 nodes of mean degree 3.8" in why
    featured, why = settled(KARATE.replace(x=np.eye(34, 5, dtype=np.float32)))
    assert featured["encoder"] == HopEncoder()
    assert featured["patience"] is None
    assert "5 features" in why
    assert "No validation pairs" in why
    assert featured["structure"] == plain["structure"] == Structure()
    monkeypatch.setattr(auto, "LARGE", 33)
    large, why = settled(SPLIT)
    assert large["structure"] is None
    assert "walks are left out" in why


def test_walks_go_further_where_short_ones_lead_to_few_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    rings = gv.Graph.from_networkx(nx.disjoint_union(nx.cycle_graph(100), nx.cycle_graph(50)))
    params, why = settled(rings)
    assert params["structure"] == Structure(doublings=3)
    # Of each node's 99 or 49 others twelve are at most six steps away; two nodes in three are in the larger ring.
    assert f"6 steps lead to {100 * 3 * 12 / (2 * 99 + 49):.0f} % of a node's component: walks of up to 48 steps" in why
    short, why = settled(gv.Graph.from_networkx(nx.cycle_graph(40)))
    assert short["structure"] == Structure()
    assert "6 steps" not in why
    assert settled(rings.replace(x=np.eye(150, 5, dtype=np.float32)))[0]["structure"] == Structure()
    monkeypatch.setattr(auto, "FAR", 149)
    assert settled(rings)[0]["structure"] == Structure()


def test_a_graph_without_edges_joined_to_none_is_no_division_by_zero() -> None:
    lonely = gv.Graph(torch.tensor([[0, 1], [1, 0]]), num_nodes=5)
    assert settled(lonely)[0]["structure"] == Structure()
    assert settled(gv.Graph(torch.empty(2, 0, dtype=torch.int64), num_nodes=5))[0]["structure"] == Structure()


def test_what_the_user_says_stays() -> None:
    params, _ = settled(SPLIT, epochs=7, decoder="cosine", patience=3)
    assert (params["epochs"], params["decoder"], params["patience"]) == (7, "cosine", 3)
    assert params["encoder"].hops == 3
    params, why = settled(gv.Graph.from_networkx(nx.cycle_graph(100)), structure=Structure(hops=9))
    assert params["structure"] == Structure(hops=9)
    assert "steps" not in why


def test_another_encoder_leaves_everything_alone() -> None:
    model = gv.VGAE(encoder="hops", epochs=3)
    assert settle(model.get_params(), model.changed(), SPLIT) == ({}, "")
    assert weights_sentence(None) == ""


def test_the_reason_is_reported_and_stored(tmp_path: Path) -> None:
    model = gv.VGAE.preset("auto", **SHORT).fit(SPLIT)
    a, b, _ = model.fitted.module.structure.weights.tolist()  # type: ignore[union-attr]
    assert "auto: no features" in model.fitted.why
    assert f"{a:.2f} of the decoder's and {b:.2f} of" in model.fitted.why
    assert model.fitted.why in str(model.evaluate())
    loaded = gv.load(model.save(tmp_path / "run"))
    assert loaded.fitted.why == model.fitted.why
    assert loaded.get_params() == model.get_params()  # the next fit chooses anew
    assert loaded.fitted.settled["encoder"]["hops"] == 3
    pairs = SPLIT.test.positive.numpy()
    assert np.array_equal(loaded.predict_proba(edge_label_index=pairs), model.predict_proba(edge_label_index=pairs))


def test_what_is_no_graph_is_refused_as_ever() -> None:
    with pytest.raises(InputError, match="expected a Graph"):
        gv.VGAE.preset("auto").fit([1, 2])  # type: ignore[arg-type]


def test_arguments_are_checked_before_the_graph_is_known():
    params = gv.VGAE.preset("auto", epochs=3).get_params()
    assert presumed(params) == {**params, "encoder": "hops"}
    with pytest.raises(InputError, match="dropout"):
        check_params(presumed({**params, "dropout": 0.1}))
    plain = gv.VGAE().get_params()
    assert presumed(plain) == plain
