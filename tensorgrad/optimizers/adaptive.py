"""AdaGrad and AdaDelta: a step size for each element, from its past gradients."""

from __future__ import annotations

from typing import Any

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
        xp, g = param.backend.xp, param.grad.data
        state = self.state(param, "h")
        state["h"] += g * g
        step = xp.sqrt(state["h"])
        step += self.eps
        param.data -= float(self.lr) * g / step


class AdaDelta(Optimizer):
    """AdaDelta: steps in the unit of the parameter, without a rate.

    ``msg = rho * msg + (1 - rho) * g**2``,
    ``dx = sqrt((msdx + eps) / (msg + eps)) * g``,
    ``msdx = rho * msdx + (1 - rho) * dx**2``,
    ``w -= dx``.

    Parameters
    ----------
    rho : float in [0, 1), default 0.95
    eps : float, default 1e-6

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

    def __init__(self, rho: float = 0.95, eps: float = 1e-6) -> None:
        super().__init__()
        self.rho = rho
        self.eps = eps

    def update_one(self, param: Any) -> None:
        xp, g = param.backend.xp, param.grad.data
        rho, eps = float(self.rho), float(self.eps)
        state = self.state(param, "msg", "msdx")
        state["msg"] *= rho
        state["msg"] += (1 - rho) * (g * g)
        dx = xp.sqrt((state["msdx"] + eps) / (state["msg"] + eps))
        dx *= g
        state["msdx"] *= rho
        state["msdx"] += (1 - rho) * (dx * dx)
        param.data -= dx
