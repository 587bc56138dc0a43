"""Parts of complex numbers. The gradient of x is ``dL/d(real x) + i dL/d(imag x)``."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.sample import Real, Sample, samples


class RealPart(ViewOp):
    """``y = real x``; ``gx = gy``."""

    pick = False

    def forward(self, x: Array) -> Array:
        return self.xp.real(x) if self.backend.is_complex(x.dtype) else x

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return gy


class ImagPart(ViewOp):
    """``y = imag x``; ``gx = i gy``, 0 where x is real."""

    fresh = True
    pick = False

    def forward(self, x: Array) -> Array:
        self.dtype = x.dtype
        return self.xp.imag(x) if self.backend.is_complex(x.dtype) else self.xp.zeros_like(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        if not self.backend.is_complex(self.dtype):
            return self.xp.zeros_like(gy)
        return self.xp.astype(gy, self.dtype) * 1j


class Conj(Op):
    """``y = real x - i imag x``; so is the gradient."""

    def forward(self, x: Array) -> Array:
        return self.xp.conj(x) if self.backend.is_complex(x.dtype) else x

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.conj(gy) if self.backend.is_complex(gy.dtype) else gy


_ANY = (Sample(Real((2, 3))), Sample(Real()))


@samples(*_ANY)
def real(x: Any) -> Variable:
    """Real part, element by element.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape of `x`, real

    Examples
    --------
    >>> F.real(Variable(np.array([1 + 2j, 3 - 4j])))
    variable([1. 3.])
    """
    return RealPart()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def imag(x: Any) -> Variable:
    """Imaginary part, element by element.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape of `x`, real
        Zeros if `x` is real.

    Examples
    --------
    >>> F.imag(Variable(np.array([1 + 2j, 3 - 4j])))
    variable([ 2. -4.])
    """
    return ImagPart()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def conj(x: Any) -> Variable:
    """Complex conjugate, element by element.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.conj(Variable(np.array([1 + 2j, 3 - 4j])))
    variable([1.-2.j 3.+4.j])
    """
    return Conj()(x)  # type: ignore[no-any-return]
