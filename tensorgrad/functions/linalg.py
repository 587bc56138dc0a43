"""Products of matrices and vectors."""

from __future__ import annotations

import math
from numbers import Integral
from operator import index
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import add, mul
from tensorgrad.functions.complex_parts import conj
from tensorgrad.functions.manipulation import as_tuple, axis_of, owner_of, reshape, shape_of
from tensorgrad.functions.matrices import dense
from tensorgrad.functions.reduction import sum


class MatMul(Op):
    """``y = x0 x1``; ``gx0 = gy x1^T``, ``gx1 = x0^T gy``, for each matrix of a stack."""

    precision = "half"
    saves = (Input(1, needed_by=0), Input(0, needed_by=1))
    repeatable = True
    fresh = True
    broadcast = False  # whether the library refused an input that was broadcast

    def forward(self, x0: Array, x1: Array) -> Array:
        try:
            y = self.xp.matmul(x0, x1)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            _explain(x0, x1, error)
            self.broadcast = True
            y = self.xp.matmul(dense(self, x0), dense(self, x1))
        self.ndims = (len(x0.shape), len(x1.shape))
        return y

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x1, x0 = self.saved
        n0, n1 = self.ndims
        gy = dense(self, gy)
        if self.broadcast:
            x1, x0 = (None if x is None else dense(self, x) for x in (x1, x0))
        if n0 == n1 == 2:
            matmul = self.xp.matmul
            return (None if x1 is None else matmul(gy, x1.T)), (None if x0 is None else matmul(x0.T, gy))
        return (
            None if x1 is None else self._first(gy, x1, n0, n1),
            None if x0 is None else self._second(gy, x0, n0, n1),
        )

    def _first(self, gy: ArrayLike, x1: ArrayLike, n0: int, n1: int) -> ArrayLike:
        """The gradient of x0, which may still have the axes that were broadcast."""
        xp = self.xp
        if n1 == 1:
            return gy * x1 if n0 == 1 else xp.expand_dims(gy, axis=-1) * x1
        if n0 == 1:
            gy = xp.expand_dims(gy, axis=-2)
        gx = xp.matmul(gy, _transposed(xp, x1))
        return xp.reshape(gx, (*gx.shape[:-2], gx.shape[-1])) if n0 == 1 else gx

    def _second(self, gy: ArrayLike, x0: ArrayLike, n0: int, n1: int) -> ArrayLike:
        """The gradient of x1; where that is one matrix or vector, by one product over all rows."""
        xp = self.xp
        if n0 == 1:
            column = x0 if n1 == 1 else xp.expand_dims(x0, axis=-1)
            return column * (gy if n1 == 1 else xp.expand_dims(gy, axis=-2))
        if n1 > 2:
            return xp.matmul(_transposed(xp, x0), gy)
        rows = x0 if n0 == 2 else xp.reshape(x0, (math.prod(x0.shape[:-1]), x0.shape[-1]))
        gy = xp.reshape(gy, (rows.shape[0],) if n1 == 1 else (rows.shape[0], gy.shape[-1]))
        return xp.matmul(rows.T, gy)


class Linear(Op):
    """``y = x W + b`` over the last axis; ``gx = gy W^T``, ``gW = x^T gy``, gb sums gy over rows."""

    precision = "half"
    saves = (Input(0, needed_by=1), Input(1, needed_by=0))
    repeatable = True
    fresh = True

    # Shapes: x (..., in), W (in, out), b (out,), y (..., out).

    def forward(self, x: Array, W: Array, b: Array | None = None) -> Array:
        x_shape = x.shape
        w_shape = W.shape
        if len(w_shape) != 2 or len(x_shape) == 0 or x_shape[-1] != w_shape[0]:
            raise ValueError(
                f"linear: expected x.shape[-1] == W.shape[0], with W of shape (in, out); "
                f"got {tuple(x_shape)} @ {tuple(W.shape)}. Is W transposed?"
            )
        if b is not None and getattr(b, "shape", ()) != w_shape[1:]:
            raise ValueError(
                f"linear: expected b of shape (out,) == {tuple(W.shape[1:])}; "
                f"got {tuple(getattr(b, 'shape', ()))}. x @ W + b takes others."
            )
        y = self.xp.matmul(x if len(x_shape) <= 2 else self._rows(x), W)
        if b is not None:
            if b.dtype == y.dtype:
                y += b  # in place where the library can
            else:
                y = y + b
        return y if len(x_shape) <= 2 else self.xp.reshape(y, (*x_shape[:-1], W.shape[1]))

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        x, W = self.saved
        gy = dense(self, gy)
        to_b = len(self.edges) == 3 and self.edges[2] is not None
        shape = gy.shape
        if len(shape) != 2:
            gy = self._rows(gy)  # one product, where each of a batch would be one
        gx = None if W is None else self.xp.matmul(gy, W.T)
        if gx is not None and len(shape) != 2:
            gx = self.xp.reshape(gx, (*shape[:-1], gx.shape[-1]))
        if x is None and not to_b:
            return (gx, None, None)[: len(self.edges)]
        gW = None if x is None else self.xp.matmul((x if len(x.shape) == 2 else self._rows(x)).T, gy)
        gb = self.xp.sum(gy, axis=0) if to_b else None
        return (gx, gW, gb)[: len(self.edges)]

    def _rows(self, x: ArrayLike) -> ArrayLike:
        """``(..., n)`` as ``(rows, n)``."""
        shape = x.shape
        return self.xp.reshape(x, (math.prod(shape[:-1]), shape[-1]))


