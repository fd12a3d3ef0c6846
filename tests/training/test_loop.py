"""The training loop: bitwise repeatable, stops where a term is not finite, selects on validation, keeps a history."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import graphvae
from graphvae._check import InputError
from graphvae.training.loop import NonFiniteError, _mode_of, check_learning_rate, resolve_device, train
from graphvae.training.randomness import seeded

CPU = torch.device("cpu")


class Scalar(nn.Module):
    """One number ``w``, and the mode it was last called in."""

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start))


def parabola(module: Scalar):
    return lambda epoch, batch: (module.w.square(), {"fit": module.w.square()})


def fit(module: nn.Module, step, **options):
    return train(module, step, **{"epochs": 5, "learning_rate": 0.1, "seed": 0, "device": CPU, **options})


# Run here and in another process: random steps through dropout and a sampled graph likelihood.
WEIGHTS = """
import torch
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.training.loop import train
from graphvae.training.objectives import OBJECTIVES
from graphvae.training.randomness import seeded

def weights(seed):
    with seeded(seed, "initialise"):
        net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Dropout(0.5))
        x = torch.randn(30, 6)
    edges = torch.stack([torch.arange(29), torch.arange(1, 30)])
    decoder, objective = InnerProductDecoder(), OBJECTIVES["sampled"]
    def step(epoch, batch):
        z = net(x)
        value = objective.reconstruct(decoder(z + torch.randn_like(z))).log_prob(edges)
        return -value / 900, {"reconstruction": value}
    train(net, step, epochs=4, learning_rate=0.01, seed=seed, device=torch.device("cpu"))
    return [p.detach().flatten().view(torch.int32).tolist() for p in net.parameters()]
