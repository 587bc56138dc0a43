"""Losses of classes: cross entropy with its options, of labels and of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import Variable, as_array
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.arithmetic import mul
from tensorgrad.functions.indexing import take, take_along_axis
from tensorgrad.functions.losses_values import check_reduction, reduced
from tensorgrad.functions.manipulation import owner_of, reshape, shape_of, unchanged
from tensorgrad.functions.reduction import sum as _sum
from tensorgrad.functions.selection import where
from tensorgrad.functions.softmax import log_softmax

IGNORED = -100

_SCORES = Real((4, 3))


def _soft(x: Any, *rest: Any, **kwargs: Any) -> Sample:
    return Sample(x, Real(x.shape, 0.1, 1.0), *rest, **kwargs)


@samples(
    Sample(_SCORES, Ints((4,), 3)),
    Sample(Real((3,)), Ints((), 3)),
    Sample(Real((2, 3, 2, 2)), Ints((2, 2, 2), 3)),
    Sample(Real((8, 3)), Ints((8,), 3), ignore_index=1),
    Sample(_SCORES, Ints((4,), 3), Real((3,), 0.5, 2.0)),
    Sample(_SCORES, Ints((4,), 3), Real((3,), 0.5, 2.0), label_smoothing=0.2),
    Sample(Real((2, 3, 4)), Ints((2, 4), 3), Real((3,), 0.5, 2.0), ignore_index=0, label_smoothing=0.3),
    Sample(_SCORES, Ints((4,), 3), label_smoothing=0.1, reduction="sum"),
    Sample(Real((8, 3)), Ints((8,), 3), label_smoothing=0.1, ignore_index=2, reduction="none"),
    _soft(_SCORES),
    _soft(Real((2, 3, 2)), Real((3,), 0.5, 2.0), label_smoothing=0.2),
    _soft(_SCORES, reduction="sum"),
    _soft(_SCORES, reduction="none"),
)
def cross_entropy(
    x: Any,
    t: Any,
    weight: Any = None,
    *,
    ignore_index: int = IGNORED,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Variable:
    """Cross entropy of the softmax of scores and labels, or probabilities, of classes.

    `softmax_cross_entropy` is the book's: faster, for integer labels of rows, without options.

    Parameters
    ----------
    x : Variable or array, shape (N, C), (N, C, ...) or (C,), real floating
        Scores (logits).
    t : Variable or array
        Labels: integers from 0 to C - 1, in the shape of `x` without C. They get no gradient. Or
        probabilities: floating, in the shape of `x`.
    weight : Variable or array, shape (C,), optional
        Of each class.
    ignore_index : int, default -100
        A label that does not count, in the value as in the mean.
    label_smoothing : float in [0, 1], default 0.0
        How much of each target is spread evenly over all classes.
    reduction : {'mean', 'sum', 'none'}
        The mean over labels is weighted: the sum divided by that of the weights of the labels; 0 if all
        are ignored. Over probabilities it is divided by their number.

    Returns
    -------
    Variable, 0-d, or the shape of `x` without C for ``'none'``
        Nats. Without overflow.

    Raises
    ------
    ValueError
        If the shapes do not fit, a label is out of range (looked at on NumPy alone: elsewhere it would
        mean waiting for a device), or an option is.

    References
    ----------
    Label smoothing: Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision",
    section 7.

    Examples
    --------
    >>> x = Variable(np.array([[0.0, 0.0], [0.0, 1000.0], [5.0, 1.0]]))
    >>> F.cross_entropy(x, np.array([0, 1, -100])).item()
    0.34657359027997264
    """
    name = "cross_entropy"
    axis = _class_axis(name, x)
    check_reduction(name, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: expected label_smoothing in [0, 1]; got {label_smoothing}")
    log_p = log_softmax(x, axis=axis)
    if owner_of(name, x).is_floating(as_array(t).dtype):
        return _of_probabilities(log_p, t, axis, (weight, label_smoothing, reduction))
    return _of_labels(name, log_p, t, axis, (weight, ignore_index, label_smoothing, reduction))


@samples(
    Sample(Real((4, 3), -3.0, 0.0), Ints((4,), 3)),
    Sample(Real((2, 3, 2), -3.0, 0.0), Ints((2, 2), 3), Real((3,), 0.5, 2.0), ignore_index=1),
    Sample(Real((4, 3), -3.0, 0.0), Ints((4,), 3), reduction="sum"),
    Sample(Real((4, 3), -3.0, 0.0), Ints((4,), 3), reduction="none"),
)
def nll_loss(
    log_p: Any, t: Any, weight: Any = None, *, ignore_index: int = IGNORED, reduction: str = "mean"
) -> Variable:
    """Negative log-likelihood of labels: ``-weight[t] * log_p[t]``.

    Parameters
    ----------
    log_p : Variable or array, shape (N, C), (N, C, ...) or (C,), real floating
        Logarithms of probabilities, as `log_softmax` gives.
    t : Variable or array, shape of `log_p` without C, integer
        Labels from 0 to C - 1. They get no gradient.
    weight : Variable or array, shape (C,), optional
        Of each class.
    ignore_index : int, default -100
        A label that does not count.
    reduction : {'mean', 'sum', 'none'}
        The mean is weighted, as that of `cross_entropy`.

    Returns
    -------
    Variable, 0-d, or the shape of `t` for ``'none'``

    Raises
    ------
    ValueError
        If the shapes do not fit, or a label is out of range (looked at on NumPy alone).
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> F.nll_loss(Variable(np.array([[-1.0, -2.0], [-3.0, -4.0]])), np.array([0, 1]))
    variable(2.5)
    """
    axis = _class_axis("nll_loss", log_p)
    check_reduction("nll_loss", reduction)
    return _of_labels("nll_loss", unchanged(log_p), t, axis, (weight, ignore_index, 0.0, reduction))


def _class_axis(name: str, x: Any) -> int:
    shape = shape_of(name, x)
    if not shape or shape[min(1, len(shape) - 1)] == 0:
        raise ValueError(f"{name}: expected scores of shape (N, C), (N, C, ...) or (C,); got {shape}")
    return min(1, len(shape) - 1)


def _of_labels(
    name: str, log_p: Variable, t: Any, axis: int, options: tuple[Any, int, float, str]
) -> Variable:
    weight, ignore_index, smoothing, reduction = options
    xp = log_p.backend.xp
    labels, counts = _labels(name, log_p, as_array(t), axis, ignore_index)
    picked = take_along_axis(log_p, labels, axis=axis)
    classes = log_p.shape[axis]
    shape = tuple(n for i, n in enumerate(log_p.shape) if i != axis)
    if weight is None:
        weights, spread = None, log_p
        y = -reshape(picked, shape)
    else:
        _check_weight(name, weight, classes)
        weights = reshape(take(weight, xp.reshape(labels, (-1,))), shape)
        y = -reshape(picked, shape) * weights
        spread = mul(log_p, reshape(weight, (-1,) + (1,) * (log_p.ndim - axis - 1)))
    if smoothing:
        y = y * (1 - smoothing) - _sum(spread, axis=axis) * (smoothing / classes)
    y = where(counts, y, 0.0)
    if reduction != "mean":
        return reduced(y, reduction)
    one = xp.astype(counts, log_p.dtype)
    total = _sum(one if weights is None else mul(weights, one))
    return _sum(y) / where(total.data == 0, 1.0, total)


def _labels(name: str, x: Variable, t: Array, axis: int, ignore_index: int) -> tuple[Array, Array]:
    """Labels with an axis for the classes, ignored ones as 0; and which count."""
    xp = x.backend.xp
    shape = tuple(n for i, n in enumerate(x.shape) if i != axis)
    if not xp.isdtype(t.dtype, "integral"):
        raise TypeError(f"{name}: expected labels of an integer dtype; got {t.dtype}")
    if tuple(t.shape) != shape:
        raise ValueError(
            f"{name}: expected labels of shape {shape} for scores {x.shape}; got {tuple(t.shape)}"
        )
    counts = t != ignore_index
    labels = xp.where(counts, t, xp.zeros_like(t))
    if isinstance(labels, np.ndarray):  # elsewhere, looking would mean waiting for a device
        classes = x.shape[axis]
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise ValueError(
                f"{name}: expected labels from 0 to {classes - 1}, one for each class, or ignore_index "
                f"{ignore_index}; got labels from {t.min()} to {t.max()}"
            )
    if labels.dtype != xp.int64:  # index arrays of other integers are not in the standard
        labels = xp.astype(labels, xp.int64)
    return xp.expand_dims(labels, axis=axis), counts


def _check_weight(name: str, weight: Any, classes: int) -> None:
    if shape_of(name, weight) != (classes,):
        raise ValueError(
            f"{name}: expected a weight for each of {classes} classes; got {tuple(weight.shape)}"
        )


def _of_probabilities(log_p: Variable, t: Any, axis: int, options: tuple[Any, float, str]) -> Variable:
    weight, smoothing, reduction = options
    if tuple(t.shape) != log_p.shape:
        raise ValueError(
            f"cross_entropy: expected probabilities of the shape of the scores, {log_p.shape}; "
            f"got {tuple(t.shape)}"
        )
    classes = log_p.shape[axis]
    if smoothing:
        t = mul(t, 1 - smoothing) + smoothing / classes
    terms = mul(where(as_array(t) == 0, 0.0, log_p), t)
    if weight is not None:
        _check_weight("cross_entropy", weight, classes)
        terms = mul(terms, reshape(weight, (-1,) + (1,) * (log_p.ndim - axis - 1)))
    y: Variable = -_sum(terms, axis=axis)
    return reduced(y, reduction)
