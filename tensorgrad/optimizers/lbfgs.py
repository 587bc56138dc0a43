"""L-BFGS: steps by an estimate of the curvature from the last few gradients."""

from __future__ import annotations

from typing import Any, Self

from tensorgrad.backend import Array, Backend, backend_of
from tensorgrad.core import Variable
from tensorgrad.core.variable import transfer
from tensorgrad.optimizers.optimizer import Optimizer


class LBFGS(Optimizer):
    """L-BFGS: each update is one step ``w -= lr * H g``, where ``H`` estimates the inverse Hessian.

    For losses of the whole data set: a gradient of a batch is too noisy for it. Compute loss and
    gradient anew before each update, as for every other optimizer.

    Parameters
    ----------
    lr : float, default 1.0
        Of all steps but the first, which has a length of at most `lr` in the sum of absolute values.
    history : int, default 100
        How many pairs of step and change of gradient are remembered; each costs twice the memory
        of the parameters.

    Notes
    -----
    There is no line search, so nothing waits for the device: a pair without positive curvature, and a
    direction that does not descend, are left out by arithmetic. Where steps of length 1 are too long,
    lower `lr`. All parameters are on one device; groups are not possible.

    References
    ----------
    Nocedal, Wright 2006, "Numerical optimization", algorithms 7.4 and 7.5.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0, -2.0]))
    >>> optimizer = tg.optimizers.LBFGS().setup([w])
    >>> for _ in range(8):
    ...     w.cleargrad()
    ...     (w * w * np.array([1.0, 10.0])).sum().backward()
    ...     optimizer.update()
    >>> bool(np.abs(w.data).max() < 1e-3)
    True
    """

    elementwise = False

    def __init__(self, lr: float = 1.0, history: int = 100) -> None:
        super().__init__()
        if history < 1:
            raise ValueError(f"LBFGS: expected history >= 1; got {history}")
        self.lr = lr
        self.history = history
        self._pairs: list[tuple[Array, Array, Array]] = []  # step, change of gradient, 1 / their product
        self._last: dict[str, Array] = {}  # gradient, step and scale of the latest update

    def add_group(self, target: Any, **settings: Any) -> Self:
        """Not possible: the curvature is that of all parameters together."""
        raise TypeError("LBFGS.add_group: all parameters have the same settings; use one optimizer for each")

    def update_all(self, params: list[Variable]) -> None:
        if not params:
            return
        g = _joined([p.grad for p in params])
        backend = params[0].backend
        xp = backend.xp
        self._bring(backend, g)
        if not self._last:
            scale = xp.sum(xp.abs(g))
            one = xp.ones_like(scale)
            direction = -g
            rate = xp.where(scale > 1, 1 / xp.where(scale > 1, scale, one), one) * float(self.lr)
            scale = one
        else:
            scale = self._remember(xp, g)
            direction = -self._times_inverse_hessian(xp, g, scale)
            rate = xp.ones_like(scale) * float(self.lr)
        descends = xp.sum(g * direction) <= -1e-9
        step = direction * xp.where(descends, rate, xp.zeros_like(rate))
        self._last = {"gradient": backend.copy(g), "step": step, "scale": scale}
        start = 0
        for p in params:
            part = xp.reshape(step[start : start + p.size], p.shape)
            start += p.size
            p.data += part if part.dtype == p.dtype else xp.astype(part, p.dtype)

    def _remember(self, xp: Any, g: Array) -> Array:
        """Add the latest pair; the scale of the first estimate of ``H``."""
        step = self._last["step"]
        change = g - self._last["gradient"]
        product = xp.sum(change * step)
        good = product > 1e-10
        one = xp.ones_like(product)
        inverse = xp.where(good, 1 / xp.where(good, product, one), xp.zeros_like(product))
        self._pairs = [*self._pairs, (step, change, inverse)][-int(self.history) :]
        squares = xp.where(good, xp.sum(change * change), one)
        return xp.where(good, product / squares, self._last["scale"])

    def _times_inverse_hessian(self, xp: Any, g: Array, scale: Array) -> Array:
        factors = []
        for step, change, inverse in reversed(self._pairs):
            factor = inverse * xp.sum(step * g)
            g = g - factor * change
            factors.append(factor)
        g = g * scale
        for (step, change, inverse), factor in zip(self._pairs, reversed(factors), strict=True):
            g = g + (factor - inverse * xp.sum(change * g)) * step
        return g

    def _bring(self, backend: Backend, g: Array) -> None:
        """Have what is kept beside the gradient; forget it where the number of elements has changed."""
        last = self._last.get("gradient")
        if last is None:
            return
        if tuple(last.shape) != tuple(g.shape):
            self._last, self._pairs = {}, []
        elif backend_of(last) is not backend or backend.device(last) != backend.device(g):
            device = backend.device(g)

            def brought(x: Array) -> Array:
                x = transfer(x, backend, device)
                return x if x.dtype == g.dtype else backend.xp.astype(x, g.dtype)

            self._last = {name: brought(x) for name, x in self._last.items()}
            self._pairs = [(brought(s), brought(y), brought(r)) for s, y, r in self._pairs]

    def whole_state(self) -> dict[str, Any]:
        state = dict(self._last)
        for i, pair in enumerate(self._pairs):
            state |= {f"{name}{i}": x for name, x in zip(_PAIR, pair, strict=True)}
        return state

    def load_whole_state(self, state: dict[str, Any]) -> None:
        count = sum(name.startswith("step") for name in state) - 1
        last = ("gradient", "step", "scale") if state else ()
        wanted = {*last, *(f"{name}{i}" for i in range(count) for name in _PAIR)}
        if wanted != set(state):
            raise ValueError(f"LBFGS: missing or unexpected in the state: {', '.join(wanted ^ set(state))}")
        self._last = {name: state[name] for name in last}
        self._pairs = [(state[f"step{i}"], state[f"change{i}"], state[f"inverse{i}"]) for i in range(count)]


_PAIR = ("step", "change", "inverse")


def _joined(variables: list[Variable | None]) -> Array:
    """All elements as one vector, in the dtype of the first."""
    arrays = [v.data for v in variables if v is not None]
    owner = backend_of(arrays[0])
    assert owner is not None, "a gradient is an array"
    xp = owner.xp
    flat = [xp.reshape(a, (-1,)) for a in arrays]
    return xp.concat([a if a.dtype == flat[0].dtype else xp.astype(a, flat[0].dtype) for a in flat])
