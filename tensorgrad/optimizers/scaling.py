"""Losses scaled up, so that small gradients are not lost in float16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from tensorgrad.core import Variable


class GradScaler:
    """Scale the loss up before backward and the gradients down again before the update.

    The factor is as large as it can be: it grows when no gradient has overflowed for a while. After one with
    an inf or a nan the update is left out and the factor falls. This is the first hook of the optimizer, so
    `ClipGrad` and the others see gradients in their own size.

    Parameters
    ----------
    factor : float, default 65536.0
        At the beginning.
    growth : float, default 2.0
        Times this, after `interval` updates without overflow.
    backoff : float in (0, 1), default 0.5
        Times this after an overflow.
    interval : int, default 2000

    Attributes
    ----------
    good : int
        Updates since the factor last changed.
    skipped : int
        How many updates were left out.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Notes
    -----
    Whether all gradients are finite is found on the device and asked for once in each update: that waits
    for the backward, which no optimizer does otherwise. Powers of 2, as by default, change no digit of a
    gradient.

    References
    ----------
    Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2.

    Examples
    --------
    >>> model = tg.models.MLP((8, 2))
    >>> optimizer = tg.optimizers.Adam().setup(model)
    >>> scaler = tg.optimizers.GradScaler(1024.0).setup(optimizer)
    >>> x, t = np.ones((4, 3), np.float32), np.array([0, 1, 1, 0])
    >>> with tg.autocast("float16"):
    ...     loss = F.softmax_cross_entropy(model(x), t)
    >>> scaler.scale(loss).backward()
    >>> optimizer.update()
    >>> scaler.good, scaler.skipped
    (1, 0)
    """

    def __init__(
        self, factor: float = 65536.0, *, growth: float = 2.0, backoff: float = 0.5, interval: int = 2000
    ) -> None:
        if not (factor > 0 and growth > 1 and 0 < backoff < 1 and interval >= 1):
            raise ValueError(
                "GradScaler: expected factor > 0, growth > 1, backoff in (0, 1) and interval >= 1; "
                f"got {factor}, {growth}, {backoff} and {interval}"
            )
        self.factor = factor
        self.growth = growth
        self.backoff = backoff
        self.interval = interval
        self.good = 0
        self.skipped = 0
        self._greatest: Callable[[int], int] = int

    def setup(self, optimizer: Any) -> Self:
        """Become the first hook of an optimizer; returns self."""
        optimizer.hooks.insert(0, self._unscale)
        # Where each rank of a program sees a part of the gradients, all leave an update out, or none does.
        self._greatest = getattr(optimizer, "greatest", int)
        return self

    def scale(self, loss: Variable) -> Variable:
        """The loss to call ``backward`` on."""
        return loss * self.factor

    def _unscale(self, params: list[Variable]) -> None:
        """Bring the gradients to their size; take them away after an overflow: nothing is updated then."""
        found = self._greatest(_state_of(params))
        if found == NONE:
            return
        if found == OVERFLOW:
            for p in params:
                p.cleargrad()
            self.factor *= self.backoff
            self.good = 0
            self.skipped += 1
            return
        for p in params:
            grad: Any = p.grad
            p.grad = Variable(grad.data * (1 / self.factor), requires_grad=False)
        self.good += 1
        if self.good >= self.interval:
            self.factor *= self.growth
            self.good = 0

    def state_dict(self) -> dict[str, Any]:
        """The factor, and what it depends on."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises
        ------
        ValueError
            If it is that of something else.
        """
        if state.keys() != set(_STATE):
            wrong = ", ".join(sorted(state.keys() ^ set(_STATE)))
            raise ValueError(f"GradScaler: missing or unexpected in the state: {wrong}")
        vars(self).update({name: type(getattr(self, name))(state[name]) for name in _STATE})


NONE, FINITE, OVERFLOW = range(3)
_STATE = ("factor", "growth", "backoff", "interval", "good", "skipped")


def _state_of(params: list[Variable]) -> int:
    """Whether there are gradients, and all are finite."""
    total = None
    for p in params:
        grad: Any = p.grad
        xp = p.backend.xp
        finite = xp.all(xp.isfinite(grad.data))
        total = finite if total is None else xp.logical_and(total, finite)
    if total is None:
        return NONE
    return FINITE if total else OVERFLOW
