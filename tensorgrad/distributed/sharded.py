"""ZeRO, stage 1: each rank keeps, and computes, a part of what an optimizer remembers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from tensorgrad.communicator import Communicator
from tensorgrad.core import Parameter, Variable
from tensorgrad.core.variable import make_variable
from tensorgrad.distributed.buckets import Bucket, Slot, in_buckets
from tensorgrad.distributed.optimizer import MEBIBYTE, DistributedOptimizer
from tensorgrad.distributed.structure import trained
from tensorgrad.optimizers.hooks import ClipGrad, FreezeParam
from tensorgrad.optimizers.optimizer import Hook, Optimizer
from tensorgrad.optimizers.saving import named


class Shard(NamedTuple):
    """The part of a parameter that this rank updates: elements `start` to `end` of it."""

    piece: Variable
    slot: Slot
    start: int
    end: int

    def of(self, array: Any) -> Any:
        """The part of a NumPy array like the parameter."""
        return np.array(np.asarray(array).reshape(-1)[self.start : self.end])


class ShardedOptimizer(DistributedOptimizer):
    """A `DistributedOptimizer` of which each rank keeps a part of the state: of Adam's, one n-th.

    Each rank gets the mean of the gradients for its part of every bucket (a reduce-scatter), updates that
    part of the parameters, and gives it to the others (an all-gather). As many bytes are sent as without it.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rule goes element by element: not LAMB, not L-BFGS.
    comm : Communicator
    bucket_size, accumulate
        As of `DistributedOptimizer`.

    Attributes
    ----------
    exposed : float
        Seconds that the latest update waited for transfers.

    Notes
    -----
    Hooks see the parts of this rank: those that go element by element work as they are, `ClipGrad` clips by
    the norm over all ranks. Gradients are cleared by `update`.

    Raises
    ------
    TypeError
        If the rule of `optimizer` does not go element by element.

    References
    ----------
    Rajbhandari et al. 2020, "ZeRO: memory optimizations toward training trillion parameter models",
    section 5.

    Examples
    --------
    >>> comm = tg.distributed.create_communicator()
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = tg.distributed.ShardedOptimizer(tg.optimizers.SGD(lr=0.25), comm).setup([w])
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
        accumulate: int = 1,
    ) -> None:
        if not optimizer.elementwise:
            raise TypeError(
                f"ShardedOptimizer: {type(optimizer).__name__} looks at whole parameters, of which a rank "
                "has only a part. Use DistributedOptimizer."
            )
        if optimizer.target is not None or optimizer.groups:
            raise ValueError("ShardedOptimizer: expected an optimizer that was not set up; call setup here")
        self._shards: list[Shard] = []
        self._flags: Any = None
        self._cut = False  # a rank of a small model may have no part
        self._rest: dict[str, Any] = {}  # the state of parameters that are frozen now
        super().__init__(optimizer, comm, bucket_size=bucket_size, accumulate=accumulate)
        self._whole = Optimizer()

    @property
    def _alone(self) -> bool:
        return False

    def add_group(self, target: Any, **settings: Any) -> Self:
        self.optimizer.add_group([], **settings)
        self._whole.add_group(target)
        self._begin()
        return self

    def add_hook(self, hook: Hook) -> None:
        """Let `hook` see, and change, this rank's part of the mean gradients before each update.

        Raises
        ------
        TypeError
            If it is a FreezeParam: set ``requires_grad`` to False instead.
        """
        if isinstance(hook, FreezeParam):
            raise TypeError(
                "ShardedOptimizer: FreezeParam sees no parameters here; set p.requires_grad = False"
            )
        if type(hook) is ClipGrad:
            hook = _ClipOverRanks(hook.max_norm, self.comm)
        self.optimizer.add_hook(hook)

    def greatest(self, number: int) -> int:
        """The greatest of what the ranks give; a collective, for hooks: each sees a part of the gradients."""
        return int(self.comm.allreduce(np.array(number), "max"))

    def _in_buckets(self, params: list[Variable]) -> list[Bucket]:
        return in_buckets(params, self.comm, self.bucket_size, self.comm.size, flags=False)

    def _plan(self) -> None:
        super()._plan()
        self._share_out_again()

    def _share_out_again(self) -> None:
        """Cut the parameters that are in buckets now, and what is remembered of them."""
        state = self.state_dict() if self._cut else None
        self._share_out()
        self._cut = True
        if state is not None:
            self.load_state_dict(state)

    def _share_out(self) -> None:
        """Make Variables of this rank's parts, and give them to the optimizer."""
        self._shards = []
        for bucket in self._buckets:
            length = bucket.total // self.comm.size
            first = self.comm.rank * length
            for slot in bucket.slots:
                start, end = max(slot.start, first), min(slot.end, first + length)
                if start < end:
                    own = (start - slot.start, end - slot.start)
                    self._shards.append(Shard(Parameter(_flat(slot.param)[own[0] : own[1]]), slot, *own))
        pieces = {s.slot.param: s.piece for s in self._shards}
        self.optimizer.target = list(pieces.values())
        for group, whole in zip(self.optimizer.groups, self._whole.groups, strict=True):
            members = whole.target
            params = members.params() if hasattr(members, "params") else members
            group.target = [pieces[p] for p in params if p in pieces]

    # -- the update ------------------------------------------------------------------------------

    def _start(self, bucket: Bucket) -> None:
        parts = bucket.buffer.reshape(self.comm.size, bucket.total // self.comm.size)
        bucket.request = self.comm.ireduce_scatter(parts)

    def _exchange(self) -> None:
        used = [
            slot.param.grad is not None or slot.number in bucket.used
            for bucket in self._buckets
            for slot in bucket.slots
        ]
        flags = self.comm.iallreduce(np.array(used, np.int8), "max")
        super()._exchange()
        self._flags = flags.wait()

    def _step(self) -> None:
        if self._places.keys() != set(trained(self.params())):  # there are buckets that were not shared out
            self._share_out_again()
        slots = [(bucket, slot) for bucket in self._buckets for slot in bucket.slots]
        used = {slot.param for (_, slot), flag in zip(slots, self._flags, strict=True) if flag}
        mine = {s.slot.param: s for s in self._shards}
        for bucket, slot in slots:
            slot.param.cleargrad()
            shard = mine.get(slot.param)
            if shard is not None:
                self._prepare(bucket, shard, slot.param in used)
        self.optimizer.update()
        self._gather(mine, used)

    def _prepare(self, bucket: Bucket, shard: Shard, used: bool) -> None:
        """Give a part its data as they are now, and its gradient."""
        shard.piece.data = _flat(shard.slot.param)[shard.start : shard.end]
        shard.piece.grad = None
        if not used:
            return
        first = self.comm.rank * (bucket.total // self.comm.size)
        start = shard.slot.start + shard.start - first
        g = bucket.buffer[start : start + shard.end - shard.start] * (1 / (self.comm.size * self.waiting))
        if not bucket.direct:
            g = bucket.owner.from_numpy(np.asarray(g), shard.slot.param.device)
        if g.dtype != shard.piece.dtype:
            g = bucket.owner.xp.astype(g, shard.piece.dtype)
        shard.piece.grad = make_variable(g, None, 0)

    def _gather(self, mine: dict[Variable, Shard], used: set[Variable]) -> None:
        """Give the parts that were updated to all ranks."""
        requests = []
        for bucket in self._buckets:
            length = bucket.total // self.comm.size
            first = self.comm.rank * length
            sent = bucket.zeros(length)
            for slot in bucket.slots:
                shard = mine.get(slot.param)
                if shard is not None:
                    start = slot.start + shard.start - first
                    sent[start : start + shard.end - shard.start] = bucket.flat(shard.piece.data)
            requests.append(self.comm.iallgather(sent))
        begin = time.perf_counter()
        for bucket, request in zip(self._buckets, requests, strict=True):
            whole = request.wait().reshape(-1)
            for slot in bucket.slots:
                if slot.param in used:
                    bucket.take(slot, whole)
                    assert slot.param.grad is not None, "it holds the new values"
                    slot.param.data = slot.param.grad.data
                    slot.param.cleargrad()
        self.exposed += time.perf_counter() - begin

    # -- the state in dicts and files ------------------------------------------------------------

    def local_state(self) -> dict[str, Any]:
        """What this rank keeps: the numbers of all, and of its parts where they begin, and their arrays."""
        return _whole_names(self._named_shards(), self.optimizer.state_dict())

    def _named_shards(self) -> list[tuple[str, Shard]]:
        """In the order of the optimizer's target, with the paths of their parameters."""
        paths = {p: path for path, p in named(self._whole).items()}
        return [(paths[s.slot.param], s) for s in self._shards]

    def state_dict(self) -> dict[str, Any]:
        """The state of the whole optimizer, as one rank would have it; a collective.

        Every rank gets all of it for the moment: `save_checkpoint` with ``sharded=True`` does without.
        """
        return self._rest | joined(self.comm.allgather_object(self.local_state()), self.shapes())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all parameters, by path."""
        return {path: p.shape for path, p in named(self._whole).items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take this rank's parts of what `state_dict` gave: of any optimizer of this kind, on any ranks."""
        own = {key: value for key, value in state.items() if _path(key) is None}
        known = {path: (i, s) for i, (path, s) in enumerate(self._named_shards())}
        for key, value in state.items():
            path = _path(key)
            if path not in known:
                continue
            number, shard = known[path]
            kind, name = key.partition("/")[0], key.rpartition("/")[2]
            own[f"{kind}/{number}/{name}"] = shard.of(value) if kind == "array" else value
        self.optimizer.load_state_dict(own)
        cut = {path for path, p in named(self._whole).items() if p in self._places}
        self._rest = {k: v for k, v in state.items() if _path(k) is not None and _path(k) not in cut}


class _ClipOverRanks(ClipGrad):
    """`ClipGrad` by the norm of all that the ranks have: each has a part."""

    def __init__(self, max_norm: float, comm: Communicator) -> None:
        super().__init__(max_norm)
        self.comm = comm

    def __call__(self, params: list[Variable]) -> None:
        squares = 0.0
        for p in params:
            assert p.grad is not None, "hooks get parameters that have a gradient"
            g = p.grad.data
            squares += float(p.backend.xp.sum(g * g))
        norm = float(np.sqrt(self.comm.allreduce(np.array(squares))))
        rate = min(1.0, float(self.max_norm) / (norm + 1e-6))
        for p in params:
            assert p.grad is not None, "as above"
            p.grad = make_variable(p.grad.data * rate, None, 0)


def _flat(p: Variable) -> Any:
    return p.backend.xp.reshape(p.data, (-1,))


def _path(key: str) -> str | None:
    """The parameter that an entry of a state belongs to, or None."""
    kind, _, rest = key.partition("/")
    return rest.rpartition("/")[0] if kind in ("number", "array", "other") else None


def _whole_names(shards: list[tuple[str, Shard]], state: Mapping[str, Any]) -> dict[str, Any]:
    """A state of the parts, with the paths of the parameters, and where arrays begin."""
    made = {}
    for key, value in state.items():
        number = _path(key)
        if number is None:
            made[key] = value
            continue
        path, shard = shards[int(number)]
        kind, name = key.partition("/")[0], key.rpartition("/")[2]
        made[f"{kind}/{path}/{name}"] = value if kind == "number" else (shard.start, value)
    return made


def joined(parts: list[dict[str, Any]], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The state of the whole from those of all ranks."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if not isinstance(value, tuple | list):
                whole[key] = value
                continue
            start, array = value
            path = _path(key)
            assert path is not None, "only entries of parameters are cut"
            if key not in whole:
                whole[key] = np.zeros(int(np.prod(shapes[path])), array.dtype)
            whole[key][start : start + len(array)] = array
    return {
        key: value.reshape(shapes[path]) if (path := _path(key)) and isinstance(value, np.ndarray) else value
        for key, value in whole.items()
    }
