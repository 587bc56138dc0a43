"""The same values in another dtype, in other memory, or in another array library."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, get_backend
from tensorgrad.core import ArrayLike, Function, Op, Variable
from tensorgrad.core.engine import Copy
from tensorgrad.core.function import AsType
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.core.variable import transfer
from tensorgrad.functions.manipulation import owner_of, unchanged


class Truncate(Function):
    """``y = x`` in a dtype without fractions: a constant, it has no gradient."""

    no_grad_inputs = (0,)

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        return self.xp.astype(x, self.dtype)


class To(Op):
    """``y = x`` in another library or on another device; the gradient is moved back."""

    def __init__(self, target: Backend, device: Any) -> None:
        self.target = target
        self.device = device

    def forward(self, x: Array) -> Array:
        self.origin: tuple[Backend, Any] = (self.backend, self.backend.device(x))
        y = transfer(x, self.target, self.device)
        self.backend, self.xp = self.target, self.target.xp  # of the backward: gradients come from there
        return y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(To(*self.origin), gy)


def dtype_of(backend: Backend, dtype: Any) -> Any:
    """A dtype in the terms of a backend: from its name, NumPy's dtype or a Python type too."""
    if not isinstance(dtype, str | np.dtype | type):
        return dtype
    try:
        name = np.dtype(dtype).name
    except TypeError:  # a name that NumPy lacks, such as bfloat16
        name = str(dtype)
    found = getattr(backend.xp, name, None)
    if found is None:
        raise TypeError(f"astype: expected a dtype of {backend.name}; got {dtype!r}")
    return found


@samples(
    Sample(Real((2, 3)), "float64"),
    Sample(Real((2, 3), 0.0, 9.0), "int64", differentiable=False),
)
def astype(x: Any, dtype: Any, *, copy: bool = True) -> Variable:
    """The values in another dtype.

    Parameters
    ----------
    x : Variable or array, any shape
    dtype : dtype, str or type
        In the terms of the array library, or the name (``"float32"``), or as NumPy writes it.
    copy : bool, default True
        False gives `x` itself where it has that dtype already.

    Returns
    -------
    Variable, shape of `x`
        A constant if `dtype` is of integers or bools. The gradient has the dtype of `x`.

    Raises
    ------
    TypeError
        If the array library has no such dtype.

    Examples
    --------
    >>> F.astype(Variable(np.array([1.5, 2.5])), "int64")
    variable([1 2])
    """
    owner = owner_of("astype", x)
    dtype = dtype_of(owner, dtype)
    if not copy and x.dtype == dtype:
        return unchanged(x)
    return (AsType if owner.is_floating(dtype) else Truncate)(dtype)(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real()))
def copy(x: Any) -> Variable:
    """The same values in memory of their own; the gradient passes through.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.copy(Variable(np.array([1.0, 2.0])))
    variable([1. 2.])
    """
    return Copy()(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))))
def to(x: Any, backend: str | Backend | None = None, device: Any = None) -> Variable:
    """The values in another array library, or on another device. The gradient is moved back.

    Parameters
    ----------
    x : Variable or array, any shape
    backend : str or Backend, optional
        The name of the library, such as ``"torch"``; that of `x` by default.
    device : optional
        In the library's own terms; by default its default device, or where `x` is if it stays in its
        library.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    LookupError
        If no library is registered under that name.
    BackendUnavailableError
        If the library is not installed, or does not work here.

    Examples
    --------
    >>> F.to(Variable(np.array([1.0, 2.0])), "numpy")
    variable([1. 2.])
    """
    owner = owner_of("to", x)
    return To(owner if backend is None else get_backend(backend), device)(x)  # type: ignore[no-any-return]
