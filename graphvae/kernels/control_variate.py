"""``pair_softplus_estimate``: the sum over all pairs, unbiased and with its gradient, in O(N D² + R N D).

Write ``softplus = q + r`` with a quadratic ``q = c0 + c1 t + c2 t²``, ``t = s - m``. The sum of ``q`` over all N² pairs
of ``s_ij = scale z_i . z_j + bias`` needs only ``sum_i z_i`` and ``sum_i z_i z_i^T``. The sum of ``r`` is exact on the
diagonal and on pairs named beforehand, such as edges. Elsewhere it is sampled: a shift k, uniform on 1..N-1, pairs
each i with i + k mod N, so that every ordered pair i != j comes with probability 1 / (N-1), and each of R shifts weighs
``(N-1) / R``; such pairs are slices. Value and gradient are unbiased for all ``m, c`` chosen before the shifts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from graphvae._check import InputError, integer, number
from graphvae.kernels.softplus import softplus, softplus_terms

__all__ = ["ControlVariate", "pair_softplus_estimate"]

# Elements of z in one block of rows: measured on a CPU; a GPU wants few launches instead.
BLOCK = {"cpu": 1 << 17, "cuda": 1 << 24}


class ControlVariate:
    """What :func:`pair_softplus_estimate` carries from step to step on one graph: an order of the nodes, and a fit.

    Shifts are unbiased in any order, but where neighbours lie side by side they pair whole communities with one another
    and make the gradient of shared weights a hundred times noisier. So nodes are taken in a random order, a function of
    N alone: nothing to draw or to save, for two gathers a call.

    ``c1 + 2 c2 t`` is the least-squares line through the sigmoid, which is what gradients see, and ``m`` the mean logit
    of the pairs sampled so far, each call's weight multiplied by ``decay`` with every later one. Sums that are not
    finite are left out; a slope no sigmoid has, outside [0, 1/4], leaves the coefficients as they were. Until there are
    any sums, softplus is expanded at the bias: at 0, ln 2 + s / 2 + s² / 8.

    Args:
        num_nodes: N.
        edges: ``(2, E)`` pairs, each once, to be summed exactly: every call brings their logits. Any pairs will do.
        decay: from 0 (only the last call counts) to 1 (all count alike).
        device: where ``z`` will be.
    """

    def __init__(
        self, num_nodes: int, edges: Tensor | None = None, decay: float = 0.5, device: torch.device | str = "cpu"
    ) -> None:
        self.num_nodes = n = integer("num_nodes", num_nodes, low=0)
        self.decay = number("decay", decay, low=0, high=1)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
        place = torch.empty_like(order).scatter_(0, order, torch.arange(n))
        self.order, self.place = (each.to(device, torch.int32)[:, None] for each in (order, place))
        edges = torch.empty(2, 0, dtype=torch.int64) if edges is None else edges.cpu()
        u, v = place[torch.cat([edges, edges.flip(0)], 1)]
        # Both directions of every edge, by shift and then by node: those that a block meets are a slice.
        self.edge_keys = ((v - u) % max(n, 1) * n + u).sort().values
        if (u == v).any() or not self.edge_keys.diff().all():
            raise InputError("edges holds a loop, or a pair twice: expected each pair of two nodes at most once")
        self._coefficients = (0.0,) * 4  # m, c0, c1, c2
        self._moments = [0.0] * 6  # of 1, s, s², sigmoid, sigmoid * s, softplus
        self._latest: Tensor | None = None  # the sums of the last call, on the host once they have arrived
        self._arrived: torch.cuda.Event | None = None

    def state_dict(self) -> dict[str, list[float]]:
        """The fit, as plain numbers; :meth:`load_state_dict` goes on from it."""
        self._absorb()
        return {"coefficients": list(self._coefficients), "moments": list(self._moments)}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Take over a fit; nodes and edges are the constructor's."""
        m, c0, c1, c2 = state["coefficients"]
        self._coefficients, self._moments, self._latest = (m, c0, c1, c2), list(state["moments"]), None

    def residual_sum(self, s: Tensor) -> Tensor:
        """``(*batch)`` sums of ``r`` over logits ``(*batch, E)``, by the coefficients of the last call."""
        m, c0, c1, c2 = self._coefficients
        return softplus_terms(s, plus=1.0, polynomial=(-c0, -c1, -c2), around=m)

    def refit(self, bias: Tensor) -> tuple[float, float, float, float]:
        """``m, c0, c1, c2`` for the next call, from all calls before."""
        self._absorb()
        n, s, ss, p, ps, f = self._moments
        if n == 0:
            at = bias.detach().double()
            p = float(torch.sigmoid(at))
            self._coefficients = (float(at), float(softplus(at)), p, p * (1 - p) / 2)
        else:
            mean, variance = s / n, ss / n - (s / n) ** 2
            slope = (ps / n - mean * p / n) / variance if variance > 1e-12 * ss / n else nan
            if 0 <= slope <= 0.25:
                self._coefficients = (mean, f / n - slope / 2 * variance, p / n, slope / 2)
        return self._coefficients

    def clear_edges(self, columns: Tensor, k: int, first: int) -> None:
        """Zero the ``columns``, nodes from ``first`` on, that shift k takes to the other end of an edge."""
        at = k * self.num_nodes + first
        # numpy's search takes microseconds where torch's takes tens of them.
        start, stop = self.edge_keys.numpy().searchsorted([at, at + columns.shape[1]]).tolist()
        if start < stop:
            columns.index_fill_(1, (self.edge_keys[start:stop] - at).to(columns.device, non_blocking=True), 0)

    def receive(self, sums: Tensor) -> None:
        """Keep the sums of a call for the next fit; a GPU's travel while it goes on, only their arrival is awaited."""
        self._latest = sums
        if sums.is_cuda:
            self._latest = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True).copy_(sums, non_blocking=True)
            self._arrived = torch.cuda.current_stream(sums.device).record_event()

    def _absorb(self) -> None:
        if self._latest is not None:
            if self._arrived is not None:
                self._arrived.synchronize()
            (n, t, p, f, _), (_, tt, tp, *_), *_ = self._latest.tolist()
            m, self._latest = self._coefficients[0], None
            sums = [n, t + n * m, tt + 2 * m * t + n * m * m, p, tp + m * p, f]
            if all(map(isfinite, sums)):
                self._moments = [self.decay * old + new for old, new in zip(self._moments, sums, strict=True)]


