"""Images: what is accepted, that nothing changes them, and what each of their parts is."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import warnings
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy_format
from sklearn.datasets import load_digits

import graphvae as gv
from graphvae._check import InputError
from graphvae.data.images import Images
from graphvae.data.registry import dataset_status, load_graph, load_images

PIXELS = (np.arange(6 * 2 * 3 * 4).reshape(6, 2, 3, 4) * 7) % 256
LABELS = [0, 1, 2, 0, -1, 1]


def make() -> Images:
    return Images.from_pixels(PIXELS, LABELS)


def test_pixels_become_values_on_their_grid() -> None:
    images = make()
    assert images.x.dtype == torch.float32
    assert images.y is not None
    assert images.y.dtype == torch.int64
    assert images.y.tolist() == LABELS
    np.testing.assert_array_equal(images.x.numpy(), PIXELS.astype(np.float32) / np.float32(255))
    assert (images.value_range, images.quantisation) == ((0.0, 1.0), 1 / 255)
    assert (len(images), images.shape, images.image_shape) == (6, (2, 3, 4), (2, 3, 4))
    assert (images.num_features, images.num_classes, images.origin) == (24, 3, None)
    assert repr(images) == "Images(6, shape=(2, 3, 4), classes=3, value_range=(0.0, 1.0))"


@pytest.mark.parametrize(
    "kind",
    [
        list,
        np.array,
        lambda v: torch.tensor(v),
        lambda v: np.array(v, dtype=np.float64),
        lambda v: np.asfortranarray(v),
    ],
    ids=["list", "int", "torch", "float64", "fortran"],
)
def test_rows_of_numbers_are_kept_as_they_are(kind: Any) -> None:
    values = [[1, -2, 300], [4, 5, 6]]
    images = Images(kind(values))
    assert images.x.tolist() == values
    assert images.x.is_contiguous()
    assert (images.image_shape, images.value_range, images.quantisation, images.y) == (None, None, None, None)
    assert images.num_classes == 0
    assert repr(images) == "Images(2, shape=(3,))"


@pytest.mark.parametrize("container", [np.array, torch.tensor])
def test_a_copy_is_kept(container: Any) -> None:
    values, labels = container([[1.0, 2.0]], dtype=(torch if container is torch.tensor else np).float32), [3]
    images = Images(values, labels)
    values[0, 0] = 9
    labels[0] = 0
    assert images.x.tolist() == [[1, 2]]
    assert images.y is not None
    assert images.y.tolist() == [3]


def test_fields_cannot_be_set_or_deleted() -> None:
    images = make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        images.x = images.x  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del images.y  # type: ignore[misc]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda images: pickle.loads(pickle.dumps(images))])
def test_copies_are_the_same(again: Any) -> None:
    images = make()
    assert again(images).hash == images.hash
    assert repr(again(images)) == repr(images)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1.0, 2.0], r"x has shape \(2,\): expected \(N, D\) or \(N, C, H, W\)"),
        (np.zeros((2, 3, 3)), r"x has shape \(2, 3, 3\).*a channel axis makes it that: x\[:, None\]"),
        (np.zeros((1, 1, 1, 1, 1)), r"x has shape \(1, 1, 1, 1, 1\)"),
        (np.zeros((0, 3)), r"x has shape \(0, 3\).*none of them 0"),
        (np.zeros((3, 0)), r"x has shape \(3, 0\).*none of them 0"),
        ([[1.0, math.nan]], "x contains NaN or infinite"),
        ([[1.0, math.inf]], "x contains NaN or infinite"),
        ([[1e300]], "x contains NaN or infinite"),
        ([["a"]], "x: expected a dense tensor or array of real numbers"),
        ([[1.0], [1.0, 2.0]], "x: expected a dense tensor or array of real numbers"),
        ([[None]], "x: expected a dense tensor or array of real numbers"),
        (np.zeros((1, 1), dtype=complex), "x: expected.*of type complex128"),
        (torch.zeros(1, 1, dtype=torch.complex64), "x: expected.*complex64"),
        (torch.eye(2).to_sparse(), "x: expected.*sparse"),
    ],
)
def test_what_is_no_array_of_images_is_refused(x: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Images(x)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"y": [1]}, r"y has shape \(1,\): expected \(2,\)"),
        ({"y": [0.5, 1.0]}, "y is of type torch.float64: expected integers"),
        ({"y": [-2, 0]}, "y contains -2: expected classes from 0, or -1"),
        ({"image_shape": (1, 1, 2)}, r"image_shape=\(1, 1, 2\) does not fit x of shape \(2, 4\)"),
        ({"image_shape": (2, 2)}, r"image_shape=\(2, 2\): expected \(C, H, W\)"),
        ({"image_shape": 4}, r"image_shape=4: expected \(C, H, W\)"),
        ({"image_shape": (1, 2.0, 2)}, "image_shape=2.0: expected an integer"),
        ({"value_range": (0, 0.5)}, r"x ranges from 0 to 1: expected values in value_range=\(0.0, 0.5\)"),
        ({"value_range": (0.25, 1)}, "x ranges from 0 to 1"),
        ({"value_range": (1, 0)}, "expected low < high"),
        ({"value_range": (0, math.nan)}, r"value_range\[1\]=nan: expected a finite number"),
        ({"value_range": 1}, r"value_range=1: expected \(low, high\)"),
        ({"quantisation": 0}, "quantisation=0.0: expected a number greater than 0"),
        ({"quantisation": 0.2}, "x contains 0.25: expected multiples of quantisation=0.2 from 0"),
        ({"quantisation": 0.25, "value_range": (-0.1, 1)}, "x contains 0: expected multiples of.*from -0.1"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Images([[0.0, 0.25, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]], **fields)


def test_an_image_shape_must_be_that_of_x() -> None:
    with pytest.raises(InputError, match=r"image_shape=\(1, 2, 4\) does not fit x of shape \(1, 2, 2, 2\)"):
        Images(np.zeros((1, 2, 2, 2)), image_shape=(1, 2, 4))


@pytest.mark.parametrize(
    ("pixels", "levels", "message"),
    [
        ([[0, 256]], 255, "pixels contain 256: expected integers from 0 to 255"),
        ([[0, -1]], 255, "pixels contain -1"),
        ([[0, 17]], 16, "pixels contain 17: expected integers from 0 to 16"),
        ([[0.5]], 255, "pixels are of type float64"),
        ([[True]], 255, "pixels are of type bool"),
        ([[0]], 0, "levels=0: expected a value at least 1"),
    ],
)
def test_pixels_outside_are_refused(pixels: Any, levels: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Images.from_pixels(pixels, levels=levels)


@given(st.integers(1, 65535), st.data())
def test_every_pixel_of_every_depth_is_on_its_grid(levels: int, data: st.DataObject) -> None:
    pixels = data.draw(st.lists(st.integers(0, levels), min_size=1, max_size=20))
    images = Images.from_pixels([pixels], levels=levels)
    assert images.quantisation == 1 / levels
    np.testing.assert_array_equal((images.x.double() * levels).round().numpy(), [pixels])


def test_flat_and_unflat_are_the_same_images() -> None:
    images = make()
    flat = images.flat()
    assert (flat.shape, flat.image_shape) == ((24,), (2, 3, 4))
    assert repr(flat) == "Images(6, shape=(24,), image_shape=(2, 3, 4), classes=3, value_range=(0.0, 1.0))"
    np.testing.assert_array_equal(flat.x.numpy(), images.x.numpy().reshape(6, 24))
    assert torch.equal(flat.unflat().x, images.x)
    assert flat.hash == images.hash == flat.flat().hash
    with pytest.raises(InputError, match="image_shape is None: expected the"):
        Images([[1.0]]).unflat()


def test_the_hash_is_that_of_this_version_and_tells_every_part() -> None:
    images = make()
    # Pinned, because run folders hold it: a change needs another HASH_VERSION.
    assert Images([[0.0, 1.0]], [1]).hash == "344c55eaae16ef396de11e118f2615f2f00920f37aa97e29b9fa189e842bafd7"
    x = images.x.clone()
    x[0, 0, 0, 0] = 1.0
    ranged = {"value_range": (0, 1), "quantisation": 1 / 255}
    others = [
        Images(x, LABELS, **ranged),
        Images(images.x, LABELS[::-1], **ranged),
        Images(images.x, **ranged),
        Images(images.x, LABELS, value_range=(0, 1)),
        Images(images.x, LABELS, quantisation=1 / 255),
        Images(images.flat().x, LABELS, **ranged),
        Images(images.flat().x, LABELS, image_shape=(3, 2, 4), **ranged),
        images.select([1, 0, 2, 3, 4, 5]),
    ]
    assert len({images.hash, *(other.hash for other in others)}) == 9
    assert Images(images.x, LABELS, origin={"kind": "elsewhere"}, **ranged).hash == images.hash


def test_select_takes_rows_in_their_order() -> None:
    images = Images.from_pixels(PIXELS, LABELS, origin={"kind": "images"})
    for rows in ([4, 1], np.array([4, 1], dtype=np.uint8), torch.tensor([4, 1])):
        chosen = images.select(rows)
        assert torch.equal(chosen.x, images.x[[4, 1]])
        assert chosen.y is not None
        assert chosen.y.tolist() == [-1, 1]
        assert (chosen.quantisation, chosen.value_range, chosen.image_shape) == (1 / 255, (0.0, 1.0), (2, 3, 4))
        assert chosen.origin is None
    mask = [True, False, False, False, False, True]
    assert torch.equal(images.select(mask).x, images.x[[0, 5]])
    assert Images(images.x).select([0]).y is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([6], "rows contains 6: expected rows from 0 to 5"),
        ([-1], "rows contains -1"),
        ([], "expected at least one integer"),
        ([[0]], r"rows has shape \(1, 1\)"),
        ([0.0], "type float64"),
        ([True, False], "type bool"),
        ([False] * 6, "true somewhere"),
        (0, r"rows has shape \(\)"),
    ],
)
def test_other_rows_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make().select(rows)


@given(n=st.integers(2, 60), test=st.floats(0.02, 0.98), seed=st.integers(0, 2**40))
def test_a_split_has_every_image_once(n: int, test: float, seed: int) -> None:
    images = Images(np.arange(n, dtype=np.float32)[:, None], np.arange(n))
    held = math.floor(Decimal(str(test)) * n)
    if not 0 < held < n:
        with pytest.raises(InputError, match="expected at least one in each part"):
            images.split(test, seed=seed)
        return
    train, held_out = images.split(test, seed=seed)
    assert len(held_out) == held
    rows = [part.x[:, 0].tolist() for part in (train, held_out)]
    assert sorted(rows[0] + rows[1]) == list(range(n))
    assert all(part == sorted(part) for part in rows)
    assert [part.y.tolist() for part in (train, held_out) if part.y is not None] == rows
    assert images.split(test, seed=seed)[1].hash == held_out.hash


def test_a_split_counts_by_decimals_and_depends_on_its_seed() -> None:
    images = Images(np.arange(100)[:, None])
    assert len(images.split(0.29)[1]) == 29  # 0.29 * 100 is 28.999999999999996
    assert len({images.split(seed=seed)[1].hash for seed in range(5)}) == 5
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    images.split()
    assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    for share in (0, 1, 1.5, "0.2"):
        with pytest.raises(InputError, match="test="):
            images.split(share)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed=-1"):
        images.split(seed=-1)


def test_digits_are_scikit_learns() -> None:
    images = gv.load_images("digits")
    pixels, labels = load_digits(return_X_y=True)
    np.testing.assert_array_equal(images.x.numpy(), (pixels / 16).astype(np.float32))
    assert images.y is not None
    np.testing.assert_array_equal(images.y.numpy(), labels)
    assert (images.quantisation, images.image_shape) == (1 / 16, (1, 8, 8))
    square = load_images("digits", part="all", flatten=False)
    np.testing.assert_array_equal(square.x.numpy()[:, 0], (load_digits().images / 16).astype(np.float32))
    assert images.origin == square.origin == {"kind": "images", "name": "digits", "part": "all"}
    assert isinstance(images, gv.Images)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_images("karate"), r"name='karate' is a graph: load_graph\('karate'\) reads it"),
        (lambda: load_graph("mnist"), r"name='mnist' is a dataset of images: load_images\('mnist'\) reads it"),
        (lambda: load_images("minst"), r"did you mean 'mnist'\?\), or the path of a file in \.npy or \.npz"),
        (lambda: load_images(3), "name=3: expected one of 'digits'"),  # type: ignore[arg-type]
        (lambda: load_images("digits", part="test"), r"part='test': expected one of 'all'; .*Images\.split\(\)"),
        (lambda: load_images("mnist", part="tests"), r"part='tests'.*did you mean 'test'"),
        (lambda: load_images("digits", flatten=1), "flatten=1: expected True or False"),  # type: ignore[arg-type]
    ],
)
def test_other_names_and_parts_are_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def save(path: Path, **arrays: Any) -> Path:
    """An npy file of ``x`` alone, or an npz file."""
    if path.suffix == ".npy":
        np.save(path, arrays["x"])
    else:
        np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", ">i2", "bool", "uint16", ">f8"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_files_of_numbers_are_kept_as_they_are(tmp_path: Path, suffix: str, dtype: str) -> None:
    values = np.array([[0, 1, 1], [1, 0, 0]], dtype=dtype, order="F")
    images = load_images(save(tmp_path / f"a{suffix}", x=values))
    assert images.x.tolist() == [[0, 1, 1], [1, 0, 0]]
    assert (images.value_range, images.quantisation, images.y) == (None, None, None)
    assert images.origin == {"kind": "images", "name": str(tmp_path / f"a{suffix}"), "part": "all"}
    assert images.origin is not None
    assert load_images(images.origin["name"], part=images.origin["part"]).hash == images.hash


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_bytes_are_pixels(tmp_path: Path, suffix: str) -> None:
    pixels = PIXELS[:, 0].astype(np.uint8)
    path = save(tmp_path / f"a{suffix}", x=pixels, y=LABELS)
    images = load_images(str(path))
    np.testing.assert_array_equal(images.x.numpy(), pixels.reshape(6, 12).astype(np.float32) / np.float32(255))
    assert (images.image_shape, images.quantisation) == ((1, 3, 4), 1 / 255)
    assert load_images(path, flatten=False).shape == (1, 3, 4)
    assert (None if images.y is None else images.y.tolist()) == (None if suffix == ".npy" else LABELS)


def test_a_file_beside_the_work_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "mine.npy", x=np.ones((2, 3)))
    assert len(load_images("mine.npy")) == len(load_images("./mine.npy")) == 2
    with pytest.raises(InputError, match="image_shape is None"):
        load_images("mine.npy", flatten=False)
    with pytest.raises(InputError, match=r"part='train': expected one of 'all'"):
        load_images("mine.npy", part="train")


def npy(shape: Any, content: bytes = bytes(12), descr: str = "<f4", major: int = 1) -> bytes:
    """A file in npy format whose header says anything."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    length = len(header).to_bytes(2 if major == 1 else 4, "little")
    return npy_format.magic(major, 0) + length + header + content


