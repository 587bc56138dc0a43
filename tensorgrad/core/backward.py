"""What the engine gives to Variable: ``backward``, ``unchain`` and ``unchain_backward``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import backend_of
from tensorgrad.core.config import STATE, set_recording
from tensorgrad.core.engine import Pass
from tensorgrad.core.function import Function, explain_memory
from tensorgrad.core.node import Leaf
from tensorgrad.core.variable import Variable, method


def _seed(v: Variable, grad: Any) -> Any:
    """The gradient that a backward starts from, as an array or a Variable."""
    if grad is None and v.grad is not None:
        creator = v.creator
        if creator is not None and not any(v.grad is r() for r in creator.retained):
            grad = v.grad  # set by the user, as in the book
    if grad is None:
        return v.backend.ones_like(v.data)
    array = grad.data if isinstance(grad, Variable) else grad
    owner = backend_of(array)
    if owner is None:  # a number of Python's or NumPy's
        return v.backend.ones_like(v.data) * (array.item() if isinstance(array, np.generic) else array)
    if owner is not v.backend or tuple(array.shape) != v.shape:
        got = f"{owner.name} {tuple(array.shape)}"
        raise ValueError(f"backward: expected a grad like the output, {v.backend.name} {v.shape}; got {got}")
    return grad


@method
def backward(
    self: Variable,
    retain_grad: bool = False,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    *,
    grad: Any = None,
) -> None:
    """Compute the gradients of this value and add them to the ``grad`` of the leaves it came from.

    Parameters
    ----------
    retain_grad : bool, default False
        Leave gradients on the Variables in between too. They are cleared otherwise, the one of this
        Variable included.
    create_graph : bool, default False
        Record the backward itself, so that gradients can be differentiated again.
    retain_graph : bool, optional
        Keep what the functions saved, so that a second backward is possible. By default only with
        `create_graph`.
    grad : Variable or array of this shape, or a number, optional
        The gradient to start from: ``self.grad`` if it was set, else ones.

    Raises
    ------
    RuntimeError
        If this Variable requires no gradient, or its graph was freed by an earlier backward.
    ValueError
        If `grad` is of another shape or library.

    Examples
    --------
    >>> x = Variable(np.array(3.0))
    >>> y = x**3
    >>> y.backward(create_graph=True)
    >>> gx = x.grad
    >>> x.cleargrad()
    >>> gx.backward()
    >>> x.grad  # 6 x
    variable(18.0)
    """
    if not self.requires_grad:
        raise RuntimeError(
            "backward: this Variable requires no gradient: it was computed under no_grad or from "
            "constants alone, or made with requires_grad=False"
        )
    seed = _seed(self, grad)
    before = set_recording(create_graph)
    try:
        one = Pass(create_graph=create_graph, retain_graph=retain_graph, retain_grad=retain_grad)
        one.start(self, seed)
        one.await_hooked(self)
        del seed
        one.run()
        if not retain_grad and not isinstance(self._node, Leaf):
            self.grad = None
        one.deliver()
    except MemoryError as error:
        explain_memory(error)
        raise
    finally:
        STATE.set(before)


@method
def unchain(self: Variable) -> None:
    """Make this Variable a leaf: backwards end here.

    What was computed from it before sends its gradient here too.

    Examples
    --------
    >>> x = Variable(np.array(2.0))
    >>> y = x * x
    >>> y.unchain()
    >>> (y * 3.0).backward()
    >>> print(y.grad, x.grad)
    variable(3.0) None
    """
    if self.creator is not None:
        _cut(self.creator, self._index)


@method
def unchain_backward(self: Variable) -> None:
    """Cut the graph above this Variable and free it: truncated backpropagation through time.

    Every Variable that this one was computed from becomes a leaf.

    Examples
    --------
    >>> h = x = Variable(np.array(1.0))
    >>> for _ in range(3):
    ...     h = h * 2.0
    >>> loss = h * h
    >>> loss.unchain_backward()
    >>> h.creator is None
    True
    """
    stack = [] if self.creator is None else [self.creator.edges]
    while stack:
        for edge in stack.pop():
            node, index = edge or (None, 0)
            if isinstance(node, Function) and index not in (node.cut or ()):
                stack.append(node.edges)
                _cut(node, index)


def _cut(node: Function, index: int) -> None:
    """Turn one output of a node into a leaf; a node without other outputs is freed."""
    v = node.outputs[index]() if index < len(node.outputs) else None
    leaf = Leaf(v, node.specs[index])
    if v is not None and v._node is node:
        v._node, v._index = leaf, 0
    node.cut = {**(node.cut or {}), index: leaf}
    if len(node.cut) == len(node.specs):
        node.saved, node.kept = (), ()
        node.edges = (None,) * len(node.edges)
