"""Hostile pickles are refused: nothing that they name is imported or called, and none is a bomb."""

from __future__ import annotations

import builtins
import copyreg
import importlib
import io
import pickle
import struct
import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphvae._check import InputError
from graphvae.data import plain_pickle
from graphvae.data.plain_pickle import read_adjacency, read_csr, read_dense

READERS: list[Callable[[bytes, str], Any]] = [read_adjacency, read_csr, read_dense]


class Call:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


def dump(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol=protocol)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value) if -(2**31) <= value < 2**31 else b"\x8a\x09" + value.to_bytes(9, "little")


def dtype(code: str = "i4", order: str = "<") -> bytes:
    state = b"K\x03" + text(order) + b"NNN" + number(-1) + number(-1) + b"K\x00"
    return b"cnumpy\ndtype\n(" + text(code) + b"K\x00K\x01tR(" + state + b"tb"


def reconstruct(
    payload: bytes, shape: bytes = b"K\x01\x85", kind: bytes = b"", name: bytes = b"cnumpy\nndarray\n"
) -> bytes:
    """The program of an array, given those of its payload, shape and dtype, and the class it asks for."""
    made = b"cnumpy.core.multiarray\n_reconstruct\n" + name + b"K\x00\x85U\x01b\x87R"
    return made + b"(K\x01" + shape + (kind or dtype()) + b"\x89" + payload + b"tb"


def array(values: Any, shape: tuple[int, ...] | None = None, kind: bytes = b"", payload: bytes | None = None) -> bytes:
    """The program of an array of ``values`` as Python 2 writes it, with anything about it replaced."""
    values = np.asarray(values)
    content = values.tobytes() if payload is None else payload
    dims = b"(" + b"".join(number(n) for n in (values.shape if shape is None else shape)) + b"t"
    string = b"T" + struct.pack("<i", len(content)) + content
    return reconstruct(string, dims, kind or dtype(values.dtype.str[1:]))


def matrix(shape: tuple[int, int] = (2, 3), **parts: bytes) -> bytes:
    """The program of a CSR matrix with anything about it replaced; as it stands it is sound."""
    state = {
        "data": array(np.ones(3, np.float32)),
        "indices": array(np.array([0, 2, 1], np.int32)),
        "indptr": array(np.array([0, 2, 3], np.int32)),
        "_shape": number(shape[0]) + number(shape[1]) + b"\x86",
    } | parts
    items = b"".join(text(key) + program for key, program in state.items() if program)
    return b"\x80\x02cscipy.sparse.csr\ncsr_matrix\n)\x81}(" + items + b"ub."


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def vector(*values: int) -> bytes:
    return array(np.array(values, np.int32))


class Persistent(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return "anything" if obj == "secret" else None


def persistent() -> bytes:

    stream = io.BytesIO()
    Persistent(stream, 2).dump({0: ["secret"]})
    return stream.getvalue()


def extension() -> bytes:
    copyreg.add_extension("fractions", "Fraction", 240)
    try:
        return dump(Fraction(1, 2))
    finally:
        copyreg.remove_extension("fractions", "Fraction", 240)


def nested(levels: int) -> bytes:
    return program(b"K\x00" + b"\x85" * levels)


# One list under 1000 nodes: 100 KB of file that come to 50 million neighbours.
SHARED_LIST = program(
    b"}(K\x00](" + b"K\x01" * 50_000 + b"eq\x00" + b"".join(number(i) + b"h\x00" for i in range(1, 1000)) + b"u"
)
# A key whose hash visits 2**60 tuples.
LAUGHS = program(b"}K\x00" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60)) + b"]s")
SOUND_ARRAY = program(array(np.eye(2, dtype=np.int32)))

HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "text": b"this is no pickle",
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "os.system": b"cos\nsystem\n(S'echo'\ntR.",
    "os.system in protocol 2": program(b"cos\nsystem\n" + text("exit 1") + b"\x85R"),
    "builtins.eval": dump(Call(eval, "1 + 1")),
    "builtins.getattr": dump(Call(getattr, "x", "upper")),
    "builtins.exec in a state": program(b"cnumpy\ndtype\n(tR" + dump(Call(exec, "1"))[2:-1] + b"b"),
    "importlib.import_module": dump(Call(importlib.import_module, "this")),
    "call of numpy.array": dump(Call(np.array, [1])),
    "attribute of an allowed module": program(b"cnumpy\nload\n" + text("/etc/passwd") + b"\x85R"),
    "dotted name": program(b"cnumpy\nndarray.tofile\n)R"),
    "name by the stack (STACK_GLOBAL)": b"\x80\x04" + dump(Call(eval, "1"), 4)[2:],
    "instance (INST)": b"(ios\nsystem\n.",
    "instance (OBJ)": b"(cnumpy\ndtype\no.",
    "call of a call": program(b"cnumpy\ndtype\n(tR(tR"),
    "call of a number": program(b"K\x00)R"),
    "call without a tuple": program(b"cnumpy\ndtype\nK\x00R"),
    "persistent id": persistent(),
    "persistent id as text": b"Pabc\n.",
    "extension code": extension(),
    "object array": dump(np.array([[1], "x", None], dtype=object)),
    "object dtype with a byte payload": program(array(0, (1,), dtype("O8"), bytes(8))),
    "structured dtype": dump(np.zeros(2, dtype=[("a", "i4")])),
    "text dtype": dump(np.array(["ab"])),
    "complex dtype": dump(np.zeros(2, complex)),
    "dtype without an order": program(array(0, (1,), b"cnumpy\ndtype\n" + text("i4") + b"\x85R", bytes(4))),
    "dtype that is a number": program(array(0, (1,), b"K\x04", bytes(4))),
    "dtype in an unknown order": program(array(0, (1,), dtype("i4", "?"), bytes(4))),
    "huge declared shape": program(array([1], (2**31 - 1, 2**31 - 1))),
    "shape beyond 64 bits": program(b"\x8a\x20" + b"\x7f" * 32),
    "shape whose product overflows to the size": program(array([1], (2**62, 4), payload=b"")),
    "shape of zero rows": program(array([1], (0, 10**9), payload=b"")),
    "negative shape": program(array([1], (-1,), payload=bytes(8))),
    "three dimensions": dump(np.zeros((2, 2, 2))),
    "no dimension": dump(np.array(3)),
    "too short a payload": program(array(np.zeros(4, np.int32), (5,))),
    "too long a payload": program(array(np.zeros(4, np.int32), (3,))),
    "payload of no text": program(reconstruct(b"]")),
    "payload beyond latin1": program(reconstruct(text("\u0394" * 4))),
    "payload in another code": program(
        reconstruct(b"c_codecs\nencode\n" + text("00000000") + text("hex") + b"\x86R", kind=dtype())
    ),
    "array without a state": program(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"),
    "array of another class": program(reconstruct(b"U\x04abcd", name=b"cscipy.sparse.csr\ncsr_matrix\n")),
    "truncated": SOUND_ARRAY[:-9],
    "truncated before its end": SOUND_ARRAY[:-1],
    "truncated to the header": SOUND_ARRAY[:2],
    "trailing bytes": SOUND_ARRAY + b"\x00",
    "two pickles": SOUND_ARRAY + SOUND_ARRAY,
    "unknown instruction": program(b"\xff"),
    "nothing on the stack": program(b""),
    "two things on the stack": program(b"K\x00K\x00"),
    "a mark on the stack": program(b"("),
    "tuple without a mark": program(b"K\x00t"),
    "mark inside a tuple": program(b"(\x85"),
    "memo that was never set": program(b"h\x07"),
    "memo of nothing": program(b"q\x00"),
    "append to a tuple": program(b")K\x00a"),
    "item of a list": program(b"]K\x00K\x00s"),
    "key without a value": program(b"}(K\x00u"),
    "state of a dict": program(b"}}b"),
    "duplicated top": program(b"K\x002\x86"),
    "string payload longer than the file": program(b"T\xff\xff\xff\x7fabc"),
    "negative string length": program(b"T\xff\xff\xff\xffabc"),
    "eight-byte length": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"abc.",
    "long of two gigabytes": program(b"\x8b\xff\xff\xff\x7f"),
    "decimal number of a million digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "memo at two to the 32": program(b"K\x00r\xff\xff\xff\xff"),
    "other protocol": dump({0: [1], 1: [0]}, 4),
    "text protocol": dump({0: [1], 1: [0]}, 0),
    "nested tuples": nested(200_000),
    "nested lists": program(b"]" * 100_000 + b"a" * 99_999),
    "billion laughs": LAUGHS,
    "one list under many nodes": SHARED_LIST,
    "list that holds itself": program(b"}K\x00]q\x00h\x00as"),
    "dict that holds itself": program(b"}q\x00K\x00h\x00s"),
    "state that is its own object": program(b"cscipy.sparse.csr\ncsr_matrix\n)\x81q\x00h\x00b"),
    "float keys": dump({0.5: [1]}),
    "bytes keys": dump({b"0": [1]}),
    "tuple keys": dump({(0,): [1]}),
    "text keys": dump({"0": [1]}),
    "true as a key": dump({True: [1]}),
    "float neighbours": dump({0: [1.5]}),
    "text neighbours": dump({0: ["1"]}),
    "true as a neighbour": dump({0: [True]}),
    "tuple of neighbours": dump({0: (1,)}),
    "set of neighbours": dump({0: {1}}),
    "neighbours as an array": dump({0: np.array([1])}),
    "neighbour beyond 64 bits": dump({0: [2**64]}),
    "defaultdict of something else": dump(defaultdict(set, {0: [1]})),
    "bytes": dump(b"abc"),
    "nothing": dump(None),
    "csr: row pointers that fall": matrix(indptr=vector(0, 4, 3)),
    "csr: row pointers beyond the data": matrix(indptr=vector(0, 2, 9)),
    "csr: row pointers from one": matrix(indptr=vector(1, 2, 3)),
    "csr: too few row pointers": matrix(indptr=vector(0, 3)),
    "csr: column beyond the shape": matrix(indices=vector(0, 3, 1)),
    "csr: negative column": matrix(indices=vector(0, -1, 1)),
    "csr: fewer columns than data": matrix(indices=vector(0, 1)),
    "csr: real columns": matrix(indices=array(np.array([0.0, 2.0, 1.0]))),
    "csr: two-dimensional data": matrix(data=array(np.ones((3, 1), np.float32))),
    "csr: huge declared shape": matrix((2**40, 3)),
    "csr: negative shape": matrix((-2, 3)),
    "csr: shape of three": matrix(_shape=b"K\x02K\x03K\x01\x87"),
    "csr: no shape": matrix(_shape=b""),
    "csr: no data": matrix(data=b""),
    "csr: data of a list": matrix(data=b"]"),
    "csr: built with arguments": program(b"cscipy.sparse.csr\ncsr_matrix\nK\x02\x85\x81}b"),
    "csr: no state": program(b"cscipy.sparse.csr\ncsr_matrix\n)\x81"),
    "another sparse format": dump(sp.coo_matrix(np.eye(2))),
}


