"""SqueezeNet, a small network for pictures."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.core import Variable
from tensorgrad.layers.initializers import HeUniform, Normal
from tensorgrad.models.pictures import NumpyArray, Style, prepared
from tensorgrad.models.pretrained import Pretrained, Source, fetch

# Version -> channels and kernel of the first convolution, the fire modules after which pictures are pooled,
# and the places of the fire modules in torchvision's list.
_VERSIONS: dict[str, tuple[int, int, tuple[int, ...], tuple[int, ...]]] = {
    "1.0": (96, 7, (4, 8), (3, 4, 5, 7, 8, 9, 10, 12)),
    "1.1": (64, 3, (3, 5), (3, 4, 6, 7, 9, 10, 11, 12)),
}
_SQUEEZED = (16, 16, 32, 32, 48, 48, 64, 64)
"""Channels in the middle of fire2 to fire9; each of the two expansions has four times as many."""


class SqueezeNet(Pretrained):
    """Fire modules between two convolutions: as good as AlexNet with a fiftieth of its parameters.

    Parameters
    ----------
    pretrained : bool, str or path, default False
        The path of a file, npz or safetensors, with the names here or torchvision's. There are no weights
        to download that could be read without pickle, so True is an error that says how to make a file.
    version : {'1.0', '1.1'}
        The paper's, with 1,248,424 parameters, or that of its authors' later release, with 1,235,496 and
        less than half of the computation.
    n_classes : int, default 1000
    sha256 : str, optional
        What the file's checksum must be.

    Attributes
    ----------
    conv1, conv10 : Conv2d
    fire2, fire3, ..., fire9 : Fire
        Each has the convolutions ``squeeze``, ``expand1`` and ``expand3``.

    Raises
    ------
    LookupError
        If `pretrained` is True.
    ValueError
        If `version` is another, or the weights do not fit.

    Notes
    -----
    `forward` takes pictures of shape (N, 3, H, W), of 29 x 29 or more, and gives logits of shape
    (N, n_classes). Predict under `tensorgrad.test_mode`: there is dropout before `conv10`.

    References
    ----------
    Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model
    size", arXiv:1602.07360, table 1.

    Examples
    --------
    >>> model = tg.models.SqueezeNet(version="1.1", n_classes=10)
    >>> with tg.no_grad():
    ...     model(np.zeros((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """

    def __init__(
        self,
        pretrained: Source = False,
        version: Literal["1.0", "1.1"] = "1.0",
        *,
        n_classes: int = 1000,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        if version not in _VERSIONS:
            raise ValueError(f"SqueezeNet: expected the version '1.0' or '1.1'; got {version!r}")
        fetched = fetch("SqueezeNet", pretrained, None, sha256)
        self.version = version
        channels, kernel_size, _, _ = _VERSIONS[version]
        self.conv1 = L.Conv2d(channels, kernel_size, 2, initial_W=HeUniform())
        for i, squeezed in enumerate(_SQUEEZED, 2):
            setattr(self, f"fire{i}", Fire(squeezed, 4 * squeezed))
        self.conv10 = L.Conv2d(n_classes, 1, initial_W=Normal(0.01))
        self._take(fetched)

    def forward(self, x: Any) -> Variable:
        _, _, pooled, _ = _VERSIONS[self.version]
        x = F.pooling(F.relu(self.conv1(x)), 3, 2, cover_all=True)
        for i in range(2, 10):
            x = getattr(self, f"fire{i}")(x)
            if i in pooled:
                x = F.pooling(x, 3, 2, cover_all=True)
        x = F.relu(self.conv10(F.dropout(x)))
        return F.global_average_pooling(x)

    @staticmethod
    def preprocess(
        image: Any,
        size: tuple[int, int] | None = (224, 224),
        dtype: Any = np.float32,
        *,
        style: Style = "torch",
    ) -> NumpyArray:
        """A picture as the network takes it, without the axis of the batch.

        Parameters
        ----------
        image : PIL image
        size : (int, int), optional
            Width and height that it is resized to; None leaves it as it is.
        dtype : NumPy dtype, default float32
        style : {'torch', 'caffe'}
            For torchvision's weights: red, green and blue, standardised. For those of the authors: blue,
            green and red from 0 to 255, less their mean over ImageNet.

        Returns
        -------
        numpy.ndarray, shape (3, H, W)

        Raises
        ------
        TypeError
            If `image` is no PIL image, or `dtype` not real floating.
        """
        return prepared(image, size, dtype, style, (104.0, 117.0, 123.0))

    def torch_names(self) -> dict[str, str]:
        *_, places = _VERSIONS[self.version]
        names = {"conv1": "features.0", "conv10": "classifier.1"}
        for i, place in enumerate(places, 2):
            for ours, theirs in [("squeeze", "squeeze"), ("expand1", "expand1x1"), ("expand3", "expand3x3")]:
                names[f"fire{i}/{ours}"] = f"features.{place}.{theirs}"
        return names


class Fire(L.Layer):
    """A convolution of 1 x 1 to few channels, and from these one of 1 x 1 beside one of 3 x 3.

    Parameters
    ----------
    squeezed, expanded : int
        Channels of the first convolution, and of each of the other two.
    """

    def __init__(self, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = L.Conv2d(squeezed, 1, initial_W=HeUniform())
        self.expand1 = L.Conv2d(expanded, 1, initial_W=HeUniform())
        self.expand3 = L.Conv2d(expanded, 3, pad=1, initial_W=HeUniform())

    def forward(self, x: Any) -> Variable:
        h = F.relu(self.squeeze(x))
        y: Variable = F.relu(F.concat([self.expand1(h), self.expand3(h)], axis=1))
        return y
