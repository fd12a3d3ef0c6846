"""The sum over all pairs and its gradient on a GPU: a Triton kernel in the manner of FlashAttention, deterministic.

For ``s_ij = scale z_i . z_j + bias`` it yields ``V = sum_ij softplus(s_ij)``, ``g_i = sum_j sigma(s_ij) z_j`` and
``sum_ij sigma(s_ij)``, from which ``kernels.pairs`` makes all derivatives; no logit ever leaves the chip.

Each unordered pair of tiles is computed once. A program owns a tile of rows I and walks over a span of column tiles
J > I: it keeps ``sum_J P Z_J`` to itself and stores ``P^T Z_I`` of each J in a slot of its own, in a workspace. A
second kernel adds the slots to ``g`` in one fixed order. There are no atomic additions, so the same input gives the
same bits; the price is that every slot is written and read once, ``4 D / rows`` bytes a pair. Bands of row tiles take
turns, so that the workspace stays within :data:`WORKSPACE`.

Logits are taken to base 2, as the hardware's exponential is. With ``u = 2^-|s|`` and ``a = 1 + u``, softplus is
``max(s, 0) + log2 a``: one logarithm serves the product of a row's factors within a tile, each between 1 and 2, and
``(u - (a - 1)) / a`` gives back what rounding took from ``a``, so that a sum of tiny probabilities keeps its value.
Sums are float32 within a tile and float64 beyond.
"""

from __future__ import annotations

import importlib
import inspect
import math
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphvae._check import InputError, one_of

__all__ = ["PRECISIONS", "Tiles", "choose_tiles", "pair_sums", "triton_runs_on"]

#: Products on tensor cores, of operands rounded to 11 bits, or in three of those parts, which is as good as float32.
PRECISIONS = {"tf32": "tf32", "fp32": "tf32x3"}
# Elements of float32 that slots may take at once: 256 MiB.
WORKSPACE = 1 << 26
# Programs of one launch that keep a large GPU busy; fixed, so that no result depends on how many cores it has.
PROGRAMS = 1024

tl: Any = None  # triton.language, where the kernels look for it


class Tiles(NamedTuple):
    """Sizes of a tile, powers of two of at least 16, ``rows`` a multiple of ``columns``; and warps of a program."""

    rows: int
    columns: int
    warps: int


def choose_tiles(num_nodes: int, width: int) -> Tiles:
    """Tiles for N nodes in ``width`` dimensions: small ones where large ones would leave most of a GPU idle.

    Compiled for sm_80 and sm_90 they spill no registers in tf32; not tuned on a GPU.
    """
    if width <= 32:
        return Tiles(64 if num_nodes < 16_384 else 128, 32, 4)
    return Tiles(32 if width == 256 else 64, 32, 8)


def triton_runs_on(z: Tensor) -> bool:
    """Whether the kernels are for ``z``: float32 on an NVIDIA GPU from sm_80 on, with Triton installed.

    D is up to 256, or 128 where a multiprocessor shares less than 160 KiB, as on consumers' cards.
    """
    return z.is_cuda and z.dtype == torch.float32 and z.shape[1] <= _widest(z.device)


@cache
def _widest(device: torch.device) -> int:
    chip = torch.cuda.get_device_properties(device)
    if torch.version.cuda is None or chip.major < 8 or find_spec("triton") is None:
        return -1
    return 256 if getattr(chip, "shared_memory_per_block_optin", 0) >= 160 * 1024 else 128


