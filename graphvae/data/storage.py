"""Where data files lie, and the rule that none is used before its checksum is right."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from graphvae._check import InputError
from graphvae.data.cards import CardFile, checkout
from graphvae.data.gzipped import inflate

__all__ = ["MissingFilesError", "fetch", "find", "read_verified", "roots", "verify"]

TIMEOUT = 20.0  # seconds without an answer
DEADLINE = 300.0  # seconds for one file
MAX_BYTES = 1 << 26  # of a file whose card gives no size
CHUNK = 1 << 16


class MissingFilesError(InputError):
    """Files that are in no data folder and could not be fetched."""


def roots() -> tuple[Path, ...]:
    """The data folders in the order in which they are searched: ``GRAPHVAE_DATA``, the checkout's, the user's cache."""
    named = os.environ.get("GRAPHVAE_DATA")
    base = checkout()
    # The XDG base directory specification has relative paths ignored.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = cache if cache.is_absolute() else Path.home() / ".cache"
    folders = [Path(named).expanduser() if named else None, base / "datasets" if base else None, cache / "graphvae"]
    return tuple(folder for folder in folders if folder is not None)


def find(file: CardFile) -> Path | None:
    """The first place where ``file`` lies, gzipped or not, verified or not; None if it lies in no data folder."""
    names = dict.fromkeys((file.path, _stored(file)))
    return next((path for root in roots() for name in names if os.path.isfile(path := root / name)), None)


def verify(file: CardFile, content: bytes, where: str) -> None:
    """Compare ``content`` with the size and the checksum on the card.

    Raises:
        InputError: naming ``where`` it came from, what was expected and what was found.
    """
    if file.size is not None and len(content) != file.size:
        raise InputError(f"{where}: expected {file.size} bytes, found {len(content)}")
    if file.sha256 is not None:
        method, expected, found = "SHA-256", file.sha256, hashlib.sha256(content).hexdigest()
    elif file.git_blob is not None:
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        method, expected, found = "git blob id", file.git_blob, blob.hexdigest()
    else:
        raise InputError(f"{where}: expected a checksum on the dataset's card, found none")
    if found != expected:
        raise InputError(f"{where}: expected the {method} {expected}, found {found}")


def read_verified(file: CardFile) -> bytes:
    """The content of ``file``, uncompressed, compared with its card before anybody sees it.

    Raises:
        MissingFilesError: if it lies in no data folder.
        InputError: if it cannot be read or is not the file that the card pins; it is left where it is.
    """
    path = find(file)
    if path is None:
        raise MissingFilesError(_advice([file]))
    packed = file.gzipped and path.suffix == ".gz"
    limit = _limit(file, packed=packed)
    try:
        with open(path, "rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    try:
        if len(content) > limit:
            raise InputError(f"{path}: expected at most {limit} bytes, found more")
        return _verified(file, content, str(path), packed=packed)
    except InputError as error:
        raise InputError(f"{error}; it is not used: remove it, and it will be fetched again") from None


def fetch(files: Iterable[CardFile], *, hint: str = "", timeout: float = TIMEOUT) -> list[Path]:
    """Download what of ``files`` lies in no data folder into the first folder that takes it; say where each lies.

    Nothing is written before the content is verified, and then under another name first, so that no half-written or
    wrong file can ever lie in its place. A file that is there already is kept: :func:`read_verified` judges it.

    Args:
        files: what to download.
        hint: what the message about missing files ends with.
        timeout: seconds to wait for the server at each step.

    Raises:
        MissingFilesError: naming all that are still missing, what stopped it, and what to put where by hand.
        InputError: if what the server sent is not the file that the card pins.
    """
    files = list(files)
    missing = [file for file in files if find(file) is None]
    done = 0
    try:
        for file in missing:
            content = _download(file, timeout)
            _verified(file, content, file.url, packed=file.gzipped)
            _store(file, content)
            done += 1
    except (OSError, http.client.HTTPException) as error:
        raise MissingFilesError(_advice(missing[done:], error) + hint) from None
    return [path for file in files if (path := find(file)) is not None]


def _stored(file: CardFile) -> str:
    """Where a download of ``file`` is put, below a data folder: as its source has it."""
    return f"{file.path}.gz" if file.gzipped else file.path


def _limit(file: CardFile, *, packed: bool) -> int:
    """How many bytes are read of a file at most."""
    limit = MAX_BYTES if file.size is None else file.size
    # What cannot be compressed grows by 5 bytes in 16 KiB at worst (RFC 1951), beside gzip's header and file name.
    return limit + limit // 1000 + 1024 if packed else limit


def _verified(file: CardFile, content: bytes, where: str, *, packed: bool) -> bytes:
    """``content``, inflated if ``packed``, as the card pins it; no more is inflated than the card says."""
    if packed:
        limit = _limit(file, packed=False)
        content = inflate(content, limit + 1, where)
        if len(content) > limit:
            raise InputError(f"{where}: expected at most {limit} bytes uncompressed, found more")
    verify(file, content, where)
    return content


def _advice(files: list[CardFile], reason: BaseException | None = None) -> str:
    """What is missing, why it could not be fetched, and what to put where."""
    names = ", ".join(file.path for file in files)
    verb = "is" if len(files) == 1 else "are"
    why = f" and could not be fetched ({reason})" if reason else ""
    first, *others = roots()
    elsewhere = f" (or below {' or '.join(map(str, others))})" if others else ""
    orders = ", ".join(f"{file.url} as {first / _stored(file)}" for file in files)
    return f"{names} {verb} missing{why}. By hand: save {orders}{elsewhere}"


def _download(file: CardFile, timeout: float) -> bytes:
    stop = time.monotonic() + DEADLINE
    limit = _limit(file, packed=file.gzipped)
    content = bytearray()
    try:
        answer = urllib.request.urlopen(file.url, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, too, and holds the connection
        raise
    with answer as response:
        # read1 returns what has come, so that a server which drips cannot outlast the deadline.
        while chunk := response.read1(CHUNK):
            content += chunk
            if len(content) > limit:
                raise InputError(f"{file.url}: expected at most {limit} bytes, found more")
            if time.monotonic() > stop:
                raise TimeoutError(f"not complete after {DEADLINE:.0f} seconds")
    return bytes(content)


def _store(file: CardFile, content: bytes) -> None:
    """Write ``content`` into the first root that takes it; the last one's error if none does."""
    *others, last = roots()
    for root in others:
        with contextlib.suppress(OSError):
            _write(root / _stored(file), content)
            return
    _write(last / _stored(file), content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(draft, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
