"""gzip, without trust in what it might inflate to."""

from __future__ import annotations

import gzip
import io
import zlib

from graphvae._check import InputError

__all__ = ["inflate", "is_gzip"]

CHUNK = 1 << 20


def is_gzip(content: bytes) -> bool:
    """Whether ``content`` begins as gzip does (RFC 1952, section 2.3.1)."""
    return content[:2] == b"\x1f\x8b"


def inflate(content: bytes, limit: int, where: str) -> bytes:
    """The first ``limit`` bytes that gzip ``content`` holds, or all if they are fewer; no more are ever inflated.

    Its checksum is compared if the end is reached, so ask for one byte more than is expected.

    Raises:
        InputError: naming ``where`` it came from, if it is no gzip or is damaged as far as it is read.
    """
    found = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            # By chunks, because read(n) allocates n bytes first, and n may come from a header that lies.
            while len(found) < limit and (chunk := stream.read(min(CHUNK, limit - len(found)))):
                found += chunk
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{where}: expected intact gzip data ({error})") from None
    return bytes(found)
