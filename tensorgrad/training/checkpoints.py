"""The state of a run in one npz file: arrays by their path, everything else as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from tensorgrad import npz, randomness
from tensorgrad.backend import Backend, backend_of, is_array, loaded_backends

_TREE = "tree.json"
_ARRAY = "array:"  # begins the text that stands for an array
_TEXT = "text:"  # begins any other


def write(path: str | PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all.

    Parameters
    ----------
    path : str or path
        Used as it is; no ending is added.
    state : mapping
        Of numbers, texts, None and arrays of any library, in mappings, lists and tuples.

    Raises
    ------
    TypeError
        If it holds anything else; the message says where.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = json.dumps(_plain(state, "", arrays))
    arrays[_TREE] = np.frombuffer(tree.encode(), np.uint8)
    npz.write(path, arrays)


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """The state in a file: arrays are NumPy's, and tuples are lists.

    Raises
    ------
    ValueError
        If the file is damaged, or no checkpoint.
    """
    arrays = npz.read(path)
    if _TREE not in arrays:
        raise ValueError(f"{path} is no checkpoint: it has no entry {_TREE}. Did save_weights write it?")
    state: dict[str, Any] = _restored(json.loads(arrays.pop(_TREE).tobytes()), arrays)
    return state


def _plain(value: Any, place: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """What JSON can hold; arrays go into `arrays`."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _TEXT + value
    if isinstance(value, Mapping):
        return {key: _plain(x, f"{place}/{key}".lstrip("/"), arrays) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x, f"{place}/{i}", arrays) for i, x in enumerate(value)]
    if not is_array(value):
        raise TypeError(
            f"checkpoint: expected numbers, texts, None and arrays, in dicts and lists; "
            f"got {type(value).__name__} at {place}"
        )
    owner: Any = backend_of(value)
    while place in arrays or place == _TREE:  # "a/b" and "b" in "a" have one path
        place += "'"
    arrays[place] = np.array(owner.to_numpy(value))
    return _ARRAY + place


def _restored(value: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, dict):
        return {key: _restored(x, arrays) for key, x in value.items()}
    if isinstance(value, list):
        return [_restored(x, arrays) for x in value]
    if not isinstance(value, str):
        return value
    return arrays[value.removeprefix(_ARRAY)] if value.startswith(_ARRAY) else value.removeprefix(_TEXT)


# -- random numbers ------------------------------------------------------------------------------


def random_state() -> dict[str, Any]:
    """Where the random numbers of the host and of every library in use come from."""
    there = {backend.name: backend.random_state() for backend in loaded_backends()}
    return {"backends": there, "host": randomness.state()}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Draw from here on what was drawn after `random_state` gave this, on the libraries that are in use."""
    in_use: dict[str, Backend] = {backend.name: backend for backend in loaded_backends()}
    for name, there in state["backends"].items():
        if name in in_use:
            in_use[name].set_random_state(there)
    randomness.set_state(state["host"])  # the last: those of the backends have NumPy's too
