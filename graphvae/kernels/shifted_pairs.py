"""Sums over the diagonal and over shifted pairs, which the estimate in :mod:`graphvae.kernels.control_variate` is of.

Here they are made of torch's operators, for every device and precision: the reference of
:func:`graphvae.kernels.native.pair_estimate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from graphvae.kernels.softplus import softplus

__all__ = ["Residuals", "Ring", "numbers", "shifted_sums"]

# Elements of z in one block of rows: measured on a CPU; a GPU wants few launches instead.
BLOCK = {"cpu": 1 << 17, "cuda": 1 << 24}


class Ring(Protocol):
    """The nodes in the order in which shifts are taken, and the edges among the shifted pairs."""

    order: Tensor
    place: Tensor
    edge_keys: Tensor

    def clear_edges(self, columns: Tensor, k: int, first: int) -> None:
        """Zero the ``columns``, nodes from ``first`` on, that shift k takes to the other end of an edge."""


def shifted_sums(
    z: Tensor,
    signature: Tensor | None,
    shifts: Sequence[int],
    block: int | None,
    ring: Ring,
    residuals: Residuals,
    weight: float,
    gradient: bool,
) -> tuple[Any, Any, Tensor, Tensor, Tensor | None]:
    """In torch's operators, the reference of :func:`graphvae.kernels.native.pair_estimate`.

    Returns:
        sums of ``z_i . z_j`` and of its square over all pairs, then nine over the diagonal and nine over the shifted
        pairs; and ``(N, D)``, the gradient but for ``2 scale signs``, if wanted.
    """
    (n, d), signs = z.shape, z.new_ones(z.shape[1]) if signature is None else signature
    if block is None:
        block = max(BLOCK.get(z.device.type, BLOCK["cuda"]) // max(d, 1), 256)
    block = min(block, max(n, 1))
    z = _gather(z, ring.order)
    total, second = z.new_zeros(d, dtype=torch.float64), z.new_zeros(d, d, dtype=torch.float64)
    for rows in z.split(block):
        total += rows.sum(0)
        second += rows.T @ rows
    inner = numbers(total.dot(signs * total))
    squares = numbers((signs[:, None] * second * signs).mul(second).sum())
    g = None
    if gradient:
        g = torch.empty_like(z)
        (_, _, c1, c2), offset = residuals.fit, residuals.offset
        constant = (total * (c1 + 2 * c2 * offset)).to(z.dtype)
        matrix = (signs[:, None] * second * (2 * c2 * residuals.scale)).to(z.dtype)
        for rows, out in zip(z.split(block), g.split(block), strict=True):
            torch.addmm(constant, rows, matrix, out=out)
    gram = _at_once if 0 < n <= block else _in_blocks
    diagonal, sampled = gram(z, signs, shifts, block, ring, residuals, weight, g)
    return inner, squares, _sums(diagonal), _sums(sampled), None if g is None else _gather(g, ring.place)


def _sums(gram: Tensor) -> Tensor:
    """``(9,)`` of the Gram matrix of 1, t, p, f and dot: of 1, t, p, f, dot, t t, t p, t dot and p dot."""
    return torch.cat([gram[0], gram[1, 1:3], gram[1:3, 4]])


def numbers(x: Tensor) -> Any:
    """One or more numbers to reckon with in double.

    On a CPU they are Python's, at a tenth of the cost; on a GPU, which would have to be waited for, tensors.
    """
    return x.tolist() if x.device.type == "cpu" else x.double()


class Residuals(NamedTuple):
    """What turns inner products into the five rows whose Gram matrix the sums are read from, and into slopes."""

    scale: Any
    offset: Any
    fit: tuple[float, float, float, float]

    def fill(self, rows: Tensor) -> None:
        """``1, t, sigmoid(s), softplus(s)`` from the inner products in the last of the rows ``(5, *)``."""
        one, t, p, f, dot = rows
        torch.mul(dot, self.scale, out=t).add_(self.offset)
        torch.add(t, self.fit[0], out=p)
        f.copy_(softplus(p))
        p.sigmoid_()
        one.fill_(1)

    def slopes(self, rows: Tensor) -> Tensor:
        """``(L, 1)`` derivatives ``sigmoid(s) - c1 - 2 c2 t`` from the rows ``(5, L)``, zero where all rows are."""
        _, _, c1, c2 = self.fit
        line = torch.tensor([-c1, -2 * c2, 1, 0, 0], dtype=rows.dtype).to(rows.device, non_blocking=True)
        return torch.mv(rows.T, line).unsqueeze(1)


def _at_once(
    z: Tensor,
    signs: Tensor,
    shifts: Sequence[int],
    block: int,
    ring: Ring,
    residuals: Residuals,
    weight: float,
    g: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """All shifts in the same few calls, which is what a small graph's time goes into: O(R N D) memory."""
    (n, d), offsets = z.shape, (0, *shifts)
    twice = torch.cat([z, z])
    products, rows = z.new_empty(len(offsets), n, d), z.new_empty(5, len(offsets), n)
    for k, out in zip(offsets, products, strict=True):
        torch.mul(z, twice[k : k + n], out=out)
    torch.mv(products.view(-1, d), signs, out=rows[4].view(-1))
    residuals.fill(rows)
    if len(ring.edge_keys):
        for index, k in enumerate(shifts, 1):
            ring.clear_edges(rows[:, index], k, 0)
    if g is not None:
        slopes = residuals.slopes(rows.view(5, -1)).view(-1, n, 1)
        g.addcmul_(z, slopes[0])
        for k, r in zip(shifts, slopes[1:], strict=True):
            g.addcmul_(twice[k : k + n], r, value=weight / 2)
            g[k:].addcmul_(z[: n - k], r[: n - k], value=weight / 2)
            g[:k].addcmul_(z[n - k :], r[n - k :], value=weight / 2)
    first, others = rows[:, 0], rows[:, 1:].reshape(5, -1)
    return (first @ first.T).double(), (others @ others.T).double()


