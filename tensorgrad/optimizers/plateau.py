"""A schedule that looks at a value: the rate falls when that no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tensorgrad.core.capturing import refuse_capture
from tensorgrad.optimizers.schedules import Schedule


class ReduceLROnPlateau(Schedule):
    """Multiply the rate by `factor` when a value has not improved for more than `patience` steps.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {'min', 'max'}
        Whether a smaller value is better, as a loss, or a greater one, as an accuracy.
    factor : float in (0, 1), default 0.1
    patience : int, default 10
    threshold : float, default 0.0001
        Better is what differs from the best so far by more than this part of it.
    cooldown : int, default 0
        For how many steps after a change the value is not looked at.
    min_lr : float, default 0.0

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = tg.optimizers.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> optimizer.lr
    0.25
    """

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: expected mode 'min' or 'max'; got {mode!r}")
        if not 0 < factor < 1:
            raise ValueError(f"ReduceLROnPlateau: expected a factor in (0, 1); got {factor}")
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.best = math.inf if mode == "min" else -math.inf
        self.bad = 0  # steps without improvement
        self.resting = 0  # steps that are still not looked at
        self.drops = 0
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        for _ in range(self.drops):
            base = max(base * self.factor, self.min_lr)
        return base

    def step(self, value: Any = None) -> None:
        """Look at a value and set the rate.

        Parameters
        ----------
        value : number or 0-d Variable
            Of a Variable on a device this waits and copies.

        Raises
        ------
        TypeError
            If there is none.
        """
        if value is None:
            raise TypeError("ReduceLROnPlateau.step: expected the value to look at; got none")
        refuse_capture("ReduceLROnPlateau.step")
        value = float(value)
        margin = self.threshold if self.mode == "max" else -self.threshold
        if math.isinf(self.best):
            better = not math.isnan(value) and value != self.best
        else:
            bound = self.best * (1 + margin)
            better = value < bound if self.mode == "min" else value > bound
        if better:
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.resting:
            self.resting -= 1
            self.bad = 0
        if self.bad > self.patience:
            self.drops += 1
            self.resting, self.bad = self.cooldown, 0
        super().step()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        before = {name: getattr(self, name) for name in _STATE}
        vars(self).update({name: state[name] for name in _STATE if name in state})
        try:
            super().load_state_dict(state)
        except ValueError:
            vars(self).update(before)
            raise


_STATE = ("best", "bad", "resting", "drops")
