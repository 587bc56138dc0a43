"""Buckets: gradients side by side in one buffer, which is sent when the last of them is there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tensorgrad.backend import Backend
from tensorgrad.communicator import Communicator, on_host
from tensorgrad.core import Variable
from tensorgrad.core.variable import make_variable


class Slot(NamedTuple):
    """Where a parameter is in its bucket."""

    param: Variable
    start: int
    end: int
    number: int


class Bucket:
    """A buffer for the gradients of some parameters of one dtype.

    Parameters
    ----------
    params : list of Variable
    comm : Communicator
    multiple : int, default 1
        The length of the buffer is a multiple of it.
    flags : bool, default True
        Have a number for each parameter at the end of the buffer: 1 where this rank has a gradient for it.
        After the sum it says whether any rank has.
    """

    def __init__(
        self, params: list[Variable], comm: Communicator, multiple: int = 1, *, flags: bool = True
    ) -> None:
        self.comm = comm
        self.slots: list[Slot] = []
        end = 0
        for number, p in enumerate(params):
            self.slots.append(Slot(p, end, end + p.size, number))
            end += p.size
        self.length = end
        total = end + len(params) if flags else end
        self.total = -(-total // multiple) * multiple
        self.flags = flags
        self.owner: Backend = params[0].backend
        self.direct = comm.takes(self.owner)
        self.dtype: Any = params[0].dtype if self.direct else on_host(self.owner, params[0].data).dtype
        self.request: Any = None
        self.clear()

    def clear(self) -> None:
        """Be ready for the gradients of the next step."""
        self.arrived: set[int] = set()
        self.used: set[int] = set()  # the numbers of slots that this rank has a gradient for
        self.request = None
        self.buffer: Any = None
        self.sums: Any = None  # of earlier batches, where gradients are accumulated

    @property
    def complete(self) -> bool:
        """Whether all gradients are there."""
        return len(self.arrived) == len(self.slots)

    def zeros(self, length: int) -> Any:
        """A buffer of the bucket's kind."""
        if not self.direct or self.owner.name == "numpy":
            return np.zeros(length, self.dtype)
        device = self.owner.device(self.slots[0].param.data)
        return self.owner.xp.zeros(length, dtype=self.dtype, device=device)

    def flat(self, array: Any) -> Any:
        """An array of a parameter as it stands in the buffer."""
        if not self.direct:
            array = on_host(self.owner, array)
        return array.reshape(-1)

    def put(self, slot: Slot, g: Any) -> None:
        """Take in the gradient of a parameter."""
        if self.buffer is None:
            self.buffer = self.zeros(self.total)
        flat = self.flat(g)
        part = self.buffer[slot.start : slot.end]
        if self.sums is None:
            part[...] = flat
        else:
            part[...] = self.sums[slot.start : slot.end]
            part += flat
        self.arrived.add(slot.number)
        self.used.add(slot.number)

    def add(self, slot: Slot, g: Any) -> None:
        """Add the gradient of a batch that is not the last of its step."""
        if self.sums is None:
            self.sums = self.zeros(self.total)
        self.sums[slot.start : slot.end] += self.flat(g)
        self.used.add(slot.number)

    def fill(self) -> None:
        """Take in what there is, and zeros for the rest: nothing more will come."""
        if self.buffer is None:
            self.buffer = self.zeros(self.total)
        for slot in self.slots:
            if slot.param.grad is not None:
                self.put(slot, slot.param.grad.data)
            elif self.sums is not None:
                self.buffer[slot.start : slot.end] = self.sums[slot.start : slot.end]

    def seal(self) -> None:
        """Note in the buffer which gradients this rank has: it is sent now."""
        if self.flags:
            for number in self.used:
                self.buffer[self.length + number] = 1

    def take(self, slot: Slot, buffer: Any) -> None:
        """Make what stands in a buffer the gradient of a parameter."""
        p = slot.param
        part = buffer[slot.start : slot.end].reshape(p.shape)
        if not self.direct:
            part = self.owner.from_numpy(part, p.device)
        if part.dtype != p.dtype:
            part = self.owner.xp.astype(part, p.dtype)
        p.grad = make_variable(part, None, 0)


def in_buckets(
    params: list[Variable], comm: Communicator, size: int, multiple: int = 1, *, flags: bool = True
) -> list[Bucket]:
    """Buckets of about `size` bytes, those of the last parameters first: their gradients come first."""
    groups: list[list[Variable]] = []
    room, kind = 0.0, None
    for p in reversed(params):
        of_p = (p.backend.name, str(p.dtype), str(p.device))
        if of_p != kind or room < _bytes(p):
            groups.append([])
            room, kind = float(size), of_p
        groups[-1].append(p)
        room -= _bytes(p)
    return [Bucket(group, comm, multiple, flags=flags) for group in groups]


def _bytes(p: Variable) -> int:
    bits = int(p.backend.xp.finfo(p.dtype).bits)  # of a complex number's part
    return p.size * bits // 8 * (2 if p.backend.is_complex(p.dtype) else 1)
