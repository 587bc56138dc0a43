"""Transforms of examples: of PIL images, and of NumPy arrays of shape (C, H, W).

PIL is imported when an image is first asked for. What is drawn at random comes from NumPy's global
state, or from tensorgrad's generator after `tensorgrad.seed`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad import randomness

NumpyArray = np.ndarray[Any, Any]


def _pil(what: str) -> Any:
    """PIL's module Image."""
    try:
        from PIL import Image  # noqa: PLC0415  # optional, and only for images
    except ImportError as error:
        raise ImportError(
            f"{what} needs Pillow, which is not installed ({error}). Install it: python -m pip install pillow"
        ) from error
    return Image


def _is_image(x: Any) -> bool:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(x, module.Image)


def _image(name: str, x: Any) -> Any:
    if not _is_image(x):
        raise TypeError(
            f"{name}: expected a PIL image; got {type(x).__name__}. ToPIL makes one of an array (C, H, W)."
        )
    return x


def _array(name: str, x: Any) -> NumpyArray:
    """A NumPy array with rows and columns last."""
    if not isinstance(x, np.ndarray) or x.ndim < 2:
        got = f"shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(
            f"{name}: expected a NumPy array of shape (..., H, W); got {got}. ToArray makes one of an image."
        )
    return x


def _size(name: str, size: int | Sequence[int]) -> tuple[int, int]:
    first, second = (size, size) if isinstance(size, int) else size
    if first < 1 or second < 1:
        raise ValueError(f"{name}: expected positive sizes; got {size}")
    return first, second


class Compose:
    """Several transforms, one after the other.

    Parameters
    ----------
    transforms : sequence of callable, optional

    Examples
    --------
    >>> f = tg.transforms.Compose([tg.transforms.ToFloat(), tg.transforms.Normalize(1.0, 2.0)])
    >>> f(np.array([1, 5]))
    array([0., 2.], dtype=float32)
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]] | None = None) -> None:
        self.transforms = list(transforms or ())

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x


# -- PIL images ----------------------------------------------------------------------------------


class Convert:
    """A PIL image in another mode.

    Parameters
    ----------
    mode : str, default 'RGB'
        One of PIL's, or ``'BGR'``: RGB with the channels turned round.
    """

    def __init__(self, mode: str = "RGB") -> None:
        self.mode = mode

    def __call__(self, img: Any) -> Any:
        img = _image("Convert", img)
        if self.mode != "BGR":
            return img.convert(self.mode)
        red, green, blue = img.convert("RGB").split()
        return _pil("Convert").merge("RGB", (blue, green, red))


class Resize:
    """A PIL image in another size.

    Parameters
    ----------
    size : int or (int, int)
        Width and height.
    mode : int, default 2
        One of PIL's resampling filters; 2 is bilinear.
    """

    def __init__(self, size: int | Sequence[int], mode: int = 2) -> None:
        self.size = _size("Resize", size)
        self.mode = mode

    def __call__(self, img: Any) -> Any:
        return _image("Resize", img).resize(self.size, self.mode)


class CenterCrop:
    """The middle of a PIL image, or of an array.

    Parameters
    ----------
    size : int or (int, int)
        Width and height. Where the image is smaller, PIL fills in black; for an array it is an error.

    Examples
    --------
    >>> tg.transforms.CenterCrop(2)(np.arange(16).reshape(1, 4, 4))
    array([[[ 5,  6],
            [ 9, 10]]])
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _size("CenterCrop", size)

    def __call__(self, img: Any) -> Any:
        out_width, out_height = self.size
        if _is_image(img):
            width, height = img.size
            left, top = (width - out_width) // 2, (height - out_height) // 2
            return img.crop((left, top, left + out_width, top + out_height))
        x = _array("CenterCrop", img)
        height, width = x.shape[-2:]
        if out_height > height or out_width > width:
            raise ValueError(
                f"CenterCrop: expected an array of at least {out_height} x {out_width}; "
                f"got {height} x {width}"
            )
        left, top = (width - out_width) // 2, (height - out_height) // 2
        return x[..., top : top + out_height, left : left + out_width]


class ToArray:
    """A PIL image as an array of shape (C, H, W).

    Parameters
    ----------
    dtype : dtype, default float32
        The values stay as they are, 0 to 255 in most modes. Arrays pass unchanged.
    """

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = dtype

    def __call__(self, img: Any) -> NumpyArray:
        if isinstance(img, np.ndarray):
            return img
        if not _is_image(img):
            raise TypeError(f"ToArray: expected a PIL image or a NumPy array; got {type(img).__name__}")
        x = np.asarray(img)
        x = x[None] if x.ndim == 2 else x.transpose(2, 0, 1)
        return x.astype(self.dtype)


