"""NumPy's functions on Variables: ``np.sin(v)``, ``a @ v`` and ``np.concatenate([v, a])`` record the graph.

NumPy hands a call in which a Variable takes part to the Variable: ufuncs through ``__array_ufunc__``, all
other functions through ``__array_function__``. The tables in the modules ``numpy_...`` beside this one say
what computes each. They use tensorgrad's functions alone, so the Variable may hold an array of any library.

What is not in a table, or is called with an argument that is not supported, works on constants over NumPy:
NumPy computes it, and the result is a constant. Where a gradient would be lost it is an error that names
the function.

CuPy's ufuncs hand over as well, by a hook of their own (``cupy.sin(v)``), and CuPy's arrays leave
``a * v`` to NumPy's ufuncs. CuPy's other functions take no Variables: write ``np.sum(v)`` for
``cupy.sum(v)``. The hook's calls are tested with CuPy installed, its values on no device so far.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from tensorgrad.backend import BY_TYPE, entry_points
from tensorgrad.core import Variable
from tensorgrad.core.tree import tree_leaves
from tensorgrad.functions.numpy_support import (
    FUNCTIONS,
    Unsupported,
    converted,
    dtype_for,
    listed,
    needs_gradient,
    on_arrays,
    on_numpy,
    refuse,
)
from tensorgrad.functions.numpy_ufuncs import HOST_STEPS, STEPS, UFUNCS, accumulate, outer, reduce

_BY_UFUNC: dict[Any, Callable[..., Any]] = {
    getattr(np, name): function for name, function in {**UFUNCS, **STEPS}.items() if hasattr(np, name)
}

_USUAL: dict[str, Any] = {"casting": "same_kind", "order": "K", "subok": True, "where": True}
"""Arguments of ufuncs that have no meaning here, and the only value of each that is taken."""


def array_ufunc(_self: Variable, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls for a ufunc one of whose inputs or outputs is a Variable."""
    if method == "__call__" and not kwargs:
        try:
            return _BY_UFUNC[ufunc](*inputs)
        except (KeyError, TypeError):
            pass  # the long way does it, or says why not
    if not all(map(_is_known, map(type, inputs))):
        return NotImplemented
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    call = ufunc if method == "__call__" else getattr(ufunc, method)
    out = kwargs.pop("out", None)
    try:
        if out is not None:
            return _into(name, call, inputs, out, kwargs)
        return _ufunc(ufunc.__name__, method, inputs, dict(kwargs))
    except Unsupported as reason:
        return _fall_back(name, str(reason), call, inputs, kwargs)


def _ufunc(name: str, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if method == "reduce":
        return reduce(name, *listed(*inputs), **kwargs)
    if method == "accumulate":
        return accumulate(name, *listed(*inputs), **kwargs)
    if method not in ("__call__", "outer"):
        raise Unsupported("not defined for Variables")
    function = UFUNCS.get(name) or STEPS.get(name)
    if name in HOST_STEPS and on_numpy(inputs):
        call = getattr(np, name)
        return on_arrays(call if method == "__call__" else call.outer, inputs, kwargs)
    if function is None:
        raise Unsupported("not defined for Variables")
    dtype = kwargs.pop("dtype", None)
    if dtype is not None and name not in UFUNCS:
        raise Unsupported("dtype= is not supported with Variables")
    for key, value in kwargs.items():
        if key not in _USUAL and not (key == "axis" and name == "vecdot"):
            raise Unsupported(f"{key}= is not supported with Variables")
        if key in _USUAL and not _says(value, _USUAL[key]):
            raise Unsupported(f"{key}= is not supported with Variables")
    if method == "outer":
        return outer(name, dtype, *inputs)
    axis = {"axis": kwargs["axis"]} if "axis" in kwargs else {}
    return function(*converted(dtype, *listed(*inputs)), **axis)


def _into(name: str, call: Callable[..., Any], inputs: Any, out: Any, kwargs: Any) -> Any:
    """A ufunc that writes into arrays: only where no gradient is lost."""
    if any(isinstance(x, Variable) for x in out):
        refuse(name, "out= cannot be a Variable", "Use the result: v = np.add(v, a), or v[...] = values.")
    if needs_gradient(inputs):
        refuse(
            name,
            "out= is an array, which keeps no gradient",
            "Leave it out: np.add(a, v), and a = a + v for a += v. Or pass v.data.",
        )
    if not on_numpy(inputs):
        refuse(name, "out= is an array of another library than the Variable's")
    on_arrays(call, inputs, {**kwargs, "out": out})
    return out[0] if len(out) == 1 else out


def array_function(
    self: Variable, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What NumPy calls for any other function among whose arguments is a Variable."""
    if not all(map(_is_known, types)):
        return NotImplemented
    name = _name_of(func)
    if name in _CREATED:
        return _create(self, name, args, dict(kwargs))
    if name in _tables().WRITERS:
        return _write(name, func, args, kwargs)
    if any(isinstance(x, Variable) for x in tree_leaves(kwargs.get("out"))):
        refuse(name, "out= cannot be a Variable", "Use the result.")
    kwargs = {key: value for key, value in kwargs.items() if value is not np._NoValue}
    return _compute(name, func, args, kwargs)


def _compute(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name in _tables().STEPS and on_numpy(args, kwargs):
        return on_arrays(func, args, kwargs)
    function = FUNCTIONS.get(name)
    if function is None:
        return _fall_back(name, "not defined for Variables", func, args, kwargs)
    try:
        return function(*args, **_supported(function, args, kwargs))
    except Unsupported as reason:
        return _fall_back(name, str(reason), func, args, kwargs)


def _supported(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments, if the function takes them all; those that say nothing are left out."""
    code: Any = function.__code__
    takes_any = code.co_flags & 0x04  # it has *args
    if len(args) > code.co_argcount and not takes_any:
        raise Unsupported(f"argument {code.co_argcount + 1} is not supported by position with Variables")
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for key, value in kwargs.items():
        if key not in known and key not in _SAYS_NOTHING:
            raise Unsupported(f"{key}= is not supported with Variables")
        if key not in known and value is not None and not _says(value, _SAYS_NOTHING[key]):
            if key == "out":
                raise Unsupported("out= is an array, which keeps no gradient")
            raise Unsupported(f"{key}= is not supported with Variables")
    return {key: value for key, value in kwargs.items() if key in known}


_SAYS_NOTHING: dict[str, Any] = {
    "out": None,
    "order": "C",
    "subok": True,
    "casting": "same_kind",
    "where": True,
    "kind": None,
    "stable": None,
    "like": None,
    "optimize": False,
    "overwrite_input": False,
    "initial": None,
    "sorter": None,
    "mode": "raise",
    "device": None,
    "weights": None,
}
"""Arguments that many functions of NumPy have, and what may be given for them all the same."""


_CREATED: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("array", "asarray", "asanyarray", "ascontiguousarray"), ("asarray", 1)),
    **{name: (name, 1) for name in ("zeros", "ones", "empty")},
    "full": ("full", 2),
    "arange": ("arange", 3),
    "eye": ("eye", 2),
    "identity": ("eye", 1),
}
"""What ``like=v`` makes: the standard's name, and how many arguments come before the dtype."""


