"""Hooks on leaves: functions that run as soon as the gradient of a leaf is complete.

The backward of the rest goes on after them, so that work on a gradient (sending it to other machines)
overlaps with it. Without hooks the engine looks at one empty dict.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple
from weakref import ref

from tensorgrad.core.node import Leaf
from tensorgrad.core.variable import Variable, method

Hook = Callable[[Variable], object]


class _Entry(NamedTuple):
    variable: Callable[[], Variable | None]
    hooks: dict[int, Hook]


HOOKED: dict[int, _Entry] = {}
"""The Variables that have hooks, by their id: a Variable's ``==`` is elementwise, so it is no weak key."""

_numbers = count()


@method
def on_grad(self: Variable, hook: Hook) -> Callable[[], None]:
    """Run ``hook(self)`` in each backward as soon as the gradient of this leaf is complete.

    By then the gradient is in ``grad``, added to what was there before. What the backward computes
    for other leaves goes on afterwards. Where it is not known in advance that no more will come (a leaf
    made by `unchain`), the hook runs at the end of the backward. An error of a hook, or of the backward
    after it, leaves the gradients that are complete where they are. Copies and pickles have no hooks.

    Parameters
    ----------
    hook : callable
        Gets this Variable. Hooks run in the order in which they were added.

    Returns
    -------
    callable
        Takes the hook away again.

    Examples
    --------
    >>> w = Variable(np.array(3.0))
    >>> remove = w.on_grad(lambda v: print("complete:", v.grad))
    >>> (w * w + w).backward()
    complete: variable(7.0)
    >>> remove()
    """
    key, number = id(self), next(_numbers)
    entry = HOOKED.get(key)
    if entry is None:
        entry = HOOKED[key] = _Entry(ref(self, lambda _: HOOKED.pop(key, None)), {})
    hooks = entry.hooks
    hooks[number] = hook

    def remove() -> None:
        hooks.pop(number, None)
        if not hooks and (known := HOOKED.get(key)) is not None and known.hooks is hooks:
            del HOOKED[key]

    return remove


def run_hooks(v: Variable) -> None:
    """Run the hooks of a Variable whose gradient has been delivered."""
    entry = HOOKED.get(id(v))
    if entry is not None:
        for hook in list(entry.hooks.values()):
            hook(v)


def awaited(start: Any) -> dict[Leaf, int]:
    """For each leaf below `start` that has hooks: through how many edges gradients may come to it."""
    counts: dict[Leaf, int] = {}
    unknown: set[Leaf] = set()
    seen, stack = {start}, [start]
    while stack:
        node = stack.pop()
        unknown.update((node.cut or {}).values())
        for edge in node.edges:
            if edge is None:
                continue
            target = edge[0]
            if isinstance(target, Leaf):
                v = target.variable()
                if v is not None and v._node is target and id(v) in HOOKED:
                    counts[target] = counts.get(target, 0) + 1
            elif target not in seen:
                seen.add(target)
                stack.append(target)
    return {leaf: n for leaf, n in counts.items() if leaf not in unknown}
