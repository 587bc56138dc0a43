"""Updates of all parameters in one launch, and the common norm of their gradients.

Each function takes lists of arrays and gives True where it served them: not if dtypes differ, or an array
that is to be changed does not lie in memory row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cupy
import numpy as np

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_graphs import recording
from tensorgrad_backends.cuda_kernels.launching import computed_in, dense, launch, serves

_CHUNK = 8192  # as in optimizers.cu
_THREADS = 256
_GROUP = 1 << 26  # bytes of gradients that are scaled at once


def _table(*columns: list[Array]) -> tuple[Array, int]:
    """The table of optimizers.cu on the device, and how many blocks there are."""
    sizes = np.array([a.size for a in columns[0]])
    ends = np.cumsum(-(-sizes // _CHUNK))
    addresses = [[a.data.ptr for a in arrays] for arrays in columns]
    table = np.array([np.concatenate([[0], ends[:-1]]), sizes, *addresses], np.int64)
    return _on_device(table.tobytes(), *table.shape), int(ends[-1])


@cupy.memoize(for_each_device=True)  # type: ignore[untyped-decorator]
def _tables() -> dict[bytes, Array]:
    return {}


def _on_device(table: bytes, rows: int, tensors: int) -> Array:
    """A table on the device. The pool gives the same addresses step after step: the last ones are kept."""
    recorder = recording()
    if recorder is not None:
        return recorder.constant(lambda: _moved(table, rows, tensors))
    known = _tables()
    found = known.pop(table, None)
    if found is None:
        found = _moved(table, rows, tensors)
    known[table] = found
    if len(known) > 64:
        del known[next(iter(known))]
    return found


def _moved(table: bytes, rows: int, tensors: int) -> Array:
    return cupy.asarray(np.frombuffer(table, np.int64).reshape(rows, tensors))


def _served(changed: list[list[Array]], gradients: list[Array]) -> bool:
    """Whether one launch can do: arrays of one dtype, those that are changed dense."""
    every = [a for arrays in (*changed, gradients) for a in arrays]
    return serves(*every) and all(a.flags.c_contiguous for arrays in changed for a in arrays)


def _launch(name: str, columns: list[list[Array]], *numbers: Any) -> bool:
    table, blocks = _table(*columns)
    dtype = columns[0][0].dtype
    launch("optimizers", name, dtype, blocks, _THREADS, table, table.shape[1], *numbers)
    return True


def sgd(ws: list[Array], gs: list[Array], lr: float) -> bool:
    """``w -= lr g``."""
    return _served([ws], gs) and _launch("sgd", [ws, list(map(dense, gs))], lr)


def momentum_sgd(  # noqa: PLR0917  # lists, then numbers
    ws: list[Array], gs: list[Array], vs: list[Array], lr: float, momentum: float, nesterov: bool
) -> bool:
    """``v = momentum v - lr g``, and w moves by v, or in Nesterov's form."""
    columns = [ws, list(map(dense, gs)), vs]
    return _served([ws, vs], gs) and _launch("momentum_sgd", columns, lr, momentum, int(nesterov))


def adam(  # noqa: PLR0917  # lists, then numbers
    ws: list[Array],
    gs: list[Array],
    ms: list[Array],
    vs: list[Array],
    rate: Any,
    eps: Any,
    beta1: float,
    beta2: float,
    decay: float,
) -> bool:
    """Adam's means and step, with `rate` and `eps` corrected for the count of updates.

    Both are numbers, or 0-d arrays where the count is one, as in a step that is captured.
    """
    if not _served([ws, ms, vs], gs):
        return False
    corrected = None
    if not isinstance(rate, float):
        corrected = cupy.stack([rate, eps]).astype(computed_in(ws[0].dtype))
        rate = eps = 0.0
    columns = [ws, list(map(dense, gs)), ms, vs]
    return _launch("adam", columns, rate, eps, beta1, beta2, decay, corrected)


def clip_by_norm(gs: list[Array], highest: float) -> Iterator[Array] | None:
    """The gradients, scaled so that their common norm is at most `highest`; nothing leaves the device."""
    if not _served([], gs):
        return None
    gs = list(map(dense, gs))
    dtype, real = gs[0].dtype, computed_in(gs[0].dtype)
    table, blocks = _table(gs)
    sums, rate = cupy.empty(blocks, real), cupy.empty(1, real)
    launch("optimizers", "squares", dtype, blocks, _THREADS, table, len(gs), sums)
    launch("optimizers", "clip_rate", dtype, 1, 1024, sums, blocks, highest, rate)
    return _scaled(gs, rate)


def _scaled(gs: list[Array], rate: Array) -> Iterator[Array]:
    """Each gradient times the rate. Those of one launch are let go before the next: few are there twice."""
    dtype = gs[0].dtype
    while gs:
        ends = np.cumsum([g.nbytes for g in gs])
        count = max(1, int(np.searchsorted(ends, _GROUP, side="right")))
        group, gs = gs[:count], gs[count:]
        ys = [cupy.empty(g.shape, g.dtype) for g in group]
        table, blocks = _table(group, ys)
        launch("optimizers", "scaled", dtype, blocks, _THREADS, table, count, rate)
        del group
        yield from ys


KERNELS = {"sgd": sgd, "momentum_sgd": momentum_sgd, "adam": adam, "clip_by_norm": clip_by_norm}
