"""A user's own module as the encoder: PyG's stacks, edge weights, masking, files, and its refusals."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import graphvae as gv
from graphvae._check import InputError
from graphvae.nn import CustomEncoder


class Mean(nn.Module):
    """Own features and the weighted sum of the neighbours'."""

    seen: ClassVar[list] = []  # of the class, because each fit trains a copy

    def __init__(self, features: int = 5) -> None:
        super().__init__()
        self.own = nn.Linear(features, 6)

    def forward(self, x, edge_index, edge_weight=None):
        self.seen.append((edge_index, edge_weight))
        weight = x.new_ones(edge_index.shape[1]) if edge_weight is None else edge_weight
        around = torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]] * weight[:, None])
        return torch.cat([self.own(x), around], 1)


def graph() -> gv.Graph:
    lesmis = gv.load_graph("lesmis")
    return lesmis.replace(x=np.random.default_rng(0).normal(size=(lesmis.num_nodes, 5)))


def test_pyg_stacks_train_and_keep_what_they_find(tmp_path):
    from torch_geometric.nn import GraphSAGE

    torch.manual_seed(0)
    module, split = GraphSAGE(5, 8, num_layers=2), gv.split_links(graph(), val=0.1, test=0.1, seed=0)
    before = [parameter.clone() for parameter in module.parameters()]
    model = gv.VGAE(4, encoder=CustomEncoder(module), objective="masked", epochs=15).fit(split)
    assert model.history[-1]["loss"] < model.history[0]["loss"]
    # Each fit trains a copy, from the weights the module has.
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    again = gv.VGAE(4, encoder=CustomEncoder(module), objective="masked", epochs=15).fit(split)
    assert np.array_equal(again.embed().vectors, model.embed().vectors)

    model.save(tmp_path / "run")
    with pytest.raises(InputError, match="network=None: expected the CustomEncoder"):
        gv.load(tmp_path / "run")
    loaded = gv.load(tmp_path / "run", network=CustomEncoder(GraphSAGE(5, 8, num_layers=2)))
    assert np.array_equal(loaded.transform(split.train), model.transform(split.train))


def test_weights_and_kept_edges_reach_the_module():
    Mean.seen.clear()
    gv.VGAE(4, encoder=CustomEncoder(Mean()), objective="masked", epochs=2).fit(graph())
    every = graph()
    (last, weight), (masked, masked_weight) = Mean.seen[-1], Mean.seen[1]
    assert torch.equal(last, every.edge_index)
    torch.testing.assert_close(weight, every.edge_weight.float())
    assert 0 < masked.shape[1] < last.shape[1]
    assert len(masked_weight) == masked.shape[1]


def test_a_run_without_modules_takes_none(tmp_path):
    gv.GAE(4, epochs=1).fit(graph()).save(tmp_path / "run")
    with pytest.raises(InputError, match=r"network=.*expected None"):
        gv.load(tmp_path / "run", network=CustomEncoder(Mean()))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(5, 3), "does not take x"),
        (Mean(7), "does not take x"),
        (type("Flat", (nn.Module,), {"forward": lambda self, x, e: x.sum(1)})(), r"puts out \(2,\)"),
    ],
)
def test_modules_that_do_not_fit_are_refused(module, message):
    with pytest.raises(InputError, match=message):
        gv.VGAE(encoder=CustomEncoder(module), epochs=1).fit(graph())


def test_what_is_no_module_or_has_no_features_is_refused():
    with pytest.raises(InputError, match=r"expected a torch.nn.Module"):
        CustomEncoder(len)
    with pytest.raises(InputError, match="no features"):
        gv.VGAE(encoder=CustomEncoder(Mean())).fit(gv.load_graph("karate"))
