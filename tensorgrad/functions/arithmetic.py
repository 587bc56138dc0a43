"""Sums, products and powers: what stands behind the operators of Variable."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Function, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples

_PAIRS = (
    Sample(Real((2, 3)), Real((2, 3))),
    Sample(Real((2, 3)), Real((3,))),
    Sample(Real((2, 1)), Real((4, 1, 3))),
    Sample(Real((2, 3)), 1.5),
    Sample(1.5, Real((2, 3))),
    Sample(Real(), Real()),
)


class Add(Op):
    """``y = x0 + x1``; ``dy/dx0 = dy/dx1 = 1``."""

    elementwise = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 + x1

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        return gy, gy


class Sub(Op):
    """``y = x0 - x1``; ``dy/dx0 = 1``, ``dy/dx1 = -1``."""

    elementwise = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 - x1

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        return gy, (-gy if self.edges[1] else None)


class Mul(Op):
    """``y = x0 * x1``; ``dy/dx0 = x1``, ``dy/dx1 = x0``."""

    elementwise = True
    saves = (Input(1, needed_by=0), Input(0, needed_by=1))
    fresh = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 * x1

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x1, x0 = self.saved
        return (None if x1 is None else gy * x1), (None if x0 is None else gy * x0)


class Div(Op):
    """``y = x0 / x1``; ``dy/dx0 = 1 / x1``, ``dy/dx1 = -y / x1``."""

    elementwise = True
    saves = (Input(1), Output(0))
    fresh = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 / x1

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x1, y = self.saved
        gx0 = gy / x1
        to0, to1 = self.edges
        return (gx0 if to0 else None), (-gx0 * y if to1 else None)


class Neg(Op):
    """``y = -x``; ``dy/dx = -1``."""

    elementwise = True
    fresh = True

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return -gy


class Pow(Op):
    """``y = x0 ** x1``; ``dy/dx0 = x1 x0**(x1 - 1)``, ``dy/dx1 = y log x0``.

    Both gradients are 0 where their limit is: ``x ** 0`` at 0 in x, ``0 ** x`` for x > 0 in x.
    """

    precision = "full"
    elementwise = True
    saves = (Input(0), Input(1), Output(0))
    fresh = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0**x1

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        xp = self.xp
        x0, x1, y = self.saved
        to0, to1 = self.edges
        gx0 = gx1 = None
        if to0:
            if isinstance(x1, int | float | complex):
                gx0 = self._of_power(gy, x0, x1)
            else:  # x1 - 1 must not be taken where x1 is 0: 0 ** -1 is inf
                zero = x1 == 0
                lower = xp.where(zero, xp.ones_like(x1), x1) - 1
                gx0 = gy * (x1 * x0**lower)
        if to1:
            if isinstance(x0, int | float | complex):
                x0 = xp.full_like(y, x0)
            elif self.backend.is_complex(y.dtype):  # the logarithm of a negative number is complex there
                x0 = xp.astype(x0, y.dtype)
            zero = x0 == 0
            log = xp.log(xp.where(zero, xp.ones_like(x0), x0))
            gx1 = gy * (y * log)
        return gx0, gx1

    @staticmethod
    def _of_power(gy: ArrayLike, x: ArrayLike, c: Any) -> ArrayLike:
        if c == 2:
            return gy * (2 * x)
        return gy * (c * x ** (c - 1)) if c != 0 else gy * 0


class FloorDivide(Function):
    """``y = floor(x0 / x1)``, a constant: it has no gradient."""

    no_grad_inputs = (0, 1)

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 // x1


class Remainder(Op):
    """``y = x0 - floor(x0 / x1) x1``; ``dy/dx0 = 1``, ``dy/dx1 = -floor(x0 / x1)``."""

    elementwise = True
    saves = (Input(0, needed_by=1), Input(1, needed_by=1))

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 % x1

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x0, x1 = self.saved
        return gy, (-gy * (x0 // x1) if self.edges[1] else None)


@samples(*_PAIRS)
def add(x0: Any, x1: Any) -> Variable:
    """Sum: ``x0 + x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.add(Variable(np.array([1.0, 2.0])), 0.5)
    variable([1.5 2.5])
    """
    return Add()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def sub(x0: Any, x1: Any) -> Variable:
    """Difference: ``x0 - x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.sub(Variable(np.array([1.0, 2.0])), 0.5)
    variable([0.5 1.5])
    """
    return Sub()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def rsub(x0: Any, x1: Any) -> Variable:
    """Difference with the sides exchanged: ``x1 - x0``, as in the book.

    Examples
    --------
    >>> F.rsub(Variable(np.array([1.0, 2.0])), 3.0)
    variable([2. 1.])
    """
    return Sub()(x1, x0)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def mul(x0: Any, x1: Any) -> Variable:
    """Product, element by element: ``x0 * x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.mul(Variable(np.array([1.0, 2.0])), 3.0)
    variable([3. 6.])
    """
    return Mul()(x0, x1)  # type: ignore[no-any-return]


_QUOTIENTS = (
    Sample(Real((2, 3)), Real((2, 3), 0.5, 2.0)),
    Sample(Real((3,)), Real((2, 3), -2.0, -0.5)),
    Sample(Real((2, 3)), 1.5),
    Sample(1.5, Real((2, 3), 0.5, 2.0)),
)


@samples(*_QUOTIENTS)
def div(x0: Any, x1: Any) -> Variable:
    """Quotient: ``x0 / x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other. Where `x1` is 0 the result is inf or nan, as in the array library.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.div(Variable(np.array([1.0, 2.0])), 2.0)
    variable([0.5 1. ])
    """
    return Div()(x0, x1)  # type: ignore[no-any-return]


@samples(*(Sample(*reversed(s.args)) for s in _QUOTIENTS))
def rdiv(x0: Any, x1: Any) -> Variable:
    """Quotient with the sides exchanged: ``x1 / x0``, as in the book.

    Examples
    --------
    >>> F.rdiv(Variable(np.array([1.0, 2.0])), 2.0)
    variable([2. 1.])
    """
    return Div()(x1, x0)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real()))
def neg(x: Any) -> Variable:
    """Negative: ``-x``.

    Examples
    --------
    >>> F.neg(Variable(np.array([1.0, -2.0])))
    variable([-1.  2.])
    """
    return Neg()(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3)), 2),
    Sample(Real((2, 3)), 3),
    Sample(Real((2, 3)), 0),
    Sample(Real((2, 3), 0.5, 2.0), -1.5),
    Sample(2.0, Real((2, 3))),
    Sample(Real((2, 3), 0.5, 2.0), Real((3,))),
)
def pow(x: Any, c: Any) -> Variable:
    """Power: ``x ** c``.

    Parameters
    ----------
    x, c : Variable, array or number
        Broadcast against each other. The gradient in `c` needs ``x > 0``, or ``x = 0``, where it is 0.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.pow(Variable(np.array([1.0, 2.0])), 3)
    variable([1. 8.])
    """
    return Pow()(x, c)  # type: ignore[no-any-return]


_DIVISIONS = (
    Sample(Real((2, 3), 0.1, 0.9), Real((2, 3), 1.1, 1.9)),
    Sample(Real((2, 3), -2.9, -2.1), Real((3,), 1.1, 1.4)),
    Sample(Real((2, 3), 3.1, 3.9), 1.0),
    Sample(2.0, Real((2, 3), 0.7, 0.9)),
)


@samples(*(Sample(*s.args, differentiable=False) for s in _DIVISIONS))
def floor_divide(x0: Any, x1: Any) -> Variable:
    """Quotient rounded down: ``x0 // x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        A constant: the quotient changes in steps, so it brings no gradient.

    Examples
    --------
    >>> F.floor_divide(Variable(np.array([7.0, -7.0])), 2.0)
    variable([ 3. -4.])
    """
    return FloorDivide()(x0, x1)  # type: ignore[no-any-return]


@samples(*_DIVISIONS)
def remainder(x0: Any, x1: Any) -> Variable:
    """Remainder of the quotient rounded down: ``x0 % x1``, with the sign of `x1`.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other. The gradient holds between the steps of ``x0 // x1``.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.remainder(Variable(np.array([7.0, -7.0])), 4.0)
    variable([3. 1.])
    """
    return Remainder()(x0, x1)  # type: ignore[no-any-return]
