"""Networks that return distributions: encoders, priors and decoders to hand to an estimator, or to build one's own."""

from graphvae.nn.autoencoder import Autoencoder
from graphvae.nn.convolutional import ConvNetwork
from graphvae.nn.custom_encoder import CustomEncoder
from graphvae.nn.decoders import CosineDecoder, InnerProductDecoder
from graphvae.nn.dense import DenseNetwork
from graphvae.nn.encoders import GCN, GCNEncoder
from graphvae.nn.hops import HopEncoder
from graphvae.nn.inputs import GraphInputs
from graphvae.nn.networks import CustomNetwork
from graphvae.nn.pair_scores import BernoulliPoissonDecoder, BilinearDecoder, DistanceDecoder, MLPDecoder
from graphvae.nn.priors import FeaturePrior, MixturePrior, SphericalUniformPrior, StandardNormalPrior
from graphvae.nn.structure import Structure

__all__ = [
    "GCN",
    "Autoencoder",
    "BernoulliPoissonDecoder",
    "BilinearDecoder",
    "ConvNetwork",
    "CosineDecoder",
    "CustomEncoder",
    "CustomNetwork",
    "DenseNetwork",
    "DistanceDecoder",
    "FeaturePrior",
    "GCNEncoder",
    "GraphInputs",
    "HopEncoder",
    "InnerProductDecoder",
    "MLPDecoder",
    "MixturePrior",
    "SphericalUniformPrior",
    "StandardNormalPrior",
    "Structure",
]
