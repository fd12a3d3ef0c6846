"""Planetoid's raw files, written by these tests: what they say becomes the graph, and contradictions are refused."""

from __future__ import annotations

import hashlib
import pickle
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data import storage
from graphvae.data.cards import CardFile, Counts, DatasetCard
from graphvae.data.fields import is_sparse
from graphvae.data.plain_pickle import read_csr, read_dense
from graphvae.data.planetoid import assemble, needed_files, planetoid_graph

NEEDED_FOR = {"graph": "edges", "test.index": "labels", "ally": "labels", "ty": "labels", "allx": "features"}
NEEDED_FOR |= {"tx": "features", "x": "split", "y": "split"}

# Nodes 0 to 2 stand in the first lot, 5 and 3 (in this order) in the second, 4 in neither.
GRAPH = {0: [1, 1, 5, 0], 1: [0], 2: [], 3: [2], 4: [], 5: [0]}
EDGES = [[0, 1], [0, 5], [2, 3]]
ALLX = np.array([[0.5, 0, 0, 1], [0, 0, 0, 0], [0, 2, 0, 0]], np.float32)
TX = np.array([[0, 0, 5, 0], [3, 0, 0, 3]], np.float32)
ALLY = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]], np.int32)
TY = np.array([[0, 0, 1], [0, 1, 0]], np.int32)


def dump(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)


def written(**changes: Any) -> dict[str, bytes]:
    values: dict[str, Any] = {
        "graph": defaultdict(list, GRAPH),
        "allx": sp.csr_matrix(ALLX),
        "tx": sp.csr_matrix(TX),
        "ally": ALLY,
        "ty": TY,
        "test.index": b"5\n3\n",
    } | {key.replace("_", "."): value for key, value in changes.items()}
    return {part: value if isinstance(value, bytes) else dump(value) for part, value in values.items()}


