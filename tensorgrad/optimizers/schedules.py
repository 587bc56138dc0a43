"""Schedules: the rate of an optimizer as a function of the number of steps.

A schedule computes each rate from the one that the optimizer had when the schedule was made, and from
the number of steps: its state is those numbers, and a run resumed in the middle has the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorgrad.core.capturing import refuse_capture
from tensorgrad.optimizers.optimizer import rule_of


class Schedule:
    """The base: ``rate(base, t)`` says the rate after `t` steps; subclasses define it.

    Groups that have a rate of their own are scheduled from that.

    Parameters
    ----------
    optimizer : Optimizer, or what wraps one
        Its rate is set now, and at each `step`.

    Attributes
    ----------
    t : int
        How often `step` was called.

    Raises
    ------
    TypeError
        If `optimizer` is none, or has no rate.

    Examples
    --------
    >>> class Halving(tg.optimizers.Schedule):
    ...     def rate(self, base, t):
    ...         return base / 2**t
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Any) -> None:
        optimizer = rule_of(optimizer)
        name = getattr(optimizer, "rate_name", None)
        if name is None or name not in vars(optimizer):
            raise TypeError(
                f"{type(self).__name__}: expected an Optimizer with a rate; got {type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        self.t = 0
        self._bases = [float(holder[name]) for holder in self._holders()]
        self._set()

    def rate(self, base: float, t: int) -> float:
        """The rate after `t` steps of what began with `base`."""
        raise NotImplementedError(f"{type(self).__name__} does not define rate(self, base, t)")

    def step(self) -> None:
        """Go on by one step (an epoch or an update, as you count) and set the rate."""
        refuse_capture(f"{type(self).__name__}.step")
        self.t += 1
        self._set()

    def _holders(self) -> list[dict[str, Any]]:
        """The dicts that have a rate: the optimizer's attributes, and the settings of groups."""
        name = self.optimizer.rate_name
        groups = [group.settings for group in self.optimizer.groups if name in group.settings]
        return [vars(self.optimizer), *groups]

    def _set(self) -> None:
        name = self.optimizer.rate_name
        for holder, base in zip(self._holders(), self._bases, strict=True):
            holder[name] = self.rate(base, self.t)

    def state_dict(self) -> dict[str, Any]:
        """The number of steps and the rates at the beginning."""
        return {"t": self.t} | {f"base/{i}": base for i, base in enumerate(self._bases)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, and set the rate.

        Raises
        ------
        ValueError
            If it is that of another schedule.
        """
        mine = self.state_dict()
        if mine.keys() != state.keys():
            wrong = ", ".join(sorted(mine.keys() ^ state.keys()))
            raise ValueError(f"{type(self).__name__}: missing or unexpected in the state: {wrong}")
        self.t = int(state["t"])
        self._bases = [float(state[f"base/{i}"]) for i in range(len(self._bases))]
        self._set()


class LambdaLR(Schedule):
    """``base * factor(t)``.

    Parameters
    ----------
    optimizer : Optimizer
    factor : callable
        From the number of steps to a number.

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = tg.optimizers.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Any, factor: Callable[[int], float]) -> None:
        self.factor = factor
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * float(self.factor(t))


class StepLR(Schedule):
    """``base * gamma**(t // step_size)``.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
    gamma : float, default 0.1

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = tg.optimizers.StepLR(optimizer, step_size=1, gamma=0.5)
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1) -> None:
        _check_steps("StepLR", "step_size", step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(Schedule):
    """``base`` times `gamma` for every milestone that is reached.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : sequence of int
    gamma : float, default 0.1

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = tg.optimizers.MultiStepLR(optimizer, [1, 5], gamma=0.5)
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Any, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones = tuple(milestones)
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** sum(t >= m for m in self.milestones)


class ExponentialLR(Schedule):
    """``base * gamma**t``.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = tg.optimizers.ExponentialLR(optimizer, 0.5)
    >>> schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Any, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return float(base * self.gamma**t)


class CosineAnnealingLR(Schedule):
    """Half a cosine from ``base`` to `eta_min` in `steps` steps, and `eta_min` after that.

    Parameters
    ----------
    optimizer : Optimizer
    steps : int
    eta_min : float, default 0.0

    References
    ----------
    Loshchilov, Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", eq. 5, without
    restarts.

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> schedule = tg.optimizers.CosineAnnealingLR(optimizer, 2)
    >>> schedule.step()
    >>> round(optimizer.lr, 9)
    0.25
    """

    def __init__(self, optimizer: Any, steps: int, eta_min: float = 0.0) -> None:
        _check_steps("CosineAnnealingLR", "steps", steps)
        self.steps = steps
        self.eta_min = eta_min
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return _cosine(base, self.eta_min, t / self.steps)


class OneCycleLR(Schedule):
    """Up from ``max_lr / div_factor`` to `max_lr` and down to almost nothing, both along cosines.

    Parameters
    ----------
    optimizer : Optimizer
        The rate that it has does not matter.
    max_lr : float
    total_steps : int
        Greater than 1.
    pct_start : float, default 0.3
        The part of the steps that goes up.
    div_factor : float, default 25.0
    final_div_factor : float, default 10000.0
        The last rate is ``max_lr / div_factor / final_div_factor``; it stays so.

    References
    ----------
    Smith, Topin 2018, "Super-convergence: very fast training of neural networks using large learning
    rates"; with cosines, and without a cycle of the momentum.

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD()
    >>> schedule = tg.optimizers.OneCycleLR(optimizer, max_lr=1.0, total_steps=11)
    >>> for _ in range(10):
    ...     schedule.step()
    >>> round(optimizer.lr, 9)
    4e-06
    """

    def __init__(
        self,
        optimizer: Any,
        max_lr: float,
        total_steps: int,
        *,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        if total_steps < 2 or not 0 <= pct_start <= 1:
            raise ValueError(
                "OneCycleLR: expected total_steps >= 2 and pct_start in [0, 1]; "
                f"got {total_steps} and {pct_start}"
            )
        self.max_lr = max_lr
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        top = self.pct_start * self.total_steps - 1  # the step of the greatest rate
        first = self.max_lr / self.div_factor
        if t <= top:
            return _cosine(first, self.max_lr, t / top if top > 0 else 1.0)
        start = max(top, 0.0)
        return _cosine(
            self.max_lr, first / self.final_div_factor, (t - start) / (self.total_steps - 1 - start)
        )


class WarmupLR(Schedule):
    """From ``start_factor * base`` straight up to ``base`` in `steps` steps; then as another schedule says.

    Parameters
    ----------
    optimizer : Optimizer
    steps : int
    start_factor : float, default 0.0
    then : Schedule, optional
        Of the same optimizer; its steps are counted from the end of the warm-up, and are made by this
        schedule. By default the rate stays.

    Examples
    --------
    >>> optimizer = tg.optimizers.SGD(0.5)
    >>> cosine = tg.optimizers.CosineAnnealingLR(optimizer, 100)
    >>> schedule = tg.optimizers.WarmupLR(optimizer, 10, then=cosine)
    >>> schedule.step()
    >>> optimizer.lr
    0.05
    """

    def __init__(
        self, optimizer: Any, steps: int, start_factor: float = 0.0, then: Schedule | None = None
    ) -> None:
        _check_steps("WarmupLR", "steps", steps)
        if then is not None and then.optimizer is not optimizer:
            raise ValueError("WarmupLR: expected `then` to be a schedule of the same optimizer")
        self.steps = steps
        self.start_factor = start_factor
        self.then = then
        super().__init__(optimizer)
        if then is not None:  # its own first rate was set when it was made
            self._bases = list(then._bases)
            self._set()

    def rate(self, base: float, t: int) -> float:
        if t < self.steps:
            top = base if self.then is None else self.then.rate(base, 0)
            return top * (self.start_factor + (1 - self.start_factor) * t / self.steps)
        return base if self.then is None else self.then.rate(base, t - self.steps)


def _cosine(start: float, end: float, part: float) -> float:
    """Half a cosine from one value, at 0, to another, at 1."""
    return float(end + (start - end) * (1 + math.cos(math.pi * min(part, 1.0))) / 2)


def _check_steps(name: str, what: str, steps: int) -> None:
    if steps < 1:
        raise ValueError(f"{name}: expected {what} >= 1; got {steps}")
