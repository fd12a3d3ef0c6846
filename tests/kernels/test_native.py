"""The kernels in C against their twins in torch, in float64; and which library is taken."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.kernels import native
from graphvae.kernels.control_variate import ControlVariate, estimate_and_gradient
from graphvae.kernels.edges import EdgeSet, edge_dots
from graphvae.kernels.pair_terms import PairWeights, pair_terms
from graphvae.kernels.pairs import pair_softplus_sum
from graphvae.kernels.softplus import softplus_terms

SIZES = {"n": st.integers(2, 600), "d": st.sampled_from([1, 3, 8, 16, 18, 32, 40]), "seed": st.integers(0, 99)}
WEIGHTS = st.floats(-3, 3)


@pytest.fixture(autouse=True)
def _compiled(request):
    if "compiler" not in request.node.name:
        request.getfixturevalue("compiled")


def test_where_there_is_a_compiler_there_is_a_library():
    """An install without one is an install with a fault that shows in nothing but time."""
    known = platform.system() == "Linux" and platform.machine() == "x86_64" and shutil.which("cc")
    if not known or torch.backends.cpu.get_cpu_capability() not in native.LEVELS:
        pytest.skip("no C compiler for x86-64 Linux, or a processor without AVX2")
    assert native.load() is not None, "after a change of native.c: pip install -e . --no-deps"


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def close(ours, theirs, rtol=2e-5) -> None:
    for one, other in zip(ours, theirs, strict=True):
        size = float(other.abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(one.double(), other.double(), rtol=rtol, atol=rtol * (1e-3 + size))


def with_gradients(function, *leaves: torch.Tensor) -> list[torch.Tensor]:
    leaves = tuple(each.clone().requires_grad_() for each in leaves)
    value = function(*leaves)
    weight = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view(value.shape)
    return [value.detach(), *torch.autograd.grad((value * weight).sum(), leaves)]


def both(function, *leaves: torch.Tensor) -> None:
    """In float32, which is C, and in float64, which is torch."""
    close(with_gradients(function, *(each.float() for each in leaves)), with_gradients(function, *leaves))


def some_edges(n: int, seed: int) -> torch.Tensor:
    pairs = torch.triu_indices(n, n, 1)
    keep = torch.randperm(pairs.shape[1], generator=torch.Generator().manual_seed(seed))[: 3 * n]
    return pairs[:, keep.sort().values]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(**SIZES, signed=st.booleans())
def test_inner_products_of_edges(n, d, seed, signed):
    edges = EdgeSet(some_edges(n, seed), n)
    signature = torch.linspace(-1, 1, d) if signed else None
    both(lambda z: edge_dots(z, edges, None if signature is None else signature.to(z.dtype)), draw(n, d, seed=seed))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(count=st.integers(0, 700), plus=WEIGHTS, minus=WEIGHTS, polynomial=st.tuples(*[WEIGHTS] * 3), around=WEIGHTS)
def test_terms_of_logits(count, plus, minus, polynomial, around):
    both(
        lambda s: softplus_terms(s, plus=plus, minus=minus, polynomial=polynomial, around=around),
        draw(count, scale=20.0),
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(**SIZES, all_pairs=WEIGHTS, on=st.tuples(*[WEIGHTS] * 6), signed=st.booleans(), scale=st.floats(-2, 2))
def test_a_weighted_sum_over_all_pairs_edges_and_nodes(n, d, seed, all_pairs, on, signed, scale):
    edges, weights = EdgeSet(some_edges(n, seed), n), (PairWeights(*on[:3]), PairWeights(*on[3:]))
    signature = torch.linspace(-1, 1, d) if signed else None

    def terms(z, scale, bias):
        signs = None if signature is None else signature.to(z.dtype)
        return pair_terms(z, scale, bias, edges, all_pairs, *weights, signature=signs)

    # Where terms cancel, the error is that of the largest.
    leaves = draw(n, d, seed=seed, scale=d**-0.5), torch.tensor(scale).double(), torch.tensor(-1.0).double()
    ours, theirs = with_gradients(terms, *(each.float() for each in leaves)), with_gradients(terms, *leaves)
    size = (abs(all_pairs) + max(map(abs, on), default=0) / n) * n * n
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5 * (size if other.dim() == 0 else 5 * n))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(**SIZES, signed=st.booleans(), scale=st.floats(0.2, 2), bias=st.floats(-9, 3))
def test_an_estimate_by_the_same_shifts(n, d, seed, signed, scale, bias):
    edges = some_edges(n, seed)
    shifts = torch.randint(1, n, (3,), generator=torch.Generator().manual_seed(seed)).tolist()
    found, kept = [], []
    for dtype in (torch.float32, torch.float64):
        variate = ControlVariate(n, edges)
        # An odd fit: every coefficient counts.
        fit = {"coefficients": [-0.5, 0.4, 0.3, 0.07], "moments": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]}
        variate.load_state_dict(fit)
        z, signs = draw(n, d, seed=seed, scale=d**-0.5).to(dtype), torch.linspace(-1, 1, d, dtype=dtype)
        given = z, torch.tensor(scale, dtype=dtype), torch.tensor(bias, dtype=dtype), signs if signed else None
        value, *gradient = estimate_and_gradient(*given, [True] * 3, variate, shifts)
        found.append([torch.as_tensor(value).double(), *gradient])
        kept.append(torch.as_tensor(variate.state_dict()["moments"], dtype=torch.float64))
    for one, other in zip([*found[0], kept[0]], [*found[1], kept[1]], strict=True):
        size = n * n if other.dim() == 0 else float(other.abs().max())
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5 * size)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_shows_in_every_sum(at):
    z = draw(70, 16).float()
    z[3, 5] = at
    edges, one, zero = EdgeSet(some_edges(70, 0), 70), torch.ones(()), torch.zeros(())
    z.requires_grad_()
    sums = [
        pair_softplus_sum(z, one, zero, backend="native"),
        pair_terms(z, one, zero, edges, 1.0, PairWeights(linear=1.0), PairWeights()),
        pair_terms(z, one, zero, edges, 1.0, PairWeights(), PairWeights(), variate=ControlVariate(70, edges.pairs)),
        softplus_terms(z[3], plus=1.0),
    ]
    for value in sums:
        assert not torch.isfinite(value)


def test_threads_change_nothing_but_the_rounding(monkeypatch):
    n = 1200
    z, matrix = draw(n, 16).float(), EdgeSet(some_edges(n, 0), n).weighted(torch.ones(3 * n))
    given = matrix.row_pointers, matrix.columns, matrix.values

    def run() -> list[torch.Tensor]:
        weights = [torch.ones(1001), torch.zeros(1001), torch.zeros(1001)]
        adam = native.AdamArrays(*([each] for each in weights))
        adam.step([torch.linspace(-1, 1, 1001)], 0.1, (0.9, 0.999), 1, 1e-8)
        value, g, sigmoids = native.pair_sums(z, torch.tensor(1.0), torch.tensor(-1.0), None)
        return [torch.tensor([value, sigmoids]), g, native.sparse_product(*given, z), *weights]

    alone = run()
    monkeypatch.setattr(native, "WORTH_THREADS", dict.fromkeys(native.WORTH_THREADS, 0))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    together = run()
    close(together, [each.double() for each in alone], rtol=1e-6)
    assert all(torch.equal(*two) for two in zip(run(), together, strict=True))


def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place for source and libraries."""
    for path in Path(native.__file__).parent.glob("*native*"):
        shutil.copy(path, tmp_path / path.name) if path.is_file() else None
    monkeypatch.setattr(native, "__file__", str(tmp_path / "native.py"))
    return tmp_path


