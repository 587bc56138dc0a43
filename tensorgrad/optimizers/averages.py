"""Averages of weights along a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.backend import backend_of
from tensorgrad.core import Variable
from tensorgrad.core.capturing import refuse_capture
from tensorgrad.core.variable import transfer
from tensorgrad.optimizers.saving import _paths


class EMA:
    """Exponential moving average of parameters: ``a += (1 - decay) * (w - a)`` at each `update`.

    It begins with the parameters as they are at the first update.

    Parameters
    ----------
    target : Layer, or iterable of Variable
    decay : float in [0, 1), default 0.999

    References
    ----------
    Polyak, Juditsky 1992, "Acceleration of stochastic approximation by averaging", with the weights of
    a moving average.

    Examples
    --------
    >>> w = tg.Parameter(np.array([0.0]))
    >>> ema = tg.optimizers.EMA([w], decay=0.75)
    >>> for value in (1.0, 2.0):
    ...     w.data[...] = value
    ...     ema.update()
    >>> with ema.applied():
    ...     print(w)
    variable([1.25])
    >>> w
    variable([2.])
    """

    def __init__(self, target: Any, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: expected a decay in [0, 1); got {decay}")
        self.target = target if hasattr(target, "params") else list(target)
        self.decay = decay
        self._averages: dict[Variable, Any] = {}

    def _params(self) -> list[Variable]:
        return list(_paths(self.target, "").values())

    def update(self) -> None:
        """Take the parameters as they are now into the average; call it after the optimizer's."""
        refuse_capture("EMA.update")
        for p in self._params():
            if p.data is None:
                continue
            average = self._beside(p)
            if average is None:
                self._averages[p] = p.backend.copy(p.data)
            else:
                difference = p.data - average
                self._averages[p] = p.backend.add_scaled(average, difference, 1 - float(self.decay))

    def _beside(self, p: Variable) -> Any:
        """The average of a parameter, in its library and on its device; None if there is none yet."""
        average = self._averages.get(p)
        if average is None or p.data is None:
            return average
        owner = p.backend
        if backend_of(average) is not owner or owner.device(average) != p.device:
            average = self._averages[p] = transfer(average, owner, p.device)
        return average

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the averages in the place of the parameters in a ``with`` block, to evaluate or to save."""
        before = []
        try:
            for p in self._params():
                average = self._beside(p)
                if average is not None:
                    before.append((p, p.data))
                    p.data = average
            yield
        finally:
            for p, data in before:
                p.data = data

    def copy_to_params(self) -> None:
        """Set the parameters to their averages, for good."""
        for p in self._params():
            average = self._beside(p)
            if average is not None:
                p.data = p.backend.copy(average)

    def state_dict(self) -> dict[str, Any]:
        """The averages, as NumPy arrays, by the names of the parameters; and the decay."""
        state: dict[str, Any] = {"decay": self.decay}
        for path, p in _paths(self.target, "").items():
            average = self._averages.get(p)
            if average is not None:
                owner = backend_of(average)
                assert owner is not None, "an average is an array"
                state[f"array/{path}"] = np.array(owner.to_numpy(average))
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. After an error nothing has changed.

        Raises
        ------
        ValueError
            If it does not fit the parameters.
        """
        params = _paths(self.target, "")
        faults = [] if "decay" in state else ["decay: missing"]
        averages: dict[Variable, Any] = {}
        for key, value in state.items():
            if key == "decay":
                continue
            p = params.get(key.removeprefix("array/"))
            if p is None:
                faults.append(f"{key}: there is no such parameter")
            elif p.data is not None and tuple(value.shape) != p.shape:
                faults.append(f"{key}: expected shape {p.shape}, got {tuple(value.shape)}")
            elif p.data is None:
                averages[p] = np.array(value)
            else:
                placed = p.backend.from_numpy(np.array(value), p.device)
                averages[p] = placed if placed.dtype == p.dtype else p.backend.xp.astype(placed, p.dtype)
        if faults:
            raise ValueError("EMA: the state does not fit; nothing was loaded.\n  " + "\n  ".join(faults))
        self.decay = float(state["decay"])
        self._averages = averages
