"""Shapes: reshape, permute, broadcast, and the sum that undoes a broadcast."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of, get_backend
from tensorgrad.core import ArrayLike, Op, Variable, as_array
from tensorgrad.core import sum_to as _sum_to
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.core.variable import make_variable


class Reshape(ViewOp):
    """``y = x`` in another shape; so is the gradient."""

    setting = "shape"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.xp.reshape(x, self.shape)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.reshape(gy, self.x_shape)


class PermuteDims(ViewOp):
    """``y = x`` with its axes in another order; the gradient goes back to the first order."""

    setting = "axes"

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return x.T if self.axes == (1, 0) else self.xp.permute_dims(x, self.axes)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        axes = self.axes
        if axes == (1, 0):
            return gy.T
        return self.xp.permute_dims(gy, tuple(axes.index(i) for i in range(len(axes))))


class BroadcastTo(ViewOp):
    """``y = x`` repeated to a shape; the gradient is summed back."""

    setting = "shape"
    pick = False

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.xp.broadcast_to(x, self.shape)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return _sum_to(self.xp, gy, self.x_shape)


class SumTo(Op):
    """``y = x`` summed to a shape that broadcasts to its own; the gradient is repeated."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return _sum_to(self.xp, x, self.shape)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.broadcast_to(gy, self.x_shape)


def unchanged(x: Any) -> Variable:
    """A Variable as it is, an array as a constant: the result of a view of everything."""
    return x if isinstance(x, Variable) else make_variable(x, None, 0)


def same_value(x: Any) -> Variable:
    """The value of `x` under a handle of its own: the result of an op that has nothing to do.

    In-place operators on the one leave the other alone. A leaf that requires a gradient, which they do not
    change, is returned itself.
    """
    if not isinstance(x, Variable):
        return make_variable(as_array(x), None, 0)
    if x.creator is None and x.requires_grad:
        return x
    return make_variable(x.data, x._node if x.requires_grad else None, x._index)


def shape_of(name: str, x: Any) -> tuple[int, ...]:
    """The shape of an array or Variable, or a TypeError in the name of a function."""
    try:
        return tuple(x.shape)
    except AttributeError:
        raise TypeError(
            f"{name}: expected a Variable or an array; got {type(x).__name__}. "
            "tensorgrad.as_variable makes one of numbers and lists."
        ) from None


def owner_of(name: str, x: Any) -> Backend:
    """The backend of an array or Variable, or a TypeError in the name of a function."""
    if isinstance(x, np.generic):
        return get_backend("numpy")
    try:
        owner = backend_of(x.data if isinstance(x, Variable) else x)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    if owner is None:
        raise TypeError(
            f"{name}: expected a Variable or an array; got {type(x).__name__}. "
            "tensorgrad.as_variable makes one of numbers and lists."
        )
    return owner


def as_tuple(x: Any) -> tuple[Any, ...]:
    """An axis or a length, which may be an integer of NumPy's, or a sequence of them, as a tuple."""
    if isinstance(x, int):
        return (x,)
    try:
        return tuple(x)
    except TypeError:  # not iterable
        return (index(x),)


def axis_of(name: str, axis: int, ndim: int) -> int:
    """An axis counted from the first, or NumPy's AxisError in the name of a function.

    It is a ValueError, and an IndexError as the standard asks of `expand_dims`.
    """
    if not -ndim <= axis < ndim:
        text = f"{name}: expected an axis from {-ndim} to {ndim - 1}; got {axis}"
        raise np.exceptions.AxisError(text)
    return index(axis % ndim)