# What the hostile files name; pickletools and numpy import other modules for themselves.
NAMED = {"os", "posix", "nt", "builtins", "__builtin__", "importlib", "this", "fractions", "collections", "_codecs"}
NAMED |= {
    "scipy.sparse",
    "scipy.sparse.csr",
    "scipy.sparse._csr",
    "scipy.sparse._coo",
    "numpy.core.multiarray",
    "copyreg",
}
BOMBS = [
    "one list under many nodes",
    "memo at two to the 32",
    "long of two gigabytes",
    "string payload longer than the file",
    "eight-byte length",
    "huge declared shape",
    "csr: huge declared shape",
]


def outcome(reader: Callable[[bytes, str], Any], content: bytes) -> Any:
    """What ``reader`` makes of ``content``: its result, or the message of its refusal."""
    try:
        return reader(content, "ind.evil.x")
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_by_every_reader_with_nothing_imported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    original = builtins.__import__

    def recording(module: str, *args: Any, **kwargs: Any) -> Any:
        imported.append(module)
        return original(module, *args, **kwargs)

    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"a pickle called for {args[:1]}")

    loaded = set(sys.modules)
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", recording)
        for target, function in ((importlib, "import_module"), (builtins, "eval"), (builtins, "exec")):
            patch.setattr(target, function, forbidden)
        outcomes = [outcome(reader, HOSTILE[name]) for reader in READERS]
    assert all(type(message) is str and "ind.evil.x" in message and len(message) < 300 for message in outcomes)
    assert NAMED.isdisjoint(imported)
    assert set(sys.modules) == loaded


