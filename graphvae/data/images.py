"""Images as the whole project knows them: validated once, immutable, with the grid on which their pixels lie."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphvae._check import InputError, integer, number
from graphvae.data.fields import as_labels, digest

__all__ = ["HASH_VERSION", "Images"]

HASH_VERSION = "graphvae-images-1"
CHUNK = 1 << 18  # scalars checked at a time, so that the check stays in the processor's cache
GRID_TOLERANCE = 0.01  # in steps: float32 keeps 16-bit pixels that well


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Images:
    """N images, or rows of a table that are treated as images are; immutable after construction.

    Args:
        x: finite real numbers, ``(N, D)`` or ``(N, C, H, W)``, N and D at least 1. Stored as float32, a copy.
        y: ``(N,)`` integer labels from 0, or None; -1 marks an unknown label. Stored as int64.
        image_shape: ``(C, H, W)`` with D = C H W, so that pictures and convolutions know what a flat row shows; None
            for rows that show nothing. It follows from an ``x`` of four dimensions.
        value_range: ``(low, high)``, declared: no value may lie outside. None where nothing is known.
        quantisation: step of the grid ``low + k step`` on which all values lie (low is 0 without ``value_range``), or
            None for real values. Bits per dimension of discrete data need it: a density p(x) stands for the
            probability ``p(x) step`` of each scalar.
        origin: how the images can be read again, ``{"kind": "images", "name": ..., "part": ...}`` with the arguments
            of :func:`graphvae.load_images`, or None for images that live in memory only.

    Raises:
        InputError: naming the argument, the offending value and what was expected.

    Example:
        >>> Images.from_pixels([[0, 255], [51, 0]], y=[1, 0])
        Images(2, shape=(2,), classes=2, value_range=(0.0, 1.0))
    """

    x: Tensor
    y: Tensor | None
    image_shape: tuple[int, int, int] | None
    value_range: tuple[float, float] | None
    quantisation: float | None
    origin: Mapping[str, Any] | None

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        image_shape: Any = None,
        value_range: Any = None,
        quantisation: float | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        values = _as_values(x)
        limits = _as_range(value_range)
        step = None if quantisation is None else number("quantisation", quantisation, low=0, open_low=True)
        _check_values(values, limits, step)
        self._set(
            x=values,
            y=None if y is None else as_labels(y, len(values)),
            image_shape=_as_image_shape(image_shape, values),
            value_range=limits,
            quantisation=step,
            origin=None if origin is None else dict(origin),
        )

    @classmethod
    def from_pixels(
        cls,
        pixels: Any,
        y: Any = None,
        *,
        levels: int = 255,
        image_shape: Any = None,
        origin: Mapping[str, Any] | None = None,
    ) -> Images:
        """Images of integer pixels 0 to ``levels``, divided by ``levels``: values in [0, 1], steps of ``1 / levels``.

        Args:
            pixels: integers, ``(N, D)`` or ``(N, C, H, W)``.
            y: as of :class:`Images`, like ``image_shape`` and ``origin``.
            levels: the brightest pixel there can be.

        Raises:
            InputError: for pixels that are no integers or lie outside.
        """
        levels = integer("levels", levels, low=1)
        array = pixels.detach().cpu().numpy() if isinstance(pixels, Tensor) else np.asarray(pixels)
        if array.dtype.kind not in "iu":
            raise InputError(f"pixels are of type {array.dtype}: expected integers from 0 to {levels}")
        if array.size and not 0 <= int(array.min()) <= int(array.max()) <= levels:
            bad = int(array.min()) if int(array.min()) < 0 else int(array.max())
            raise InputError(f"pixels contain {bad}: expected integers from 0 to {levels}")
        x = array.astype(np.float32)
        x /= np.float32(levels)
        step = 1 / levels
        return cls(x, y, image_shape=image_shape, value_range=(0.0, 1.0), quantisation=step, origin=origin)

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def __repr__(self) -> str:
        parts = [str(len(self)), f"shape={self.shape}"]
        if self.image_shape not in (None, self.shape):
            parts.append(f"image_shape={self.image_shape}")
        parts += [f"classes={self.num_classes}"] if self.y is not None else []
        parts += [f"value_range={self.value_range}"] if self.value_range is not None else []
        return f"Images({', '.join(parts)})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one datum: ``(D,)`` or ``(C, H, W)``."""
        return tuple(self.x.shape[1:])

    @property
    def num_features(self) -> int:
        """Number D of scalars of one datum."""
        return math.prod(self.shape)

    @property
    def num_classes(self) -> int:
        """Number of classes in ``y``; 0 without labels."""
        return 0 if self.y is None else int(self.y.max()) + 1

    @cached_property
    def hash(self) -> str:
        """Hex digest over everything the images hold (origin apart), the same on every machine; versioned.

        Flat or not, the same images have the same hash.
        """
        description = f"{HASH_VERSION};{self.image_shape};{self.value_range};{self.quantisation}"
        parts = hashlib.sha256(description.encode())
        parts.update(f";x={digest(self.x.reshape(len(self), -1).numpy())}".encode())
        parts.update(f";y={digest(*([] if self.y is None else [self.y.numpy()]))}".encode())
        return parts.hexdigest()

    def flat(self) -> Images:
        """The same images with ``x`` as ``(N, D)``."""
        return self._with(x=self.x.reshape(len(self), -1))

    def unflat(self) -> Images:
        """The same images with ``x`` as ``(N, C, H, W)``.

        Raises:
            InputError: if there is no ``image_shape``.
        """
        if self.image_shape is None:
            raise InputError(f"image_shape is None: expected the (C, H, W) that {self.num_features} values show")
        return self._with(x=self.x.reshape(len(self), *self.image_shape))

    def select(self, rows: Any) -> Images:
        """The images in ``rows``, in their order.

        Args:
            rows: ``(M,)`` integers from 0 to N-1, or a mask ``(N,)`` of booleans; at least one row.
        """
        index = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
        if index.dtype == bool and index.shape == (len(self),):
            index = np.flatnonzero(index)
        if index.ndim != 1 or not index.size or index.dtype.kind not in "iu":
            raise InputError(
                f"rows has shape {index.shape}, type {index.dtype}: expected at least one integer from 0 to "
                f"{len(self) - 1}, or a mask ({len(self)},) that is true somewhere"
            )
        if int(index.min()) < 0 or int(index.max()) >= len(self):
            bad = int(index.min()) if int(index.min()) < 0 else int(index.max())
            raise InputError(f"rows contains {bad}: expected rows from 0 to {len(self) - 1}")
        places = torch.from_numpy(index.astype(np.int64))
        return self._with(x=self.x[places], y=None if self.y is None else self.y[places], origin=None)

    def split(self, test: float = 0.2, *, seed: int = 0) -> tuple[Images, Images]:
        """``(train, test)``: ``floor(test N)`` images drawn uniformly for the test, all others for training.

        Each part keeps the images' order. The same seed gives the same split in every process, and no global random
        state is touched.

        Raises:
            InputError: for a share that leaves a part empty.
        """
        share, n = number("test", test, low=0, high=1), len(self)
        # Through its decimals, so that 0.29 of 100 is 29.
        held = math.floor(Fraction(str(share)) * n)
        if not 0 < held < n:
            raise InputError(f"test={share:g} of {n} images is {held}: expected at least one in each part")
        is_test = np.zeros(n, dtype=bool)
        is_test[np.random.default_rng(integer("seed", seed, low=0)).permutation(n)[:held]] = True
        return self.select(~is_test), self.select(is_test)

    def _with(self, **changes: Any) -> Images:
        """A copy with some fields changed, without validation: for fields that are valid because these are."""
        images = object.__new__(Images)
        images._set(**{name: getattr(self, name) for name in self.__dataclass_fields__} | changes)
        return images

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)


