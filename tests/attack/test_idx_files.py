"""Hostile IDX and gzip files are refused before they take memory."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.data import storage
from graphvae.data.cards import CardFile
from graphvae.data.gzipped import inflate
from graphvae.data.idx import read_idx
from graphvae.data.storage import fetch, find, read_verified

MIB = 1 << 20


def header(*shape: int, kind: int = 8, dims: int | None = None) -> bytes:
    return bytes([0, 0, kind, len(shape) if dims is None else dims]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Fails a test that takes more than 8 MiB at any time."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """The header of 4 labels, and 256 MiB of zeros behind it, in a quarter of a MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(header(4)), *(packer.compress(bytes(MIB)) for _ in range(256)), packer.flush()])


CASES = [
    (b"", "begins with 00 00 08, found ''"),
    (b"\0\0\x08", "found '00 00 08'"),
    (b"PK\x03\x04" + bytes(100), "begins with 00 00 08, found '50 4b 03 04'"),
    (b"<html>no</html>", "begins with 00 00 08"),
    (header(4, kind=0x0D) + bytes(16), r"expected an IDX file of uint8 \(08\), found float32 \(0d\)"),
    (header(4, kind=0x09) + bytes(4), r"found int8 \(09\)"),
    (header(4, kind=0x0A) + bytes(4), r"found none of its types \(0a\)"),
    (header(dims=0) + bytes(4), "1 to 4 dimensions, found 0"),
    (header(1, 1, 1, 1, 1) + bytes(1), "1 to 4 dimensions, found 5"),
    (header(dims=255) + bytes(2000), "1 to 4 dimensions, found 255"),
    (header(3, dims=3), "expected an IDX header of 16 bytes, found 8"),
    (header(0), "declares 0: expected 1 to"),
    (header(5, 0, 5), "declares 5 x 0 x 5: expected 1 to"),
    (header(4) + bytes(3), "declares 4: expected 4 bytes after it, found 3"),
    (header(4) + bytes(5), "declares 4: expected 4 bytes after it, found (5|more)"),
    (header(60000, 28, 28), "declares 60000 x 28 x 28: expected 47040000 bytes after it, found 0"),
    (header(2**31) + bytes(9), "expected 2147483648 bytes after it, found 9"),
    (header(2**31 + 1), "declares 2147483649: expected 1 to 2147483648 bytes"),
    (header(*[2**32 - 1] * 4) + bytes(9), "declares 4294967295 x .*: expected 1 to"),
    (header(2**16, 2**16, 2**16, 2**16), "expected 1 to"),  # a product that is 0 in 64 bits
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "message"), CASES)
def test_headers_that_lie_are_refused(content: bytes, message: str, packed: bool, little_memory: None) -> None:
    with pytest.raises(InputError, match=f"^here: .*{message}") as caught:
        read_idx(gzip.compress(content) if packed else content, "here")
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_inflated(bomb: bytes, little_memory: None) -> None:
    assert len(bomb) < MIB
    with pytest.raises(InputError, match="expected 4 bytes after it, found more"):
        read_idx(bomb, "here")


def test_no_more_is_inflated_than_asked_for(bomb: bytes, little_memory: None) -> None:
    assert inflate(bomb, 10, "here") == header(4) + b"\0\0"
    assert inflate(bomb, 0, "here") == b""
    assert inflate(gzip.compress(b"abc"), 1 << 70, "here") == b"abc"


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c[:-1],
        lambda c: c[:-8],
        lambda c: c[:12],
        lambda c: c[:-8] + bytes(4) + c[-4:],
        lambda c: c[:-4] + bytes(4),
        lambda c: c + b"behind it",
        lambda c: c[:2] + b"\xff" + c[3:],
        lambda c: c[:11] + bytes(20),
    ],
    ids=["no end", "no checksum", "no data", "checksum", "length", "more", "method", "data"],
)
def test_damaged_gzip_is_refused(damage: object) -> None:
    content = damage(gzip.compress(header(200) + bytes(range(200))))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"^here: "):
        read_idx(content, "here")


@given(st.binary(max_size=200), st.booleans())
def test_noise_is_read_or_refused(content: bytes, packed: bool) -> None:
    content = b"\x1f\x8b\x08" + content if packed else content
    with contextlib.suppress(InputError):
        assert read_idx(content, "here").nbytes <= len(content)


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CardFile:
    monkeypatch.setenv("GRAPHVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "checkout", lambda: None)
    content = header(4) + bytes(4)
    url = (tmp_path / "source.gz").as_uri()
    return CardFile("tiny/labels", "train-labels", "train", url, len(content), hashlib.sha256(content).hexdigest())


def test_a_bomb_in_place_of_a_pinned_file_is_not_inflated(
    pinned: CardFile, bomb: bytes, tmp_path: Path, little_memory: None
) -> None:
    for content, message in [
        (bomb, "expected at most 1036 bytes, found more"),  # 12 of content, and what gzip may add
        (gzip.compress(header(4) + bytes(10**6), 9), "expected at most 1036 bytes, found more|12 bytes uncompressed"),
        (gzip.compress(header(4) + bytes(5)), "expected at most 12 bytes uncompressed, found more"),
        (gzip.compress(header(4) + bytes(3)), "expected 12 bytes, found 11"),
        (gzip.compress(header(4) + b"\0\0\0\1"), "expected the SHA-256"),
        (header(4) + bytes(4), "expected intact gzip data"),
    ]:
        (tmp_path / "source.gz").write_bytes(content)
        with pytest.raises(InputError, match=message):
            fetch([pinned])
        assert find(pinned) is None
        path = tmp_path / "data" / "tiny" / "labels.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"labels.gz: {message}.*it is not used"):
            read_verified(pinned)
        path.unlink()
        path.parent.rmdir()


def test_a_pinned_file_is_taken_gzipped_or_not(pinned: CardFile, tmp_path: Path) -> None:
    content = header(4) + bytes(4)
    folder = tmp_path / "data" / "tiny"
    (tmp_path / "source.gz").write_bytes(gzip.compress(content))
    assert fetch([pinned]) == [folder / "labels.gz"]
    assert read_verified(pinned) == content
    (folder / "labels").write_bytes(content[::-1])  # one that is there as it is comes first
    with pytest.raises(InputError, match=r"labels: expected the SHA-256"):
        read_verified(pinned)
    (folder / "labels.gz").unlink()
    (folder / "labels").write_bytes(content)
    assert read_verified(pinned) == content


def test_what_to_put_where_has_the_name_of_the_download(pinned: CardFile, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"as {tmp_path}/data/tiny/labels.gz"):
        read_verified(pinned)
