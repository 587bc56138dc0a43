"""array-api-extra."""

from __future__ import annotations

from typing import Any

import array_api_extra as xpx
import numpy as np

from consumers.call import LINE, Call, P, X, Y, namespace


def _holes(x: Any) -> Any:
    """NaN where the input is large or small."""
    xp = namespace(x)
    return xp.where((x > 0.9) | (x < -1.5), xp.nan, x)


def _at(operation: str) -> Any:
    def call(x: Any, y: Any) -> Any:
        return getattr(xpx.at(x * 1.0)[1:3, ...], operation)(y[1:3, ...])

    return call


def _at_mask(x: Any) -> Any:
    xp = namespace(x)
    return xpx.at(xp.asarray(x, copy=True), x > 0.5).set(0.5)


CALLS = [
    *(
        Call(f"array_api_extra.at(...).{operation}", _at(operation), (X, P))
        for operation in ("set", "add", "subtract", "multiply", "divide", "min", "max")
    ),
    Call("array_api_extra.at(...).power", lambda x: xpx.at(x * 1.0)[1:3, ...].power(2.5), (P,)),
    Call("array_api_extra.at(...), boolean mask", _at_mask, (X,)),
    Call("array_api_extra.angle", lambda x, y: xpx.angle(x + 1j * y), (X, Y)),
    Call(
        "array_api_extra.apply_where",
        lambda x, y: xpx.apply_where(x > 0, (x, y), lambda x, y: x**1.5 * y, lambda x, y: x * y),
        (X, Y),
    ),
    Call(
        "array_api_extra.apply_where, fill_value",
        lambda x: xpx.apply_where(x > 0, x, lambda x: namespace(x).log(x), fill_value=-1.0),
        (X,),
    ),
    Call("array_api_extra.argpartition", lambda x: namespace(x).take(x, xpx.argpartition(x, 5)[:5]), (LINE,)),
    Call("array_api_extra.partition", lambda x: xpx.partition(x, 5)[5], (LINE,)),
    Call("array_api_extra.atleast_nd", lambda x: xpx.atleast_nd(x, ndim=3) * x, (X,)),
    Call("array_api_extra.cov", xpx.cov, (X,)),
    Call("array_api_extra.create_diagonal", lambda x: xpx.create_diagonal(x, offset=1), (LINE,)),
    Call("array_api_extra.deg2rad", xpx.deg2rad, (X,)),
    Call("array_api_extra.rad2deg", xpx.rad2deg, (X,)),
    Call("array_api_extra.expand_dims", lambda x: xpx.expand_dims(x, axis=(0, 2)), (X,)),
    Call("array_api_extra.kron", xpx.kron, (X, Y)),
    Call("array_api_extra.nan_to_num", lambda x: xpx.nan_to_num(_holes(x)), (X,)),
    Call("array_api_extra.nanmax", lambda x: xpx.nanmax(_holes(x), axis=1), (X,)),
    Call("array_api_extra.nanmin", lambda x: xpx.nanmin(_holes(x), axis=1), (X,)),
    Call("array_api_extra.nanmean", lambda x: xpx.nanmean(_holes(x), axis=1), (X,)),
    Call("array_api_extra.nansum", lambda x: xpx.nansum(_holes(x), axis=1), (X,)),
    Call("array_api_extra.pad", lambda x: xpx.pad(x, ((1, 2), (0, 1)), constant_values=0.5), (X,)),
    Call("array_api_extra.setdiff1d", xpx.setdiff1d, (LINE, X[0, :])),
    Call("array_api_extra.sinc", xpx.sinc, (X,)),
    Call("array_api_extra.union1d", xpx.union1d, (LINE, X[0, :])),
    Call("array_api_extra.lazy_apply", lambda x: xpx.lazy_apply(lambda x: x * x, x, xp=namespace(x)), (X,)),
    Call(
        "array_api_extra.lazy_apply, as_numpy",
        lambda x: xpx.lazy_apply(np.sin, x, as_numpy=True, xp=namespace(x)),
        (X,),
    ),
    Call(
        "array_api_extra.isclose as a mask",
        lambda x, y: x * namespace(x).astype(xpx.isclose(x, y, atol=0.5), x.dtype),
        (X, Y),
    ),
    Call(
        "array_api_extra.searchsorted as an index",
        lambda x, y: y[xpx.searchsorted(namespace(x).sort(x), x[:3] + 0.01)],
        (LINE, np.append(LINE, 2.5)),
    ),
    Call(
        "array_api_extra.one_hot times values",
        lambda x: x * xpx.one_hot(namespace(x).argsort(x[:, 0]), 6, dtype=x.dtype),
        (X,),
    ),
]
