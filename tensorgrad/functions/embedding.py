"""Embeddings: rows of a table, picked by integers."""

from __future__ import annotations

from typing import Any

from tensorgrad.core import Variable
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.indexing import Take, index_array, is_mask
from tensorgrad.functions.manipulation import shape_of
from tensorgrad.functions.selection import where


@samples(
    Sample(Ints((5,), 3), Real((3, 4))),
    Sample(Ints((2, 3), 4), Real((4, 2))),
    Sample(Ints((), 3), Real((3, 2))),
    Sample(Ints((2, 3), 3), Real((3, 2)), padding_idx=1),
)
def embed_id(x: Any, W: Any, padding_idx: int | None = None) -> Variable:
    """The vector that stands in a table for each integer: ``W[x]``.

    Parameters
    ----------
    x : array or Variable of int, any shape
        From 0 to ``V - 1``.
    W : Variable or array, shape (V, D)
    padding_idx : int, optional
        Where `x` is this, -1 for instance, the result is zeros and no gradient comes from there.

    Returns
    -------
    Variable, shape of `x` and then D
        A row that is picked several times gets the sum of the gradients.

    Raises
    ------
    ValueError
        If `W` is no table.
    IndexError
        If `x` holds no integers, or one that is out of bounds (JAX and dpnp do not tell).

    Examples
    --------
    >>> W = Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> F.embed_id(np.array([1, 1, 0]), W)
    variable([[3. 4.]
              [3. 4.]
              [1. 2.]])
    """
    shape = shape_of("embed_id", W)
    if len(shape) != 2:
        raise ValueError(f"embed_id: expected W of shape (V, D); got {shape}")
    owner, index = index_array("embed_id", W, x)
    if is_mask(index):
        raise IndexError("embed_id: expected integers; got bools")
    if padding_idx is None:
        return Take(0)(W, index)  # type: ignore[no-any-return]
    xp = owner.xp
    pads = index == padding_idx
    y = Take(0)(W, xp.where(pads, xp.zeros_like(index), index))
    return where(xp.expand_dims(pads, axis=-1), 0.0, y)
