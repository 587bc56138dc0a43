"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import Any

from tensorgrad.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent: ``w -= lr * g``.

    Parameters
    ----------
    lr : float, default 0.01

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.SGD(lr=0.25).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1. ])
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def update_one(self, param: Any) -> None:
        param.data = param.backend.add_scaled(param.data, param.grad.data, -float(self.lr))


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: ``v = momentum * v - lr * g``, ``w += v``.

    Parameters
    ----------
    lr : float, default 0.01
    momentum : float in [0, 1), default 0.9

    References
    ----------
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods".

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.MomentumSGD(lr=0.25).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1. ])
    """

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum

    def update_one(self, param: Any) -> None:
        state = self.state(param, "v")
        state["v"] *= float(self.momentum)
        state["v"] = param.backend.add_scaled(state["v"], param.grad.data, -float(self.lr))
        param.data += state["v"]
