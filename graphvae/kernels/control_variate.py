"""``pair_softplus_estimate``: the sum over all pairs, unbiased and with its gradient, in O(N D² + R N D).

Write ``softplus = q + r`` with a quadratic ``q = c0 + c1 t + c2 t²``, ``t = s - m``. The sum of ``q`` over all N² pairs
of ``s_ij = scale z_i . z_j + bias`` needs only ``sum_i z_i`` and ``sum_i z_i z_i^T``. The sum of ``r`` is exact on the
diagonal and on pairs named beforehand, such as edges. Elsewhere it is sampled: a shift k, uniform on 1..N-1, pairs
each i with i + k mod N, so that every ordered pair i != j comes with probability 1 / (N-1), and each of R shifts weighs
``(N-1) / R``; such pairs are slices. Value and gradient are unbiased for all ``m, c`` chosen before the shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphvae._check import InputError, integer, number
from graphvae.kernels import native
from graphvae.kernels.pairs import times
from graphvae.kernels.shifted_pairs import Residuals, numbers, shifted_sums
from graphvae.kernels.softplus import softplus, softplus_terms

__all__ = ["ControlVariate", "draw_shifts", "estimate_and_gradient", "pair_softplus_estimate"]

# R, the shifts of one estimate.
SHIFTS = 2


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
        #: ``m, c0, c1, c2`` of the last call.
        self.coefficients = (0.0,) * 4
        self._moments = [0.0] * 6  # of 1, s, s², sigmoid, sigmoid * s, softplus
        # The sums of the last call, on the host once they have arrived.
        self._latest: Tensor | list[float] | None = None
        self._arrived: torch.cuda.Event | None = None

    def state_dict(self) -> dict[str, list[float]]:
        """The fit, as plain numbers; :meth:`load_state_dict` goes on from it."""
        self._absorb()
        return {"coefficients": list(self.coefficients), "moments": list(self._moments)}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Take over a fit; nodes and edges are the constructor's."""
        m, c0, c1, c2 = state["coefficients"]
        self.coefficients, self._moments, self._latest = (m, c0, c1, c2), list(state["moments"]), None

    def residual_sum(self, s: Tensor) -> Tensor:
        """``(*batch)`` sums of ``r`` over logits ``(*batch, E)``, by the coefficients of the last call."""
        m, c0, c1, c2 = self.coefficients
        return softplus_terms(s, plus=1.0, polynomial=(-c0, -c1, -c2), around=m)

    def refit(self, bias: Tensor) -> tuple[float, float, float, float]:
        """``m, c0, c1, c2`` for the next call, from all calls before."""
        self._absorb()
        n, s, ss, p, ps, f = self._moments
        if n == 0:
            at = bias.detach().double()
            p = float(torch.sigmoid(at))
            self.coefficients = (float(at), float(softplus(at)), p, p * (1 - p) / 2)
        else:
            mean, variance = s / n, ss / n - (s / n) ** 2
            slope = (ps / n - mean * p / n) / variance if variance > 1e-12 * ss / n else nan
            if 0 <= slope <= 0.25:
                self.coefficients = (mean, f / n - slope / 2 * variance, p / n, slope / 2)
        return self.coefficients

    def clear_edges(self, columns: Tensor, k: int, first: int) -> None:
        """Zero the ``columns``, nodes from ``first`` on, that shift k takes to the other end of an edge."""
        at = k * self.num_nodes + first
        # numpy's search takes microseconds where torch's takes tens of them.
        start, stop = self.edge_keys.numpy().searchsorted([at, at + columns.shape[1]]).tolist()
        if start < stop:
            columns.index_fill_(1, (self.edge_keys[start:stop] - at).to(columns.device, non_blocking=True), 0)

    def receive(self, sums: Tensor | list[float]) -> None:
        """Keep the sums of a call for the next fit; a GPU's travel while it goes on, only their arrival is awaited."""
        self._latest = sums
        if isinstance(sums, Tensor) and sums.is_cuda:
            self._latest = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True).copy_(sums, non_blocking=True)
            self._arrived = torch.cuda.current_stream(sums.device).record_event()

    def _absorb(self) -> None:
        if self._latest is not None:
            if self._arrived is not None:
                self._arrived.synchronize()
            latest = self._latest if isinstance(self._latest, list) else self._latest.tolist()
            n, t, p, f, _, tt, tp, _, _ = latest
            m, self._latest = self.coefficients[0], None
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
    shifts: int | Sequence[int] = SHIFTS,
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
        shifts = draw_shifts(n, integer("shifts", shifts, low=1))
    block = None if block is None else integer("block", block, low=1)
    trained = torch.is_grad_enabled()
    if not trained:
        z, scale, bias = z.detach(), scale.detach(), bias.detach()
    value = _Estimate.apply(z, scale, bias, signature, variate, shifts, block, trained)
    return value if edge_logits is None else value + 2 * variate.residual_sum(edge_logits)


