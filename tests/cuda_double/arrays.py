"""The array of the double: it refuses what CuPy's refuses, and counts what would wait for a device."""

from __future__ import annotations

import operator
from collections import Counter
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np

from cuda_double import bfloat16
from cuda_double.graphs import CAPTURING, live, refuse
from cuda_double.signatures import checked

Waits = Counter[str]

WAITS: Waits = Counter()
"""How often the host waited for the device since `counting` began, by what made it wait."""

COPIES: Counter[str] = Counter()
"""How often arrays were copied from the host to the device, by what they were."""

CUBLAS = "calling cuBLAS API during stream capture is currently unsupported"  # as CuPy says it

REAL: Any = None
"""The CuPy that is installed: its signatures count."""


@contextmanager
def counting():
    """Count from here on, and give the counts."""
    WAITS.clear()
    COPIES.clear()
    yield WAITS


def wait(what: str) -> None:
    refuse(f"cudaErrorStreamCaptureUnsupported: {what} is not permitted when stream is capturing")
    WAITS[what] += 1


def computed(function: Any) -> Any:
    """What a function of NumPy's gives, as the double's; a graph that is being captured takes it up."""
    y = wrap(function())
    for capture in CAPTURING:
        capture.note(function, y)
    return y


class Device:
    """CuPy's Device: remembers which is current."""

    current: ClassVar[list[int]] = [0]
    compute_capability = "90"

    def __init__(self, device: Any = None) -> None:
        self.id = Device.current[-1] if device is None else getattr(device, "id", device)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Self:
        Device.current.append(self.id)
        return self

    def __exit__(self, *exception: object) -> None:
        Device.current.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> None:
        Device.current[-1] = self.id

    def synchronize(self) -> None:
        wait("Device.synchronize")


class Memory:
    def __init__(self, array: np.ndarray, device_id: int) -> None:
        self.ptr, self.device_id = array.ctypes.data, device_id
        self.mem = array.base if array.base is not None else array


class ndarray:  # noqa: N801  # CuPy's name
    """An array on the device."""

    __slots__ = ("__weakref__", "_a", "_number")

    def __init__(self, a: np.ndarray) -> None:
        assert type(a) is np.ndarray
        self._a = a
        self._number = Device.current[-1]
        live(self)

    __hash__ = None  # as CuPy's

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: self._a.flags)
    base = property(lambda self: self._a.base)
    T = property(lambda self: wrap(self._a.T))
    mT = property(lambda self: wrap(self._a.mT))
    real = property(lambda self: wrap(self._a.real))
    imag = property(lambda self: wrap(self._a.imag))
    device = property(lambda self: Device(self._number))
    data = property(lambda self: Memory(self._a, self._number))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        a = self._a
        return {
            "version": 3,
            "shape": a.shape,
            "strides": None if a.flags.c_contiguous else a.strides,
            "typestr": a.dtype.str,
            "data": (a.ctypes.data, False),
            "stream": 1,
        }

    # -- what goes to the host -------------------------------------------------------------------

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a "
            "NumPy array explicitly."
        )

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        if blocking:
            wait("get")
        if out is None:
            return np.array(self._a, order=order)
        out[...] = self._a
        return out

    def item(self) -> Any:
        wait("item")
        return self._a.item()

    def tolist(self) -> Any:
        wait("tolist")
        return self._a.tolist()

    def __bool__(self) -> bool:
        wait("bool")
        return bool(self._a)

    def __int__(self) -> int:
        wait("int")
        return int(self._a)

    def __float__(self) -> float:
        wait("float")
        return float(self._a)

    def __complex__(self) -> complex:
        wait("complex")
        return complex(self._a)

    def __index__(self) -> int:
        wait("index")
        return operator.index(self._a)

    def __repr__(self) -> str:
        wait("repr")
        return repr(self._a)

    def __str__(self) -> str:
        wait("str")
        return str(self._a)

    # -- the rest ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._a)))

    def __getitem__(self, index: Any) -> ndarray:
        items = index if isinstance(index, tuple) else (index,)
        if any(isinstance(i, ndarray) and i.dtype == bool for i in items):
            wait("boolean index")  # the host must know how many there are
        a, index, items = self._a, unwrap(index), unwrap(items)

        def taken() -> np.ndarray:
            found = a[index]
            return found if isinstance(found, np.ndarray) else a[(*items, ...)]

        return computed(taken)

    def __setitem__(self, index: Any, value: Any) -> None:
        a, index, value = self._a, unwrap(index), unwrap(value)
        computed(lambda: a.__setitem__(index, value))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or not hasattr(REAL, ufunc.__name__):
            return NotImplemented
        inputs, kwargs = unwrap(inputs), unwrap(kwargs)
        return computed(lambda: bfloat16.applied(ufunc.__name__, ufunc, *inputs, **kwargs))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"'ndarray' object has no attribute {name!r}")
        if REAL is not None and not hasattr(REAL.ndarray, name):
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        real = None if REAL is None else getattr(REAL.ndarray, name)
        return checked(real, lambda *args, **kwargs: self._method(name, args, kwargs), method=True)

    def _method(self, name: str, args: Any, kwargs: Any) -> Any:
        a, args, kwargs = self._a, unwrap(args), unwrap(kwargs)
        method = getattr(np.ndarray, name)
        out = computed(lambda: bfloat16.applied(name, method, a, *args, **kwargs))
        return self if isinstance(out, ndarray) and out._a is a else out


