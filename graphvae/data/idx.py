"""IDX files, in which MNIST and its kin come: a header with the sizes, then the pixels (or labels), one byte each."""

from __future__ import annotations

import math
import struct

import numpy as np

from graphvae._check import InputError
from graphvae.data.cards import DatasetCard
from graphvae.data.gzipped import inflate, is_gzip
from graphvae.data.images import Images
from graphvae.data.storage import fetch, read_verified

__all__ = ["idx_images", "read_idx"]

MAX_DIMS = 4
MAX_BYTES = 1 << 31
TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


def read_idx(content: bytes, where: str) -> np.ndarray:
    """The read-only uint8 array of an IDX file; the declared sizes are compared with what is there before any is used.

    The header (http://yann.lecun.com/exdb/mnist/): two zero bytes, the type (8: unsigned bytes, the only one accepted),
    the number D of dimensions, and D sizes as big-endian 32-bit integers. The rest is the array, in C order.

    Args:
        content: the file, gzipped or not. Of gzip no more is inflated than the header promises, and one byte.
        where: what messages call it.

    Raises:
        InputError: for another type, 0 or more than 4 dimensions, a size of 0, more than 2 GiB, or a content that is
            shorter or longer than declared.

    Example:
        >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]), "labels").tolist()
        [7, 2, 1]
    """
    packed = is_gzip(content)
    head = inflate(content, 4 + 4 * MAX_DIMS, where) if packed else content[: 4 + 4 * MAX_DIMS]
    shape = _shape(head, where)
    start, size = 4 + 4 * len(shape), math.prod(shape)
    if packed:
        content = inflate(content, start + size + 1, where)
    found = len(content) - start
    if found != size:
        sizes = " x ".join(map(str, shape))
        amount = "more" if packed and found > size else f"{found}"
        raise InputError(f"{where}: its header declares {sizes}: expected {size} bytes after it, found {amount}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _shape(head: bytes, where: str) -> tuple[int, ...]:
    if len(head) < 4 or head[:2] != b"\0\0":
        raise InputError(f"{where}: expected an IDX file, which begins with 00 00 08, found {head[:4].hex(' ')!r}")
    kind, dims = head[2], head[3]
    if kind != 0x08:
        raise InputError(
            f"{where}: expected an IDX file of uint8 (08), found {TYPES.get(kind, 'none of its types')} ({kind:02x})"
        )
    if not 1 <= dims <= MAX_DIMS:
        raise InputError(f"{where}: expected an IDX file of 1 to {MAX_DIMS} dimensions, found {dims}")
    if len(head) < 4 + 4 * dims:
        raise InputError(f"{where}: expected an IDX header of {4 + 4 * dims} bytes, found {len(head)}")
    shape = struct.unpack(f">{dims}I", head[4 : 4 + 4 * dims])
    if not 0 < math.prod(shape) <= MAX_BYTES:
        sizes = " x ".join(map(str, shape))
        raise InputError(f"{where}: its header declares {sizes}: expected 1 to {MAX_BYTES} bytes")
    return shape


def idx_images(card: DatasetCard, part: str) -> Images:
    """Images ``(N, 1, H, W)`` with labels; missing files are fetched, all are verified before they are parsed.

    Args:
        card: a card with the files ``<part>-images`` and ``<part>-labels`` of the parts ``"train"`` and ``"test"``.
        part: ``"train"``, ``"test"``, or ``"all"``, the one after the other.

    Raises:
        MissingFilesError: if a needed file is missing and cannot be fetched.
        InputError: if a file is not the one that the card pins, or images and labels do not fit together.
    """
    files = [file for file in card.files if part in (file.needed_for, "all")]
    fetch(files)
    arrays = {file.part: read_idx(read_verified(file), file.path) for file in files}
    parts = ("train", "test") if part == "all" else (part,)
    pixels, labels = (np.concatenate([arrays[f"{name}-{what}"] for name in parts]) for what in ("images", "labels"))
    if pixels.ndim != 3:
        raise InputError(f"{card.name}: expected images (N, H, W), found the shape {pixels.shape}")
    origin = {"kind": "images", "name": card.name, "part": part}
    return Images.from_pixels(pixels[:, None], labels, origin=origin)