class ToPIL:
    """An array of shape (C, H, W), with values from 0 to 255, as a PIL image."""

    def __call__(self, array: NumpyArray) -> Any:
        x = _array("ToPIL", array)
        if x.ndim != 3 or x.shape[0] not in (1, 3, 4):
            raise ValueError(f"ToPIL: expected shape (C, H, W) with 1, 3 or 4 channels; got {x.shape}")
        x = x if x.dtype == np.uint8 else np.clip(np.rint(x), 0, 255).astype(np.uint8)
        x = x[0] if x.shape[0] == 1 else x.transpose(1, 2, 0)
        return _pil("ToPIL").fromarray(np.ascontiguousarray(x))


# -- values of arrays ----------------------------------------------------------------------------


class Normalize:
    """``(x - mean) / std``, with one number for all or one for each channel.

    Parameters
    ----------
    mean, std : float or sequence of float, default 0 and 1

    Examples
    --------
    >>> tg.transforms.Normalize([1.0, 2.0], 2.0)(np.array([[3.0], [3.0]]))
    array([[1. ],
           [0.5]])
    """

    def __init__(self, mean: Any = 0, std: Any = 1) -> None:
        self.mean = mean
        self.std = std

    def __call__(self, array: NumpyArray) -> NumpyArray:
        return (array - self._like(self.mean, array)) / self._like(self.std, array)  # type: ignore[no-any-return]

    def _like(self, values: Any, array: NumpyArray) -> Any:
        if np.ndim(values) == 0:
            return values
        channels = np.asarray(values)
        if array.dtype.kind == "f":
            channels = channels.astype(array.dtype)
        if array.ndim == 0 or channels.shape not in ((1,), array.shape[:1]):
            raise ValueError(
                f"Normalize: expected a number for each channel of shape {array.shape}; got {channels.shape}"
            )
        return channels.reshape(-1, *[1] * (array.ndim - 1))


class Flatten:
    """An array with one axis.

    Examples
    --------
    >>> tg.transforms.Flatten()(np.zeros((1, 28, 28))).shape
    (784,)
    """

    def __call__(self, array: NumpyArray) -> NumpyArray:
        return array.reshape(-1)


class AsType:
    """An array, or number, in another dtype.

    Parameters
    ----------
    dtype : dtype, default float32
    """

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = dtype

    def __call__(self, array: Any) -> Any:
        return np.asarray(array).astype(self.dtype)[()]


ToFloat = AsType


class ToInt(AsType):
    """An array, or number, as integers.

    Parameters
    ----------
    dtype : dtype, default int

    Examples
    --------
    >>> tg.transforms.ToInt()(np.array([1.0, 2.5]))
    array([1, 2])
    """

    def __init__(self, dtype: Any = int) -> None:
        super().__init__(dtype)


# -- at random -----------------------------------------------------------------------------------


def _chance(p: float) -> bool:
    return bool(randomness.host().random_sample() < p)


class RandomHorizontalFlip:
    """Left and right exchanged, at random; of an array or a PIL image.

    Parameters
    ----------
    p : float, default 0.5
        The probability.

    Examples
    --------
    >>> tg.transforms.RandomHorizontalFlip(p=1.0)(np.array([[1, 2, 3]]))
    array([[3, 2, 1]])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        if _is_image(img):
            return img.transpose(_pil("RandomHorizontalFlip").Transpose(0)) if _chance(self.p) else img
        x = _array("RandomHorizontalFlip", img)
        return x[..., ::-1] if _chance(self.p) else x


class RandomVerticalFlip:
    """Top and bottom exchanged, at random; of an array or a PIL image.

    Parameters
    ----------
    p : float, default 0.5
        The probability.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        if _is_image(img):
            return img.transpose(_pil("RandomVerticalFlip").Transpose(1)) if _chance(self.p) else img
        x = _array("RandomVerticalFlip", img)
        return x[..., ::-1, :] if _chance(self.p) else x


