"""Node features from a table keyed by node id: numeric columns, standardised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError
from graphvae.data.columns import ids, numbers, open_table

if TYPE_CHECKING:
    import pyarrow

__all__ = ["FeatureTable", "read_features", "standardise"]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features as a table holds them.

    Attributes:
        ids: ``(M,)`` int64 or string ids, each once.
        values: ``(M, F)`` float64, finite.
        names: the F columns' names.
    """

    ids: pyarrow.Array
    values: np.ndarray
    names: tuple[Any, ...]


def read_features(
    features: Any, feature_id: str | None = None, id_dtype: type | None = None, delimiter: str | None = None
) -> FeatureTable:
    """The table ``features`` (a path or a data frame): one id column, all others numbers without gaps.

    Args:
        features: the path of a CSV or TSV file, or a pandas, polars or pyarrow table.
        feature_id: the column with the node ids; the first by default.
        id_dtype: as in :func:`graphvae.data.tables.graph_from_edges`.
        delimiter: what separates a file's columns, where its name does not tell.

    Raises:
        InputError: for a missing or repeated id, for columns that are not numeric (by name), and for gaps.
    """
    table = open_table("features", features, delimiter)
    key = table.find("feature_id", table.names[0] if feature_id is None and table.names else feature_id)
    names = tuple(name for name in table.names if name != key)
    if not names:
        raise InputError(f"features has no column beside the id column {key!r}: expected numeric columns")
    (raw, *columns), _ = table.read([key, *names])
    known = ids(raw, f"features column {key!r}", id_dtype)
    _check_ids(raw, known, key)
    values = np.empty((len(known), len(names)))
    words = {}
    for j, (name, column) in enumerate(zip(names, columns, strict=True)):
        values[:, j] = numbers(column, f"features column {name!r}")
        gaps = np.flatnonzero(~np.isfinite(values[:, j]))
        texts = [text for text in (column[int(i)].as_py() for i in gaps) if isinstance(text, str) and text.strip()]
        if texts:
            words[name] = texts[0]
        elif len(gaps):
            raise InputError(
                f"features column {name!r} has {len(gaps)} missing or infinite values, the first in row {gaps[0] + 1}: "
                "expected a number in every row"
            )
    if words:
        found = ", ".join(f"{name!r} (holds {text!r})" for name, text in words.items())
        raise InputError(f"features has columns that are not numeric: {found}; expected numbers, so leave them out")
    return FeatureTable(known, values, names)


def standardise(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of ``values`` (N, F) with mean 0 and variance 1 over the rows, and which of them, ``(F,)``, vary at all.

    A constant column tells nothing and becomes 0. The variance is the population's (divided by N).
    """
    if not len(values):
        return values, np.zeros(values.shape[1], dtype=bool)
    varies = values.max(axis=0) > values.min(axis=0)
    # Squares of numbers as large as float64 allows would overflow, so each column is first brought to [-1, 1].
    largest = np.abs(values).max(axis=0)
    scaled = values / np.where(largest > 0, largest, 1.0)
    centred = scaled - scaled.mean(axis=0)
    deviation = np.sqrt((centred**2).mean(axis=0))
    return np.where(varies, centred / np.where(deviation > 0, deviation, 1.0), 0.0), varies


def _check_ids(raw: pyarrow.Array, known: pyarrow.Array, key: Any) -> None:
    import pyarrow.compute as pc

    missing = np.flatnonzero(known.is_null().to_numpy(zero_copy_only=False))
    if len(missing):
        row = int(missing[0])
        raise InputError(
            f"features row {row + 1} has the id {raw[row].as_py()!r} in column {key!r}: expected a node id"
        )
    counts = pc.value_counts(known)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        name, times = repeated[0]["values"].as_py(), repeated[0]["counts"].as_py()
        raise InputError(f"features has {times} rows for the id {name!r} in column {key!r}: expected one for each node")
