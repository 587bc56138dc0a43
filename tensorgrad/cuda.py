"""The GPU through CuPy, under the names that readers of the book know.

Nothing here needs a GPU to be imported. Where there is none, `gpu_enable` is False, `why_unavailable` says
what is missing, and whatever needs a GPU raises that as an error. NumPy and CuPy are what `to_cpu` and
`to_gpu` go between; arrays of other libraries get on with ``v.to(backend, device=...)``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
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
    device : int or Device, optional
        The GPU, or its number; the current one by default.

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

    def __int__(self) -> int:
        return self.id

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
        ``used`` by arrays, ``held`` by CuPy's pool (the used ones included), the ``peak`` of what was used
        since the innermost `memory_peak` that is open began (without one: what is used now), ``free`` and
        ``total`` on the device.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> sorted(tg.cuda.memory_info())
    ['free', 'held', 'peak', 'total', 'used']
    """
    return _gpu().memory_info()


def free_all_blocks() -> None:
    """Give memory that CuPy's pool holds and no array uses back to the device.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> tg.cuda.free_all_blocks()
    """
    _gpu().module.get_default_memory_pool().free_all_blocks()


def memory_limit(size: int | None = None, *, fraction: float | None = None) -> int:
    """Limit what CuPy's pool may take of the current GPU, and tell the limit.

    Parameters
    ----------
    size : int, optional
        Bytes; 0 for no limit.
    fraction : float, optional
        A part of the GPU's memory, instead of bytes. Where neither is given, the limit stays as it is.

    Returns
    -------
    int
        Bytes; 0 where there is no limit.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> tg.cuda.memory_limit()
    0
    """
    pool = _gpu().module.get_default_memory_pool()
    if size is not None or fraction is not None:
        pool.set_limit(size=size, fraction=fraction)
    return int(pool.get_limit())


def memory_peak() -> AbstractContextManager[dict[str, int]]:
    """Measure the most memory that arrays take within a ``with``.

    Returns
    -------
    context manager
        It gives a dict with the item ``peak``: bytes, of arrays that this thread makes and of those there
        before.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: start if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> with tg.cuda.memory_peak() as memory:
    ...     made = tg.cuda.as_cupy(np.zeros(1000))
    >>> memory["peak"] >= 8000
    True

    .. skip: end
    """
    gpu: Any = _gpu()
    return gpu.memory_peak()  # type: ignore[no-any-return]


def allow_tf32(allowed: bool) -> None:
    """Let products of float32 matrices be computed in TF32 on tensor cores, or no longer.

    Parameters
    ----------
    allowed : bool
        TF32 has the range of float32 and 10 bits of mantissa. Products of float16 are always summed in
        float32.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: next if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> tg.cuda.allow_tf32(False)
    """
    gpu: Any = _gpu()
    gpu.allow_tf32(allowed)


# -- streams -------------------------------------------------------------------------------------


class Event:
    """A point in the work of a stream: to wait for, and to measure time from.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: start if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> begin, end = tg.cuda.Event(), tg.cuda.Event()
    >>> begin.record(), end.record()
    (None, None)
    >>> begin.milliseconds(end) >= 0
    True

    .. skip: end
    """

    def __init__(self) -> None:
        self._cuda = _gpu().module.cuda
        self._event = self._cuda.Event()

    def record(self) -> None:
        """Stand behind everything that the current stream was given so far."""
        self._event.record(self._cuda.get_current_stream())

    def synchronize(self) -> None:
        """Wait until the device is there."""
        self._event.synchronize()

    def milliseconds(self, later: Event) -> float:
        """The time from this event to a later one; waits for both."""
        later.synchronize()
        return float(self._cuda.get_elapsed_time(self._event, later._event))


class Stream:
    """A queue of work beside that of the default stream; the current one within a ``with``.

    What other streams computed is there once `wait` was called on an event that stands behind it.

    Raises
    ------
    BackendUnavailableError
        If there is no GPU; it says what is missing.

    Examples
    --------
    .. skip: start if(not tg.cuda.gpu_enable, reason="needs a GPU")

    >>> stream, done = tg.cuda.Stream(), tg.cuda.Event()
    >>> with stream:
    ...     batch = tg.cuda.as_cupy(np.zeros(3))
    ...     done.record()
    >>> done.synchronize()

    .. skip: end
    """

    def __init__(self) -> None:
        self._stream = _gpu().module.cuda.Stream(non_blocking=True)

    def __enter__(self) -> Self:
        self._stream.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.__exit__(*exception)

    def wait(self, event: Event) -> None:
        """Let the work that follows begin after an event; the host does not wait."""
        self._stream.wait_event(event._event)

    def synchronize(self) -> None:
        """Let the host wait until the stream has done everything that it was given."""
        self._stream.synchronize()


def _gpu() -> Backend:
    """CuPy's backend, or the error that says what is missing."""
    return get_backend("cupy")
