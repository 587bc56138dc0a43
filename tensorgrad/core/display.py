"""How Variables look: the values at the ends of a large array, and a small table for Jupyter."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.backend import Array, Backend

if TYPE_CHECKING:
    from tensorgrad.core.variable import Variable


def text_of(owner: Backend, array: Array) -> str:
    """The values as NumPy prints them; of a large array only those that are printed are fetched.

    NumPy's print options (``np.set_printoptions``) say what is large, and how much of it is printed.
    """
    options = np.get_printoptions()
    size = 1
    for length in array.shape:
        size *= length
    if size <= options["threshold"]:
        return str(owner.to_numpy(array))
    return np.array2string(_ends(owner, array, options["edgeitems"]), threshold=0)


def _ends(owner: Backend, array: Array, count: int) -> np.ndarray[Any, Any]:
    """`count` and some elements at both ends of each axis: so many that NumPy leaves out those between."""
    for axis, length in enumerate(array.shape):
        if length > 2 * count + 1:
            before = (slice(None),) * axis
            parts = [array[(*before, part, ...)] for part in (slice(count + 1), slice(length - count, None))]
            array = owner.xp.concat(parts, axis=axis)
    return owner.to_numpy(array)


def html_of(v: Variable) -> str:
    """A Variable for Jupyter: what it is, and its values."""
    name = f"<b>{escape(str(v.name))}</b> " if v.name is not None else ""
    if v.data is None:
        return f"<div>{name}Variable without data</div>"
    owner = v.backend
    dtype = str(v.dtype).rpartition(".")[2]  # torch.float32
    facts = [f"shape {v.shape}", dtype, f"{owner.name}, {v.device}", _origin(v), _gradient(v)]
    style = "margin: 4px 0 0; padding: 6px 10px; border-left: 3px solid #8886; line-height: 1.3"
    return (
        f"<div>{name}{escape(' · '.join(facts))}"
        f'<pre style="{style}">{escape(text_of(owner, v.data))}</pre></div>'
    )


def _origin(v: Variable) -> str:
    made = v.creator
    return f"a leaf, {type(v).__name__}" if made is None else f"made by {type(made).__name__}"


def _gradient(v: Variable) -> str:
    if not v.requires_grad:
        return "requires no gradient"
    if v.grad is None:
        return "requires a gradient, has none"
    recorded = "" if v.grad.creator is None else ", which can be differentiated"
    return f"has a gradient{recorded}"
