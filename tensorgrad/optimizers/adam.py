"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Variable
from tensorgrad.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

    At the ``t``-th update of a parameter
    ``m += (1 - beta1) * (g - m)``, ``v += (1 - beta2) * (g**2 - v)`` and
    ``w -= alpha * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)``.

    Parameters
    ----------
    alpha : float, default 0.001
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    eps : float, default 1e-8

    Attributes
    ----------
    t : int
        How often `update` was called.

    Notes
    -----
    Updates are counted for each parameter, so that the correction is right for one whose first
    gradient comes late. The book adds `eps` before the correction; here it is added after it, as in
    the paper and in torch.

    References
    ----------
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.Adam(alpha=0.5).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> np.round(w.data, 4)
    array([0.5, 1.5])
    """

    rate_name = "alpha"
    weight_decay: float = 0.0  # AdamW's

    def __init__(
        self, alpha: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__()
        self.t = 0
        self.alpha = alpha
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps

    @property
    def lr(self) -> float:
        """`alpha` with the correction of the latest update; before the first, with that one's."""
        fix1, fix2 = self._corrections(max(self.t, 1))
        return float(self.alpha * math.sqrt(fix2) / fix1)

    def _corrections(self, t: int) -> tuple[float, float]:
        return 1 - float(self.beta1) ** t, 1 - float(self.beta2) ** t

    def update(self) -> None:
        self.t += 1
        super().update()

    def means(self, m: Array, v: Array, g: Array) -> tuple[Array, Array]:
        """The running means of the gradient and of its square, in place where they can be changed."""
        beta1, beta2 = float(self.beta1), float(self.beta2)
        m *= beta1
        m += (1 - beta1) * g
        squares = g * g
        squares *= 1 - beta2
        v *= beta2
        v += squares
        return m, v

    def update_all(self, params: list[Variable]) -> None:
        kind = type(self)
        if kind.update_one is not Adam.update_one or kind.means is not Adam.means:  # another rule
            super().update_all(params)
            return
        of_count: dict[int, tuple[Any, ...]] = {}
        numbers = {}
        for p in params:
            t, count = self.count(p), self._states[p]["t"]
            if count not in of_count:
                of_count[count] = self._numbers(t)
            numbers[p] = of_count[count]
        for p in self.fused("adam", params, ("m", "v"), numbers.__getitem__):
            self._step(p, *numbers[p])

    def update_one(self, param: Any) -> None:
        self._step(param, *self._numbers(self.count(param)))

    def _numbers(self, t: int) -> tuple[float, float, float, float, float]:
        """Of the t-th update: the rate and eps with both corrections in them, the betas, and the decay."""
        fix1, fix2 = self._corrections(t)
        root = fix2**0.5
        eps = float(self.eps) * root  # both sides of the quotient times the root
        rate = float(self.alpha) * root / fix1
        return rate, eps, float(self.beta1), float(self.beta2), 1 - float(self.alpha * self.weight_decay)

    def _step(  # noqa: PLR0917  # what `_numbers` gives
        self, param: Any, rate: float, eps: float, beta1: float, beta2: float, decay: float
    ) -> None:
        def rule(xp: Any, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
            m, v = self.means(m, v, g)
            step = xp.sqrt(v)
            step += eps
            step = m / step
            step *= rate
            if decay != 1:
                w *= decay
            w -= step
            return w, m, v

        self.apply(param, rule, "m", "v")


class AdamW(Adam):
    """Adam with decoupled weight decay: ``w -= alpha * weight_decay * w`` before Adam's step.

    Parameters
    ----------
    alpha : float, default 0.001
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    eps : float, default 1e-8
    weight_decay : float, default 0.01

    References
    ----------
    Loshchilov, Hutter 2019, "Decoupled weight decay regularization", algorithm 2.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.AdamW(alpha=0.5, weight_decay=1.0).setup([w])
    >>> (w * 0.0).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1. ])
    """

    def __init__(
        self,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps)
        self.weight_decay = weight_decay
