"""The estimators users hold for vectors and images: AE, VAE and the class-conditional CVAE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional as F

from graphvae._check import InputError
from graphvae.estimators.conditional import as_labels, condition_of, num_rows
from graphvae.estimators.image_estimator import ImageEstimator
from graphvae.estimators.image_fitting import bound_objective
from graphvae.estimators.parameters import component
from graphvae.nn.dense import Network
from graphvae.variational.observations import ObservationFamily
from graphvae.variational.posteriors import POSTERIORS, PosteriorFamily

__all__ = ["AE", "CVAE", "VAE"]


class AE(ImageEstimator):
    """Auto-encoder: the VAE with a point posterior, trained on the likelihood alone.

    It has no bound and no prior: ``elbo``, ``log_marginal`` and ``sample`` refuse and say why; ``score`` is the mean
    log-likelihood of the reconstructions.

    Args:
        latent_dim: dimension of the latent space.
        hidden_dims: widths of the encoder's hidden layers; the decoder's are the same in reverse.
        network: ``"dense"``, ``"conv"`` (images ``(N, C, H, W)``; ``hidden_dims`` follow the convolutions), such a
            network with settings, or :class:`graphvae.nn.CustomNetwork` with modules of one's own.
        likelihood: ``"gaussian"``, ``"bernoulli"``, ``"continuous_bernoulli"``, or such a family with settings.
        binarize: of grey values for ``"bernoulli"``: ``"threshold"``, ``"stochastic"`` or None.
        epochs: passes over the data.
        batch_size: rows in one step.
        learning_rate: Adam's; a pair falls (or rises) geometrically from the first epoch to the last.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed: everything random follows from it.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (256,),
        network: str | Network = "dense",
        likelihood: str | ObservationFamily = "gaussian",
        binarize: str | None = None,
        epochs: int = 200,
        batch_size: int = 128,
        learning_rate: float | tuple[float, float] = 1e-3,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.network = network
        self.likelihood = likelihood
        self.binarize = binarize
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.seed = seed

    @property
    def posterior_family(self) -> PosteriorFamily:
        """All mass at one point."""
        return POSTERIORS["point"]

    @torch.no_grad()
    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of the rows given their codes, in nats; no bound on ``log p(x)``."""
        check_is_fitted(self)
        x = self._scored(X, "score", 0)
        return float(self.module_.decode(self._encode(X)).log_prob(x).double().mean())


class VAE(ImageEstimator):
    """Variational auto-encoder of vectors or images.

    Args:
        latent_dim: dimension of the latent space.
        hidden_dims: widths of the encoder's hidden layers; the decoder's are the same in reverse.
        network: ``"dense"``, ``"conv"`` (images ``(N, C, H, W)``; ``hidden_dims`` follow the convolutions), such a
            network with settings, or :class:`graphvae.nn.CustomNetwork` with modules of one's own.
        likelihood: ``"gaussian"``, ``"bernoulli"``, ``"continuous_bernoulli"``, or such a family with settings.
        binarize: of grey values for ``"bernoulli"``: ``"threshold"``, ``"stochastic"`` (anew at each step) or None.
        posterior: ``"gaussian"`` (diagonal), ``"full-gaussian"``, ``"hyperspherical"``, ``"flow"``,
            ``"semi-implicit"``, or such a family with settings; each brings the prior that fits it.
        objective: ``"elbo"``, also called ``"beta"`` (the same with weights on its terms, below), or ``"iwae"`` with
            ``samples`` importance samples.
        beta: weight of the KL divergence.
        kl_warmup: epochs over which that weight grows linearly from 0.
        free_bits: nats of KL divergence that each latent unit, on average over a batch, is not charged for.
        samples: draws of z per datum and step.
        epochs: passes over the data.
        batch_size: rows in one step.
        learning_rate: Adam's; a pair falls (or rises) geometrically from the first epoch to the last.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed: everything random follows from it.

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes (2014).
        Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016).
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (256,),
        network: str | Network = "dense",
        likelihood: str | ObservationFamily = "gaussian",
        binarize: str | None = None,
        posterior: str | PosteriorFamily = "gaussian",
        objective: str = "elbo",
        beta: float = 1.0,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        samples: int = 1,
        epochs: int = 200,
        batch_size: int = 128,
        learning_rate: float | tuple[float, float] = 1e-3,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.network = network
        self.likelihood = likelihood
        self.binarize = binarize
        self.posterior = posterior
        self.objective = objective
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.samples = samples
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.seed = seed

    @property
    def posterior_family(self) -> PosteriorFamily:
        """What ``posterior`` stands for."""
        return component("posterior", self.posterior)


class CVAE(ImageEstimator):
    """Class-conditional VAE: the label goes to the encoder and the decoder, ``q(z|x, y)`` and ``p(x|z, y)``.

    Every method that takes ``x`` takes ``y`` beside it, one class for each row or one for all.

    Args:
        latent_dim: see :class:`VAE`, as all the others.
        hidden_dims: see :class:`VAE`.
        network: see :class:`VAE`.
        likelihood: see :class:`VAE`.
        binarize: see :class:`VAE`.
        beta: see :class:`VAE`.
        kl_warmup: see :class:`VAE`.
        free_bits: see :class:`VAE`.
        samples: see :class:`VAE`.
        epochs: see :class:`VAE`.
        batch_size: see :class:`VAE`.
        learning_rate: see :class:`VAE`.
        device: see :class:`VAE`.
        seed: see :class:`VAE`.

    Reference:
        Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional Generative Models (2015).
    """

    def __init__(
        self,
        latent_dim: int = 8,
        hidden_dims: Sequence[int] = (256,),
        network: str | Network = "dense",
        likelihood: str | ObservationFamily = "gaussian",
        binarize: str | None = None,
        beta: float = 1.0,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        samples: int = 1,
        epochs: int = 200,
        batch_size: int = 128,
        learning_rate: float | tuple[float, float] = 1e-3,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.network = network
        self.likelihood = likelihood
        self.binarize = binarize
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.samples = samples
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.seed = seed

    @property
    def posterior_family(self) -> PosteriorFamily:
        """A diagonal Gaussian."""
        return POSTERIORS["gaussian"]

    def fit(self, X: Any, y: Any = None, *, progress: bool = False, checkpoint: Any = None) -> CVAE:
        """Train on rows of ``X`` with their classes ``y``; ``progress`` and ``checkpoint`` as for :class:`VAE`.

        Raises:
            InputError: without ``y``, or for a class more or less than there are rows.
        """
        if y is None:
            raise InputError("y=None: a conditional model expects the class of each row")
        classes, codes = np.unique(as_labels(y, num_rows(X)), return_inverse=True)
        module, options, x = self._prepare(X, len(classes))
        self.classes_ = classes
        condition = F.one_hot(torch.from_numpy(codes.astype(np.int64)), len(classes)).to(x)
        objective = bound_objective(module, options, condition)
        return self._train(module, options, objective, x, codes, progress, checkpoint)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """:meth:`fit`, then :meth:`transform` with the same classes."""
        return self.fit(X, y, **fit_params).transform(X, y)

    def _condition(self, y: Any, n: int) -> Tensor | None:
        return condition_of(self, y, n)
