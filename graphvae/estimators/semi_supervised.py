"""The semi-supervised VAE (M2): a classifier trained by the labels there are and by the bound on all the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.distributions import Categorical
from torch.nn import functional as F

from graphvae._check import InputError, integer, number
from graphvae.estimators.conditional import as_labels, condition_of, num_rows
from graphvae.estimators.image_estimator import ImageEstimator
from graphvae.estimators.image_fitting import binarised
from graphvae.estimators.parameters import component
from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.dense import ImageInputs, Network
from graphvae.training.randomness import check_seed, seeded
from graphvae.variational.bound import bound, marginalise
from graphvae.variational.observations import ObservationFamily
from graphvae.variational.posteriors import PosteriorFamily

__all__ = ["SemiSupervisedVAE"]


class SemiSupervisedVAE(ClassifierMixin, ImageEstimator):
    """M2: ``p(x|z, y) p(z) p(y)`` with ``q(z|x, y) q(y|x)``; labels that are missing are summed out exactly.

    Unlabelled data are marked by the label -1. Stacked on another model's latents (M1 + M2) it is a pipeline:
    ``make_pipeline(VAE(50), SemiSupervisedVAE(likelihood=GaussianObservation(0.5)))``.

    Args:
        latent_dim: dimension of the latent space.
        hidden_dims: widths of the hidden layers of encoder and classifier; the decoder's are the same in reverse.
        network: see :class:`graphvae.VAE`; the classifier is another encoder.
        likelihood: see :class:`graphvae.VAE`.
        binarize: see :class:`graphvae.VAE`.
        posterior: see :class:`graphvae.VAE`.
        kl_warmup: see :class:`graphvae.VAE`.
        classifier_weight: weight of the classifier's cross-entropy on the labelled data, in units of the data's bound.
        epochs: passes over the data.
        batch_size: rows in one step, and labelled rows at most beside them.
        learning_rate: see :class:`graphvae.VAE`.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed: everything random follows from it.

    Reference:
        Kingma, Rezende, Mohamed and Welling, Semi-supervised Learning with Deep Generative Models (2014), section 3.1.2
        and equations 6 to 9.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (256,),
        network: str | Network = "dense",
        likelihood: str | ObservationFamily = "gaussian",
        binarize: str | None = None,
        posterior: str | PosteriorFamily = "gaussian",
        kl_warmup: int = 0,
        classifier_weight: float = 10.0,
        epochs: int = 100,
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
        self.kl_warmup = kl_warmup
        self.classifier_weight = classifier_weight
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.seed = seed

    @property
    def posterior_family(self) -> PosteriorFamily:
        """What ``posterior`` stands for."""
        return component("posterior", self.posterior)

    def _new_module(self, options: dict[str, Any], shape: Sequence[int], num_classes: int) -> Autoencoder:
        module = super()._new_module(options, shape, num_classes)
        with seeded(options["seed"], "initialise", "classifier"):
            module.classifier = options["network"].encoder(shape, options["hidden_dims"], 0, num_classes)
        return module

    def fit(self, X: Any, y: Any = None, *, progress: bool = False, checkpoint: Any = None) -> SemiSupervisedVAE:
        """Train on rows of ``X``; ``y`` holds the class of each, or -1 where it is not known.

        ``progress`` and ``checkpoint`` are as for :class:`VAE`.

        Raises:
            InputError: without ``y``, without any label, or with fewer than two classes.
        """
        if y is None:
            raise InputError("y=None: a semi-supervised model expects a class for each row, -1 where it is not known")
        labels = as_labels(y, num_rows(X))
        check_classification_targets(labels)
        if not self.is_variational:
            raise InputError(
                f"posterior={self.posterior!r}: expected one with a density; classes are summed out of a bound"
            )
        weight = number("classifier_weight", self.classifier_weight, low=0)
        known = np.flatnonzero(labels != -1)
        classes, codes = np.unique(labels[known], return_inverse=True)
        if len(classes) < 2:
            raise InputError(f"y labels {len(classes)} class(es): expected at least 2")
        module, options, x = self._prepare(X, len(classes))
        self.classes_ = classes
        classifier: Any = module.classifier
        labelled = torch.from_numpy(known).to(x.device)
        code_of = torch.full((len(x),), -1, dtype=torch.int64, device=x.device)
        code_of[labelled] = torch.from_numpy(codes.astype(np.int64)).to(x.device)

        def objective(rows: Tensor, batch: Tensor, beta: float) -> tuple[Tensor, dict[str, Tensor]]:
            values = self._joint_bounds(module, options, batch, len(classes), beta)
            logits = classifier(batch)
            missing = marginalise(values, Categorical(logits=logits, validate_args=False))
            present = values.gather(0, code_of[rows].clamp(min=0)[None]).squeeze(0)
            value = torch.where(code_of[rows] >= 0, present, missing)
            # A few labels among many rows would seldom meet the classifier; each step shows it a batch of them.
            some = labelled[torch.randperm(len(labelled), device=x.device)[: options["batch_size"]]]
            seen = binarised(x[some], options["binarize"])
            cross_entropy = F.cross_entropy(classifier(seen), code_of[some])
            return weight * cross_entropy - value.mean(), {"bound": value.mean(), "cross_entropy": cross_entropy}

        return self._train(module, options, objective, x, code_of.cpu().numpy(), progress, checkpoint)

    def predict_proba(self, X: Any) -> np.ndarray:
        """``q(y|x)``, ``(N, K)``, classes in the order of ``classes_``."""
        return self._classify(X).softmax(-1).double().cpu().numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, ``(N,)``."""
        logits = self._classify(X)
        return self.classes_[logits.argmax(-1).cpu().numpy()]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Accuracy of :meth:`predict`, as for every classifier."""
        return float(ClassifierMixin.score(self, X, y, sample_weight))

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Means of ``p(x|z, y)`` at the posterior means, in the shape of ``X``; without ``y``, of predicted classes."""
        return super().reconstruct(X, self.predict(X) if y is None else y)

    def sample(self, n_samples: int = 1, y: Any = None, *, seed: int = 0, mean: bool = False) -> np.ndarray:
        """As :meth:`graphvae.CVAE.sample`; without ``y`` the classes are drawn from ``p(y)``, which is uniform."""
        if y is None:
            check_is_fitted(self)
            n = integer("n_samples", n_samples, low=1)
            with seeded(check_seed(seed), "classes"):
                y = self.classes_[torch.randint(len(self.classes_), (n,)).numpy()]
        return super().sample(n_samples, y, seed=seed, mean=mean)

    def elbo_terms(
        self, X: Any, y: Any = None, *, samples: int = 16, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As :meth:`graphvae.CVAE.elbo_terms` given ``y``; without, of ``log p(x)``, with the classes summed out.

        The divergence then holds that of ``q(y|x)`` from the uniform ``p(y)`` too.
        """
        if y is not None:
            return super().elbo_terms(X, y, samples=samples, seed=seed)
        probs = torch.from_numpy(self.predict_proba(X))
        terms = [super(SemiSupervisedVAE, self).elbo_terms(X, c, samples=samples, seed=seed) for c in self.classes_]
        bounds, log_likelihoods = (torch.from_numpy(np.stack(each)) for each in list(zip(*terms, strict=True))[:2])
        elbo = marginalise(bounds - math.log(len(self.classes_)), Categorical(probs=probs, validate_args=False)).numpy()
        log_likelihood = (probs.T * log_likelihoods).sum(0).numpy()
        return elbo, log_likelihood, log_likelihood - elbo

    def log_marginal(self, X: Any, y: Any = None, *, samples: int = 1000, seed: int = 0) -> np.ndarray:
        """Of ``log p(x|y)`` given ``y``; without, of ``log p(x)``, with the classes summed out."""
        if y is not None:
            return super().log_marginal(X, y, samples=samples, seed=seed)
        check_is_fitted(self)
        of_class = super().log_marginal
        each = [of_class(X, label, samples=samples, seed=seed) for label in self.classes_]
        return np.logaddexp.reduce(each) - math.log(len(each))

    @torch.no_grad()
    def _classify(self, X: Any) -> Tensor:
        x = self._as_encoded(self._checked(X))
        return self.module_.classifier(x)

    def _encode(self, X: Any, y: Any = None) -> Tensor:
        return super()._encode(X, self.predict(X) if y is None else y)

    def _condition(self, y: Any, n: int) -> Tensor | None:
        return condition_of(self, y, n)

    @staticmethod
    def _joint_bounds(module: Any, options: dict[str, Any], x: Tensor, num_classes: int, beta: float) -> Tensor:
        """``(K, B)`` bounds on ``log p(x, y)`` for every class; a class stands in front of the batch of all data."""
        condition = torch.eye(num_classes, device=x.device)[:, None]
        posterior, prior = module(ImageInputs(x, condition))
        analytic = options["posterior"].analytic_kl
        terms = bound(posterior, prior, lambda z: module.decode(z, condition), x, analytic=analytic)
        return terms.elbo(beta) - math.log(num_classes)
