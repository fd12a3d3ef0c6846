"""The float32 CPU kernels in C, where a compiler was at hand when the package was installed; see ``native.c``.

Each function of the library has a twin of torch operators, which is the reference and serves all other machines,
devices and precisions (:func:`native_runs_on`). None of them differentiates: the autograd functions that call them do.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = [
    "AdamArrays",
    "call",
    "edge_and_node_terms",
    "edge_dots",
    "edge_gradient",
    "load",
    "native_runs_on",
    "pair_estimate",
    "pair_sums",
    "softplus_terms",
    "sparse_product",
]

LEVELS = {"AVX2": "v3", "AVX512": "v4"}
# Numbers in the widest vector, and what rows are padded to.
LANES, STEP = 16, 32
# Pairs, and numbers to read or write, below which a second thread would come too late.
WORTH_THREADS = {"pairs": 1 << 24, "numbers": 1 << 20}

Result = TypeVar("Result")
POINTER, COUNT, SINGLE, DOUBLE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float, ctypes.c_double
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "pair_sums": (None, [POINTER] * 3 + [COUNT] * 3 + [SINGLE] + [COUNT] * 2 + [POINTER] * 3),
    "softplus_terms": (DOUBLE, [POINTER, COUNT, POINTER, POINTER]),
    "edge_and_node_terms": (
        None,
        [POINTER] * 2 + [COUNT] * 2 + [POINTER] * 2 + [COUNT] + [SINGLE] * 2 + [POINTER] * 2 + [SINGLE] + [POINTER] * 2,
    ),
    "edge_dots": (None, [POINTER] * 2 + [COUNT] + [POINTER] * 2 + [COUNT, POINTER]),
    "edge_gradient": (None, [POINTER] * 2 + [COUNT] + [POINTER] * 2 + [COUNT] + [POINTER] * 2),
    "pair_estimate": (
        None,
        [POINTER] + [COUNT] * 3 + [POINTER] * 3 + [COUNT] + [POINTER] * 3 + [DOUBLE] + [POINTER] * 4,
    ),
    "adam": (None, [COUNT] + [POINTER] * 5 + [COUNT] * 2 + [SINGLE] * 6),
    "sparse_product": (None, [POINTER] * 3 + [SINGLE] + [COUNT] * 2 + [POINTER, COUNT, POINTER]),
    "standard_normal": (None, [POINTER] * 2 + [COUNT]),
    "standard_uniform": (None, [POINTER] * 2 + [COUNT]),
    "gaussian": (None, [POINTER] + [COUNT] * 2 + [SINGLE] * 2 + [POINTER] * 3),
    "gaussian_gradient": (None, [POINTER] * 5 + [COUNT] * 2 + [SINGLE] * 2 + [POINTER]),
    "divergence": (None, [POINTER] * 3 + [COUNT] * 2 + [POINTER]),
    "squared_error": (None, [POINTER] * 2 + [COUNT] * 2 + [POINTER]),
    "squared_error_gradient": (None, [POINTER] * 3 + [COUNT] * 2 + [POINTER]),
    "gaussian_draw": (None, [POINTER] * 2 + [COUNT] * 3 + [SINGLE] * 2 + [POINTER] * 3),
    "gaussian_draw_gradient": (None, [POINTER] * 5 + [COUNT] * 3 + [SINGLE] * 2 + [POINTER]),
    "divergence_gradient": (None, [POINTER] * 3 + [COUNT] * 2 + [POINTER] * 2),
}


@cache
def load() -> Any:
    """The library for this processor, or None: not compiled here, or from another source than ``native.c`` is now."""
    here = Path(__file__).parent
    level = LEVELS.get(torch.backends.cpu.get_cpu_capability())
    path = here / f"_native_{level}.so"
    if level is None or not path.is_file():
        return None
    try:
        found = ctypes.CDLL(str(path))
        found.digest.restype = ctypes.c_char_p
        if found.digest().decode() != hashlib.sha256((here / "native.c").read_bytes()).hexdigest():
            return None
    except (OSError, AttributeError):  # of another system, or no library at all
        return None
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def native_runs_on(*tensors: Tensor) -> bool:
    """Whether the kernels take these: float32, on a CPU for which there is a library."""
    for each in tensors:
        if each.dtype != torch.float32 or not each.is_cpu:
            return False
    return load() is not None


def call(name: str, *arguments: Any) -> Any:
    """The function of this name; tensors, contiguous, are passed as where their numbers lie."""
    return getattr(load(), name)(*(_at(each) if isinstance(each, Tensor) else each for each in arguments))


def pair_sums(z: Tensor, scale: Tensor, bias: Tensor, signature: Tensor | None) -> tuple[float, Tensor, float]:
    """What :data:`graphvae.kernels.pairs.Sums` says, with its gradient, in tiles of the library's own."""
    n, d = z.shape
    width = -(-n // STEP) * STEP
    right, signature = pad(z.detach().contiguous(), (0, 0, 0, width - n)), _like(signature, z)
    left = (right * scale if signature is None else right * (scale * signature)).to(z.dtype)
    across = right.T.contiguous()
    threads = _threads(n * n, "pairs")

    def part(index: int) -> tuple[Tensor, Tensor, Tensor]:
        rows, columns, sums = z.new_zeros(width, d), z.new_zeros(d, width), z.new_empty(2, dtype=torch.float64)
        given = *(_at(each) for each in (left, right, across)), n, width, d, float(bias), index, threads
        load().pair_sums(*given, _at(rows), _at(columns), _at(sums))
        return sums, rows, columns

    parts = _each(part, threads)
    value, sigmoids = torch.stack([sums for sums, *_ in parts]).sum(0).tolist()
    # Here, not in the threads, each of which would have torch start as many of its own.
    g = parts[0][1]
    for _, other, _ in parts[1:]:
        g.add_(other)
    for *_, columns in parts:
        g.add_(columns.T)
    return value, g[:n], sigmoids


def softplus_terms(s: Tensor, weights: Sequence[float]) -> tuple[float, Tensor]:
    """The sum of :func:`graphvae.kernels.softplus.softplus_terms` over all of ``s``, and its slope in every number.

    Args:
        s: logits.
        weights: ``plus, minus, c0, c1, c2, around``.
    """
    s = s.detach().contiguous()
    slope = torch.empty_like(s)
    return load().softplus_terms(_at(s), s.numel(), _singles(weights), _at(slope)), slope


def edge_and_node_terms(
    z: Tensor,
    signature: Tensor | None,
    pairs: Tensor,
    scale: float,
    bias: float,
    on_edges: Sequence[float],
    on_nodes: Sequence[float],
    factor: float,
    g: Tensor | None,
) -> list[float]:
    """Terms of the edges ``pairs`` and of the diagonal, with weights as in :func:`softplus_terms`.

    Multiplies ``g`` ``(N, D)`` by ``factor`` and adds the gradient in ``z``.

    Returns:
        of the edges and then of the diagonal, sums of the terms, of their slopes, and of slopes times inner products.
    """
    sums, signature, (u, v) = (DOUBLE * 6)(), _like(signature, z), _ends(pairs)
    load().edge_and_node_terms(
        *(_at(z), _at(signature), *z.shape, u, v, pairs.shape[1]),
        *(scale, bias, _singles(on_edges), _singles(on_nodes), factor, _at(g), sums),
    )
    return list(sums)


def edge_dots(z: Tensor, signature: Tensor | None, pairs: Tensor) -> Tensor:
    """``(E,)`` inner products of rows of ``z`` ``(N, D)``, as :func:`edge_gradient` takes them."""
    dots, signature = z.new_empty(pairs.shape[1]), _like(signature, z)
    u, v = _ends(pairs)
    load().edge_dots(_at(z), _at(signature), z.shape[1], u, v, len(dots), _at(dots))
    return dots


def edge_gradient(z: Tensor, signature: Tensor | None, pairs: Tensor, weight: Tensor, g: Tensor) -> Tensor:
    """Adds to ``g`` the gradient in ``z``, both ``(N, D)``, of the sum of ``weight`` ``(E,)`` times the edges' dots.

    ``z``, ``g`` and ``pairs``, int64, are contiguous.
    """
    weight, signature, (u, v) = weight.contiguous(), _like(signature, z), _ends(pairs)
    load().edge_gradient(_at(z), _at(signature), z.shape[1], u, v, len(weight), _at(weight), _at(g))
    return g


def pair_estimate(
    z: Tensor,
    order: Tensor,
    signature: Tensor | None,
    shifts: Sequence[int],
    edge_keys: Tensor,
    line: Sequence[float],
    weight: float,
) -> tuple[list[float], Tensor]:
    """What :mod:`graphvae.kernels.control_variate` needs of ``z``, in one pass over the nodes for each shift.

    Args:
        z: ``(N, D)``.
        order: ``(N,)`` int32, the nodes' order in the ring.
        signature: ``(D,)`` signs, or None.
        shifts: R of them.
        edge_keys: ``(2 E,)`` sorted ``k N + i``: shift k takes the i-th node of the ring to the other end of an edge.
        line: ``scale, offset, m, c1, c2`` of the residual.
        weight: of a shifted pair beside one of the diagonal.

    Returns:
        20 sums: ``z_i . z_j`` and its square over all pairs, then of ``1, t, p, f, dot, t t, t p, t dot, p dot`` over
        the diagonal, and over the shifted pairs; and ``(N, D)``, the gradient but for ``2 scale signs``.
    """
    (n, d), z = z.shape, z.detach().contiguous()
    wide = -(-d // LANES) * LANES
    signs = _like(signature, z)
    signs = _ones(d, wide) if signs is None else pad(signs, (0, wide - d))
    room, to_z = z.new_empty(2 * n * wide + wide * (wide + 1)), torch.empty_like(z)
    moment, sums = (DOUBLE * (wide * (wide + 1)))(), (DOUBLE * 20)()
    # numpy's search takes microseconds where torch's takes tens of them.
    at = edge_keys.numpy().searchsorted([bound for k in shifts for bound in (k * n, k * n + n)]).tolist()
    ring, given = (COUNT * len(shifts))(*shifts), (DOUBLE * len(line))(*line)
    load().pair_estimate(
        *(
            _at(z),
            n,
            d,
            wide,
            _at(order),
            _at(signs),
            ring,
            len(shifts),
            _at(edge_keys),
            (COUNT * len(at))(*at),
        ),
        *(given, weight, _at(room), _at(to_z), moment, sums),
    )
    return list(sums), to_z


class AdamArrays:
    """Contiguous float32 arrays that Adam changes in place, with its running means of them and of their squares."""

    def __init__(self, values: Sequence[Tensor], first: Sequence[Tensor], second: Sequence[Tensor]) -> None:
        self.kept = [*values, *first, *second]
        count, self.numbers = len(values), sum(each.numel() for each in values)
        self._addresses = POINTER * count
        self._fixed = [self._addresses(*(each.data_ptr() for each in group)) for group in (values, first, second)]
        self._sizes = (COUNT * count)(*(each.numel() for each in values))

    def step(
        self, gradients: Sequence[Tensor], rate: float, betas: tuple[float, float], steps: int, eps: float
    ) -> None:
        """The ``steps``-th step of Adam, from a gradient of every array."""
        (b1, b2), (values, first, second) = betas, self._fixed
        given = [each.contiguous() for each in gradients]
        addresses = self._addresses(*(each.data_ptr() for each in given))
        rates = 1 - b1, b2, 1 - b2, rate / (1 - b1**steps), math.sqrt(1 - b2**steps), eps
        threads = _threads(self.numbers, "numbers")

        def part(index: int) -> None:
            arrays = len(given), values, addresses, first, second, self._sizes
            load().adam(*arrays, index, threads, *rates)

        _each(part, threads)


def sparse_product(
    pointers: Tensor, columns: Tensor, values: Tensor, x: Tensor, constant: float | None = None
) -> Tensor:
    """``(M, D)`` of a matrix in compressed sparse rows, indices int32, times ``x`` ``(N, D)``.

    A ``constant`` stands for all ``values``, which are then not read.
    """
    x, values, (rows, d) = x.contiguous(), values.contiguous(), (len(pointers) - 1, x.shape[1])
    out = x.new_empty(rows, d)
    threads, product = _threads(len(values) * d, "numbers"), load().sparse_product
    read, factor = (values.data_ptr(), 1.0) if constant is None else (None, constant)
    matrix, of, into = (pointers.data_ptr(), columns.data_ptr(), read, factor), x.data_ptr(), out.data_ptr()

    def part(index: int) -> None:
        product(*matrix, rows * index // threads, rows * (index + 1) // threads, of, d, into)

    _each(part, threads)
    return out


@cache
def _ones(count: int, width: int) -> Tensor:
    return pad(torch.ones(count, dtype=torch.float32, device="cpu"), (0, width - count))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _threads(work: int, of: str) -> int:
    return torch.get_num_threads() if work >= WORTH_THREADS[of] else 1


def _each(part: Callable[[int], Result], threads: int) -> list[Result]:
    """``part`` of 0, 1, ..., each in a thread: they run at once, because the library holds no lock of Python's."""
    return [part(0)] if threads == 1 else list(_pool(threads).map(part, range(threads)))


# The threads of a process are not those of one that forks from it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _like(signature: Tensor | None, z: Tensor) -> Tensor | None:
    return None if signature is None else signature.detach().to(z.dtype).contiguous()


def _at(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def _singles(numbers: Sequence[float]) -> Any:
    return (SINGLE * len(numbers))(*numbers)


def _ends(pairs: Tensor) -> tuple[int, int]:
    """Where the first and where the second nodes lie."""
    return pairs.data_ptr(), pairs.data_ptr() + 8 * pairs.shape[1]