class TensorDot(Op):
    """``y = sum x0 x1`` over pairs of axes; so are both gradients, over the axes that were left."""

    precision = "half"
    saves = (Input(1, needed_by=0), Input(0, needed_by=1))
    fresh = True

    def __init__(self, axes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        self.axes = axes

    def forward(self, x0: Array, x1: Array) -> Array:
        self.ndims = (len(x0.shape), len(x1.shape))
        return self.xp.tensordot(x0, x1, axes=self.axes)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x1, x0 = self.saved
        gy = dense(self, gy)
        a, b = self.axes
        n0, n1 = self.ndims
        free0 = [i for i in range(n0) if i not in a]
        free1 = [i for i in range(n1) if i not in b]
        left = list(range(len(free0)))  # the axes of y that are those of x0
        right = list(range(len(free0), len(free0) + len(free1)))
        gx0 = gx1 = None
        if x1 is not None:  # axes: free0, then those of x1 that were summed, in its order
            gx0 = self.xp.tensordot(gy, x1, axes=(right, free1))
            order = [*free0, *(a[b.index(i)] for i in sorted(b))]
            gx0 = self.xp.permute_dims(gx0, tuple(order.index(i) for i in range(n0)))
        if x0 is not None:  # axes: those of x0 that were summed, in its order, then free1
            gx1 = self.xp.tensordot(x0, gy, axes=(free0, left))
            order = [*(b[a.index(i)] for i in sorted(a)), *free1]
            gx1 = self.xp.permute_dims(gx1, tuple(order.index(i) for i in range(n1)))
        return gx0, gx1


class VecDot(Op):
    """``y = sum x0 x1`` along one axis; ``gx0 = gy x1``, ``gx1 = gy x0``."""

    saves = (Input(1, needed_by=0), Input(0, needed_by=1))
    fresh = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.vecdot(x0, x1, axis=self.axis)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x1, x0 = self.saved
        gy = self.xp.expand_dims(gy, axis=self.axis)
        return (None if x1 is None else gy * x1), (None if x0 is None else gy * x0)


class Cross(Op):
    """``y = x0 x x1`` along an axis of length 3; ``gx0 = x1 x gy``, ``gx1 = gy x x0``."""

    saves = (Input(1, needed_by=0), Input(0, needed_by=1))
    fresh = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.linalg.cross(x0, x1, axis=self.axis)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x1, x0 = self.saved
        cross = self.xp.linalg.cross
        return (
            None if x1 is None else cross(x1, gy, axis=self.axis),
            None if x0 is None else cross(gy, x0, axis=self.axis),
        )


def _transposed(xp: Any, x: ArrayLike) -> ArrayLike:
    return x.T if len(x.shape) == 2 else xp.matrix_transpose(x)


def _explain(x0: Any, x1: Any, error: Exception) -> None:
    """Raise an error that names the shapes, if these are what is wrong with a matrix product."""
    s0, s1 = tuple(getattr(x0, "shape", ())), tuple(getattr(x1, "shape", ()))
    if not s0 or not s1:
        raise ValueError(
            f"matmul: expected arrays of one or more axes; got {s0} @ {s1}. Use * for numbers."
        ) from error
    if s0[-1] != s1[-2 if len(s1) > 1 else 0]:
        where = "-2" if len(s1) > 1 else "0"
        raise ValueError(
            f"matmul: expected a.shape[-1] == b.shape[{where}]; got {s0} @ {s1}. Is one of them transposed?"
        ) from error
    if any(n != m and 1 not in (n, m) for n, m in zip(s0[-3::-1], s1[-3::-1], strict=False)):
        raise ValueError(f"matmul: expected stacks of matrices that broadcast; got {s0} @ {s1}") from error


_PRODUCTS = (
    Sample(Real((2, 3)), Real((3, 4))),
    Sample(Real((5, 2, 3)), Real((3, 4))),
    Sample(Real((2, 3)), Real((5, 3, 4))),
    Sample(Real((5, 1, 2, 3)), Real((4, 3, 2))),
    Sample(Real((3,)), Real((3,))),
    Sample(Real((3,)), Real((3, 4))),
    Sample(Real((3,)), Real((5, 3, 4))),
    Sample(Real((2, 3)), Real((3,))),
    Sample(Real((5, 2, 3)), Real((3,))),
)


@samples(*_PRODUCTS)
def matmul(x: Any, W: Any) -> Variable:
    """Matrix product: ``x @ W``.

    Parameters
    ----------
    x : Variable or array, shape (..., n, k) or (k,)
    W : Variable or array, shape (..., k, m) or (k,)
        The leading axes, stacks of matrices, broadcast against each other.

    Returns
    -------
    Variable, shape (..., n, m)
        Without n or m where that side is a vector.

    Raises
    ------
    ValueError
        If the shapes do not go together, or one side is a number.

    Examples
    --------
    >>> F.matmul(Variable(np.array([[1.0, 2.0]])), Variable(np.array([[3.0], [4.0]])))
    variable([[11.]])
    """
    return MatMul()(x, W)  # type: ignore[no-any-return]


dot = matmul


@samples(
    Sample(Real((2, 3)), Real((3, 4))),
    Sample(Real((2, 3)), Real((3, 4)), Real((4,))),
    Sample(Real((5, 2, 3)), Real((3, 4)), Real((4,))),
    Sample(Real((3,)), Real((3, 4)), Real((4,))),
    Sample(Real((2, 3)), Real((3, 1)), b=None),
)
def linear(x: Any, W: Any, b: Any = None) -> Variable:
    """A fully connected layer: ``x @ W + b``, as one op.

    Parameters
    ----------
    x : Variable or array, shape (..., in)
    W : Variable or array, shape (in, out)
    b : Variable or array, shape (out,), optional

    Returns
    -------
    Variable, shape (..., out)

    Raises
    ------
    ValueError
        If the shapes do not go together.

    Examples
    --------
    >>> F.linear(np.array([[1.0, 2.0]]), Variable(np.array([[3.0], [4.0]])), np.array([0.5]))
    variable([[11.5]])
    """
    return Linear()(x, W) if b is None else Linear()(x, W, b)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3)), Real((3, 4))),
    Sample(Real((2, 3)), Real((3, 4)), Real((4,))),
    Sample(Real((2, 3)), Real((3, 4)), Real((2, 1))),
)
def linear_simple(x: Any, W: Any, b: Any = None) -> Variable:
    """``x @ W + b`` as two ops, as the book writes it first; `b` may be anything that broadcasts.

    Parameters
    ----------
    x : Variable or array, shape (..., in)
    W : Variable or array, shape (in, out)
    b : Variable, array or number, optional

    Returns
    -------
    Variable, shape (..., out)

    Raises
    ------
    ValueError
        If the shapes do not go together.

    Examples
    --------
    >>> F.linear_simple(np.array([[1.0, 2.0]]), Variable(np.array([[3.0], [4.0]])), 0.5)
    variable([[11.5]])
    """
    y = matmul(x, W)
    return y if b is None else add(y, b)


