"""Values that share elements, and what happens to them when one of them is changed.

No array is changed under a graph: an in-place operator or an item assignment computes a new value, and the
handle moves on to it (`take_over`). What was computed before keeps the node and the arrays that it had. A
view, such as ``x[1:]`` or ``x.T``, is expected to change with its base, and the base with the view. So each
op that gives one (`ViewOp`) notes in both handles, weakly, what they share; `change` then brings all of
them up to date, as nodes of the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from weakref import ref

from tensorgrad.core.config import STATE
from tensorgrad.core.function import Function, Op
from tensorgrad.core.variable import Variable, make_variable

Step = tuple[type["ViewOp"], Any]
"""How a view comes from its base: the op, and its setting."""


class Shared:
    """The handles whose values share elements: a root, and its views."""

    __slots__ = ("limit", "root", "shape", "views")

    def __init__(self, root: Variable) -> None:
        self.root = ref(root)
        self.shape = root.shape
        self.views: list[ref[Variable]] = []
        self.limit = 16

    def add(self, view: Variable) -> None:
        self.views.append(ref(view))
        if len(self.views) > self.limit:
            self.views = [r for r in self.views if r() is not None]
            self.limit = 2 * len(self.views) + 16

    def living(self) -> list[Variable]:
        """Those that are still held and still share; a base before its views."""
        found = [v for r in (self.root, *self.views) if (v := r()) is not None]
        return [v for v in found if shared_of(v)[0] is self]


class ViewOp(Op):
    """The base of ops whose result shares its elements with the first input.

    `setting` names the attribute from which the constructor makes the op again. `pick` says that the
    result consists of elements of the input, each at most once, so that it can be written through.
    """

    setting: ClassVar[str] = ""
    pick: ClassVar[bool] = True

    def __call__(self, *inputs: Any) -> Any:
        y = super().__call__(*inputs)
        if isinstance(inputs[0], Variable):
            share(inputs[0], y, (type(self), getattr(self, self.setting) if self.setting else None))
        return y


def share(x: Variable, y: Variable, step: Step) -> None:
    """Note that `y` shows elements of `x`."""
    try:
        shared, path = x._shared
    except AttributeError:
        shared, path = x._shared = (Shared(x), ())
    y._shared = (shared, (*path, step))
    shared.add(y)


def shared_of(v: Variable) -> tuple[Shared | None, tuple[Step, ...]]:
    """What a value shares elements with, and how it comes from the root of that."""
    return getattr(v, "_shared", (None, ()))


def along(path: tuple[Step, ...], v: Any) -> Any:
    """Follow the steps from a root to a view of it."""
    for op, setting in path:
        make: Any = op
        v = (make(setting) if op.setting else make())(v)
    return v


def change(
    v: Variable,
    compute: Callable[[], Variable],
    write: Callable[[Variable, tuple[Step, ...], Variable], Variable],
    what: str,
) -> None:
    """Let a handle, and all that shares elements with it, move on to a new value.

    Parameters
    ----------
    compute : callable
        Gives the new value, of the shape and dtype of `v`.
    write : callable
        ``(root, path, value)`` -> the root with the part that the path leads to replaced.
    what : str
        The name of the operation, for errors.

    Raises
    ------
    RuntimeError
        If a leaf that requires a gradient would change, or views that cannot be written through and whose
        base is gone.
    """
    shared, path = shared_of(v)
    others = [] if shared is None else [u for u in shared.living() if u is not v]
    for u in (v, *others):
        _refuse_leaf(u, v, what)
    new = compute()
    if not others:
        if shared is not None:
            del v._shared
        take_over(v, new)
        return
    assert shared is not None  # what has others shares with them
    root, depth = shared.root(), 0
    if root is None or shared_of(root)[0] is not shared:
        root, depth = _stand_in(shared, [v, *others], write, what)
    if root is not v:
        take_over(root, write(root, path[depth:], new))
    take_over(v, new)
    for u in others:
        if u is not root:
            take_over(u, along(shared_of(u)[1][depth:], root))


def _stand_in(
    shared: Shared,
    views: list[Variable],
    write: Callable[[Variable, tuple[Step, ...], Variable], Variable],
    what: str,
) -> tuple[Variable, int]:
    """A value that all the views are views of, in the place of a base that is gone; its place in their paths.

    It is the view from which the others were made. Where there is none, it is put together from the views:
    nobody sees its other elements.
    """
    views = sorted(views, key=lambda u: len(shared_of(u)[1]))
    paths = [shared_of(u)[1] for u in views]
    first, depth = views[0], len(paths[0])
    if all(_begins(path, paths[0]) for path in paths):
        return first, depth
    if not all(op.pick for path in paths for op, _ in path):
        raise RuntimeError(
            f"{what}: this value shares its elements with other views, and the array that they are views "
            "of is gone. Change a copy: v = v.copy()."
        )
    owner = first.backend
    zeros = owner.xp.zeros(shared.shape, dtype=first.dtype, device=owner.device(first.data))
    root = make_variable(zeros, None, 0)
    for u, path in zip(views, paths, strict=True):
        root = write(root, path, u)
    return root, 0


def _begins(path: tuple[Step, ...], start: tuple[Step, ...]) -> bool:
    """Whether the path goes on from the view that has the path `start`."""
    return len(path) >= len(start) and all(a is b for a, b in zip(path, start, strict=False))


def take_over(v: Variable, new: Variable) -> None:
    """Make `v` the handle of the value of `new`, which nobody else holds."""
    if not STATE.get().enable_backprop and v.requires_grad and v.creator is None:
        v.data = new.data  # a leaf stays one
        return
    node, index = new._node, new._index
    v.data, v._node, v._index = new.data, node, index
    v.requires_grad = new.requires_grad
    v.grad = None
    if isinstance(node, Function):
        node.outputs = (*node.outputs[:index], ref(v), *node.outputs[index + 1 :])
        if v._name is not None:
            node.names = {**(node.names or {}), index: v._name}


def _refuse_leaf(u: Variable, v: Variable, what: str) -> None:
    if u.requires_grad and u.creator is None and STATE.get().enable_backprop:
        of = "" if u is v else "a view of "
        raise RuntimeError(
            f"{what}: expected a value that was computed, or a constant; got {of}a leaf that requires a "
            f"gradient{'' if u.name is None else f', {u.name!r}'}. Its value is what gradients refer to. "
            "Compute a new one (v = v + x), change a copy (v = v.copy()), or the leaf itself under "
            "tensorgrad.no_grad() or through v.data."
        )
