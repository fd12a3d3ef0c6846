"""Arrays and adjacency lists out of Planetoid's pickles, without unpickling: nothing that a file names is imported."""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from graphvae._check import InputError

__all__ = ["MAX_BYTES", "MAX_STEPS", "CsrArrays", "read_adjacency", "read_csr", "read_dense"]

# Largest file and longest program that are read. The longest known, ind.pubmed.graph, takes 168 thousand steps.
MAX_BYTES = 1 << 26
MAX_STEPS = 1_000_000

# What the files may name, spelled as Python 2 and 3, old and new numpy and scipy do, and what we call it.
_NAMES = {
    "scipy.sparse.csr csr_matrix": "csr",
    "scipy.sparse._csr csr_matrix": "csr",
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "collections defaultdict": "defaultdict",
    "__builtin__ list": "list",
    "builtins list": "list",
    "_codecs encode": "encode",  # how Python 3 writes bytes in protocol 2
    "__builtin__ bytes": "bytes",  # and empty ones
}
_DTYPES = ("i4", "i8", "f4", "f8")
_MARK = object()


class CsrArrays(NamedTuple):
    """A checked CSR matrix: row ``i`` has ``data[p]`` in column ``indices[p]``, ``indptr[i] <= p < indptr[i + 1]``."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    shape: tuple[int, int]


@dataclass(frozen=True)
class _Name:
    """A name that the file mentions; it is compared, never looked up."""

    name: str


class _Node:
    """A call that the file asks for and the state given to its result; it is looked at, never made."""

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name = name
        self.args = args
        self.state: Any = None


class _Malformed(ValueError):
    """What is wrong with a file; the public functions add which file."""


def read_csr(content: bytes, where: str) -> CsrArrays:
    """The ``scipy.sparse.csr_matrix`` pickled in ``content``, as checked numpy arrays.

    Args:
        content: the bytes of the file.
        where: the file's name, for messages.

    Raises:
        InputError: if the file holds anything else, is damaged, or is larger than any such file needs to be.
    """
    try:
        return _csr(_parse(content))
    except _Malformed as error:
        raise _refusal(where, "a sparse matrix", error) from None


def read_dense(content: bytes, where: str) -> np.ndarray:
    """The one- or two-dimensional ``numpy.ndarray`` of numbers pickled in ``content``; see :func:`read_csr`."""
    try:
        return _array(_parse(content))
    except _Malformed as error:
        raise _refusal(where, "an array of numbers", error) from None


def read_adjacency(content: bytes, where: str) -> dict[int, list[int]]:
    """The dict from node to list of neighbours pickled in ``content``; see :func:`read_csr`."""
    try:
        return _adjacency(_parse(content))
    except _Malformed as error:
        raise _refusal(where, "a dict of lists of integers", error) from None


def _refusal(where: str, expected: str, error: _Malformed) -> InputError:
    return InputError(f"{where}: expected {expected} in Planetoid's format, and nothing else ({error})")


def _parse(content: bytes) -> Any:
    """Run the file's program on a stack that can hold only None, bool, int, str, tuple, list, dict and :class:`_Node`.

    Written out because ``pickle.Unpickler`` with a guarded ``find_class`` still hashes what it likes, sizes its memo by
    the file's word, and calls what it was allowed to find.
    """
    if len(content) > MAX_BYTES:
        raise _Malformed(f"{len(content)} bytes, more than {MAX_BYTES}")
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for step, (opcode, argument, position) in enumerate(pickletools.genops(content)):
            if step >= MAX_STEPS:
                raise _Malformed(f"more than {MAX_STEPS} steps")
            if opcode.name == "STOP":
                if position != len(content) - 1:
                    raise _Malformed("bytes follow its end")
            else:
                _step(opcode.name, argument, stack, memo)
    except _Malformed:
        raise
    except (ValueError, LookupError) as error:
        raise _Malformed(f"damaged or truncated: {error}") from None
    if len(stack) != 1 or stack[0] is _MARK:
        raise _Malformed("unbalanced stack")
    return stack[0]


def _step(opcode: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """One instruction of pickle's protocol 2; those that the format does not need are refused."""
    if opcode in ("BININT", "BININT1", "BININT2", "SHORT_BINSTRING", "BINSTRING", "BINUNICODE"):
        stack.append(argument)
    elif opcode in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif opcode in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif opcode == "LONG1":
        if argument.bit_length() > 63:
            raise _Malformed("an integer of more than 64 bits")
        stack.append(argument)
    elif opcode in _CONSTANTS:
        stack.append(_CONSTANTS[opcode])
    elif opcode in _SMALL_TUPLES:
        items = [_pop(stack) for _ in range(_SMALL_TUPLES[opcode])]
        stack.append(tuple(reversed(items)))
    elif opcode == "MARK":
        stack.append(_MARK)
    elif opcode == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif opcode == "EMPTY_LIST":
        stack.append([])
    elif opcode == "EMPTY_DICT":
        stack.append({})
    elif opcode in ("APPEND", "APPENDS"):
        items = [_pop(stack)] if opcode == "APPEND" else _since_mark(stack)
        _top(stack, list).extend(items)
    elif opcode in ("SETITEM", "SETITEMS"):
        items = [_pop(stack), _pop(stack)][::-1] if opcode == "SETITEM" else _since_mark(stack)
        _set_items(_top(stack, dict), items)
    elif opcode == "GLOBAL":
        if argument not in _NAMES:
            raise _Malformed(f"it names {argument[:80]!r}")
        stack.append(_Name(_NAMES[argument]))
    elif opcode in ("REDUCE", "NEWOBJ"):
        args, called = _pop(stack), _pop(stack)
        if type(called) is not _Name or type(args) is not tuple:
            raise _Malformed("it calls something that is no name")
        stack.append({} if called.name == "defaultdict" else _Node(called.name, args))
    elif opcode == "BUILD":
        state = _pop(stack)
        _top(stack, _Node).state = state
    elif opcode != "PROTO":
        raise _Malformed(f"instruction {opcode}")
    elif argument != 2:
        raise _Malformed(f"pickle protocol {argument}")


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_SMALL_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _pop(stack: list[Any]) -> Any:
    item = stack.pop()
    if item is _MARK:
        raise _Malformed("unbalanced stack")
    return item


