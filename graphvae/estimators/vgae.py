"""The estimators users hold for graphs: VGAE and its point-posterior sibling GAE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from graphvae._check import resolve
from graphvae.estimators.graph_estimator import GraphEstimator
from graphvae.estimators.parameters import component
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.nn.hops import HopEncoder
from graphvae.nn.pair_scores import MLPDecoder
from graphvae.nn.structure import Structure
from graphvae.training.adversary import Adversarial
from graphvae.training.free_bits import FreeBits
from graphvae.training.masked import MaskedEdges
from graphvae.training.selection import Selection
from graphvae.variational.posteriors import POSTERIORS, PosteriorFamily

__all__ = ["GAE", "PRESETS", "VGAE"]

# Whole, documented settings. "paper" is the constructor's defaults, written once, there.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    # The true bound with the standard normal prior. A node's KL costs more than its one or two edges can pay for, so on
    # a sparse graph this model ends as Erdős-Rényi, which it contains.
    "elbo": {"objective": "elbo"},
    # The true bound with a prior conditional on the features, and an intercept of every node, which a degree asks
    # for: a model of the graph, not only a ranker of links.
    "generative": {
        "objective": "elbo",
        "prior": "features",
        "decoder": InnerProductDecoder(intercepts=True),
        "dropout": 0.5,
        "epochs": 600,
    },
    # Whatever the graph offers: one of the two that follow, chosen when it is fitted.
    "auto": {"encoder": "auto", "latent_dim": 64},
    # The best ranker of links on graphs with features: edges hidden from the encoder are what it is trained to tell.
    "strong": {
        "encoder": HopEncoder(),
        "decoder": MLPDecoder(),
        "structure": Structure(),
        "objective": MaskedEdges(),
        "latent_dim": 128,
        "epochs": 300,
        "learning_rate": (0.01, 0.002),
        "patience": Selection(),
    },
    # The same without features: a learned row per node and an embedding of its degree, carried further.
    "strong-featureless": {
        "encoder": HopEncoder(width=48, hops=3),
        "decoder": MLPDecoder(),
        "structure": Structure(),
        "objective": MaskedEdges(rate=0.3),
        "latent_dim": 64,
        "epochs": 60,
        "patience": Selection(),
    },
}


class VGAE(GraphEstimator):
    """Variational graph auto-encoder: a GCN posterior over node positions and an inner-product decoder.

    The defaults are the paper's: hidden width 32, latent dimension 16, Adam at 0.01, 200 epochs, the weighted loss over
    all N² pairs, exactly.

    Args:
        latent_dim: D, dimension of the latent space.
        hidden_dims: widths of the encoder's hidden layers; ``()`` is the linear model.
        objective: ``"kipf"`` (the paper's weighted loss; no bound), ``"elbo"`` (the true bound), ``"sampled"`` (edges
            against sampled non-edges), ``"masked"`` (edges hidden from the encoder against sampled non-edges) or a
            :class:`~graphvae.training.masked.MaskedEdges` with settings; ``"adversarial"`` (ARGVA: the first of these
            and a discriminator; ``"adversarial:elbo"`` another) or an
            :class:`~graphvae.training.adversary.Adversarial`; ``"free-bits"`` (the true bound with an allowance of
            divergence) or a :class:`~graphvae.training.free_bits.FreeBits`; ``"iwae"`` with ``samples`` importance
            samples of whole graphs. The first two take the sum over all pairs exactly or by
            an unbiased estimate, as size makes sensible (see ``fitted.path``); ``"kipf:exact"``,
            ``"elbo:control-variate"`` ask for one.
        posterior: ``"gaussian"`` (diagonal), ``"full-gaussian"``, ``"hyperspherical"``, ``"flow"``,
            ``"semi-implicit"``, ``"point"``, or such a family with settings.
        prior: ``"normal"``, ``"features"`` (conditional on node features), ``"mixture"`` (of Gaussians, learned),
            ``"uniform-sphere"``, or a prior of :mod:`graphvae.nn`; None takes the one that fits the posterior.
        encoder: ``"gcn"``, ``"hops"``, or an encoder of :mod:`graphvae.nn`; ``hidden_dims`` and ``dropout`` are those
            of ``"gcn"``, others have settings of their own. ``"auto"`` chooses by the graph, not the encoder alone but
            every argument but ``latent_dim`` that is at its default, and ``fitted.why`` says what and why.
        decoder: ``"inner_product"``, ``"cosine"``, ``"bilinear"``, ``"distance"``, ``"mlp"``, ``"bernoulli_poisson"``,
            or a decoder of :mod:`graphvae.nn`; with ``objective="elbo"`` the plain one learns a scale and a bias.
        structure: ``"walks"`` or a :class:`~graphvae.nn.structure.Structure`: what is learned of walks, degrees and a
            spectral embedding, weighed against the decoder on validation pairs; None for the decoder alone.
        dropout: rate in the encoder.
        beta: weight of the KL divergence.
        kl_warmup: epochs over which that weight grows linearly from 0.
        samples: draws of Z per step.
        epochs: training steps, full batch.
        learning_rate: Adam's; a pair falls (or rises) geometrically from the first epoch to the last.
        patience: keep the best epoch on validation, stop after this many without a better one, or as a
            :class:`~graphvae.training.selection.Selection` says; None keeps the last.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed: everything random follows from it.

    Example:
        >>> import graphvae as gv
        >>> split = gv.split_links(gv.load_graph("karate"), val=0.05, test=0.10, seed=0)
        >>> model = gv.VGAE(epochs=20).fit(split)
        >>> model.transform(split.train).shape
        (34, 16)

    Reference:
        Kipf and Welling, Variational Graph Auto-Encoders (2016).
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (32,),
        objective: str | MaskedEdges | Adversarial | FreeBits = "kipf",
        posterior: str | PosteriorFamily = "gaussian",
        prior: str | nn.Module | None = None,
        encoder: Any = "gcn",
        decoder: Any = "inner_product",
        structure: str | Structure | None = None,
        dropout: float = 0.0,
        beta: float = 1.0,
        kl_warmup: int = 0,
        samples: int = 1,
        epochs: int = 200,
        learning_rate: float | tuple[float, float] = 0.01,
        patience: int | Selection | None = None,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.objective = objective
        self.posterior = posterior
        self.prior = prior
        self.encoder = encoder
        self.decoder = decoder
        self.structure = structure
        self.dropout = dropout
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.samples = samples
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.patience = patience
        self.device = device
        self.seed = seed

    @property
    def posterior_family(self) -> PosteriorFamily:
        """What ``posterior`` stands for."""
        return component("posterior", self.posterior)

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> VGAE:
        """An unfitted VGAE with whole, documented settings from :data:`PRESETS`; keywords override.

        Raises:
            InputError: for an unknown preset or argument.
        """
        return cls().set_params(**{**resolve("preset", name, PRESETS), **overrides})


