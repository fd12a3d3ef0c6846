"""Numbers drawn in C are those of torch, and leave its generator where torch does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae.kernels import draws
from graphvae.kernels.draws import standard_normal, standard_uniform
from graphvae.training.randomness import kept

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("draw", "theirs", "error"), [(standard_normal, torch.randn, 1e-5), (standard_uniform, torch.rand, 0.0)]
)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**63 - 1), counts=st.lists(st.integers(0, 9000), min_size=1, max_size=6))
def test_numbers_are_those_that_torch_draws(compiled, draw, theirs, error, seed, counts):
    """Uniform ones bit for bit, normal ones to rounding; and what is drawn afterwards is the same."""
    with kept():
        torch.default_generator.manual_seed(seed)
        ours = [draw(torch.Size((n,)), torch.float32, CPU) for n in counts]
        after = torch.rand(3)
        torch.default_generator.manual_seed(seed)
        for each in ours:
            torch.testing.assert_close(each, theirs(len(each)), rtol=error, atol=error)
        assert torch.equal(after, torch.rand(3)), "the state is another"


@pytest.mark.parametrize(("draw", "theirs"), [(standard_normal, torch.randn), (standard_uniform, torch.rand)])
@pytest.mark.parametrize("how", ["another generator", "no compiler", "double precision"])
def test_torch_draws_what_c_cannot(how, draw, theirs, compiled, monkeypatch, request):
    if how == "another generator":
        monkeypatch.setattr(draws, "_knows_the_generator", lambda: False)
    if how == "no compiler":
        request.getfixturevalue("torch_kernels")
    dtype = torch.float64 if how == "double precision" else torch.float32
    with kept():
        torch.default_generator.manual_seed(3)
        ours = draw(torch.Size((50, 90)), dtype, CPU)
        torch.default_generator.manual_seed(3)
        assert torch.equal(ours, theirs(50, 90, dtype=dtype))


def test_a_generator_of_another_kind_is_noticed(compiled, monkeypatch):
    assert draws._knows_the_generator()
    monkeypatch.setattr(draws, "STATE_BYTES", 1)
    assert not draws._knows_the_generator.__wrapped__()
    monkeypatch.undo()
    right = draws._draw
    for wrong in ("standard_normal", "standard_uniform"):
        monkeypatch.setattr(
            draws, "_draw", lambda kind, *given, wrong=wrong: right(kind, *given) * (0 if kind == wrong else 1)
        )
        assert not draws._knows_the_generator.__wrapped__()


@pytest.mark.parametrize("draw", [standard_normal, standard_uniform])
def test_threads_draw_different_numbers(draw, compiled):
    with kept(), ThreadPoolExecutor(2) as threads:
        torch.default_generator.manual_seed(0)
        given = torch.Size((draws.MANY,)), torch.float32, CPU
        drawn = torch.stack(list(threads.map(lambda _: draw(*given), range(200))))
    assert len(drawn.unique(dim=0)) == 200
