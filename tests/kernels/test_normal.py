"""Numbers drawn in C are those of torch, and leave its generator where torch does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae.kernels import normal
from graphvae.kernels.normal import standard_normal
from graphvae.training.randomness import kept


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**63 - 1), counts=st.lists(st.integers(0, 1500), min_size=1, max_size=6))
def test_normal_numbers_are_those_that_torch_draws(compiled, seed, counts):
    with kept():
        torch.default_generator.manual_seed(seed)
        ours = [standard_normal(torch.Size((n,)), torch.float32, torch.device("cpu")) for n in counts]
        after = torch.rand(3)
        torch.default_generator.manual_seed(seed)
        for each in ours:
            torch.testing.assert_close(each, torch.randn(len(each)), rtol=1e-5, atol=1e-5)
        assert torch.equal(after, torch.rand(3)), "the state is another"


@pytest.mark.parametrize("how", ["another generator", "no compiler", "double precision"])
def test_torch_draws_what_c_cannot(how, compiled, monkeypatch, request):
    if how == "another generator":
        monkeypatch.setattr(normal, "_knows_the_generator", lambda: False)
    if how == "no compiler":
        request.getfixturevalue("torch_kernels")
    dtype = torch.float64 if how == "double precision" else torch.float32
    with kept():
        torch.default_generator.manual_seed(3)
        ours = standard_normal(torch.Size((5, 8)), dtype, torch.device("cpu"))
        torch.default_generator.manual_seed(3)
        assert torch.equal(ours, torch.randn(5, 8, dtype=dtype))


def test_a_generator_of_another_kind_is_noticed(compiled, monkeypatch):
    assert normal._knows_the_generator()
    monkeypatch.setattr(normal, "STATE_BYTES", 1)
    assert not normal._knows_the_generator.__wrapped__()
    monkeypatch.undo()
    monkeypatch.setattr(normal, "_draw", lambda shape, generator: torch.zeros(shape))
    assert not normal._knows_the_generator.__wrapped__()


def test_threads_draw_different_numbers(compiled):
    with kept(), ThreadPoolExecutor(2) as threads:
        torch.default_generator.manual_seed(0)
        given = torch.Size((100,)), torch.float32, torch.device("cpu")
        drawn = torch.stack(list(threads.map(lambda _: standard_normal(*given), range(400))))
    assert len(drawn.unique(dim=0)) == 400
