"""Null models against closed forms, a generic optimiser, and Cora's figures."""

from __future__ import annotations

import math
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import xlogy
from scipy.stats import bernoulli

from graphvae._check import InputError
from graphvae.evaluation.null_models import (
    HELDOUT_PSEUDO_COUNT,
    degree_log_likelihood,
    degree_model,
    erdos_renyi,
    erdos_renyi_log_likelihood,
)


def degrees_of(graph: nx.Graph) -> np.ndarray:
    return np.array([d for _, d in graph.degree()], dtype=np.int64)


def pairs_of(n: int) -> np.ndarray:
    return np.stack(np.triu_indices(n, 1))


def generic_maximum(graph: nx.Graph) -> float:
    """The beta-model's maximum by a general optimiser over one intercept per node."""
    n, (u, v) = len(graph), pairs_of(len(graph))
    edge = nx.to_numpy_array(graph, weight=None)[u, v]

    def loss(a: np.ndarray) -> float:
        logits = a[u] + a[v]
        return float(np.logaddexp(0, logits).sum() - edge @ logits)

    return -minimize(loss, np.zeros(n), method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-9}).fun


def log_likelihood(model, graph: nx.Graph) -> float:
    """Pair by pair, from the model's logits; a certain pair that is right contributes 0."""
    u, v = pairs_of(len(graph))
    edge = nx.to_numpy_array(graph, weight=None)[u, v]
    logits = model.logits(np.stack([u, v]))
    return float(-np.logaddexp(0, np.where(edge == 1, -logits, logits)).sum())


@pytest.mark.parametrize(("n", "edges"), [(2, 0), (2, 1), (5, 0), (5, 10), (5, 3), (40, 100), (1, 0), (0, 0)])
def test_erdos_renyi_equals_bernoulli_of_the_density(n: int, edges: int) -> None:
    pairs = n * (n - 1) // 2
    expected = bernoulli(edges / pairs).logpmf(np.arange(pairs) < edges).sum() if pairs else 0.0
    assert erdos_renyi_log_likelihood(n, edges) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert erdos_renyi(n, edges).log_likelihood == erdos_renyi_log_likelihood(n, edges)


def test_erdos_renyi_of_a_huge_graph_keeps_its_digits() -> None:
    n, edges = 10_000_000, 3
    pairs = n * (n - 1) // 2
    expected = xlogy(edges, edges / pairs) - edges  # (P - E) log(1 - E/P) = -E to first order
    assert erdos_renyi_log_likelihood(n, edges) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("edges", [0, 3, 10])
def test_erdos_renyi_logits_are_the_log_odds(edges: int) -> None:
    logits = erdos_renyi(5, edges).logits([[0, 1], [4, 2]])
    expected = {0: -math.inf, 3: math.log(0.3 / 0.7), 10: math.inf}[edges]
    assert logits.tolist() == pytest.approx([expected] * 2)


INTERIOR = {
    "karate": nx.Graph(nx.karate_club_graph()),
    "lesmis": nx.Graph(nx.les_miserables_graph()),
    "path": nx.path_graph(6),
    "sparse": nx.gnm_random_graph(40, 60, seed=1),
    "dense": nx.gnm_random_graph(20, 150, seed=2),
    "lollipop": nx.lollipop_graph(6, 4),
}


@pytest.mark.parametrize("graph", INTERIOR.values(), ids=INTERIOR.keys())
def test_degree_model_equals_a_generic_optimiser(graph: nx.Graph) -> None:
    model = degree_model(degrees_of(graph))
    assert model.log_likelihood == pytest.approx(generic_maximum(graph), rel=1e-6, abs=1e-4)
    assert model.log_likelihood == pytest.approx(log_likelihood(model, graph), abs=1e-8)


