"""Networks that return distributions: encoders, priors and decoders to hand to an estimator, or to build one's own."""

from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.convolutional import ConvNetwork
from graphvae.nn.decoders import InnerProductDecoder
from graphvae.nn.dense import DenseNetwork
from graphvae.nn.encoders import GCNEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.networks import CustomNetwork
from graphvae.nn.priors import FeaturePrior, SphericalUniformPrior, StandardNormalPrior

__all__ = [
    "Autoencoder",
    "ConvNetwork",
    "CustomNetwork",
    "DenseNetwork",
    "FeaturePrior",
    "GCNEncoder",
    "GraphInputs",
    "InnerProductDecoder",
    "SphericalUniformPrior",
    "StandardNormalPrior",
]
