"""Gradients of several small batches for one update."""

from __future__ import annotations

from typing import Any

from tensorgrad.core import Variable
from tensorgrad.core.capturing import refuse_capture
from tensorgrad.optimizers.optimizer import Optimizer


class Accumulate:
    """Let an optimizer change the parameters once in `steps` calls, by the mean of the gradients.

    For losses that are means over their batch this is the update of one batch of `steps` times the
    size, in the memory of a small one.

    Parameters
    ----------
    optimizer : Optimizer
    steps : int
        How many batches make an update.

    Attributes
    ----------
    waiting : int
        How many batches are in since the last update.

    Raises
    ------
    ValueError
        If `steps` is not positive.

    Examples
    --------
    >>> w = tg.Parameter(np.array([1.0]))
    >>> optimizer = tg.optimizers.Accumulate(tg.optimizers.SGD(1.0).setup([w]), steps=2)
    >>> for x in (1.0, 2.0):
    ...     (w * x).sum().backward()
    ...     print(optimizer.update(), w)
    False variable([1.])
    True variable([-0.5])
    """

    def __init__(self, optimizer: Optimizer, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"Accumulate: expected steps >= 1; got {steps}")
        self.optimizer = optimizer
        self.steps = steps
        self.waiting = 0
        self._sums: dict[Variable, Any] = {}

    def update(self) -> bool:
        """Take the gradients of a batch away and add them up; at the last of `steps`, update.

        Returns
        -------
        bool
            Whether the parameters were updated. Gradients are cleared in any case.
        """
        refuse_capture("Accumulate.update")
        for p in self.optimizer.params():
            if p.grad is None:
                continue
            g = p.grad.data
            known = self._sums.get(p)
            self._sums[p] = p.backend.copy(g) if known is None else p.backend.add_scaled(known, g, 1.0)
            p.cleargrad()
        self.waiting += 1
        if self.waiting < self.steps:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Update by the mean of what there is, at the end of an epoch for example."""
        if not self.waiting:
            return
        sums, count = self._sums, self.waiting
        self._sums, self.waiting = {}, 0
        for p, total in sums.items():
            total *= 1 / count  # noqa: PLW2901  # in place where the library can
            p.grad = Variable(total, requires_grad=False)
        self.optimizer.update()
        for p in sums:
            p.cleargrad()
