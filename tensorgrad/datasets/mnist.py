"""MNIST and FashionMNIST: images of 28 x 28 pixels in ten classes, in idx files."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tensorgrad import downloads, transforms
from tensorgrad.datasets.dataset import Transform
from tensorgrad.datasets.pictures import Images

if TYPE_CHECKING:
    from pathlib import Path

FLAT = transforms.Compose([transforms.Flatten(), transforms.ToFloat(), transforms.Normalize(0.0, 255.0)])
"""The transform by default: shape (784,), float32, 0 to 1."""


class MNIST(Images):
    """Handwritten digits: 60,000 images to train on, 10,000 to test with.

    Parameters
    ----------
    train : bool, default True
    transform : callable, optional
        By default an image is flattened to (784,), in float32 from 0 to 1. None gives it as it is:
        uint8, shape (1, 28, 28).
    target_transform : callable, optional
    root : str or path, optional
        A folder with the idx files, packed by gzip or not, from which they are read instead of being
        downloaded: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k``.
        Where it has only ``images-idx3-ubyte`` and ``labels-idx1-ubyte``, the last eighth is held out to
        test with.

    Attributes
    ----------
    data : NumPy array, shape (N, 1, 28, 28), uint8
    label : NumPy array, shape (N,), int64

    Raises
    ------
    ConnectionError
        If the files must be downloaded and cannot be.
    FileNotFoundError
        If `root` lacks one.
    ValueError
        If a file is cut short or altered.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition".
    """

    url: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    prefix: ClassVar[str] = "mnist-"  # of the names in the cache folder
    checksums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    }
    names: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = FLAT,
        target_transform: Transform | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        self.root = root
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        from pathlib import Path  # noqa: PLC0415

        part = "train-" if self.train else "t10k-"
        if self.root is None:
            paths = [self._downloaded(f"{part}{name}.gz") for name in _FILES]
        else:
            paths = [_local(self.root, part, name) for name in _FILES]
        images, labels = (read_idx(path) for path in paths)
        if len(images) != len(labels) or images.ndim != 3:
            raise ValueError(
                f"{type(self).__name__}: expected an image for each label; "
                f"got shapes {images.shape} and {labels.shape}"
            )
        if not any(part in Path(path).name for path in paths):
            held_out = len(images) - len(images) // 8
            chosen = slice(0, held_out) if self.train else slice(held_out, None)
            images, labels = images[chosen], labels[chosen]
        self.data = images[:, np.newaxis]
        self.label = labels.astype(np.int64)

    def _downloaded(self, name: str) -> str:
        checksum = self.checksums[name]
        return downloads.get_file(self.url + name, self.prefix + name, checksum=checksum)

    @classmethod
    def labels(cls) -> dict[int, str]:
        """The classes by number.

        Examples
        --------
        >>> tg.datasets.FashionMNIST.labels()[9]
        'Ankle boot'
        """
        return dict(enumerate(cls.names))


class FashionMNIST(MNIST):
    """Pictures of clothes, in the form of `MNIST`.

    Parameters
    ----------
    train : bool, default True
    transform, target_transform : callable, optional
    root : str or path, optional
        As those of `MNIST`.

    References
    ----------
    Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms".
    """

    url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    prefix = "fashion-mnist-"
    checksums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    }
    names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )


_FILES = ("images-idx3-ubyte", "labels-idx1-ubyte")


def _local(root: str | os.PathLike[str], part: str, name: str) -> str:
    from pathlib import Path  # noqa: PLC0415

    folder = Path(root)
    tried: list[Path] = []
    for stem in (part + name, name):
        for ending in ("", ".gz"):
            tried.append(folder / (stem + ending))
            if tried[-1].is_file():
                return str(tried[-1])
    raise FileNotFoundError(f"no file {tried[0].name} (or .gz), and no {name}, in {folder}")


def read_idx(path: str | os.PathLike[str]) -> np.ndarray[Any, Any]:
    """The array in an idx file of bytes, packed by gzip or not.

    Raises
    ------
    ValueError
        If it is none, or cut short.
    """
    import gzip  # noqa: PLC0415
    import zlib  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    content = Path(path).read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is not a whole gzip file: {error}. Was it cut short, or altered?"
        ) from error
    axes = content[3] if len(content) > 3 and content[:3] == b"\x00\x00\x08" else 0
    if axes == 0 or len(content) < 4 + 4 * axes:
        raise ValueError(f"{path} is not an idx file of bytes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4))
    start = 4 + 4 * axes
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{path}: expected {math.prod(shape)} bytes for shape {shape}; got {len(content) - start}. "
            "Was it cut short?"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