def test_a_library_of_this_source_is_taken(tmp_path, monkeypatch):
    folder(tmp_path, monkeypatch)
    assert native.load.__wrapped__() is not None


def test_a_library_of_another_source_is_not(tmp_path, monkeypatch):
    with (folder(tmp_path, monkeypatch) / "native.c").open("a") as source:
        source.write("/* changed since */")
    assert native.load.__wrapped__() is None


def test_without_a_library_everything_is_torch(tmp_path, monkeypatch):
    for path in folder(tmp_path, monkeypatch).glob("*.so"):
        path.unlink()
    monkeypatch.setattr(native, "load", native.load.__wrapped__)
    assert not native.native_runs_on(torch.zeros(2))


@pytest.mark.parametrize("capability", ["DEFAULT", "SVE256"])
def test_other_processors_have_none(monkeypatch, capability):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert native.load.__wrapped__() is None


@pytest.mark.parametrize("n", [32, 33])
def test_strides_do_not_matter(n):
    wide = draw(n, 40).float()
    edges, one, zero = EdgeSet(some_edges(n, 0), n), torch.ones(()), torch.zeros(())
    for z in (wide[:, ::2], wide[:, 3:19], wide[:, :16].T.contiguous().T):
        for function in (
            lambda z: pair_softplus_sum(z, one, zero, signature=torch.ones(2 * z.shape[1])[::2]),
            lambda z: edge_dots(z, edges),
            lambda z: pair_terms(z, one, zero, edges, 1.0, PairWeights(), PairWeights(), variate=None),
        ):
            close(with_gradients(function, z), with_gradients(function, z.contiguous().clone()), rtol=1e-6)