def pair_softplus_estimate(
    z: Tensor,
    scale: Tensor,
    bias: Tensor,
    variate: ControlVariate,
    *,
    edge_logits: Tensor | None = None,
    signature: Tensor | None = None,
    shifts: int | Sequence[int] = 2,
    block: int | None = None,
) -> Tensor:
    """Unbiased estimate of ``sum_ij softplus(scale z_i . z_j + bias)`` over all N² ordered pairs, i = j included; nats.

    The quantity of ``pair_softplus_sum``; shifts are drawn from torch's default CPU generator.

    Args:
        z, scale, bias: ``(N, D)``, ``()`` and ``()``, as there.
        variate: the state for this graph; a call with gradients enabled leaves its sums there for the next fit.
        edge_logits: ``(E,)`` logits of the edges that ``variate`` was made with.
        signature: ``(D,)`` factors of the products of the dimensions; None is all ones.
        shifts: R, how many to draw, or the shifts themselves, each uniform on 1..N-1.
        block: rows at a time; None picks. The result does not depend on it but for rounding.

    Returns:
        ``()`` estimate in the dtype of ``z``; its first derivatives in all four tensors are unbiased as well.

    Raises:
        InputError: if shapes do not fit ``variate``, or ``shifts`` or ``block`` are out of range.
    """
    n, edges = variate.num_nodes, len(variate.edge_keys) // 2
    if z.dim() != 2 or len(z) != n:
        raise InputError(f"z has shape {tuple(z.shape)}: expected ({n}, D)")
    if (0 if edge_logits is None else edge_logits.numel()) != edges:
        raise InputError(f"edge_logits={edge_logits!r}: expected {edges} logits, of the edges of the variate")
    if isinstance(shifts, Sequence) and len(shifts):
        shifts = [integer("shifts", k, low=1, high=n - 1) for k in shifts]
    else:
        shifts = torch.randint(1, max(n, 2), (integer("shifts", shifts, low=1),)).tolist()
    if block is None:
        block = max(BLOCK.get(z.device.type, BLOCK["cuda"]) // max(z.shape[1], 1), 256)
    if not torch.is_grad_enabled():
        z, scale, bias = z.detach(), scale.detach(), bias.detach()
    block = min(integer("block", block, low=1), max(n, 1))
    signature = z.new_ones(z.shape[1]) if signature is None else signature
    value, sums = _Estimate.apply(z, scale, bias, signature, variate, variate.refit(bias), shifts, block)
    if torch.is_grad_enabled():
        variate.receive(sums)
    return value if edge_logits is None else value + 2 * variate.residual_sum(edge_logits)


class _Estimate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        scale: Tensor,
        bias: Tensor,
        signs: Tensor,
        variate: ControlVariate,
        fit: tuple,
        shifts: list,
        block: int,
    ) -> tuple[Tensor, Tensor]:
        (n, d), (m, c0, c1, c2) = z.shape, fit
        z = _gather(z, variate.order)
        total, second = z.new_zeros(d, dtype=torch.float64), z.new_zeros(d, d, dtype=torch.float64)
        for rows in z.split(block):
            total += rows.sum(0)
            second += rows.T @ rows
        # t = scale z_i . z_j + offset; sums of q, and of its derivatives in scale and bias.
        inner = _numbers(total.dot(signs * total))
        squares = _numbers((signs[:, None] * second * signs).mul(second).sum())
        wide, offset = _numbers(scale), _numbers(bias) - m
        slope = c1 + 2 * c2 * offset
        value = (c0 + (c1 + c2 * offset) * offset) * n * n + wide * (slope * inner + c2 * wide * squares)
        to_scale, to_bias = slope * inner + 2 * c2 * wide * squares, slope * n * n + 2 * c2 * wide * inner
        g = None
        if ctx.needs_input_grad[0]:
            g = torch.empty_like(z)  # dV/dz / (2 scale) but for the signs, in the order of the shuffled nodes
            constant, matrix = (total * slope).to(z.dtype), (signs[:, None] * second * (2 * c2 * wide)).to(z.dtype)
            for rows, out in zip(z.split(block), g.split(block), strict=True):
                torch.addmm(constant, rows, matrix, out=out)

        # Gram matrices of 1, t, sigmoid, softplus and z_i . z_j: over the diagonal, and over the shifted pairs.
        weight = (n - 1) / len(shifts)
        sums = _at_once if 0 < n <= block else _in_blocks
        diagonal, sampled = sums(z, signs, shifts, block, variate, _Residuals(wide, offset, fit), weight, g)

        gram = _numbers((diagonal + weight * sampled).flatten())
        value = value + gram[3] - c0 * gram[0] - c1 * gram[1] - c2 * gram[6]
        # Sums of the derivative of the residual, p - c1 - 2 c2 t, times z_i . z_j, and times 1.
        to_scale = to_scale + gram[14] - c1 * gram[4] - 2 * c2 * gram[9]
        to_bias = to_bias + gram[2] - c1 * gram[0] - 2 * c2 * gram[1]
        ctx.place = variate.place
        ctx.save_for_backward(scale, signs, g, _scalar(to_scale, scale), _scalar(to_bias, bias))
        ctx.mark_non_differentiable(sampled)
        return _scalar(value, z), sampled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        scale, signs, g, to_scale, to_bias = ctx.saved_tensors
        to_z = None if g is None else _gather(g, ctx.place).mul_(2 * scale * grads[0] * signs)
        return to_z, grads[0] * to_scale, grads[0] * to_bias, None, None, None, None, None


