"""Times of edges: of the table the graph came from, in the order of its pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphvae._check import InputError
from graphvae.data.edge_times import edge_times
from graphvae.data.splits import split_links
from graphvae.data.tables import graph_from_edges

ROWS = "src,dst,since\nbob,ann,5\ncid,bob,3\nann,bob,2.5\ndan,cid,1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "friends.csv"
    path.write_text(ROWS)
    return path


def test_a_graph_remembers_its_file_and_repeats_have_the_earliest_time(file: Path) -> None:
    graph = graph_from_edges(file, source="src", target="dst")
    assert graph.node_ids[graph.pairs.numpy()].T.tolist() == [["ann", "bob"], ["bob", "cid"], ["cid", "dan"]]
    assert edge_times(graph, "since").tolist() == [2.5, 3.0, 1.0]
    split = split_links(graph, 0, 0.34, protocol="temporal", times=edge_times(graph, "since"))
    assert graph.node_ids[split.test.positive.numpy()].T.tolist() == [["bob", "cid"]]


def test_dates_and_tables_in_memory(file: Path) -> None:
    days = ["2026-11-21", "2026-11-20T12:00:00", "2026-11-20", "1970-01-01"]
    frame = pd.DataFrame({"src": [3, 2, 1, 4], "dst": [1, 4, 2, 1], "at": pd.to_datetime(days, format="ISO8601")})
    graph = graph_from_edges(frame, source="src", target="dst")
    expected = [86400 * 20777.0, 86400 * 20778.0, 0.0, 86400 * 20777.5]
    assert edge_times(graph, "at", frame, source="src", target="dst").tolist() == expected
    text = pd.DataFrame({"src": [3, 2, 1, 4], "dst": [1, 4, 2, 1], "at": days})
    assert edge_times(graph, "at", text).tolist() == expected  # the two other columns are the ends
    with pytest.raises(InputError, match="read from no file of edges"):
        edge_times(graph, "at")


@pytest.mark.parametrize(
    ("rows", "time", "message"),
    [
        (ROWS, "sinc", "did you mean 'since'"),
        (ROWS.replace("5", "soon"), "since", r"edges row 1 .*its 'since' is missing or no time"),
        (ROWS.replace("5", "x").replace("2.5", "y").replace("3", "z").replace("1", "w"), "since", "or dates such as"),
        ("src,dst,since\nann,bob,1\nbob,cid,2\n", "since", r"no row for the edge \('cid', 'dan'\)"),
    ],
)
def test_refusals(file: Path, rows: str, time: str, message: str) -> None:
    graph = graph_from_edges(file, source="src", target="dst")
    file.write_text(rows)
    with pytest.raises(InputError, match=message):
        edge_times(graph, time)


def test_rows_left_out_of_the_graph_need_no_time(file: Path) -> None:
    file.write_text(ROWS + "eve,,7\neve,eve,\n")
    graph = graph_from_edges(file, source="src", target="dst", bad_rows="drop", self_loops="drop")
    assert np.array_equal(edge_times(graph, "since"), [2.5, 3.0, 1.0])
