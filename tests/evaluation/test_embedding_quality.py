"""Quality of an embedding against scikit-learn called by hand, and on embeddings of known quality."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from graphvae._check import InputError
from graphvae.evaluation.embedding_quality import LIMIT, active_units, embedding_quality


def blobs(n: int = 90, noise: float = 0.8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 3)
    centres = np.array([[0, 0, 0, 0], [2, 0, 50, 0], [0, 2, 0, 0.01]])
    return centres[y] + noise * rng.normal(size=(n, 4)) * np.array([1, 1, 25, 0.005]), y


def test_figures_are_those_of_scikit_learn_called_by_hand():
    z, y = blobs()
    quality = embedding_quality(z, y, folds=3, seed=4)
    probe, knn = [], []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=4).split(z, y):
        mean, scale = z[train].mean(0), z[train].std(0)
        linear = LogisticRegression(max_iter=2000).fit((z[train] - mean) / scale, y[train])
        probe.append(linear.score((z[test] - mean) / scale, y[test]))
        knn.append(KNeighborsClassifier(5).fit(z[train], y[train]).score(z[test], y[test]))
    clusters = KMeans(3, n_init=10, random_state=4).fit_predict(z)
    assert quality.probe == pytest.approx(np.mean(probe))
    assert quality.probe_error == pytest.approx(np.std(probe, ddof=1) / math.sqrt(3))
    assert quality.knn == pytest.approx(np.mean(knn))
    assert quality.knn_error == pytest.approx(np.std(knn, ddof=1) / math.sqrt(3))
    assert quality.nmi == pytest.approx(normalized_mutual_info_score(y, clusters))
    assert quality.ari == pytest.approx(adjusted_rand_score(y, clusters))
    assert (quality.count, quality.folds) == (90, 3)
    assert 0 < quality.nmi_error < 0.2
    assert 0 < quality.ari_error < 0.2
    assert json.loads(json.dumps(quality.to_dict()))["knn"] == quality.knn


def test_a_perfect_embedding_and_one_of_noise():
    z, y = blobs(noise=0.01)
    perfect = embedding_quality(z * np.array([1, 1, 0, 0]), y)
    assert (perfect.probe, perfect.knn, perfect.nmi, perfect.ari) == pytest.approx((1, 1, 1, 1))
    noise = embedding_quality(np.random.default_rng(1).normal(size=(300, 4)), np.arange(300) % 3)
    assert noise.probe == pytest.approx(1 / 3, abs=0.1)
    assert noise.knn == pytest.approx(1 / 3, abs=0.1)
    assert abs(noise.ari) < 0.05


def test_the_same_in_float32_with_names_for_labels_and_again():
    z, y = blobs()
    first = embedding_quality(z, y)
    assert embedding_quality(z, y) == first
    assert embedding_quality(z, np.array(["ape", "bee", "cat"])[y]) == first


def test_unlabelled_data_and_rare_classes_are_left_out():
    z, y = blobs()
    rng = np.random.default_rng(2)
    more = np.concatenate([z, rng.normal(size=(24, 4))])
    labels = np.concatenate([y, [-1] * 20, [7] * 4])
    assert embedding_quality(more, labels) == embedding_quality(z, y)


def test_of_many_data_a_stratified_subsample_is_judged():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2, 3], [600, 250, 145, 5]))
    z = y[:, None] * np.array([6.0, 0, 0]) + rng.normal(size=(1000, 3))
    # A class of five keeps all of them: with fewer than there are folds, it could not be judged.
    part = embedding_quality(z, y, limit=100)
    assert part.count == 60 + 25 + 14 + 5
    assert part.probe > 0.9
    assert part == embedding_quality(z, y, limit=100)
    assert part != embedding_quality(z, y, limit=100, seed=1)
    whole = embedding_quality(z, y)
    assert whole.count == 1000
    assert whole == embedding_quality(z, y, limit=None) == embedding_quality(z, y, limit=1000)


def test_a_subsample_is_not_the_front():
    """The first half is noise, the second is perfect: a subsample sees both."""
    y = np.tile([0, 1], 500)
    z = np.where(np.arange(1000) < 500, np.random.default_rng(0).normal(size=1000), 10.0 * y)[:, None]
    assert embedding_quality(z, y, limit=200).knn == pytest.approx(embedding_quality(z, y).knn, abs=0.1)


@pytest.mark.slow
def test_embeddings_of_the_size_of_mnist_take_seconds():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 60_000)
    z = rng.normal(size=(10, 50))[y] + rng.normal(size=(60_000, 50))
    start = time.process_time()
    quality = embedding_quality(z, y)
    assert time.process_time() - start < 20
    assert 19_990 <= quality.count <= LIMIT
    assert quality.knn > 0.9


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the very thing that must not change
    embedding_quality(*blobs())
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("z", "y", "message"),
    [
        (np.zeros(9), np.zeros(9), r"expected \(N, D\)"),
        (np.zeros((9, 2)), np.zeros(8), r"labels \(8,\)"),
        (np.zeros((9, 2)), np.zeros((9, 1)), r"labels \(9, 1\)"),
        (np.zeros((9, 2)), np.zeros(9), "1 classes have 5 members"),
        (np.zeros((9, 2)), np.arange(9), "0 classes have 5 members"),
        (np.zeros((9, 2)), np.array([0] * 5 + [-1] * 4), "1 classes have 5 members"),
    ],
)
def test_what_cannot_be_judged_is_refused(z, y, message):
    with pytest.raises(InputError, match=message):
        embedding_quality(z, y)


@pytest.mark.parametrize("folds", [1, 0, 2.5, None])
def test_folds_are_at_least_two(folds):
    with pytest.raises(InputError, match="folds="):
        embedding_quality(*blobs(), folds=folds)


@pytest.mark.parametrize("limit", [0, -1, 2.5, "all"])
def test_a_limit_is_a_count_or_none(limit):
    with pytest.raises(InputError, match="limit="):
        embedding_quality(*blobs(), limit=limit)


def test_too_few_data_for_five_neighbours_are_refused():
    with pytest.raises(InputError, match="2 of 4 vectors train"):
        embedding_quality(np.arange(8.0).reshape(4, 2), [0, 0, 1, 1], folds=2)


def test_active_units_are_those_whose_mean_varies():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(5000, 4)) * np.sqrt([1.0, 0.02, 0.005, 0.0]) + 3
    assert active_units(means) == 2
    assert active_units(np.zeros((10, 3))) == 0
    assert isinstance(active_units(means.astype(np.float32)), int)


def test_the_errors_of_clusters_shrink_with_the_data_and_vanish_with_the_doubt():
    small, large = (embedding_quality(*blobs(n)) for n in (90, 1440))
    assert 2 < small.ari_error / large.ari_error < 8  # 16 times the data: 4, but for the two errors' own
    assert 2 < small.nmi_error / large.nmi_error < 8
    z, y = blobs(noise=0.01)
    perfect = embedding_quality(z * np.array([1, 1, 0, 0]), y)
    assert (perfect.nmi_error, perfect.ari_error) == pytest.approx((0, 0), abs=1e-12)
