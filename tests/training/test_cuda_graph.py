"""A captured step trains as one that is not: on a CPU with a tape for the graph, on a GPU with the graph."""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import graphvae as gv
from graphvae.kernels import pairs
from graphvae.kernels.softplus import softplus
from graphvae.training import loop
from graphvae.training.cuda_graph import WARM_UP, CapturedStep, CudaRecorder, recorder_for
from graphvae.training.loop import NonFiniteError, train
from graphvae.training.randomness import seeded

# Kernels in C are not on the tape, as those of a GPU are.
pytestmark = pytest.mark.usefixtures("torch_kernels")
CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")


def pointers(tree) -> set[int]:
    return {leaf.untyped_storage().data_ptr() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)}


class Tape(TorchDispatchMode):
    """Every operator that runs, with the very tensors it ran on: what a CUDA graph holds, for a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("the host reads a number")
        out = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, out, pointers((args, kwargs))))
        return out

    @torch.no_grad()
    def play(self) -> None:
        for func, args, kwargs, out, given in self.steps:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                # New memory is written anew; what was changed in place, or is a view, is what it was.
                if isinstance(old, torch.Tensor) and not pointers(old) & given:
                    old.copy_(new)


class TapeRecorder:
    """Records as :class:`CudaRecorder` does: without effect, into memory of its own."""

    def __init__(self) -> None:
        self.optimiser, self.rehearsed, self.replays = None, [], 0

    def rehearse(self, body, strict):
        self.rehearsed.append(strict)
        with Tape() if strict else nullcontext():
            return body()

    def record(self, body):
        # To record, the body runs here; a capture changes nothing, so what was changed is put back.
        adam = self.optimiser
        changed = [*adam._values, *adam._first, *adam._second, *adam._shared.values()]
        before = [each.clone() for each in changed]
        with Tape() as tape:
            figures = body()
        for each, old in zip(changed, before, strict=True):
            each.copy_(old)

        def replay():
            self.replays += 1
            tape.play()
            return figures.clone()

        return replay


@pytest.fixture
def taped(monkeypatch):
    """Training on a CPU as on a GPU, with a tape as the graph."""
    recorder = TapeRecorder()

    class Watched(loop.Adam):
        def __init__(self, parameters):
            super().__init__(parameters)
            recorder.optimiser = self

    monkeypatch.setattr(loop, "Adam", Watched)
    monkeypatch.setattr(loop, "recorder_for", lambda device: recorder)
    return recorder


def dense(z, scale, bias, block, signature, gradient, of_bias):
    """All pairs at once, without a number that the host reads."""
    s = (z if signature is None else z * signature) @ z.T * scale + bias
    p = torch.sigmoid(s)
    return softplus(s).sum(dtype=torch.float64), p @ z, p.sum(dtype=torch.float64)


@pytest.fixture
def nothing_read(monkeypatch):
    """The sum over all pairs reads nothing on the host, as on a GPU; here it is the dense one."""
    monkeypatch.setitem(pairs.SUMS, "blockwise", dense)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        with seeded(0, "net"):
            self.inner, self.x = nn.Linear(5, 3), torch.randn(20, 5)

    def step(self, epoch, batch):
        z = torch.dropout(self.inner(self.x), 0.3, True)
        fit = (z + 0.1 * torch.randn_like(z)).square().mean()
        return fit + self.inner.weight.square().sum(), {"fit": fit}


def run(module: nn.Module, step, **options):
    return train(module, step, **{"epochs": 40, "learning_rate": 0.05, "seed": 3, "device": CPU, **options})


@pytest.mark.parametrize("rate", [0.05, (0.05, 0.001)])
def test_replays_train_as_steps_do(request, rate):
    eager, captured = Net(), Net()
    seen: list = []
    plain = run(eager, eager.step, learning_rate=rate)
    taped = request.getfixturevalue("taped")
    calls: list = []

    def step(epoch, batch):
        calls.append(epoch)
        return captured.step(epoch, batch)

    replayed = run(captured, step, learning_rate=rate, static_from=4, callback=seen.append)
    # The step itself ran up to the recording at epoch 7; its first epochs, which differ, were left alone.
    assert calls == list(range(1, 5 + WARM_UP))
    assert taped.rehearsed == [False, False, True]
    assert taped.replays == 40 - 6
    assert [record["epoch"] for record in replayed.history] == list(range(1, 41))
    assert seen == replayed.history
    for ours, theirs in zip(captured.parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 if isinstance(rate, tuple) else 0)
    for ours, theirs in zip(replayed.history, plain.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)
    # The numbers of one epoch are not those of another.
    assert len({record["fit"] for record in replayed.history}) == 40


@pytest.mark.parametrize("objective", ["kipf:exact", "elbo:exact"])
@pytest.mark.parametrize(
    ("name", "options"),
    [("karate", {"kl_warmup": 3}), ("digits-knn", {}), ("karate", {"dropout": 0.2, "samples": 2})],
    ids=["karate", "digits", "options"],
)
@pytest.mark.usefixtures("nothing_read")
def test_the_exact_step_of_a_graph_can_be_captured_as_it_is(request, objective, name, options):
    split = gv.split_links(gv.load_graph(name), val=0.05, test=0.1, seed=0)
    options = {"objective": objective, "epochs": 25, "seed": 1, **options}
    plain = gv.VGAE(**options).fit(split)
    taped = request.getfixturevalue("taped")
    replayed = gv.VGAE(**options).fit(split)
    assert taped.replays == 26 - max(options.get("kl_warmup", 0), 1) - WARM_UP
    np.testing.assert_array_equal(replayed.embed().vectors, plain.embed().vectors)
    for ours, theirs in zip(replayed.fitted.history, plain.fitted.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("objective", ["kipf:control-variate", "sampled"])
def test_steps_that_are_looked_at_on_the_host_are_not_captured(taped, objective):
    graph = gv.load_graph("karate")
    gv.VGAE(objective=objective, epochs=30).fit(graph)
    assert (taped.replays, taped.rehearsed) == (0, [])


@pytest.mark.usefixtures("nothing_read")
def test_kl_warm_up_is_over_before_the_step_is_captured(taped):
    gv.VGAE(objective="kipf:exact", epochs=40, kl_warmup=10).fit(gv.load_graph("karate"))
    assert taped.replays == 40 - 10 + 1 - WARM_UP


@pytest.mark.parametrize("options", [{"epochs": 20}, {"batches": 2}, {"static_from": None}])
def test_short_runs_and_steps_that_differ_are_left_as_they_are(taped, options):
    module = Net()
    assert len(run(module, module.step, **{"static_from": 1, **options}).history) == options.get("epochs", 40)
    assert taped.replays == 0


def test_a_step_that_reads_a_number_falls_back_with_the_same_result(request):
    eager, captured = Net(), Net()

    def step(net, epoch, batch):
        loss, terms = net.step(epoch, batch)
        return loss * (1 if float(loss.detach()) > 0 else 2), terms

    run(eager, partial(step, eager))
    taped = request.getfixturevalue("taped")
    run(captured, partial(step, captured), static_from=1)
    assert (taped.replays, taped.rehearsed) == (0, [False, False, True])
    for ours, theirs in zip(captured.parameters(), eager.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_recording_that_fails_falls_back():
    class Failing(TapeRecorder):
        def record(self, body):
            raise RuntimeError("capture failed")

    drawn: list = []

    def body(epoch, batch):
        drawn.append(float(torch.rand(())))
        return torch.zeros(1)

    def scope(epoch, batch):
        return seeded(0, epoch)

    recorder = Failing()
    recorder.rehearse = lambda body, strict: body()
    step = CapturedStep(body, scope, 1, recorder)
    for epoch in range(1, 8):
        step(epoch, 0)
    assert step.refused
    expected = []
    for epoch in range(1, 8):
        with seeded(0, epoch):
            expected.append(float(torch.rand(())))
    assert drawn == expected


def test_a_mistake_in_the_step_is_no_reason_to_fall_back():
    def body(epoch, batch):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        CapturedStep(body, lambda epoch, batch: seeded(0, epoch), 1, TapeRecorder())(1, 0)


def test_a_term_that_is_not_finite_is_found_late_and_named_right(taped):
    module = nn.ParameterList([nn.Parameter(torch.ones(()))])

    def step(epoch, batch):
        kl = module[0] * (math.nan if epoch == 5 else 1.0)
        return kl.square(), {"kl": kl}

    with pytest.raises(NonFiniteError, match="epoch 5: kl is nan"):
        run(module, step)


def test_figures_are_read_together_and_with_validation_at_once(taped):
    module, order = Net(), []
    run(module, module.step, epochs=70, static_from=1, callback=lambda record: order.append(record["epoch"]))
    assert order == list(range(1, 71))
    order.clear()

    def validate():
        order.append("validated")
        return {"score": 1.0}

    run(module, module.step, epochs=3, validate=validate, callback=lambda record: order.append(record["epoch"]))
    assert order == ["validated", 1, "validated", 2, "validated", 3]


def test_a_cpu_has_no_recorder():
    assert recorder_for(CPU) is None


@needs_cuda
def test_the_graph_of_a_gpu_trains_as_steps_do():
    graph = gv.load_graph("digits-knn")
    plain = gv.VGAE(objective="kipf:exact", epochs=30, device="cuda")
    original, loop.WORTH_CAPTURING = loop.WORTH_CAPTURING, 10**9
    try:
        plain.fit(graph)
    finally:
        loop.WORTH_CAPTURING = original
    replayed = gv.VGAE(objective="kipf:exact", epochs=30, device="cuda").fit(graph)
    np.testing.assert_allclose(replayed.embed().vectors, plain.embed().vectors, rtol=1e-4, atol=1e-5)


@needs_cuda
def test_a_wait_for_the_gpu_is_refused_before_it_is_captured():
    device = torch.device("cuda")
    recorder = recorder_for(device)
    assert isinstance(recorder, CudaRecorder)
    with pytest.raises(RuntimeError):
        recorder.rehearse(lambda: torch.ones((), device=device) * float(torch.ones((), device=device)), strict=True)
    assert torch.cuda.get_sync_debug_mode() == 0
    torch.rand(3, device=device)
