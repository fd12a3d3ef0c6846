"""What can be done with latent vectors of images: the way between two, a grid, an attribute, what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from graphvae._check import InputError, integer, one_of
from graphvae.estimators.refinement import MaskedLikelihood, refine
from graphvae.nn.dense import ImageInputs
from graphvae.training.randomness import check_seed

__all__ = ["LatentArithmetic", "as_array"]


def as_array(x: Any) -> np.ndarray:
    """A numpy view of an array, a table or a tensor on any device."""
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)


class LatentArithmetic:
    """Mixin of the image estimators: all of it goes through their own encoding and decoding."""

    options_: dict[str, Any]
    module_: Any
    _encode: Any
    _decode_mean: Any
    _condition: Any
    _shaped: Any
    _checked: Any
    _as_encoded: Any
    _require_variational: Any

    def interpolate(self, a: Any, b: Any, y: Any = None, *, steps: int = 8, kind: str = "linear") -> np.ndarray:
        """Means of ``p(x|z)`` on the way from datum ``a`` to datum ``b``, both included: ``(steps, ...)``.

        Args:
            a: one datum, of the shape of one row.
            b: another.
            steps: number of points, at least 2.
            kind: ``"linear"`` or ``"spherical"`` (along the great circle, lengths interpolated).
        """
        steps = integer("steps", steps, low=2)
        one_of("kind", kind, ("linear", "spherical"))
        ends = self._encode(np.stack([as_array(a), as_array(b)]), y)
        t = torch.linspace(0, 1, steps, device=ends.device)[:, None]
        if kind == "linear":
            z = (1 - t) * ends[0] + t * ends[1]
        else:
            length = ends.norm(dim=1)
            unit = ends / length[:, None].clamp(min=1e-12)
            angle = torch.arccos((unit[0] @ unit[1]).clamp(-1 + 1e-6, 1 - 1e-6))
            direction = (torch.sin((1 - t) * angle) * unit[0] + torch.sin(t * angle) * unit[1]) / torch.sin(angle)
            z = direction * ((1 - t) * length[0] + t * length[1])
        return self._shaped(self._decode_mean(z, self._condition(y, steps)))

    def traverse(
        self, dims: tuple[int, int] = (0, 1), y: Any = None, *, steps: int = 8, extent: float = 3.0
    ) -> np.ndarray:
        """Means of ``p(x|z)`` on a grid over two latent dimensions, the others at 0: ``(steps, steps, ...)``."""
        check_is_fitted(self)
        first, second = (integer("dims", d, low=0, high=self.options_["latent_dim"] - 1) for d in dims)
        steps = integer("steps", steps, low=2)
        line = torch.linspace(-extent, extent, steps)
        z = torch.zeros(steps, steps, self.options_["latent_dim"])
        z[..., first], z[..., second] = line[:, None], line[None, :]
        x = self._shaped(self._decode_mean(z.flatten(0, 1), self._condition(y, steps * steps)))
        return x.reshape(steps, steps, *x.shape[1:])

    def attribute_vector(self, X: Any, has: Any, y: Any = None) -> np.ndarray:
        """Mean latent difference ``(latent_dim,)`` between data that have an attribute and data that do not.

        ``inverse_transform(transform(x) + strength * vector)`` applies it to an image.

        Args:
            X: data.
            has: ``(N,)`` booleans, both values among them.
            y: classes, for a conditional model.

        Reference:
            Larsen, Sønderby, Larochelle and Winther, Autoencoding beyond Pixels (2016), section 4.1.
        """
        mask, z = as_array(has).astype(bool), self._encode(X, y).cpu().numpy()
        if mask.shape != (len(z),) or mask.all() or not mask.any():
            raise InputError(f"has of shape {mask.shape}: expected ({len(z)},) booleans, True and False among them")
        return z[mask].mean(0) - z[~mask].mean(0)

    def impute(self, X: Any, mask: Any, y: Any = None, *, steps: int = 100, seed: int = 0) -> np.ndarray:
        """``X`` with the values where ``mask`` is True replaced by what the model expects given the others.

        The posterior of each datum is found by gradient steps on the bound of its observed values alone, started at the
        prior's mean; what stands in ``X`` where it is masked (NaN, say) is not read.

        Args:
            X: data.
            mask: True where a value is missing, of the shape of ``X``.
            y: classes, for a conditional model.
            steps: gradient steps.
            seed: of the draws.

        Raises:
            InputError: for a point posterior, latents on a sphere, or a mask of another shape.
        """
        self._require_variational("impute")
        if self.options_["posterior"].support != "real":
            raise InputError("impute: it finds Gaussian posteriors; expected latents in R^D, not on a sphere")
        hidden, array = as_array(mask).astype(bool), np.array(as_array(X), dtype=np.float32)
        if hidden.shape != array.shape:
            raise InputError(f"mask has shape {hidden.shape}: expected that of X, {array.shape}")
        x = self._checked(np.where(hidden, np.float32(0), array))
        missing, condition = torch.from_numpy(hidden.reshape(x.shape)).to(x.device), self._condition(y, len(x))
        prior = self.module_.prior(ImageInputs(x))

        def likelihood(z: Tensor) -> MaskedLikelihood:
            return MaskedLikelihood(self.module_.decode(z, condition), ~missing)

        target, steps = self._as_encoded(x), integer("steps", steps, low=1)
        found = refine(prior, prior, likelihood, target, steps=steps, seed=check_seed(seed))
        filled = torch.where(missing, self._decode_mean(found.mean, condition), x)
        return filled.cpu().numpy().reshape(array.shape)
