"""VGG16, the network of 3 x 3 convolutions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.core import Variable
from tensorgrad.models.pictures import NumpyArray, Style, prepared
from tensorgrad.models.pretrained import Pretrained, Source, fetch

STAGES = (2, 2, 3, 3, 3)
"""How many convolutions come before each pooling."""

# The places of convolutions and fully connected layers in torchvision's two lists.
_FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_CLASSIFIER = (0, 3, 6)


class VGG16(Pretrained):
    """13 convolutions and 3 fully connected layers: 138,357,544 parameters for pictures of 224 x 224.

    Parameters
    ----------
    pretrained : bool, str or path, default False
        With True, the book's weights are downloaded once: 528 MB into the cache folder, see
        `tensorgrad.downloads`. Or the path of a file: npz with the names of the book, or safetensors with
        these or torchvision's names.
    n_classes : int, default 1000
    width : int, default 64
        Channels of the first convolutions; the others have 2, 4 and 8 times as many.
    hidden_size : int, default 4096
        Of `fc6` and `fc7`.
    sha256 : str, optional
        What the file's checksum must be. None was published with the book's weights; without it a damaged
        file is still refused, since npz files hold checksums of their own.

    Attributes
    ----------
    conv1_1, conv1_2, conv2_1, ..., conv5_3 : Conv2d
    fc6, fc7, fc8 : Linear

    Raises
    ------
    ConnectionError
        If weights must be downloaded and cannot be; the message says where to put the file by hand.
    ValueError
        If the weights do not fit, or the file is damaged or has another checksum.

    Notes
    -----
    `forward` takes pictures of shape (N, 3, H, W), prepared with `preprocess`, and gives logits of shape
    (N, n_classes). `fc6` takes the size of its input from the first picture, or from the weights; those
    that others trained are for 224 x 224. Predict under `tensorgrad.test_mode`: `fc6` and `fc7` have
    dropout.

    The book's weights, which are Caffe's, and torchvision's want pictures of another `style`. For classes of
    your own load the weights, then replace the last layer: ``model.fc8 = L.Linear(10)``.

    References
    ----------
    Simonyan, Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", ICLR;
    configuration D.

    Examples
    --------
    >>> model = tg.models.VGG16(n_classes=10, width=4, hidden_size=16)
    >>> model(np.zeros((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """

    WEIGHTS_PATH = "https://github.com/koki0702/dezero-models/releases/download/v0.1/vgg16.npz"

    def __init__(
        self,
        pretrained: Source = False,
        *,
        n_classes: int = 1000,
        width: int = 64,
        hidden_size: int = 4096,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        fetched = fetch("VGG16", pretrained, self.WEIGHTS_PATH, sha256)
        conv = partial(L.Conv2d, kernel_size=3, pad=1)
        self.conv1_1 = conv(width)
        self.conv1_2 = conv(width)
        self.conv2_1 = conv(2 * width)
        self.conv2_2 = conv(2 * width)
        self.conv3_1 = conv(4 * width)
        self.conv3_2 = conv(4 * width)
        self.conv3_3 = conv(4 * width)
        self.conv4_1 = conv(8 * width)
        self.conv4_2 = conv(8 * width)
        self.conv4_3 = conv(8 * width)
        self.conv5_1 = conv(8 * width)
        self.conv5_2 = conv(8 * width)
        self.conv5_3 = conv(8 * width)
        self.fc6 = L.Linear(hidden_size)
        self.fc7 = L.Linear(hidden_size)
        self.fc8 = L.Linear(n_classes)
        self._take(fetched)

    def forward(self, x: Any) -> Variable:
        for stage, length in enumerate(STAGES, 1):
            for i in range(1, length + 1):
                x = F.relu(getattr(self, f"conv{stage}_{i}")(x))
            x = F.pooling(x, 2, 2)
        x = F.reshape(x, (x.shape[0], -1))
        x = F.dropout(F.relu(self.fc6(x)))
        x = F.dropout(F.relu(self.fc7(x)))
        y: Variable = self.fc8(x)
        return y

    @staticmethod
    def preprocess(
        image: Any,
        size: tuple[int, int] | None = (224, 224),
        dtype: Any = np.float32,
        *,
        style: Style = "caffe",
    ) -> NumpyArray:
        """A picture as the network takes it, without the axis of the batch.

        Parameters
        ----------
        image : PIL image
        size : (int, int), optional
            Width and height that it is resized to; None leaves it as it is.
        dtype : NumPy dtype, default float32
        style : {'caffe', 'torch'}
            For the book's weights: blue, green and red from 0 to 255, less their mean over ImageNet. For
            torchvision's: red, green and blue, standardised.

        Returns
        -------
        numpy.ndarray, shape (3, H, W)

        Raises
        ------
        TypeError
            If `image` is no PIL image, or `dtype` not real floating.
        """
        return prepared(image, size, dtype, style, (103.939, 116.779, 123.68))

    def torch_names(self) -> dict[str, str]:
        convs = [f"conv{stage}_{i}" for stage, n in enumerate(STAGES, 1) for i in range(1, n + 1)]
        names = {ours: f"features.{n}" for ours, n in zip(convs, _FEATURES, strict=True)}
        return names | {f"fc{6 + i}": f"classifier.{n}" for i, n in enumerate(_CLASSIFIER)}
