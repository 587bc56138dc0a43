"""CIFAR10 and CIFAR100: colour images of 32 x 32 pixels."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np

from tensorgrad import downloads, transforms
from tensorgrad.datasets.dataset import Transform
from tensorgrad.datasets.pictures import Images

CENTRED = transforms.Compose([transforms.ToFloat(), transforms.Normalize(127.5, 127.5)])
"""The transform by default: float32, -1 to 1."""


class CIFAR10(Images):
    """Colour images in ten classes: 50,000 to train on, 10,000 to test with.

    Read from the archive of the binary form, which holds bytes alone.

    Parameters
    ----------
    train : bool, default True
    transform : callable, optional
        By default an image is float32 from -1 to 1, shape (3, 32, 32). None gives it as it is: uint8.
    target_transform : callable, optional
    root : str or path, optional
        The archive ``cifar-10-binary.tar.gz``, or a folder with it or with its ``.bin`` files, to be read
        instead of a download.

    Attributes
    ----------
    data : NumPy array, shape (N, 3, 32, 32), uint8
    label : NumPy array, shape (N,), int64

    Raises
    ------
    ConnectionError
        If the archive must be downloaded and cannot be.
    FileNotFoundError
        If `root` lacks a file.
    ValueError
        If a file is cut short or altered.

    References
    ----------
    Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """

    url: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    checksum: ClassVar[str] = "md5:c32a1d4ab5d03f1284b67883e8d87530"
    parts: ClassVar[dict[bool, tuple[str, ...]]] = {
        True: tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        False: ("test_batch.bin",),
    }
    names: ClassVar[tuple[str, ...]] = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    _label_bytes: ClassVar[int] = 1

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = CENTRED,
        target_transform: Transform | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        self.root = root
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        size = self._label_bytes + 3 * 32 * 32
        contents = [self._content(name) for name in self.parts[self.train]]
        for name, content in zip(self.parts[self.train], contents, strict=True):
            if len(content) % size or not content:
                raise ValueError(f"{name}: expected records of {size} bytes; got {len(content)} bytes in all")
        records = np.concatenate([np.frombuffer(c, np.uint8).reshape(-1, size) for c in contents])
        self.data = records[:, self._label_bytes :].reshape(-1, 3, 32, 32).copy()
        self.label = records[:, self._label_column()].astype(np.int64)

    def _label_column(self) -> int:
        return 0

    def _content(self, name: str) -> bytes:
        """The bytes of a file in the archive, or beside it."""
        from pathlib import Path  # noqa: PLC0415

        archive = self.url.rpartition("/")[2]
        if self.root is None:
            return _member(downloads.get_file(self.url, checksum=self.checksum), name)
        root = Path(self.root)
        if root.is_file():
            return _member(root, name)
        for place in (root / name, *sorted(root.glob(f"*/{name}"))):
            if place.is_file():
                return place.read_bytes()
        if (root / archive).is_file():
            return _member(root / archive, name)
        raise FileNotFoundError(f"no file {name} and no {archive} in {root}")

    @classmethod
    def labels(cls) -> dict[int, str]:
        """The classes by number.

        Examples
        --------
        >>> tg.datasets.CIFAR10.labels()[8]
        'ship'
        """
        return dict(enumerate(cls.names))


_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


class CIFAR100(CIFAR10):
    """Colour images in a hundred classes, which make twenty groups.

    Parameters
    ----------
    train : bool, default True
    transform, target_transform : callable, optional
        As those of `CIFAR10`.
    label_type : {'fine', 'coarse'}
        Whether labels are classes, 0 to 99, or groups, 0 to 19.
    root : str or path, optional
        The archive ``cifar-100-binary.tar.gz``, or a folder with it or with its ``.bin`` files.

    References
    ----------
    Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """

    url = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
    checksum = "md5:03b5dce01913d631647c71ecec9e9cb8"
    parts: ClassVar[dict[bool, tuple[str, ...]]] = {True: ("train.bin",), False: ("test.bin",)}
    names = tuple(_FINE.split())
    coarse_names: ClassVar[tuple[str, ...]] = (
        *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables"),
        *("household_electrical_devices", "household_furniture", "insects", "large_carnivores"),
        *("large_man-made_outdoor_things", "large_natural_outdoor_scenes"),
        *("large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates", "people"),
        *("reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2"),
    )
    _label_bytes = 2

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = CENTRED,
        target_transform: Transform | None = None,
        label_type: str = "fine",
        *,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        if label_type not in ("fine", "coarse"):
            raise ValueError(f"CIFAR100: expected label_type 'fine' or 'coarse'; got {label_type!r}")
        self.label_type = label_type
        super().__init__(train, transform, target_transform, root)

    def _label_column(self) -> int:
        return 0 if self.label_type == "coarse" else 1

    @classmethod
    def labels(cls, label_type: str = "fine") -> dict[int, str]:
        """The classes, or groups, by number.

        Examples
        --------
        >>> tg.datasets.CIFAR100.labels()[0], tg.datasets.CIFAR100.labels("coarse")[1]
        ('apple', 'fish')
        """
        return dict(enumerate(cls.names if label_type == "fine" else cls.coarse_names))


def _member(archive: Any, name: str) -> bytes:
    """A file in a tar archive, by the last part of its name; nothing is unpacked."""
    import tarfile  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.rpartition("/")[2] == name:
                    content = tar.extractfile(member)
                    assert content is not None, "a regular file"
                    return content.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{archive} is not a whole tar archive: {error}") from error
    raise FileNotFoundError(f"no file {name} in {archive}")
