"""Fourier transforms, as sums over the matrix of all exponentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def matrix(n: int, sign: int, norm: str) -> Any:
    """The transform as a matrix; `sign` is -1 forward, +1 back."""
    grid = np.outer(np.arange(n), np.arange(n))
    scaled = {"backward": sign > 0, "forward": sign < 0}.get(norm)
    factor = n**-0.5 if norm == "ortho" else 1 / n if scaled else 1.0
    return factor * np.exp(sign * 2j * np.pi * grid / n)


def sized(x: Any, n: int, axis: int) -> Any:
    x = np.moveaxis(x, axis, -1)[..., :n]
    return np.moveaxis(np.concatenate([x, np.zeros((*x.shape[:-1], n - x.shape[-1]))], axis=-1), -1, axis)


def along(x: Any, n: int | None, axis: int, norm: str, sign: int) -> Any:
    n = x.shape[axis] if n is None else n
    return np.moveaxis(np.moveaxis(sized(x, n, axis), axis, -1) @ matrix(n, sign, norm), -1, axis)


def one(sign: int) -> Callable[..., Any]:
    return lambda x, n=None, axis=-1, norm="backward": along(x, n, axis, norm, sign)


def several(sign: int) -> Callable[..., Any]:
    def transform(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Any:
        axes = range(x.ndim) if axes is None else axes
        for axis, n in zip(axes, s or [None] * len(axes), strict=True):
            x = along(x, n, axis, norm, sign)
        return x

    return transform


def half(y: Any, axis: int) -> Any:
    return np.take(y, range(y.shape[axis] // 2 + 1), axis=axis)


def rfft(x: Any, n: Any = None, axis: int = -1, norm: str = "backward") -> Any:
    return half(along(x, n, axis, norm, -1), axis)


def rfftn(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Any:
    return half(several(-1)(x, s, axes, norm), -1 if axes is None else axes[-1])


def irfft(x: Any, n: Any = None, axis: int = -1, norm: str = "backward") -> Any:
    """By the definition: the second half is the conjugate of the first, the ends are real."""
    n = 2 * (x.shape[axis] - 1) if n is None else n
    first = np.moveaxis(sized(x, n // 2 + 1, axis), axis, -1).astype(complex)
    first[..., 0] = first[..., 0].real
    if n % 2 == 0:
        first[..., -1] = first[..., -1].real
    whole = np.concatenate([first, first[..., 1 : (n + 1) // 2][..., ::-1].conj()], axis=-1)
    return along(np.moveaxis(whole, -1, axis), n, axis, norm, +1).real


def irfftn(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Any:
    axes = list(range(x.ndim) if axes is None else axes)
    s = [None] * len(axes) if s is None else list(s)
    for axis, n in zip(axes[:-1], s[:-1], strict=True):
        x = along(x, n, axis, norm, +1)
    return irfft(x, s[-1], axes[-1], norm)


OTHER = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def shifted(way: int) -> Callable[..., Any]:
    def shift(x: Any, axes: Any = None) -> Any:
        axes = range(x.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
        for axis in axes:
            n = x.shape[axis]
            x = np.take(x, [(i - way * (n // 2)) % n for i in range(n)], axis=axis)
        return x

    return shift


REFERENCES: dict[str, Callable[..., Any]] = {
    "fft": one(-1),
    "ifft": one(+1),
    "fftn": several(-1),
    "ifftn": several(+1),
    "rfft": rfft,
    "rfftn": rfftn,
    "irfft": irfft,
    "irfftn": irfftn,
    "hfft": lambda x, n=None, axis=-1, norm="backward": irfft(x.conj(), n, axis, OTHER[norm]),
    "ihfft": lambda x, n=None, axis=-1, norm="backward": rfft(x, n, axis, OTHER[norm]).conj(),
    "fftshift": shifted(+1),
    "ifftshift": shifted(-1),
}
