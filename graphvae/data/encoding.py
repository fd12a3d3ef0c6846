"""From columns of a table to numbers, by scikit-learn's transformers; the choices as plain data, to be used again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphvae._check import InputError, resolve
from graphvae._files import reading

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["KINDS", "CategoryColumn", "FeatureEncoding", "NumericColumn", "TextColumn", "as_encoding"]

MAX_TERMS = 2000
# Texts from which on a term must occur in two of them: one that occurs in a single text joins no two nodes.
MANY_TEXTS = 100
# One-hot columns from which on features are stored sparse, as text always is.
WIDE = 64
FORMAT = 1


@dataclass(frozen=True)
class NumericColumn:
    """Scaled to mean 0 and variance 1 over the values that are there; a constant column becomes 0, a gap the mean.

    Attributes:
        name: of the column.
        missing: whether a column that flags gaps follows.
        largest: absolute value by which numbers are divided first, since squares of large ones overflow.
        mean: of what that gives.
        scale: its standard deviation; 0 for a constant column.
    """

    name: str
    missing: bool
    largest: float
    mean: float
    scale: float

    @classmethod
    def fit(cls, name: str, values: np.ndarray) -> NumericColumn:
        """Of ``(N,)`` float64 values, NaN where one is missing."""
        from sklearn.preprocessing import StandardScaler

        gaps = np.isnan(values)
        there = values[~gaps]
        largest = float(np.abs(there).max(initial=0.0)) or 1.0
        if not len(there) or there.min() == there.max():
            mean, scale = float(there[0] / largest) if len(there) else 0.0, 0.0
        else:
            scaler = StandardScaler().fit(there[:, None] / largest)
            mean, scale = float(scaler.mean_[0]), float(scaler.scale_[0])
        return cls(name, bool(gaps.any()), largest, mean, scale)

    @property
    def names(self) -> list[str]:
        return [self.name]

    def transform(self, values: np.ndarray) -> Any:
        from sklearn.preprocessing import StandardScaler

        if not self.scale:
            return np.zeros((len(values), 1))
        scaler = StandardScaler()
        scaler.mean_, scaler.scale_, scaler.var_ = (np.array([x]) for x in (self.mean, self.scale, self.scale**2))
        scaler.n_features_in_ = 1
        return np.nan_to_num(scaler.transform(values[:, None] / self.largest), nan=0.0)


@dataclass(frozen=True)
class CategoryColumn:
    """One-hot; a gap and a value that was not there when it was fitted are all zeros.

    Attributes:
        name: of the column.
        missing: whether a column that flags gaps follows.
        values: the categories, sorted.
    """

    name: str
    missing: bool
    values: tuple[str, ...]

    @classmethod
    def fit(cls, name: str, values: Sequence[str | None]) -> CategoryColumn:
        there = {value for value in values if value is not None}
        return cls(name, any(value is None for value in values), tuple(sorted(there)))

    @property
    def names(self) -> list[str]:
        return [f"{self.name}={value}" for value in self.values]

    def transform(self, values: Sequence[str | None]) -> Any:
        from sklearn.preprocessing import OneHotEncoder

        if not self.values:
            return np.zeros((len(values), 0))
        # numpy cannot sort None among strings; a gap is no category, so it may stand for any unknown one.
        encoder = OneHotEncoder(categories=[np.array(self.values, dtype=object)], handle_unknown="ignore")
        encoder.fit(np.array(self.values, dtype=object)[:, None])
        return encoder.transform(np.array([_GAP if v is None else v for v in values], dtype=object)[:, None])


@dataclass(frozen=True)
class TextColumn:
    """tf-idf: sublinear counts of words of two letters or more, lower-case and without accents, rows of length 1.

    Attributes:
        name: of the column.
        missing: whether a column that flags gaps follows.
        terms: the words, sorted; the :data:`MAX_TERMS` most frequent at most.
        idf: their inverse document frequencies.
    """

    name: str
    missing: bool
    terms: tuple[str, ...]
    idf: tuple[float, ...]

    @classmethod
    def fit(cls, name: str, values: Sequence[str | None]) -> TextColumn:
        there = [value for value in values if value is not None]
        least = 2 if len(there) >= MANY_TEXTS else 1
        vectoriser = _vectoriser(min_df=least, max_features=MAX_TERMS)
        try:
            vectoriser.fit(there)
        except ValueError:
            raise InputError(
                f"features column {name!r} has no word of two letters or more that occurs {least} times; "
                f"feature_kinds={{{name!r}: 'category'}} or 'skip' settles it"
            ) from None
        terms = tuple(vectoriser.get_feature_names_out().tolist())
        return cls(name, any(value is None for value in values), terms, tuple(vectoriser.idf_.tolist()))

    @property
    def names(self) -> list[str]:
        return [f"{self.name}:{term}" for term in self.terms]

    def transform(self, values: Sequence[str | None]) -> Any:
        vectoriser = _vectoriser(vocabulary=list(self.terms))
        vectoriser.idf_ = np.array(self.idf)
        return vectoriser.transform(["" if value is None else value for value in values])


Column = NumericColumn | CategoryColumn | TextColumn
KINDS: dict[str, type[Column]] = {"numeric": NumericColumn, "category": CategoryColumn, "text": TextColumn}

_GAP = "\0"  # no text that a table holds


@dataclass(frozen=True)
class FeatureEncoding:
    """How the columns of a feature table became ``x``, so that new rows are treated alike.

    Attributes:
        columns: in order.
        ignored: names of columns that were left out.
    """

    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """``(F,)`` names of the columns of ``x``."""
        flag = lambda column: [f"{column.name} is missing"] if column.missing else []
        return [name for column in self.columns for name in [*column.names, *flag(column)]]

    @property
    def is_sparse(self) -> bool:
        """Whether ``x`` is stored sparse: text is, and one-hot columns are if there are many."""
        wide = sum(len(column.values) for column in self.columns if isinstance(column, CategoryColumn)) > WIDE
        return wide or any(isinstance(column, TextColumn) for column in self.columns)

    def transform(self, columns: Sequence[Any]) -> np.ndarray | scipy.sparse.csr_array:
        """``(N, F)`` float32 features of new values, in the order of :attr:`columns`."""
        import scipy.sparse

        blocks = []
        for column, values in zip(self.columns, columns, strict=True):
            blocks.append(scipy.sparse.csr_array(column.transform(values)))
            if column.missing:
                flags = np.isnan(values) if isinstance(column, NumericColumn) else [value is None for value in values]
                blocks.append(scipy.sparse.csr_array(np.array(flags, dtype=np.float64)[:, None]))
        x = scipy.sparse.hstack(blocks, format="csr", dtype=np.float32)
        x.eliminate_zeros()
        return x if self.is_sparse else x.toarray()

    def describe(self, columns: Sequence[Any]) -> list[str]:
        """What was done to the columns it was fitted on, a line for each kind."""
        by_kind: dict[str, list[str]] = {}
        for column, values in zip(self.columns, columns, strict=True):
            if isinstance(column, NumericColumn):
                kind = "scaled to mean 0 and variance 1" if column.scale else "constant, so all 0"
                gaps, size = int(np.isnan(values).sum()), ""
            else:
                gaps = sum(value is None for value in values)
                one_hot = isinstance(column, CategoryColumn)
                kind = "one-hot" if one_hot else "tf-idf"
                size = f" ({len(column.names)} {'values' if one_hot else 'terms'})"
            by_kind.setdefault(kind, []).append(column.name + size)
            if gaps:
                by_kind.setdefault("missing values filled and flagged", []).append(f"{column.name} ({gaps})")
        by_kind |= {"left out": list(self.ignored)} if self.ignored else {}
        return [f"features {kind}: {_some(names)}" for kind, names in by_kind.items()]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; :meth:`from_dict` reads it back exactly."""
        kinds = {kind: name for name, kind in KINDS.items()}
        columns = [{"kind": kinds[type(column)], **asdict(column)} for column in self.columns]
        return {"format": FORMAT, "columns": columns, "ignored": list(self.ignored)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> FeatureEncoding:
        """The encoding that :meth:`to_dict` wrote.

        Raises:
            InputError: if it is none.
        """
        try:
            if fields["format"] != FORMAT:
                raise InputError(f"format {fields['format']!r}: this version of graphvae reads format {FORMAT}")
            columns = tuple(_column(**column) for column in fields["columns"])
            return cls(columns, tuple(fields["ignored"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"expected the encoding of features, as a run folder holds it ({error!r})") from None


def as_encoding(value: Any) -> FeatureEncoding:
    """``value`` if it is a :class:`FeatureEncoding`; of a path, that of the run folder or ``features.json`` there.

    Raises:
        InputError: for anything else, and for a run without one.
    """
    if isinstance(value, FeatureEncoding):
        return value
    if not isinstance(value, (str, os.PathLike)):
        raise InputError(f"encoding is of type {type(value).__name__}: expected a FeatureEncoding or a run folder")
    file = Path(value)
    file = file / "features.json" if file.is_dir() else file
    if not file.is_file():
        raise InputError(f"encoding={str(value)!r}: expected a run whose features came from a table; no {file}")
    with reading(file):
        return FeatureEncoding.from_dict(json.loads(file.read_text(encoding="utf-8")))


def _column(*, kind: str, **fields: Any) -> Column:
    cls: Any = resolve("kind", kind, KINDS)
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def _vectoriser(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(strip_accents="unicode", sublinear_tf=True, **options)


def _some(names: list[str], limit: int = 12) -> str:
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