@settings(max_examples=80, deadline=None)
@given(n=st.integers(1, 14), share=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_degree_model_is_the_maximum_on_any_graph(n: int, share: float, seed: int) -> None:
    graph = nx.gnp_random_graph(n, share, seed=seed)
    degrees = degrees_of(graph)
    model = degree_model(degrees)
    # It contains Erdős-Rényi, its logits reproduce its value, and no nearby intercepts do better.
    assert erdos_renyi_log_likelihood(n, graph.number_of_edges()) - 1e-9 <= model.log_likelihood <= 1e-12
    assert log_likelihood(model, graph) == pytest.approx(model.log_likelihood, abs=1e-7)
    regular = np.isfinite(model.intercepts)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 0.3):
        near = np.where(regular, model.intercepts + size * rng.normal(size=n), model.intercepts)
        moved = type(model)(model.name, 0.0, near, model.order)
        assert log_likelihood(moved, graph) <= model.log_likelihood + 1e-7


@settings(max_examples=60, deadline=None)
@given(n=st.integers(3, 30), share=st.floats(0.05, 0.95), seed=st.integers(0, 10**6))
def test_expected_degrees_are_the_observed_ones(n: int, share: float, seed: int) -> None:
    degrees = degrees_of(nx.gnp_random_graph(n, share, seed=seed))
    model = degree_model(degrees)
    u, v = pairs_of(n)
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(-model.logits(np.stack([u, v]))))
    expected = np.bincount(u, p, minlength=n) + np.bincount(v, p, minlength=n)
    assert expected == pytest.approx(degrees, abs=1e-4)


def test_certain_nodes_are_limits() -> None:
    # The hub of a star is joined to all, then no leaf has another edge: one graph has these degrees.
    star = degree_model([4, 1, 1, 1, 1])
    assert star.log_likelihood == 0.0
    assert star.logits([[0, 1], [3, 2]]).tolist() == [math.inf, -math.inf]
    # Isolated nodes and hubs beside a random graph change nothing but their own pairs.
    core = nx.gnm_random_graph(12, 30, seed=4)
    more = nx.complement(nx.disjoint_union(nx.complement(core), nx.empty_graph(2)))  # two nodes joined to all
    more.add_node("alone")
    inner, outer = degree_model(degrees_of(core)), degree_model(degrees_of(more))
    assert outer.log_likelihood == pytest.approx(inner.log_likelihood, abs=1e-9)
    assert outer.logits([[0, 12, 12, 14], [1, 3, 13, 2]]).tolist() == pytest.approx(
        [inner.logits([[0], [1]])[0], math.inf, math.inf, -math.inf]
    )


def test_boundary_degrees_reach_their_supremum() -> None:
    # A triangle with a pendant at each corner: in the limit the triangle is certain, the pendants are unconnected, and
    # each of the nine pairs between has probability 1/3.
    expected = 3 * math.log(1 / 3) + 6 * math.log(2 / 3)
    assert degree_log_likelihood([3, 3, 3, 1, 1, 1]) == pytest.approx(expected, abs=1e-8)


def test_regular_graphs_are_erdos_renyi() -> None:
    assert degree_log_likelihood([2] * 7) == pytest.approx(erdos_renyi_log_likelihood(7, 7), abs=1e-10)


def test_relabelling_the_nodes_relabels_the_model() -> None:
    degrees = degrees_of(INTERIOR["lesmis"])
    order = np.random.default_rng(0).permutation(degrees.size)
    a, b = degree_model(degrees, 0.5), degree_model(degrees[order], 0.5)
    assert b.log_likelihood == pytest.approx(a.log_likelihood, rel=1e-12)
    assert b.intercepts == pytest.approx(a.intercepts[order], rel=1e-12)


def test_pseudo_counts_make_every_logit_finite_and_keep_the_density() -> None:
    graph = nx.disjoint_union(nx.gnm_random_graph(20, 40, seed=0), nx.empty_graph(3))
    degrees = degrees_of(graph)
    exact, smooth = degree_model(degrees), degree_model(degrees, HELDOUT_PSEUDO_COUNT)
    pairs = pairs_of(23)
    assert np.isneginf(exact.logits(pairs)).any()
    logits = smooth.logits(pairs)
    assert np.isfinite(logits).all()
    assert (1 / (1 + np.exp(-logits))).sum() == pytest.approx(40, abs=1e-6)
    assert smooth.log_likelihood < exact.log_likelihood
    assert smooth.log_likelihood == pytest.approx(log_likelihood(smooth, graph), abs=1e-9)
    mean = degrees.mean()
    expected = (degrees + HELDOUT_PSEUDO_COUNT) * mean / (mean + HELDOUT_PSEUDO_COUNT)
    p = np.zeros((23, 23))
    p[tuple(pairs)] = 1 / (1 + np.exp(-logits))
    assert (p + p.T).sum(axis=0) == pytest.approx(expected, abs=1e-5)


