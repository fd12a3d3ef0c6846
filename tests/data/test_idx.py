"""IDX files as their makers write them, and the images that four of them make."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from graphvae._check import InputError
from graphvae.data import registry, storage
from graphvae.data.cards import DatasetCard, ImageCounts, read_card
from graphvae.data.idx import idx_images, read_idx
from graphvae.data.registry import dataset_status, fetch_dataset, load_images, verify_dataset

arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=6))


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@given(array=arrays, packed=st.booleans())
def test_what_was_written_is_read(array: np.ndarray, packed: bool) -> None:
    content = gzip.compress(idx(array)) if packed else idx(array)
    found = read_idx(content, "here")
    assert found.dtype == np.uint8
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, array, strict=True)


@given(array=arrays, cut=st.floats(0, 1, exclude_max=True), packed=st.booleans())
def test_a_truncated_file_is_refused(array: np.ndarray, cut: float, packed: bool) -> None:
    content = gzip.compress(idx(array)) if packed else idx(array)
    with pytest.raises(InputError, match=r"^here: expected|^here: its header declares"):
        read_idx(content[: int(cut * len(content))], "here")


PARTS = ("train", "test")
SIZES = {"train": 6, "test": 3}


def contents() -> dict[str, bytes]:
    """Four files, of images of 2 x 3 pixels in 3 classes."""
    rng = np.random.default_rng(0)
    files = {}
    for part, n in SIZES.items():
        files[f"{part}-images"] = idx(rng.integers(0, 256, (n, 2, 3), dtype=np.uint8))
        files[f"{part}-labels"] = idx((np.arange(n) % 3).astype(np.uint8))
    return files


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetCard:
    """MNIST's card with files of this test's making, gzipped, to be had from a folder."""
    monkeypatch.setenv("GRAPHVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "checkout", lambda: None)
    return use(contents(), tmp_path, monkeypatch)


def use(parts: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetCard:
    (tmp_path / "source").mkdir(exist_ok=True)
    files = []
    for file in read_card("mnist").files:
        content = parts[file.part]
        path = tmp_path / "source" / f"{Path(file.path).name}.gz"
        path.write_bytes(gzip.compress(content))
        pins = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "url": path.as_uri()}
        files.append(dataclasses.replace(file, **pins))
    card = dataclasses.replace(read_card("mnist"), files=tuple(files), counts=ImageCounts(9, 3, 2, 3, 3))
    monkeypatch.setattr(registry, "read_card", lambda name: card)
    return card


@pytest.mark.parametrize("plain", [False, True])
def test_files_are_fetched_and_read_gzipped_or_not(tiny: DatasetCard, tmp_path: Path, plain: bool) -> None:
    assert dataset_status("mnist").missing == tuple(file.path for file in tiny.files)
    paths = fetch_dataset("mnist")
    assert [path.relative_to(tmp_path / "data") for path in paths] == [Path(f"{file.path}.gz") for file in tiny.files]
    if plain:
        for path in paths:
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    assert dataset_status("mnist").state == "present"
    assert [check.state for check in verify_dataset("mnist")] == ["ok"] * 4
    parts = contents()
    for part, n in SIZES.items():
        images = load_images("mnist", part=part)
        pixels = np.frombuffer(parts[f"{part}-images"], np.uint8, offset=16).reshape(n, 6)
        np.testing.assert_array_equal(images.x.numpy(), pixels.astype(np.float32) / np.float32(255))
        assert images.y is not None
        assert images.y.tolist() == [i % 3 for i in range(n)]
        assert images.image_shape == (1, 2, 3)
        assert images.origin == {"kind": "images", "name": "mnist", "part": part}
    assert load_images("mnist").hash == load_images("mnist", part="train").hash
    assert load_images("mnist", part="all", flatten=False).x.shape == (9, 1, 2, 3)


def test_only_the_files_of_the_part_are_fetched(tiny: DatasetCard, tmp_path: Path) -> None:
    assert len(load_images("mnist", part="test")) == 3
    assert sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir()) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
    assert dataset_status("mnist").missing == ("mnist/train-images-idx3-ubyte", "mnist/train-labels-idx1-ubyte")
    assert not dataset_status("mnist").featureless


def test_counts_other_than_the_cards_are_an_error(tiny: DatasetCard, monkeypatch: pytest.MonkeyPatch) -> None:
    for what, part in [("images", "train"), ("test", "test"), ("height", "all"), ("width", "all"), ("classes", "all")]:
        wrong = dataclasses.replace(tiny.counts, **{what: getattr(tiny.counts, what) + 1})
        monkeypatch.setattr(registry, "read_card", lambda name, wrong=wrong: dataclasses.replace(tiny, counts=wrong))
        with pytest.raises(InputError, match=rf"mnist: expected \d+ {'images' if what == 'test' else what}, found"):
            load_images("mnist", part=part)


def test_files_that_contradict_each_other_are_refused(
    tiny: DatasetCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = contents()
    flat = idx(np.zeros((6, 6), dtype=np.uint8))
    card = use(parts | {"train-images": flat}, tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"mnist: expected images \(N, H, W\), found the shape \(6, 6\)"):
        idx_images(card, "train")
    (tmp_path / "data" / "mnist" / "train-images-idx3-ubyte.gz").unlink()
    (tmp_path / "data" / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    card = use(parts | {"train-labels": parts["test-labels"]}, tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"y has shape \(3,\): expected \(6,\)"):
        idx_images(card, "train")
