"""``pair_terms``: a weighted sum over the pairs of a graph, its edges and its diagonal, and the gradient in one pass.

Every objective over all pairs is one: with logits ``s_ij = scale z_i . z_j + bias``

    all_pairs sum_ij softplus(s_ij) + sum_edges w(s_uv) + sum_i v(s_ii),

where w and v are weighted sums of softplus(s), softplus(-s) and s. Taken term by term by automatic differentiation, a
step on a small graph spends its time on the terms' own bookkeeping; here there is one gradient for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphvae._check import InputError
from graphvae.kernels import native
from graphvae.kernels.control_variate import ControlVariate, draw_shifts, estimate_and_gradient
from graphvae.kernels.edges import EdgeSet, add_gradient, check_positions, dots
from graphvae.kernels.pairs import sums_and_gradient, times
from graphvae.kernels.softplus import terms_and_slope

__all__ = ["PairWeights", "pair_terms"]


class PairWeights(NamedTuple):
    """``plus softplus(s) + minus softplus(-s) + linear s``: what one pair of logit ``s`` adds."""

    plus: float = 0.0
    minus: float = 0.0
    linear: float = 0.0


def pair_terms(
    z: Tensor,
    scale: Tensor,
    bias: Tensor,
    edges: EdgeSet,
    all_pairs: float,
    on_edges: PairWeights,
    on_diagonal: PairWeights,
    *,
    signature: Tensor | None = None,
    variate: ControlVariate | None = None,
    block: int | None = None,
) -> Tensor:
    """``all_pairs sum_ij softplus(s_ij)`` over all N² ordered pairs, plus terms of the edges and of the diagonal; nats.

    Args:
        z: ``(N, D)`` latent positions.
        scale, bias: ``()``; ``s_ij = scale z_i . z_j + bias``.
        edges: each counts once.
        all_pairs: weight of the sum over all pairs.
        on_edges, on_diagonal: what their logits add.
        signature: ``(D,)`` factors of the products of the dimensions; None is all ones.
        variate: take the sum over all pairs by an unbiased estimate with this state, made with the very same edges;
            None takes it exactly.
        block: rows in a tile of the exact sum; None picks.

    Returns:
        ``()`` in the dtype of ``z``; differentiable once in ``z``, ``scale`` and ``bias``.

    Raises:
        InputError: if ``z``, ``edges``, ``signature`` and ``variate`` are not of one size.
    """
    check_positions(z, edges.num_nodes, signature)
    if variate is not None and (variate.num_nodes, len(variate.edge_keys)) != (len(z), 2 * edges.num_edges):
        raise InputError(
            f"variate: is of {variate.num_nodes} nodes and {len(variate.edge_keys) // 2} edges; expected {len(z)} and "
            f"{edges.num_edges}"
        )
    if not torch.is_grad_enabled():
        z, scale, bias = z.detach(), scale.detach(), bias.detach()
    return _PairTerms.apply(z, scale, bias, edges, all_pairs, on_edges, on_diagonal, signature, variate, block)


class _PairTerms(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        scale: Tensor,
        bias: Tensor,
        edges: EdgeSet,
        all_pairs: float,
        on_edges: PairWeights,
        on_diagonal: PairWeights,
        signature: Tensor | None,
        variate: ControlVariate | None,
        block: int | None,
    ) -> Tensor:
        wanted, z = ctx.needs_input_grad[:3], z.contiguous()
        gradient: Any
        value: Any
        polynomial, around = (0.0, on_edges.linear, 0.0), 0.0
        if variate is None:
            value, *gradient = sums_and_gradient(z, scale, bias, block, signature, wanted)
        else:
            given = z, scale, bias, signature, wanted, variate, draw_shifts(len(z))
            value, *gradient = estimate_and_gradient(*given, trained=any(wanted))
            # Of the edges, in both directions, the estimate leaves out the residual: it needs their logits.
            twice, (around, c0, c1, c2) = 2 * all_pairs, variate.coefficients
            on_edges = on_edges._replace(plus=on_edges.plus + twice)
            polynomial = on_edges.linear * around - twice * c0, on_edges.linear - twice * c1, -twice * c2

        by_edge = on_edges.plus, on_edges.minus, *polynomial, around
        by_node = on_diagonal.plus, on_diagonal.minus, 0.0, on_diagonal.linear, 0.0, 0.0
        asked = _Asked(z, scale, bias, signature, edges, by_edge, by_node, wanted, all_pairs)
        add = _add_in_c if any(wanted) and native.native_runs_on(z) else _add_in_torch
        total, *gradient = add(asked, all_pairs * value, *gradient)
        ctx.save_for_backward(*gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return *(times(grads[0], each) for each in ctx.saved_tensors), *[None] * 7


class _Asked(NamedTuple):
    """Arguments of :func:`pair_terms`, with weights as ``plus, minus, c0, c1, c2, around``."""

    z: Tensor
    scale: Tensor
    bias: Tensor
    signature: Tensor | None
    edges: EdgeSet
    by_edge: Sequence[float]
    by_node: Sequence[float]
    wanted: Sequence[bool]
    all_pairs: float


def _add_in_torch(of: _Asked, total: Any, to_z: Any, to_scale: Any, to_bias: Any) -> tuple[Tensor, Any, Any, Any]:
    """``total``, of all pairs, with the terms of edges and diagonal; and its derivatives, from those of all pairs."""
    z, scale, all_pairs = of.z, of.scale, of.all_pairs
    signed, gradient = z if of.signature is None else z * of.signature, any(of.wanted)
    along, squares = dots(z, of.edges, of.signature), torch.linalg.vecdot(signed, z)
    parts, slopes = [], []
    for inner, (plus, minus, *polynomial, around) in ((along, of.by_edge), (squares, of.by_node)):
        c0, c1, c2 = polynomial
        part, slope = terms_and_slope(inner * scale + of.bias, plus, minus, (c0, c1, c2), around, gradient)
        parts.append(part)
        slopes.append(cast("Tensor", slope))
    of_edges, own = slopes
    if of.wanted[0]:
        to_z = to_z.mul_(2 * all_pairs * scale).addcmul_(signed, (2 * scale * own).unsqueeze(1))
        add_gradient(to_z, of_edges * scale, z, of.edges, of.signature)
    if of.wanted[1]:
        to_scale = all_pairs * to_scale + of_edges.dot(along) + own.dot(squares)
    if of.wanted[2]:
        to_bias = all_pairs * to_bias + of_edges.sum() + own.sum()
    return (total + sum(parts)).to(z.dtype), to_z, to_scale, to_bias


def _add_in_c(of: _Asked, total: Any, to_z: Any, to_scale: Any, to_bias: Any) -> tuple[Tensor, Any, Any, Any]:
    """The same in C, and with Python's numbers, at a tenth of the cost of tensors that hold one."""
    scale, g = float(of.scale), to_z if of.wanted[0] else None
    weights = of.by_edge, of.by_node, 2 * of.all_pairs * scale
    found = native.edge_and_node_terms(of.z, of.signature, of.edges.pairs, scale, float(of.bias), *weights, g)
    of_edges, slope, scaled, of_nodes, own, own_scaled = found
    if of.wanted[1]:
        to_scale = of.scale.new_tensor(of.all_pairs * float(to_scale) + scaled + own_scaled)
    if of.wanted[2]:
        to_bias = of.bias.new_tensor(of.all_pairs * float(to_bias) + slope + own)
    return of.z.new_full((), float(total) + of_edges + of_nodes), g, to_scale, to_bias
