"""The GPU through CuPy, under the names that readers of the book know.

Nothing here needs a GPU to be imported. Where there is none, `gpu_enable` is False, `why_unavailable` says
what is missing, and whatever needs a GPU raises that as an error. NumPy and CuPy are what `to_cpu` and
`to_gpu` go between; arrays of other libraries get on with ``v.to(backend, device=...)``.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import Any, NoReturn, Self

import numpy as np

from tensorgrad.backend import (
    Array,
    Backend,
    BackendUnavailableError,
    backend_of,
    get_backend,
    is_array,
)
from tensorgrad.core.variable import Variable, transfer

gpu_enable: bool
"""Whether a GPU can be used. Found out when it is first asked for."""

cupy: Any
"""CuPy, or where it cannot be used an object that says why as soon as something is asked of it."""


class _NoCupy:
    """What stands for CuPy where it cannot be used."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise BackendUnavailableError(f"cupy.{name}: {why_unavailable()}")

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<cupy is not available: tensorgrad.cuda.why_unavailable() says why>"


def __getattr__(name: str) -> Any:
    if name == "gpu_enable":
        return is_available()
    if name == "cupy":
        return get_backend("cupy").module if is_available() else _NoCupy()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def why_unavailable() -> str | None:
    """Why no GPU can be used, and how to mend it; None where one can.

    Returns
    -------
    str or None
        Whether it is CuPy, the driver or the device that is missing.

    Examples
    --------
    >>> tg.cuda.why_unavailable() is None or len(tg.cuda.why_unavailable()) > 0
    True
    """
    try:
        get_backend("cupy")
    except BackendUnavailableError as error:
        return str(error)
    return None


def is_available() -> bool:
    """Whether a GPU can be used: CuPy is installed and finds a device.

    Examples
    --------
    >>> tg.cuda.is_available() == tg.cuda.gpu_enable
    True
    """
    return why_unavailable() is None


# -- arrays --------------------------------------------------------------------------------------


def get_array_module(x: Any) -> Any:
    """The library of the array in `x`, as its users know it: ``numpy``, ``cupy``, ``torch``, ``jax.numpy``.

    Parameters
    ----------
    x : Variable, array or anything else

    Returns
    -------
    module
        NumPy for what is no array.

    Examples
    --------
    >>> tg.cuda.get_array_module(Variable(np.array(1.0))).__name__
    'numpy'
    """
    array = x.data if isinstance(x, Variable) else x
    owner = backend_of(array) if is_array(array) else None
    return np if owner is None else owner.module


def as_numpy(x: Any) -> np.ndarray[Any, Any]:
    """The array of a Variable, an array of any library, a number or a list, as a NumPy array.

    Parameters
    ----------
    x : Variable, array, number or nested list

    Returns
    -------
    numpy.ndarray
        `x` itself, or its memory, where it lies on the host already.

    Examples
    --------
    >>> tg.cuda.as_numpy(Variable(np.array([1.0, 2.0])))
    array([1., 2.])
    """
    array = x.data if isinstance(x, Variable) else x
    owner = backend_of(array) if is_array(array) else None
    return np.asarray(array) if owner is None else owner.to_numpy(array)


def as_cupy(x: Any) -> Array:
    """The array of a Variable, an array of any library, a number or a list, as a CuPy array.

    Parameters
    ----------
    x : Variable, array, number or nested list

    Returns
    -------
    cupy.ndarray
        `x` itself, or its memory, where it is one already.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> tg.cuda.as_cupy(np.array([1.0, 2.0]))
    array([1., 2.])
    """
    target = _gpu()
    array = x.data if isinstance(x, Variable) else x
    return transfer(array if is_array(array) else np.asarray(array), target)


def to_gpu(x: Any, device: Any = None) -> Any:
    """Move everything in `x` to the GPU.

    Variables, layers and other objects that have a method ``to_gpu`` move themselves, in place. For an
    array its copy there is returned, and containers (dict, list, tuple, namedtuple) are made anew, to any
    depth. Numbers, strings and the rest stay as they are.

    Parameters
    ----------
    x : anything
    device : int, optional
        The number of the GPU; the current one by default.

    Returns
    -------
    like `x`

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> tg.cuda.to_gpu({"x": [np.array([1.0, 2.0])], "n": 2})
    {'x': [array([1., 2.])], 'n': 2}
    """
    return _moved(x, "to_gpu", _gpu(), device)


def to_cpu(x: Any) -> Any:
    """Move everything in `x` to the host; the counterpart of `to_gpu`.

    Parameters
    ----------
    x : anything

    Returns
    -------
    like `x`
        With NumPy arrays.

    Examples
    --------
    >>> tg.cuda.to_cpu({"x": [np.array([1.0, 2.0])], "n": 2})
    {'x': [array([1., 2.])], 'n': 2}
    """
    return _moved(x, "to_cpu", get_backend("numpy"), None)


def _moved(x: Any, method: str, target: Backend, device: Any) -> Any:
    if isinstance(x, dict):
        made = copy(x)  # also a defaultdict or an OrderedDict
        made.update((key, _moved(value, method, target, device)) for key, value in x.items())
        return made
    if isinstance(x, list | tuple):
        items = [_moved(item, method, target, device) for item in x]
        return type(x)._make(items) if hasattr(x, "_make") else type(x)(items)
    if is_array(x):
        return transfer(x, target, device)
    move = getattr(x, method, None)
    if move is None or isinstance(x, type):
        return x
    moved = move() if device is None else move(device)
    return x if moved is None else moved


# -- devices -------------------------------------------------------------------------------------


class Device:
    """The GPU that is current within a ``with``: arrays are made there, and computations run there.

    Parameters
    ----------
    number : int, optional
        The current one by default.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> with tg.cuda.Device(0):
    ...     v = Variable(np.array(1.0)).to_gpu()
    """

    def __init__(self, number: int | None = None) -> None:
        self._device = _gpu().module.cuda.Device(number)

    @property
    def id(self) -> int:
        """The number of the GPU."""
        return int(self._device.id)

    def __enter__(self) -> Self:
        self._device.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._device.__exit__(*exception)

    def __repr__(self) -> str:
        return f"<tensorgrad.cuda.Device {self.id}>"


def synchronize() -> None:
    """Wait until the current GPU has done everything that it was given.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> tg.cuda.synchronize()
    """
    _gpu().synchronize()


def memory_info() -> dict[str, int]:
    """Bytes of memory on the current GPU.

    Returns
    -------
    dict
        ``used`` by arrays, ``held`` by CuPy's pool (the used ones included), ``free`` and ``total`` on
        the device.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> sorted(tg.cuda.memory_info())
    ['free', 'held', 'total', 'used']
    """
    return _gpu().memory_info()


def _gpu() -> Backend:
    """CuPy's backend, or the error that says what is missing."""
    return get_backend("cupy")