def draw_shifts(num_nodes: int, count: int = SHIFTS) -> list[int]:
    """``count`` shifts, uniform on 1..N-1, from torch's default CPU generator."""
    return torch.randint(1, max(num_nodes, 2), (count,)).tolist()


class _Estimate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        scale: Tensor,
        bias: Tensor,
        signature: Tensor | None,
        variate: ControlVariate,
        shifts: list[int],
        block: int | None,
        trained: bool,
    ) -> Tensor:
        wanted = ctx.needs_input_grad[:3]
        value, *gradient = estimate_and_gradient(z, scale, bias, signature, wanted, variate, shifts, block, trained)
        ctx.save_for_backward(scale, *gradient)
        return _scalar(value, z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (scale, g, to_scale, to_bias), (grad,) = ctx.saved_tensors, grads
        return times(2 * scale * grad, g), times(grad, to_scale), times(grad, to_bias), *[None] * 5


def estimate_and_gradient(
    z: Tensor,
    scale: Tensor,
    bias: Tensor,
    signature: Tensor | None,
    wanted: Sequence[bool],
    variate: ControlVariate,
    shifts: Sequence[int],
    block: int | None = None,
    trained: bool = True,
) -> tuple[Any, Tensor | None, Tensor | None, Tensor | None]:
    """:func:`pair_softplus_estimate` without its gradient and without the edges' part, by a fresh fit of ``variate``.

    Args:
        z, scale, bias, signature, variate, shifts, block: as there.
        wanted: whether the derivatives in ``z``, in ``scale`` and in ``bias`` are.
        trained: leave the sums of this call in ``variate``.

    Returns:
        the value, the derivative in ``z`` but for ``2 scale``, and those in ``scale`` and ``bias``; None if not wanted.
    """
    n, (m, c0, c1, c2) = len(z), variate.refit(bias)
    # t = scale z_i . z_j + offset.
    wide, offset, weight = numbers(scale), numbers(bias) - m, (n - 1) / len(shifts)
    g: Tensor | None
    sampled: Any
    if wanted[0] and native.native_runs_on(z):
        line, order, keys = (wide, offset, m, c1, c2), variate.order, variate.edge_keys
        found, g = native.pair_estimate(z, order, signature, shifts, keys, line, weight)
        inner, squares, sampled = *found[:2], found[11:]
        sums: Any = [a + weight * b for a, b in zip(found[2:11], found[11:], strict=True)]
    else:
        residuals = Residuals(wide, offset, (m, c0, c1, c2))
        inner, squares, diagonal, sampled, g = shifted_sums(
            z, signature, shifts, block, variate, residuals, weight, wanted[0]
        )
        sums = numbers(diagonal + weight * sampled)
    if trained:
        variate.receive(sampled)
    # Sums of q, and of its derivatives in scale and bias; then of the residual, over the diagonal and the shifts.
    slope = c1 + 2 * c2 * offset
    value = (c0 + (c1 + c2 * offset) * offset) * n * n + wide * (slope * inner + c2 * wide * squares)
    to_scale, to_bias = slope * inner + 2 * c2 * wide * squares, slope * n * n + 2 * c2 * wide * inner
    one, t, p, f, dot, tt, _, t_dot, p_dot = sums
    value = value + f - c0 * one - c1 * t - c2 * tt
    # The derivative of the residual is p - c1 - 2 c2 t, times z_i . z_j in the scale.
    to_scale = to_scale + p_dot - c1 * dot - 2 * c2 * t_dot
    to_bias = to_bias + p - c1 * one - 2 * c2 * t
    if g is not None and signature is not None:
        g.mul_(signature)
    of = (_scalar(each, scale) if asked else None for each, asked in ((to_scale, wanted[1]), (to_bias, wanted[2])))
    return value, g, *of


def _scalar(x: Any, like: Tensor) -> Tensor:
    """The inverse for one number: ``()`` of the dtype and on the device of ``like``."""
    return x.to(like.dtype) if isinstance(x, Tensor) else like.new_tensor(x)
