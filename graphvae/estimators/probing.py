"""What a graph's embeddings are worth for classifying its nodes, beside raw features and a spectral embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphvae._check import InputError
from graphvae.data.columns import ids as as_ids
from graphvae.data.columns import open_table
from graphvae.data.graph import Graph
from graphvae.estimators.fitting import Fitted
from graphvae.estimators.graph_files import StoredData
from graphvae.estimators.held_out import features_array
from graphvae.evaluation.embedding_quality import LIMIT, EmbeddingQuality, embedding_quality

__all__ = ["ProbeReport", "probe", "read_labels", "spectral_vectors"]

# Entries of raw features that are made dense: 800 MB in float64.
DENSE = 100_000_000
COLUMNS = {"linear probe": "probe", "5 neighbours": "knn", "NMI": "nmi", "ARI": "ari"}


@dataclass(frozen=True)
class ProbeReport:
    """Quality of several vectors of the same nodes by the same labels.

    Attributes:
        rows: by name of the vectors; ``"embeddings"`` first.
        classes: number of classes.
        notes: what is left out, and why.
    """

    rows: dict[str, EmbeddingQuality]
    classes: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        cells = [["", *COLUMNS]]
        for name, quality in self.rows.items():
            figures = quality.to_dict()
            cells.append([name, *(f"{figures[key]:.3f} ± {figures[key + '_error']:.3f}" for key in COLUMNS.values())])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells]
        first = next(iter(self.rows.values()))
        how = (
            f"{first.count} labelled nodes of {self.classes} classes; accuracies over {first.folds} folds, and how far "
            "k-means clusters agree with the labels; ± one standard error"
        )
        return "\n".join([*lines, how, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        rows = {name: quality.to_dict() for name, quality in self.rows.items()}
        return {"rows": rows, "classes": self.classes, "notes": list(self.notes)}


def probe(fitted: Fitted, labels: np.ndarray | None = None, *, seed: int = 0) -> ProbeReport:
    """Judge a fitted model's posterior means by labels it was not trained on.

    Args:
        fitted: of any graph estimator.
        labels: ``(N,)`` str, ``""`` where a node has none; the graph's ``y`` by default.
        seed: of folds and clusters.

    Raises:
        InputError: without labels, or with too few of them.
    """
    graph = fitted.graph_or_none()
    known = _graph_labels(fitted) if labels is None else np.asarray(labels, dtype=str)
    rows = np.flatnonzero(known != "")
    y = known[rows]
    vectors: dict[str, Any] = {"embeddings": fitted.mean[rows]}
    notes = []
    if graph is None:
        notes.append("Raw features and the spectral embedding are left out: the run's features cannot be read again.")
    else:
        features = features_array(graph)
        if features is None:
            notes.append("The graph has no features to compare with.")
        elif min(len(rows), LIMIT) * graph.num_features > DENSE:
            notes.append(f"Raw features are left out: {len(rows)} x {graph.num_features} are too many to make dense.")
        else:
            chosen = features[rows]
            vectors["raw features"] = chosen.toarray() if hasattr(chosen, "toarray") else chosen
        vectors["spectral embedding"] = spectral_vectors(graph, fitted.mean.shape[1])[rows]
    judged = {name: embedding_quality(each, y, seed=seed) for name, each in vectors.items()}
    classes, counts = np.unique(y, return_counts=True)
    folds = judged["embeddings"].folds
    if (counts < folds).any():
        notes.append(f"Classes of fewer than {folds} nodes are left out: {', '.join(classes[counts < folds][:5])}.")
    return ProbeReport(judged, int((counts >= folds).sum()), tuple(notes))


def spectral_vectors(graph: Graph, dimensions: int) -> np.ndarray:
    """``(N, D)`` leading eigenvectors of ``(D + t)^-1/2 A (D + t)^-1/2``, t the mean degree, times ``sqrt |lambda|``.

    Reference:
        Qin and Rohe, Regularized Spectral Clustering under the Degree-Corrected Stochastic Blockmodel (2013), eq. 1.
    """
    import scipy.sparse
    from scipy.sparse.linalg import eigsh

    n, degree = graph.num_nodes, graph.degrees.double().numpy()
    root = scipy.sparse.diags_array(1 / np.sqrt(degree + max(degree.mean(), 1e-12)))
    source, target = graph.edge_index.numpy()
    adjacency = scipy.sparse.csr_array((np.ones(len(source)), (source, target)), shape=(n, n))
    matrix = root @ adjacency @ root
    if n <= 2 * dimensions + 2:
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        start = np.random.default_rng(0).uniform(0.5, 1.5, n)
        values, vectors = eigsh(matrix, k=dimensions, which="LA", v0=start)
    return vectors[:, -dimensions:] * np.sqrt(np.abs(values[-dimensions:]))


def read_labels(fitted: Fitted, labels: Any, label: str | None = None, label_id: str | None = None) -> np.ndarray:
    """``(N,)`` labels of the fitted nodes as str, ``""`` where the table has none; other ids in it are passed over.

    Args:
        fitted: of the model.
        labels: a file or a data frame.
        label: its column of labels; may be left out if there are two columns.
        label_id: its column of ids; the first by default.

    Raises:
        InputError: for missing columns, ids that occur twice, and a table that labels none of the nodes.
    """
    import pyarrow as pa

    table = open_table("labels", labels)
    key = table.names[0] if label_id is None else table.find("label_id", label_id)
    rest = [name for name in table.names if name != key]
    if label is None and len(rest) != 1:
        raise InputError(f"label= missing: labels has the columns {', '.join(map(repr, map(str, table.names)))}")
    name = rest[0] if label is None else table.find("label", label)
    (raw, column), _ = table.read([key, name])
    kind = int if fitted.node_ids.dtype.kind == "i" else str
    known = as_ids(raw, f"labels column {key!r}", kind).to_pylist()
    texts = [(text or "").strip() for text in column.cast(pa.string()).to_pylist()]
    row_of = {identifier: row for row, identifier in enumerate(fitted.node_ids.tolist())}
    found = [""] * len(row_of)
    seen: set[Any] = set()
    for identifier, text in zip(known, texts, strict=True):
        if identifier is None:  # no id of this graph's kind
            continue
        if identifier in seen:
            raise InputError(f"labels has two rows for the id {identifier!r}: expected one for each node")
        seen.add(identifier)
        if identifier in row_of:
            found[row_of[identifier]] = text
    if not any(found):
        some = fitted.node_ids[0].item()
        raise InputError(f"labels: column {key!r} has no id of the graph's {len(row_of)} nodes, such as {some!r}")
    return np.array(found, dtype=str)


def _graph_labels(fitted: Fitted) -> np.ndarray:
    source = fitted.source
    y = source.tensors.get("y") if isinstance(source, StoredData) else fitted.graph().y
    if y is None:
        raise InputError("labels: the graph has none of its own; expected a table of them, keyed by id")
    return np.array(["" if value < 0 else str(value) for value in y.tolist()], dtype=str)