def test_pseudo_counts_lead_from_the_maximum_to_erdos_renyi() -> None:
    degrees = degrees_of(INTERIOR["karate"])
    values = [degree_model(degrees, c).log_likelihood for c in (0.0, 1e-9, 0.1, 1.0, 10.0, 1e9)]
    assert values == sorted(values, reverse=True)
    assert values[1] == pytest.approx(values[0], abs=1e-6)
    assert values[-1] == pytest.approx(erdos_renyi_log_likelihood(34, 78), abs=1e-5)


@pytest.mark.parametrize("degrees", [[0, 0, 0], [2, 2, 2], [], [0]])
def test_graphs_without_choice_stay_certain_under_pseudo_counts(degrees: list[int]) -> None:
    model = degree_model(np.array(degrees, dtype=np.int64), 1.0)
    assert model.log_likelihood == 0.0
    assert not np.isnan(model.logits(pairs_of(len(degrees)))).any()


@settings(max_examples=100, deadline=None)
@given(degrees=st.lists(st.integers(0, 6), min_size=1, max_size=7))
def test_degrees_of_no_graph_are_refused(degrees: list[int]) -> None:
    if nx.is_graphical(degrees):
        assert degree_log_likelihood(degrees) <= 0.0
    else:
        with pytest.raises(InputError, match="degrees"):
            degree_log_likelihood(degrees)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 5), index=st.integers(0, 1023))
def test_value_bounds_the_graph_by_its_own_share(n: int, index: int) -> None:
    # The probabilities of all graphs with these degrees are equal and sum to at most one.
    pairs = list(combinations(range(n), 2))
    assume(index < 2 ** len(pairs))

    def degrees(code: int) -> tuple[int, ...]:
        chosen = [pair for bit, pair in enumerate(pairs) if code >> bit & 1]
        return tuple(sum(node in pair for pair in chosen) for node in range(n))

    same = sum(degrees(code) == degrees(index) for code in range(2 ** len(pairs)))
    assert same * math.exp(degree_log_likelihood(list(degrees(index)))) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: erdos_renyi_log_likelihood(3, 4), "num_edges=4"),
        (lambda: erdos_renyi(-1, 0), "num_nodes=-1"),
        (lambda: degree_model([[1, 1]]), r"degrees has shape \(1, 2\)"),
        (lambda: degree_model([1.0, 1.0]), "degrees is of type float64"),
        (lambda: degree_model([3, 1, 1]), "degrees contains 3"),
        (lambda: degree_model([1, 1, 1]), "degrees sum to 3"),
        (lambda: degree_model([1, 1], -1.0), "pseudo_count=-1.0"),
        (lambda: degree_model([1, 1]).logits([[0], [2]]), "pairs: expected integer rows from 0 to 1"),
        (lambda: degree_model([1, 1]).logits([0, 1]), "pairs has shape"),
    ],
)
def test_refusals_name_the_argument(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_cora_sized_figures() -> None:
    # 2708 nodes and 4488 training edges: the value quoted for Cora.
    assert erdos_renyi_log_likelihood(2708, 4488) == pytest.approx(-34_578, abs=1)


@pytest.mark.data
def test_cora_training_graph_by_degrees(data_root, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphvae.data.registry import load_graph

    monkeypatch.setenv("GRAPHVAE_DATA", str(data_root))
    pairs = load_graph("cora").pairs.numpy()
    values = []
    for seed in range(3):
        kept = np.random.default_rng(seed).permutation(pairs.shape[1])[:4488]
        values.append(degree_log_likelihood(np.bincount(pairs[:, kept].ravel(), minlength=2708)))
    # -31 167 on one split; over random splits the spread is some 40 nats.
    assert np.mean(values) == pytest.approx(-31_130, abs=150)
