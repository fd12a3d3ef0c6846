"""Data files: where they are looked for, that none is used unverified, and that a download is whole or not there."""

from __future__ import annotations

import gc
import hashlib
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from graphvae._check import InputError
from graphvae.data import storage
from graphvae.data.cards import CardFile, checkout
from graphvae.data.storage import MissingFilesError, fetch, find, read_verified, roots

CONTENT = bytes(range(256)) * 700

Answer = Callable[[BaseHTTPRequestHandler], None]


def make_file(url: str = "http://127.0.0.1:9/nowhere", content: bytes = CONTENT, **changes: Any) -> CardFile:
    fields = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} | changes
    return CardFile(path="planetoid/ind.tiny.x", part="x", needed_for="features", url=url, **fields)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three data folders, none of which exists."""
    monkeypatch.setenv("GRAPHVAE_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "checkout", lambda: tmp_path / "checkout")
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return [tmp_path / "named", tmp_path / "checkout" / "datasets", tmp_path / "cache" / "graphvae"]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Starts a server on this machine that answers as it is told; gives the address of a file on it."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/ind.tiny.x"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(content: bytes, declared: int | None = None) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content) if declared is None else declared))
        request.end_headers()
        request.wfile.write(content)

    return answer


def refuse(request: BaseHTTPRequestHandler) -> None:
    request.send_error(404)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(CONTENT)
    return path


def put(root: Path, content: bytes = CONTENT) -> Path:
    path = root / "planetoid" / "ind.tiny.x"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def written(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_folders_in_their_order(folders: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert list(roots()) == folders
    monkeypatch.setattr(storage, "checkout", lambda: None)
    assert list(roots()) == [folders[0], folders[2]]
    monkeypatch.setenv("GRAPHVAE_DATA", "")
    assert list(roots()) == [folders[2]]
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert list(roots()) == [tmp_path / "home" / ".cache" / "graphvae"]


def test_the_checkout_is_this_one() -> None:
    root = checkout()
    assert root is not None
    assert root == Path(__file__).resolve().parents[2]


def test_the_first_folder_that_holds_a_file_wins(folders: list[Path]) -> None:
    assert find(make_file()) is None
    for folder in reversed(folders):
        path = put(folder)
        assert find(make_file()) == path
        assert read_verified(make_file()) == CONTENT


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (CONTENT[:-1], rf"expected {len(CONTENT)} bytes, found {len(CONTENT) - 1}"),
        (CONTENT + b"\0", rf"expected at most {len(CONTENT)} bytes, found more"),
        (b"", rf"expected {len(CONTENT)} bytes, found 0"),
        (CONTENT[:-1] + b"\0", rf"expected the SHA-256 {hashlib.sha256(CONTENT).hexdigest()}, found [0-9a-f]{{64}}"),
    ],
    ids=["short", "long", "empty", "other"],
)
def test_a_file_that_differs_is_refused_and_left(folders: list[Path], found: bytes, message: str) -> None:
    path = put(folders[0], found)
    put(folders[1])
    with pytest.raises(InputError, match=message) as caught:
        read_verified(make_file())
    assert str(path) in str(caught.value)
    assert path.read_bytes() == found


def test_a_file_that_cannot_be_read_is_named(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(folders[0])

    def denied(*args: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "open", denied, raising=False)
    with pytest.raises(InputError, match=r"cannot be read.*Permission denied") as caught:
        read_verified(make_file())
    assert str(path) in str(caught.value)


def test_the_blob_id_is_gits(folders: list[Path]) -> None:
    blob = "ce013625030ba8dba906f756967f9e9ca394464a"  # echo hello | git hash-object --stdin
    path = put(folders[0], b"hello\n")
    pinned = make_file(size=None, sha256=None, git_blob=blob)
    assert read_verified(pinned) == b"hello\n"
    path.write_bytes(b"Hello\n")
    with pytest.raises(InputError, match=f"expected the git blob id {blob}, found [0-9a-f]{{40}}"):
        read_verified(pinned)


def test_a_file_without_a_checksum_is_never_used(folders: list[Path]) -> None:
    put(folders[0])
    with pytest.raises(InputError, match="expected a checksum"):
        read_verified(make_file(sha256=None))


def test_a_file_of_unknown_size_is_bounded(folders: list[Path], source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_BYTES", 1000)
    path = put(folders[0])
    with pytest.raises(InputError, match="expected at most 1000 bytes, found more"):
        read_verified(make_file(size=None))
    path.unlink()
    with pytest.raises(InputError, match="expected at most 1000 bytes, found more"):
        fetch([make_file(source.as_uri(), size=None)])
    assert find(make_file()) is None


def test_a_missing_file_says_what_to_put_where(folders: list[Path]) -> None:
    with pytest.raises(MissingFilesError) as caught:
        read_verified(make_file())
    message = str(caught.value)
    assert message.startswith("planetoid/ind.tiny.x is missing")
    assert f"save http://127.0.0.1:9/nowhere as {folders[0] / 'planetoid' / 'ind.tiny.x'}" in message
    assert all(str(folder) in message for folder in folders)
    assert "\n" not in message


def test_fetch_stores_a_verified_file_in_the_first_folder(
    folders: list[Path], serve: Callable[[Answer], str], tmp_path: Path
) -> None:
    file = make_file(serve(whole(CONTENT)))
    assert fetch([file]) == [folders[0] / file.path]
    assert read_verified(file) == CONTENT
    assert written(tmp_path) == [folders[0] / file.path]


def test_fetch_reads_file_urls(folders: list[Path], source: Path) -> None:
    assert fetch([make_file(source.as_uri())]) == [folders[0] / "planetoid" / "ind.tiny.x"]


def test_fetch_keeps_what_is_there(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(folders[2], b"another")

    def called(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("downloaded what was there")

    monkeypatch.setattr(urllib.request, "urlopen", called)
    assert fetch([make_file()]) == [path]
    assert path.read_bytes() == b"another"


def test_fetch_goes_on_to_a_folder_that_takes_the_file(folders: list[Path], source: Path) -> None:
    for folder in folders[:2]:  # a file where the folder should be: not even root can write below it
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_bytes(b"")
    assert fetch([make_file(source.as_uri())]) == [folders[2] / "planetoid" / "ind.tiny.x"]
    (folders[2] / "planetoid" / "ind.tiny.x").unlink()
    (folders[2] / "planetoid").rmdir()
    folders[2].rmdir()
    folders[2].write_bytes(b"")
    with pytest.raises(MissingFilesError, match="could not be fetched"):
        fetch([make_file(source.as_uri())])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (whole(CONTENT[:-1] + b"\0"), "expected the SHA-256"),
        (whole(CONTENT[:1000], len(CONTENT)), "expected|could not be fetched"),
        (whole(CONTENT[:1000]), f"expected {len(CONTENT)} bytes, found 1000"),
        (whole(CONTENT * 2), f"expected at most {len(CONTENT)} bytes, found more"),
        (whole(b"<html>no</html>"), "found 15"),
        (refuse, "could not be fetched.*404"),
        (lambda request: None, "could not be fetched.*without response"),
    ],
    ids=["wrong", "cut off", "short", "long", "html", "not found", "closed"],
)
def test_a_bad_download_leaves_nothing(
    folders: list[Path], serve: Callable[[Answer], str], tmp_path: Path, answer: Answer, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fetch([make_file(serve(answer))])
    assert written(tmp_path) == []
    # A connection that the error still holds warns when a cycle is collected, and a warning is an error.
    caught.value.cycle = caught.value  # type: ignore[attr-defined]
    del caught
    gc.collect()


def test_a_server_that_does_not_answer_is_left(
    folders: list[Path], serve: Callable[[Answer], str], tmp_path: Path
) -> None:
    done = threading.Event()

    def wait(request: BaseHTTPRequestHandler) -> None:
        done.wait(30)

    file = make_file(serve(wait))
    with pytest.raises(MissingFilesError, match=r"could not be fetched.*timed out"):
        fetch([file], timeout=0.1)
    done.set()
    assert written(tmp_path) == []


def test_a_server_that_drips_is_left(
    folders: list[Path], serve: Callable[[Answer], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.end_headers()
        for byte in CONTENT:
            if done.wait(0.01):
                return
            request.wfile.write(bytes([byte]))

    monkeypatch.setattr(storage, "DEADLINE", 0.1)
    with pytest.raises(MissingFilesError, match="not complete after"):
        fetch([make_file(serve(drip))])
    done.set()
    assert written(tmp_path) == []


def test_a_write_that_fails_midway_leaves_nothing(
    folders: list[Path], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(MissingFilesError, match="No space left"):
        fetch([make_file(source.as_uri())])
    assert written(tmp_path) == [source]


def test_all_that_is_missing_is_named_at_once(folders: list[Path], serve: Callable[[Answer], str]) -> None:
    good = make_file(serve(whole(CONTENT)))
    address = serve(refuse)
    bad = [CardFile(f"planetoid/ind.tiny.{part}", part, "labels", address, 1, "0" * 64) for part in ("ally", "ty")]
    with pytest.raises(MissingFilesError, match=r"tiny\.ally, planetoid/ind\.tiny\.ty are missing.*Think\.") as caught:
        fetch([good, *bad], hint=". Think.")
    assert good.path not in str(caught.value)
    assert read_verified(good) == CONTENT
