"""Images out of numpy files: no pickle, and no more memory than the file answers for."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from graphvae._check import InputError
from graphvae.data.images import Images

__all__ = ["SUFFIXES", "images_from_file"]

SUFFIXES = (".npy", ".npz")

# Version 3.0 is for tables whose columns have names beyond latin-1.
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def images_from_file(path: Path) -> Images:
    """The images ``(N, D)`` or ``(N, C, H, W)`` of a numpy file.

    An array ``(N, H, W)`` becomes ``(N, 1, H, W)``. Pixels of type uint8 are divided by 255; numbers of any other type
    are kept as they are, and no range is declared for them.

    Args:
        path: ``.npy`` with the images, or ``.npz`` with the images as ``x`` and perhaps labels as ``y``.

    Raises:
        InputError: if the file cannot be read, is not what its name says, holds other keys, or no images.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    try:
        x, y = _npy(path) if path.suffix == ".npy" else _npz(path)
    except (OSError, ValueError, TypeError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        # zipfile has RuntimeError for encryption, NotImplementedError, one of those, for compression it does not know.
        reason = str(error) or type(error).__name__
        raise InputError(reason if isinstance(error, InputError) else f"{path}: cannot be read: {reason}") from None
    x = x[:, None] if x.ndim == 3 else x
    origin = {"kind": "images", "name": os.path.abspath(path), "part": "all"}
    try:
        return Images.from_pixels(x, y, origin=origin) if x.dtype == np.uint8 else Images(x, y, origin=origin)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _npy(path: Path) -> tuple[np.ndarray, None]:
    with open(path, "rb") as stream:
        return _array(stream, path.stat().st_size, str(path)), None


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if not {"x"} <= set(members) <= {"x", "y"}:
            found = ", ".join(map(repr, members)) or "none"
            raise InputError(f"{path}: expected the arrays 'x' and, for labels, 'y', found {found}")
        arrays = {}
        for name, info in members.items():
            with archive.open(info) as stream:
                arrays[name] = _array(stream, info.file_size, f"{path}, array {name!r}")
    return arrays["x"], arrays.get("y")


def _array(stream: IO[bytes], size: int, where: str) -> np.ndarray:
    """The array in npy format of ``size`` bytes; its header is compared with ``size`` before anything is allocated."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"version {version}: expected 1.0 or 2.0")
        shape, fortran, dtype = _HEADERS[version](stream)
    except Exception as error:  # numpy parses the header as Python does, with all that can go wrong in that
        raise InputError(f"{where}: expected an array in npy format ({error})") from None
    if dtype.kind not in "biuf":
        raise InputError(f"{where}: expected an array of real numbers, found the type {dtype}")
    expected, found = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if expected != found or min(shape, default=0) < 0:
        raise InputError(f"{where}: its header declares {shape} of {dtype}: expected {expected} bytes, found {found}")
    content = stream.read(expected)
    if len(content) != expected:
        raise InputError(f"{where}: expected {expected} bytes after its header, found {len(content)}")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if fortran else "C")
