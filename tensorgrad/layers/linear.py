"""Linear, the fully connected layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.backend import Array
from tensorgrad.core import Parameter, Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.initializers import LeCunNormal
from tensorgrad.layers.layer import Layer


class Linear(Layer):
    """``y = x W + b``.

    Parameters
    ----------
    out_size : int
    nobias : bool, default False
        Leave `b` out.
    dtype : NumPy dtype, default float32
        Of `W` and `b`.
    in_size : int, optional
        By default the last length of the first input. `W` is made then, and the layer goes to the
        array library and the device of that input, unless `to` has put it somewhere.
    initial_W, initial_b : callable, optional
        Called with a shape and a dtype, give a NumPy array: one of `tensorgrad.layers.initializers`.

    Attributes
    ----------
    W : Parameter, shape (in_size, out_size)
        By default drawn from ``np.random.randn`` (see `tensorgrad.seed`), times ``sqrt(1 / in_size)``.
    b : Parameter, shape (out_size,), or None
        By default zeros at first.

    Notes
    -----
    `forward` takes x of shape (..., in_size) and gives y of shape (..., out_size).

    References
    ----------
    LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.6: the scale of `W`.

    Examples
    --------
    >>> layer = tg.layers.Linear(3)
    >>> layer(np.ones((5, 2), np.float32)).shape
    (5, 3)
    >>> layer.W.shape
    (2, 3)
    """

    b: Parameter | None

    def __init__(
        self,
        out_size: int,
        nobias: bool = False,
        dtype: Any = np.float32,
        in_size: int | None = None,
        *,
        initial_W: Callable[..., Any] | None = None,
        initial_b: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(nobias, bool):
            raise TypeError(
                f"Linear: expected nobias as a bool; got {nobias!r}. "
                "The input size need not be given; Linear(out_size, in_size=...) fixes it."
            )
        self.out_size = out_size
        self.dtype = dtype
        self.initial_W = initial_W or LeCunNormal()
        self.W = Parameter(None, name="W")
        b = None if nobias else (initial_b or np.zeros)((out_size,), dtype)
        self.b = None if b is None else Parameter(b, name="b")
        if in_size is not None:
            self._make_weights(in_size)

    @property
    def in_size(self) -> int | None:
        """The last length of inputs; None as long as it is not known."""
        return None if self.W.data is None else self.W.shape[0]

    def _make_weights(self, in_size: int) -> None:
        self.W.data = self._put(self.initial_W((in_size, self.out_size), self.dtype))

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        return ((None, self.out_size), self.dtype) if name == "W" else None

    def forward(self, x: Any) -> Variable:
        if self.W.data is None:
            self._settle(as_array(x))
        y: Variable = F.linear(x, self.W, self.b)
        return y

    def _settle(self, x: Array) -> None:
        """Make `W` for the first input, where that input is unless the layer was moved before."""
        if not x.shape:
            raise ValueError("Linear: expected x of shape (..., in_size); got a 0-d array")
        self._follow(x)
        self._make_weights(x.shape[-1])