def test_the_sound_programs_that_the_hostile_ones_vary_are_read() -> None:
    np.testing.assert_array_equal(read_dense(SOUND_ARRAY, "here"), np.eye(2))
    found = read_csr(matrix(), "here")
    dense = sp.csr_matrix((found.data, found.indices, found.indptr), found.shape).toarray()
    np.testing.assert_array_equal(dense, [[1, 0, 1], [0, 1, 0]])
    assert read_adjacency(program(b"}(K\x00](K\x01eK\x01](K\x00eu"), "here") == {0: [1], 1: [0]}


@pytest.mark.parametrize("good", [dump({0: [1, 1], 1: [0]}), SOUND_ARRAY, matrix()], ids=["dict", "array", "csr"])
def test_any_damaged_byte_is_refused_or_harmless(good: bytes) -> None:
    random = np.random.default_rng(0)
    for position in range(len(good)):
        for value in (0, 0x2E, int(random.integers(256))):
            content = good[:position] + bytes([value]) + good[position + 1 :]
            for reader in READERS:
                assert isinstance(outcome(reader, content), (str, dict, np.ndarray, plain_pickle.CsrArrays))


@pytest.mark.parametrize("good", [dump({0: [1, 1], 1: [0]}), SOUND_ARRAY, matrix()], ids=["dict", "array", "csr"])
def test_no_truncation_is_accepted(good: bytes) -> None:
    for length in range(len(good)):
        for reader in READERS:
            with pytest.raises(InputError, match="here"):
                reader(good[:length], "here")


def test_size_and_steps_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dump({i: [i] for i in range(100)})
    assert len(read_adjacency(content, "here")) == 100
    with monkeypatch.context() as patch:
        patch.setattr(plain_pickle, "MAX_STEPS", 200)
        with pytest.raises(InputError, match="more than 200 steps"):
            read_adjacency(content, "here")
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", len(content) - 1)
    with pytest.raises(InputError, match=f"{len(content)} bytes, more than"):
        read_adjacency(content, "here")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_needs_no_memory(name: str) -> None:
    tracemalloc.start()
    try:
        for reader in READERS:
            with pytest.raises(InputError):
                reader(HOSTILE[name], "here")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.data
@pytest.mark.parametrize("part", ["x", "y", "tx", "ty", "allx", "ally", "graph"])
@pytest.mark.parametrize("name", ["cora", "citeseer", "pubmed"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_real_files_are_read_as_pickle_reads_them(name: str, part: str, data_root: Path) -> None:
    path = data_root / "planetoid" / f"ind.{name}.{part}"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    content = path.read_bytes()
    expected = pickle.loads(content, encoding="latin1")
    if part == "graph":
        assert read_adjacency(content, path.name) == dict(expected)
    elif part in ("y", "ty", "ally"):
        found = read_dense(content, path.name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        matrix = read_csr(content, path.name)
        assert matrix.shape == expected.shape
        for field in ("data", "indices", "indptr"):
            assert getattr(matrix, field).dtype == getattr(expected, field).dtype
            np.testing.assert_array_equal(getattr(matrix, field), getattr(expected, field))
