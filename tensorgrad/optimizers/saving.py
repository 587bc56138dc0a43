"""What an optimizer keeps, as a flat dict of numbers and NumPy arrays, and back.

Keys: ``setting/lr`` of the optimizer, ``group/0/lr`` of a group; of a parameter ``number/<path>/t``,
``array/<path>/m`` in the shape of the parameter and ``other/<path>/x`` in another; ``whole/...`` of the
optimizer as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorgrad.backend import backend_of
from tensorgrad.core import Variable

NUMBERS = (bool, int, float, np.number, np.bool_)


def numbers_of(thing: Any) -> dict[str, Any]:
    """The public attributes that are numbers."""
    return {
        name: value
        for name, value in vars(thing).items()
        if not name.startswith("_") and isinstance(value, NUMBERS)
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def named(optimizer: Any) -> dict[str, Variable]:
    """The parameters of an optimizer by their names in a state."""
    found = {} if optimizer.target is None else _paths(optimizer.target, "")
    known = set(found.values())
    for i, group in enumerate(optimizer.groups):
        new = {path: p for path, p in _paths(group.target, f"group{i}/").items() if p not in known}
        known.update(new.values())
        found.update(new)
    return found


def _paths(target: Any, prefix: str) -> dict[str, Variable]:
    if hasattr(target, "namedparams"):
        pairs = target.namedparams()
    else:
        pairs = enumerate(dict.fromkeys(target.params() if hasattr(target, "params") else target))
    return {f"{prefix}{path}": p for path, p in pairs}


def collect(optimizer: Any) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    state = {f"setting/{name}": _plain(value) for name, value in numbers_of(optimizer).items()}
    for i, group in enumerate(optimizer.groups):
        state |= {f"group/{i}/{name}": _plain(value) for name, value in group.settings.items()}
    for path, p in named(optimizer).items():
        for name, value in optimizer._states.get(p, {}).items():
            if isinstance(value, NUMBERS):
                state[f"number/{path}/{name}"] = _plain(value)
            else:
                kind = "array" if tuple(value.shape) == p.shape else "other"
                state[f"{kind}/{path}/{name}"] = _on_host(value)
    state |= {f"whole/{name}": _on_host(value) for name, value in optimizer.whole_state().items()}
    return state


def _on_host(value: Any) -> Any:
    if isinstance(value, NUMBERS):
        return _plain(value)
    owner = backend_of(value)
    assert owner is not None, "no number"
    return np.array(owner.to_numpy(value))


def restore(optimizer: Any, state: Mapping[str, Any]) -> None:
    """See `Optimizer.load_state_dict`."""
    params = named(optimizer)
    numbers, faults = _fitting_numbers(optimizer, state)
    states: dict[Variable, dict[str, Any]] = {}
    for key, value in state.items():
        kind, _, rest = key.partition("/")
        if kind not in ("number", "array", "other"):
            continue
        path, _, name = rest.rpartition("/")
        p = params.get(path)
        if p is None:
            faults.append(f"{key}: there is no parameter {path}")
        elif kind == "array" and p.data is not None and tuple(value.shape) != p.shape:
            faults.append(f"{key}: expected shape {p.shape}, got {tuple(value.shape)}")
        else:
            states.setdefault(p, {})[name] = value if kind == "number" else _placed(p, value, kind)
    if faults:
        raise ValueError(
            f"{type(optimizer).__name__}: the state does not fit; nothing was loaded. Was it saved from "
            "another optimizer or model?\n  " + "\n  ".join(faults)
        )
    whole = {key.partition("/")[2]: value for key, value in state.items() if key.startswith("whole/")}
    optimizer.load_whole_state(whole)
    for settings, name, value in numbers:
        settings[name] = value
    optimizer._states = states


def _fitting_numbers(
    optimizer: Any, state: Mapping[str, Any]
) -> tuple[list[tuple[dict[str, Any], str, Any]], list[str]]:
    """What to set, as (dict, name, value), and what is missing or unexpected."""
    wanted = {f"setting/{name}": (vars(optimizer), name) for name in numbers_of(optimizer)}
    for i, group in enumerate(optimizer.groups):
        wanted |= {f"group/{i}/{name}": (group.settings, name) for name in group.settings}
    given = [key for key in state if key.startswith(("setting/", "group/"))]
    faults = [f"{key}: missing" for key in wanted if key not in state]
    faults += [f"{key}: unexpected" for key in given if key not in wanted]
    kinds = ("setting", "group", "number", "array", "other", "whole")
    faults += [f"{key}: unexpected" for key in state if key.partition("/")[0] not in kinds]
    return [(*wanted[key], state[key]) for key in given if key in wanted], faults


def _placed(p: Variable, value: Any, kind: str) -> Any:
    """A copy of an array beside the data of its parameter; on the host if that has none yet."""
    array = np.array(value)
    if p.data is None:
        return array
    placed = p.backend.from_numpy(array, p.device)
    as_it_is = kind == "other" or placed.dtype == p.dtype
    return placed if as_it_is else p.backend.xp.astype(placed, p.dtype)


def as_arrays(state: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """A state as an npz file has it."""
    return {key: np.asarray(value) for key, value in state.items()}


def from_arrays(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """A state as it came from an npz file: numbers are numbers again."""
    numeric = ("setting/", "group/", "number/")
    return {key: a.item() if key.startswith(numeric) else a for key, a in arrays.items()}