class RandomCrop:
    """A part of an array, at a random place.

    Parameters
    ----------
    size : int or (int, int)
        Width and height.
    pad : int, default 0
        How many rows and columns are put round the array first.
    fill : float, default 0
        What stands in them.

    Examples
    --------
    >>> tg.transforms.RandomCrop(28, pad=2)(np.zeros((1, 28, 28))).shape
    (1, 28, 28)
    """

    def __init__(self, size: int | Sequence[int], pad: int = 0, fill: float = 0) -> None:
        self.size = _size("RandomCrop", size)
        self.pad = pad
        self.fill = fill

    def __call__(self, array: NumpyArray) -> NumpyArray:
        x = _array("RandomCrop", array)
        if self.pad:
            around = [(0, 0)] * (x.ndim - 2) + [(self.pad, self.pad)] * 2
            x = np.pad(x, around, constant_values=self.fill)
        width, height = self.size
        down, right = x.shape[-2] - height, x.shape[-1] - width
        if down < 0 or right < 0:
            raise ValueError(
                f"RandomCrop: expected an array of at least {height} x {width}; "
                f"got {x.shape[-2]} x {x.shape[-1]}, the padding included"
            )
        top, left = (int(randomness.host().randint(0, n + 1)) for n in (down, right))
        return x[..., top : top + height, left : left + width]


class RandomRotation:
    """An array turned about its middle by a random angle, with linear interpolation.

    Parameters
    ----------
    degrees : float or (float, float)
        The range of angles, counter-clockwise; a number stands for ``(-degrees, degrees)``.
    fill : float, default 0
        What stands where nothing was.

    Examples
    --------
    >>> tg.transforms.RandomRotation((90, 90))(np.array([[1.0, 2.0], [3.0, 4.0]])).round(6)
    array([[2., 4.],
           [1., 3.]])
    """

    def __init__(self, degrees: float | Sequence[float], fill: float = 0) -> None:
        low, high = (-degrees, degrees) if isinstance(degrees, int | float) else degrees
        if low > high:
            raise ValueError(f"RandomRotation: expected a range of degrees from low to high; got {degrees}")
        self.degrees = (float(low), float(high))
        self.fill = fill

    def __call__(self, array: NumpyArray) -> NumpyArray:
        x = _array("RandomRotation", array)
        return _rotated(x, float(randomness.host().uniform(*self.degrees)), self.fill)


def _rotated(x: NumpyArray, degrees: float, fill: float) -> NumpyArray:
    height, width = x.shape[-2:]
    angle = np.deg2rad(degrees)
    down, right = np.ogrid[:height, :width]
    down, right = down - (height - 1) / 2, right - (width - 1) / 2
    row = np.cos(angle) * down + np.sin(angle) * right + (height - 1) / 2  # where each element comes from
    column = -np.sin(angle) * down + np.cos(angle) * right + (width - 1) / 2
    slack = 1e-9  # of the rounding in row and column
    inside = (
        (row >= -slack) & (row <= height - 1 + slack) & (column >= -slack) & (column <= width - 1 + slack)
    )
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    bottom, end = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    below, beyond = row - top, column - left
    upper = x[..., top, left] * (1 - beyond) + x[..., top, end] * beyond
    lower = x[..., bottom, left] * (1 - beyond) + x[..., bottom, end] * beyond
    turned = np.where(inside, upper * (1 - below) + lower * below, fill)
    return (np.rint(turned) if x.dtype.kind in "iu" else turned).astype(x.dtype)


class Cutout:
    """An array with a square at a random place blanked out.

    Parameters
    ----------
    size : int
        Of the square, in rows and columns; a part of it may lie outside.
    fill : float, default 0
        What stands in it.
    p : float, default 1.0
        The probability.

    References
    ----------
    DeVries, Taylor 2017, "Improved regularization of convolutional neural networks with Cutout".

    Examples
    --------
    >>> int(tg.transforms.Cutout(9)(np.ones((1, 4, 4))).sum())
    0
    """

    def __init__(self, size: int, fill: float = 0, p: float = 1.0) -> None:
        if size < 1:
            raise ValueError(f"Cutout: expected a positive size; got {size}")
        self.size = size
        self.fill = fill
        self.p = p

    def __call__(self, array: NumpyArray) -> NumpyArray:
        x = _array("Cutout", array)
        if not _chance(self.p):
            return x
        row, column = (int(randomness.host().randint(0, n)) for n in x.shape[-2:])
        top, left = row - self.size // 2, column - self.size // 2
        x = x.copy()
        x[..., max(top, 0) : max(top + self.size, 0), max(left, 0) : max(left + self.size, 0)] = self.fill
        return x