def pair_sums(
    z: Tensor,
    scale: Tensor,
    bias: Tensor,
    gradient: bool = True,
    *,
    precision: str = "tf32",
    tiles: Tiles | None = None,
    workspace: int = WORKSPACE,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """``V``, ``g`` and ``sum_ij sigma(s_ij)``; the last two only if ``gradient``.

    Args:
        z: ``(N, D)`` float32 positions, any N and D up to 256.
        scale, bias: ``()``.
        gradient: whether to compute more than the value.
        precision: of the products, one of :data:`PRECISIONS`. The 11 bits of ``"tf32"`` are an unbiased rounding of
            the operands, an error of some 1e-4 of the gradient; ``"fp32"`` costs three products for one.
        tiles: sizes of a tile; None chooses.
        workspace: float32 elements that slots may take at once; the result depends on it, and on tiles, by rounding.

    Returns:
        ``()`` float64, ``(N, D)`` float32, ``()`` float64.

    Raises:
        InputError: for another dtype, D above 256, an unknown precision, or where Triton is not installed.
    """
    mode = PRECISIONS[one_of("precision", precision, PRECISIONS)]
    if z.dtype != torch.float32 or z.shape[1] > 256:
        raise InputError(f"z is {z.dtype} of shape {tuple(z.shape)}: Triton's kernel takes float32, D up to 256")
    pairs, fold = _kernels()
    n, d = z.shape
    width = max(16, 1 << (d - 1).bit_length()) if d else 16
    rows, columns, warps = tiles or choose_tiles(n, width)
    row_tiles, column_tiles = -(-n // rows), -(-n // columns)
    padded = z.new_zeros(n, width)
    padded[:, :d] = z
    if precision == "tf32":
        padded = _round_to_tf32(padded)
    line = torch.stack([scale, bias]).to(torch.float32) * math.log2(math.e)
    band = max(1, min(row_tiles, workspace // max(n * width, 1)))
    starts, ratio = range(0, row_tiles, band), rows // columns
    bands = [_spans(first, min(band, row_tiles - first), column_tiles - first * ratio) for first in starts]
    programs = max((taken * spans for _, taken, _, spans in bands), default=0)
    values, totals = torch.zeros(2, programs, dtype=torch.float64, device=z.device)
    g = z.new_zeros((n, width) if gradient else 0)
    down, across = z.new_empty((band, n, width) if gradient else 0), z.new_empty(programs * rows * width * gradient)
    options = {"D": width, "ROWS": rows, "COLUMNS": columns, "num_warps": warps}
    with torch.cuda.device_of(z):
        for first, taken, span, spans in bands:
            pairs[taken, spans](
                *(padded, line, values, totals, down, across, n, first, span, column_tiles),
                **options,
                GRADIENT=gradient,
                ROUND=precision == "tf32",
                PRECISION=mode,
            )
            if gradient:
                fold[(column_tiles - first * ratio,)](g, down, across, n, first, taken, span, spans, **options)
    value = math.log(2) * values.sum()
    return (value, g[:, :d], totals.sum()) if gradient else (value, None, None)


def _spans(first: int, taken: int, width: int) -> tuple[int, int, int, int]:
    """A band of ``taken`` row tiles from ``first`` on, ``width`` column tiles wide: these in a span, and the spans."""
    span = max(1, width * taken // PROGRAMS)
    return first, taken, span, -(-width // span)


def _round_to_tf32(x: Tensor) -> Tensor:
    """To the nearest of 11 significant bits: the hardware would cut the others off, which is biased."""
    far = x * 8193.0  # 2^13 + 1; Veltkamp's splitting, in which what is not finite stays so
    return far - (far - x)


@cache
def _kernels() -> tuple[Any, Any]:
    """Both kernels, compiled when first launched; what they call is looked up among this module's names."""
    try:
        triton = importlib.import_module("triton")
        names: dict[str, Any] = {"tl": importlib.import_module("triton.language")}
    except ImportError:
        raise InputError('backend="triton" needs triton, which comes with torch for CUDA: pip install triton') from None
    names |= {f.__name__: triton.jit(f) for f in (_multiply, _tile)}
    # Without variants for numbers that are 1 or multiples of 16, each of which would be compiled anew.
    plain = ["n", "first", "span", "column_tiles", "taken", "spans"]
    for f in (_pairs, _fold):
        known = [name for name in plain if name in inspect.signature(f).parameters]
        names[f.__name__] = triton.jit(f, do_not_specialize=known)
    globals().update(names)
    return names["_pairs"], names["_fold"]


def _multiply(a, b):
    return a * b


def _tile(value, total, acc, zi, i, z, scale, bias, slots, j, above, n,
          D: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, MASKED: tl.constexpr,
          GRADIENT: tl.constexpr, ROUND: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Add one tile of logits: ordered pairs (I, J), and where it is ``above`` the diagonal (J, I) as well."""
    start = tl.cast(j, tl.int64) * COLUMNS
    inside = tl.arange(0, COLUMNS)[:, None] * D + tl.arange(0, D)[None, :]
    column = (tl.arange(0, COLUMNS) < n - start)[:, None]
    zj = tl.load(z + start * D + inside, mask=column, other=0.0) if MASKED else tl.load(z + start * D + inside)
    s = tl.dot(zi, tl.trans(zj), input_precision=PRECISION) * scale + bias
    u = tl.exp2(-tl.abs(s))
    a = 1.0 + u
    t = 1.0 / a
    rest = (u - (a - 1.0)) * t * 1.4426950408889634 + tl.maximum(s, 0.0)  # log2 e
    p = tl.where(s >= 0.0, t, u * t)
    if MASKED:
        row = (tl.arange(0, ROWS) < n - i * ROWS)[:, None]
        keep = row & tl.trans(column)
        a, rest, p = tl.where(keep, a, 1.0), tl.where(keep, rest, 0.0), tl.where(keep, p, 0.0)
    weight = tl.where(above, 2.0, 1.0)
    value += weight * tl.sum(tl.log2(tl.reduce(a, 1, _multiply)) + tl.sum(rest, 1), 0).to(tl.float64)
    if GRADIENT:
        total += weight * tl.sum(tl.sum(p, 1), 0).to(tl.float64)
        if ROUND:
            p = ((p.to(tl.int32, bitcast=True) + 0x1000) & -0x2000).to(tl.float32, bitcast=True)
        acc = tl.dot(p, zj, acc, input_precision=PRECISION)
        back = tl.dot(tl.trans(p), zi, input_precision=PRECISION)
        if MASKED:
            tl.store(slots + start * D + inside, back, mask=column & above)
        else:
            tl.store(slots + start * D + inside, back)
    return value, total, acc


def _pairs(z, line, values, totals, down, across, n, first, span, column_tiles,
          D: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, GRADIENT: tl.constexpr, ROUND: tl.constexpr,
          PRECISION: tl.constexpr):  # fmt: skip
    """Program (r, c): row tile ``first + r`` with the column tiles of span c that are not left of the diagonal."""
    r, c = tl.program_id(0), tl.program_id(1)
    i = first + r
    ratio: tl.constexpr = ROWS // COLUMNS
    begin = tl.maximum(first * ratio + c * span, i * ratio)
    end = tl.minimum(first * ratio + (c + 1) * span, column_tiles)
    if begin < end:
        inside = tl.arange(0, ROWS)[:, None] * D + tl.arange(0, D)[None, :]
        row = (tl.arange(0, ROWS) < n - i * ROWS)[:, None]
        zi = tl.load(z + tl.cast(i, tl.int64) * ROWS * D + inside, mask=row, other=0.0)
        scale, bias = tl.load(line), tl.load(line + 1)
        slots = down + tl.cast(r, tl.int64) * n * D
        acc = tl.zeros((ROWS, D), tl.float32)
        program = c * tl.num_programs(0) + r
        value, total = tl.load(values + program), tl.load(totals + program)
        # The square on the diagonal first, whose pairs come in both orders; then whatever hangs over the last node.
        square = tl.minimum((i + 1) * ratio, end)
        inner = tl.maximum(begin, square)
        whole = tl.maximum(tl.minimum(n // COLUMNS, end), inner)
        on = tl.maximum(square - begin, 0)
        for k in range(0, on + end - whole):
            j = tl.where(k < on, begin + k, whole + k - on)
            value, total, acc = _tile(value, total, acc, zi, i, z, scale, bias, slots, j, k >= on, n,
                                      D, ROWS, COLUMNS, True, GRADIENT, ROUND, PRECISION)  # fmt: skip
        for j in range(inner, whole):
            value, total, acc = _tile(value, total, acc, zi, i, z, scale, bias, slots, j, True, n,
                                      D, ROWS, COLUMNS, False, GRADIENT, ROUND, PRECISION)  # fmt: skip
        tl.store(values + program, value)
        if GRADIENT:
            tl.store(totals + program, total)
            tl.store(across + tl.cast(program, tl.int64) * ROWS * D + inside, acc)


def _fold(g, down, across, n, first, taken, span, spans,
          D: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    """Add to one column tile of ``g`` what row tiles above it left, and what its own left in every span."""
    ratio: tl.constexpr = ROWS // COLUMNS
    j = first * ratio + tl.program_id(0)
    own = j // ratio - first
    inside = tl.arange(0, COLUMNS)[:, None] * D + tl.arange(0, D)[None, :]
    at = tl.cast(j, tl.int64) * COLUMNS
    column = (tl.arange(0, COLUMNS) < n - at)[:, None]
    acc = tl.load(g + at * D + inside, mask=column, other=0.0)
    for r in range(0, tl.minimum(own, taken)):
        acc += tl.load(down + (tl.cast(r, tl.int64) * n + at) * D + inside, mask=column, other=0.0)
    if own < taken:
        for c in range(own * ratio // span, spans):
            slot = tl.cast(c * taken + own, tl.int64) * ROWS + (j % ratio) * COLUMNS
            acc += tl.load(across + slot * D + inside)
    tl.store(g + at * D + inside, acc, mask=column)
