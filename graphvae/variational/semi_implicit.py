"""Semi-implicit posteriors: a Gaussian whose mean is random in its turn, so that its density is an integral."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution

from graphvae._check import InputError, integer
from graphvae.variational.distributions import MAX_LOG_SCALE, MIN_LOG_SCALE, sum_vectors
from graphvae.variational.flows import CHUNK, gaussian_nodes

__all__ = ["SemiImplicit", "SemiImplicitPosterior"]


class SemiImplicit(Distribution):
    """``z = psi + scale eta``, ``psi = loc + spread G(h, eps)``, with standard normal ``eta`` and ``eps``.

    The density ``q(z) = E_eps N(z; psi, scale²)`` is an integral. :meth:`log_prob` of the very tensor that
    :meth:`rsample` last returned is that of SIVI, with the ``psi_0`` it came from and K reverse draws:

        log q_K(z) = log 1/(K+1) [N(z; psi_0, scale²) + sum_k N(z; psi_k, scale²)],   E log q_K(z) >= E log q(z),

    so that a bound taken with it is a bound, and grows with K towards the one of ``q``; importance weights
    ``p(x, z) / q_K(z)`` are unbiased for every K. Of any other value it is the density of a mixture of K draws, the
    same for all values of a call: only consistent. Every vector has an ``eps`` of its own that reaches no other, so
    its density is its own as well; noise that went through the graph would need reverse draws of whole graphs.

    Args:
        loc, scale: ``(*batch, *event)``, scale positive.
        spread: ``(*batch, *event)`` or a number, what G is multiplied by.
        network: G, from ``(*, context + noise)`` to ``(*, D)``.
        context: ``(*batch, *event[:-1], C)`` the ``h``.
        noise: dimension of ``eps``.
        reverse: K.
        event_dim: number of dimensions of the event.

    References:
        Yin and Zhou, Semi-Implicit Variational Inference (2018), equations 6 to 9.
        Hasanzadeh et al., Semi-Implicit Graph Variational Auto-Encoders (2019), which injects noise into the features.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's own name and type
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        scale: Tensor,
        spread: Tensor | float,
        network: nn.Module,
        context: Tensor,
        noise: int,
        reverse: int,
        event_dim: int,
    ) -> None:
        self.loc, self.scale, self.spread = loc, scale, spread
        self.network, self.context, self.noise, self.reverse = network, context, noise, reverse
        self._last: tuple[Tensor, Tensor] | None = None
        batch = loc.dim() - event_dim
        super().__init__(loc.shape[:batch], loc.shape[batch:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)`` expectation, over fixed nodes for ``eps``."""
        return self.loc + self.spread * self._moments[0]

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)`` variances, over fixed nodes for ``eps``."""
        return self.scale.square() + (self.spread * self._moments[1]).square()

    def rsample(self, sample_shape: Size | list[int] | tuple[int, ...] = Size()) -> Tensor:  # noqa: B008 - torch's signature
        """``(*sample_shape, *batch, *event)``."""
        eps = self._draw(Size(sample_shape))
        eta = torch.randn(Size(sample_shape) + self.loc.shape, dtype=self.loc.dtype, device=self.loc.device)
        z = self._push(eps) + self.scale * eta
        self._last = z, eps
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """``(*sample, *batch)`` surrogate log-density in nats; the K reverse draws are new at every call.

        Raises:
            InputError: of a value that was not just drawn, if K is 0.
        """
        if self._last is not None and value is self._last[0]:
            # Draws have reverse draws of their own; one set for all would leave their mean with the error of that set.
            sample = value.shape[: value.dim() - self.loc.dim()]
            terms = [self._log_normal(value, self._push(self._draw(sample))) for _ in range(self.reverse)]
            terms.append(self._log_normal(value, self._push(self._last[1])))
        else:
            terms = [self._log_normal(value, psi) for psi in self._push(self._draw(Size((self.reverse,))))]
        if not terms:
            raise InputError("reverse=0: only a draw itself has a density then; expected at least 1")
        each = torch.stack(terms).logsumexp(0) - math.log(len(terms))
        return sum_vectors(each, self)

    def _log_normal(self, value: Tensor, psi: Tensor) -> Tensor:
        """``log N(value; psi, scale²)`` of every vector."""
        squares = ((value - psi) / self.scale).square() + 2 * self.scale.log() + math.log(2 * math.pi)
        return -0.5 * squares.sum(-1)

    def _draw(self, sample: Size) -> Tensor:
        shape = sample + self.loc.shape[:-1] + (self.noise,)
        return torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)

    def _image(self, eps: Tensor) -> Tensor:
        """``G(h, eps)``."""
        context = self.context.expand(*eps.shape[:-1], self.context.shape[-1])
        return self.network(torch.cat([context, eps], -1))

    def _push(self, eps: Tensor) -> Tensor:
        """``psi``."""
        return self.loc + self.spread * self._image(eps)

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of ``G(h, eps)``."""
        nodes = gaussian_nodes(self.noise).to(self.loc)
        nodes = nodes.reshape(-1, *[1] * (self.loc.dim() - 1), self.noise).expand(-1, *self.loc.shape[:-1], self.noise)
        images = torch.cat([self._image(chunk) for chunk in nodes.split(CHUNK)])
        return images.mean(0), (images.var(0, correction=0) + torch.finfo(images.dtype).tiny).sqrt()


class SemiImplicitPosterior(nn.Module):
    """A semi-implicit family; the network puts out ``[mu, log sigma, h]``, and G is a network of ``h`` and of noise.

    The family itself has no weights; :meth:`build` makes one that has, which is part of the encoder. G starts near 0,
    so that the posterior starts near a diagonal Gaussian.

    Args:
        noise: dimension of a vector's noise.
        context: width of ``h``.
        hidden_dims: widths of G's hidden layers (ELU).
        reverse: K, the reverse draws in the density.

    References:
        As :class:`SemiImplicit`.
    """

    variational = True
    analytic_kl = False
    support = "real"
    default_prior = "normal"
    parts = 3

    def __init__(
        self, noise: int = 8, context: int = 16, hidden_dims: Sequence[int] = (32,), reverse: int = 10
    ) -> None:
        super().__init__()
        self.noise = integer("noise", noise, low=1)
        self.context = integer("context", context, low=1)
        self.hidden_dims = tuple(integer("hidden_dims", width, low=1) for width in hidden_dims)
        self.reverse = integer("reverse", reverse, low=0)
        self.network: nn.Sequential | None = None

    def settings(self) -> dict[str, Any]:
        """The arguments this family can be built from again."""
        rest = {"hidden_dims": list(self.hidden_dims), "reverse": self.reverse}
        return {"noise": self.noise, "context": self.context, **rest}

    def width(self, latent_dim: int) -> int:
        """mu, log sigma and the context: 2 D + context."""
        return 2 * latent_dim + self.context

    def build(self, latent_dim: int) -> SemiImplicitPosterior:
        """A family with a fresh G for latent dimension D, drawn from torch's current generator."""
        family = SemiImplicitPosterior(**self.settings())
        widths = [self.context + self.noise, *self.hidden_dims, latent_dim]
        layers: list[nn.Module] = []
        for i, o in pairwise(widths):
            layers += [nn.Linear(i, o), nn.ELU()]
        with torch.no_grad():
            for parameter in layers[-2].parameters():
                parameter.mul_(0.1)
        family.network = nn.Sequential(*layers[:-1])
        return family

    def forward(self, parameters: Tensor, event_dim: int, around: Distribution | None = None) -> SemiImplicit:
        """The posterior for ``parameters`` ``(*, width)``; relative to ``around``, it moves and scales with that.

        Raises:
            InputError: if this family was not built.
        """
        if self.network is None:
            raise InputError("posterior: expected SemiImplicitPosterior(...).build(latent_dim); it has weights")
        latent_dim = (parameters.shape[-1] - self.context) // 2
        loc, log_scale, context = parameters.split([latent_dim, latent_dim, self.context], -1)
        spread: Tensor | float = 1.0
        if around is not None:
            loc, log_scale, spread = loc + around.mean, log_scale + around.stddev.log(), around.stddev
        scale = log_scale.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE).exp()
        return SemiImplicit(loc, scale, spread, self.network, context, self.noise, self.reverse, event_dim)
