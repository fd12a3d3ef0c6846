"""Dataset cards: what a dataset is, where it comes from, how large it must be and which files hold it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

__all__ = ["CardFile", "Counts", "DatasetCard", "ImageCounts", "card_folder", "checkout", "read_card"]


@dataclass(frozen=True)
class CardFile:
    """A file of a dataset and what pins its content.

    Attributes:
        path: where it lies below a data folder, as ``planetoid/ind.cora.graph``.
        part: which of the dataset's parts it is.
        needed_for: of a graph ``"edges"``, ``"labels"``, ``"features"``, or ``"split"``, which nothing reads yet; of
            images ``"train"`` or ``"test"``.
        url: its source, at a pinned revision.
        size: the length of its content in bytes, or None if only ``git_blob`` pins it.
        sha256: the SHA-256 of its content in hex, or None if ``git_blob`` stands in.
        git_blob: the id git gives its content, SHA-1 over ``b"blob <length>\\0"`` and the content, or None.
    """

    path: str
    part: str
    needed_for: str
    url: str
    size: int | None = None
    sha256: str | None = None
    git_blob: str | None = None

    @property
    def gzipped(self) -> bool:
        """Whether the source has it gzipped; here it may then lie either way, and all pins are of what is inside."""
        return self.url.endswith(".gz")


@dataclass(frozen=True)
class Counts:
    """How large a graph must be; an undirected edge counts once, and 0 features or classes means none."""

    nodes: int
    edges: int
    features: int
    classes: int


@dataclass(frozen=True)
class ImageCounts:
    """How many images there must be, how many of them are the test set (0: there is none), and how large they are."""

    images: int
    test: int
    height: int
    width: int
    classes: int


@dataclass(frozen=True)
class DatasetCard:
    """What ``datasets/<name>.toml`` says; ``files`` is empty for a dataset that an installed package carries.

    ``kind`` is ``"graph"`` or ``"images"``, and ``counts`` are of that kind.
    """

    name: str
    title: str
    kind: str
    note: str
    source: str
    licence: str
    citation: str
    counts: Counts | ImageCounts
    files: tuple[CardFile, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether the dataset needs no files of its own, and so no network."""
        return not self.files


def checkout() -> Path | None:
    """The root of the checkout this package runs from, or None if it is installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "datasets").is_dir() else None


def card_folder() -> Path:
    """The folder of the cards: inside the package where a wheel put them, else the checkout's ``datasets``."""
    root = checkout()
    return root / "datasets" if root else Path(__file__).resolve().parent / "cards"


@cache
def read_card(name: str) -> DatasetCard:
    """The card ``<name>.toml``; its running text comes as one line."""
    with open(card_folder() / f"{name}.toml", "rb") as stream:
        fields: dict[str, Any] = tomllib.load(stream)
    counts = {"graph": Counts, "images": ImageCounts}[fields["kind"]](**fields.pop("counts"))
    files = tuple(CardFile(**entry) for entry in fields.pop("files", ()))
    text = {key: " ".join(value.split()) for key, value in fields.items()}
    return DatasetCard(**text, counts=counts, files=files)
