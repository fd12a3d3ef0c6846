"""The fields of a graph, each checked on its own: from what users pass to what a graph holds."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer

__all__ = [
    "as_edge_index",
    "as_features",
    "as_labels",
    "as_node_ids",
    "as_weights",
    "check_edges",
    "count_nodes",
    "digest",
    "is_sparse",
    "rows_of",
    "take_rows",
    "sparse_features",
]


# Pairs of nodes are numbered u N + v in 64 bits.
MAX_NODES = 2**31 - 1


def is_sparse(x: Tensor) -> bool:
    """Whether a feature tensor is sparse (a :class:`Graph` holds those as CSR)."""
    return x.layout != torch.strided


def take_rows(x: Tensor, keep: Tensor) -> Tensor:
    """The rows of ``x`` (N, F), dense or CSR, where the mask ``keep`` (N,) is true."""
    if not is_sparse(x):
        return x[keep]
    lengths = x.crow_indices().diff()
    within = torch.repeat_interleave(keep, lengths)
    pointers = torch.cat([x.crow_indices()[:1], lengths[keep].cumsum(0)])
    return sparse_features(pointers, x.col_indices()[within], x.values()[within], (int(keep.sum()), x.shape[1]))


def rows_of(row_of: Mapping[Any, int], node_ids: np.ndarray, ids: Any) -> np.ndarray:
    """Rows of ``ids`` (any shape) by the index ``row_of``, int64; see :meth:`Graph.rows`."""
    # As objects, because numpy would make strings of the integers in a list that mixes both.
    array = ids if isinstance(ids, np.ndarray) else np.array(ids, dtype=object)
    kind, wanted = ("integers", int) if node_ids.dtype.kind == "i" else ("strings", str)
    items = array.ravel().tolist()
    for item in items:
        item = item.item() if isinstance(item, np.generic) else item
        if not isinstance(item, wanted) or isinstance(item, bool):
            raise InputError(f"node ids of this graph are {kind}: got {item!r} of type {type(item).__name__}")
    try:
        rows = [row_of[item] for item in items]
    except KeyError as error:
        raise InputError(f"node id {error.args[0]!r} is not in the graph of {len(node_ids)} nodes") from None
    return np.array(rows, dtype=np.int64).reshape(array.shape)


def sparse_features(row_pointers: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A ``torch.sparse_csr`` tensor, checked, without torch's notice that the layout is in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(row_pointers, columns, values, size=shape, check_invariants=True)


def _tensor(name: str, value: Any) -> Tensor:
    try:
        # A copy, so that nobody else can change the graph; torch also warns about arrays that are read-only.
        if isinstance(value, Tensor):
            return value.detach().cpu().clone()
        array = np.array(value)
        return torch.as_tensor(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: expected a tensor or array of numbers ({error})") from None


def _integers(name: str, value: Any) -> Tensor:
    tensor = _tensor(name, value)
    if tensor.numel() == 0:
        return tensor.to(torch.int64)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(f"{name} is of type {tensor.dtype}: expected integers")
    return tensor.to(torch.int64)


def as_edge_index(value: Any) -> Tensor:
    index = _integers("edge_index", value)
    if index.dim() != 2 or index.shape[0] != 2:
        raise InputError(f"edge_index has shape {tuple(index.shape)}: expected (2, E)")
    return index


def as_features(value: Any) -> Tensor:
    """Dense (N, F) or CSR (N, F), floating, finite; scipy sparse matrices are accepted."""
    if hasattr(value, "tocsr"):
        matrix = value.tocsr(copy=True)  # sum_duplicates works in place, and the matrix is the caller's
        matrix.sum_duplicates()
        rows, columns, values = (torch.as_tensor(np.array(a)) for a in (matrix.indptr, matrix.indices, matrix.data))
        x = sparse_features(rows.long(), columns.long(), values, (int(matrix.shape[0]), int(matrix.shape[1])))
    else:
        x = value.detach().cpu() if isinstance(value, Tensor) and value.layout != torch.strided else _tensor("x", value)
        if x.layout != torch.strided:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
                x = (x.coalesce() if x.layout == torch.sparse_coo else x).to_sparse_csr()
            rows, columns, values = (t.clone() for t in (x.crow_indices().long(), x.col_indices().long(), x.values()))
            x = sparse_features(rows, columns, values, (int(x.shape[0]), int(x.shape[1])))
    if x.dim() != 2:
        raise InputError(f"x has shape {tuple(x.shape)}: expected (N, F)")
    if x.shape[1] == 0:
        raise InputError(f"x has shape {tuple(x.shape)}: expected at least one column, or x=None for no features")
    if x.is_complex():
        raise InputError("x is complex: expected real numbers")
    if x.dtype != torch.float64:
        x = x.to(torch.float32)
    values = x.values() if is_sparse(x) else x
    if not bool(torch.isfinite(values).all()):
        raise InputError("x contains NaN or infinite values: expected finite features")
    return x if is_sparse(x) else x.contiguous()


def as_labels(value: Any, n: int) -> Tensor:
    labels = _integers("y", value)
    if labels.shape != (n,):
        raise InputError(f"y has shape {tuple(labels.shape)}: expected ({n},)")
    if n and int(labels.min()) < -1:
        raise InputError(f"y contains {int(labels.min())}: expected classes from 0, or -1 for unknown")
    return labels


def as_weights(value: Any, edges: int) -> Tensor:
    weight = _tensor("edge_weight", value)
    if weight.shape != (edges,):
        raise InputError(f"edge_weight has shape {tuple(weight.shape)}: expected ({edges},), one for each edge")
    weight = weight if weight.dtype == torch.float64 else weight.to(torch.float32)
    if not bool(torch.isfinite(weight).all()):
        raise InputError("edge_weight contains NaN or infinite values: expected finite weights")
    return weight


def as_node_ids(value: Any, n: int) -> np.ndarray:
    if value is None:
        ids = np.arange(n, dtype=np.int64)
    else:
        array = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
        if array.shape != (n,):
            raise InputError(f"node_ids has shape {array.shape}: expected ({n},)")
        # As given, because numpy's strings lose a NUL at their end.
        items = list(value) if isinstance(value, (list, tuple)) else array.tolist()
        if array.dtype.kind == "O" and all(isinstance(item, str) for item in items):
            array = array.astype(str)
        if array.dtype.kind == "U" and not all(isinstance(item, str) for item in items):
            # numpy would have written the integers among them as strings.
            raise InputError("node_ids mix kinds: expected integers or strings, all of one kind")
        if array.dtype.kind not in "iuU":
            raise InputError(f"node_ids are of type {array.dtype}: expected integers or strings, all of one kind")
        if array.dtype.kind == "u" and n and int(array.max()) > np.iinfo(np.int64).max:
            raise InputError(f"node_ids contains {array.max()}: expected integers below 2**63, or strings")
        if array.dtype.kind == "U" and "\0" in "".join(items):
            raise InputError("node_ids contain the character NUL, which numpy strings cannot keep: expected others")
        ids = array.astype(np.int64) if array.dtype.kind in "iu" else array.astype(str)
        unique, counts = np.unique(ids, return_counts=True)
        if len(unique) != n:
            raise InputError(f"node_ids contains {unique[counts > 1][0].item()!r} more than once: expected unique ids")
    ids = np.array(ids)
    ids.flags.writeable = False
    return ids


def count_nodes(index: Tensor, x: Tensor | None, y: Any, node_ids: Any, num_nodes: int | None) -> int:
    if num_nodes is not None:
        return integer("num_nodes", num_nodes, low=0, high=MAX_NODES)
    if x is not None:
        return int(x.shape[0])
    for rows in (node_ids, y):
        if rows is not None and np.ndim(rows):
            return len(rows)
    n = int(index.max()) + 1 if index.numel() else 0
    if n > MAX_NODES:
        hint = "node indices; ids of any size are read by Graph.from_edges"
        raise InputError(f"edge_index contains {n - 1}: expected {hint}")
    return n


def check_edges(index: Tensor, weight: Tensor | None, n: int, directed: bool) -> None:
    """``index`` is sorted; refuse self-loops, repeats and, if undirected, edges without their reverse."""
    source, target = index
    loops = source == target
    if bool(loops.any()):
        node = int(source[loops][0])
        raise InputError(f"edge_index has the self-loop ({node}, {node}): expected none; remove them first")
    key = source * max(n, 1) + target
    repeated = key[1:] == key[:-1]
    if bool(repeated.any()):
        at = int(repeated.nonzero()[0])
        edge = (int(source[at]), int(target[at]))
        raise InputError(f"edge_index holds the edge {edge} more than once: expected each once; coalesce first")
    if directed:
        return
    reverse = torch.argsort(target * max(n, 1) + source)
    missing = key != (target * max(n, 1) + source)[reverse]
    if bool(missing.any()):
        # The two sorted key sequences differ first where one edge lacks its reverse.
        forward, backward = key, (target * max(n, 1) + source)[reverse]
        lonely = forward[~torch.isin(forward, backward)]
        edge = (int(lonely[0]) // n, int(lonely[0]) % n)
        raise InputError(
            f"edge_index holds {edge} without its reverse {edge[::-1]}: an undirected graph needs both directions "
            "(pass directed=True, or read edges with Graph.from_edges)"
        )
    if weight is not None and not torch.equal(weight, weight[reverse]):
        at = int((weight != weight[reverse]).nonzero()[0])
        edge = (int(source[at]), int(target[at]))
        raise InputError(
            f"edge_weight differs between {edge} and {edge[::-1]}: expected equal weights, or directed=True"
        )


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 over dtype, shape and little-endian bytes of arrays (strings as UTF-8)."""
    digest = hashlib.sha256()
    for array in arrays:
        if array.dtype.kind == "U":
            data = "\0".join(array.ravel().tolist()).encode("utf-8", "surrogatepass")
            digest.update(f"str{array.shape};{len(data)};".encode())
        else:
            array = np.ascontiguousarray(array)
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            data = array.tobytes()
            digest.update(f"{array.dtype.kind}{array.dtype.itemsize}{array.shape};".encode())
        digest.update(data)
    return digest.hexdigest()
