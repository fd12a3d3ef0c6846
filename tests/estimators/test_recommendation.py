"""``recommend`` against the logits of all pairs, sorted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import graphvae as gv
from graphvae.estimators import recommendation
from graphvae.estimators.scoring import pair_logits
from graphvae.nn.decoders import DECODERS

LESMIS = gv.load_graph("lesmis")


@pytest.fixture(scope="module", params=sorted(DECODERS))
def case(request):
    split = gv.split_links(LESMIS, val=0.1, test=0.2, seed=0)
    return split, gv.VGAE(decoder=request.param, epochs=5).fit(split)


@pytest.fixture(scope="module")
def model():
    return gv.VGAE(epochs=5).fit(LESMIS)


def brute(model, known: set[tuple[int, int]]) -> list[tuple[float, int, int]]:
    """All unknown pairs u < v below their negated logits, in the order that is promised."""
    n = len(model.fitted.node_ids)
    pairs = [(u, v) for u in range(n) for v in range(u + 1, n) if (u, v) not in known]
    logits = pair_logits(model.fitted, np.array(pairs).T)
    return sorted(zip((-logits).tolist(), *zip(*pairs, strict=True), strict=True))


def edges(split, *, held_out: bool) -> set[tuple[int, int]]:
    parts = [split.train.pairs] if held_out else [split.train.pairs, split.val.positive, split.test.positive]
    return {tuple(pair) for pair in torch.cat(parts, 1).T.tolist()}


def links(found) -> list[tuple[str, str]]:
    return list(zip(found.source.tolist(), found.target.tolist(), strict=True))


@pytest.mark.parametrize("held_out", [False, True])
def test_the_best_of_all_pairs_are_those_that_sorting_gives(case, held_out):
    split, model = case
    names = LESMIS.node_ids
    best = brute(model, edges(split, held_out=held_out))[:60]
    found = model.recommend(k=60, held_out=held_out)
    assert links(found) == [(names[u], names[v]) for _, u, v in best]
    assert found.rank.tolist() == list(range(1, 61))
    # An MLP's products are rounded differently in batches of another size, and calibration magnifies logits.
    np.testing.assert_allclose(found.probability, model.predict_proba(links(found)), rtol=1e-4)


@pytest.mark.parametrize("held_out", [False, True])
def test_the_best_partners_of_nodes_are_those_that_sorting_gives(case, held_out):
    split, model = case
    names = LESMIS.node_ids
    order = brute(model, edges(split, held_out=held_out))
    asked = ["Marius", "Cosette", "Valjean"]
    found = model.recommend(asked, k=7, held_out=held_out)
    expected = []
    for node in asked:
        row = int(LESMIS.rows([node])[0])
        mine = sorted((s, v if u == row else u) for s, u, v in order if row in (u, v))
        expected += [(node, names[other]) for _, other in mine[:7]]
    assert links(found) == expected
    assert found.rank.tolist() == [*range(1, 8)] * 3
    # An MLP's products are rounded differently in batches of another size, and calibration magnifies logits.
    np.testing.assert_allclose(found.probability, model.predict_proba(links(found)), rtol=1e-4)


def test_nodes_that_are_alike_come_in_the_order_of_their_rows(monkeypatch):
    model = gv.VGAE(epochs=1, latent_dim=3).fit(gv.load_graph("karate"))
    model.fitted.mean[:] = np.float32([0.1, 0.7, -1.3])  # all logits equal, but for how a block may add them
    found = model.recommend([33], k=40)
    friends = set(gv.load_graph("karate").edge_index[1, gv.load_graph("karate").edge_index[0] == 33].tolist())
    assert found.target.tolist() == [row for row in range(33) if row not in friends]


@torch.no_grad()
def test_the_slack_covers_the_rounding_of_blocks(case):
    _, model = case
    scores = recommendation.pair_scores(model.fitted)
    everything = slice(0, LESMIS.num_nodes)
    values, slack = scores.block(everything, everything)
    exact = scores.exact(torch.cartesian_prod(*[torch.arange(LESMIS.num_nodes)] * 2).T).view(values.shape)
    assert bool(((values - exact).abs() <= slack).all())
    assert float(torch.as_tensor(slack).max()) < 1e-2


def test_a_model_that_was_loaded_recommends_the_same_without_its_features(tmp_path):
    graph = LESMIS.replace(x=np.random.default_rng(0).normal(size=(77, 4)).astype(np.float32))
    split = gv.split_links(graph, val=0.1, test=0.1)
    for data in (graph, split):
        model = gv.VGAE(epochs=2).fit(data)
        loaded = gv.load(model.save(tmp_path / type(data).__name__))
        for held_out in (False, True):
            assert links(loaded.recommend(k=40, held_out=held_out)) == links(model.recommend(k=40, held_out=held_out))


def test_ids_in_every_form(model):
    expected = links(model.recommend(["Javert", "Cosette"], k=3))
    for ids in (np.array(["Javert", "Cosette"]), ("Javert", "Cosette"), pd.Series(["Javert", "Cosette"])):
        assert links(model.recommend(ids, k=3)) == expected
    assert len(model.recommend([], k=3)) == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"ids": "Javert"}, r"ids='Javert': expected a sequence of node ids"),
        ({"ids": ["Javvert"]}, "'Javvert' is not in the graph"),
        ({"ids": [1]}, "node ids of this graph are strings"),
        ({"ids": [["Javert"]]}, r"ids has shape \(1, 1\)"),
        ({"k": 0}, "k=0"),
        ({"held_out": 1}, "held_out=1"),
    ],
)
def test_what_is_no_question_is_refused(model, arguments, hint):
    with pytest.raises(gv.InputError, match=hint):
        model.recommend(**arguments)


def test_a_damaged_run_is_named(tmp_path, model):
    from safetensors import safe_open
    from safetensors.torch import save_file

    run = model.save(tmp_path / "run")
    with safe_open(run / "graph.safetensors", framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["edge_index"][0, 0] = 77
    save_file(tensors, run / "graph.safetensors", metadata=metadata)
    with pytest.raises(gv.InputError, match=r"graph\.safetensors: its edges are not between rows 0 to 76"):
        gv.load(run).recommend(k=1)
