"""Graphs and splits as named tensors: ids, labels, edges and held-out pairs, but of features only origin and hash."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError
from graphvae._files import reading
from graphvae.data.encoding import FeatureEncoding
from graphvae.data.graph import Graph
from graphvae.data.leaks import Parts
from graphvae.data.splits import LinkSet, LinkSplit

__all__ = [
    "StoredData",
    "graph_from_tensors",
    "graph_to_tensors",
    "ids_from_tensors",
    "parts_from_tensors",
    "split_from_tensors",
]

HELD = ("val.positive", "test.positive")
EXTRAS = ("times", "new_nodes")


@dataclass(frozen=True, eq=False)
class StoredData:
    """The graph or split of a run folder; called, it is made anew, its features read again from their origin.

    Attributes:
        file: where it was read, for messages.
        tensors: as of :func:`graph_to_tensors`.
        description: as of :func:`graph_to_tensors`.
        encoding: how the features were made of a table's columns.
    """

    file: Path
    tensors: dict[str, Tensor]
    description: dict[str, Any]
    encoding: FeatureEncoding | None = None

    def __call__(self) -> Graph | LinkSplit:
        with reading(self.file):
            if self.description["kind"] == "split":
                return split_from_tensors(self.tensors, self.description, self.encoding)
            return graph_from_tensors(self.tensors, self.description["graph"], self.encoding)

    @property
    def graph_hash(self) -> str:
        """Hash of the whole graph, of a split the one that was split."""
        with reading(self.file):
            return self.description.get("split", {}).get("graph_hash") or self.description["graph"]["hash"]

    def known_pairs(self, held_out: bool) -> tuple[Tensor, bool]:
        """``(2, P)`` edges, those a split holds out among them unless ``held_out``, and whether they are directed.

        Needs no features.
        """
        with reading(self.file):
            held = [] if held_out else [self.tensors[name] for name in HELD if name in self.tensors]
            pairs, n = torch.cat([self.tensors["edge_index"], *held], 1), len(ids_from_tensors(self.tensors))
            if pairs.numel() and (int(pairs.min()) < 0 or int(pairs.max()) >= n):
                raise InputError(f"its edges are not between rows 0 to {n - 1}")
            return pairs, self.description["graph"].get("directed", False)


def graph_to_tensors(data: Graph | LinkSplit) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and a JSON-able description, from which the same graph or split can be made again."""
    graph = data.train if isinstance(data, LinkSplit) else data
    tensors = {"edge_index": graph.edge_index.contiguous()}
    if graph.node_ids.dtype.kind == "i":
        tensors["ids"] = torch.from_numpy(np.array(graph.node_ids))
    else:
        # Strings as UTF-8 bytes with offsets: safetensors holds numbers only.
        encoded = [identifier.encode("utf-8", "surrogatepass") for identifier in graph.node_ids.tolist()]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        tensors["ids_text"] = torch.from_numpy(np.frombuffer(b"".join(encoded), dtype=np.uint8).copy())
        tensors["ids_offsets"] = torch.from_numpy(ends)
    if graph.y is not None:
        tensors["y"] = graph.y
    if graph.edge_weight is not None:
        tensors["edge_weight"] = graph.edge_weight
    description: dict[str, Any] = {
        "graph": {
            "hash": graph.hash,
            "part_hashes": graph.part_hashes,
            "num_features": graph.num_features,
            "directed": graph.directed,
            "origin": None if data_origin(data) is None else dict(data_origin(data) or {}),
        }
    }
    if not isinstance(data, LinkSplit):
        return tensors, {"kind": "graph", **description}
    for part in ("val", "test"):
        links: LinkSet = getattr(data, part)
        tensors[f"{part}.positive"], tensors[f"{part}.negative"] = links.positive, links.negative
    for name in EXTRAS:
        tensors |= {f"{name}.{part}": values for part, values in (getattr(data, name) or {}).items()}
    description["split"] = data.description()
    return {name: tensor.contiguous() for name, tensor in tensors.items()}, {"kind": "split", **description}


def data_origin(data: Graph | LinkSplit) -> Any:
    """Where the features can be read again."""
    return data.train.origin if isinstance(data, LinkSplit) else data.origin


def ids_from_tensors(tensors: dict[str, Tensor]) -> np.ndarray:
    """``(N,)`` node ids, int64 or str."""
    if "ids" in tensors:
        return tensors["ids"].numpy()
    text, ends = tensors["ids_text"].numpy().tobytes(), tensors["ids_offsets"].tolist()
    ids = [text[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(ends)]
    return np.array(ids, dtype=str)


def graph_from_tensors(
    tensors: dict[str, Tensor], description: dict[str, Any], encoding: FeatureEncoding | None = None
) -> Graph:
    """The graph, its features read again from their origin and checked against their hash.

    Raises:
        InputError: if the features lived in memory only, have changed, or the file does not hold what it says.
    """
    ids = ids_from_tensors(tensors)
    x = _features(ids, description, encoding) if description["num_features"] else None
    graph = Graph(
        tensors["edge_index"],
        x=x,
        y=tensors.get("y"),
        edge_weight=tensors.get("edge_weight"),
        num_nodes=len(ids),
        directed=description.get("directed", False),
        node_ids=ids,
        origin=description["origin"],
        encoding=encoding,
    )
    if graph.hash != description["hash"]:
        raise InputError(f"graph.safetensors: hash {graph.hash[:12]}, expected {description['hash'][:12]}")
    return graph


def split_from_tensors(
    tensors: dict[str, Tensor], description: dict[str, Any], encoding: FeatureEncoding | None = None
) -> LinkSplit:
    """The split, checked for leaks anew."""
    return LinkSplit(
        train=graph_from_tensors(tensors, description["graph"], encoding),
        val=LinkSet(tensors["val.positive"], tensors["val.negative"]),
        test=LinkSet(tensors["test.positive"], tensors["test.negative"]),
        times=_by_part(tensors, "times") or None,
        new_nodes=_by_part(tensors, "new_nodes") or None,
        **description["split"],
    )


def parts_from_tensors(tensors: dict[str, Tensor]) -> Parts:
    """The pairs of a stored split as they are, whatever leaks."""
    return Parts(
        num_nodes=len(ids_from_tensors(tensors)),
        train=tensors["edge_index"],
        positive={part: tensors[f"{part}.positive"] for part in ("val", "test")},
        negative={part: tensors[f"{part}.negative"] for part in ("val", "test")},
        times=_by_part(tensors, "times"),
        new_nodes=_by_part(tensors, "new_nodes"),
    )


def _by_part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.partition(".")[2]: values for key, values in tensors.items() if key.startswith(f"{name}.")}


def _features(ids: np.ndarray, description: dict[str, Any], encoding: FeatureEncoding | None) -> Tensor:
    from graphvae.data.tables import read_origin

    origin, expected = description["origin"], description["part_hashes"]["x"]
    if origin is None:
        raise InputError(
            "the features of this run lived in memory only: pass the graph or split they belong to (embeddings and "
            "link probabilities do not need them)"
        )
    graph = read_origin(origin, encoding)
    if graph.x is None or graph.part_hashes["x"] != expected or not np.array_equal(graph.node_ids, ids):
        raise InputError(f"the features read from {origin} are not those this run was fitted on: their hash differs")
    return graph.x
