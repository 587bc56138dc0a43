"""Hooks: functions of the parameters that have a gradient, run before an update.

None writes into a gradient's array, which others may hold: each puts a new one in its place.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Variable


class WeightDecay:
    """Add ``rate * w`` to the gradient of every parameter: the gradient of ``rate / 2 * w**2``.

    Parameters
    ----------
    rate : float

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.SGD(lr=1.0).setup([w])
    >>> optimizer.add_hook(tg.optimizers.WeightDecay(0.5))
    >>> (w * 0.0).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1. ])
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, params: list[Variable]) -> None:
        for p in params:
            _put(p, _gradient(p) + float(self.rate) * p.data)


class ClipGrad:
    """Scale all gradients together so that their common Euclidean norm is at most `max_norm`.

    The norm stays on the device: nothing waits for it.

    Parameters
    ----------
    max_norm : float, greater than 0

    References
    ----------
    Pascanu, Mikolov, Bengio 2013, "On the difficulty of training recurrent neural networks",
    algorithm 1.

    Examples
    --------
    >>> w = tg.Parameter(np.array([3.0, 4.0]))
    >>> optimizer = tg.optimizers.SGD(lr=1.0).setup([w])
    >>> optimizer.add_hook(tg.optimizers.ClipGrad(1.0))
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> np.round(w.data, 4)
    array([2.4, 3.2])
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _positive("ClipGrad", "max_norm", max_norm)

    def __call__(self, params: list[Variable]) -> None:
        if not params:
            return
        kernel = params[0].backend.kernel("clip_by_norm")
        if kernel is not None:
            clipped = kernel([_gradient(p) for p in params], float(self.max_norm))
            if clipped is not None:
                for p, g in zip(params, clipped, strict=True):
                    _put(p, g)
                return
        xp = params[0].backend.xp
        total = None
        for p in params:
            g = _gradient(p)
            squares = xp.sum(g * g)
            total = squares if total is None else total + xp.astype(squares, total.dtype)
        rate = float(self.max_norm) / (xp.sqrt(total) + 1e-6)
        rate = xp.where(rate < 1, rate, xp.ones_like(rate))
        for p in params:
            g = _gradient(p)
            _put(p, g * xp.astype(rate, g.dtype))


class ClipGradValue:
    """Keep every element of every gradient between ``-max_value`` and `max_value`.

    Parameters
    ----------
    max_value : float, greater than 0

    Examples
    --------
    >>> w = tg.Parameter(np.array([3.0, 0.25]))
    >>> optimizer = tg.optimizers.SGD(lr=1.0).setup([w])
    >>> optimizer.add_hook(tg.optimizers.ClipGradValue(1.0))
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([ 2.   -0.25])
    """

    def __init__(self, max_value: float) -> None:
        self.max_value = _positive("ClipGradValue", "max_value", max_value)

    def __call__(self, params: list[Variable]) -> None:
        bound = float(self.max_value)
        for p in params:
            xp = p.backend.xp
            _put(p, xp.minimum(xp.maximum(_gradient(p), -bound), bound))


class FreezeParam:
    """Take the gradients of some parameters away, so that they stay as they are.

    Add it before hooks that should not see those gradients.

    Parameters
    ----------
    *layers : Layer or Parameter
        A layer is asked for its parameters at each update.

    Examples
    --------
    >>> w = tg.Parameter(np.array([3.0, 4.0]))
    >>> optimizer = tg.optimizers.SGD(lr=1.0).setup([w])
    >>> optimizer.add_hook(tg.optimizers.FreezeParam(w))
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([3. 4.])
    """

    def __init__(self, *layers: Any) -> None:
        self.layers = layers

    def __call__(self, params: list[Variable]) -> None:
        frozen: set[Variable] = set()
        for x in self.layers:
            frozen.update([x] if isinstance(x, Variable) else x.params())
        for p in params:
            if p in frozen:
                p.cleargrad()


def _positive(name: str, what: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name}: expected {what} > 0; got {value}")
    return value


def _gradient(p: Variable) -> Array:
    grad: Any = p.grad
    return grad.data


def _put(p: Variable, g: Array) -> None:
    p.grad = Variable(g, requires_grad=False)