def _in_blocks(
    z: Tensor,
    signs: Tensor,
    shifts: Sequence[int],
    block: int,
    ring: Ring,
    residuals: Residuals,
    weight: float,
    g: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Block after block of nodes, each with all shifts while it is in the cache."""
    n, d = z.shape
    diagonal, sampled = z.new_zeros(2, 5, 5, dtype=torch.float64)
    work, product = z.new_empty(5, block), z.new_empty(block, d)
    for k, i, j, size in _slices(n, block, (0, *shifts)):
        left, right, rows = z[i : i + size], z[j : j + size], work[:, :size]
        torch.mv(torch.mul(left, right, out=product[:size]), signs, out=rows[4])
        residuals.fill(rows)
        if len(ring.edge_keys):
            ring.clear_edges(rows, k, i)
        if g is not None:
            r = residuals.slopes(rows)
            g[i : i + size].addcmul_(right, r, value=(weight if k else 1) / 2)
            g[j : j + size].addcmul_(left, r, value=(weight if k else 1) / 2)
        (sampled if k else diagonal).add_(rows @ rows.T)
    return diagonal, sampled


def _slices(n: int, block: int, shifts: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """``k, i, j, size``: pairs (i + l, j + l), l < size, that together are (i, i + k mod n) for every i and k."""
    for start in range(0, n, block):
        end = min(start + block, n)
        for k in shifts:
            wrap = min(max(n - k, start), end)
            for i, stop in ((start, wrap), (wrap, end)):
                if i < stop:
                    yield k, i, (i + k) % n, stop - i


def _gather(x: Tensor, rows: Tensor) -> Tensor:
    """``x[rows]``, rows ``(N, 1)``, as bags of one: on a CPU a fraction of the time of ``index_select``."""
    return F.embedding_bag(rows, x, mode="sum")
