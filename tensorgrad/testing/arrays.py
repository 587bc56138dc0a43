"""Arrays for tests: made from descriptions, and compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of, get_backend
from tensorgrad.core import Variable
from tensorgrad.core.sample import Bools, Ints, Listed, Real, Regular, Sample

NumpyArray = np.ndarray[Any, Any]

_TOLERANCE = {"f2": 1e-2, "f4": 1e-5, "f8": 1e-12, "c8": 1e-5, "c16": 1e-12}
"""By the dtype of the less precise side; equality for other dtypes."""


def make_arrays(
    sample: Sample, backend: str | Backend = "numpy", dtype: str = "float64", seed: int = 0
) -> list[Any]:
    """The positional arguments that a sample describes.

    Parameters
    ----------
    sample : Sample
        One of a public function's ``__samples__``.
    backend : str or Backend, default 'numpy'
    dtype : {'float64', 'float32', 'complex128', 'complex64'}
        Of the floating arrays. Of complex ones, each part is drawn like a real number.
    seed : int, default 0
        The same seed gives the same numbers on every backend.

    Returns
    -------
    list
        A Variable for each `Real` and `Regular`, a raw array for `Ints` and `Bools`, a list for `Listed`;
        what is no description stays as it is.

    Examples
    --------
    >>> tg.testing.make_arrays(F.mul.__samples__[3])[0].shape
    (2, 3)
    """
    owner = get_backend(backend)
    rng = np.random.default_rng(seed)

    def floating(array: Any, low: float, high: float) -> Variable:
        if np.dtype(dtype).kind == "c":
            array = array + 1j * rng.uniform(low, high, array.shape)
        return Variable(owner.from_numpy(np.asarray(array, dtype=dtype)))

    def make(item: Any) -> Any:
        match item:
            case Real(shape, low, high):
                return floating(rng.uniform(low, high, shape), low, high)
            case Regular(shape):
                array = rng.uniform(-1.0, 1.0, shape) + shape[-1] * np.eye(shape[-1])
                return floating(array, -1.0, 1.0)
            case Ints(shape, high):
                return owner.from_numpy(np.asarray(rng.integers(0, high, shape)))
            case Bools(shape):
                return owner.from_numpy(np.asarray(rng.integers(0, 2, shape), dtype=bool))
            case Listed(items):
                return [make(x) for x in items]
        return item

    return [make(item) for item in sample.args]


def to_numpy(x: Any) -> NumpyArray:
    """The values of a Variable, an array of any registered library or a number, on the host."""
    array = x.data if isinstance(x, Variable) else x
    if isinstance(array, list | tuple | memoryview):
        return np.asarray(array)
    owner = backend_of(array)
    return np.asarray(array) if owner is None else owner.to_numpy(array)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    what: str = "value",
) -> None:
    """Compare shape, dtype and values, in this order; NaN equals NaN.

    Parameters
    ----------
    actual, expected : Variable, array of any registered library, number or list
        The libraries may differ. Numbers and lists have no dtype that must be met.
    rtol, atol : float, optional
        ``|actual - expected| <= atol + rtol * |expected|``. By default 1e-12 in float64, 1e-5 in
        float32; integers and bools must be equal.
    what : str
        What the message calls it.

    Raises
    ------
    AssertionError
        With the first index that differs, both values and the tolerance.

    Examples
    --------
    >>> tg.testing.assert_close(Variable(np.array([1.0, 2.0])) * 2, [2.0, 4.0])
    >>> tg.testing.assert_close(np.zeros(2), np.zeros((2, 1)), what="y")
    Traceback (most recent call last):
    ...
    AssertionError: y: expected shape (2, 1); got (2,)
    """
    got, want = to_numpy(actual), to_numpy(expected)
    if got.shape != want.shape:
        raise AssertionError(f"{what}: expected shape {want.shape}; got {got.shape}")
    typed: list[Array] = [a for a in (actual, expected) if not isinstance(a, list | tuple)]
    if len([a for a in typed if hasattr(a, "dtype")]) == 2 and got.dtype != want.dtype:
        raise AssertionError(f"{what}: expected dtype {want.dtype}; got {got.dtype}")
    usual = max(_TOLERANCE.get(a.dtype.str[1:], 0.0) for a in (got, want))
    rtol = usual if rtol is None else rtol
    atol = usual if atol is None else atol
    compare(got, want, atol + rtol * np.abs(want), what, f"rtol={rtol:g}, atol={atol:g}")


def compare(got: NumpyArray, want: NumpyArray, tolerance: NumpyArray, what: str, rule: str) -> None:
    """Raise an AssertionError if values of one shape differ by more than a tolerance for each."""
    if bool in (got.dtype, want.dtype):
        near = got == want
    else:
        with np.errstate(invalid="ignore"):  # inf - inf: found equal by the first comparison
            near = (got == want) | (np.isfinite(want) & (np.abs(got - want) <= tolerance))
        near |= np.isnan(got) & np.isnan(want)
    if near.all():
        return
    index = tuple(int(i) for i in np.argwhere(~near)[0])
    raise AssertionError(
        f"{what}, index {index}: expected {want[index]!s}; got {got[index]!s}; "
        f"tolerance {np.broadcast_to(tolerance, want.shape)[index]:.3g} ({rule}); "
        f"{int((~near).sum())} of {near.size} elements differ"
    )
