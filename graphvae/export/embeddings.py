"""Node embeddings as a table of ids and vectors, to files and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from graphvae._check import InputError, suggest
from graphvae._files import atomic_path
from graphvae.export.formats import FORMATS, Format, Table
from graphvae.export.projector import read_projector, write_projector

__all__ = ["Embeddings"]

PROJECTOR = ".projector"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors by node id, and how certain they are.

    ``len(embeddings)`` is N, iteration runs over ids, ``embeddings[id]`` is the ``(D,)`` vector of a node.

    Attributes:
        ids: ``(N,)`` unique node ids, int64 or str.
        vectors: ``(N, D)`` float32, finite; row i belongs to ``ids[i]``. Posterior means, in the latent space's units.
        scale: ``(N, D)`` float32 posterior standard deviations, finite and not negative, or None.

    Raises:
        InputError: naming the argument, the offending value and what was expected.

    Example:
        >>> embeddings = Embeddings(["ann", "bob"], [[0.0, 1.0], [0.5, 0.5]])
        >>> embeddings["bob"].tolist()
        [0.5, 0.5]
    """

    ids: np.ndarray
    vectors: np.ndarray
    scale: np.ndarray | None = None

    def __post_init__(self) -> None:
        ids = _ids("ids", self.ids)
        vectors = _matrix("vectors", self.vectors, ids.size)
        scale = None if self.scale is None else _matrix("scale", self.scale, ids.size)
        if scale is not None and scale.shape != vectors.shape:
            raise InputError(f"scale has shape {scale.shape}: expected {vectors.shape}, as vectors")
        if scale is not None and bool((scale < 0).any()):
            raise InputError(f"scale contains {scale.min()}: expected standard deviations of at least 0")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "scale", scale)

    def __len__(self) -> int:
        return int(self.ids.size)

    def __iter__(self) -> Iterator[int | str]:
        return iter(self._rows)

    def __contains__(self, node: object) -> bool:
        return _key(node) in self._rows

    def __getitem__(self, node: int | str) -> np.ndarray:
        try:
            return self.vectors[self._rows[_key(node)]]
        except (KeyError, TypeError):
            kind = "str" if self.ids.dtype.kind == "U" else "int"
            raise KeyError(f"no node has the id {node!r} (ids are {kind})") from None

    def __repr__(self) -> str:
        kind = "str" if self.ids.dtype.kind == "U" else "int"
        scaled = self.scale is not None
        return f"Embeddings({len(self)} nodes, {self.vectors.shape[1]} dimensions, ids={kind}, scale={scaled})"

    @cached_property
    def _rows(self) -> dict[int | str, int]:
        return {node: row for row, node in enumerate(self.ids.tolist())}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a file whose suffix says how; it appears whole or not at all, its folder is made.

        - ``.npz``: numpy arrays ``ids``, ``vectors``, ``scale``; exact. No pickles.
        - ``.parquet``: columns ``id``, ``z0``.., ``scale0``..; exact.
        - ``.csv``, ``.tsv``: the same columns as text, str ids always quoted, numbers with nine significant digits,
          from which float32 comes back bit by bit. The text does not say whether ids are numbers: see ``load``.
        - ``.txt``: the text format of word2vec, ``N D`` and then a line per node. It has no place for ``scale``, which
          is left out, nor for ids that are empty or contain white space, which are refused.
        - ``.projector``: a folder for the TensorBoard projector, ``tensorboard --logdir x.projector``. It has no place
          for ids that are empty or contain tabs or line ends, which are refused.

        Returns:
            The path written to.

        Raises:
            InputError: if the suffix is unknown, or the format cannot carry an id.
        """
        target, table = Path(path), Table(self.ids, self.vectors, self.scale)
        try:
            if _is_projector(target):
                write_projector(target, table)
                return target
            write = _format(target).write
            with atomic_path(target) as temporary, temporary.open("wb") as file:
                write(file, table)
        except UnicodeEncodeError as error:
            raise InputError(f"ids contains {error.object!r}: expected text that UTF-8 can encode") from None
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str], id_dtype: type | None = None) -> Embeddings:
        """Read what :meth:`save` wrote, or any file of that layout.

        Args:
            path: a file with one of the suffixes of :meth:`save`.
            id_dtype: ``int`` or ``str`` to have ids of that kind; None keeps the kind in ``.npz`` and ``.parquet``
                and gives str for text.

        Raises:
            InputError: if there is no such file, its suffix is unknown, or its content is not an embedding table.
        """
        if id_dtype not in (None, int, str):
            raise InputError(f"id_dtype={id_dtype!r}: expected int, str or None")
        source = Path(path)
        folder = _is_projector(source)
        read = read_projector if folder else _format(source).read
        if not (source.is_dir() if folder else source.is_file()):
            raise InputError(f"path={str(source)!r}: no such {'folder' if folder else 'file'}")
        try:
            ids, vectors, scale = read(source)
            return cls(_convert(ids, id_dtype), vectors, scale)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        except Exception as error:  # whatever a reader makes of a broken file
            raise InputError(f"{source}: not an embedding table ({type(error).__name__}: {error})") from error


def _is_projector(path: Path) -> bool:
    return path.suffix.lower() == PROJECTOR


def _format(path: Path) -> Format:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        known = (*FORMATS, PROJECTOR)
        hint = suggest(suffix, known) if suffix else ""
        raise InputError(f"path={str(path)!r}: expected a file name ending in one of {', '.join(known)}{hint}")
    return FORMATS[suffix]


def _convert(ids: np.ndarray, id_dtype: type | None) -> np.ndarray:
    if id_dtype is None:
        return ids
    items = ids.tolist()
    if not all(isinstance(item, int | str) for item in items):
        return ids  # neither integers nor strings: refused later, with their type
    if id_dtype is str:
        return np.array([str(item) for item in items], dtype=str)
    try:
        return np.array([int(item) for item in items], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"id_dtype=int: {error}; expected integers below 2**63, or id_dtype=str") from None


def _ids(name: str, value: Any) -> np.ndarray:
    """``value`` as int64 or str ids, unique and read-only."""
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        array = value
    else:
        items = list(value)
        kinds = {str if isinstance(item, str) else type(item) for item in items}
        # numpy would turn [1, "a"] into two strings and True into 1, and drop the NUL at the end of a string.
        if bool in kinds or (str in kinds and (len(kinds) > 1 or any(item.endswith("\0") for item in items))):
            raise InputError(f"{name}: expected integers only, or strings only, none ending in NUL")
        array = np.array(items) if items else np.zeros(0, dtype=np.int64)
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}: expected (N,)")
    if array.dtype.kind not in "iuU":
        raise InputError(f"{name} are of type {array.dtype}: expected integers or strings")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise InputError(f"{name} contains {array.max()}: expected integers below 2**63, or strings")
    ids = array.astype(str if array.dtype.kind == "U" else np.int64)
    unique, counts = np.unique(ids, return_counts=True)
    if unique.size != ids.size:
        raise InputError(f"{name} contains {unique[counts > 1][0].item()!r} more than once: expected unique ids")
    ids.flags.writeable = False
    return ids


def _matrix(name: str, value: Any, n: int) -> np.ndarray:
    """``value`` as an (n, D) float32 array, finite and read-only."""
    array = np.asarray(value)
    if array.ndim != 2 or array.shape[0] != n:
        raise InputError(f"{name} has shape {array.shape}: expected ({n}, D), a row for each id")
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} are of type {array.dtype}: expected real numbers")
    with np.errstate(over="ignore"):
        matrix = np.array(array, dtype=np.float32, order="C")
    if not bool(np.isfinite(matrix).all()):
        row, column = np.argwhere(~np.isfinite(matrix))[0].tolist()
        raise InputError(f"{name} contains {array[row, column]} in row {row}: expected finite float32 numbers")
    matrix.flags.writeable = False
    return matrix


def _key(node: Any) -> Any:
    return node.item() if isinstance(node, np.generic) else node
