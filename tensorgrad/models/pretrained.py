"""Weights that others trained: where they come from, and under which names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tensorgrad import downloads
from tensorgrad.backend import Array
from tensorgrad.layers import weights
from tensorgrad.models.model import Model

Source = bool | str | os.PathLike[str]
"""What `pretrained` may be: whether to download weights, or the path of a file."""


class Fetched(NamedTuple):
    """What was in a file."""

    path: str
    arrays: dict[str, weights.NumpyArray]


class Pretrained(Model):
    """The base of networks that others have trained: it also takes torchvision's names for their layers."""

    def torch_names(self) -> dict[str, str]:
        """Path of each layer with parameters -> what torchvision calls it."""
        raise NotImplementedError(f"{type(self).__name__} does not define torch_names")

    def own_names(self, state: Mapping[str, Array]) -> Mapping[str, Array]:
        return from_torch(state, self.torch_names()) if is_torch(state) else state

    def _take(self, fetched: Fetched | None) -> None:
        """Load what `fetch` gave: all of it, or nothing if something does not fit."""
        if fetched is not None:
            what = f"{type(self).__name__}: {fetched.path}"
            self._load(self.own_names(fetched.arrays), what, "in the file", True, copy=False)


def fetch(name: str, source: Source, url: str | None, sha256: str | None) -> Fetched | None:
    """Read the weights of a model, after a download if `source` is True; None if it is False.

    Raises
    ------
    LookupError
        If `source` is True and there is no `url`.
    ConnectionError
        If they must be downloaded and cannot be.
    ValueError
        If the file has another checksum than `sha256`, or is damaged.
    """
    if source is False:
        return None
    checksum = None if sha256 is None else f"sha256:{sha256}"
    if source is not True:
        path = os.fspath(source)
        if checksum is not None and not downloads.matches(path, checksum):
            got = downloads.digest(path, "sha256")
            raise ValueError(f"{name}: {path} has another checksum than expected ({checksum}): {got}")
    elif url is None:
        raise LookupError(
            f"{name}: no weights are known that can be read without pickle. With torch installed, "
            "safetensors.torch.save_file(model.state_dict(), path) makes a file of torchvision's: "
            "give pretrained=path"
        )
    else:
        path = downloads.get_file(url, checksum=checksum)
    return Fetched(path, weights.read(path))


_LAYER = {"weight": "W", "bias": "b"}
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "avg_mean", "running_var": "avg_var"}


def is_torch(state: Mapping[str, Array]) -> bool:
    """Whether a state has the names that torch gives to parameters: parts with dots between them."""
    return any("." in name for name in state)


def from_torch(state: Mapping[str, Array], names: Mapping[str, str]) -> dict[str, Array]:
    """A state of torch's under other names.

    Parameters
    ----------
    state : mapping of str to array
    names : mapping of str to str
        Path of a layer -> what torch calls it.

    Returns
    -------
    dict
        The weights of fully connected layers are transposed; the numbers of batches that torch's batch
        normalisation counts are left out. What `names` does not name is as it came.
    """
    found = {name: array for name, array in state.items() if not name.endswith(".num_batches_tracked")}
    for path, theirs in names.items():
        parts = _NORM if f"{theirs}.running_mean" in state else _LAYER
        for part, ours in parts.items():
            array = found.pop(f"{theirs}.{part}", None)
            if array is not None:
                found[f"{path}/{ours}"] = _transposed(array) if array.ndim == 2 else array
    return found


def _transposed(array: Array) -> Array:
    return np.ascontiguousarray(array.T) if isinstance(array, np.ndarray) else array.T
