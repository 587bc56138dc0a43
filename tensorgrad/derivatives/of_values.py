"""The gradients of given values with respect to given values: nothing else is read or written."""

from __future__ import annotations

from typing import Any

from tensorgrad.core import Variable
from tensorgrad.core.engine import gradients as _gradients
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import make_variable


def gradients(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Any:
    """Gradients of `outputs` with respect to `inputs`; no Variable's ``grad`` is touched.

    Parameters
    ----------
    outputs : Variable, or a nested container of Variables
    inputs : Variable, or a nested container of Variables
        Leaves, or values in between.
    grad_outputs : like `outputs`, optional
        The cotangents to start from; ones by default.
    create_graph : bool, default False
        Record the computation of the gradients, so that they can be differentiated again.
    retain_graph : bool, optional
        Keep the graph for another backward. By default only with `create_graph`.

    Returns
    -------
    Variables in the structure of `inputs`
        Zeros where no output depends on an input.

    Raises
    ------
    TypeError
        If an output or input is no Variable, or an input requires no gradient.

    Examples
    --------
    >>> x = Variable(np.array(2.0))
    >>> y = x**3
    >>> (gx,) = tg.gradients(y, [x])
    >>> gx, x.grad
    (variable(12.0), None)
    """
    ys, xs = tree_leaves(outputs), tree_leaves(inputs)
    for role, values in (("output", ys), ("input", xs)):
        for v in values:
            if not isinstance(v, Variable):
                raise TypeError(f"gradients: expected Variables as {role}s; got {type(v).__name__}")
    for x in xs:
        if not x.requires_grad:
            raise TypeError(
                "gradients: an input requires no gradient, so no output can depend on it through the "
                "graph. Make it with requires_grad=True before the outputs are computed."
            )
    seeds = tree_leaves(grad_outputs) if grad_outputs is not None else [None] * len(ys)
    if len(seeds) != len(ys):
        raise ValueError(
            f"gradients: expected one grad_output for each of {len(ys)} outputs; got {len(seeds)}"
        )
    seeds = [y.backend.ones_like(y.data) if s is None else s for y, s in zip(ys, seeds, strict=True)]
    for y, s in zip(ys, seeds, strict=True):
        if tuple(s.shape) != y.shape:
            raise ValueError(f"gradients: expected a grad_output of shape {y.shape}; got {tuple(s.shape)}")
    found = iter(_gradients(ys, xs, seeds, create_graph=create_graph, retain_graph=retain_graph))
    return tree_map(lambda x: gradient_of(x, next(found)), inputs)


def gradient_of(x: Variable, g: Any) -> Variable:
    """What the engine found for `x`, as a Variable: zeros for None."""
    if isinstance(g, Variable):
        return g
    if g is None:
        g = x.backend.xp.zeros_like(x.data)
    return make_variable(x.backend.as_array(g), None, 0)
