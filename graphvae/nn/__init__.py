"""Networks that return distributions: encoders, priors and decoders to hand to an estimator, or to build one's own."""

from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.nn.encoders import GCNEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.priors import FeaturePrior, SphericalUniformPrior, StandardNormalPrior

__all__ = [
    "Autoencoder",
    "FeaturePrior",
    "GCNEncoder",
    "GraphInputs",
    "InnerProductDecoder",
    "SphericalUniformPrior",
    "StandardNormalPrior",
]