@samples(
    Sample(Real((2, 3, 4)), Real((3, 4, 2))),
    Sample(Real((2, 3)), Real((3, 4)), axes=1),
    Sample(Real((2,)), Real((3,)), axes=0),
    Sample(Real((2, 3, 4)), Real((4, 5, 2)), axes=((0, 2), (2, 0))),
    Sample(Real((2, 3, 4)), Real((3, 2)), axes=([1], [-2])),
    Sample(Real((2, 3)), Real((2, 3)), axes=((1, 0), (1, 0))),
)
def tensordot(x0: Any, x1: Any, axes: Any = 2) -> Variable:
    """Sum of products over pairs of axes.

    Parameters
    ----------
    x0, x1 : Variable or array
    axes : int, or two tuples of int, default 2
        How many of the last axes of `x0` go with the first of `x1`; or which go with which.

    Returns
    -------
    Variable
        The other axes of `x0`, then those of `x1`.

    Raises
    ------
    ValueError
        If an axis does not exist, or two that go together differ in length.

    Examples
    --------
    >>> F.tensordot(Variable(np.ones((2, 3, 4))), Variable(np.ones((3, 4)))).shape
    (2,)
    """
    s0, s1 = shape_of("tensordot", x0), shape_of("tensordot", x1)
    if isinstance(axes, Integral):
        count = index(axes)
        if not 0 <= count <= min(len(s0), len(s1)):
            raise ValueError(f"tensordot: expected that both have {count} axes; got {s0} and {s1}")
        pairs = (tuple(range(len(s0) - count, len(s0))), tuple(range(count)))
    else:
        a, b = map(as_tuple, axes)
        pairs = (
            tuple(axis_of("tensordot", i, len(s0)) for i in a),
            tuple(axis_of("tensordot", i, len(s1)) for i in b),
        )
    if [s0[i] for i in pairs[0]] != [s1[i] for i in pairs[1]]:
        raise ValueError(
            f"tensordot: expected axes of equal lengths; got axes {pairs[0]} of {s0} and {pairs[1]} of {s1}"
        )
    return TensorDot(pairs)(x0, x1)  # type: ignore[no-any-return]