def test_a_header_of_either_version_is_read(tmp_path: Path) -> None:
    for major in (1, 2):
        (tmp_path / "a.npy").write_bytes(npy((1, 3), major=major))
        assert load_images(tmp_path / "a.npy").x.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected an array in npy format|cannot be read"),
        (b"src,dst\n1,2\n", "expected an array in npy format .the magic string is not correct"),
        (npy((1, 3))[:30], "expected an array in npy format .EOF"),
        (npy((1, 3), bytes(11)), r"declares \(1, 3\) of float32: expected 12 bytes, found 11"),
        (npy((1, 3), bytes(13)), "expected 12 bytes, found 13"),
        (npy((10**6, 10**6, 10**6)), "expected 4000000000000000000 bytes, found 12"),
        (npy((2**63, 2**63)), "bytes, found 12"),
        (npy((-1, -3)), r"declares \(-1, -3\)"),
        (npy((0, 3), b""), r"x has shape \(0, 3\)"),
        (npy((1, 3), descr="|O"), "expected an array of real numbers, found the type object"),
        (npy((1, 3), descr="<c8"), "found the type complex64"),
        (npy((1, 3), descr="<U1"), "found the type <U1"),
        (npy((1, 3), major=3), r"version \(3, 0\): expected 1.0 or 2.0"),
        (npy("(" * 3000), "expected an array in npy format"),
        (npy("__import__('os')"), "expected an array in npy format"),
        (npy((3,)), r"x has shape \(3,\)"),
        (npy((1, 3), np.array([1, np.nan, 2], "<f4").tobytes()), "x contains NaN"),
    ],
)
def test_other_npy_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_images(path)
    assert str(path) in str(caught.value)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(InputError, match=message):
        load_images(tmp_path / "a.npz")


