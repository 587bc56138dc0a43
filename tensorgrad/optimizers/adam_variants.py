"""Relatives of Adam: Adamax, NAdam and RAdam."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.optimizers.adam import Adam


class Adamax(Adam):
    """Adam with the largest recent gradient in the place of the mean square.

    ``m += (1 - beta1) * (g - m)``, ``u = max(beta2 * u, |g| + eps)``,
    ``w -= alpha / (1 - beta1**t) * m / u``.

    Parameters
    ----------
    alpha : float, default 0.002
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    eps : float, default 1e-8

    References
    ----------
    Kingma, Ba 2015, "Adam: a method for stochastic optimization", algorithm 2; with torch's `eps`.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.Adamax(alpha=0.5).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> np.round(w.data, 4)
    array([0.5, 1.5])
    """

    def __init__(
        self, alpha: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps)

    @property
    def lr(self) -> float:
        """`alpha` with the correction of the latest update; before the first, with that one's."""
        return float(self.alpha / self._corrections(max(self.t, 1))[0])

    def update_one(self, param: Any) -> None:
        beta1, beta2, eps = float(self.beta1), float(self.beta2), float(self.eps)
        rate = float(self.alpha) / self._corrections(self.count(param))[0]

        def rule(xp: Any, w: Array, g: Array, m: Array, u: Array) -> tuple[Array, ...]:
            m *= beta1
            m += (1 - beta1) * g
            size = xp.abs(g)
            size += eps
            u *= beta2
            u += xp.maximum(size - u, 0)  # the maximum, in place
            step = m / u
            step *= rate
            w -= step
            return w, m, u

        self.apply(param, rule, "m", "u")


class NAdam(Adam):
    """Adam with Nesterov's momentum.

    Parameters
    ----------
    alpha : float, default 0.002
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    eps : float, default 1e-8
    momentum_decay : float, default 0.004
        The momentum at update ``t`` is ``mu_t = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))``.

    References
    ----------
    Dozat 2016, "Incorporating Nesterov momentum into Adam", with the momentum of its section 3.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.NAdam(alpha=0.5).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w.shape
    (2,)
    """

    def __init__(
        self,
        alpha: float = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        momentum_decay: float = 0.004,
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps)
        self.momentum_decay = momentum_decay
        self._products: tuple[Any, list[float]] = (None, [])

    def update_one(self, param: Any) -> None:
        t, xp = self.count(param), param.backend.xp
        mu, later, product = self._momentum(t), self._momentum(t + 1), self._product(t, xp)
        fix2 = self._corrections(t)[1] ** 0.5
        eps = float(self.eps) * fix2
        of_g = float(self.alpha) * (1 - mu) / (1 - product) * fix2
        of_m = float(self.alpha) * later / (1 - product * later) * fix2
        if not isinstance(product, float):
            of_g, of_m = (xp.astype(number, param.dtype) for number in (of_g, of_m))

        def rule(xp: Any, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
            m, v = self.means(m, v, g)
            scale = xp.sqrt(v)
            scale += eps
            step = of_g * g
            step += of_m * m
            step /= scale
            w -= step
            return w, m, v

        self.apply(param, rule, "m", "v")

    def _momentum(self, t: Any) -> Any:
        return float(self.beta1) * (1 - 0.5 * 0.96 ** (t * float(self.momentum_decay)))

    def _product(self, t: Any, xp: Any) -> Any:
        """``mu_1 ... mu_t``, where t is a number, or a 0-d array as in a step that is captured."""
        if not isinstance(t, int):
            vanishes = math.log(1e-18) / math.log(max(float(self.beta1), 1e-3))  # from there 1 - it is 1
            counts = xp.arange(1, math.ceil(vanishes) + 1)
            momenta = self._momentum(xp.astype(counts, t.dtype))
            return xp.prod(xp.where(counts <= t, momenta, xp.ones_like(momenta)))
        settings = self.beta1, self.momentum_decay
        if self._products[0] != settings:
            self._products = settings, [1.0]
        known = self._products[1]
        while len(known) <= t and known[-1] > 0:
            known.append(known[-1] * self._momentum(len(known)))
        return known[min(t, len(known) - 1)]


class RAdam(Adam):
    """Adam whose first steps are those of momentum, until the mean square is known well enough.

    With ``r_inf = 2 / (1 - beta2) - 1`` and ``r = r_inf - 2 t beta2**t / (1 - beta2**t)``: Adam's step
    times ``sqrt((r - 4) (r - 2) r_inf / ((r_inf - 4) (r_inf - 2) r))`` if ``r > 5``, else
    ``w -= alpha * m / (1 - beta1**t)``.

    Parameters
    ----------
    alpha : float, default 0.001
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
    eps : float, default 1e-8

    References
    ----------
    Liu et al. 2020, "On the variance of the adaptive learning rate and beyond", algorithm 2; with the
    bound 5 of the authors' program and torch's place of `eps`, which no correction divides.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.optimizers.RAdam(alpha=0.5).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> np.round(w.data, 4)
    array([0., 0.])
    """

    def update_one(self, param: Any) -> None:
        t: Any = self.count(param)
        xp, eps = param.backend.xp, float(self.eps)
        fix1, fix2 = self._corrections(t)
        top = 2 / (1 - float(self.beta2)) - 1
        length = top - 2 * t * (1 - fix2) / fix2
        adapted = length > 5
        if isinstance(t, int):
            factor = self._factor(length, top, fix2) if adapted else 1.0
        else:  # a 0-d array, as in a step that is captured
            factor = xp.where(adapted, self._factor(xp.where(adapted, length, 6.0), top, fix2), 1.0)
        rate = float(self.alpha) / fix1 * factor

        def rule(xp: Any, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
            m, v = self.means(m, v, g)
            if adapted is False:
                step = rate * m
            else:
                step = xp.sqrt(v)
                step += eps
                if adapted is not True:
                    step = xp.where(adapted, step, xp.ones_like(step))
                step = m / step
                step *= rate
            w -= step
            return w, m, v

        self.apply(param, rule, "m", "v")

    @staticmethod
    def _factor(length: Any, top: float, fix2: Any) -> Any:
        """What Adam's step is multiplied by, with the correction of the mean square."""
        return ((length - 4) * (length - 2) * top / ((top - 4) * (top - 2) * length) * fix2) ** 0.5
