"""Weights between tensorgrad, PyTorch's modules and pytrees: the same numbers under other names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.backend import Array, backend_of
from tensorgrad.layers import Layer
from tensorgrad.layers.convolution import Convolutional
from tensorgrad.layers.embedding import EmbedID
from tensorgrad.layers.linear import Linear
from tensorgrad.layers.normalization import BatchNorm, GroupNorm, LayerNorm, RMSNorm

_WEIGHTS = {"W": "weight", "b": "bias"}
_SCALES = {"gamma": "weight", "beta": "bias"}
_KINDS: dict[type[Layer], dict[str, str]] = {
    **dict.fromkeys((Linear, EmbedID, Convolutional), _WEIGHTS),
    **dict.fromkeys((LayerNorm, GroupNorm, RMSNorm), _SCALES),
    BatchNorm: {**_SCALES, "avg_mean": "running_mean", "avg_var": "running_var"},
}
"""Kind of layer -> our name of a parameter -> PyTorch's, in the module of the same kind."""

_COUNT = "num_batches_tracked"  # by PyTorch's batch normalisation; no layer here counts


def from_torch(
    layer: Layer, state: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What PyTorch's module knows, for ``layer.load_state_dict``.

    Weights of `Linear` are transposed: (in, out) here, (out, in) there. All others are as they are.

    Parameters
    ----------
    layer : Layer
        Made of linear, convolution, embedding and normalisation layers. Its parameters need no size yet.
    state : mapping of str to array
        ``module.state_dict()``, or what ``safetensors`` read.
    names : mapping of str to str, optional
        Path of a layer -> PyTorch's name of its module. By default the path with dots: ``block/l1`` is
        ``block.l1``.

    Returns
    -------
    dict of str to array
        Of the library that `state` is of, as views of it where they are transposed. What `state` has beside
        is kept under its own name, so that ``load_state_dict`` tells of it.

    Raises
    ------
    TypeError
        If a layer with parameters has no module of its kind in PyTorch with the same parameters.

    Examples
    --------
    >>> from tensorgrad.migration import from_torch
    >>> layer = tg.models.MLP((3, 2))
    >>> state = {"l0.weight": np.ones((3, 4)), "l0.bias": np.zeros(3)}  # of torch.nn.Linear(4, 3)
    >>> {name: array.shape for name, array in from_torch(layer, state).items()}
    {'l0/W': (4, 3), 'l0/b': (3,)}
    """
    rest = {name: array for name, array in state.items() if not name.endswith(f".{_COUNT}")}
    made = {}
    for pair in _pairs(layer, names):
        if pair.theirs in rest:
            array = rest.pop(pair.theirs)
            made[pair.ours] = array.T if pair.transposed else array
    return {**made, **rest}


def to_torch(layer: Layer, names: Mapping[str, str] | None = None) -> dict[str, Array]:
    """The parameters of a layer as PyTorch's module of the same structure calls them.

    Parameters
    ----------
    layer : Layer
    names : mapping of str to str, optional
        As for `from_torch`.

    Returns
    -------
    dict of str to array
        Copies, in the library that the parameters are in. ``torch.from_dlpack`` makes tensors of NumPy's.

    Raises
    ------
    TypeError
        As by `from_torch`.
    ValueError
        If a parameter has no data yet.

    Examples
    --------
    >>> from tensorgrad.migration import to_torch
    >>> {name: array.shape for name, array in to_torch(tg.layers.Linear(3, in_size=4), {"": "fc"}).items()}
    {'fc.weight': (3, 4), 'fc.bias': (3,)}
    """
    state = layer.state_dict()
    made: dict[str, Array] = {}
    for pair in _pairs(layer, names):
        if pair.ours in state:
            array = state[pair.ours]
            owner: Any = backend_of(array)
            made[pair.theirs] = owner.copy(array.T) if pair.transposed else array
            if pair.theirs.endswith("running_var"):
                count = pair.theirs.removesuffix("running_var") + _COUNT
                made[count] = owner.from_numpy(np.array(0), owner.device(array))
    return made


def nested(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state as dicts in dicts: the pytree that JAX's transforms and optimizers take.

    Examples
    --------
    >>> tg.migration.nested({"l0/W": 1, "l0/b": 2, "scale": 3})
    {'l0': {'W': 1, 'b': 2}, 'scale': 3}
    """
    tree: dict[str, Any] = {}
    for path, array in state.items():
        *outer, last = path.split("/")
        place = tree
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = array
    return tree


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of dicts as a state for ``load_state_dict``: paths with ``/`` between the names.

    Examples
    --------
    >>> tg.migration.flat({"l0": {"W": 1, "b": 2}, "scale": 3})
    {'l0/W': 1, 'l0/b': 2, 'scale': 3}
    """
    found: dict[str, Any] = {}
    for name, item in tree.items():
        if isinstance(item, Mapping):
            found |= {f"{name}/{path}": array for path, array in flat(item).items()}
        else:
            found[name] = item
    return found


class _Pair(NamedTuple):
    """A parameter by our name and by PyTorch's."""

    ours: str
    theirs: str
    transposed: bool


def _pairs(layer: Layer, names: Mapping[str, str] | None) -> Iterator[_Pair]:
    known = names or {}
    for slot in layer._slots():
        kind = next((_KINDS[k] for k in type(slot.layer).__mro__ if k in _KINDS), None)
        if kind is None or slot.name not in kind:
            raise TypeError(
                f"{slot.path}: expected a parameter of a linear, convolution, embedding or normalisation "
                f"layer; got one of {type(slot.layer).__name__}, for which PyTorch has other parameters"
            )
        path = slot.path.rpartition("/")[0]
        module = known.get(path, path.replace("/", "."))
        theirs = f"{module}.{kind[slot.name]}" if module else kind[slot.name]
        yield _Pair(slot.path, theirs, isinstance(slot.layer, Linear) and slot.name == "W")