@samples(
    Sample(Real((3,)), Real((3,))),
    Sample(Real((2, 3)), Real((3,))),
    Sample(Real((4, 3, 2)), Real((3, 1)), axis=-2),
)
def vecdot(x0: Any, x1: Any, axis: int = -1) -> Variable:
    """Sum of products along one axis, for each pair of vectors of a stack.

    Parameters
    ----------
    x0, x1 : Variable or array
        Broadcast against each other. Of complex vectors the first is conjugated.
    axis : int, default -1
        Counted from the last: -1 or less.

    Returns
    -------
    Variable, the broadcast shape without `axis`

    Raises
    ------
    ValueError
        If `axis` is not negative or does not exist, or the lengths along it differ.

    Examples
    --------
    >>> F.vecdot(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])), np.array([1.0, -1.0]))
    variable([-1. -1.])
    """
    s0, s1 = shape_of("vecdot", x0), shape_of("vecdot", x1)
    if not -min(len(s0), len(s1)) <= axis <= -1:
        raise ValueError(f"vecdot: expected a negative axis that both have; got {axis} for {s0}, {s1}")
    if s0[axis] != s1[axis]:
        raise ValueError(f"vecdot: expected equal lengths along axis {axis}; got {s0} and {s1}")
    if owner_of("vecdot", x0).is_complex(x0.dtype):
        return sum(mul(conj(x0), x1), axis)
    return VecDot(axis)(x0, x1)  # type: ignore[no-any-return]


@samples(Sample(Real((2,)), Real((3,))))
def outer(x0: Any, x1: Any) -> Variable:
    """All products of an element of one vector and one of another.

    Parameters
    ----------
    x0 : Variable or array, shape (n,)
    x1 : Variable or array, shape (m,)

    Returns
    -------
    Variable, shape (n, m)

    Raises
    ------
    ValueError
        If one of them is no vector.

    Examples
    --------
    >>> F.outer(Variable(np.array([1.0, 2.0])), Variable(np.array([3.0, 4.0])))
    variable([[3. 4.]
              [6. 8.]])
    """
    s0, s1 = shape_of("outer", x0), shape_of("outer", x1)
    if len(s0) != 1 or len(s1) != 1:
        raise ValueError(f"outer: expected two vectors; got shapes {s0} and {s1}")
    return mul(reshape(x0, (s0[0], 1)), x1)


@samples(
    Sample(Real((3,)), Real((3,))),
    Sample(Real((2, 3)), Real((3,))),
    Sample(Real((4, 1, 3)), Real((2, 3))),
    Sample(Real((3, 2)), Real((2, 3, 2)), axis=-2),
)
def cross(x0: Any, x1: Any, *, axis: int = -1) -> Variable:
    """Vector product of vectors of three elements.

    Parameters
    ----------
    x0, x1 : Variable or array
        Broadcast against each other.
    axis : int, default -1
        Of length 3 in both; counted from the last: -1 or less.

    Returns
    -------
    Variable, the broadcast shape

    Raises
    ------
    ValueError
        If `axis` is not negative, does not exist or has another length.

    Examples
    --------
    >>> F.cross(Variable(np.array([1.0, 0.0, 0.0])), np.array([0.0, 1.0, 0.0]))
    variable([0. 0. 1.])
    """
    s0, s1 = shape_of("cross", x0), shape_of("cross", x1)
    if not -min(len(s0), len(s1)) <= axis <= -1:
        raise ValueError(f"cross: expected a negative axis that both have; got {axis} for {s0}, {s1}")
    if s0[axis] != 3 or s1[axis] != 3:
        raise ValueError(f"cross: expected vectors of length 3 along axis {axis}; got {s0} and {s1}")
    return Cross(axis)(x0, x1)  # type: ignore[no-any-return]
