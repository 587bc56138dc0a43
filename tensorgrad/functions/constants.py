"""Functions of the array library as they are: Variables go in as arrays, and constants come out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.backend import BY_TYPE, Backend, backend_of, entry_points, get_backend, is_array
from tensorgrad.core import Config, Variable
from tensorgrad.core.variable import make_variable


class UniqueAllResult(NamedTuple):
    """The distinct values, where each occurs first, which one each element is, and how often each occurs."""

    values: Variable
    indices: Variable
    inverse_indices: Variable
    counts: Variable


class UniqueCountsResult(NamedTuple):
    """The distinct values, and how often each occurs."""

    values: Variable
    counts: Variable


class UniqueInverseResult(NamedTuple):
    """The distinct values, and which of them each element is."""

    values: Variable
    inverse_indices: Variable


_RESULTS: dict[str, type[tuple[Variable, ...]]] = {
    "unique_all": UniqueAllResult,
    "unique_counts": UniqueCountsResult,
    "unique_inverse": UniqueInverseResult,
}


class FloatInfo(NamedTuple):
    """The limits of a floating dtype, or of the parts of a complex one."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


class IntegerInfo(NamedTuple):
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: Any


def float_info(xp: Any, dtype: Any) -> FloatInfo:
    """``finfo`` of a library, in Python's numbers."""
    info = xp.finfo(dtype)
    return FloatInfo(
        bits=int(info.bits),
        eps=float(info.eps),
        max=float(info.max),
        min=float(info.min),
        smallest_normal=float(info.smallest_normal),
        dtype=_real(xp, dtype),
    )


def integer_info(xp: Any, dtype: Any) -> IntegerInfo:
    """``iinfo`` of a library, in Python's numbers."""
    info = xp.iinfo(dtype)
    return IntegerInfo(int(info.bits), int(info.max), int(info.min), dtype)


def _real(xp: Any, dtype: Any) -> Any:
    """The dtype of the parts of a complex dtype; any other as it is."""
    for name, parts in (("complex64", "float32"), ("complex128", "float64")):
        if dtype == getattr(xp, name, None):
            return getattr(xp, parts)
    return dtype


# -- functions of arrays -------------------------------------------------------------------------


def constant(name: str, backend: Backend, find: Callable[[Backend], Any], refuses: str) -> Any:
    """A function of the standard, as the library of its arrays has it; of `backend` where it gets none.

    Parameters
    ----------
    name : str
        Of the function, in the standard.
    backend : Backend
    find : callable
        The function in the namespace of a backend.
    refuses : str
        If not empty: the function does not take what requires a gradient, and says so under this name.
    """
    own = find(backend)
    result = _RESULTS.get(name, tuple)

    @wraps(own)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if refuses and Config.enable_backprop and requires_grad((args, kwargs)):
            raise TypeError(
                f"{refuses}: expected numbers; got a Variable that requires a gradient, which would be lost. "
                "Pass v.data, or call it under tensorgrad.no_grad()."
            )
        args, kwargs = unwrap(args), unwrap(kwargs)
        owner = owner_among(args)
        if owner is None or owner is backend:
            owner, function = backend, own
        else:
            function = find(owner)
        if kwargs.get("device") is not None:
            kwargs["device"] = owner.as_device(kwargs["device"])
        return wrap(function(*args, **kwargs), result)

    return wrapped


def owner_among(values: Any) -> Backend | None:
    """The backend of the first array among values, some of which may be lists or tuples."""
    for value in values:
        try:
            owner = BY_TYPE[type(value)]
        except KeyError:
            nested = isinstance(value, list | tuple)
            owner = owner_among(value) if nested else backend_of(value) if is_array(value) else None
        if owner is not None:
            return owner
    return None


def requires_grad(value: Any) -> bool:
    """Whether a value, or one inside it, is a Variable that requires a gradient."""
    if isinstance(value, Variable):
        return value.requires_grad
    if isinstance(value, dict):
        value = tuple(value.values())
    return isinstance(value, list | tuple) and any(map(requires_grad, value))


def unwrap(value: Any) -> Any:
    """The arrays in place of Variables."""
    if isinstance(value, Variable):
        return value.data
    if isinstance(value, list | tuple):
        return type(value)(map(unwrap, value))
    if isinstance(value, dict):
        return {name: unwrap(item) for name, item in value.items()}
    return value


def wrap(value: Any, result: type[tuple[Variable, ...]] = tuple) -> Any:
    """Variables in place of arrays; several in a tuple, or in the named tuple `result`."""
    if isinstance(value, list | tuple):
        wrapped = tuple(map(wrap, value))
        return wrapped if result is tuple else result(*wrapped)
    if isinstance(value, np.generic):
        value = np.asarray(value)
    return make_variable(value, None, 0) if is_array(value) else value


# -- dtypes --------------------------------------------------------------------------------------


def dtype_of(value: Any) -> Any:
    """The dtype of a Variable or array; a dtype as it is."""
    return value.dtype if isinstance(value, Variable) or is_array(value) else value


def library_of(backend: Backend, dtype: Any) -> Any:
    """The namespace that knows a dtype: that of `backend`, unless its arrays have dtypes of another kind."""
    kind = _kind(dtype)
    if kind in (backend.name, _kind_of(backend)) or kind not in entry_points():
        return backend.xp
    return get_backend(kind).xp


def _kind(dtype: Any) -> str:
    """Whose class a dtype is, or belongs to: several libraries use NumPy's."""
    kind = dtype if isinstance(dtype, type) else type(dtype)
    return kind.__module__.partition(".")[0]


@cache
def _kind_of(backend: Backend) -> str:
    return _kind(backend.xp.zeros(0).dtype)


# -- what the namespace says about itself --------------------------------------------------------


class Info:
    """What a namespace can do: ``xp.__array_namespace_info__()``."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def capabilities(self) -> dict[str, Any]:
        """Whether boolean indices and shapes that depend on data work; the highest number of axes."""
        return dict(self._source.capabilities())

    def default_device(self) -> Any:
        """Where creation functions put arrays."""
        return self._source.default_device()

    def devices(self) -> tuple[Any, ...]:
        """The devices that creation functions take."""
        return tuple(self._source.devices())

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes that creation functions use by themselves: of floats, complex, integers, indices."""
        return dict(self._source.default_dtypes(device=device))

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes there are, or those of a kind, by name."""
        return dict(self._source.dtypes(device=device, kind=kind))
