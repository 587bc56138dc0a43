"""How good a classification is: constants without a gradient, computed on the device."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Function, Variable
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.classification import _check_labels
from tensorgrad.functions.manipulation import owner_of, shape_of

_SAMPLES = (
    Sample(Real((12, 3)), Ints((12,), 3), differentiable=False),
    Sample(Real((3, 4)), Ints((3, 1), 4), differentiable=False),
)


class TopK(Function):
    """The part of the rows of y whose element at the label is among the `k` largest."""

    no_grad_inputs = (0, 1)

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, y: Array, t: Array) -> Array:
        xp = self.xp
        _check_labels("top_k_accuracy", xp, y, t)
        t = xp.astype(xp.reshape(t, (-1, 1)), xp.int64)
        classes = xp.reshape(xp.arange(y.shape[1], dtype=xp.int64, device=self.backend.device(y)), (1, -1))
        at_label = xp.sum(xp.where(classes == t, y, xp.zeros_like(y)), axis=1, keepdims=True)
        tied_before = xp.logical_and(y == at_label, classes < t)  # of equal ones, the first is the larger
        better = xp.logical_or(y > at_label, tied_before)
        return xp.mean(xp.astype(xp.sum(xp.astype(better, xp.int64), axis=1) < self.k, y.dtype))


class Confusion(Function):
    """Counts of (label, guess); or precision, recall and F1 from them."""

    no_grad_inputs = (0, 1)

    def __init__(self, name: str, n_classes: int | None, average: str | None) -> None:
        self.name = name
        self.n_classes = n_classes
        self.average = average

    def forward(self, y: Array, t: Array) -> Array:
        xp, n = self.xp, self.n_classes
        if y.ndim == 2 and xp.isdtype(y.dtype, "real floating"):
            _check_labels(self.name, xp, y, t)
            n = y.shape[1]
            guessed, dtype = xp.argmax(y, axis=1), y.dtype
        else:
            guessed, dtype = y, xp.__array_namespace_info__().default_dtypes()["real floating"]
        if n is None:
            raise ValueError(
                f"{self.name}: expected n_classes, since labels do not say how many classes there are"
            )
        guessed, t = (xp.astype(xp.reshape(a, (-1,)), xp.int64) for a in (guessed, t))
        zeros = xp.zeros((n * n,), dtype=xp.int64, device=self.backend.device(y))
        counts = self.backend.scatter_add(zeros, t * n + guessed, xp.ones_like(t))
        counts = xp.reshape(counts, (n, n))
        return counts if self.name == "confusion_matrix" else self._score(xp.astype(counts, dtype))

    def _score(self, counts: Array) -> Array:
        xp = self.xp
        every = xp.arange(counts.shape[0], device=self.backend.device(counts))
        diagonal = xp.reshape(every, (-1, 1)) == xp.reshape(every, (1, -1))
        right = xp.sum(xp.where(diagonal, counts, xp.zeros_like(counts)), axis=1)
        guessed, true = xp.sum(counts, axis=0), xp.sum(counts, axis=1)
        whole = {"precision": guessed, "recall": true, "f1_score": (guessed + true) / 2}[self.name]
        if self.average == "micro":
            return _ratio(xp, xp.sum(right), xp.sum(whole))
        scores = _ratio(xp, right, whole)
        if self.average == "macro":
            return xp.mean(scores)
        if self.average == "weighted":
            return _ratio(xp, xp.sum(scores * true), xp.sum(true))
        return scores


def _ratio(xp: Any, a: Array, b: Array) -> Array:
    """``a / b``, and 0 where b is 0."""
    empty = b == 0
    return xp.where(empty, xp.zeros_like(a), a / xp.where(empty, xp.ones_like(b), b))


@samples(
    *(Sample(*s.args, differentiable=False) for s in _SAMPLES[1:]),
    Sample(Real((12, 6)), Ints((12,), 6), differentiable=False),
    Sample(Real((12, 6)), Ints((12,), 6), k=2, differentiable=False),
    Sample(Real((4, 2)), Ints((4,), 2), k=1, differentiable=False),
)
def top_k_accuracy(y: Any, t: Any, k: int = 5) -> Variable:
    """The part of the rows whose label is among the `k` classes of the largest scores.

    Parameters
    ----------
    y : Variable or array, shape (N, C), real floating
        Scores or probabilities. Of equal ones, the first counts as larger.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1.
    k : int, default 5

    Returns
    -------
    Variable, 0-d, dtype of `y`
        In [0, 1]; a constant.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `k` is not positive.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> y = np.array([[0.1, 0.5, 0.4], [0.6, 0.3, 0.1]])
    >>> F.top_k_accuracy(y, np.array([2, 2]), k=2)
    variable(0.5)
    """
    if k < 1:
        raise ValueError(f"top_k_accuracy: expected k >= 1; got {k}")
    return TopK(k)(y, t)  # type: ignore[no-any-return]


def _confusion(name: str, y: Any, t: Any, n_classes: int | None, average: str | None) -> Variable:
    if average not in (None, "macro", "micro", "weighted"):
        raise ValueError(
            f"{name}: expected average to be 'macro', 'micro', 'weighted' or None; got {average!r}"
        )
    if len(shape_of(name, y)) < 2 or not owner_of(name, y).is_floating(y.dtype):
        if tuple(y.shape) != shape_of(name, t):
            raise ValueError(
                f"{name}: expected scores of shape (N, C), or as many guesses as labels; "
                f"got {tuple(y.shape)} and {tuple(t.shape)}"
            )
        if owner_of(name, y).is_floating(y.dtype) or owner_of(name, t).is_floating(t.dtype):
            raise TypeError(f"{name}: expected labels of an integer dtype; got {y.dtype} and {t.dtype}")
    return Confusion(name, n_classes, average)(y, t)  # type: ignore[no-any-return]


@samples(*_SAMPLES)
def confusion_matrix(y: Any, t: Any, n_classes: int | None = None) -> Variable:
    """How often each class (row) was taken for each class (column).

    Parameters
    ----------
    y : Variable or array
        Scores, shape (N, C), real floating; or guessed classes, in the shape of `t`, integer.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1.
    n_classes : int, optional
        C; needed where `y` holds classes.

    Returns
    -------
    Variable, shape (C, C), int64

    Raises
    ------
    ValueError
        If the shapes do not fit, or `n_classes` is needed and missing.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> F.confusion_matrix(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), n_classes=2)
    variable([[1 1]
              [0 2]])
    """
    return _confusion("confusion_matrix", y, t, n_classes, None)


_AVERAGES = (
    *_SAMPLES,
    *(
        Sample(Real((12, 3)), Ints((12,), 3), average=a, differentiable=False)
        for a in (None, "micro", "weighted")
    ),
    Sample(Real((3, 5)), Ints((3,), 5), average=None, differentiable=False),
)


@samples(*_AVERAGES)
def precision(y: Any, t: Any, average: str | None = "macro", n_classes: int | None = None) -> Variable:
    """Of what was taken for a class, the part that is of it.

    Parameters
    ----------
    y : Variable or array
        Scores, shape (N, C), real floating; or guessed classes, in the shape of `t`, integer.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1.
    average : {'macro', 'micro', 'weighted', None}
        The mean over classes; over examples; over classes by the number of their examples; or each class.
    n_classes : int, optional
        C; needed where `y` holds classes.

    Returns
    -------
    Variable, 0-d, or shape (C,) for None
        In [0, 1]; 0 for a class that nothing was taken for.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an option does not.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> F.precision(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 0]), average=None, n_classes=2)
    variable([1.         0.33333333])
    """
    return _confusion("precision", y, t, n_classes, average)


@samples(*_AVERAGES)
def recall(y: Any, t: Any, average: str | None = "macro", n_classes: int | None = None) -> Variable:
    """Of what is of a class, the part that was taken for it.

    Parameters
    ----------
    y : Variable or array
        Scores, shape (N, C), real floating; or guessed classes, in the shape of `t`, integer.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1.
    average : {'macro', 'micro', 'weighted', None}
        The mean over classes; over examples; over classes by the number of their examples; or each class.
    n_classes : int, optional
        C; needed where `y` holds classes.

    Returns
    -------
    Variable, 0-d, or shape (C,) for None
        In [0, 1]; 0 for a class without examples.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an option does not.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> F.recall(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 0]), average=None, n_classes=2)
    variable([0.33333333 1.        ])
    """
    return _confusion("recall", y, t, n_classes, average)


@samples(*_AVERAGES)
def f1_score(y: Any, t: Any, average: str | None = "macro", n_classes: int | None = None) -> Variable:
    """Harmonic mean of `precision` and `recall`.

    Parameters
    ----------
    y : Variable or array
        Scores, shape (N, C), real floating; or guessed classes, in the shape of `t`, integer.
    t : Variable or array, shape (N,) or (N, 1), integer
        Labels from 0 to C - 1.
    average : {'macro', 'micro', 'weighted', None}
        The mean over classes; over examples; over classes by the number of their examples; or each class.
    n_classes : int, optional
        C; needed where `y` holds classes.

    Returns
    -------
    Variable, 0-d, or shape (C,) for None
        In [0, 1]; 0 for a class that neither occurs nor was guessed.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an option does not.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> F.f1_score(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 0]), average=None, n_classes=2)
    variable([0.5 0.5])
    """
    return _confusion("f1_score", y, t, n_classes, average)