def _as_values(value: Any) -> Tensor:
    """A float32 copy on the CPU, ``(N, D)`` or ``(N, C, H, W)``."""
    try:
        if isinstance(value, Tensor):
            if value.is_complex() or value.layout != torch.strided:
                raise TypeError(f"{value.dtype}, {value.layout}")
            x = value.detach().to("cpu", torch.float32, copy=True).contiguous()
        else:
            array = np.asarray(value)
            if array.dtype.kind not in "biuf":
                raise TypeError(f"of type {array.dtype}")
            with np.errstate(over="ignore"):  # becomes infinite, which is refused
                x = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"x: expected a dense tensor or array of real numbers ({error})") from None
    if x.dim() not in (2, 4) or not x.numel():
        hint = "; a channel axis makes it that: x[:, None]" if x.dim() == 3 and x.numel() else ""
        raise InputError(f"x has shape {tuple(x.shape)}: expected (N, D) or (N, C, H, W), none of them 0{hint}")
    return x


def _as_range(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        low, high = value
    except (TypeError, ValueError):
        raise InputError(f"value_range={value!r}: expected (low, high)") from None
    low, high = number("value_range[0]", low), number("value_range[1]", high)
    if low >= high:
        raise InputError(f"value_range={(low, high)}: expected low < high")
    return low, high


def _as_image_shape(value: Any, x: Tensor) -> tuple[int, int, int] | None:
    if value is None:
        return None if x.dim() == 2 else (int(x.shape[1]), int(x.shape[2]), int(x.shape[3]))
    try:
        channels, height, width = (integer("image_shape", size, low=1) for size in value)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"image_shape={value!r}: expected (C, H, W)") from None
    shape = (channels, height, width)
    if math.prod(shape) != math.prod(x.shape[1:]) or (x.dim() == 4 and shape != tuple(x.shape[1:])):
        raise InputError(f"image_shape={shape} does not fit x of shape {tuple(x.shape)}: expected C H W = D")
    return shape


def _check_values(x: Tensor, value_range: tuple[float, float] | None, step: float | None) -> None:
    """Finite, within ``value_range``, and on the grid of ``step``."""
    smallest, largest = (float(value) for value in torch.aminmax(x))
    if not math.isfinite(smallest) or not math.isfinite(largest):  # aminmax passes NaN on
        raise InputError("x contains NaN or infinite values: expected finite numbers")
    if value_range is not None:
        low, high = (float(np.float32(bound)) for bound in value_range)
        if smallest < low or largest > high:
            raise InputError(f"x ranges from {smallest:g} to {largest:g}: expected values in value_range={value_range}")
    if step is None:
        return
    low = 0.0 if value_range is None else value_range[0]
    for values in x.reshape(-1).split(CHUNK):
        steps = (values - low) / step
        off = (steps - steps.round()).abs() > GRID_TOLERANCE
        if bool(off.any()):
            bad = float(values[int(off.nonzero()[0])])
            raise InputError(f"x contains {bad:g}: expected multiples of quantisation={step:g} from {low:g}")