def _binary(name: str) -> None:
    function = getattr(operator, name)
    stem = name.strip("_")
    known_as = bfloat16.OPERATORS.get(stem, stem)

    def of(a: Any, b: Any) -> Any:
        if name == "matmul":
            refuse(CUBLAS, NotImplementedError)
        return computed(lambda: bfloat16.applied(known_as, function, a, b))

    def forward(self: ndarray, other: Any) -> Any:
        return of(self._a, unwrap(other)) if _known(other) else NotImplemented

    def backward(self: ndarray, other: Any) -> Any:
        return of(unwrap(other), self._a) if _known(other) else NotImplemented

    setattr(ndarray, f"__{stem}__", forward)
    setattr(ndarray, f"__r{stem}__", backward)
    if hasattr(operator, f"i{stem}"):
        in_place = getattr(operator, f"i{stem}")

        def change(self: ndarray, other: Any) -> Any:
            if not _known(other):
                return NotImplemented
            a, b = self._a, unwrap(other)

            def changed() -> np.ndarray:
                if a.dtype.name != "bfloat16":
                    return in_place(a, b)
                a[...] = bfloat16.applied(known_as, function, a, b)
                return a

            self._a = computed(changed)._a
            return self

        setattr(ndarray, f"__i{stem}__", change)


def _known(x: Any) -> bool:
    return isinstance(x, ndarray | np.ndarray | np.generic | int | float | complex | list | tuple)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift"):
    _binary(_name)
for _name in ("and_", "or_", "xor"):
    _binary(_name)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _binary(_name)
for _function in (operator.neg, operator.pos, operator.abs, operator.invert):
    _stem = _function.__name__.strip("_")
    _known_as = bfloat16.OPERATORS.get(_stem, _stem)
    setattr(
        ndarray,
        f"__{_stem}__",
        lambda self, f=_function, name=_known_as: computed(lambda: bfloat16.applied(name, f, self._a)),
    )


def unwrap(x: Any) -> Any:
    """NumPy's arrays for the double's. NumPy's own are refused, as by CuPy."""
    if isinstance(x, ndarray):
        return x._a
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, tuple):
        return tuple(map(unwrap, x))
    if isinstance(x, list):
        return list(map(unwrap, x))
    if isinstance(x, dict):
        return {key: unwrap(value) for key, value in x.items()}
    return x


def wrap(x: Any) -> Any:
    """The double's arrays for NumPy's, and for its scalars too: a result is never a number."""
    if isinstance(x, np.ndarray | np.generic):
        return ndarray(np.asarray(x))
    if isinstance(x, tuple):
        items = map(wrap, x)
        return type(x)(*items) if hasattr(x, "_fields") else tuple(items)
    return list(map(wrap, x)) if isinstance(x, list) else x
