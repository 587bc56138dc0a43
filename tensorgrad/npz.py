"""Arrays by name in npz files: written whole or not at all, read without pickle."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

NumpyArray = np.ndarray[Any, Any]


def write(path: str | os.PathLike[str], arrays: Mapping[str, NumpyArray]) -> None:
    """Write an npz file beside `path` and put it there when it is complete.

    The same arrays make the same bytes: no time is written. bfloat16, which NumPy lacks, becomes float32.

    Raises
    ------
    ValueError
        If an array has a dtype that the npy format lacks.
    """
    arrays = without_bfloat16(arrays)
    for name, array in arrays.items():
        if array.dtype.kind not in "biufc":
            raise ValueError(
                f"{name}: dtype {array.dtype} cannot be written to an npz file. "
                "Convert it first, to float32 for example."
            )
    import zipfile  # noqa: PLC0415  # takes a while to import, and few programs need it

    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "x") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def without_bfloat16(arrays: Mapping[str, NumpyArray]) -> dict[str, NumpyArray]:
    """The arrays, those of bfloat16 as float32: each number is one of float32 too."""
    return {k: a.astype(np.float32) if a.dtype.name == "bfloat16" else a for k, a in arrays.items()}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new file beside `path`, which takes its place when it is complete and on the disk.

    After an error it is gone, and what was at `path` is as it was. Links are followed.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    from pathlib import Path  # noqa: PLC0415  # as above

    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {target.parent} to write {target.name} to")
    unfinished = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> dict[str, NumpyArray]:
    """Read every array of an npz file.

    Raises
    ------
    ValueError
        If it is no npz file of numbers, cut short or altered.
    """
    import zipfile  # noqa: PLC0415  # as above

    with open(path, "rb") as file:  # noqa: PTH123  # as above
        try:
            with zipfile.ZipFile(file) as archive:
                return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
        except (*_DAMAGE, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} is not a whole npz file of numbers: {error}. Was it cut short, or altered?"
            ) from error


_DAMAGE = (
    EOFError,
    OSError,  # a place before the beginning of the file
    NotImplementedError,  # a compression or an encryption that zipfile lacks
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


def _array(content: bytes) -> NumpyArray:
    """The array in an npy file whose checksum was found right."""
    array: NumpyArray = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
