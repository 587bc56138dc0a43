"""Data-parallel training: each rank computes gradients of its batch, and all update by their mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from weakref import ref

from tensorgrad.communicator import Communicator
from tensorgrad.core import Variable, no_grad, test_mode
from tensorgrad.core.capturing import refuse_capture
from tensorgrad.distributed.buckets import Bucket, Slot, in_buckets
from tensorgrad.distributed.compression import FORMATS, CompressedSum
from tensorgrad.distributed.structure import broadcast_parameters, check_structure, trained
from tensorgrad.optimizers.optimizer import Hook, Optimizer
from tensorgrad.optimizers.saving import named

MEBIBYTE = 1 << 20


class DistributedOptimizer:
    """Let an optimizer change the parameters by the mean of the gradients of all ranks.

    Gradients are sent in buckets, while the backward goes on: a bucket starts as soon as its last gradient
    is complete and those before it have started. So the buckets of all ranks go in the same order, whatever
    each rank computes. A parameter that has a gradient on some ranks counts as 0 on the others; one that has
    none on any rank is left out, as on one rank.

    The ranks begin alike: `setup` compares their parameters and gives all of them the values of rank 0.

    Parameters
    ----------
    optimizer : Optimizer
        Schedules, and all that sees an optimizer, take this one.
    comm : Communicator
    bucket_size : int, default 4 MiB
        Bytes. Small ones start earlier, large ones make fewer messages.
    compression : {'float16', 'bfloat16'}, optional
        Send 16 bits of each number. Sums are made in 32 bits.
    accumulate : int, default 1
        How many batches make an update: only for the last one something is sent. Their gradients are
        averaged, and cleared in `update`.

    Attributes
    ----------
    exposed : float
        Seconds that the latest update waited for transfers: what the backward did not hide.

    Raises
    ------
    TypeError
        If `optimizer` makes a line search.
    ValueError
        If `compression` is none of these, or a number is not positive.

    Examples
    --------
    >>> comm = tg.distributed.create_communicator()
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.distributed.DistributedOptimizer(tg.optimizers.SGD(lr=0.25), comm).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    True
    >>> w
    variable([0.5 1. ])
    """

    def __init__(
        self,
        optimizer: Optimizer,
        comm: Communicator,
        *,
        bucket_size: int = 4 * MEBIBYTE,
        compression: str | None = None,
        accumulate: int = 1,
    ) -> None:
        name = type(self).__name__
        if getattr(optimizer, "line_search", None) is not None:
            raise TypeError(
                f"{name}: a line search asks for the loss of all ranks several times in an update. "
                f"Give {type(optimizer).__name__} without line_search"
            )
        if compression is not None and compression not in FORMATS:
            raise ValueError(f"{name}: expected compression float16 or bfloat16; got {compression!r}")
        if bucket_size < 1 or accumulate < 1:
            raise ValueError(
                f"{name}: expected bucket_size >= 1 and accumulate >= 1; got {bucket_size} and {accumulate}"
            )
        self.optimizer = optimizer
        self._whole = optimizer  # what knows the parameters as wholes
        self.comm = comm
        self.bucket_size = bucket_size
        self.compression = compression
        self.accumulate = accumulate
        self.waiting = 0
        self.exposed = 0.0
        self._buckets: list[Bucket] = []
        self._unused: dict[Variable, None] = {}  # in the first step: on no rank did they have a gradient
        self._first = True
        self._places: dict[Variable, tuple[Bucket, Slot]] = {}
        self._removers: list[Callable[[], None]] = []
        if optimizer.target is not None:
            self._begin()

    # -- what is updated -------------------------------------------------------------------------

    def setup(self, target: Any, *example: Any) -> Self:
        """Say what is to be updated; all ranks begin with the values of rank 0.

        Parameters
        ----------
        target : Layer, or iterable of Variable
            Running statistics are given to all ranks too. Move a layer to its device before.
        *example : arrays
            Inputs of a model whose sizes are still open: it is called on them once, as in a test.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            On all ranks, if their parameters differ, with the first difference; or if one has no data yet.
        """
        if example:
            with no_grad(), test_mode():
                target(*example)
        self._whole.setup(target)
        self._begin()
        return self

    def add_group(self, target: Any, **settings: Any) -> Self:
        """Update some parameters with settings of their own: `tensorgrad.optimizers.Optimizer.add_group`."""
        self.optimizer.add_group(target, **settings)
        self._begin()
        return self

    def add_hook(self, hook: Hook) -> None:
        """Let `hook` see, and change, the gradients before each update: the means over all ranks.

        So `tensorgrad.optimizers.ClipGrad` clips by the norm of the whole gradient.
        """
        self.optimizer.add_hook(hook)

    @property
    def hooks(self) -> list[Hook]:
        """Those of the optimizer, in their order."""
        return self.optimizer.hooks

    def params(self) -> list[Variable]:
        """Every parameter, each once."""
        return self._whole.params()

    def _begin(self) -> None:
        params = named(self._whole)
        check_structure(params, self.comm)
        broadcast_parameters(params, self.comm)
        self._plan()

    def _plan(self) -> None:
        """Put the parameters that are trained now into buckets."""
        for remove in self._removers:
            remove()
        now = trained(self.params())
        used = [p for p in now if p not in self._unused]
        self._buckets = self._in_buckets(used) + self._in_buckets([p for p in now if p in self._unused])
        self._places = {slot.param: (bucket, slot) for bucket in self._buckets for slot in bucket.slots}
        weak = ref(self)

        def arrived(p: Variable) -> None:
            living = weak()  # the hook must not keep the optimizer, and so the parameter, alive
            if living is not None:
                living._arrived(p)

        self._removers = [p.on_grad(arrived) for p in self._places]

    def _in_buckets(self, params: list[Variable]) -> list[Bucket]:
        return in_buckets(params, self.comm, self.bucket_size)

    # -- while the backward goes on --------------------------------------------------------------

    def _arrived(self, p: Variable) -> None:
        if self._alone or self.waiting < self.accumulate - 1:
            return
        bucket, slot = self._places[p]
        if bucket.request is not None:
            name = next((path for path, q in named(self._whole).items() if q is p), "?")
            raise RuntimeError(
                f"{type(self).__name__}: a gradient of {name} came after those of its bucket were sent: a "
                "second backward before update(). Call backward once on the sum of the losses, or give "
                "accumulate=n and call update() after each backward."
            )
        assert p.grad is not None, "it has arrived"
        bucket.put(slot, p.grad.data)
        for one in self._buckets:
            if one.request is not None:
                one.request.test()  # MPI makes progress in calls alone
            elif one.complete:
                self._start(one)
            else:
                break

    @property
    def _alone(self) -> bool:
        return self.comm.size == 1 and self.accumulate == 1

    def _start(self, bucket: Bucket) -> None:
        """Send a bucket."""
        bucket.seal()
        if self.compression is not None:
            bucket.request = CompressedSum(self.comm, bucket.buffer, self.compression)
        else:
            bucket.request = self.comm.iallreduce(bucket.buffer, "mean")

    # -- the update ------------------------------------------------------------------------------

    def update(self) -> bool:
        """Change the parameters by the mean of the gradients of all ranks; a collective.

        Returns
        -------
        bool
            Whether the parameters were changed: not before the last of `accumulate` batches.

        Raises
        ------
        RuntimeError
            If nothing was set up.
        """
        refuse_capture(f"{type(self).__name__}.update")
        if self._whole.target is None and not self._whole.groups:
            raise RuntimeError(f"{type(self).__name__}.update: nothing to update; call setup(model) first")
        if self._alone:
            self.optimizer.update()
            return True
        self.waiting += 1
        if self.waiting < self.accumulate:
            self._keep()
            return False
        self._update()
        return True

    def flush(self) -> None:
        """Update by the mean of the batches since the latest update, if there are any; a collective."""
        if self.waiting:
            self._update()

    def forget(self) -> None:
        """Leave the gradients of the batches since the latest update out."""
        self.waiting = 0
        for bucket in self._buckets:
            bucket.clear()

    def _update(self) -> None:
        """Change the parameters by the mean of the `waiting` batches."""
        now = trained(self.params())
        self._buckets += self._in_buckets([p for p in now if p not in self._places])  # thawed, or new
        self._exchange()
        self._step()
        self.forget()
        if self.accumulate > 1:
            for p in now:
                p.cleargrad()
        if self._places.keys() != set(now) or (self._first and self._unused):
            self._plan()
        self._first = False

    def _keep(self) -> None:
        """Add the gradients of this batch to those before it."""
        for p, (bucket, slot) in self._places.items():
            if p.grad is not None:
                bucket.add(slot, p.grad.data)
                p.cleargrad()

    def _exchange(self) -> None:
        """Have every bucket sent and summed."""
        for bucket in self._buckets:
            if bucket.request is None:
                bucket.fill()
                self._start(bucket)
        start = time.perf_counter()
        for bucket in self._buckets:
            if isinstance(bucket.request, CompressedSum):
                bucket.request.go_on()
        for bucket in self._buckets:
            bucket.buffer = bucket.request.wait()
        self.exposed = time.perf_counter() - start

    def _step(self) -> None:
        """Update by what was exchanged."""
        for bucket in self._buckets:
            if self.waiting > 1:
                bucket.buffer[: bucket.length] *= 1 / self.waiting
            flags = bucket.buffer[bucket.length :]
            flags = bucket.owner.to_numpy(flags) if bucket.direct else flags
            for slot in bucket.slots:
                if flags[slot.number] != 0:
                    bucket.take(slot, bucket.buffer)
                    continue
                slot.param.cleargrad()
                if self._first:
                    self._unused[slot.param] = None  # it would hold up the buckets behind its own
        self.optimizer.update()

    # -- the state in dicts and files ------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """That of the optimizer: the same on all ranks."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, of any number of ranks."""
        self.optimizer.load_state_dict(state)
