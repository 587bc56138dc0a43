"""U-Net, from pictures to pictures."""

from __future__ import annotations

from typing import Any

from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.core import Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.initializers import HeNormal
from tensorgrad.models.model import Model


class UNet(Model):
    """A value, or several, for each pixel: for segmentation, denoising and the like.

    On the way down pictures are halved and channels doubled, on the way up the reverse; what each level had
    on the way down is given to it again on the way up.

    Parameters
    ----------
    out_channels : int
        For segmentation the number of classes: the result holds their logits.
    width : int, default 64
        Channels at full size.
    depth : int, default 4
        How often pictures are halved.
    batch_norm : bool, default True
        Normalise after each convolution, which then has no bias.

    Attributes
    ----------
    down, up : LayerList of TwoConvolutions
        At full size first.
    bottom : TwoConvolutions
    larger : LayerList of ConvTranspose2d
        What doubles pictures, to full size first.
    out : Conv2d

    Notes
    -----
    `forward` takes pictures of shape (N, C, H, W) and gives (N, out_channels, H, W). Convolutions pad, so no
    border is lost, and H and W need not be multiples of ``2**depth``: the larger half is kept on the way
    down, and what is too much is cut off on the way up.

    References
    ----------
    Ronneberger, Fischer, Brox 2015, "U-Net: convolutional networks for biomedical image segmentation",
    MICCAI; there without padding and without normalisation.

    Examples
    --------
    >>> model = tg.models.UNet(2, width=4, depth=2)
    >>> model(np.zeros((1, 3, 21, 30), np.float32)).shape
    (1, 2, 21, 30)
    """

    def __init__(
        self, out_channels: int, width: int = 64, depth: int = 4, *, batch_norm: bool = True
    ) -> None:
        super().__init__()
        if min(out_channels, width) < 1 or depth < 0:
            raise ValueError(
                "UNet: expected out_channels and width of 1 or more and depth >= 0; "
                f"got {out_channels}, {width} and {depth}"
            )
        widths = [width * 2**i for i in range(depth)]
        self.down = L.LayerList(TwoConvolutions(n, batch_norm) for n in widths)
        self.bottom = TwoConvolutions(width * 2**depth, batch_norm)
        self.larger = L.LayerList(L.ConvTranspose2d(n, 2, 2, initial_W=HeNormal()) for n in widths)
        self.up = L.LayerList(TwoConvolutions(n, batch_norm) for n in widths)
        self.out = L.Conv2d(out_channels, 1)

    def forward(self, x: Any) -> Variable:
        shape = tuple(as_array(x).shape)
        if len(shape) != 4:
            raise ValueError(f"UNet: expected x of shape (N, C, H, W); got {shape}")
        kept = []
        for down in self.down:
            x = down(x)
            kept.append(x)
            x = F.pooling(x, 2, 2, "same")
        x = self.bottom(x)
        for beside, larger, up in zip(reversed(kept), [*self.larger][::-1], [*self.up][::-1], strict=True):
            height, width = beside.shape[2:]
            x = up(F.concat([beside, larger(x)[:, :, :height, :width]], axis=1))
        y: Variable = self.out(x)
        return y


class TwoConvolutions(L.Layer):
    """Two convolutions of 3 x 3 with as many channels, each followed by a normalisation, if any, and relu."""

    norm1: L.BatchNorm | None
    norm2: L.BatchNorm | None

    def __init__(self, channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = L.Conv2d(channels, 3, 1, 1, nobias=batch_norm, initial_W=HeNormal())
        self.norm1 = L.BatchNorm() if batch_norm else None
        self.conv2 = L.Conv2d(channels, 3, 1, 1, nobias=batch_norm, initial_W=HeNormal())
        self.norm2 = L.BatchNorm() if batch_norm else None

    def forward(self, x: Any) -> Variable:
        for conv, norm in ((self.conv1, self.norm1), (self.conv2, self.norm2)):
            x = conv(x)
            x = F.relu(x if norm is None else norm(x))
        y: Variable = x
        return y