def _numbers(x: Tensor) -> Any:
    """One or more numbers to reckon with in double.

    On a CPU they are Python's, at a tenth of the cost; on a GPU, which would have to be waited for, tensors.
    """
    return x.tolist() if x.device.type == "cpu" else x.double()


def _scalar(x: Any, like: Tensor) -> Tensor:
    """The inverse for one number: ``()`` of the dtype and on the device of ``like``."""
    return x.to(like.dtype) if isinstance(x, Tensor) else like.new_tensor(x)


class _Residuals(NamedTuple):
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
    variate: ControlVariate,
    residuals: _Residuals,
    weight: float,
    g: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """All shifts in the same few calls, which is what a small graph's time goes into: O(R N D) memory."""
    (n, d), offsets = z.shape, (0, *shifts)
    ring = torch.cat([z, z])
    products, rows = z.new_empty(len(offsets), n, d), z.new_empty(5, len(offsets), n)
    for k, out in zip(offsets, products, strict=True):
        torch.mul(z, ring[k : k + n], out=out)
    torch.mv(products.view(-1, d), signs, out=rows[4].view(-1))
    residuals.fill(rows)
    if len(variate.edge_keys):
        for index, k in enumerate(shifts, 1):
            variate.clear_edges(rows[:, index], k, 0)
    if g is not None:
        slopes = residuals.slopes(rows.view(5, -1)).view(-1, n, 1)
        g.addcmul_(z, slopes[0])
        for k, r in zip(shifts, slopes[1:], strict=True):
            g.addcmul_(ring[k : k + n], r, value=weight / 2)
            g[k:].addcmul_(z[: n - k], r[: n - k], value=weight / 2)
            g[:k].addcmul_(z[n - k :], r[n - k :], value=weight / 2)
    first, others = rows[:, 0], rows[:, 1:].reshape(5, -1)
    return (first @ first.T).double(), (others @ others.T).double()


def _in_blocks(
    z: Tensor,
    signs: Tensor,
    shifts: Sequence[int],
    block: int,
    variate: ControlVariate,
    residuals: _Residuals,
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
        if len(variate.edge_keys):
            variate.clear_edges(rows, k, i)
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
