"""Embeddings to files and back, bit by bit, with ids of any kind."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from graphvae._check import InputError
from graphvae.export.embeddings import Embeddings
from graphvae.export.formats import FORMATS

EXACT = (".npz", ".parquet")
DELIMITED = (".csv", ".tsv")
AWKWARD = [
    "zoë", "人", "🜛", "a,b", 'say "hi"', '"', "'", "007", "7", "1000000000000000000", "=1+1", "-1", "+1", "@x", "a;b",
    " blank ", "  ", "", "line\nbreak", "carriage\rreturn", "both\r\n", "tab\there", "\ufeffmark", "nan", "None",
    "NULL", "#x", "\\", "\x85next", "\u2028line", "\xa0", "True", "1e5",
]  # fmt: skip


def make(ids, dimensions: int = 3, scale: bool = True, seed: int = 0) -> Embeddings:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(ids), dimensions)).astype(np.float32)
    scales = np.exp(rng.normal(size=(len(ids), dimensions))).astype(np.float32)
    return Embeddings(ids, vectors, scales if scale else None)


def assert_same(a: Embeddings, b: Embeddings, scale: bool = True) -> None:
    assert a.ids.dtype.kind == b.ids.dtype.kind
    assert a.ids.tolist() == b.ids.tolist()
    assert a.vectors.dtype == b.vectors.dtype == np.float32
    assert a.vectors.shape == b.vectors.shape
    assert a.vectors.tobytes() == b.vectors.tobytes()
    if a.scale is None or not scale:
        assert b.scale is None
    else:
        assert b.scale is not None
        assert a.scale.tobytes() == b.scale.tobytes()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize(("n", "dimensions"), [(5, 3), (1, 1), (0, 4), (300, 130)])
def test_round_trip_of_text_ids(tmp_path: Path, suffix: str, scale: bool, n: int, dimensions: int) -> None:
    table = make(np.array([f"node{i}" for i in range(n)], dtype=str), dimensions, scale)
    written = table.save(tmp_path / f"x{suffix}")
    assert_same(table, Embeddings.load(written), scale=suffix != ".txt")


@pytest.mark.parametrize("suffix", FORMATS)
def test_integer_ids_are_kept_by_binary_files_and_asked_for_in_text(tmp_path: Path, suffix: str) -> None:
    table = make(np.array([10**18, -5, 0, 2**63 - 1, -(2**63)]))
    path = table.save(tmp_path / f"x{suffix}")
    assert_same(table, Embeddings.load(path, id_dtype=int), scale=suffix != ".txt")
    plain = Embeddings.load(path)
    assert plain.ids.dtype.kind == ("i" if suffix in EXACT else "U")
    assert [str(node) for node in plain] == [str(node) for node in table]
    assert Embeddings.load(path, id_dtype=str).ids.tolist() == [str(node) for node in table]


@pytest.mark.parametrize("suffix", [*EXACT, *DELIMITED])
def test_awkward_ids_round_trip(tmp_path: Path, suffix: str) -> None:
    table = make(AWKWARD)
    assert_same(table, Embeddings.load(table.save(tmp_path / f"x{suffix}")))


@pytest.mark.parametrize("node", AWKWARD)
def test_word2vec_carries_an_id_or_refuses_it(tmp_path: Path, node: str) -> None:
    table, path = make(["plain", node], scale=False), tmp_path / "x.txt"
    if node.split() == [node]:
        assert_same(table, Embeddings.load(table.save(path)))
    else:
        with pytest.raises(InputError, match=r"ids contains .*word2vec") as refusal:
            table.save(path)
        assert repr(node) in str(refusal.value)
        assert list(tmp_path.iterdir()) == []


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(TEXT, min_size=1, max_size=4, unique=True),
    numbers=hnp.arrays(np.float32, (4, 2), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
)
@pytest.mark.parametrize("suffix", [*EXACT, *DELIMITED])
def test_any_text_and_any_float32_round_trip(tmp_path: Path, suffix: str, ids: list[str], numbers: np.ndarray) -> None:
    rows = numbers[: len(ids)]
    table = Embeddings(ids, rows, np.abs(rows))
    assert_same(table, Embeddings.load(table.save(tmp_path / f"x{suffix}")))


def test_word2vec_text_is_as_others_write_it(tmp_path: Path) -> None:
    path = Embeddings(["ann", "bob"], [[0.5, -1.0], [1e-8, 3.0]], np.ones((2, 2))).save(tmp_path / "x.txt")
    assert path.read_bytes() == b"2 2\nann 0.5 -1\nbob 9.99999994e-09 3\n"


def test_word2vec_files_of_others_are_read(tmp_path: Path) -> None:
    # gensim and the original tool write a trailing blank, or six decimals.
    (tmp_path / "x.txt").write_bytes(b"2 3\n</s> 0.100000 0.2 -0.3 \nb 1 2 3\n")
    table = Embeddings.load(tmp_path / "x.txt")
    assert table.ids.tolist() == ["</s>", "b"]
    assert table["</s>"].tolist() == np.float32([0.1, 0.2, -0.3]).tolist()


@pytest.mark.parametrize("suffix", DELIMITED)
def test_delimited_text_is_as_csv_readers_have_it(tmp_path: Path, suffix: str) -> None:
    table = make(AWKWARD)
    path = table.save(tmp_path / f"x{suffix}")
    delimiter = {".csv": ",", ".tsv": "\t"}[suffix]
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=delimiter, strict=True))
    assert rows[0] == ["id", "z0", "z1", "z2", "scale0", "scale1", "scale2"]
    assert [row[0] for row in rows[1:]] == AWKWARD
    frame = pd.read_csv(path, sep=delimiter, dtype={"id": str}, keep_default_na=False)
    assert frame[["z0", "z1", "z2"]].to_numpy(np.float32).tobytes() == table.vectors.tobytes()


def test_files_with_crlf_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfid,z0\r\na,1.5\r\n007,2\r\n")
    table = Embeddings.load(tmp_path / "x.csv")
    assert table.ids.tolist() == ["a", "007"]
    assert table["007"].tolist() == [2.0]


def test_parquet_is_a_plain_table_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "run=7"  # looks like a partition
    folder.mkdir()
    table = make(np.arange(5) + 10**17)
    path = table.save(folder / "x.parquet")
    frame = pd.read_parquet(path, partitioning=None)
    assert frame["id"].tolist() == table.ids.tolist()
    assert frame[["scale0", "scale1", "scale2"]].to_numpy().tobytes() == table.scale.tobytes()
    assert_same(table, Embeddings.load(path))


def test_npz_holds_no_pickles(tmp_path: Path) -> None:
    path = make(AWKWARD).save(tmp_path / "x.npz")
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["ids", "scale", "vectors"]
    np.savez(tmp_path / "evil.npz", ids=np.array(["a", None], dtype=object), vectors=np.zeros((2, 1)))
    with pytest.raises(InputError, match="not an embedding table"):
        Embeddings.load(tmp_path / "evil.npz")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make(["a", "b"], scale=False), make(["c", "d"], scale=False, seed=1)
    path = old.save(tmp_path / f"x{suffix}")
    write = FORMATS[suffix].write

    def broken(file, table) -> None:
        write(file, table)
        raise OSError("no space left on device")

    monkeypatch.setitem(FORMATS, suffix, FORMATS[suffix]._replace(write=broken))
    with pytest.raises(OSError, match="no space left"):
        new.save(path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == [path.name]
    assert_same(old, Embeddings.load(path))
    assert_same(new, Embeddings.load(new.save(path)))


def test_suffixes_are_suggested(tmp_path: Path) -> None:
    table = make(["a"])
    for name, hint in (
        ("x.parquett", "did you mean '.parquet'"),
        ("x.cvs", "did you mean '.csv'"),
        ("x", "one of .npz"),
    ):
        with pytest.raises(InputError, match=hint):
            table.save(tmp_path / name)
        with pytest.raises(InputError, match=hint):
            Embeddings.load(tmp_path / name)
    assert_same(table, Embeddings.load(table.save(tmp_path / "X.CSV")))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "expected id, z0"),
        ("x.csv", b"node,z0\na,1\n", "has the columns 'node, z0'"),
        ("x.csv", b"id,z0,z2\na,1,2\n", "has the columns"),
        ("x.csv", b"id,z0,z1,scale0\na,1,2,3\n", "has the columns"),
        ("x.csv", b"id,z0\na,1,2\n", "line 2 has 3 cells: expected 2"),
        ("x.csv", b"id,z0\na,one\n", "line 2: .*'one'"),
        ("x.csv", b"id,z0\na,nan\n", "vectors contains nan in row 0"),
        ("x.csv", b"id,z0\na,1e99\n", "vectors contains inf in row 0"),
        ("x.csv", b"id,z0\na,1\na,2\n", "ids contains 'a' more than once"),
        ("x.csv", b'id,z0\n"a,1\n', "not an embedding table"),
        ("x.csv", b"id,z0\n\xff,1\n", "not an embedding table"),
        ("x.txt", b"hello\n", "begins with 'hello'"),
        ("x.txt", b"2 1\na 1\n", "holds 1 nodes: expected 2"),
        ("x.txt", b"1 2\na 1\n", "line 2 has 2 cells"),
        ("x.npz", b"PK\x03\x04 not really", "not an embedding table"),
        ("x.parquet", b"PAR1", "not an embedding table"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refusal:
        Embeddings.load(path)
    assert str(path) in str(refusal.value)


def test_bad_binary_tables_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vectors=np.zeros((1, 1)))
    with pytest.raises(InputError, match="expected ids, vectors"):
        Embeddings.load(tmp_path / "x.npz")
    for ids, message in (([None, "a"], "1 nodes without an id"), ([1.5, 2.0], "ids are of type float64")):
        pd.DataFrame({"id": ids, "z0": [0.0, 1.0]}).to_parquet(tmp_path / "x.parquet")
        for id_dtype in (None, int):
            with pytest.raises(InputError, match=message):
                Embeddings.load(tmp_path / "x.parquet", id_dtype=id_dtype)


def test_missing_files_and_bad_id_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Embeddings.load(tmp_path / "x.csv")
    path = make(["a", "7"], scale=False).save(tmp_path / "x.csv")
    with pytest.raises(InputError, match=r"id_dtype=int: .*'a'"):
        Embeddings.load(path, id_dtype=int)
    with pytest.raises(InputError, match="id_dtype="):
        Embeddings.load(path, id_dtype=float)
    path = make(["7", "007"], scale=False).save(tmp_path / "x.csv")
    with pytest.raises(InputError, match="ids contains 7 more than once"):
        Embeddings.load(path, id_dtype=int)
    path = make([str(2**63)], scale=False).save(tmp_path / "x.csv")
    with pytest.raises(InputError, match="id_dtype=int"):
        Embeddings.load(path, id_dtype=int)


@pytest.mark.parametrize("suffix", [".parquet", *DELIMITED, ".txt"])
def test_text_that_utf8_cannot_encode_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        make(["\ud800"], scale=False).save(tmp_path / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("ids", "vectors", "scale", "message"),
    [
        ([1, 1], np.zeros((2, 1)), None, "ids contains 1 more than once"),
        ([1, "a"], np.zeros((2, 1)), None, "ids: expected integers only, or strings only"),
        ([True, False], np.zeros((2, 1)), None, "ids: expected integers only"),
        (["a\0"], np.zeros((1, 1)), None, "NUL"),
        ([1.5], np.zeros((1, 1)), None, "ids are of type float64"),
        ([2**63], np.zeros((1, 1)), None, "ids contains 9223372036854775808"),
        ([2**70], np.zeros((1, 1)), None, "ids are of type object"),
        ([[1]], np.zeros((1, 1)), None, r"ids has shape \(1, 1\)"),
        ([1, 2], np.zeros((3, 1)), None, r"vectors has shape \(3, 1\): expected \(2, D\)"),
        ([1], np.zeros(1), None, "vectors has shape"),
        ([1], [["x"]], None, "vectors are of type"),
        ([1], [[np.inf]], None, "vectors contains inf in row 0"),
        ([1], [[1e300]], None, "vectors contains 1e.300 in row 0"),
        ([1], [[1.0]], [[1.0, 2.0]], r"scale has shape \(1, 2\): expected \(1, 1\)"),
        ([1], [[1.0]], [[-1.0]], "scale contains -1.0"),
    ],
)
def test_refusals_name_the_argument(ids, vectors, scale, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Embeddings(ids, vectors, scale)


def test_lookup_by_id() -> None:
    table = make(np.array([7, 3]))
    assert len(table) == 2
    assert list(table) == [7, 3]
    assert table[3].tolist() == table[np.int32(3)].tolist() == table.vectors[1].tolist()
    assert 3 in table
    assert "3" not in table
    with pytest.raises(KeyError, match=r"no node has the id '3' \(ids are int\)"):
        table["3"]
    with pytest.raises(KeyError, match="no node has the id"):
        table[0]
    words = make(["ann", "bob"])
    assert words["bob"].tolist() == words[np.str_("bob")].tolist() == words.vectors[1].tolist()
    assert repr(words) == "Embeddings(2 nodes, 3 dimensions, ids=str, scale=True)"


def test_tables_are_immutable_copies() -> None:
    ids, vectors = np.array([1, 2]), np.zeros((2, 2), dtype=np.float32)
    table = Embeddings(ids, vectors)
    vectors[0, 0] = ids[0] = 9
    assert table.vectors[0, 0] == 0
    assert table.ids[0] == 1
    for array in (table.ids, table.vectors, table[1]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    with pytest.raises(AttributeError):
        table.vectors = vectors
