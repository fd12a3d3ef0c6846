"""A run that was killed and goes on is, bit for bit, the run that was not."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

import graphvae as gv
from graphvae._check import InputError
from graphvae.nn import CustomEncoder
from graphvae.training.checkpoint import Checkpoint
from graphvae.training.masked import MaskedEdges
from graphvae.training.selection import Selection


class Killed(Exception):
    """Like a power cut: nothing after it runs."""


class Dying(Checkpoint):
    """Saves after every epoch, and dies at one."""

    last = 0

    def save(self, tensors, facts):
        super().save(tensors, facts)
        if len(facts["history"]) == self.last:
            raise Killed


def graph() -> gv.Graph:
    lesmis = gv.load_graph("lesmis")
    return lesmis.replace(x=np.random.default_rng(0).normal(size=(lesmis.num_nodes, 5)))


SPLIT = gv.split_links(graph(), val=0.1, test=0.1, seed=0)
X = np.random.default_rng(0).random((40, 6)).astype(np.float32)
Y = np.arange(40) % 3


class Normalising(nn.Module):
    """Has buffers that every step changes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(5, 8), nn.BatchNorm1d(8)

    def forward(self, x, edge_index):
        return self.norm(self.linear(x))


torch.manual_seed(0)
NORMALISING = CustomEncoder(Normalising())

FITS = {
    "exact": lambda: gv.VGAE(4, objective="kipf:exact", epochs=12),
    "control variate": lambda: gv.VGAE(4, objective="kipf:control-variate", samples=2, epochs=12),
    "bound, warm-up, rates": lambda: gv.VGAE(
        4,
        objective="elbo:control-variate",
        prior="features",
        dropout=0.5,
        kl_warmup=9,
        learning_rate=(0.1, 0.01),
        epochs=12,
    ),
    "two players": lambda: gv.VGAE(4, objective="adversarial", epochs=12),
    "masked, mean of the best": lambda: gv.VGAE(
        4,
        encoder="hops",
        decoder="mlp",
        objective=MaskedEdges(),
        patience=Selection(patience=3, every=2, average=2),
        epochs=12,
    ),
    "selected, stopped early": lambda: gv.VGAE(4, patience=5, learning_rate=0.1, epochs=60),
    "buffers": lambda: gv.VGAE(4, encoder=NORMALISING, epochs=12),
    "flow": lambda: gv.VGAE(4, posterior="flow", epochs=12),
    "point": lambda: gv.GAE(4, objective="sampled", epochs=12),
    "AE": lambda: gv.AE(2, (8,), batch_size=16, epochs=12),
    "VAE": lambda: gv.VAE(2, (8,), batch_size=16, likelihood="bernoulli", binarize="stochastic", epochs=12),
    "CVAE": lambda: gv.CVAE(2, (8,), batch_size=16, epochs=12),
    "M2": lambda: gv.SemiSupervisedVAE(2, (8,), batch_size=16, epochs=12),
}


def fit(name, **options):
    model = FITS[name]()
    if isinstance(model, (gv.VGAE, gv.GAE)):
        return model.fit(SPLIT, **options)
    return model.fit(X, Y, **options)


def outcome(model):
    """Weights, records and latent means."""
    if isinstance(model, (gv.VGAE, gv.GAE)):
        return model.fitted.module.state_dict(), model.history, model.embed().vectors
    z = model.transform(X, Y) if isinstance(model, gv.CVAE) else model.transform(X)
    return model.module_.state_dict(), model.history_, z


def assert_same(one, two) -> None:
    (weights, history, z), (weights_two, history_two, z_two) = outcome(one), outcome(two)
    assert history == history_two
    assert all(torch.equal(value, weights_two[name]) for name, value in weights.items())
    assert np.array_equal(z, z_two)


