"""Graph statistics against networkx, and the report that compares generated graphs."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.evaluation import generation
from graphvae.evaluation.generation import compare_generated, graph_statistics


def edges_of(graph: nx.Graph) -> np.ndarray:
    return np.array(list(graph.edges()), dtype=np.int64).reshape(-1, 2).T


def by_networkx(graph: nx.Graph) -> dict[str, float]:
    degrees = [d for _, d in graph.degree()]
    quantile = lambda q: float(np.percentile(degrees, 100 * q))
    return {
        "num_edges": graph.number_of_edges(),
        "density": nx.density(graph),
        "degree_mean": sum(degrees) / len(degrees),
        "degree_std": float(np.sqrt(np.mean(np.square(degrees)) - np.mean(degrees) ** 2)),
        "degree_q25": quantile(0.25),
        "degree_median": quantile(0.5),
        "degree_q75": quantile(0.75),
        "degree_q99": quantile(0.99),
        "degree_max": max(degrees),
        "transitivity": nx.transitivity(graph),
        "average_clustering": nx.average_clustering(graph),
        "isolated_nodes": nx.number_of_isolates(graph),
        "largest_component": max(map(len, nx.connected_components(graph))) / len(graph),
    }


GRAPHS = {
    "karate": nx.Graph(nx.karate_club_graph()),
    "lesmis": nx.convert_node_labels_to_integers(nx.les_miserables_graph()),
    "complete": nx.complete_graph(7),
    "star": nx.star_graph(8),
    "empty": nx.empty_graph(5),
    "one node": nx.empty_graph(1),
    "two components": nx.disjoint_union(nx.lollipop_graph(5, 3), nx.path_graph(3)),
    "heavy-tailed": nx.barabasi_albert_graph(300, 4, seed=0),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
def test_equals_networkx(graph: nx.Graph) -> None:
    assert graph_statistics(len(graph), edges_of(graph)) == pytest.approx(by_networkx(graph), abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(n=st.integers(1, 15), share=st.floats(0, 1), seed=st.integers(0, 10**6), budget=st.sampled_from([1, 5, 10**6]))
def test_equals_networkx_however_work_is_cut(n: int, share: float, seed: int, budget: int) -> None:
    graph = nx.gnp_random_graph(n, share, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "_BUDGET", budget)
        found = graph_statistics(n, edges_of(graph))
    assert found == pytest.approx(by_networkx(graph), abs=1e-12)


def test_direction_and_order_of_pairs_do_not_matter() -> None:
    pairs = edges_of(GRAPHS["lesmis"])
    flipped = np.where(np.random.default_rng(0).random(pairs.shape[1]) < 0.5, pairs, pairs[::-1])
    assert graph_statistics(77, flipped[:, ::-1]) == graph_statistics(77, pairs)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0], [0]], r"pairs has the self-loop \(0, 0\)"),
        ([[0, 1], [1, 0]], r"pairs holds the edge \(0, 1\) more than once"),
        ([[0], [3]], "pairs contains 3"),
        ([[-1], [1]], "pairs contains -1"),
        ([[0.5], [1.0]], "pairs is of type float64"),
        ([0, 1], "pairs has shape"),
    ],
)
def test_refusals_name_the_argument(pairs, message: str) -> None:
    with pytest.raises(InputError, match=message):
        graph_statistics(3, pairs)


def test_comparison_averages_over_samples() -> None:
    data = nx.gnm_random_graph(30, 60, seed=0)
    samples = [nx.gnm_random_graph(30, edges, seed=edges) for edges in (50, 60, 85)]
    report = compare_generated(30, edges_of(data), [edges_of(sample) for sample in samples])
    assert report.data == pytest.approx(by_networkx(data))
    assert report.mean["num_edges"] == 65
    assert report.std is not None
    assert report.std["num_edges"] == pytest.approx(np.std([50, 60, 85], ddof=1))
    assert report.mean["transitivity"] == pytest.approx(np.mean([nx.transitivity(sample) for sample in samples]))
    # Between samples of equal size, Wasserstein-1 is the mean distance of sorted values.
    sort = lambda graph: np.sort([d for _, d in graph.degree()])
    expected = np.mean([np.abs(sort(sample) - sort(data)).mean() for sample in samples])
    assert report.degree_distance == pytest.approx(expected)


def test_the_data_is_no_distance_from_itself() -> None:
    pairs = edges_of(GRAPHS["karate"])
    report = compare_generated(34, pairs, [pairs])
    assert report.degree_distance == 0.0
    assert report.mean == report.data
    assert report.std is None


def test_report_is_a_table_and_json() -> None:
    pairs = edges_of(GRAPHS["karate"])
    one, two = compare_generated(34, pairs, [pairs]), compare_generated(34, pairs, [pairs, pairs[:, :40]])
    assert "1 sample" in str(one)
    assert "±" not in str(one)
    assert "2 samples" in str(two)
    line = next(line for line in str(two).splitlines() if line.startswith("edges"))
    assert line.split() == ["edges", "78", "59", "±", "26.87"]
    for report in (one, two):
        fields = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert fields["data"] == report.data
        assert fields["std"] == report.std
        # Every statistic has its line, and the heading and the distance have theirs.
        assert len(str(report).splitlines()) == len(report.data) + 2


def test_comparison_needs_a_sample() -> None:
    with pytest.raises(InputError, match="sample_pairs is empty"):
        compare_generated(3, [[0], [1]], [])