def test_a_process_that_forks_has_threads_of_its_own():
    pool = native._pool(2)
    assert list(pool.map(abs, [-1, 1])) == [1, 1]
    code = os.fork() if hasattr(os, "fork") else pytest.skip("no fork here")
    if code == 0:
        os._exit(0 if native._pool(2) is not pool and list(native._pool(2).map(abs, [-1])) == [1] else 1)
    assert os.waitpid(code, 0)[1] == 0


@pytest.mark.parametrize("wrong", ["rows", "signature", "variate", "edges of the variate"])
def test_what_does_not_fit_is_refused_before_c_reads_beyond_it(wrong):
    z, one, zero = torch.zeros(5 if wrong == "rows" else 6, 16), torch.ones(()), torch.zeros(())
    edges = EdgeSet(torch.tensor([[0, 1], [5, 2]]), 6)
    variate = ControlVariate(7 if wrong == "variate" else 6, None if wrong == "edges of the variate" else edges.pairs)
    signature = torch.ones(3) if wrong == "signature" else None
    with pytest.raises(InputError, match="expected"):
        pair_terms(z, one, zero, edges, 1.0, PairWeights(), PairWeights(), signature=signature, variate=variate)
    if wrong in ("rows", "signature"):
        with pytest.raises(InputError, match="expected"):
            edge_dots(z, edges, signature)
    if wrong == "signature":
        with pytest.raises(InputError, match="expected"):
            pair_softplus_sum(z, one, zero, signature=signature)


def test_a_signature_may_be_of_another_precision():
    z, edges, one, zero = draw(40, 16).float(), EdgeSet(some_edges(40, 0), 40), torch.ones(()), torch.zeros(())
    signature, weights = torch.linspace(-1, 1, 16), (1.0, PairWeights(minus=2.0), PairWeights(plus=1.0))
    for function in (
        lambda z, signs: pair_softplus_sum(z, one, zero, signature=signs),
        lambda z, signs: edge_dots(z, edges, signs),
        lambda z, signs: pair_terms(z, one, zero, edges, *weights, signature=signs),
    ):
        found = [with_gradients(lambda z, f=function, s=signs: f(z, s), z) for signs in (signature.double(), signature)]
        close(*found, rtol=1e-6)


def test_the_default_precision_does_not_matter():
    z, variate = draw(50, 18).float(), ControlVariate(50)
    given = z, torch.tensor(1.0), torch.tensor(-1.0), None, [True] * 3, variate, [3, 7]
    native._ones.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        found = estimate_and_gradient(*given, trained=False)
    finally:
        torch.set_default_dtype(torch.float32)
    native._ones.cache_clear()
    expected = estimate_and_gradient(*given, trained=False)
    assert found[0] == expected[0]
    assert torch.equal(found[1], expected[1])


def test_what_is_no_library_is_not_taken(tmp_path, monkeypatch):
    for path in folder(tmp_path, monkeypatch).glob("*.so"):
        path.write_bytes(b"")
    assert native.load.__wrapped__() is None
