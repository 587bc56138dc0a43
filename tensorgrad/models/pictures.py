"""Pictures as networks for ImageNet want them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tensorgrad import transforms

NumpyArray = np.ndarray[Any, Any]
Style = Literal["caffe", "torch"]
"""Whose weights: Caffe's networks take BGR from 0 to 255 less a mean, torchvision's RGB, standardised."""

STYLES = ("caffe", "torch")


def prepared(
    image: Any, size: tuple[int, int] | None, dtype: Any, style: str, caffe_mean: tuple[float, float, float]
) -> NumpyArray:
    """A PIL image as an array of shape (3, H, W); `caffe_mean` is of blue, green and red.

    References
    ----------
    Mean and deviation of `style` ``'torch'``: those of torchvision's documentation.
    """
    if style not in STYLES:
        raise ValueError(f"preprocess: expected the style 'caffe' or 'torch'; got {style!r}")
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"preprocess: expected a real floating dtype; got {np.dtype(dtype)}")
    image = transforms.Convert("RGB")(image)
    if size:
        image = image.resize(size)
    x = np.asarray(image, dtype=dtype)
    if style == "caffe":
        x = x[:, :, ::-1] - np.array(caffe_mean, dtype)
    else:
        x = (x / 255 - np.array([0.485, 0.456, 0.406], dtype)) / np.array([0.229, 0.224, 0.225], dtype)
    return np.ascontiguousarray(x.transpose(2, 0, 1))
