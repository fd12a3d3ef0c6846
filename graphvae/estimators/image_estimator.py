"""The abstract estimator for images and vectors: scikit-learn's manners, and everything but the constructor."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from graphvae._check import InputError, integer
from graphvae.data.fields import digest
from graphvae.estimators.image_fitting import (
    binarised,
    bound_objective,
    build_image_module,
    check_image_params,
    fit_images,
    widest_layer,
)
from graphvae.estimators.latent_arithmetic import LatentArithmetic, as_array
from graphvae.estimators.parameters import to_json
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.dense import ImageInputs
from graphvae.training.checkpoint import Checkpoint
from graphvae.training.loop import resolve_device
from graphvae.training.randomness import check_seed, seeded
from graphvae.variational.bound import Bound, bound
from graphvae.variational.posteriors import PosteriorFamily
from graphvae.variational.spherical import unit_vectors

__all__ = ["ImageEstimator"]

E = TypeVar("E", bound="ImageEstimator")

# Numbers of one chunk of (samples x rows x widest layer), so that memory does not grow with either.
CHUNK = 1 << 24


class ImageEstimator(LatentArithmetic, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Fit, transform, reconstruct, sample, score: for any auto-encoder of vectors or images.

    Arrays are ``(N, D)`` or ``(N, C, H, W)``, numpy or torch, and come back in the same shape, as numpy. Concrete
    estimators define a constructor that stores its arguments, and how labels are used, if at all.
    """

    latent_dim: int
    seed: int
    device: str
    image_shape_: tuple[int, ...] | None

    @property
    @abstractmethod
    def posterior_family(self) -> PosteriorFamily:
        """The family of posteriors that encoders end in."""

    def fit(self: E, X: Any, y: Any = None, *, progress: bool = False, checkpoint: Any = None) -> E:
        """Train on rows of ``X``; labels are ignored.

        Args:
            X: the data.
            y: labels.
            progress: show a progress bar on stderr.
            checkpoint: a file that training is saved to every minute, and goes on from if it is there, bit for bit; or
                a :class:`~graphvae.training.checkpoint.Checkpoint`. It stays when training is done.

        Raises:
            InputError: for arguments or data this model cannot use, and for the checkpoint of another run.
        """
        module, options, x = self._prepare(X)
        return self._train(module, options, bound_objective(module, options, None), x, None, progress, checkpoint)

    def _prepare(self, X: Any, num_classes: int = 0) -> tuple[Autoencoder, dict[str, Any], Tensor]:
        """A fresh module, the arguments completed and the data on the device, all checked."""
        options = check_image_params(self.get_params(deep=False), self.posterior_family)
        device = resolve_device(self.device)
        # A fit that fails from here on leaves an estimator that is not fitted, rather than weights for other data.
        if hasattr(self, "module_"):
            del self.module_
        x = self._rows(X, reset=True).to(device)
        options["observation"].check(x)
        shape = self.image_shape_ or (x.shape[1],)
        return self._new_module(options, shape, num_classes).to(device), options, x

    def _new_module(self, options: dict[str, Any], shape: Sequence[int], num_classes: int) -> Autoencoder:
        """The networks for data of ``shape``, freshly initialised."""
        return build_image_module(options, shape, num_classes)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a run folder: config, weights and history. Nothing is pickled, and no data are stored.

        Raises:
            InputError: if the folder exists, unless ``overwrite``.
        """
        from graphvae.estimators.image_run import save_image_run

        return save_image_run(self, path, overwrite=overwrite)

    def _train(
        self: E,
        module: Any,
        options: dict[str, Any],
        objective: Any,
        x: Tensor,
        codes: np.ndarray | None,
        progress: bool,
        checkpoint: Any,
    ) -> E:
        start = time.perf_counter()
        if checkpoint is not None:
            data = digest(x.cpu().numpy(), *([] if codes is None else [codes]))
            params = to_json(self.get_params(deep=False))
            checkpoint = Checkpoint.of(checkpoint, {"estimator": type(self).__name__, "params": params, "data": data})
        result = fit_images(module, options, objective, x, progress=progress, checkpoint=checkpoint)
        self.fit_seconds_ = time.perf_counter() - start
        self.module_, self.options_, self.history_ = module, options, result.history
        self._n_features_out = options["latent_dim"]
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Latent vectors are float32 whatever the data are.
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Posterior means ``(N, latent_dim)``, float32; only a conditional model reads ``y``."""
        return self._encode(X, y).cpu().numpy()

    def inverse_transform(self, Z: Any, y: Any = None) -> np.ndarray:
        """Means of ``p(x|z)`` for latent vectors ``(N, latent_dim)``, in the shape of the fitted data."""
        check_is_fitted(self)
        z = torch.from_numpy(np.array(as_array(Z), dtype=np.float32))
        if z.dim() != 2 or z.shape[1] != self.options_["latent_dim"]:
            raise InputError(f"Z has shape {tuple(z.shape)}: expected (N, {self.options_['latent_dim']})")
        return self._shaped(self._decode_mean(z, self._condition(y, len(z))))

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Means of ``p(x|z)`` at the posterior means, in the shape of ``X``."""
        z = self._encode(X, y)
        return self._decode_mean(z, self._condition(y, len(z))).cpu().numpy().reshape(np.shape(X))

    @torch.no_grad()
    def sample(self, n_samples: int = 1, y: Any = None, *, seed: int = 0, mean: bool = False) -> np.ndarray:
        """Draw ``z`` from the prior and ``x`` from ``p(x|z)``; with ``mean=True`` the means of ``p(x|z)`` instead.

        Args:
            n_samples: how many.
            y: for a conditional model the class of all samples, or one for each.
            seed: of the draw.
            mean: return means rather than draws.

        Raises:
            InputError: for a model with a point posterior, which has no prior.
        """
        self._require_variational("sample")
        n = integer("n_samples", n_samples, low=1)
        device = next(self.module_.parameters()).device
        condition = self._condition(y, n)
        with seeded(check_seed(seed), "sample", device=device):
            z = self.module_.prior(ImageInputs(torch.empty(n, self.n_features_in_, device=device))).sample()
            likelihood = self.module_.decode(z, condition)
            return self._shaped(likelihood.mean if mean else likelihood.sample())

    def elbo(self, X: Any, y: Any = None, *, samples: int = 16, seed: int = 0) -> np.ndarray:
        """Evidence lower bound of each row in nats, ``(N,)`` float64; the KL in closed form, z drawn under ``seed``.

        Raises:
            InputError: for a point posterior, or data the likelihood gives no probability to.
        """
        return self.elbo_terms(X, y, samples=samples, seed=seed)[0]

    def elbo_terms(
        self, X: Any, y: Any = None, *, samples: int = 16, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``(elbo, log_likelihood, kl)`` of each row in nats, each ``(N,)`` float64; see :meth:`elbo`."""
        check_is_fitted(self)
        analytic = self.options_["posterior"].analytic_kl
        bounds = self._bounds(X, y, "elbo", samples, seed, analytic=analytic)
        terms = [(b.elbo(), b.log_likelihood.mean(0), b.kl.mean(0)) for b in bounds]
        elbo, log_likelihood, kl = (torch.cat(blocks).double().cpu().numpy() for blocks in zip(*terms, strict=True))
        return elbo, log_likelihood, kl

    def log_marginal(self, X: Any, y: Any = None, *, samples: int = 1000, seed: int = 0) -> np.ndarray:
        """Importance-sampled lower bound on ``log p(x)`` of each row in nats, ``(N,)`` float64.

        Raises:
            InputError: for a point posterior, or data the likelihood gives no probability to.

        Reference:
            Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), section 5.
        """
        blocks = [terms.iwae() for terms in self._bounds(X, y, "log_marginal", samples, seed, analytic=False)]
        return torch.cat(blocks).double().cpu().numpy()

    def bits_per_dimension(
        self, X: Any, y: Any = None, *, quantisation: float | None = None, samples: int = 1000, seed: int = 0
    ) -> np.ndarray:
        """:meth:`log_marginal` in bits per observed value, ``(N,)``: an upper bound on what a code for ``X`` needs.

        Args:
            X: data.
            y: classes, for a conditional model.
            quantisation: width of the grid that the values lie on, such as ``gv.load_images(...).quantisation``; a
                density means nothing without it, and binary data have none.
            samples: importance samples.
            seed: of the draws.

        Raises:
            InputError: for a density without ``quantisation``, or binary data with it; as :meth:`log_marginal`.
        """
        from graphvae.evaluation.bits import bits_per_dimension

        self._require_variational("bits_per_dimension")
        binary = self.options_["observation"].binary
        if binary != (quantisation is None):
            kind = "binary data have probabilities; expected None" if binary else "a density needs the width of a grid"
            raise InputError(f"quantisation={quantisation!r}: {kind}")
        nats = self.log_marginal(X, y, samples=samples, seed=seed)
        return bits_per_dimension(nats, self.n_features_in_, quantisation)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean ELBO in nats per row; the same for the same data."""
        return float(self.elbo(X, y).mean())

    @torch.no_grad()
    def _bounds(self, X: Any, y: Any, what: str, samples: int, seed: int, *, analytic: bool) -> Iterator[Bound]:
        """Terms of the bound in chunks of rows and, within them, of samples."""
        self._require_variational(what)
        samples, seed = integer("samples", samples, low=1), check_seed(seed)
        x = self._scored(X, what, seed)
        condition = self._condition(y, len(x))
        width = widest_layer(self.module_, x[:1], None if condition is None else condition[:1])
        at_once = max(1, min(samples, CHUNK // width))
        rows = max(1, CHUNK // (width * at_once))
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            given = None if condition is None else condition[part]
            posterior, prior = self.module_(ImageInputs(x[part], given))
            pieces = []
            for first in range(0, samples, at_once):
                with seeded(seed, what, start, first, device=x.device):
                    count = min(at_once, samples - first)
                    terms = bound(
                        posterior,
                        prior,
                        partial(self._decode, condition=given),
                        x[part],
                        samples=count,
                        analytic=analytic,
                    )
                pieces.append((terms.log_likelihood, terms.kl))
            log_likelihood, kl = (torch.cat(terms) for terms in zip(*pieces, strict=True))
            yield Bound(log_likelihood, kl, torch.empty(0), analytic)

    @property
    def is_variational(self) -> bool:
        """Whether the posterior is a distribution with a density, so that a bound exists."""
        return self.posterior_family.variational

    def _decode(self, z: Tensor, condition: Tensor | None) -> Any:
        return self.module_.decode(z, condition)

    def _require_variational(self, what: str) -> None:
        check_is_fitted(self)
        if not self.is_variational:
            raise InputError(f"{what}: a point posterior has no density, so there is no bound and no prior; use a VAE")

    def _rows(self, X: Any, *, reset: bool) -> Tensor:
        """``X`` validated as ``(N, D)`` float32; remembers (``reset``) or checks the shape of one datum."""
        array = as_array(X) if isinstance(X, Tensor) else X
        shape = None
        if hasattr(array, "ndim") and array.ndim == 4:
            shape = tuple(int(size) for size in array.shape[1:])
            array = np.asarray(array).reshape(len(array), math.prod(shape))
            if not reset and self.image_shape_ not in (None, shape):
                raise InputError(f"X holds data of shape {shape}: this model was fitted on {self.image_shape_}")
        rows = validate_data(self, array, reset=reset, dtype=np.float32, ensure_min_samples=2 if reset else 1)
        if reset:
            self.image_shape_ = shape
        # In one layout, because sums in another order round differently.
        return torch.from_numpy(np.array(rows, order="C"))

    def _checked(self, X: Any) -> Tensor:
        check_is_fitted(self)
        x = self._rows(X, reset=False).to(next(self.module_.parameters()).device)
        self.options_["observation"].check(x)
        return x

    def _as_encoded(self, x: Tensor) -> Tensor:
        """What the encoder sees of rows ``x``: grey means stand for their own draws, so that nothing is random."""
        return binarised(x, "threshold") if self.options_["binarize"] == "threshold" else x

    def _scored(self, X: Any, what: str, seed: int) -> Tensor:
        """Rows as the likelihood scores them, binarised if so chosen; grey values have no probability of their own."""
        x = self._checked(X)
        with seeded(seed, "binarise", device=x.device):
            x = binarised(x, self.options_["binarize"])
        if self.options_["observation"].binary and bool(((x != 0) & (x != 1)).any()):
            raise InputError(f"{what}: a Bernoulli gives grey values no probability; expected 0 and 1, or binarize=...")
        return x

    def _condition(self, y: Any, n: int) -> Tensor | None:
        """The condition ``(n, K)`` that ``y`` stands for; an unconditional model ignores labels."""
        return None

    @torch.no_grad()
    def _encode(self, X: Any, y: Any = None) -> Tensor:
        x = self._as_encoded(self._checked(X))
        return self.module_(ImageInputs(x, self._condition(y, len(x))))[0].mean

    @torch.no_grad()
    def _decode_mean(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        device = next(self.module_.parameters()).device
        if self.options_["posterior"].support == "sphere":
            # Expectations, and points between two of them, lie inside the sphere that the decoder was trained on.
            z = unit_vectors(z)
        return self.module_.decode(z.to(device), condition).mean

    def _shaped(self, x: Tensor) -> np.ndarray:
        array = x.cpu().numpy()
        return array if self.image_shape_ is None else array.reshape(len(array), *self.image_shape_)
