"""Whoever ignores edge weights says so, in fit and in reports; whoever reads them says nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import graphvae as gv
from graphvae.nn import CustomEncoder, HopEncoder
from graphvae.nn.encoders import ENCODERS

IGNORED = "Edge weights are ignored: this encoder does not read them."


class Own(nn.Module):
    def forward(self, x, edge_index):
        return x + torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])


class Weighing(nn.Module):
    def forward(self, x, edge_index, edge_weight=None):
        weight = x.new_ones(edge_index.shape[1]) if edge_weight is None else edge_weight
        return x + torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]] * weight[:, None])


CASES = {
    "gcn": ("gcn", True),
    "hops": ("hops", True),
    "hops without hops": (HopEncoder(hops=0), False),
    "hops that stay at home": (HopEncoder(teleport=1.0), False),
    "custom": (CustomEncoder(Own()), False),
    "custom that weighs": (CustomEncoder(Weighing()), True),
}


def graph(weighted: bool = True) -> gv.Graph:
    lesmis = gv.load_graph("lesmis")
    assert lesmis.edge_weight is not None
    x = np.random.default_rng(0).normal(size=(lesmis.num_nodes, 5))
    return lesmis.replace(x=x, **({} if weighted else {"edge_weight": None}))


def test_every_encoder_is_among_the_cases():
    assert {name.split()[0] for name in CASES} == set(ENCODERS)


@pytest.mark.parametrize("name", CASES)
def test_it_says_so_if_and_only_if_weights_change_nothing(name, capsys):
    encoder, reads = CASES[name]
    split = gv.split_links(graph(), val=0.1, test=0.1, seed=0)
    model = gv.VGAE(4, encoder=encoder, epochs=2).fit(split)
    same = np.array_equal(model.transform(split.train), model.transform(split.train.replace(edge_weight=None)))
    assert same != reads
    assert (f"graphvae: {IGNORED}" in capsys.readouterr().err) != reads
    assert (IGNORED in model.evaluate(ranking=False).notes) != reads


def test_without_weights_nothing_is_said(capsys):
    split = gv.split_links(graph(weighted=False), val=0.1, test=0.1, seed=0)
    model = gv.VGAE(4, encoder=CustomEncoder(Own()), epochs=1).fit(split)
    assert IGNORED not in capsys.readouterr().err
    assert IGNORED not in str(model.evaluate(ranking=False))