def test_pickles_are_not_read(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (warnings.warn, ("run",))

    for suffix in (".npy", ".npz"):
        path = save(tmp_path / f"a{suffix}", x=np.array([[Trap()]], dtype=object))
        with pytest.raises(InputError, match="found the type object"):
            load_images(path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["images", "labels"], "expected the arrays 'x' and, for labels, 'y', found 'images', 'labels'"),
        (["x", "y", "z"], "found 'x', 'y', 'z'"),
        (["y"], "found 'y'"),
        ([], "found none"),
    ],
)
def test_other_archives_name_what_they_hold(tmp_path: Path, names: list[str], message: str) -> None:
    path = save(tmp_path / "a.npz", **{name: np.ones((2, 3)) for name in names})
    with pytest.raises(InputError, match=message):
        load_images(path)


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.ones((2, 3)), y=[1, 2, 3])
    with pytest.raises(InputError, match=r"a\.npz: y has shape \(3,\): expected \(2,\)"):
        load_images(path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(50, 20)))
    whole = path.read_bytes()
    for content in (whole[:-10], whole[:200], b"", whole[:300] + bytes(50) + whole[350:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npz: cannot be read"):
            load_images(path)


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy((1, 3)))
    size = len(npy((1, 3)))
    content = path.read_bytes()
    start = content.rindex(b"PK\x01\x02")  # the central directory, which holds the size of what is inside at 24
    assert content[start + 24 : start + 28] == size.to_bytes(4, "little")
    path.write_bytes(content[: start + 24] + (size + 1000).to_bytes(4, "little") + content[start + 28 :])
    with pytest.raises(InputError, match="expected 12 bytes, found 1012"):
        load_images(path)


@pytest.mark.parametrize("name", ["none.npy", "none.npz", "a.csv", "folder.npy", "no/such/file"])
def test_other_paths_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "a.csv").write_text("x\n")
    with pytest.raises(InputError, match=r"cannot be read|expected a file that ends in \.npy or \.npz"):
        load_images(tmp_path / name)


def mnist(**options: Any) -> Images:
    if dataset_status("mnist").state == "missing":
        pytest.skip(f"{', '.join(dataset_status('mnist').missing)} not there")
    return load_images("mnist", **options)


@pytest.mark.data
def test_mnist_is_the_published_one() -> None:
    # The class counts of LeCun et al.'s files, as everybody's summary has them.
    train, test = mnist(), mnist(part="test", flatten=False)
    assert train.y is not None
    assert test.y is not None
    assert torch.bincount(train.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (train.x.shape, test.x.shape) == ((60000, 784), (10000, 1, 28, 28))
    # Mean and deviation that everybody normalises with.
    assert float(train.x.double().mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(train.x.double().std()) == pytest.approx(0.3081, abs=5e-5)
    assert (train.value_range, train.quantisation) == ((0.0, 1.0), 1 / 255)
    assert train.origin == {"kind": "images", "name": "mnist", "part": "train"}


@pytest.mark.data
def test_all_of_mnist_is_training_then_test() -> None:
    every = mnist(part="all")
    assert every.select(range(60000)).hash == mnist().hash
    assert every.select(range(60000, 70000)).hash == mnist(part="test").hash
