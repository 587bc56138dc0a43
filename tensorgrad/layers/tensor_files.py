"""Arrays by name in safetensors files: written whole or not at all, with a checksum of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorgrad.npz import NumpyArray, replacing, without_bfloat16

ENDING = ".safetensors"

_CODES = {"bool": "BOOL", "complex64": "C64"}
_CODES |= {f"float{bits}": f"F{bits}" for bits in (16, 32, 64)}
_CODES |= {
    f"{kind}{bits}": f"{kind[0].upper()}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}
"""NumPy's dtypes that the format has, and how it calls them."""

_KEY, _MARK = "checksum", "tensorgrad sha256:"
"""Of the checksum in the file's metadata. The format has none: it only says how long everything is."""


def _library(what: str) -> Any:
    """The module `safetensors`, with its part for NumPy."""
    try:
        import safetensors.numpy  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ImportError(
            f"{what} files need safetensors, which is not installed ({error}). "
            "Install it: python -m pip install safetensors"
        ) from error
    return safetensors


def write(path: str | os.PathLike[str], arrays: Mapping[str, NumpyArray]) -> None:
    """Write a safetensors file beside `path` and put it there when it is complete.

    The same arrays make the same bytes. bfloat16, which NumPy lacks, becomes float32, as `read` gives it.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    ValueError
        If an array has a dtype that the format lacks.
    """
    library = _library(ENDING)
    arrays = without_bfloat16(arrays)
    for name, array in arrays.items():
        if array.dtype.name not in _CODES:
            raise ValueError(
                f"{name}: dtype {array.dtype} cannot be written to a safetensors file. "
                "Convert it first, to float32 for example."
            )
    ready = {name: np.asarray(a, a.dtype.newbyteorder("<"), order="C") for name, a in arrays.items()}
    with replacing(path) as unfinished:
        library.numpy.save_file(ready, unfinished, metadata={_KEY: _MARK + _digest(ready)})


def read(path: str | os.PathLike[str]) -> dict[str, NumpyArray]:
    """Read every array of a safetensors file; bfloat16, which NumPy lacks, as float32.

    Raises
    ------
    ImportError
        If safetensors is not installed.
    ValueError
        If the file is cut short or damaged. Altered numbers are noticed where `write` wrote it: other
        programs note no checksum.
    """
    library = _library(ENDING)
    with open(path, "rb"):  # noqa: PTH123  # what cannot be opened is no damaged file
        pass
    try:
        with library.safe_open(path, framework="np") as file:
            names = list(file.keys())
            metadata = file.metadata() or {}
            dtypes = {name: file.get_slice(name).get_dtype() for name in names}
            arrays = {name: file.get_tensor(name) for name in names if dtypes[name] in _CODES.values()}
    except (OSError, library.SafetensorError) as error:
        raise ValueError(
            f"{path} is not a whole safetensors file: {error}. Was it cut short, or altered?"
        ) from error
    unknown = {name: dtype for name, dtype in dtypes.items() if name not in arrays and dtype != "BF16"}
    if unknown:
        name, dtype = next(iter(unknown.items()))
        raise ValueError(f"{path}: {name} has the dtype {dtype}, which NumPy lacks")
    if len(arrays) < len(names):
        arrays |= _widened(library, path)
    noted = [value for key, value in metadata.items() if key == _KEY or value.startswith(_MARK)]
    if noted and metadata.get(_KEY) != _MARK + _digest(arrays):
        raise ValueError(f"{path} is not as it was written: its checksum is another. Was it altered?")
    return arrays


def _widened(library: Any, path: str | os.PathLike[str]) -> dict[str, NumpyArray]:
    """The arrays of bfloat16: these are the upper halves of float32."""
    with open(path, "rb") as file:  # noqa: PTH123  # as above
        found = library.deserialize(file.read())
    return {
        name: (np.frombuffer(t["data"], "<u2").astype("<u4") << 16).view("<f4").reshape(t["shape"])
        for name, t in found
        if t["dtype"] == "BF16"
    }


def _digest(arrays: Mapping[str, NumpyArray]) -> str:
    import hashlib  # noqa: PLC0415  # takes a while to import

    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        found.update(array.data if array.size else b"")
    return found.hexdigest()
