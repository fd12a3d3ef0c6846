"""``CustomEncoder``: a user's own module over a graph, PyG's convolution stacks among them, as the encoder."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from graphvae._check import InputError
from graphvae.kernels.sparse import SparseMatrix
from graphvae.nn.inputs import GraphInputs
from graphvae.variational.posteriors import PosteriorFamily

__all__ = ["CustomEncoder"]


class CustomEncoder:
    """A user's own module as the body of an encoder; each fit trains a copy, from the weights it has.

    A linear layer from what it puts out to the parameters of the posterior is added. The module is called with dense
    features and the edges of the graph in both directions, without self-loops; during training with edge masking, with
    those that are left.

    Args:
        module: from ``x`` ``(N, F)``, ``edge_index`` ``(2, E)`` and, if it has an argument of that name,
            ``edge_weight`` ``(E,)`` or None, to ``(N, width)`` of any width.

    Example:
        >>> from torch_geometric.nn import GraphSAGE  # doctest: +SKIP
        >>> gv.VGAE(encoder=gv.nn.CustomEncoder(GraphSAGE(1433, 64, num_layers=2)))  # doctest: +SKIP

    Raises:
        InputError: for anything but a module.
    """

    def __init__(self, module: nn.Module | None = None) -> None:
        if not isinstance(module, nn.Module):
            raise InputError(f"CustomEncoder: module is {type(module).__name__}; expected a torch.nn.Module")
        self._module = module

    def settings(self) -> dict[str, Any]:
        """None: modules are code, which a run folder does not hold; loading asks for them again."""
        return {}

    def build(self, *, num_nodes: int, num_features: int, latent_dim: int, posterior: PosteriorFamily) -> nn.Module:
        """A copy of the user's module, and a linear layer.

        Raises:
            InputError: for a graph without features, or a module that does not take one like it.
        """
        if num_features == 0:
            raise InputError("CustomEncoder: the graph has no features to call the module with; expected some")
        body = copy.deepcopy(self._module).cpu()
        return _CustomNetwork(body, _width(body, num_features), latent_dim, posterior)


class _CustomNetwork(nn.Module):
    per_node = False

    def __init__(self, body: nn.Module, width: int, latent_dim: int, posterior: PosteriorFamily) -> None:
        super().__init__()
        self.body, self.uses_weights = body, _takes_weights(body)
        self.head = nn.Linear(width, posterior.width(latent_dim))
        self.posterior = posterior.build(latent_dim)

    def forward(self, inputs: GraphInputs, around: Distribution | None = None) -> Distribution:
        """``q(Z | X, A)``, batch shape ``()``, event shape ``(N, D)``; relative to the prior ``around`` if given."""
        x: Any = inputs.x
        x = x.to_dense() if isinstance(x, SparseMatrix) else x
        given = {"edge_weight": inputs.edge_weight} if self.uses_weights else {}
        h = self.body(x, inputs.edge_index, **given)
        return self.posterior(self.head(h), event_dim=2, around=around)


def _takes_weights(module: nn.Module) -> bool:
    return "edge_weight" in inspect.signature(module.forward).parameters


@torch.no_grad()
def _width(module: nn.Module, num_features: int) -> int:
    """What the module puts out for two linked nodes; in evaluation mode, so that nothing in it changes."""
    mode, parameter = module.training, next(module.parameters(), torch.empty(0))
    x, edges = parameter.new_zeros(2, num_features), torch.tensor([[0, 1], [1, 0]])
    try:
        found = module.eval()(x, edges)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"CustomEncoder: module does not take x (2, {num_features}) and edges: {error}") from error
    finally:
        module.train(mode)
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != 2:
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"CustomEncoder: module puts out {what} for 2 nodes; expected (2, width)")
    return int(found.shape[1])
