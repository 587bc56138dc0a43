"""Images in folders, one for each class; ImageNet is such."""

from __future__ import annotations

import os
from typing import Any

from tensorgrad import downloads
from tensorgrad.datasets.dataset import Dataset, Transform

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFolder(Dataset):
    """Images in folders: each folder is a class, numbered in alphabetical order.

    An image is read, by Pillow, when it is asked for.

    Parameters
    ----------
    root : str or path
    transform : callable, optional
        Gets a PIL image in RGB. It must give an array for a DataLoader: end with `transforms.ToArray`.
    target_transform : callable, optional

    Attributes
    ----------
    classes : list of str
        The names of the folders.
    data : list of str
        The paths of the images.
    label : list of int

    Raises
    ------
    FileNotFoundError
        If `root` has no folders with images.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.root = root
        super().__init__(True, transform, target_transform)

    def prepare(self) -> None:
        from pathlib import Path  # noqa: PLC0415

        root = Path(self.root)
        folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
        self.classes = [folder.name for folder in folders]
        self.data, self.label = [], []
        for number, folder in enumerate(folders):
            found = sorted(str(p) for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
            self.data += found
            self.label += [number] * len(found)
        if not self.data:
            raise FileNotFoundError(
                f"{type(self).__name__}: expected a folder with a folder of images for each class; got {root}"
            )

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        x = self._read(self.data[index])
        t = self.label[index]
        x = x if self.transform is None else self.transform(x)
        return x, (t if self.target_transform is None else self.target_transform(t))

    def _read(self, path: str) -> Any:
        try:
            from PIL import Image  # noqa: PLC0415  # optional
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} needs Pillow, which is not installed ({error}). "
                "Install it: python -m pip install pillow"
            ) from error
        with Image.open(path) as image:
            return image.convert("RGB")


class ImageNet(ImageFolder):
    """ImageNet's 1,000 classes, from a folder: its licence allows no download by programs.

    Parameters
    ----------
    train : bool, default True
        Read the folder ``train`` of `root`, or ``val``.
    transform, target_transform : callable, optional
    root : str or path
        Each of its two folders has a folder of images for each class (``n01440764``, ...).

    Raises
    ------
    ValueError
        If `root` is not given.
    FileNotFoundError
        If it lacks the folder, or that has no images.

    References
    ----------
    Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge".
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        if root is None:
            raise ValueError(
                "ImageNet: expected root, the folder that has train and val. ImageNet is not downloaded: "
                "register at https://image-net.org and unpack its archives there."
            )
        from pathlib import Path  # noqa: PLC0415

        super().__init__(Path(root) / ("train" if train else "val"), transform, target_transform)
        self.train = train

    @staticmethod
    def labels(root: str | os.PathLike[str] | None = None) -> dict[int, str]:
        """The 1,000 classes by number, downloaded once.

        Parameters
        ----------
        root : str or path, optional
            A local file to read instead: a Python dict of numbers and names, as text.

        Raises
        ------
        ConnectionError
            If the file must be downloaded and cannot be.
        ValueError
            If it is no dict of numbers and names.
        """
        import ast  # noqa: PLC0415
        from pathlib import Path  # noqa: PLC0415

        path = downloads.get_file(LABELS) if root is None else root
        try:
            found = ast.literal_eval(Path(path).read_text(encoding="utf-8"))
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"{path} is not a dict of numbers and names: {error}") from error
        if not isinstance(found, dict) or not all(
            isinstance(k, int) and isinstance(v, str) for k, v in found.items()
        ):
            raise ValueError(f"{path} is not a dict of numbers and names")
        return found


LABELS = (
    "https://gist.githubusercontent.com/yrevar/942d3a0ac09ec9e5eb3a/raw/"
    "238f720ff059c1f82f368259d1ca4ffa5dd8f9f5/imagenet1000_clsidx_to_labels.txt"
)
