"""Dataset, the base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Transform = Callable[[Any], Any]


class Dataset:
    """Examples and their labels, by number.

    A subclass sets ``self.data`` and ``self.label`` (anything that is indexed by integers, or None
    for no labels) in `prepare`, or defines ``__getitem__`` and ``__len__`` itself.

    Parameters
    ----------
    train : bool, default True
        Which part: the one to train on, or the one held out to test with.
    transform : callable, optional
        Applied to each example.
    target_transform : callable, optional
        Applied to each label.

    Examples
    --------
    >>> class Squares(tg.Dataset):
    ...     def prepare(self):
    ...         self.data = np.arange(5.0)
    ...         self.label = self.data**2
    >>> print(*Squares(transform=lambda x: x + 1)[3])
    4.0 9.0
    >>> len(Squares())
    5
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        self.data: Any = None
        self.label: Any = None
        self.prepare()

    def prepare(self) -> None:
        """Set ``self.data`` and ``self.label``; run once, when the data set is made."""

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The example and its label (None if there are none), transformed."""
        x = self.data[index]
        t = None if self.label is None else self.label[index]
        if self.transform is not None:
            x = self.transform(x)
        if self.target_transform is not None and self.label is not None:
            t = self.target_transform(t)
        return x, t

    def __len__(self) -> int:
        if self.data is None:
            raise TypeError(
                f"{type(self).__name__} has no data: set self.data (and self.label) in prepare(), "
                "or define __getitem__ and __len__"
            )
        return len(self.data)
