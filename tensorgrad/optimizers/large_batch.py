"""Lion, whose steps are signs, and LAMB, whose steps are scaled layer by layer."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.optimizers.adam import Adam
from tensorgrad.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """Lion: steps of one size, in the direction of an average of momentum and gradient.

    ``w -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * w)``,
    ``m = beta2 * m + (1 - beta2) * g``.

    Parameters
    ----------
    lr : float, default 0.0001
    beta1, beta2 : float in [0, 1), default 0.9 and 0.99
    weight_decay : float, default 0.0

    References
    ----------
    Chen et al. 2023, "Symbolic discovery of optimization algorithms", program 1.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.Lion(lr=0.25).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.75 1.75])
    """

    def __init__(
        self, lr: float = 0.0001, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0
    ) -> None:
        super().__init__()
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.weight_decay = weight_decay

    def update_one(self, param: Any) -> None:
        lr, beta1, beta2 = float(self.lr), float(self.beta1), float(self.beta2)
        decay = 1 - lr * float(self.weight_decay)

        def rule(xp: Any, w: Array, g: Array, m: Array) -> tuple[Array, ...]:
            step = beta1 * m
            step += (1 - beta1) * g
            step = xp.sign(step)
            step *= lr
            if decay != 1:
                w *= decay
            w -= step
            m *= beta2
            m += (1 - beta2) * g
            return w, m

        self.apply(param, rule, "m")


class LAMB(Adam):
    """LAMB: the step of AdamW, scaled for each parameter to the norm of that parameter.

    ``u = (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps) + weight_decay * w``,
    ``w -= alpha * |w| / |u| * u``; without the factor where one of the norms is 0.

    Parameters
    ----------
    alpha : float, default 0.001
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    eps : float, default 1e-6
    weight_decay : float, default 0.01

    Notes
    -----
    The norms stay on the device: nothing waits for them.

    References
    ----------
    You et al. 2020, "Large batch optimization for deep learning: training BERT in 76 minutes",
    algorithm 2, with the identity for phi.

    Examples
    --------
    >>> w = tg.Parameter(np.array([3.0, 4.0]))
    >>> optimizer = tg.optimizers.LAMB(alpha=0.1, weight_decay=0.0).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> np.round(w.data, 4)
    array([2.6464, 3.6464])
    """

    elementwise = False

    def __init__(
        self,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-6,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps)
        self.weight_decay = weight_decay

    def update_one(self, param: Any) -> None:
        xp = param.backend.xp
        state = self.state(param, "m", "v")
        fix1, fix2 = self._corrections(self.count(param))
        state["m"], state["v"] = self.means(state["m"], state["v"], param.grad.data)
        step = state["v"] / fix2
        step = xp.sqrt(step)
        step += float(self.eps)
        step = state["m"] / step
        step *= 1 / fix1
        if self.weight_decay:
            step += float(self.weight_decay) * param.data
        of_w, of_step = _norm(xp, param.data), _norm(xp, step)
        both = xp.logical_and(of_w > 0, of_step > 0)
        one = xp.ones_like(of_w)
        step *= xp.where(both, of_w / xp.where(both, of_step, one), one) * float(self.alpha)
        param.data -= step


def _norm(xp: Any, x: Array) -> Array:
    return xp.sqrt(xp.sum(x * x))