def _top(stack: list[Any], kind: type) -> Any:
    if type(stack[-1]) is not kind:
        raise _Malformed(f"it changes something that is no {kind.__name__.strip('_').lower()}")
    return stack[-1]


def _since_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _set_items(target: dict[Any, Any], items: list[Any]) -> None:
    if len(items) % 2:
        raise _Malformed("a dict key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashing a tuple of tuples of tuples can take for ever; an int or a str cannot.
        if type(key) not in (int, str):
            raise _Malformed(f"a dict key of type {type(key).__name__}")
        target[key] = value


def _adjacency(root: Any) -> dict[int, list[int]]:
    if type(root) is not dict:
        raise _Malformed(f"found {_kind(root)}")
    entries = 0
    for node, neighbours in root.items():
        if type(node) is not int or type(neighbours) is not list:
            raise _Malformed(f"an entry from {type(node).__name__} to {_kind(neighbours)}")
        # One list can stand under many nodes: bound what they come to, not what was written.
        entries += len(neighbours)
        if entries > MAX_STEPS:
            raise _Malformed(f"more than {MAX_STEPS} neighbours")
        if any(type(neighbour) is not int for neighbour in neighbours):
            raise _Malformed(f"a neighbour of node {node} that is no integer")
    return root


def _csr(root: Any) -> CsrArrays:
    if type(root) is not _Node or root.name != "csr" or root.args or type(root.state) is not dict:
        raise _Malformed(f"found {_kind(root)}")
    state, shape = root.state, root.state.get("_shape")
    if type(shape) is not tuple or len(shape) != 2 or any(type(n) is not int or not 0 <= n < 2**31 for n in shape):
        raise _Malformed("a sparse matrix of no sensible shape")
    data, indices, indptr = (_array(state.get(key)) for key in ("data", "indices", "indptr"))
    if not data.ndim == indices.ndim == indptr.ndim == 1 or {indices.dtype.kind, indptr.dtype.kind} != {"i"}:
        raise _Malformed("a sparse matrix whose parts are no vectors")
    if (
        indptr.size != shape[0] + 1
        or indptr[0] != 0
        or not indptr[-1] == indices.size == data.size
        or bool((indptr[1:] < indptr[:-1]).any())
        or (indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < shape[1])
    ):
        raise _Malformed("a sparse matrix whose parts contradict each other")
    return CsrArrays(data, indices, indptr, shape)


def _array(root: Any) -> np.ndarray:
    """The array of ``_reconstruct(ndarray, (0,), b"b")`` with the state ``(version, shape, dtype, fortran, bytes)``."""
    if type(root) is not _Node or root.name != "reconstruct" or root.args[:1] != (_Name("ndarray"),):
        raise _Malformed(f"found {_kind(root)}")
    if type(root.state) is not tuple or len(root.state) != 5:
        raise _Malformed("an array without its state")
    _, shape, dtype, fortran, content = root.state
    if type(shape) is not tuple or len(shape) not in (1, 2) or any(type(n) is not int or n < 0 for n in shape):
        raise _Malformed("an array of no sensible shape")
    kind, buffer = _dtype(dtype), _buffer(content)
    size = math.prod(shape)
    if size * kind.itemsize != len(buffer) or (size == 0 and shape != (0,)):
        raise _Malformed(f"an array of {len(buffer)} bytes declared as {shape} of {kind}")
    array = np.frombuffer(buffer, dtype=kind) if size else np.empty(0, dtype=kind)
    return array.reshape(shape, order="F" if fortran is True else "C").astype(kind.newbyteorder("="))


def _dtype(node: Any) -> np.dtype:
    """The dtype of ``dtype("f4", …)`` with the state ``(version, byte order, …)``; plain numbers only."""
    if type(node) is not _Node or node.name != "dtype" or type(node.state) is not tuple or len(node.state) < 2:
        raise _Malformed("an array without a dtype")
    code, order = node.args[:1], node.state[1]
    if code not in [(known,) for known in _DTYPES] or type(order) is not str or order not in ("<", ">"):
        raise _Malformed(f"an array of a dtype other than {', '.join(_DTYPES)}")
    return np.dtype(order + code[0])


def _buffer(content: Any) -> bytes:
    """An array's bytes: Python 2 wrote a string, Python 3 ``encode(text, "latin1")`` or, without any, ``bytes()``."""
    if type(content) is _Node and content.state is None:
        if (content.name, content.args) == ("bytes", ()):
            return b""
        if content.name == "encode" and content.args[1:] == ("latin1",):
            content = content.args[0]
    if type(content) is not str:
        raise _Malformed(f"an array whose content is {_kind(content)}")
    try:
        return content.encode("latin1")
    except UnicodeEncodeError:
        raise _Malformed("an array whose content is text, not bytes") from None


def _kind(value: Any) -> str:
    return value.name if type(value) in (_Node, _Name) else type(value).__name__
