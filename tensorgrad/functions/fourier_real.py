"""Fourier transforms of real numbers, and those that give real numbers: half of the transform repeats."""

from __future__ import annotations

from typing import Any

from tensorgrad.core import Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.complex_parts import conj
from tensorgrad.functions.fourier import (
    ONE,
    SEVERAL,
    TURNED,
    Fft,
    Irfft,
    Rfft,
    axes_and_sizes,
    checked,
    length_of,
    resized,
)
from tensorgrad.functions.manipulation import axis_of, shape_of

_BACK = (
    Sample(Real((4,))),
    Sample(Real((3, 2)), axis=0),
    Sample(Real((2, 3)), n=5, norm="ortho"),
    Sample(Real((2, 4)), n=3, norm="forward"),
    Sample(Real((2, 1)), n=1),
)


@samples(*ONE)
def rfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
    """`fft` of real numbers, without the half that repeats: ``y_{n-k}`` is the conjugate of ``y_k``.

    Parameters
    ----------
    x : Variable or array, real
    n, axis, norm
        As for `fft`.

    Returns
    -------
    Variable, complex, shape of `x` with ``n // 2 + 1`` along `axis`

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        If there is no such axis or norm, or `n` is less than 1.

    Examples
    --------
    >>> F.rfft(Variable(np.array([1.0, 2.0, 3.0])))
    variable([ 6. +0.j        -1.5+0.8660254j])
    """
    x = checked("rfft", x, norm, real_only=True)
    shape = shape_of("rfft", x)
    axis = axis_of("rfft", axis, len(shape))
    x = resized("rfft", x, (axis,), (shape[axis] if n is None else n,))
    return Rfft(axis, norm)(x)  # type: ignore[no-any-return]


@samples(*_BACK)
def irfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
    """Inverse of `rfft`: real numbers of the first half of their transform.

    Parameters
    ----------
    x : Variable or array, complex, shape (..., m, ...)
        The imaginary parts of the first element, and of the last if `n` is even, count for nothing.
    n : int, optional
        Length of the result; ``2 (m - 1)`` by default.
    axis, norm
        As for `fft`.

    Returns
    -------
    Variable, real, shape of `x` with n along `axis`

    Raises
    ------
    ValueError
        If there is no such axis or norm, or `n` is less than 1.

    Examples
    --------
    >>> F.irfft(Variable(np.array([6.0, -2.0, 2.0])))
    variable([1. 1. 3. 1.])
    """
    x = checked("irfft", x, norm)
    shape = shape_of("irfft", x)
    axis = axis_of("irfft", axis, len(shape))
    n = length_of("irfft", 2 * (shape[axis] - 1) if n is None else n)
    return Irfft(n, axis, norm)(resized("irfft", x, (axis,), (n // 2 + 1,)))  # type: ignore[no-any-return]


@samples(*SEVERAL)
def rfftn(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Variable:
    """`fftn` of real numbers, without the half along the last of `axes` that repeats.

    Parameters
    ----------
    x : Variable or array, real
    s, axes, norm
        As for `fftn`.

    Returns
    -------
    Variable, complex

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        As for `fftn`, and if there is no axis.

    Examples
    --------
    >>> F.rfftn(Variable(np.eye(2)))
    variable([[2.+0.j 0.+0.j]
              [0.+0.j 2.+0.j]])
    """
    x = checked("rfftn", x, norm, real_only=True)
    found, sizes = axes_and_sizes("rfftn", x, s, axes)
    _some("rfftn", found)
    y = Rfft(found[-1], norm)(resized("rfftn", x, found, sizes))
    return Fft(found[:-1], norm, inverse=False)(y) if found[1:] else y  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3))),
    Sample(Real((2, 3, 4)), axes=(2, 0), norm="ortho"),
    Sample(Real((2, 3, 2)), s=(4, 3), axes=(0, 1), norm="forward"),
)
def irfftn(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Variable:
    """Inverse of `rfftn`.

    Parameters
    ----------
    x : Variable or array, complex
    s : sequence of int, optional
        Lengths of the result along `axes`; by default those of `x`, ``2 (m - 1)`` along the last.
    axes, norm
        As for `fftn`.

    Returns
    -------
    Variable, real

    Raises
    ------
    ValueError
        As for `fftn`, and if there is no axis.

    Examples
    --------
    >>> F.irfftn(Variable(2 * np.eye(2)))
    variable([[1. 0.]
              [0. 1.]])
    """
    x = checked("irfftn", x, norm)
    found, sizes = axes_and_sizes("irfftn", x, s, axes)
    _some("irfftn", found)
    if s is None or s[-1] == -1:
        sizes = (*sizes[:-1], 2 * (sizes[-1] - 1))
    n = length_of("irfftn", sizes[-1])
    x = resized("irfftn", x, found, (*sizes[:-1], n // 2 + 1))
    x = Fft(found[:-1], norm, inverse=True)(x) if found[1:] else x
    return Irfft(n, found[-1], norm)(x)  # type: ignore[no-any-return]


def _some(name: str, axes: tuple[int, ...]) -> None:
    if not axes:
        raise ValueError(f"{name}: expected one axis or more; got none")


@samples(*_BACK)
def hfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
    """`fft` of a signal whose second half is the conjugate of its first, of which `x` is the first.

    Parameters
    ----------
    x : Variable or array, complex, shape (..., m, ...)
    n : int, optional
        Length of the result; ``2 (m - 1)`` by default.
    axis, norm
        As for `fft`.

    Returns
    -------
    Variable, real, shape of `x` with n along `axis`

    Raises
    ------
    ValueError
        If there is no such axis or norm, or `n` is less than 1.

    Examples
    --------
    >>> F.hfft(Variable(np.array([1.0, 2.0, 1.0])))
    variable([ 6.  0. -2.  0.])
    """
    x = checked("hfft", x, norm)
    return irfft(conj(x), n=n, axis=axis, norm=TURNED[norm])


@samples(*ONE)
def ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
    """Inverse of `hfft`: the first half of a signal whose transform is real.

    Parameters
    ----------
    x : Variable or array, real
    n, axis, norm
        As for `fft`.

    Returns
    -------
    Variable, complex, shape of `x` with ``n // 2 + 1`` along `axis`

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        If there is no such axis or norm, or `n` is less than 1.

    Examples
    --------
    >>> F.ihfft(Variable(np.array([6.0, 0.0, 2.0, 0.0])))
    variable([2.-0.j 1.-0.j 2.-0.j])
    """
    x = checked("ihfft", x, norm, real_only=True)
    return conj(rfft(x, n=n, axis=axis, norm=TURNED[norm]))