@pytest.mark.parametrize("name", FITS)
def test_killed_and_resumed_it_is_the_same_run(name, tmp_path):
    plain = fit(name)
    epochs = len(outcome(plain)[1])
    assert 3 < epochs < 60
    file = tmp_path / "c.safetensors"
    for last in (1, epochs // 2, epochs - 1):
        file.unlink(missing_ok=True)
        dying = Dying(file, every=0)
        dying.last = last
        with pytest.raises(Killed):
            fit(name, checkpoint=dying)
        assert_same(plain, fit(name, checkpoint=str(file)))


def test_it_may_be_killed_many_times(tmp_path):
    file = tmp_path / "c.safetensors"
    for last in (2, 3, 7, 11):
        dying = Dying(file, every=0)
        dying.last = last
        with pytest.raises(Killed):
            fit("control variate", checkpoint=dying)
    assert_same(fit("control variate"), fit("control variate", checkpoint=file))


def test_that_it_is_saved_changes_nothing(tmp_path):
    file = tmp_path / "new" / "c.safetensors"
    assert_same(fit("masked, mean of the best"), fit("masked, mean of the best", checkpoint=Checkpoint(file, every=0)))
    assert file.is_file()
    assert [each.name for each in file.parent.iterdir()] == ["c.safetensors"]


def test_a_short_run_is_not_saved_at_all(tmp_path):
    fit("exact", checkpoint=tmp_path / "c.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", ["point", "flow"])
def test_another_run_is_refused(other, tmp_path):
    file = tmp_path / "c.safetensors"
    fit("exact", checkpoint=Checkpoint(file, every=0))
    with pytest.raises(InputError, match=r"is of a run with other arguments or data"):
        fit(other, checkpoint=file)
    with pytest.raises(InputError, match=r"is of a run with other arguments or data"):
        FITS["exact"]().fit(graph(), checkpoint=file)
    fit(other, checkpoint=Checkpoint(file, fresh=True))
    assert not file.exists()


def test_other_labels_are_other_data(tmp_path):
    file = tmp_path / "c.safetensors"
    fit("CVAE", checkpoint=Checkpoint(file, every=0))
    with pytest.raises(InputError, match=r"other arguments or data"):
        FITS["CVAE"]().fit(X, (Y + 1) % 3, checkpoint=file)


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"x" * 100, lambda b: b[:-1]])
def test_a_damaged_file_is_named(damage, tmp_path):
    file = tmp_path / "c.safetensors"
    fit("exact", checkpoint=Checkpoint(file, every=0))
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"c\.safetensors is damaged"):
        fit("exact", checkpoint=file)
    with pytest.raises(InputError, match=r"c\.safetensors is damaged"):
        Checkpoint.read_about(file)


def test_a_later_format_is_refused(tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "c.safetensors"
    fit("exact", checkpoint=Checkpoint(file, every=0))
    with safe_open(file, framework="pt") as stored:
        facts = json.loads(stored.metadata()["description"])
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    save_file(tensors, file, metadata={"description": json.dumps({**facts, "format": 9})})
    with pytest.raises(InputError, match="format 9"):
        fit("exact", checkpoint=file)
    del tensors["module.optimiser.steps"]
    save_file(tensors, file, metadata={"description": json.dumps(facts)})
    with pytest.raises(InputError, match=r"c\.safetensors is damaged: KeyError"):
        fit("exact", checkpoint=file)


def test_what_it_says_about_itself(tmp_path):
    file = tmp_path / "c.safetensors"
    fit("exact", checkpoint=Checkpoint(file, every=0, about={"data": "mine"}))
    assert Checkpoint.read_about(file) == {"data": "mine"}
    Checkpoint(file).discard()
    assert not tmp_path.exists()


def test_what_is_no_file(tmp_path):
    for value in (3, ""):
        with pytest.raises(InputError, match="expected the path of a file"):
            fit("exact", checkpoint=value)
    with pytest.raises(InputError, match="every=-1"):
        Checkpoint(tmp_path / "c", every=-1)
