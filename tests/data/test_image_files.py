"""Images in numpy files: pixels and values, flat and shaped, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from graphvae import InputError
from graphvae.data.image_files import images_from_file

RNG = np.random.default_rng(0)


def test_bytes_are_pixels_and_floats_are_what_they_are(tmp_path):
    pixels, values = RNG.integers(0, 256, (3, 4), dtype=np.uint8), RNG.normal(size=(3, 4)).astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    np.save(tmp_path / "values.npy", values)
    read = images_from_file(tmp_path / "pixels.npy")
    np.testing.assert_allclose(read.x.numpy(), pixels / 255, atol=1e-7)
    assert read.quantisation == pytest.approx(1 / 255)
    assert images_from_file(tmp_path / "values.npy").x.numpy().tolist() == values.tolist()
    assert images_from_file(tmp_path / "values.npy").quantisation is None


def test_labels_come_with_them(tmp_path):
    np.savez(tmp_path / "both.npz", x=RNG.random((3, 4)), y=[2, 0, -1])
    assert images_from_file(tmp_path / "both.npz").y.tolist() == [2, 0, -1]


@pytest.mark.parametrize("arrays", [{"a": np.zeros((2, 2))}, {"x": np.zeros((2, 2)), "z": np.zeros(2)}, {}])
def test_other_arrays_are_listed(arrays, tmp_path):
    np.savez(tmp_path / "file.npz", **arrays)
    with pytest.raises(InputError, match=r"file\.npz.*'x'"):
        images_from_file(tmp_path / "file.npz")


@pytest.mark.parametrize(
    "value", [np.array([{"a": 1}], dtype=object), np.array([["a"]]), np.zeros(3), np.full((2, 2), np.nan)]
)
def test_what_is_no_image_is_refused(value, tmp_path):
    np.save(tmp_path / "file.npy", value, allow_pickle=True)
    with pytest.raises(InputError):
        images_from_file(tmp_path / "file.npy")


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_truncated_file_is_refused(cut, tmp_path):
    np.save(tmp_path / "file.npy", RNG.random((10, 4)))
    content = (tmp_path / "file.npy").read_bytes()
    (tmp_path / "file.npy").write_bytes(content[:-cut])
    with pytest.raises(InputError, match=r"file\.npy"):
        images_from_file(tmp_path / "file.npy")
