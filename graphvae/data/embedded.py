"""Graphs and images that the installed packages carry: no file of their own, no network."""

from __future__ import annotations

import numpy as np

from graphvae._state import random_state_kept
from graphvae.data.graph import Graph
from graphvae.data.images import Images

__all__ = ["DIGIT_NEIGHBOURS", "digits", "digits_knn", "karate", "lesmis", "nearest_neighbours"]

DIGIT_NEIGHBOURS = 5


def karate() -> Graph:
    """Zachary's karate club (1977): 34 members, 78 edges without weights; ``y`` is 0 for Mr. Hi, 1 for the officer."""
    import networkx

    club = networkx.karate_club_graph()
    y = [int(club.nodes[node]["club"] == "Officer") for node in range(len(club))]
    return Graph(_both_directions(np.array(club.edges).T), y=y, num_nodes=len(club))


def lesmis() -> Graph:
    """Les Misérables (Knuth, 1993): 77 characters by name, 254 edges weighted by the chapters that two share."""
    import networkx

    novel = networkx.les_miserables_graph()
    names = list(novel)
    row = {name: i for i, name in enumerate(names)}
    pairs = np.array([(row[a], row[b]) for a, b in novel.edges]).T
    weight = np.array([float(w) for _, _, w in novel.edges(data="weight")], dtype=np.float32)
    return Graph(_both_directions(pairs), edge_weight=np.tile(weight, 2), node_ids=names)


def digits_knn() -> Graph:
    """scikit-learn's 1797 digits of 8 x 8 pixels, in two views of one half each.

    Edges join an image to the five whose upper four rows are nearest, in both directions; features ``(N, 32)`` are the
    lower four rows, scaled to [0, 1]; ``y`` is the digit. Were all pixels on both sides, the cosine of the features
    would give the edges away (an AUC of 99.8 %); so it is 86 %.
    """
    with random_state_kept():
        from sklearn.datasets import load_digits

    images, y = load_digits(return_X_y=True)
    upper, lower = images[:, :32], images[:, 32:]
    nearest = nearest_neighbours(upper.astype(np.int64), DIGIT_NEIGHBOURS)
    n = len(images)
    source, target = np.repeat(np.arange(n), DIGIT_NEIGHBOURS), nearest.ravel()
    low, high = np.divmod(np.unique(np.minimum(source, target) * n + np.maximum(source, target)), n)
    return Graph(_both_directions(np.stack([low, high])), (lower / 16).astype(np.float32), y)


def digits() -> Images:
    """scikit-learn's 1797 digits, ``(N, 1, 8, 8)``: integers from 0 to 16, divided by 16; ``y`` is the digit."""
    from sklearn.datasets import load_digits

    pixels, y = load_digits(return_X_y=True)
    origin = {"kind": "images", "name": "digits", "part": "all"}
    return Images.from_pixels(pixels.astype(np.int64).reshape(-1, 1, 8, 8), y, levels=16, origin=origin)


def nearest_neighbours(points: np.ndarray, k: int) -> np.ndarray:
    """``(N, k)`` rows of the Euclidean nearest neighbours of ``(N, D)`` integer points, without themselves.

    Distances are integers and so exact on every machine; of equally near points the one with the lower index comes
    first.
    """
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * (points @ points.T)
    np.fill_diagonal(distances, np.iinfo(np.int64).max)
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


def _both_directions(pairs: np.ndarray) -> np.ndarray:
    return np.concatenate([pairs, pairs[::-1]], axis=1)
