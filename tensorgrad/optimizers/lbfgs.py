"""L-BFGS: steps by an estimate of the curvature from the last few gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from tensorgrad.backend import Array, Backend, backend_of
from tensorgrad.core import Variable
from tensorgrad.core.capturing import refuse_capture
from tensorgrad.core.variable import transfer
from tensorgrad.optimizers.line_search import Point, strong_wolfe
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
    line_search : {'strong_wolfe'}, optional
        Find the length of each step by values of the loss; `lr` is where the search begins. `update` then
        needs a closure.
    max_iter : int, default 1
        Steps of an update with a line search.

    Notes
    -----
    Without a line search nothing waits for the device: a pair without positive curvature, and a
    direction that does not descend, are left out by arithmetic. Where steps of length 1 are too long,
    lower `lr`, or search: that waits for the value and the slope at each place. All parameters are on one
    device; groups are not possible, and hooks not with a line search.

    References
    ----------
    Nocedal, Wright 2006, "Numerical optimization", algorithms 7.4 and 7.5; 3.5 and 3.6 for the search.

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

    Rosenbrock's valley, with a search along each line:

    >>> w = tg.Parameter(np.array([-1.2, 1.0]))
    >>> def loss():
    ...     w.cleargrad()
    ...     y = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     y.backward()
    ...     return y
    >>> optimizer = tg.optimizers.LBFGS(line_search="strong_wolfe", max_iter=50).setup([w])
    >>> _ = optimizer.update(loss)
    >>> bool(np.abs(w.data - 1).max() < 1e-6)
    True
    """

    elementwise = False

    def __init__(
        self, lr: float = 1.0, history: int = 100, *, line_search: str | None = None, max_iter: int = 1
    ) -> None:
        super().__init__()
        if history < 1 or max_iter < 1:
            raise ValueError(f"LBFGS: expected history >= 1 and max_iter >= 1; got {history} and {max_iter}")
        if line_search not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: expected line_search 'strong_wolfe' or None; got {line_search!r}")
        self.lr = lr
        self.history = history
        self.line_search = line_search
        self.max_iter = max_iter
        self._pairs: list[tuple[Array, Array, Array]] = []  # step, change of gradient, 1 / their product
        self._last: dict[str, Array] = {}  # gradient, step and scale of the latest update

    def add_group(self, target: Any, **settings: Any) -> Self:
        """Not possible: the curvature is that of all parameters together."""
        raise TypeError("LBFGS.add_group: all parameters have the same settings; use one optimizer for each")

    def update(self, closure: Callable[[], Any] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters: once, or with a line search up to `max_iter` times.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, computes the loss, calls its ``backward`` and returns it. A line search
            calls it at each place where it looks.

        Returns
        -------
        float or None
            With a line search the loss at the end.

        Raises
        ------
        TypeError
            If a line search has no closure.
        ValueError
            If it meets hooks: gradients that they change are not those of the loss.
        """
        refuse_capture("LBFGS.update")
        if self.line_search is None:
            if closure is not None:
                closure()
            super().update()
            return None
        if closure is None:
            raise TypeError(
                "LBFGS.update: expected a closure that clears the gradients, computes the loss, calls its "
                "backward and returns it; got none, which a line search cannot do without"
            )
        if self.hooks:
            raise ValueError(
                "LBFGS: expected no hooks with a line search: gradients are to be the loss's own"
            )
        return self._search(closure)

    def update_all(self, params: list[Variable]) -> None:
        if not params:
            return
        g = _joined([p.grad for p in params])
        xp = params[0].backend.xp
        direction, rate = self._direction(params[0].backend, g)
        descends = xp.sum(g * direction) <= -1e-9
        step = direction * xp.where(descends, rate, xp.zeros_like(rate))
        self._note(params[0].backend, g, step)
        for p, part in _parts(params, step):
            p.data += part

    def _direction(self, backend: Backend, g: Array) -> tuple[Array, Array]:
        """Where to go, and how far in multiples of that at first."""
        xp = backend.xp
        self._bring(backend, g)
        if not self._last:
            length = xp.sum(xp.abs(g))
            one = xp.ones_like(length)
            rate = xp.where(length > 1, 1 / xp.where(length > 1, length, one), one)
            self._scale = one
            return -g, rate * float(self.lr)
        self._scale = self._remember(xp, g)
        direction = -self._times_inverse_hessian(xp, g, self._scale)
        return direction, xp.ones_like(self._scale) * float(self.lr)

    def _note(self, backend: Backend, g: Array, step: Array) -> None:
        self._last = {"gradient": backend.copy(g), "step": step, "scale": self._scale}

    def _search(self, closure: Callable[[], Any]) -> float:
        value = float(closure())
        params = [p for p in self.params() if p.grad is not None]
        for _ in range(int(self.max_iter) if params else 0):
            backend = params[0].backend
            xp = backend.xp
            g = backend.copy(_joined([p.grad for p in params]))
            direction, rate = self._direction(backend, g)
            start = Point(0.0, value, float(xp.sum(g * direction)))
            if not start.slope < 0:
                break
            origin = [(p, backend.copy(p.data), part) for p, part in _parts(params, direction)]

            def at(t: float, origin: Any = origin, direction: Array = direction, xp: Any = xp) -> Point:
                for p, data, part in origin:
                    _set(p, data + t * part)
                value = float(closure())
                return Point(t, value, float(xp.sum(_joined([p.grad for p in params]) * direction)))

            end = strong_wolfe(at, start, float(rate))
            value = end.value
            self._note(backend, g, direction * end.t)
            if end.t == 0:
                break
        return value

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


def _parts(params: list[Variable], step: Array) -> Iterator[tuple[Any, Array]]:
    """Each parameter with its part of a vector, in its shape and dtype."""
    start = 0
    for p in params:
        xp = p.backend.xp
        part = xp.reshape(step[start : start + p.size], p.shape)
        start += p.size
        yield p, part if part.dtype == p.dtype else xp.astype(part, p.dtype)


def _set(p: Variable, data: Array) -> None:
    """Give a parameter other values, in the array that it has where that can be changed."""
    if p.backend.writable:
        p.data[...] = data
    else:
        p.data = data