def _create(v: Variable, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``np.zeros(3, like=v)``."""
    standard, count = _CREATED[name]
    if len(args) == count + 1:
        args, kwargs["dtype"] = args[:-1], args[-1]
    kwargs = {k: x for k, x in kwargs.items() if x is not None and not _says(x, _SAYS_NOTHING.get(k))}
    if "M" in kwargs:
        args = (*args, kwargs.pop("M"))  # of np.eye
    unknown = kwargs.keys() - {"dtype", {"asarray": "copy", "eye": "k"}.get(standard)}
    if len(args) > count or unknown:
        refuse(
            name, f"{min(unknown, default='another argument')}= is not supported with like=v", "Leave it out."
        )
    kwargs["dtype"] = dtype_for(v, kwargs.get("dtype"))
    return getattr(v.__array_namespace__(), standard)(*args, **kwargs, device=v.device)


def _says(value: Any, usual: Any) -> bool:
    """Whether an argument has its usual value; of an array that is not asked."""
    return type(value) is type(usual) and bool(value == usual)


def _fall_back(name: str, why: str, call: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy makes of constants, or the error that says what is not supported."""
    if needs_gradient(args, kwargs):
        refuse(name, f"{why}, and the gradient would be lost")
    if not on_numpy(args, kwargs):
        refuse(name, why, "Over NumPy, constants go through: v.to('numpy').")
    return on_arrays(call, args, kwargs)


def _write(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Functions that write into their first argument."""
    if args and isinstance(args[0], Variable):
        refuse(name, "it writes into its argument, which cannot be a Variable", "Use v[...] = values.")
    if needs_gradient(args, kwargs):
        refuse(name, "it writes into an array, which keeps no gradient")
    if not on_numpy(args, kwargs):
        refuse(name, "it writes into an array of another library than the Variable's")
    return on_arrays(func, args, kwargs)


def _is_known(kind: type) -> bool:
    """Whether values of a type are ours to compute with; others may answer for themselves."""
    return (
        kind in BY_TYPE
        or issubclass(kind, Variable | np.ndarray | np.generic | list | tuple)
        or any(base.__module__.partition(".")[0] in entry_points() for base in kind.__mro__[:-1])
    )


def _name_of(func: Any) -> str:
    """``sum`` for ``numpy.sum``, ``linalg.inv`` for ``numpy.linalg.inv``."""
    module = func.__module__.partition(".")[2]
    return f"{module}.{func.__name__}" if module in ("linalg", "fft") else str(func.__name__)


@cache
def _tables() -> Any:
    """The functions, imported when one is first called: few programs need them."""
    for module in ("numpy_reductions", "numpy_shapes", "numpy_linalg", "numpy_statistics"):
        import_module(f"tensorgrad.functions.{module}")
    return import_module("tensorgrad.functions.numpy_functions")


def cupy_kernel(self: Variable, kernel: Any, *args: Any, **kwargs: Any) -> Any:
    """What CuPy calls for one of its ufuncs among whose arguments is a Variable."""
    name = str(getattr(kernel, "name", "")).removeprefix("cupy_")
    ufunc = getattr(np, name, None)
    if not isinstance(ufunc, np.ufunc):
        _tables()
        if name in FUNCTIONS and not kwargs:  # fix and sinc are ufuncs there
            return FUNCTIONS[name](*args)
        raise TypeError(f"cupy: {kernel!r} is not defined for Variables. Pass v.data.")
    if "out" in kwargs and not isinstance(kwargs["out"], tuple):
        kwargs["out"] = (kwargs["out"],)
    return array_ufunc(self, ufunc, "__call__", *args, **kwargs)


PROTOCOLS: dict[str, Any] = {
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "__cupy_override_elementwise_kernel__": cupy_kernel,
}
"""The methods that make Variable take part."""
