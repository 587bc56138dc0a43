"""AdaGrad, AdaDelta and RMSprop: a step size for each element, from its past gradients."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.optimizers.optimizer import Optimizer


class AdaGrad(Optimizer):
    """AdaGrad: ``h += g**2``, ``w -= lr * g / (sqrt(h) + eps)``.

    Parameters
    ----------
    lr : float, default 0.001
    eps : float, default 1e-8

    References
    ----------
    Duchi, Hazan, Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization".

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.AdaGrad(lr=0.5).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1.5])
    """

    def __init__(self, lr: float = 0.001, eps: float = 1e-8) -> None:
        super().__init__()
        self.lr = lr
        self.eps = eps

    def update_one(self, param: Any) -> None:
        lr, eps = float(self.lr), float(self.eps)

        def rule(xp: Any, w: Array, g: Array, h: Array) -> tuple[Array, ...]:
            h += g * g
            step = xp.sqrt(h)
            step += eps
            step = g / step
            step *= lr
            w -= step
            return w, h

        self.apply(param, rule, "h")


class AdaDelta(Optimizer):
    """AdaDelta: steps in the unit of the parameter.

    ``msg = rho * msg + (1 - rho) * g**2``,
    ``dx = sqrt((msdx + eps) / (msg + eps)) * g``,
    ``msdx = rho * msdx + (1 - rho) * dx**2``,
    ``w -= lr * dx``.

    Parameters
    ----------
    rho : float in [0, 1), default 0.95
    eps : float, default 1e-6
    lr : float, default 1.0
        The paper and the book have none; schedules change it.

    References
    ----------
    Zeiler 2012, "ADADELTA: an adaptive learning rate method", algorithm 1.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.AdaDelta(rho=0.0, eps=1.0).setup([w])
    >>> (w * 0.0).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([1. 2.])
    """

    def __init__(self, rho: float = 0.95, eps: float = 1e-6, lr: float = 1.0) -> None:
        super().__init__()
        self.rho = rho
        self.eps = eps
        self.lr = lr

    def update_one(self, param: Any) -> None:
        rho, eps, lr = float(self.rho), float(self.eps), float(self.lr)

        def rule(xp: Any, w: Array, g: Array, msg: Array, msdx: Array) -> tuple[Array, ...]:
            squares = g * g
            squares *= 1 - rho
            msg *= rho
            msg += squares
            dx = msdx + eps
            dx /= msg + eps
            dx = xp.sqrt(dx)
            dx *= g
            squares = dx * dx
            squares *= 1 - rho
            msdx *= rho
            msdx += squares
            if lr != 1:
                dx *= lr
            w -= dx
            return w, msg, msdx

        self.apply(param, rule, "msg", "msdx")


class RMSprop(Optimizer):
    """RMSprop: ``h = rho * h + (1 - rho) * g**2``, ``w -= lr * g / (sqrt(h) + eps)``.

    Parameters
    ----------
    lr : float, default 0.01
    rho : float in [0, 1), default 0.99
    eps : float, default 1e-8
    momentum : float in [0, 1), default 0.0
        If not 0, steps are added up: ``v = momentum * v + g / (sqrt(h) + eps)``, ``w -= lr * v``.
    centered : bool, default False
        Divide by the deviation: ``h`` less the square of the running mean of ``g``.

    References
    ----------
    Hinton 2012, "Neural networks for machine learning", lecture 6e. Centered: Graves 2013, "Generating
    sequences with recurrent neural networks", eq. 38 to 41.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.RMSprop(lr=0.5, rho=0.75).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> np.round(w.data, 4)
    array([0., 1.])
    """

    def __init__(
        self,
        lr: float = 0.01,
        rho: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__()
        self.lr = lr
        self.rho = rho
        self.eps = eps
        self.momentum = momentum
        self.centered = centered

    def update_one(self, param: Any) -> None:
        lr, rho, eps = float(self.lr), float(self.rho), float(self.eps)
        momentum, centered = float(self.momentum), self.centered

        def rule(xp: Any, w: Array, g: Array, h: Array, *more: Array) -> tuple[Array, ...]:
            squares = g * g
            squares *= 1 - rho
            h *= rho
            h += squares
            step = h
            if centered:
                mean = more[-1]
                mean *= rho
                mean += (1 - rho) * g
                step = h - mean * mean
                more = (*more[:-1], mean)
            step = xp.sqrt(step)
            step += eps
            step = g / step
            if momentum:
                v = more[0]
                v *= momentum
                v += step
                step = lr * v
                more = (v, *more[1:])
            else:
                step *= lr
            w -= step
            return w, h, *more

        self.apply(param, rule, "h", *(["v"] if momentum else []), *(["mean"] if centered else []))
