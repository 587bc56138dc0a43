"""Dask arrays: chunked, and computed when a value is asked for.

A forward and a backward describe a computation; ``v.item()``, ``print(v)`` or ``v.data.compute()`` runs it.
Shapes must be known: an array of unknown length is refused, and a boolean Dask array that is an index is
computed at once, because its count is a shape.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import array_api_compat.numpy
import numpy as np

from tensorgrad.backend import Array, Backend, importing, is_basic

with importing("Dask", install="python -m pip install 'dask[array]'"):
    import array_api_compat.dask.array
    import dask
    import dask.array as da


# NumPy's function on the last axes, which become one chunk; batches keep their chunks.
_SIGNATURES = {
    **dict.fromkeys(("cholesky", "inv"), "(i,j)->(i,j)"),
    **dict.fromkeys(("det", "matrix_rank"), "(i,j)->()"),
    **dict.fromkeys(("eigvals", "eigvalsh"), "(i,j)->(i)"),
    **dict.fromkeys(("eig", "eigh"), "(i,j)->(i),(i,j)"),
    "pinv": "(i,j)->(j,i)",
    "qr": "(i,j)->(i,k),(k,j)",
    "slogdet": "(i,j)->(),()",
    "svd": "(i,j)->(i,k),(k),(k,j)",
    "svdvals": "(i,j)->(k)",
}
_WHOLE = {"qr": "(i,j)->(i,i),(i,j)", "svd": "(i,j)->(i,i),(k),(j,j)"}
"""The same for ``mode="complete"`` and ``full_matrices=True``."""


def _apply(function: Callable[..., Any], signature: str, *arrays: Array, **options: Any) -> Any:
    """NumPy's function as tasks over the chunks of the axes that its signature does not name."""
    least = [np.ones((1,) * min(x.ndim, 2), x.dtype) for x in arrays]
    made = function(*least, **options)  # of one number, for the dtypes alone
    several = isinstance(made, tuple)
    inputs, _, outputs = signature.partition("->")
    shorter = {"k": min(arrays[0].shape[-2:])} if "k" in outputs and "k" not in inputs else None
    return da.apply_gufunc(
        function,
        signature,
        *arrays,
        output_dtypes=[np.asarray(y).dtype for y in made] if several else np.asarray(made).dtype,
        output_sizes=shorter,
        allow_rechunk=True,
        **options,
    )


def _of_matrices(name: str) -> Callable[..., Any]:
    own = getattr(array_api_compat.numpy.linalg, name)

    def function(x: Array, /, **options: Any) -> Any:
        whole = options.get("mode") == "complete" or options.get("full_matrices", name == "svd")
        return _apply(own, _WHOLE[name] if whole else _SIGNATURES[name], x, **options)

    return function


def _solve(x0: Array, x1: Array, /) -> Any:
    vector = x1.ndim == 1
    own = array_api_compat.numpy.linalg.solve
    return _apply(own, "(i,j),(j)->(i)" if vector else "(i,j),(j,k)->(i,k)", x0, x1)


def _cross(x0: Array, x1: Array, /, *, axis: int = -1) -> Any:
    x0, x1 = da.broadcast_arrays(x0, x1)
    (a, b, c), (d, e, f) = (da.moveaxis(x, axis, 0) for x in (x0, x1))
    return da.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=axis)


def _transform(name: str) -> Callable[..., Any]:
    own = getattr(array_api_compat.dask.array.fft, name)

    def function(x: Array, /, **options: Any) -> Any:
        """Dask's, of axes that are one chunk each: it takes no others."""
        axes = options.get("axes", options.get("axis", -1))
        axes = range(x.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
        return own(x.rechunk({axis % x.ndim: -1 for axis in axes}), **options)

    return function


def _reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    """Dask's, through one axis where it merges and splits no axes evenly."""
    own = array_api_compat.dask.array.reshape
    try:
        return own(x, shape, copy=copy)
    except NotImplementedError:
        return own(own(x, (-1,)), shape, copy=copy)


def _eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Array:
    """Dask's own loses chunks where the diagonal is not the main one."""
    _check(device)
    return da.from_array(np.eye(n_rows, n_cols, k=k, dtype=dtype or np.float64))


def _namespace() -> ModuleType:
    """array-api-compat's namespace, with what Dask lacks in linear algebra from NumPy."""
    namespace, linalg, fft = (
        ModuleType(f"tensorgrad_backends.dask.xp{part}") for part in ("", ".linalg", ".fft")
    )
    compat = array_api_compat.dask.array
    for made, source in ((namespace, compat), (linalg, compat.linalg), (fft, compat.fft)):
        vars(made).update({name: v for name, v in vars(source).items() if not name.startswith("__")})
    vars(linalg).update({name: _of_matrices(name) for name in _SIGNATURES}, solve=_solve, cross=_cross)
    transforms = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "ifftn", "rfftn", "irfftn")
    vars(fft).update({name: _transform(name) for name in transforms if hasattr(compat.fft, name)})
    vars(namespace).update(
        __array_namespace_info__=compat.__array_namespace_info__,
        linalg=linalg,
        fft=fft,
        reshape=_reshape,
        eye=_eye,
    )
    return namespace


