"""Layers that normalise; all their sizes come from the first input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.core import Parameter, Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.layer import Layer


class _Scaling(Layer):
    """The base: parameters of one shape, made for the first input."""

    def __init__(self, dtype: Any, **makers: Callable[..., Any] | None) -> None:
        super().__init__()
        self.dtype = dtype
        self._makers = {name: maker for name, maker in makers.items() if maker is not None}
        for name, maker in makers.items():
            trained = name in ("gamma", "beta")
            parameter = None if maker is None else Parameter(None, name=name, requires_grad=trained)
            setattr(self, name, parameter)

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        return (None,), self.dtype

    def parameter_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the parameters for an input of this shape: the channels."""
        return shape[1:2]

    def _settle(self, x: Any) -> None:
        """Make the parameters that are still open."""
        if all(getattr(self, name).data is not None for name in self._makers):
            return
        x = as_array(x)
        shape = self.parameter_shape(tuple(x.shape))
        self._follow(x)
        for name, maker in self._makers.items():
            if getattr(self, name).data is None:
                getattr(self, name).data = self._put(maker(shape, _parameter_dtype(self.dtype, x)))


def _parameter_dtype(dtype: Any, x: Any) -> Any:
    """The dtype that was asked for; else that of the input, with 32 bits at least."""
    if dtype is not None:
        return dtype
    return np.float64 if "float64" in str(x.dtype) else np.float32


class BatchNorm(_Scaling):
    """Normalise each channel over the batch, in training; by running statistics under `test_mode`.

    Parameters
    ----------
    decay : float, default 0.9
        Of the running statistics.
    eps : float, default 2e-5
        Added to the variance.
    dtype : NumPy dtype, optional
        Of the parameters; by default that of the first input, with 32 bits at least.

    Attributes
    ----------
    avg_mean, avg_var : Parameter, shape (C,)
        The running statistics: saved, loaded and moved, but never trained.
    gamma, beta : Parameter, shape (C,)
        Scale and shift; ones and zeros at first.

    Notes
    -----
    `forward` takes x of shape (N, C) or (N, C, ...); see `tensorgrad.functions.batch_norm`.

    Examples
    --------
    >>> norm = tg.layers.BatchNorm()
    >>> norm(np.ones((5, 3, 4, 4), np.float32)).shape
    (5, 3, 4, 4)
    >>> [p.name for p in norm.params()]
    ['avg_mean', 'avg_var', 'gamma', 'beta']
    """

    avg_mean: Parameter
    avg_var: Parameter
    gamma: Parameter
    beta: Parameter

    def __init__(self, decay: float = 0.9, eps: float = 2e-5, dtype: Any = None) -> None:
        super().__init__(dtype, avg_mean=np.zeros, avg_var=np.ones, gamma=np.ones, beta=np.zeros)
        self.decay = decay
        self.eps = eps

    def forward(self, x: Any) -> Variable:
        self._settle(x)
        y: Variable = F.batch_norm(
            x, self.gamma, self.beta, self.avg_mean, self.avg_var, self.decay, self.eps
        )
        return y


class LayerNorm(_Scaling):
    """Normalise over the last axis, or those that `axis` names, each example on its own.

    Parameters
    ----------
    axis : int or tuple of int, default -1
    eps : float, default 1e-5
        Added to the variance.
    nobias : bool, default False
        Leave `beta` out.
    dtype : NumPy dtype, optional
        Of the parameters; by default that of the first input, with 32 bits at least.

    Attributes
    ----------
    gamma : Parameter, the lengths along `axis`
        Scale; ones at first.
    beta : Parameter, the lengths along `axis`, or None
        Shift; zeros at first.

    Examples
    --------
    >>> tg.layers.LayerNorm()(np.array([[1.0, 3.0]], np.float32)).shape
    (1, 2)
    """

    gamma: Parameter
    beta: Parameter | None

    def __init__(
        self,
        axis: int | tuple[int, ...] = -1,
        eps: float = 1e-5,
        nobias: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, gamma=np.ones, beta=None if nobias else np.zeros)
        self.axis = axis
        self.eps = eps

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        return (None,) * (len(self.axis) if isinstance(self.axis, tuple) else 1), self.dtype

    def parameter_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return _along(shape, self.axis, type(self).__name__)

    def forward(self, x: Any) -> Variable:
        self._settle(x)
        y: Variable = F.layer_norm(x, self.gamma, self.beta, self.axis, self.eps)
        return y


class RMSNorm(_Scaling):
    """Divide by the root of the mean square over the last axis, or those that `axis` names.

    Parameters
    ----------
    axis : int or tuple of int, default -1
    eps : float, default 1e-6
        Added to the mean square.
    dtype : NumPy dtype, optional
        Of `gamma`; by default that of the first input, with 32 bits at least.

    Attributes
    ----------
    gamma : Parameter, the lengths along `axis`
        Scale; ones at first.

    Examples
    --------
    >>> tg.layers.RMSNorm(eps=0.0)(np.array([[3.0, -3.0]]))
    variable([[ 1. -1.]])
    """

    gamma: Parameter

    def __init__(self, axis: int | tuple[int, ...] = -1, eps: float = 1e-6, dtype: Any = None) -> None:
        super().__init__(dtype, gamma=np.ones)
        self.axis = axis
        self.eps = eps

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        return (None,) * (len(self.axis) if isinstance(self.axis, tuple) else 1), self.dtype

    def parameter_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return _along(shape, self.axis, type(self).__name__)

    def forward(self, x: Any) -> Variable:
        self._settle(x)
        y: Variable = F.rms_norm(x, self.gamma, self.axis, self.eps)
        return y


class GroupNorm(_Scaling):
    """Normalise over groups of channels and what axes follow, each example on its own.

    Parameters
    ----------
    groups : int
        A divisor of the number of channels.
    eps : float, default 1e-5
        Added to the variance.
    dtype : NumPy dtype, optional
        Of the parameters; by default that of the first input, with 32 bits at least.

    Attributes
    ----------
    gamma, beta : Parameter, shape (C,)
        Scale and shift; ones and zeros at first.

    Examples
    --------
    >>> tg.layers.GroupNorm(2)(np.ones((1, 4, 3, 3), np.float32)).shape
    (1, 4, 3, 3)
    """

    gamma: Parameter
    beta: Parameter

    def __init__(self, groups: int, eps: float = 1e-5, dtype: Any = None) -> None:
        super().__init__(dtype, gamma=np.ones, beta=np.zeros)
        self.groups = groups
        self.eps = eps

    def forward(self, x: Any) -> Variable:
        self._settle(x)
        y: Variable = F.group_norm(x, self.groups, self.gamma, self.beta, self.eps)
        return y


def _along(shape: tuple[int, ...], axis: int | tuple[int, ...], name: str) -> tuple[int, ...]:
    """The lengths along some axes, in the order of the axes of the input."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise ValueError(f"{name}: expected an x that has the axes {axes}; got shape {shape}")
    return tuple(shape[a] for a in sorted(a % len(shape) for a in axes))
