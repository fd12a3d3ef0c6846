"""Tables as people write them, files, frames and arrays: what is read, what is said, what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data.graph import Graph
from graphvae.data.tables import graph_from_edges, read_origin

AWKWARD = [
    "Ödön",
    "a,b",
    'say "hi"',
    "007",
    "7",
    "1000000000000000000",
    "=1+1",
    " ann ",
    "NA",
    "null",
    "nan",
    "数",
    "a\nb",
    "'",
]


@pytest.fixture
def write(tmp_path):
    """Write a file and give its path."""

    def write(text, name="edges.csv"):
        path = tmp_path / name
        opener = gzip.open if name.endswith(".gz") else open
        with opener(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def links(graph):
    """Edges as sets of ids (ordered pairs if directed)."""
    kind = tuple if graph.directed else frozenset
    return {kind(graph.node_ids[pair].tolist()) for pair in graph.pairs.T.numpy()}


def weights(graph):
    return {
        tuple(graph.node_ids[[u, v]].tolist()): w
        for (u, v), w in zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist(), strict=True)
    }


FRAMES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
}


# Files


def test_ids_of_a_file_survive_whatever_they_are(tmp_path):
    path = tmp_path / "awkward.csv"
    rows = list(itertools.pairwise(AWKWARD))
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("src", "dst"), *rows])
    graph = graph_from_edges(path, source="src", target="dst")
    assert graph.node_ids.tolist() == sorted(AWKWARD)
    assert links(graph) == {frozenset(row) for row in rows}


TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8))
def test_any_text_is_an_id(tmp_path, rows):
    # A last field over several lines is taken for a quote left open, so the file ends in a plain row.
    rows = [row for row in [*rows, ("end", "of file")] if row[0] != row[1]]
    path = tmp_path / "any.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("src", "dst"), *rows])
    assert links(graph_from_edges(path)) == {frozenset(row) for row in rows}


@pytest.mark.parametrize("name", ["e.csv", "e.CSV", "e.csv.gz", "e.tsv", "e.tab", "e.tsv.gz"])
def test_file_kinds_give_one_graph(write, name):
    text = "src,dst,w\nann,bob,1.5\nbob,cid,2\n"
    path = write(text if "csv" in name.lower() else text.replace(",", "\t"), name)
    graph = graph_from_edges(path, source="src", target="dst", weight="w")
    assert weights(graph)[("cid", "bob")] == 2.0
    assert graph.hash == graph_from_edges(write(text), source="src", target="dst", weight="w").hash


def test_delimiter_settles_other_names(write):
    path = write("src;dst\na;b\n", "edges.txt")
    with pytest.raises(InputError, match=r"edges.txt'.*expected a file named .csv, .tsv.*delimiter="):
        graph_from_edges(path)
    assert links(graph_from_edges(path, delimiter=";")) == {frozenset("ab")}
    with pytest.raises(InputError, match="delimiter=';;': expected one ASCII character"):
        graph_from_edges(path, delimiter=";;")
    with pytest.raises(InputError, match=r"source='src'.*'src;dst'.*separated by ','"):
        graph_from_edges(write("src;dst\na;b\n"), source="src", target="dst")
    with pytest.raises(InputError, match=r"target= missing: edges has the columns 'src;dst'; .* separated by ','"):
        graph_from_edges(write("src;dst\na;b\n"))


def test_byte_order_mark_windows_lines_and_blank_lines(write):
    path = write(b"\xef\xbb\xbfsrc,dst\r\na,b\r\n\r\nb,c")
    assert links(graph_from_edges(path, source="src", target="dst")) == {frozenset("ab"), frozenset("bc")}


def test_an_id_that_numpy_would_shorten_is_refused(write):
    with pytest.raises(InputError, match="NUL"):
        graph_from_edges(write("src,dst\na\0,b\na,b\n"))


def test_pathlib_and_str_paths(write):
    path = write("src,dst\na,b\n")
    assert graph_from_edges(path).hash == graph_from_edges(str(path)).hash == Graph.from_edges(path).hash


def test_columns_may_be_unnamed_only_if_there_are_two(write):
    path = write("src,dst,w\na,b,1\n")
    with pytest.raises(InputError, match="source= and target= missing: edges has the columns 'src', 'dst', 'w'"):
        graph_from_edges(path)
    assert links(graph_from_edges(path, weight="w")) == {frozenset("ab")}
    assert links(graph_from_edges(path, target="src", weight="w", directed=True)) == {("b", "a")}
    with pytest.raises(InputError, match=r"source='scr': edges has the columns 'src', 'dst', 'w' \(did you mean 'src'"):
        graph_from_edges(path, source="scr", target="dst")
    with pytest.raises(InputError, match="weight='weight': edges has the columns"):
        graph_from_edges(path, source="src", target="dst", weight="weight")
    with pytest.raises(InputError, match="source='src', target='src': expected two different columns"):
        graph_from_edges(path, source="src", target="src")


def test_first_edge_is_not_taken_for_a_header(write):
    path = write("0,1\n1,2\n")
    with pytest.raises(InputError, match="first line, '0,1', looks like an edge: expected a header"):
        graph_from_edges(path)
    assert links(graph_from_edges(path, source="0", target="1")) == {frozenset("12")}
    path = write("ann,bob\nbob,cid\ncid,ann\n")
    with pytest.raises(InputError, match="first line, 'ann,bob', looks like an edge: expected a header"):
        graph_from_edges(path)
    assert len(links(graph_from_edges(path, source="ann", target="bob"))) == 2
    assert len(links(graph_from_edges(write("ann,who\nbob,cid\ncid,ann\n")))) == 2  # one name may be a node's


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "the first line is empty"),
        (b"src,dst", "edges has no rows"),
        (b"src,dst\n", "edges has no rows"),
        (b"src,src\na,b\n", "header names 'src' more than once"),
        (b"src,dst\n\xe9,b\n", "cannot be read.*utf-8.*expected text in UTF-8"),
        (b"src,dst\n" + b"a,b\n" * 50_000 + b"\xe9,b\n", "cannot be read.*UTF8.*expected text in UTF-8"),
        ("src,dst\na,b\n".encode("utf-16"), "cannot be read"),
        (b'src,dst\na,b\nc,"d\ne,f\n', "row 2 runs over several lines.*quote"),
    ],
)
def test_files_that_cannot_be_read(write, content, named):
    with pytest.raises(InputError, match=named):
        graph_from_edges(write(content))


def test_missing_and_damaged_files(write, tmp_path):
    with pytest.raises(InputError, match=r"edges='.*nowhere.csv': no such file"):
        graph_from_edges(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="no such file"):
        graph_from_edges(tmp_path)
    whole = gzip.compress(b"src,dst\n" + b"".join(b"a%d,b%d\n" % (i, i) for i in range(5000)))
    for content in (whole[: len(whole) // 2], whole[:-4], b"src,dst\na,b\n"):
        path = tmp_path / "cut.csv.gz"
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            graph_from_edges(path)


def test_integer_ids_on_request(write):
    path = write("src,dst\n007, 10\n10,+2\n")
    graph = graph_from_edges(path, id_dtype=int)
    assert graph.node_ids.tolist() == [2, 7, 10]
    assert graph.node_ids.dtype == np.int64
    with pytest.raises(InputError, match=r"edges row 2 \(src='10', dst='x2'\) is not an edge.*bad_rows='drop'"):
        graph_from_edges(write("src,dst\n007, 10\n10,x2\n"), id_dtype=int)
    with pytest.raises(InputError, match=r"edges column 'dst'.*9223372036854775808.*fit into int64"):
        graph_from_edges(write("src,dst\n1,9223372036854775808\n"), id_dtype=int)
    with pytest.raises(InputError, match="id_dtype=<class 'float'>: expected int, str or None"):
        graph_from_edges(path, id_dtype=float)


# Frames


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("ids", [["b", "a", "c", "a"], [2, 10, -3, 10]])
def test_frames_give_what_the_file_gives(write, make, ids):
    columns = {"src": ids[:3], "dst": ids[1:], "w": [1.0, 2.0, 2.0]}
    graph = graph_from_edges(make(columns), source="src", target="dst", weight="w")
    assert graph.node_ids.tolist() == sorted(set(ids))
    assert graph.node_ids.dtype.kind == ("U" if isinstance(ids[0], str) else "i")
    assert graph.origin is None
    path = write(pd.DataFrame(columns).to_csv(index=False))
    kind = type(ids[0])
    assert graph_from_edges(path, source="src", target="dst", weight="w", id_dtype=kind).hash == graph.hash


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_frames_with_gaps(make, capsys):
    frame = make({"src": ["a", None, "c"], "dst": ["b", "b", "d"], "w": [1.0, 2.0, None]})
    with pytest.raises(
        InputError, match=r"edges row 2 \(src=.*, dst='b'\) is not an edge, 1 such rows in all: expected two ids"
    ):
        graph_from_edges(frame, source="src", target="dst")
    graph = graph_from_edges(frame, source="src", target="dst", weight="w", bad_rows="drop")
    assert links(graph) == {frozenset("ab")}
    assert "dropped 2 bad rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("series", "ids"),
    [
        (pd.Series([3, 1], dtype="Int64"), [1, 3]),
        (pd.Series([3, 1], dtype="uint8"), [1, 3]),
        (pd.Series(["b", "a"], dtype="category"), ["a", "b"]),
        (pd.Series(["b", "a"], dtype=object), ["a", "b"]),
        (pd.Series([10**18, -1]), [-1, 10**18]),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["a", "b"]),
    ],
)
def test_kinds_of_id_columns(series, ids):
    make = pl.DataFrame if isinstance(series, pl.Series) else pd.DataFrame
    assert graph_from_edges(make({"u": series, "v": series[::-1].to_list()})).node_ids.tolist() == ids


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ([1.0, 2.0], "edges column 'u' holds values of type double: expected ids, integers or strings"),
        ([1.0, None], r"edges column 'u' holds values of type double.*astype\('Int64'\)"),
        ([True, False], "edges column 'u' holds values of type bool"),
        (pd.Series([1, "a"], dtype=object), "edges column 'u' mixes kinds of values"),
        (pd.Series([10**30, 1], dtype=object), "edges column 'u' mixes kinds of values or holds too large ones"),
        (
            pd.Series([2**63, 1], dtype="uint64"),
            r"edges column 'u' holds 9223372036854775808: expected .* below 2\*\*63",
        ),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "edges column 'u' holds values of type timestamp"),
    ],
)
def test_columns_that_are_no_ids(column, named):
    with pytest.raises(InputError, match=named):
        graph_from_edges(pd.DataFrame({"u": column, "v": ["x", "y"]}))


def test_ids_of_two_kinds_are_not_mixed(capsys):
    frame = pd.DataFrame({"u": [1, 2], "v": ["2", "3"]})
    with pytest.raises(
        InputError, match=r"two kinds \(source integers, target strings\): id_dtype=int or id_dtype=str"
    ):
        graph_from_edges(frame)
    assert graph_from_edges(frame, id_dtype=int).node_ids.tolist() == [1, 2, 3]
    assert graph_from_edges(frame, id_dtype=str).node_ids.tolist() == ["1", "2", "3"]


def test_weights_of_a_table_are_a_column():
    with pytest.raises(InputError, match="weight is of type ndarray: expected the name of a column of edges"):
        graph_from_edges(pd.DataFrame({"u": [0], "v": [1]}), weight=np.ones(1))


@pytest.mark.parametrize("edges", [{"u": [1]}, 5, None, pl.DataFrame({"u": [1], "v": [2]}).lazy(), b"edges.csv"])
def test_what_is_no_table(edges):
    with pytest.raises(InputError, match=r"edges is of type \w+.*: expected the path of a CSV, TSV or Parquet file"):
        graph_from_edges(edges)


def test_repeated_column_names():
    with pytest.raises(InputError, match=r"edges: .*unique column names"):
        graph_from_edges(pd.DataFrame([[0, 1]], columns=["a", "a"]))


def test_frames_in_several_chunks():
    table = pa.concat_tables([pa.table({"u": ["a"], "v": ["b"]}), pa.table({"u": ["c"], "v": ["a"]})])
    assert table.column("u").num_chunks == 2
    frames = [table, pl.from_arrow(table, rechunk=False)]
    assert [links(graph_from_edges(frame)) for frame in frames] == [{frozenset("ab"), frozenset("ac")}] * 2


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_frames_without_a_single_id(make):
    with pytest.raises(InputError, match=r"edges row 1 .* is not an edge, 2 such rows in all"):
        graph_from_edges(make({"u": [None, None], "v": ["a", "b"]}))


# Arrays


@pytest.mark.parametrize("make", [np.array, torch.tensor, list, lambda rows: np.array(rows, dtype=np.uint8)])
def test_arrays(make):
    graph = graph_from_edges(make([[5, 9], [9, 2]]))
    assert graph.node_ids.tolist() == [2, 5, 9]
    assert links(graph) == {frozenset({5, 9}), frozenset({9, 2})}


def test_arrays_with_a_number_of_nodes():
    graph = graph_from_edges([[0, 3], [3, 1]], num_nodes=6)
    assert graph.node_ids.tolist() == list(range(6))
    assert links(graph) == {frozenset({0, 3}), frozenset({3, 1})}
    assert graph_from_edges(np.empty((2, 0)), num_nodes=2).num_nodes == 2
    with pytest.raises(InputError, match="edges contains 3: expected ids from 0 to 2, as num_nodes=3"):
        graph_from_edges([[0, 3], [3, 1]], num_nodes=3)
    with pytest.raises(InputError, match="num_nodes=3 is for arrays"):
        graph_from_edges(pd.DataFrame({"u": [0], "v": [1]}), num_nodes=3)
    with pytest.raises(InputError, match="num_nodes=4 numbers the nodes"):
        graph_from_edges([[0, 3], [3, 1]], num_nodes=4, id_dtype=str)


def test_two_by_two_is_two_rows():
    assert links(graph_from_edges([[0, 1], [2, 3]])) == {frozenset({0, 2}), frozenset({1, 3})}


@pytest.mark.parametrize(
    ("edges", "options", "named"),
    [
        ([[0, 1], [1, 2], [2, 3]], {}, r"edges has shape \(3, 2\): expected \(2, E\): transpose it"),
        ([0, 1], {}, r"edges has shape \(2,\): expected \(2, E\)"),
        ([[0, 1], [1]], {}, r"edges: expected a \(2, E\) array"),
        ([[0.0, 1.0], [1.0, 2.0]], {}, "edges is of type float64: expected integers"),
        ([["ann", "bob"], ["bob", "cid"]], {}, "edges is of type <U3: .*for nodes with names pass a table"),
        ([[True], [False]], {}, "edges is of type bool"),
        ([[], []], {}, "edges has no rows"),
        ([[0], [1]], {"source": "u"}, "source='u', target=None name columns: expected neither"),
        ([[0], [1]], {"weight": "w"}, r"weight='w' names a column, .*: expected an \(E,\) array"),
        ([[0], [1]], {"weight": [1.0, 2.0]}, r"weight has shape \(2,\).*: expected \(1,\), a number for each"),
        ([[0], [1]], {"weight": ["x"]}, "weight has shape .* type <U1"),
        (
            [[0], [1]],
            {"weight": [np.nan]},
            r"edges row 1 \(source=0, target=1, weight=nan\) is not an edge.*finite weight",
        ),
        ([[0], [1]], {"weight": [1e300]}, "is not an edge"),
        ([[0], [1]], {"directed": "yes"}, "directed='yes': expected True or False"),
        ([[0], [1]], {"duplicates": "min"}, "duplicates='min': expected one of 'error', 'first'"),
        ([[0], [1]], {"self_loops": "keep"}, "self_loops='keep': expected one of 'error', 'drop'"),
        ([[0], [1]], {"bad_rows": "skip"}, "bad_rows='skip': expected one of 'error', 'drop'"),
        ([[0], [1]], {"duplicates": "sum"}, "duplicates='sum' combines weights: expected weight="),
        ([[0], [1]], {"feature_id": "id"}, "feature_id= is about a table"),
        (
            [[0], [1]],
            {"features": np.ones((3, 1))},
            "features has 3 rows: expected one for each of 2 nodes; num_nodes=",
        ),
    ],
)
def test_refused_arrays_and_options(edges, options, named):
    with pytest.raises(InputError, match=named):
        graph_from_edges(edges, **options)


# Rows that repeat, contradict or are bad


def test_repeated_rows_are_merged_and_counted(capsys):
    graph = graph_from_edges([[0, 1, 0, 1, 1], [1, 0, 1, 2, 0]])
    assert graph.num_edges == 2
    assert capsys.readouterr().err == "graphvae: merged 3 repeated rows\n"
    assert capsys.readouterr().out == ""


def test_nothing_is_said_where_nothing_was_done(capsys):
    graph_from_edges([[0, 1], [1, 2]])
    assert capsys.readouterr().err == ""


def test_directions_are_kept_on_request(capsys):
    graph = graph_from_edges([[1, 0, 1], [0, 1, 0]], directed=True)
    assert links(graph) == {(0, 1), (1, 0)}
    assert "merged 1 repeated rows" in capsys.readouterr().err


@pytest.mark.parametrize(("duplicates", "expected"), [("first", 4.0), ("sum", 9.0), ("mean", 3.0), ("max", 4.0)])
def test_duplicates_are_combined_as_asked(duplicates, expected, capsys):
    graph = graph_from_edges([[2, 0, 1, 2], [0, 2, 2, 0]], weight=[4, 1, 7, 4], duplicates=duplicates)
    assert weights(graph) == {(0, 2): expected, (2, 0): expected, (1, 2): 7.0, (2, 1): 7.0}
    assert f"merged 2 repeated rows (weights: {duplicates})" in capsys.readouterr().err


def test_contradictory_weights_name_both_rows(write):
    path = write("src,dst,w\na,b,1\nb,c,1\nb,a,1.5\n")
    with pytest.raises(InputError) as error:
        graph_from_edges(path, source="src", target="dst", weight="w")
    message = str(error.value)
    assert "row 1 (src='a', dst='b', w='1') and edges row 3 (src='b', dst='a', w='1.5')" in message
    assert "duplicates=" in message
    graph = graph_from_edges(path, source="src", target="dst", weight="w", directed=True)
    assert weights(graph) == {("a", "b"): 1.0, ("b", "a"): 1.5, ("b", "c"): 1.0}


def test_agreeing_weights_are_merged(capsys):
    graph = graph_from_edges([[0, 1, 1], [1, 0, 2]], weight=[2, 2, 3])
    assert weights(graph)[(0, 1)] == 2.0
    assert capsys.readouterr().err == "graphvae: merged 1 repeated rows\n"


def test_self_loops(capsys):
    edges = [[0, 2, 1, 3], [1, 2, 2, 3]]
    with pytest.raises(
        InputError, match=r"edges row 2 \(source=2, target=2\) is a self-loop, 2 in all: self_loops='drop'"
    ):
        graph_from_edges(edges)
    graph = graph_from_edges(edges, self_loops="drop")
    assert graph.node_ids.tolist() == [0, 1, 2, 3]
    assert links(graph) == {frozenset({0, 1}), frozenset({1, 2})}
    assert "dropped 2 self-loops" in capsys.readouterr().err


@pytest.mark.parametrize("weight", ["", "x", "nan", "inf", "1,5", "0x1F", "1e39", "--1", "."])
def test_weights_that_are_no_numbers(write, weight):
    path = write(f'src,dst,w\na,b,1\nb,c,"{weight}"\n')
    with pytest.raises(InputError, match=r"edges row 2 \(src='b', dst='c', w='.*'\) is not an edge"):
        graph_from_edges(path, source="src", target="dst", weight="w")


def test_ways_to_write_a_weight(write):
    path = write("src,dst,w\na,b, +1.5e1 \nb,c,-.5\nc,d,3.\n")
    graph = graph_from_edges(path, source="src", target="dst", weight="w")
    assert {weights(graph)[pair] for pair in [("a", "b"), ("b", "c"), ("c", "d")]} == {15.0, -0.5, 3.0}


def test_bad_rows_of_a_file(write, capsys):
    path = write("src,dst\na,b\n,c\nonly one\nb,c,d\nc,c\nd,a\n")
    with pytest.raises(InputError, match="edges row 3 has 1 fields where the header has 2: 'only one'"):
        graph_from_edges(path)
    # Row numbers count what is in the file, dropped rows included.
    with pytest.raises(InputError, match=r"edges row 5 \(src='c', dst='c'\) is a self-loop"):
        graph_from_edges(path, bad_rows="drop")
    capsys.readouterr()
    graph = graph_from_edges(path, bad_rows="drop", self_loops="drop")
    assert links(graph) == {frozenset("ab"), frozenset("da")}
    assert capsys.readouterr().err == "graphvae: dropped 3 bad rows\ngraphvae: dropped 1 self-loops\n"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_shuffling_flipping_and_repeating_rows_changes_nothing(data):
    every = [(u, v) for u in range(6) for v in range(u)]
    pairs = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    weight = {pair: data.draw(st.sampled_from([0.5, 1.0, 3.0])) for pair in pairs}
    rows = data.draw(st.lists(st.sampled_from(pairs), max_size=5)) + pairs
    rows = data.draw(st.permutations(rows))
    flips = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    written = np.array([row[::-1] if flip else row for row, flip in zip(rows, flips, strict=True)]).T
    tidy = graph_from_edges(np.array(pairs).T, weight=[weight[pair] for pair in pairs])
    untidy = graph_from_edges(written, weight=[weight[row] for row in rows])
    assert untidy.hash == tidy.hash
    assert links(tidy) == {frozenset(pair) for pair in pairs}


# Features


def people(**columns):
    return {"id": ["b", "a", "d", "c"], "age": [1, 2, 3, 6], "tall": [True, False, True, False], **columns}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_feature_tables_are_aligned_and_standardised(write, make, capsys):
    path = write("src,dst\na,b\nb,c\n")
    graph = graph_from_edges(path, features=make(people(k=[7, 7, 7, 7])))
    age = np.array([2, 1, 6, 3])
    assert graph.node_ids.tolist() == ["a", "b", "c", "d"]
    assert graph.degrees.tolist() == [1, 2, 1, 0]
    assert graph.x.dtype == torch.float32
    np.testing.assert_allclose(graph.x[:, 0], (age - age.mean()) / age.std(), rtol=1e-6)
    assert graph.x[:, 1:].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert graph.encoding.names == ["age", "tall=false", "tall=true", "k"]
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "graphvae: features scaled to mean 0 and variance 1: age",
        "graphvae: features one-hot: tall (2 values)",
        "graphvae: features constant, so all 0: k",
    ]
    table = pd.DataFrame(people(k=[7, 7, 7, 7])).replace({True: "true", False: "false"})
    texts = {"p.csv": table.to_csv(index=False), "p.tsv.gz": table.to_csv(index=False, sep="\t")}
    buffer = io.BytesIO()
    pd.DataFrame(people(k=[7, 7, 7, 7])).to_parquet(buffer)
    for name, text in {**texts, "p.parquet": buffer.getvalue()}.items():
        again = graph_from_edges(path, features=write(text, name))
        assert again.hash == graph.hash
        assert again.encoding == graph.encoding


def test_feature_id_names_the_column():
    frame = pd.DataFrame({"age": [1, 2], "name": ["b", "a"]})
    graph = graph_from_edges(pd.DataFrame({"u": ["a"], "v": ["b"]}), features=frame, feature_id="name")
    assert graph.x.tolist() == [[1.0], [-1.0]]


def test_feature_arrays_are_kept_as_they_are(capsys):
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    edges = pd.DataFrame({"u": ["c", "a"], "v": ["a", "b"]})
    for features in (x, torch.tensor(x), scipy.sparse.csr_array(x)):
        graph = graph_from_edges(edges, features=features)
        assert np.array_equal(graph.x.to_dense().numpy(), x)
    assert capsys.readouterr().err == ""
    with pytest.raises(InputError, match=r"features has 2 rows: expected one for each of 3 nodes$"):
        graph_from_edges(edges, features=x[:2])


def test_feature_table_of_an_array(capsys):
    frame = pd.DataFrame({"id": [3, 1, 2, 0], "v": [3.0, 1, 2, 0]})
    graph = graph_from_edges([[0], [3]], features=frame, num_nodes=4)
    assert (graph.x[:, 0].diff() > 0).all()
    with pytest.raises(InputError, match=r"no row for 1 of 5 nodes \(4, ...\)"):
        graph_from_edges([[0], [3]], features=frame, num_nodes=5)


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (people(age=["1", "old", "2", "3"]), "features column 'age' holds 'old' among numbers: .*feature_kinds="),
        (people(age=[1, np.inf, 2, 3]), "features column 'age' holds inf in row 2: expected finite numbers"),
        ({"id": list("abcd"), "v": [None] * 4}, "features has no column with values"),
        (people(id=["a", "b", "b", "c"]), "features has 2 rows for the id 'b' in column 'id'"),
        (people(id=["a", None, "b", "c"]), "features row 2 has the id None in column 'id': expected a node id"),
        (people(id=["a", "x", "y", "c"]), r"features has no row for 1 of 5 nodes \('b', ...\)"),
        (people(id=[1, 2, 3, 4]), r"two kinds \(source strings, target strings, features integers\)"),
        (people(id=[1.0, 2.0, 3.0, 4.0]), "features column 'id' holds values of type double"),
        (people(born=pd.to_datetime(["2020-01-01"] * 4)), "features column 'born' holds values of type timestamp"),
        ({"id": ["a", "b"]}, "features has no column beside the id column 'id'"),
    ],
)
def test_refused_feature_tables(frame, named):
    edges = pd.DataFrame({"u": ["a"], "v": ["b"]})
    with pytest.raises(InputError, match=named):
        graph_from_edges(edges, features=pd.DataFrame(frame))


def test_features_are_named_in_messages(write):
    edges = pd.DataFrame({"u": ["a"], "v": ["b"]})
    with pytest.raises(InputError, match=r"features='.*gone.csv': no such file"):
        graph_from_edges(edges, features="gone.csv")
    with pytest.raises(InputError, match="feature_id='name': features has the columns 'id', 'v'"):
        graph_from_edges(edges, features=write("id,v\na,1\n", "f.csv"), feature_id="name")
    with pytest.raises(InputError, match=r"feature_kinds: 'w' is no column of features; expected one of \['v'\]"):
        graph_from_edges(edges, features=write("id,v\na,1\nb,x\n", "f.csv"), feature_kinds={"w": "text"})
    with pytest.raises(InputError, match="feature_kinds= is about a table"):
        graph_from_edges(edges, feature_kinds={"w": "text"})
    with pytest.raises(InputError, match="encoding= is about a table"):
        graph_from_edges(edges, encoding="runs/x", features=np.ones((2, 1)))
    with pytest.raises(InputError, match="features row 2 has 1 fields"):
        graph_from_edges(edges, features=write("id,v\na,1\nb\n", "f.csv"), bad_rows="drop")


# Origins


def test_a_graph_from_files_can_be_read_again(write, tmp_path, monkeypatch):
    edges = write("to;from;w\na;b;1\nb;a;2\n;a;1\nc;c;1\nc;b;4\n", "edges.txt")
    people = write("name;age\na;1\nb;2\nc;4\nd;8\n", "people.txt")
    monkeypatch.chdir(tmp_path)
    options = {"source": "from", "target": "to", "weight": "w", "features": "people.txt", "feature_id": "name"}
    options |= {"duplicates": "sum", "self_loops": "drop", "bad_rows": "drop", "delimiter": ";"}
    graph = graph_from_edges("edges.txt", **options)
    assert graph.origin["kind"] == "table"
    assert graph.origin["edges"] == str(edges)
    assert graph.origin["features"] == str(people)
    monkeypatch.chdir("/")
    again = read_origin(json.loads(json.dumps(dict(graph.origin))))
    assert again.hash == graph.hash
    assert again.origin == graph.origin


@pytest.mark.parametrize("options", [{"id_dtype": int}, {"directed": True}, {}])
def test_origin_keeps_the_options(write, options):
    graph = graph_from_edges(write("u,v\n2,10\n10,2\n"), **options)
    assert read_origin(graph.origin).hash == graph.hash


def test_a_graph_partly_from_memory_has_no_origin(write):
    path = write("src,dst\na,b\n")
    assert graph_from_edges(path, features=np.ones((2, 1))).origin is None
    assert graph_from_edges([[0], [1]]).origin is None


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        (None, "origin=None: expected a mapping"),
        ({"edges": "x.csv"}, "expected a mapping with a 'kind'"),
        ({"kind": "tables"}, r"origin\['kind'\]='tables': expected one of 'table', 'dataset' \(did you mean 'table'"),
        ({"kind": "table"}, "cannot be read: .*edges"),
        ({"kind": "table", "edges": "x.csv", "colour": 1}, "cannot be read: .*colour"),
        ({"kind": "table", "edges": "x.csv", "id_dtype": "float"}, r"origin\['id_dtype'\]='float'"),
        ({"kind": "table", "edges": "x.csv"}, "edges='x.csv': no such file"),
    ],
)
def test_refused_origins(origin, named):
    with pytest.raises(InputError, match=named):
        read_origin(origin)


def test_an_origin_may_be_a_data_set():
    graph = read_origin({"kind": "dataset", "name": "karate", "features": True})
    assert (graph.num_nodes, graph.num_edges) == (34, 78)


# Parquet


@pytest.mark.parametrize("suffix", ["parquet", "pq"])
def test_edges_from_parquet(tmp_path, suffix):
    frame = pd.DataFrame({"src": AWKWARD[:-1], "dst": AWKWARD[1:], "w": range(len(AWKWARD) - 1), "other": 0})
    frame["src"] = frame["src"].astype("category")  # a dictionary, to Arrow
    path = tmp_path / f"edges.{suffix}"
    frame.to_parquet(path)
    graph = graph_from_edges(path, source="src", target="dst", weight="w")
    assert graph.hash == graph_from_edges(frame, source="src", target="dst", weight="w").hash
    assert read_origin(graph.origin).hash == graph.hash


def test_ids_of_parquet_are_what_they_are(tmp_path):
    pd.DataFrame({"a": [10**18, 3], "b": [3, 4]}).to_parquet(tmp_path / "e.parquet")
    assert graph_from_edges(tmp_path / "e.parquet").node_ids.tolist() == [3, 4, 10**18]
    assert graph_from_edges(tmp_path / "e.parquet", id_dtype=str).node_ids.tolist() == [str(10**18), "3", "4"]


def test_parquet_that_cannot_be_read(tmp_path):
    (tmp_path / "e.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(InputError, match=r"edges='.*e\.parquet' cannot be read"):
        graph_from_edges(tmp_path / "e.parquet")
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["u", "u"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(InputError, match="the schema names 'u' more than once"):
        graph_from_edges(tmp_path / "twice.parquet")
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"u": ["a"] * 1000, "v": ["b"] * 1000}), whole, compression="none", use_dictionary=False)
    content = bytearray(whole.read_bytes())
    content[4:40] = b"\xff" * 36
    whole.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        graph_from_edges(whole)
