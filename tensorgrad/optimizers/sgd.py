"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import Any

from tensorgrad.core import Variable
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

    def update_all(self, params: list[Variable]) -> None:
        if type(self).update_one is SGD.update_one:
            params = self.fused("sgd", params, (), lambda _: (float(self.lr),))
        super().update_all(params)

    def update_one(self, param: Any) -> None:
        param.data = param.backend.add_scaled(param.data, param.grad.data, -float(self.lr))


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: ``v = momentum * v - lr * g``, ``w += v``.

    Parameters
    ----------
    lr : float, default 0.01
    momentum : float in [0, 1), default 0.9
    nesterov : bool, default False
        Nesterov's form, which looks ahead: ``w += momentum * v - lr * g`` with the new ``v``.

    References
    ----------
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods". Sutskever, Martens,
    Dahl, Hinton 2013, "On the importance of initialization and momentum in deep learning", eq. 3 and 4,
    in the variables of Bengio, Boulanger-Lewandowski, Pascanu 2013, eq. 7.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.MomentumSGD(lr=0.25).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1. ])
    """

    def __init__(self, lr: float = 0.01, momentum: float = 0.9, nesterov: bool = False) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov

    def update_all(self, params: list[Variable]) -> None:
        if type(self).update_one is MomentumSGD.update_one:
            numbers = (float(self.lr), float(self.momentum), bool(self.nesterov))
            params = self.fused("momentum_sgd", params, ("v",), lambda _: numbers)
        super().update_all(params)

    def update_one(self, param: Any) -> None:
        backend, g = param.backend, param.grad.data
        lr, momentum = float(self.lr), float(self.momentum)
        state = self.state(param, "v")
        state["v"] *= momentum
        state["v"] = v = backend.add_scaled(state["v"], g, -lr)
        if self.nesterov:
            param.data = backend.add_scaled(backend.add_scaled(param.data, v, momentum), g, -lr)
        else:
            param.data += v
