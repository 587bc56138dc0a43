"""What is in a file of weights: its arrays as a table, its layers as a tree."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tensorgrad.layers import weights
from tensorgrad.layers.weights import NumpyArray
from tensorgrad.tools.table import aligned, in_bytes


def contents(path: str | os.PathLike[str]) -> str:
    """A table of the arrays in a file: name, shape, dtype, range of the values, bytes.

    Parameters
    ----------
    path : str or path
        Of an npz file, such as `Layer.save_weights` and `Optimizer.save` write, or of a safetensors file.

    Returns
    -------
    str
        Values that are not finite are counted, and stand out of the range.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    arrays = weights.read(path)
    rows = [
        [name, _shape(a), a.dtype.name, f"{a.size:,}", in_bytes(a.nbytes), _range(a)]
        for name, a in arrays.items()
    ]
    numbers = sum(a.size for a in arrays.values())
    size = sum(a.nbytes for a in arrays.values())
    total = f"{len(arrays)} arrays, {numbers:,} numbers, {in_bytes(size)}"
    return "\n".join([*aligned(["name", "shape", "dtype", "numbers", "size", "values"], rows), "", total])


def layers(path: str | os.PathLike[str]) -> str:
    """The layers that a file of weights was saved from, as a tree, with the numbers in each.

    Parameters
    ----------
    path : str or path
        As of `contents`. The names of its arrays are paths such as ``l1/W``, or ``l1.W``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    arrays = weights.read(path)
    separator = "/" if any("/" in name for name in arrays) else "."
    lines = [f"{os.fspath(path)}: {sum(a.size for a in arrays.values()):,} numbers"]
    _grow({tuple(name.split(separator)): a for name, a in arrays.items()}, "", lines)
    return "\n".join(lines)


def _grow(arrays: Mapping[tuple[str, ...], NumpyArray], indent: str, lines: list[str]) -> None:
    branches: dict[str, dict[tuple[str, ...], NumpyArray]] = {}
    for path, a in arrays.items():
        branches.setdefault(path[0], {})[path[1:]] = a
    for i, (name, below) in enumerate(branches.items()):
        last = i == len(branches) - 1
        stem, further = ("└── ", "    ") if last else ("├── ", "│   ")
        own = below.pop((), None)
        text = f"{name}: {sum(a.size for a in below.values()):,}" if below else name
        if own is not None:
            text += f" {_shape(own)} {own.dtype.name}"
        lines.append(indent + stem + text)
        _grow(below, indent + further, lines)


def _shape(array: NumpyArray) -> str:
    return " x ".join(map(str, array.shape)) or "()"


def _range(array: NumpyArray) -> str:
    if array.size == 0 or array.dtype.kind not in "biuf":
        return ""
    known = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    text = f"{known.min():.4g} to {known.max():.4g}" if known.size else ""
    bad = array.size - known.size
    return text if not bad else f"{text} ({bad:,} not finite)".lstrip()