def axes_of(name: str, axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the first, each at most once."""
    given = as_tuple(axes)
    found = tuple(axis_of(name, index(a), ndim) for a in given)
    if len(set(found)) != len(found):
        raise ValueError(f"{name}: expected each axis once; got {given}")
    return found


@samples(
    Sample(Real((2, 3)), (3, 2)),
    Sample(Real((2, 3)), (-1,)),
    Sample(Real((2, 3)), -1),
    Sample(Real((2, 3)), (2, 3)),
    Sample(Real((1,)), ()),
)
def reshape(x: Any, shape: Any) -> Variable:
    """The same elements in another shape.

    Parameters
    ----------
    x : Variable or array, any shape
    shape : int or tuple of int
        One length may be -1: it follows from the others.

    Returns
    -------
    Variable of that shape; `x` itself if it has that shape already

    Raises
    ------
    ValueError
        If the number of elements differs.

    Examples
    --------
    >>> F.reshape(Variable(np.arange(6.0)), (2, 3)).shape
    (2, 3)
    """
    shape = as_tuple(shape)
    x_shape = shape_of("reshape", x)
    if x_shape == shape:
        return unchanged(x)
    size, unknown = math.prod(x_shape), shape.count(-1)
    known = abs(math.prod(shape))
    if unknown > 1 or (size % known if unknown and known else size != known) or (unknown and not known):
        raise ValueError(
            f"reshape: expected a shape of {size} elements, with -1 for at most one length that "
            f"follows; got {shape} for shape {x_shape}"
        )
    return Reshape(shape)(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real((2, 1, 3))), Sample(Real()))
def ravel(x: Any) -> Variable:
    """All elements along one axis, the last index running fastest.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape (size,)

    Examples
    --------
    >>> F.ravel(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])))
    variable([1. 2. 3. 4.])
    """
    return reshape(x, (math.prod(shape_of("ravel", x)),))


@samples(Sample(Real((2, 3))), Sample(Real((2, 1, 3))), Sample(Real((4,))))
def flatten(x: Any) -> Variable:
    """Each example of a batch as one row, as in the book; all elements along one axis are `ravel`.

    Parameters
    ----------
    x : Variable or array, shape (N, ...)

    Returns
    -------
    Variable, shape (N, D)

    Raises
    ------
    ValueError
        If `x` has no axis.

    Examples
    --------
    >>> F.flatten(Variable(np.zeros((2, 3, 4)))).shape
    (2, 12)
    """
    shape = shape_of("flatten", x)
    if not shape:
        raise ValueError("flatten: expected an array with a first axis, of examples; got shape ()")
    return reshape(x, (shape[0], math.prod(shape[1:])))


@samples(
    Sample(Real((2, 3)), (1, 0)),
    Sample(Real((2, 3, 4)), (2, 0, 1)),
    Sample(Real((2, 3, 4)), (0, -1, 1)),
    Sample(Real(), ()),
)
def permute_dims(x: Any, axes: Any) -> Variable:
    """The axes in another order.

    Parameters
    ----------
    x : Variable or array, any shape
    axes : tuple of int
        Axis i of the result is axis ``axes[i]`` of `x`.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If `axes` does not name each axis once.

    Examples
    --------
    >>> F.permute_dims(Variable(np.zeros((2, 3, 4))), (2, 0, 1)).shape
    (4, 2, 3)
    """
    ndim = len(shape_of("permute_dims", x))
    order = axes_of("permute_dims", axes, ndim)
    if len(order) != ndim:
        raise ValueError(f"permute_dims: expected {ndim} axes; got {tuple(axes)}")
    return PermuteDims(order)(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3))), Sample(Real((2, 3, 4))), Sample(Real((2, 3, 4)), (0, -1, 1)), Sample(Real((3,)))
)
def transpose(x: Any, axes: Any = None) -> Variable:
    """The axes in another order; in reverse by default.

    Parameters
    ----------
    x : Variable or array, any shape
    axes : tuple of int, optional
        Axis i of the result is axis ``axes[i]`` of `x`.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If `axes` does not name each axis once.

    Examples
    --------
    >>> F.transpose(Variable(np.zeros((2, 3)))).shape
    (3, 2)
    """
    if axes is None:
        n = len(shape_of("transpose", x))
        return PermuteDims(tuple(range(n - 1, -1, -1)))(x)  # type: ignore[no-any-return]
    return permute_dims(x, axes)


@samples(Sample(Real((2, 3))), Sample(Real((2, 3, 4))))
def matrix_transpose(x: Any) -> Variable:
    """Each matrix of a stack transposed: the last two axes change places.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n)

    Returns
    -------
    Variable, shape (..., n, m)

    Raises
    ------
    ValueError
        If `x` has fewer than two axes.

    Examples
    --------
    >>> F.matrix_transpose(Variable(np.zeros((4, 2, 3)))).shape
    (4, 3, 2)
    """
    shape = shape_of("matrix_transpose", x)
    n = len(shape)
    if n < 2:
        raise ValueError(f"matrix_transpose: expected two or more axes; got shape {shape}")
    return PermuteDims((*range(n - 2), n - 1, n - 2))(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3, 4)), 0, 2),
    Sample(Real((2, 3, 4)), -1, 0),
    Sample(Real((2, 3, 4)), (0, 1), (-1, 0)),
)
def moveaxis(x: Any, source: Any, destination: Any) -> Variable:
    """Some axes moved to other places; the rest stay in order.

    Parameters
    ----------
    x : Variable or array, any shape
    source, destination : int or tuple of int
        Axis ``source[i]`` of `x` is axis ``destination[i]`` of the result.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If an axis does not exist or is named twice, or the two differ in length.

    Examples
    --------
    >>> F.moveaxis(Variable(np.zeros((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(shape_of("moveaxis", x))
    sources = axes_of("moveaxis", source, ndim)
    targets = axes_of("moveaxis", destination, ndim)
    if len(sources) != len(targets):
        raise ValueError(
            f"moveaxis: expected as many sources as destinations; got {len(sources)} and {len(targets)}"
        )
    moved = dict(zip(targets, sources, strict=True))
    rest = (i for i in range(ndim) if i not in sources)
    return permute_dims(x, tuple(moved[i] if i in moved else next(rest) for i in range(ndim)))


@samples(Sample(Real((2, 3)), 0), Sample(Real((2, 3)), -1), Sample(Real((2, 3)), (0, 2)), Sample(Real(), 0))
def expand_dims(x: Any, axis: Any = 0) -> Variable:
    """New axes of length 1.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int or tuple of int, default 0
        Where they are in the result.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If the result has no such axis.

    Examples
    --------
    >>> F.expand_dims(Variable(np.zeros(3)), 1).shape
    (3, 1)
    """
    shape = shape_of("expand_dims", x)
    ndim = len(shape) + len(as_tuple(axis))
    new = axes_of("expand_dims", axis, ndim)
    old = iter(shape)
    return reshape(x, tuple(1 if i in new else next(old) for i in range(ndim)))


@samples(
    Sample(Real((1, 3, 1))),
    Sample(Real((1, 3, 1)), 0),
    Sample(Real((1, 3, 1)), (0, -1)),
)
def squeeze(x: Any, axis: Any = None) -> Variable:
    """Axes of length 1 removed.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int or tuple of int, optional
        Which; all that have length 1 by default.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If such an axis does not exist, or has another length than 1.

    Examples
    --------
    >>> F.squeeze(Variable(np.zeros((1, 3, 1)))).shape
    (3,)
    """
    shape = shape_of("squeeze", x)
    if axis is None:
        return reshape(x, tuple(n for n in shape if n != 1))
    axes = axes_of("squeeze", axis, len(shape))
    if any(shape[i] != 1 for i in axes):
        raise ValueError(f"squeeze: expected axes of length 1; got {axis} for shape {shape}")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes))


@samples(
    Sample(Real((3,)), (2, 3)),
    Sample(Real((2, 1)), (4, 2, 3)),
    Sample(Real((2, 3)), (2, 3)),
    Sample(Real(), (2,)),
)
def broadcast_to(x: Any, shape: Any) -> Variable:
    """`x` repeated to a shape, without a copy.

    Parameters
    ----------
    x : Variable or array
    shape : tuple of int
        Every axis of `x`, counted from the last, has this length or 1.

    Returns
    -------
    Variable of that shape; `x` itself if it has that shape already

    Raises
    ------
    ValueError
        If `x` does not broadcast to `shape`.

    Examples
    --------
    >>> F.broadcast_to(Variable(np.array([1.0, 2.0])), (2, 2))
    variable([[1. 2.]
              [1. 2.]])
    """
    shape, x_shape = tuple(shape), shape_of("broadcast_to", x)
    if x_shape == shape:
        return unchanged(x)
    _check_broadcast("broadcast_to", x_shape, shape, x_shape)
    return BroadcastTo(shape)(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3)), (3,)),
    Sample(Real((2, 3)), (2, 1)),
    Sample(Real((4, 2, 3)), (2, 1)),
    Sample(Real((2, 3)), (2, 3)),
    Sample(Real((2, 3)), ()),
)
def sum_to(x: Any, shape: Any) -> Variable:
    """`x` summed to a shape: over those axes along which an array of that shape would be repeated.

    Parameters
    ----------
    x : Variable or array
    shape : tuple of int
        A shape that broadcasts to that of `x`.

    Returns
    -------
    Variable of that shape; `x` itself if it has that shape already

    Raises
    ------
    ValueError
        If `shape` does not broadcast to the shape of `x`.

    Examples
    --------
    >>> F.sum_to(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])), (1, 2))
    variable([[4. 6.]])
    """
    shape, x_shape = tuple(shape), shape_of("sum_to", x)
    if x_shape == shape:
        return unchanged(x)
    _check_broadcast("sum_to", shape, x_shape, x_shape)
    return SumTo(shape)(x)  # type: ignore[no-any-return]


def _check_broadcast(name: str, small: Any, large: Any, got: tuple[int, ...]) -> None:
    lead = len(large) - len(small)
    if lead < 0 or any(n not in (1, m) for n, m in zip(small, large[lead:], strict=True)):
        raise ValueError(f"{name}: expected that {small} broadcasts to {large}; x has shape {got}")