"""


def test_bitwise_the_same_here_and_in_another_process_whatever_else_draws():
    scope: dict = {}
    exec(WEIGHTS, scope)
    first = scope["weights"](3)
    torch.rand(5)
    np.random.default_rng().random(5)
    assert scope["weights"](3) == first
    assert scope["weights"](4) != first
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(graphvae.__file__).parents[1]),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    script = f"{WEIGHTS}\nimport random\ntorch.manual_seed(1); torch.rand(9)\nprint(weights(3))"
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(first)


def test_steps_are_adam_s():
    ours, theirs = Scalar(), Scalar()
    result = fit(ours, parabola(ours), epochs=7)
    optimiser = torch.optim.Adam(theirs.parameters(), lr=0.1)
    losses = []
    for _ in range(7):
        optimiser.zero_grad()
        loss = theirs.w.square()
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(ours.w, theirs.w, rtol=1e-6, atol=0)
    assert [record["loss"] for record in result.history] == pytest.approx(losses, rel=1e-6)


def test_history_holds_every_term_and_the_callback_sees_it():
    module, seen = Scalar(), []

    def validate():
        assert not module.training
        return {"score": 0.5, "auc": torch.tensor(0.25)}

    def step(epoch, batch):
        assert module.training
        return module.w.square(), {"reconstruction": -module.w, "kl": module.w * 0}

    result = fit(module, step, epochs=3, validate=validate, callback=seen.append)
    assert [record["epoch"] for record in result.history] == [1, 2, 3]
    assert set(result.history[0]) == {"epoch", "loss", "reconstruction", "kl", "val_score", "val_auc"}
    assert result.history[0]["reconstruction"] == -1
    assert all(isinstance(value, (int, float)) for record in result.history for value in record.values())
    assert seen == result.history
    assert result.best_epoch == 3
    assert not module.training


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_term_that_is_not_finite_stops_with_its_name(bad):
    module = Scalar()

    def step(epoch, batch):
        kl = module.w * (bad if epoch == 3 else 0)
        return module.w.square() + kl, {"reconstruction": module.w, "kl": kl}

    with pytest.raises(NonFiniteError, match=rf"epoch 3: kl is {bad}"):
        fit(module, step)
    # The weights are those of the last good step.
    assert bool(torch.isfinite(module.w))


def test_a_loss_that_is_not_finite_stops_though_its_terms_are():
    module = Scalar()
    with pytest.raises(NonFiniteError, match="epoch 1: loss is nan"):
        fit(module, lambda epoch, batch: (module.w * float("nan"), {"fit": module.w}))


def test_a_validation_figure_that_is_not_finite_stops():
    module = Scalar()
    with pytest.raises(NonFiniteError, match="epoch 1: val_score is nan"):
        fit(module, parabola(module), validate=lambda: {"score": float("nan")}, patience=2)


def test_weights_spoilt_by_the_last_step_are_not_handed_back():
    module = Scalar(0.0)
    # sqrt has an infinite slope at 0, and infinity times 0 is not a number: the loss is finite, its gradient is not.
    with pytest.raises(NonFiniteError, match="epoch 1: the weights w are not finite"):
        fit(module, lambda epoch, batch: ((module.w.square()).sqrt(), {}), epochs=1)


def test_patience_keeps_the_best_weights_and_stops():
    module, kept = Scalar(), []

    def validate():
        kept.append(float(module.w.detach()))
        return {"score": [1.0, 3.0, 2.0, 3.0, 2.5, 9.0][len(kept) - 1]}

    result = fit(module, parabola(module), epochs=6, validate=validate, patience=3)
    # Epoch 4 equals the best and does not replace it; epoch 5 is the third without a better one.
    assert (result.best_epoch, len(result.history)) == (2, 5)
    assert float(module.w.detach()) == kept[1] != kept[-1]
    assert not module.training


def test_without_patience_the_last_weights_stay():
    module, scores = Scalar(), iter([3.0, 2.0, 1.0])
    result = fit(module, parabola(module), epochs=3, validate=lambda: {"score": next(scores)})
    alone = Scalar()
    fit(alone, parabola(alone), epochs=3)
    assert result.best_epoch == 3
    assert torch.equal(module.w, alone.w)


def test_patience_needs_validation():
    with pytest.raises(InputError, match="patience=3: expected validate"):
        fit(Scalar(), parabola(Scalar()), patience=3)


def test_what_validation_draws_follows_from_the_seed_alone():
    histories = []
    for caller in (1, 2):
        module = Scalar()
        with seeded(caller):
            before = torch.get_rng_state()
            histories.append(fit(module, parabola(module), validate=lambda: {"score": float(torch.rand(()))}).history)
            assert torch.equal(torch.get_rng_state(), before)
    assert histories[0] == histories[1]
    assert len({record["val_score"] for record in histories[0]}) == 5


def test_training_leaves_torch_as_it_was():
    before = (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())
    state, validation = torch.get_rng_state(), torch.distributions.Distribution._validate_args
    module = Scalar()
    fit(module, lambda epoch, batch: ((module.w + torch.randn(())).square(), {}))
    assert (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.distributions.Distribution._validate_args == validation


def test_an_epoch_is_as_many_steps_as_batches_and_its_record_their_mean():
    ours, theirs, calls = Scalar(), Scalar(), []
    targets = (0.0, 2.0, 5.0)

    def step(epoch, batch):
        calls.append((epoch, batch))
        loss = (ours.w - targets[batch]).square()
        return loss, {"fit": -loss, "target": torch.tensor(targets[batch])}

    result = fit(ours, step, epochs=4, batches=3)
    optimiser, losses = torch.optim.Adam(theirs.parameters(), lr=0.1), []
    for _, batch in calls:
        optimiser.zero_grad()
        loss = (theirs.w - targets[batch]).square()
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
    assert calls == [(epoch, batch) for epoch in (1, 2, 3, 4) for batch in (0, 1, 2)]
    torch.testing.assert_close(ours.w, theirs.w, rtol=1e-6, atol=0)
    means = np.array(losses).reshape(4, 3).mean(1)
    assert [record["loss"] for record in result.history] == pytest.approx(means, rel=1e-5)
    assert [record["fit"] for record in result.history] == pytest.approx(-means, rel=1e-5)
    assert [record["target"] for record in result.history] == pytest.approx([7 / 3] * 4)
    assert result.best_epoch == 4


def test_every_batch_draws_anew_and_the_first_as_if_it_were_alone():
    def drawn(**options):
        module, numbers = Scalar(), []

        def step(epoch, batch):
            numbers.append(float(torch.rand(())))
            return module.w.square(), {}

        fit(module, step, epochs=3, **options)
        return numbers

    one, many = drawn(), drawn(batches=4)
    assert len(set(many)) == 12
    # So a model of one batch, a graph, is trained as it was before there were batches.
    assert many[::4] == one
    assert drawn(batches=4) == many
    assert drawn(batches=4, seed=1) != many


def test_validation_and_patience_count_epochs_not_batches():
    module, scores = Scalar(), iter([1.0, 2.0, 1.5, 1.2, 9.0])
    kept = []

    def validate():
        assert not module.training
        kept.append(float(module.w.detach()))
        return {"score": next(scores)}

    def step(epoch, batch):
        assert module.training
        return module.w.square(), {}

    result = fit(module, step, epochs=5, batches=3, validate=validate, patience=2)
    assert (result.best_epoch, len(result.history)) == (2, 4)
    assert float(module.w.detach()) == kept[1]


def test_a_term_that_is_not_finite_stops_within_the_epoch():
    module, calls = Scalar(), []

    def step(epoch, batch):
        calls.append((epoch, batch))
        return module.w.square(), {"kl": module.w * (float("nan") if (epoch, batch) == (2, 1) else 1)}

    with pytest.raises(NonFiniteError, match="epoch 2: kl is nan"):
        fit(module, step, batches=3)
    assert calls[-1] == (2, 1)


def test_devices(monkeypatch):
    assert resolve_device("cpu") == resolve_device(CPU) == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == CPU
    for device in ("cuda", "cuda:0", torch.device("cuda")):
        with pytest.raises(InputError, match="torch finds no CUDA device here"):
            resolve_device(device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="torch finds 2 CUDA devices here"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("device", ["gpu", "mps", "meta", "", None, 1.5, ["cpu"]])
def test_unknown_devices_are_refused(device):
    with pytest.raises(InputError, match=r"device=.*: expected 'auto', 'cpu' or 'cuda'"):
        resolve_device(device)


def test_the_learning_rate_changes_geometrically_from_the_first_epoch_to_the_last():
    # Of a constant gradient, every step of Adam's is the learning rate.
    module, rates, before = Scalar(0.0), [], [0.0]

    def step(epoch, batch):
        rates.append(before[-1] - float(module.w.detach()))
        before.append(float(module.w.detach()))
        return module.w, {}

    fit(module, step, epochs=3, learning_rate=(1e-1, 1e-3))
    rates.append(before[-1] - float(module.w.detach()))
    np.testing.assert_allclose(rates[1:], [1e-1, 1e-2, 1e-3], rtol=1e-4)


@pytest.mark.parametrize("value", [(0.1,), (0.1, 0.2, 0.3), 0, (0.1, -1), "fast", (0.1, None)])
def test_bad_learning_rates_are_refused(value):
    with pytest.raises(InputError, match="learning_rate="):
        check_learning_rate(value)


def test_one_learning_rate_is_the_first_and_the_last():
    assert check_learning_rate(0.1) == (0.1, 0.1)
    assert check_learning_rate([0.1, 0.2]) == (0.1, 0.2)


def test_a_part_that_sets_its_own_mode_keeps_it():
    frozen = nn.BatchNorm1d(2).eval()
    frozen.train = lambda mode=True: frozen
    for module, kept in ((nn.Sequential(frozen), False), (nn.Sequential(nn.Linear(2, 2)), True)):
        _mode_of(module)(True)
        assert module[0].training == kept


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_part_is_told_its_mode():
    scripted = torch.jit.script(nn.Dropout(0.5))
    _mode_of(nn.Sequential(scripted))(False)
    assert torch.equal(scripted(torch.ones(100)), torch.ones(100))
