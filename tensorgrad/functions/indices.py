"""What an index says, in the words that every array library understands."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array, Backend


def full_index(index: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index of integers, slices, None and Ellipsis with an item for every axis, within its bounds."""
    items = index if isinstance(index, tuple) else (index,)
    used = sum(i is not None and i is not ... for i in items)
    if used > len(shape):
        raise IndexError(
            f"get_item: expected at most {len(shape)} indices; got {used} for shape {tuple(shape)}"
        )
    lengths = iter(shape)
    full: list[Any] = []
    for item in items if ... in items else (*items, ...):
        if item is None:
            full.append(None)
        elif item is ...:
            for _ in range(len(shape) - used):
                next(lengths)
                full.append(slice(None))
        elif isinstance(item, slice):
            start, stop, step = item.indices(next(lengths))
            if range(start, stop, step):
                full.append(slice(start, None if stop < 0 else stop, step))
            else:
                full.append(slice(0, 0))
        else:
            n = next(lengths)
            if not -n <= item < n:
                raise IndexError(f"get_item: index {item} is out of bounds for an axis of length {n}")
            full.append(item)
    return tuple(full)


def shape_of_index(index: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a full index of integers and slices gives."""
    pairs = zip(index, shape, strict=True)
    return tuple(len(range(*i.indices(n))) for i, n in pairs if isinstance(i, slice))


def positions(backend: Backend, shape: tuple[int, ...], index: tuple[Array, ...]) -> Array:
    """Where the elements of ``x[index]`` are in the flattened `x`; integer arrays on its leading axes.

    Raises
    ------
    IndexError
        If an integer is out of bounds.
    """
    xp = backend.xp
    if len(index) > len(shape):
        raise IndexError(f"get_item: expected at most {len(shape)} indices; got {len(index)}")
    rows = tuple(shape[len(index) :])
    size = math.prod(rows)
    places = xp.reshape(xp.arange(size, device=backend.device(index[0])), rows)
    stride = size
    for n, array in reversed(list(zip(shape, index, strict=False))):
        if bool(xp.any(array < -n)) or bool(xp.any(array >= n)):
            low, high = int(xp.min(array)), int(xp.max(array))
            worst = high if high >= n else low
            raise IndexError(f"get_item: index {worst} is out of bounds for an axis of length {n}")
        array = xp.astype(array, places.dtype)  # noqa: PLW2901  # wide enough for the product
        array = xp.where(array < 0, array + n, array) * stride  # noqa: PLW2901
        places = xp.reshape(array, (*array.shape, *(1,) * len(rows))) + places
        stride *= n
    return places