def make_card(parts: dict[str, bytes], source: Path | None = None) -> DatasetCard:
    files = tuple(
        CardFile(
            path=f"planetoid/ind.tiny.{part}",
            part=part,
            needed_for=NEEDED_FOR[part],
            url=f"{source.as_uri()}/ind.tiny.{part}" if source else "http://127.0.0.1:9/nowhere",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for part, content in parts.items()
    )
    return DatasetCard("tiny", "", "graph", "", "", "", "", Counts(6, 3, 4, 3), files)


def write(folder: Path, parts: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, content in parts.items():
        (folder / f"ind.tiny.{part}").write_bytes(content)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only data folder there is, and no network."""
    monkeypatch.setenv("GRAPHVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "checkout", lambda: None)

    def offline(*args: Any, **kwargs: Any) -> Any:
        raise OSError("no network in this test")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    return tmp_path / "data"


def test_a_small_dataset_comes_out_as_written() -> None:
    graph = assemble("tiny", written())
    assert graph.num_nodes == 6
    assert graph.pairs.T.tolist() == EDGES
    assert graph.y is not None
    assert graph.y.tolist() == [0, 1, -1, 1, -1, 2]
    assert graph.x is not None
    assert is_sparse(graph.x)
    assert graph.x.dtype == torch.float32
    expected = np.zeros((6, 4), np.float32)
    expected[:3], expected[[5, 3]] = ALLX, TX
    np.testing.assert_array_equal(graph.x.to_dense().numpy(), expected)


def test_parts_that_are_absent_are_left_out() -> None:
    parts = written()
    edges_only = assemble("tiny", {"graph": parts["graph"]})
    assert edges_only.x is None
    assert edges_only.y is None
    assert edges_only.pairs.T.tolist() == EDGES
    labelled = assemble("tiny", {part: parts[part] for part in ("graph", "ally", "ty", "test.index")})
    assert labelled.x is None
    assert labelled.y is not None


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_rows_find_their_nodes(first: int, second: int, isolated: int, seed: int) -> None:
    """A feature that holds the node's own number shows whether any row has gone astray."""
    random = np.random.default_rng(seed)
    n = first + second + isolated
    test = first + random.permutation(second + isolated)[:second]
    adjacency = {int(i): random.integers(n, size=random.integers(4)).tolist() for i in random.permutation(n)}
    number = np.concatenate([np.arange(first), test]) + 1
    classes = np.eye(n + 1, dtype=np.int32)[number]
    parts = {
        "graph": dump(adjacency),
        "allx": dump(sp.csr_matrix(number[:first, None].astype(np.float64))),
        "test.index": "\n".join(map(str, test)).encode(),
    }
    if second:
        parts |= {"tx": dump(sp.csr_matrix(number[first:, None].astype(np.float64)))}
        parts |= {"ally": dump(classes[:first]), "ty": dump(classes[first:])}
    else:
        parts |= {"tx": dump(sp.csr_matrix((0, 1)))}
    graph = assemble("random", parts)
    expected = np.zeros(n)
    expected[number - 1] = number
    assert graph.x is not None
    np.testing.assert_array_equal(graph.x.to_dense().numpy()[:, 0], expected)
    if second:
        assert graph.y is not None
        np.testing.assert_array_equal(graph.y.numpy(), np.where(expected > 0, expected, -1))
    pairs = {(min(u, v), max(u, v)) for u, neighbours in adjacency.items() for v in neighbours if u != v}
    assert set(map(tuple, graph.pairs.T.tolist())) == pairs


@given(st.sampled_from(["i4", "i8", "f4", "f8", ">i4", ">f8"]), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_every_dtype_order_and_layout_is_read(kind: str, rows: int, columns: int, fortran: bool) -> None:
    values = (np.arange(rows * columns) * 37 - 50).reshape(rows, columns).astype(kind, order="F" if fortran else "C")
    found = read_dense(dump(values), "here")
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype.newbyteorder("=")
    assert found.dtype.isnative


def test_full_size_feature_files_in_pubmeds_format() -> None:
    random = np.random.default_rng(0)
    n, first, width = 19717, 18717, 500
    allx = sp.random(first, width, 0.1, format="csr", dtype=np.float32, random_state=random)
    tx = sp.random(n - first, width, 0.1, format="csr", dtype=np.float32, random_state=random)
    test = random.permutation(np.arange(first, n))
    ring = {i: [(i + 1) % n, (i - 1) % n] for i in range(n)}
    parts = {"graph": dump(ring), "allx": dump(allx), "tx": dump(tx), "test.index": "\n".join(map(str, test)).encode()}
    graph = assemble("pubmed", parts)
    assert graph.x is not None
    assert graph.x.shape == (n, width)
    assert graph.num_edges == n
    dense = graph.x.to_dense().numpy()
    np.testing.assert_array_equal(dense[:first], allx.toarray())
    np.testing.assert_array_equal(dense[test], tx.toarray())


def test_a_matrix_without_a_value_is_read() -> None:
    found = read_csr(dump(sp.csr_matrix((3, 4), dtype=np.float32)), "here")
    assert found.shape == (3, 4)
    assert found.data.size == found.indices.size == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"graph": {0: [1], 2: [0]}}, r"ind\.tiny\.graph: expected an entry for each of the nodes 0 to 1"),
        ({"graph": {-1: [0], 0: [0]}}, r"ind\.tiny\.graph: expected an entry for each of the nodes 0 to 1"),
        ({"graph": GRAPH | {0: [6]}}, r"ind\.tiny\.graph: expected neighbours from 0 to 5, found 0 to 6"),
        ({"graph": GRAPH | {0: [-1]}}, r"ind\.tiny\.graph: expected neighbours from 0 to 5, found -1 to 2"),
        ({"graph": {0: [0]}}, r"test\.index: expected different nodes from 3"),
        ({"test_index": b"5\nx\n"}, r"test\.index: expected one node index a line"),
        ({"test_index": b"5\n-3\n"}, r"test\.index: expected one node index a line"),
        ({"test_index": b"5\n" + b"9" * 5000}, r"test\.index: expected one node index a line"),
        ({"test_index": b"5\n"}, r"test\.index: expected 2 nodes, one for each row of tx and ty, found 1"),
        ({"test_index": b"5\n5\n"}, r"test\.index: expected different nodes from 3"),
        ({"test_index": b"5\n2\n"}, r"test\.index: expected different nodes from 3"),
        ({"test_index": b"5\n6\n"}, r"test\.index: expected different nodes from 3"),
        ({"ally": ALLY[:, :2]}, r"ally and \.ty: expected one-hot labels of one width"),
        ({"ally": ALLY[:, 0]}, r"ally and \.ty: expected one-hot labels of one width"),
        ({"ally": ALLY + 1}, r"ally and \.ty: expected one-hot labels"),
        ({"ty": np.ones_like(TY)}, r"ally and \.ty: expected one-hot labels"),
        ({"ty": -TY}, r"ally and \.ty: expected one-hot labels"),
        ({"allx": sp.csr_matrix(ALLX[:, :3])}, r"allx and \.tx: expected as many columns in both, found 3 and 4"),
        ({"tx": sp.csr_matrix(TX[:1])}, r"test\.index: expected 1 nodes"),
        ({"tx": sp.csr_matrix(np.where(TX > 0, np.inf, 0))}, "x contains NaN or infinite"),
        ({"tx": sp.csr_matrix(TX.astype(np.float64) * 1e300)}, "x contains NaN or infinite"),
        ({"tx": TX}, r"ind\.tiny\.tx: expected a sparse matrix"),
        ({"ty": sp.csr_matrix(TY)}, r"ind\.tiny\.ty: expected an array of numbers"),
        ({"graph": TY}, r"ind\.tiny\.graph: expected a dict of lists of integers"),
    ],
)
def test_contradictions_are_refused_by_file(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        assemble("tiny", written(**changes))


def test_only_needed_files_are_read(root: Path) -> None:
    parts = written(x=b"not looked at", y=b"not looked at")
    card = make_card(parts)
    assert {file.part for file in needed_files(card)} == {"graph", "test.index", "ally", "ty", "allx", "tx"}
    assert [file.part for file in needed_files(card, features=False)] == ["graph"]
    write(root / "planetoid", {part: content for part, content in parts.items() if part not in ("x", "y")})
    graph = planetoid_graph(card)
    assert graph.num_features == 4
    assert graph.hash == assemble("tiny", written()).hash


def test_without_features_their_files_may_be_missing_or_broken(root: Path) -> None:
    parts = written()
    card = make_card(parts)
    write(root / "planetoid", {part: content for part, content in parts.items() if part != "allx"} | {"tx": b"broken"})
    graph = planetoid_graph(card, features=False)
    assert graph.x is None
    assert graph.y is not None
    assert graph.y.tolist() == [0, 1, -1, 1, -1, 2]
    with pytest.raises(
        storage.MissingFilesError, match=r"planetoid/ind\.tiny\.allx is missing.*features=False"
    ) as caught:
        planetoid_graph(card)
    assert str(root / "planetoid" / "ind.tiny.allx") in str(caught.value)


def test_without_label_files_a_warning_says_so(root: Path) -> None:
    parts = written()
    card = make_card(parts)
    write(root / "planetoid", {"graph": parts["graph"]})
    with pytest.warns(UserWarning, match=r"tiny is read without labels.*ind\.tiny\.ty"):
        graph = planetoid_graph(card, features=False)
    assert graph.y is None
    assert graph.pairs.T.tolist() == EDGES


@pytest.mark.parametrize("part", ["graph", "ty", "tx"])
def test_a_wrong_file_is_refused_before_it_is_parsed(root: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = written()
    card = make_card(parts)
    write(root / "planetoid", parts | {part: parts[part][:-2] + b"0."})

    def parsed(*args: Any) -> Any:
        raise AssertionError("a file was parsed")

    monkeypatch.setattr("graphvae.data.planetoid.assemble", parsed)
    with pytest.raises(InputError, match=rf"ind\.tiny\.{part}: expected the SHA-256 [0-9a-f]{{64}}, found"):
        planetoid_graph(card)


@pytest.mark.data
def test_pubmed_with_features_of_its_format(data_root: Path) -> None:
    """All of PubMed but ind.pubmed.allx, for which a matrix of its shape stands in."""
    folder = data_root / "planetoid"
    names = ("graph", "ally", "ty", "test.index", "tx")
    parts = {part: (folder / f"ind.pubmed.{part}").read_bytes() for part in names}
    allx = sp.random(18717, 500, 0.1, format="csr", dtype=np.float32, random_state=0)
    graph = assemble("pubmed", parts | {"allx": dump(allx)})
    assert (graph.num_nodes, graph.num_edges, graph.num_features, graph.num_classes) == (19717, 44324, 500, 3)
    assert graph.x is not None
    test = np.array(parts["test.index"].split(), dtype=np.int64)
    tx = read_csr(parts["tx"], "ind.pubmed.tx")
    expected = sp.csr_matrix((tx.data, tx.indices, tx.indptr), tx.shape).toarray()
    np.testing.assert_array_equal(graph.x.to_dense().numpy()[test], expected)
