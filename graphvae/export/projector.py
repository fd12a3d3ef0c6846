"""Embeddings as a folder for the TensorBoard projector, and back."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from graphvae._check import InputError
from graphvae._files import replace_folder
from graphvae.export.formats import Table, values_of

__all__ = ["read_projector", "write_projector"]

CONFIG, IDS = "projector_config.pbtxt", "metadata.tsv"
TENSORS = {"vectors": "vectors.tsv", "scale": "scale.tsv"}
ENTRY = """\
embeddings {{
  tensor_name: "{name}"
  tensor_path: "{file}"
  metadata_path: "metadata.tsv"
}}
"""


def write_projector(folder: Path, table: Table) -> None:
    """``projector_config.pbtxt``, ``vectors.tsv``, ``metadata.tsv`` with the ids, and ``scale.tsv`` if there is one.

    The folder appears whole or not at all, and takes the place of one that was written before, of nothing else.

    Raises:
        InputError: for ids that a line of text cannot carry, and for a path that is taken.
    """
    ids = [str(node) for node in table.ids.tolist()]
    odd = next((node for node in ids if node.splitlines() != [node] or "\t" in node), None)
    if odd is not None:
        raise InputError(
            f"ids contains {odd!r}: a projector folder cannot carry ids that are empty or contain tabs or line ends; "
            "expected other ids, or save as .csv, .parquet or .npz"
        )
    if folder.exists() and not (folder.is_dir() and {file.name for file in folder.iterdir()} <= _names()):
        raise InputError(f"path={str(folder)!r} exists and is no projector folder: it will not be overwritten")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        # Without a tab in its first line the projector takes metadata for a single column without a header.
        (work / IDS).write_bytes("".join(f"{node}\n" for node in ids).encode())
        config = ""
        for name, file in TENSORS.items():
            values = getattr(table, name)
            if values is None:
                continue
            row = "\t".join(["%.9g"] * values.shape[1]) + "\n"
            (work / file).write_text("".join(row % tuple(each) for each in values.tolist()), encoding="utf-8")
            config += ENTRY.format(name=name, file=file)
        (work / CONFIG).write_text(config, encoding="utf-8")
        os.chmod(work, 0o755)
        for written in work.iterdir():
            os.chmod(written, 0o644)
        if folder.exists():
            replace_folder(work, folder)
        else:
            os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def read_projector(folder: Path) -> Table:
    """The table in a folder of these names; ids are str.

    Raises:
        InputError: for a folder without them, and for content that does not fit.
    """
    for name in (CONFIG, IDS, TENSORS["vectors"]):
        if not (folder / name).is_file():
            raise InputError(f"has no {name}: expected a projector folder")
    ids = _lines(folder / IDS)
    vectors = _tensor(folder / TENSORS["vectors"])
    scale = _tensor(folder / TENSORS["scale"]) if (folder / TENSORS["scale"]).is_file() else None
    return Table(np.array(ids, dtype=str), vectors, scale)


def _tensor(file: Path) -> np.ndarray:
    rows = [values_of(line.split("\t"), number) for number, line in enumerate(_lines(file), start=1)]
    if len({len(row) for row in rows}) > 1:
        raise InputError(f"{file.name} has lines of different lengths: expected as many numbers in each")
    return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)


def _lines(file: Path) -> list[str]:
    return file.read_bytes().decode("utf-8").split("\n")[:-1]


def _names() -> set[str]:
    return {CONFIG, IDS, *TENSORS.values()}
