"""Classification by integer labels: softmax cross entropy, and the accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend
from tensorgrad.core import ArrayLike, Function, Op, Output, Variable, as_array
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.elementwise import log
from tensorgrad.functions.indexing import GetElements
from tensorgrad.functions.manipulation import unchanged
from tensorgrad.functions.reduction import sum as _sum
from tensorgrad.functions.selection import clip
from tensorgrad.functions.softmax import softmax


class SoftmaxCrossEntropy(Op):
    """``y = mean of log(sum exp(x_i)) - x_i[t_i]`` over rows i; ``gx = (softmax(x) - onehot(t)) / n``.

    The hidden output is the softmax, which is all that backward needs.
    """

    precision = "full"
    no_grad_inputs = (1,)
    hidden = 1
    saves = Output(1)
    fresh = True

    def forward(self, x: Array, t: Array) -> tuple[Array, Array]:
        xp = self.xp
        if self.backend.kernel("softmax_cross_entropy") is not None:
            _check_labels("softmax_cross_entropy", xp, x, t)
            labels = xp.reshape(t, (-1,))
            made = self.fused("softmax_cross_entropy", x, labels)
            if made is not None:
                self.keep(None, labels)
                return made  # type: ignore[no-any-return]
        rows, t = _label_index("softmax_cross_entropy", self.backend, x, t)
        self.keep(rows, t)
        x = x - xp.max(x, axis=1, keepdims=True)
        right = self.backend.getitem(x, (rows, t))
        p = xp.exp(x)
        total = xp.sum(p, axis=1, keepdims=True)
        p /= total
        return xp.sum(xp.log(xp.reshape(total, rows.shape)) - right) / rows.shape[0], p

    def backward(self, gy: ArrayLike, gp: ArrayLike) -> tuple[ArrayLike, None]:
        (p,) = self.saved
        rows, t = self.kept
        if gp is None:
            gx = self.fused("softmax_cross_entropy_gradient", gy, p, t)
            if gx is not None:
                return gx, None
        if rows is None:
            rows = self.backend.xp.arange(p.shape[0], device=self.backend.device(t))
        gx = None if gp is None else p * (gp - self.xp.sum(p * gp, axis=1, keepdims=True))
        if gy is None:
            return gx, None
        g = gy / p.shape[0]
        gx = p * g if gx is None else gx + p * g
        if self.recording:
            return SubtractAt()(gx, g, rows, t), None
        return self.backend.add_distinct(gx, (rows, t), -g), None


class SubtractAt(Op):
    """``y = x``, less ``c`` at the places ``(rows, t)``; ``dy/dx = 1``, ``dy/dc = -1`` there."""

    no_grad_inputs = (2, 3)

    def forward(self, x: Array, c: Array, rows: Array, t: Array) -> Array:
        self.keep(rows, t)
        return self.backend.add_distinct(self.backend.copy(x), (rows, t), -c)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike, None, None]:
        gc = -self.nested(GetElements(), gy, *self.kept) if self.edges[1] else None
        return gy, gc, None, None


class Accuracy(Function):
    """The part of the rows of y whose largest element is at the label, without a gradient."""

    no_grad_inputs = (0, 1)

    def forward(self, y: Array, t: Array) -> Array:
        xp = self.xp
        _check_labels("accuracy", xp, y, t)
        guessed = xp.argmax(y, axis=1)
        right = guessed == xp.astype(xp.reshape(t, guessed.shape), guessed.dtype)
        return xp.mean(xp.astype(right, y.dtype))


def _check_labels(name: str, xp: Any, x: Array, t: Array) -> None:
    n = x.shape[0] if x.ndim == 2 else 0
    if n == 0 or tuple(t.shape) not in ((n,), (n, 1)):
        raise ValueError(
            f"{name}: expected scores of shape (N, C), N > 0, and labels of shape (N,); "
            f"got {tuple(x.shape)} and {tuple(t.shape)}. One-hot rows become labels by argmax(axis=1)."
        )
    if not xp.isdtype(t.dtype, "integral"):
        raise TypeError(
            f"{name}: expected labels of an integer dtype; got {t.dtype}. "
            "Convert them with astype, or use mean_squared_error if they are no classes."
        )


def _label_index(name: str, backend: Backend, x: Array, t: Array) -> tuple[Array, Array]:
    """Index arrays that pick the element of each row of `x` at its label."""
    xp = backend.xp
    _check_labels(name, xp, x, t)
    rows = xp.arange(x.shape[0], device=backend.device(x))
    if len(t.shape) == 2:
        t = xp.reshape(t, rows.shape)
    if t.dtype != rows.dtype:
        t = xp.astype(t, rows.dtype)
    if isinstance(t, np.ndarray):  # elsewhere, looking would mean waiting for a device
        highest = np.maximum.reduce(t.view(np.uintp))  # what is below 0 is highest of all
        if highest >= x.shape[1]:
            raise ValueError(
                f"{name}: expected labels from 0 to {x.shape[1] - 1}, one for each column of the "
                f"scores; got labels from {t.min()} to {t.max()}"
            )
    return rows, t


_CLASSES = (
    Sample(Real((4, 3)), Ints((4,), 3)),
    Sample(Real((4, 3), -20.0, 20.0), Ints((4,), 3)),
    Sample(Real((1, 5)), Ints((1,), 5)),
)


@samples(*_CLASSES, Sample(Real((4, 3)), Ints((4, 1), 3)))
def softmax_cross_entropy(x: Any, t: Any) -> Variable:
    """Cross entropy of the softmax of scores and integer labels: the mean over the rows.

    Parameters
    ----------
    x : Variable or array, shape (N, C), real floating
        Scores (logits), a row for each example and a column for each class.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1. They get no gradient. Of a label out of range NumPy's arrays give a
        ValueError; elsewhere, where looking would mean waiting for a device, it is for the array
        library to say what comes of it.

    Returns
    -------
    Variable, 0-d
        Nats. Without overflow, however large the scores are.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a label is out of range.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> x = Variable(np.array([[0.0, 0.0], [0.0, 1000.0]]))
    >>> F.softmax_cross_entropy(x, np.array([0, 1])).item()
    0.34657359027997264
    """
    return SoftmaxCrossEntropy()(x, t)  # type: ignore[no-any-return]


@samples(*(s for s in _CLASSES if s.args[0].high < 20))
def softmax_cross_entropy_simple(x: Any, t: Any) -> Variable:
    """`softmax_cross_entropy`, composed of simpler functions as in the book; overflows for large scores.

    Parameters
    ----------
    x : Variable or array, shape (N, C), real floating
        Scores (logits).
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1. They get no gradient.

    Returns
    -------
    Variable, 0-d

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> x = Variable(np.zeros((1, 2)))
    >>> F.softmax_cross_entropy_simple(x, np.array([0])).item()
    0.6931471805599453
    """
    x, t = unchanged(x), as_array(t)
    rows, t = _label_index("softmax_cross_entropy_simple", x.backend, x.data, t)
    log_p = log(clip(softmax(x), 1e-15, 1.0))
    return -1 * _sum(log_p[rows, t]) / len(x)


@samples(
    Sample(Real((6, 3)), Ints((6,), 3), differentiable=False),
    Sample(Real((5, 2)), Ints((5, 1), 2), differentiable=False),
)
def accuracy(y: Any, t: Any) -> Variable:
    """The part of the rows whose largest element is at the label.

    Parameters
    ----------
    y : Variable or array, shape (N, C), real floating
        Scores or probabilities.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1.

    Returns
    -------
    Variable, 0-d, dtype of `y`
        In [0, 1]; a constant.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> F.accuracy(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1]))
    variable(0.5)
    """
    return Accuracy()(y, t)  # type: ignore[no-any-return]
