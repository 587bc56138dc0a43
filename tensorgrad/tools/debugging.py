"""Debug mode: the first nan or inf, and arrays that were changed between a forward and its backward."""

from __future__ import annotations

from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of, is_array
from tensorgrad.core.function import Function, Input, Op
from tensorgrad.core.program import calling_line
from tensorgrad.core.variable import Variable
from tensorgrad.core.watch import Watcher


class _Made(NamedTuple):
    """What is known of a node from its call."""

    where: str
    inputs: list[str]
    sums: list[tuple[str, int]]
    """What each saved array is, and the checksum of its bytes."""


class debug(Watcher):  # noqa: N801  # read like a function: with tg.debug()
    """Stop at the first op of a ``with`` block that gives a nan or an inf, and say where it was called.

    Also watched, for graphs that are made within the block: arrays that a backward needs and that were
    changed in place since the forward; the dtypes that a user's own ``backward`` returns.
    Every result is looked at on the host, so the block is much slower than without.

    Parameters
    ----------
    nan, inf : bool, default True
        Whether a nan, whether an infinity is an error. ``inf=False`` suits programs that mask with ``-inf``.
    saved : bool, default True
        Whether arrays that a backward needs are compared with what they were.

    Raises
    ------
    FloatingPointError
        In the block, by the op or by the backward that gave the nan or the inf: its inputs with their shapes
        and ranges, and the line of the program that called it.
    RuntimeError
        In a backward, if a saved array was changed.
    TypeError
        In a backward, if the gradients of a `Function` of the user's have another dtype than its inputs.
        (Another shape is a ValueError, in this mode and without it.)

    Examples
    --------
    >>> x = Variable(np.array([1.0, 0.0]), name="x")
    >>> with np.errstate(divide="ignore"), tg.debug():
    ...     y = F.log(x)
    Traceback (most recent call last):
    ...
    FloatingPointError: Log gave -inf (1 of 2 elements, the first at [1]) at ...
      input 0 ('x'): shape (2,), float64, from 0 to 1
    """

    def __init__(self, *, nan: bool = True, inf: bool = True, saved: bool = True) -> None:
        self._nan = nan
        self._inf = inf
        self._saved = saved

    def call(self, function: Function, inputs: tuple[Any, ...]) -> Any:
        ys = super().call(function, inputs)
        shown = ys if ys.__class__ is tuple else (ys,)
        where = calling_line()
        for i, y in enumerate(shown):
            wrong = self._wrong(y.data)
            if wrong:
                which = f", output {i}" if len(shown) > 1 else ""
                raise FloatingPointError(
                    _lines(f"{type(function).__name__}{which} gave {wrong} at {where}", _described(inputs))
                )
        node = shown[0]._node
        if isinstance(node, Function):
            sums = _sums(node) if self._saved else []
            vars(node)["made"] = _Made(where, _described(inputs), sums)
        return ys

    def backward(self, node: Function, plain: Any, gys: tuple[Any, ...]) -> Any:
        made: _Made | None = vars(node).get("made")
        name = type(node).__name__
        called = "" if made is None else f" (called at {made.where})"
        if made is not None:
            for (what, before), (_, now) in zip(made.sums, _sums(node), strict=False):
                if before != now:
                    raise RuntimeError(
                        f"{name}{called}: {what}, which its backward needs, was changed in place after the "
                        "call. Compute a new array instead, or change it after the backward."
                    )
        gxs = super().backward(node, plain, gys)
        many = gxs if isinstance(gxs, tuple) else (gxs,)
        for i, g in enumerate(many):
            wrong = self._wrong(g.data if isinstance(g, Variable) else g)
            if wrong:
                text = f"the backward of {name}{called} gave {wrong} as the gradient of input {i}"
                seen = [] if made is None else made.inputs
                raise FloatingPointError(_lines(text, [*_described(gys, "gradient of output"), *seen]))
        if not isinstance(node, Op):
            _check_form(node, name + ".backward" + called, many)
        return gxs

    def _wrong(self, array: Any) -> str:
        """What there is that should not be, or an empty text."""
        if not is_array(array):
            return ""
        owner: Any = backend_of(array)
        if not owner.is_floating(array.dtype):
            return ""
        xp = owner.xp
        if bool(xp.all(xp.isfinite(array))):
            return ""
        values = _on_host(owner, array)
        bad = (np.isnan(values) if self._nan else False) | (np.isinf(values) if self._inf else False)
        if not np.any(bad):
            return ""
        first = np.argwhere(bad)[0]
        index = f", the first at [{', '.join(map(str, first))}]" if values.ndim else ""
        return f"{values[tuple(first)]} ({np.count_nonzero(bad)} of {values.size} elements{index})"


def _lines(head: str, details: list[str]) -> str:
    return "\n  ".join([head, *details])


def _described(values: tuple[Any, ...], what: str = "input") -> list[str]:
    """For each array what it is, with the range of its values."""
    lines = []
    for i, x in enumerate(values):
        array = x.data if isinstance(x, Variable) else x
        name = f" ({x.name!r})" if isinstance(x, Variable) and x.name is not None else ""
        if not is_array(array):
            lines.append(f"{what} {i}{name}: {array!r}")
            continue
        owner: Any = backend_of(array)
        on_host = _on_host(owner, array)
        dtype = str(array.dtype).rpartition(".")[2]  # torch.float32
        text = f"{what} {i}{name}: shape {tuple(array.shape)}, {dtype}"
        if on_host.size and on_host.dtype.kind in "iuf":
            known = on_host[~np.isnan(on_host)] if on_host.dtype.kind == "f" else on_host
            if known.size:
                text += f", from {known.min():g} to {known.max():g}"
            if known.size < on_host.size:
                text += f", {on_host.size - known.size} of {on_host.size} nan"
        lines.append(text)
    return lines


def _on_host(owner: Backend, array: Array) -> np.ndarray[Any, Any]:
    """The values for NumPy; dtypes that it lacks in float64."""
    values = owner.to_numpy(array)
    return values if values.dtype.kind in "biufc" else values.astype(np.float64)


def _sums(node: Function) -> list[tuple[str, int]]:
    """What each saved array of a node is, and a checksum of its bytes."""
    found = []
    for i, array in enumerate((*(node.saved or ()), *node.kept)):
        array = array.data if isinstance(array, Variable) else array  # noqa: PLW2901  # in a recorded backward
        if is_array(array):
            owner: Any = backend_of(array)
            values = np.ascontiguousarray(_on_host(owner, array))
            found.append((_called(node, i), crc32(values.view(np.uint8).data if values.size else b"")))
    return found


def _called(node: Function, i: int) -> str:
    """What a saved array is to its node: which input or output."""
    if node._plan is None:
        inputs = len(node.edges)
        return f"input {i}" if i < inputs else f"output {i - inputs}"
    if i >= len(node._plan):
        return "an array that it kept"
    item = node._plan[i]
    return f"{'input' if isinstance(item, Input) else 'output'} {item.position}"


def _check_form(node: Function, what: str, gxs: tuple[Any, ...]) -> None:
    """The gradients of a user's backward have the dtypes of the inputs; the engine sees to their shapes."""
    for i, (edge, g) in enumerate(zip(node.edges, gxs, strict=False)):
        if edge is None or not hasattr(g, "dtype"):
            continue
        dtype = edge[0].specs[edge[1]][1]
        if g.dtype != dtype and node.backend.is_floating(dtype):
            raise TypeError(f"{what}: expected the gradient of input {i} in {dtype}; got {g.dtype}")
