"""graphvae: variational graph auto-encoders with honest likelihoods, splits that cannot leak, and node names that stay.

The names below are loaded when they are first used: importing this package loads torch, and none of torch_geometric,
scikit-learn, scipy, networkx, pandas, pyarrow or matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch as _torch  # noqa: F401 - the one heavy dependency every use needs

if TYPE_CHECKING:
    from graphvae import nn
    from graphvae._check import InputError
    from graphvae.data.edge_times import edge_times
    from graphvae.data.graph import Graph
    from graphvae.data.images import Images
    from graphvae.data.node_splits import NodeSplit, split_nodes
    from graphvae.data.registry import load_graph, load_images
    from graphvae.data.split_files import load_split, save_split
    from graphvae.data.splits import LinkSet, LinkSplit, split_links
    from graphvae.estimators.autoencoders import AE, CVAE, VAE
    from graphvae.estimators.comparison import Comparison, compare
    from graphvae.estimators.run_folder import load
    from graphvae.estimators.semi_supervised import SemiSupervisedVAE
    from graphvae.estimators.split_check import check_split
    from graphvae.estimators.vgae import GAE, VGAE
    from graphvae.export.embeddings import Embeddings
    from graphvae.training.adversary import Adversarial
    from graphvae.training.free_bits import FreeBits
    from graphvae.training.masked import MaskedEdges
    from graphvae.training.selection import Selection
    from graphvae.variational.bound import Bound, bound

__all__ = [
    "AE",
    "CVAE",
    "GAE",
    "VAE",
    "VGAE",
    "Adversarial",
    "Bound",
    "Comparison",
    "Embeddings",
    "FreeBits",
    "Graph",
    "Images",
    "InputError",
    "LinkSet",
    "LinkSplit",
    "MaskedEdges",
    "NodeSplit",
    "Selection",
    "SemiSupervisedVAE",
    "bound",
    "check_split",
    "compare",
    "edge_times",
    "load",
    "load_graph",
    "load_images",
    "load_split",
    "nn",
    "save_split",
    "split_links",
    "split_nodes",
]

__version__ = "0.1.0"

_HOME = {
    "AE": "graphvae.estimators.autoencoders",
    "CVAE": "graphvae.estimators.autoencoders",
    "VAE": "graphvae.estimators.autoencoders",
    "Comparison": "graphvae.estimators.comparison",
    "SemiSupervisedVAE": "graphvae.estimators.semi_supervised",
    "compare": "graphvae.estimators.comparison",
    "GAE": "graphvae.estimators.vgae",
    "VGAE": "graphvae.estimators.vgae",
    "Adversarial": "graphvae.training.adversary",
    "FreeBits": "graphvae.training.free_bits",
    "MaskedEdges": "graphvae.training.masked",
    "Selection": "graphvae.training.selection",
    "Bound": "graphvae.variational.bound",
    "Embeddings": "graphvae.export.embeddings",
    "Graph": "graphvae.data.graph",
    "Images": "graphvae.data.images",
    "InputError": "graphvae._check",
    "LinkSet": "graphvae.data.splits",
    "LinkSplit": "graphvae.data.splits",
    "bound": "graphvae.variational.bound",
    "NodeSplit": "graphvae.data.node_splits",
    "load": "graphvae.estimators.run_folder",
    "load_graph": "graphvae.data.registry",
    "load_images": "graphvae.data.registry",
    "split_links": "graphvae.data.splits",
    "edge_times": "graphvae.data.edge_times",
    "load_split": "graphvae.data.split_files",
    "save_split": "graphvae.data.split_files",
    "check_split": "graphvae.estimators.split_check",
    "split_nodes": "graphvae.data.node_splits",
}


def __getattr__(name: str) -> Any:
    if name == "nn":
        return import_module("graphvae.nn")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'graphvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
