"""ResNet, networks whose blocks add to what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import Array
from tensorgrad.core import Variable
from tensorgrad.models.pictures import STYLES, NumpyArray, Style, prepared
from tensorgrad.models.pretrained import Pretrained, Source, fetch, is_torch

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Number of layers -> how many blocks each of the four stages has."""


class ResNet(Pretrained):
    """A residual network for pictures; `ResNet18` to `ResNet152` are those of the paper.

    Parameters
    ----------
    n_layers : {18, 34, 50, 101, 152}, default 152
        With 18 and 34, blocks have two convolutions of 3 x 3; with more, one of 3 x 3 between two of 1 x 1.
    pretrained : bool, str or path, default False
        With True, the book's weights for 50, 101 or 152 layers are downloaded once into the cache folder,
        see `tensorgrad.downloads`. Or the path of a file: npz with the names of the book, or safetensors
        with these or torchvision's names.
    style : {'caffe', 'torch'}, optional
        Two networks have this name. ``'caffe'`` is that of the paper and of the book's weights: a stage
        takes its step of 2 in the first convolution of 1 x 1, pictures are pooled up to their end, and
        2e-5 is added to variances. ``'torch'`` is torchvision's: the step is taken in the convolution of
        3 x 3, pooling pads by 1, and 1e-5 is added. By default as the names in `pretrained` say, and
        otherwise ``'caffe'``. Both have the same parameters.
    n_classes : int, default 1000
    width : int, default 64
        Channels of the first convolution; the others follow.
    sha256 : str, optional
        What the file's checksum must be. None was published with the book's weights; without it a damaged
        file is still refused, since npz files hold checksums of their own.

    Attributes
    ----------
    conv1 : Conv2d
    bn1 : BatchNorm
    res2, res3, res4, res5 : BuildingBlock
        Each has blocks ``a``, ``b1``, ``b2``, ...
    fc6 : Linear

    Raises
    ------
    ConnectionError
        If weights must be downloaded and cannot be; the message says where to put the file by hand.
    LookupError
        If there are none to download.
    ValueError
        If `n_layers` is another number, or the weights do not fit.

    Notes
    -----
    `forward` takes pictures of shape (N, 3, H, W) of any size, prepared with `preprocess`, and gives logits
    of shape (N, n_classes). Predict under `tensorgrad.test_mode`. For classes of your own load the weights,
    then replace the last layer: ``model.fc6 = L.Linear(10)``.

    The first convolution has no bias: a normalisation follows, which takes it off again. That of the book's
    files is taken into the running mean of `bn1`.

    References
    ----------
    He, Zhang, Ren, Sun 2016, "Deep residual learning for image recognition", CVPR, table 1.

    Examples
    --------
    >>> model = tg.models.ResNet(18, n_classes=10, width=4)
    >>> model(np.zeros((1, 3, 64, 64), np.float32)).shape
    (1, 10)
    """

    WEIGHTS_PATH = "https://github.com/koki0702/dezero-models/releases/download/v0.1/resnet{}.npz"

    def __init__(
        self,
        n_layers: int = 152,
        pretrained: Source = False,
        *,
        style: Style | None = None,
        n_classes: int = 1000,
        width: int = 64,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        if n_layers not in DEPTHS:
            raise ValueError(f"ResNet: expected n_layers of 18, 34, 50, 101 or 152; got {n_layers}")
        if style is not None and style not in STYLES:
            raise ValueError(f"ResNet: expected the style 'caffe' or 'torch'; got {style!r}")
        url = self.WEIGHTS_PATH.format(n_layers) if n_layers >= 50 else None
        fetched = fetch(f"ResNet{n_layers}", pretrained, url, sha256)
        if style is None:
            style = "torch" if fetched is not None and is_torch(fetched.arrays) else "caffe"
        self.n_layers = n_layers
        self.style = style
        first, second, third, fourth = DEPTHS[n_layers]
        wide = n_layers >= 50
        self.conv1 = L.Conv2d(width, 7, 2, 3, nobias=True)
        self.bn1 = _norm(style)
        self.res2 = BuildingBlock(first, width, 1, style, wide=wide)
        self.res3 = BuildingBlock(second, 2 * width, 2, style, wide=wide)
        self.res4 = BuildingBlock(third, 4 * width, 2, style, wide=wide)
        self.res5 = BuildingBlock(fourth, 8 * width, 2, style, wide=wide)
        self.fc6 = L.Linear(n_classes)
        self._take(fetched)

    def forward(self, x: Any) -> Variable:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.pooling(x, 3, 2, 1) if self.style == "torch" else F.pooling(x, 3, 2, cover_all=True)
        x = self.res5(self.res4(self.res3(self.res2(x))))
        y: Variable = self.fc6(F.global_average_pooling(x))
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
            That of the network: blue, green and red from 0 to 255, less their mean over ImageNet; or red,
            green and blue, standardised.

        Returns
        -------
        numpy.ndarray, shape (3, H, W)

        Raises
        ------
        TypeError
            If `image` is no PIL image, or `dtype` not real floating.
        """
        return prepared(image, size, dtype, style, (103.063, 115.903, 123.152))

    def torch_names(self) -> dict[str, str]:
        names = {"conv1": "conv1", "bn1": "bn1", "fc6": "fc"}
        for stage, length in enumerate(DEPTHS[self.n_layers], 1):
            for i in range(length):
                ours = f"res{stage + 1}/{f'b{i}' if i else 'a'}"
                for part, theirs in _torch_parts(wide=self.n_layers >= 50).items():
                    names[f"{ours}/{part}"] = f"layer{stage}.{i}.{theirs}"
        return names

    def own_names(self, state: Mapping[str, Array]) -> Mapping[str, Array]:
        has_bias = "conv1/b" in state
        if (is_torch(state) and self.style != "torch") or (has_bias and self.style != "caffe"):
            theirs = "caffe" if has_bias else "torch"
            raise ValueError(
                f"{type(self).__name__}: these weights are for style={theirs!r}; this network has "
                f"{self.style!r}. Make one with style={theirs!r}, or give the file as pretrained="
            )
        if has_bias and "bn1/avg_mean" in state:
            bias = state["conv1/b"]
            state = {name: array for name, array in state.items() if name != "conv1/b"}
            state["bn1/avg_mean"] = state["bn1/avg_mean"] - bias
        return super().own_names(state)


class BuildingBlock(L.Layer):
    """Blocks of one size: ``a``, which may shrink the picture and change the channels, then ``b1``, ..."""

    def __init__(self, n_blocks: int, channels: int, stride: int, style: str, *, wide: bool) -> None:
        super().__init__()
        self._length = n_blocks
        kind = Bottleneck if wide else BasicBlock
        self.a = kind(channels, stride, style, projected=wide or stride > 1)
        for i in range(1, n_blocks):
            setattr(self, f"b{i}", kind(channels, 1, style, projected=False))

    def forward(self, x: Any) -> Variable:
        y: Variable = self.a(x)
        for i in range(1, self._length):
            y = getattr(self, f"b{i}")(y)
        return y


class Bottleneck(L.Layer):
    """Fewer channels, a convolution of 3 x 3, four times as many: added to x, or to a projection of it."""

    conv4: L.Conv2d | None
    bn4: L.BatchNorm | None

    def __init__(self, channels: int, stride: int, style: str, *, projected: bool) -> None:
        super().__init__()
        first, second = (1, stride) if style == "torch" else (stride, 1)
        self.conv1 = L.Conv2d(channels, 1, first, nobias=True)
        self.bn1 = _norm(style)
        self.conv2 = L.Conv2d(channels, 3, second, 1, nobias=True)
        self.bn2 = _norm(style)
        self.conv3 = L.Conv2d(4 * channels, 1, nobias=True)
        self.bn3 = _norm(style)
        self.conv4 = L.Conv2d(4 * channels, 1, stride, nobias=True) if projected else None
        self.bn4 = _norm(style) if projected else None

    def forward(self, x: Any) -> Variable:
        h = F.relu(self.bn1(self.conv1(x)))
        h = F.relu(self.bn2(self.conv2(h)))
        h = self.bn3(self.conv3(h))
        y: Variable = F.relu(h + _shortcut(x, self.conv4, self.bn4))
        return y


class BasicBlock(L.Layer):
    """Two convolutions of 3 x 3: added to x, or to a projection of it."""

    conv3: L.Conv2d | None
    bn3: L.BatchNorm | None

    def __init__(self, channels: int, stride: int, style: str, *, projected: bool) -> None:
        super().__init__()
        self.conv1 = L.Conv2d(channels, 3, stride, 1, nobias=True)
        self.bn1 = _norm(style)
        self.conv2 = L.Conv2d(channels, 3, 1, 1, nobias=True)
        self.bn2 = _norm(style)
        self.conv3 = L.Conv2d(channels, 1, stride, nobias=True) if projected else None
        self.bn3 = _norm(style) if projected else None

    def forward(self, x: Any) -> Variable:
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        y: Variable = F.relu(h + _shortcut(x, self.conv3, self.bn3))
        return y


def _norm(style: str) -> L.BatchNorm:
    return L.BatchNorm(eps=1e-5 if style == "torch" else 2e-5)


def _shortcut(x: Any, conv: L.Conv2d | None, norm: L.BatchNorm | None) -> Any:
    return x if conv is None or norm is None else norm(conv(x))


def _torch_parts(*, wide: bool) -> dict[str, str]:
    """Layers of a block -> torchvision's names for them."""
    n = 3 if wide else 2
    names = {f"{kind}{i}": f"{kind}{i}" for i in range(1, n + 1) for kind in ("conv", "bn")}
    return names | {f"conv{n + 1}": "downsample.0", f"bn{n + 1}": "downsample.1"}


class ResNet18(ResNet):
    """`ResNet` with 18 layers: 11,689,512 parameters that are trained."""

    def __init__(self, pretrained: Source = False, **settings: Any) -> None:
        super().__init__(18, pretrained, **settings)


class ResNet34(ResNet):
    """`ResNet` with 34 layers: 21,797,672 parameters that are trained."""

    def __init__(self, pretrained: Source = False, **settings: Any) -> None:
        super().__init__(34, pretrained, **settings)


class ResNet50(ResNet):
    """`ResNet` with 50 layers: 25,557,032 parameters that are trained."""

    def __init__(self, pretrained: Source = False, **settings: Any) -> None:
        super().__init__(50, pretrained, **settings)


class ResNet101(ResNet):
    """`ResNet` with 101 layers: 44,549,160 parameters that are trained."""

    def __init__(self, pretrained: Source = False, **settings: Any) -> None:
        super().__init__(101, pretrained, **settings)


class ResNet152(ResNet):
    """`ResNet` with 152 layers: 60,192,808 parameters that are trained."""

    def __init__(self, pretrained: Source = False, **settings: Any) -> None:
        super().__init__(152, pretrained, **settings)