class DaskBackend(Backend):
    """Dask arrays with NumPy chunks. Random numbers are NumPy's, drawn at once."""

    name = "dask"
    writable = False  # item assignment exists, but knows fewer indices than scatter_add
    xp = _namespace()
    array_types = (da.Array,)

    @property
    def module(self) -> Any:
        return da

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        _check(device)
        return da.from_array(np.array(array))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array.compute())

    def to_device(self, array: Array, device: Any) -> Array:
        _check(device)
        return array

    def device(self, array: Array) -> str:
        return "cpu"

    # -- arrays ----------------------------------------------------------------------------------

    def adopt(self, array: Array) -> Array:
        if any(math.isnan(n) for n in array.shape):
            raise ValueError(
                f"dask: expected an array of known shape; got {array.shape}. "
                "array.compute_chunk_sizes() computes it."
            )
        return array

    def copy(self, array: Array) -> Array:
        return array.copy()

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        """Dask's own indexing where it has it; otherwise one task over the whole array."""
        items = index if isinstance(index, tuple) else (index,)
        arrays = [i for i in items if not is_basic(i)]
        if any(_is_mask(i) for i in arrays):
            items = tuple(i.compute() if _is_mask(i) else i for i in items)
            return self.getitem(array, items)
        own = not arrays or (len(arrays) == 1 and _is_list_of_numbers(arrays[0]))
        if own and array.dtype.kind != "c":  # Dask warns that it drops imaginary parts; it does not
            return array[index]
        like = np.broadcast_to(np.zeros((), array.dtype), array.shape)
        shape = like[tuple(_stand_in(i) for i in items)].shape  # without the values of Dask arrays
        picked = dask.delayed(_getitem, pure=True)(array, index)
        return da.from_delayed(picked, shape=shape, dtype=array.dtype)

    def setitem(self, base: Array, index: Any, values: Any) -> Array:
        """One task over the whole array."""
        changed = dask.delayed(_set_at, pure=True)(base, index, values)
        return da.from_delayed(changed, shape=base.shape, dtype=base.dtype)

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        """One task over the whole array."""
        added = dask.delayed(_add_at, pure=True)(base, index, values)
        return da.from_delayed(added, shape=base.shape, dtype=base.dtype)

    def special(self, name: str) -> Any:
        try:
            library = importlib.import_module("scipy.special")
        except ImportError:
            return None
        found = getattr(library, name, None)
        return found if isinstance(found, np.ufunc) else None  # the others make NumPy arrays


def _is_list_of_numbers(item: Any) -> bool:
    return getattr(item, "ndim", 0) == 1 and item.dtype.kind in "iu"


def _is_mask(item: Any) -> bool:
    return isinstance(item, da.Array) and item.dtype.kind == "b"


def _stand_in(item: Any) -> Any:
    return np.zeros(item.shape, dtype=np.intp) if isinstance(item, da.Array) else item


def _getitem(array: Any, index: Any) -> Any:
    return np.asarray(array[index])


def _add_at(base: Any, index: Any, values: Any) -> Any:
    total = np.array(base)
    np.add.at(total, index, values)
    return total


def _set_at(base: Any, index: Any, values: Any) -> Any:
    changed = np.array(base)
    changed[index] = values
    return changed


def _check(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"dask: expected device 'cpu' or None; got {device!r}")