class GAE(GraphEstimator):
    """Graph auto-encoder: the VGAE with a point posterior, trained on the (pseudo-)likelihood alone.

    It has no bound and no prior: ``elbo``, ``log_marginal`` and ``sample(source="prior")`` refuse and say why.

    Args:
        latent_dim: D, dimension of the latent space.
        hidden_dims: widths of the encoder's hidden layers; ``()`` is the linear model.
        objective: ``"kipf"``, ``"elbo"`` (here the likelihood alone), ``"sampled"``, ``"masked"`` or ``"adversarial"``
            (ARGA); see :class:`VGAE`.
        encoder: see :class:`VGAE`.
        decoder: see :class:`VGAE`.
        dropout: rate in the encoder.
        epochs: training steps, full batch.
        learning_rate: Adam's; a pair falls (or rises) geometrically from the first epoch to the last.
        patience: see :class:`VGAE`.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        seed: everything random follows from it.

    Reference:
        Kipf and Welling, Variational Graph Auto-Encoders (2016), section 2, "non-probabilistic GAE".
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dims: Sequence[int] = (32,),
        objective: str | MaskedEdges | Adversarial = "kipf",
        encoder: Any = "gcn",
        decoder: Any = "inner_product",
        dropout: float = 0.0,
        epochs: int = 200,
        learning_rate: float | tuple[float, float] = 0.01,
        patience: int | Selection | None = None,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.objective = objective
        self.encoder = encoder
        self.decoder = decoder
        self.dropout = dropout
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.patience = patience
        self.device = device
        self.seed = seed

    @property
    def posterior_family(self) -> PosteriorFamily:
        """All mass at one point."""
        return POSTERIORS["point"]
