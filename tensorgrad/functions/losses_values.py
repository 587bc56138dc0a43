"""Losses of values, of probabilities and of distances between vectors."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Variable, as_array
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.activation import relu, softplus
from tensorgrad.functions.arithmetic import mul, sub
from tensorgrad.functions.elementwise import abs, exp
from tensorgrad.functions.manipulation import owner_of, shape_of, unchanged
from tensorgrad.functions.norms import vector_norm
from tensorgrad.functions.reduction import sum as _sum
from tensorgrad.functions.selection import maximum, minimum, where
from tensorgrad.functions.special_entropy import xlogy
from tensorgrad.functions.special_powers import huber

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(name: str, reduction: str, known: tuple[str, ...] = REDUCTIONS) -> None:
    """A ValueError if there is no such reduction."""
    if reduction not in known:
        raise ValueError(f"{name}: expected reduction to be one of {', '.join(known)}; got {reduction!r}")


def reduced(y: Variable, reduction: str) -> Variable:
    """The losses as they are, their sum, their mean, or the sum over the length of the first axis."""
    if reduction == "none":
        return y
    total: Variable = _sum(y)
    if reduction == "sum":
        return total
    count = y.size if reduction == "mean" else y.shape[0] if y.ndim else 1
    return total / max(count, 1)


def targets_like(x: Any, t: Any) -> Any:
    """Targets that are integers or bools as constants in the dtype of `x`; others as they are."""
    owner = owner_of("loss", x)
    array = as_array(t)
    if not hasattr(t, "dtype") or owner.is_floating(array.dtype):
        return t
    return owner.xp.astype(array, x.dtype)


def _each_reduction(*args: Any, **kwargs: Any) -> list[Sample]:
    return [Sample(*args, reduction=r, **kwargs) for r in REDUCTIONS]


@samples(
    Sample(Real((3, 2)), Real((3, 2))),
    Sample(Real((3, 1)), Real((2,))),
    Sample(Real(), 0.5),
    *_each_reduction(Real((3, 2)), Real((3, 1))),
)
def l1_loss(x: Any, t: Any, reduction: str = "mean") -> Variable:
    """Absolute differences.

    Parameters
    ----------
    x, t : Variable, array or number, floating
        Broadcast against each other.
    reduction : {'mean', 'sum', 'none'}

    Returns
    -------
    Variable, 0-d, or the broadcast shape for ``'none'``

    Raises
    ------
    ValueError
        If `reduction` is something else.

    Examples
    --------
    >>> F.l1_loss(Variable(np.array([1.0, 4.0])), np.array([2.0, 2.0]))
    variable(1.5)
    """
    check_reduction("l1_loss", reduction)
    return reduced(abs(sub(x, t)), reduction)


@samples(
    Sample(Real((3, 2)), Real((3, 2))),
    Sample(Real((3, 1)), Real((2,)), delta=0.3),
    Sample(Real((2, 2), 1.0, 2.0), -3.0, delta=2.5),
    *_each_reduction(Real((3, 2)), Real((3, 1)), delta=0.5),
)
def huber_loss(x: Any, t: Any, delta: float = 1.0, reduction: str = "mean") -> Variable:
    """Squared for small differences and linear for large ones: outliers count less.

    ``d**2 / 2`` where ``|d| <= delta``, else ``delta * (|d| - delta / 2)``, for ``d = x - t``.

    Parameters
    ----------
    x, t : Variable, array or number, floating
        Broadcast against each other.
    delta : float, default 1.0
        Positive.
    reduction : {'mean', 'sum', 'none'}

    Returns
    -------
    Variable, 0-d, or the broadcast shape for ``'none'``

    Raises
    ------
    ValueError
        If `delta` is not positive, or `reduction` is something else.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964) 73-101.

    Examples
    --------
    >>> F.huber_loss(Variable(np.array([0.5, 3.0])), 0.0, reduction="none")
    variable([0.125 2.5  ])
    """
    check_reduction("huber_loss", reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: expected delta > 0; got {delta}")
    return reduced(huber(float(delta), sub(x, t)), reduction)


@samples(
    Sample(Real((4,)), Ints((4,), 2)),
    Sample(Real((4, 3)), Real((4, 3), 0.0, 1.0)),
    Sample(Real((4, 3), -30.0, 30.0), Ints((4, 3), 2)),
    Sample(Real((4, 3)), Ints((4, 3), 2), weight=2.0, pos_weight=3.0),
    Sample(Real((4, 3)), Real((4, 3), 0.0, 1.0), Real((3,), 0.5, 2.0), Real((3,), 0.5, 2.0)),
    *_each_reduction(Real((4, 3)), Ints((4, 3), 2)),
)
def binary_cross_entropy_with_logits(
    x: Any, t: Any, weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
) -> Variable:
    """Cross entropy of the sigmoid of scores and binary targets: the mean over all elements.

    ``-weight * (pos_weight * t * log s(x) + (1 - t) * log(1 - s(x)))`` with the sigmoid ``s``.
    `sigmoid_cross_entropy` is the book's: the sum divided by the length of the first axis.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
        Scores (logits).
    t : Variable or array, shape of `x`
        Targets in [0, 1]. Integers and bools get no gradient.
    weight, pos_weight : Variable, array or number, optional
        Of each element, and of the positive part of it. They broadcast against `x`.
    reduction : {'mean', 'sum', 'none'}

    Returns
    -------
    Variable, 0-d, or the shape of `x` for ``'none'``
        Nats. Without overflow.

    Raises
    ------
    ValueError
        If `x` and `t` differ in shape, or `reduction` is something else.

    Examples
    --------
    >>> F.binary_cross_entropy_with_logits(Variable(np.array([0.0, 1000.0])), np.array([0, 1])).item()
    0.34657359027997264
    """
    name = "binary_cross_entropy_with_logits"
    check_reduction(name, reduction)
    if shape_of(name, x) != shape_of(name, t):
        raise ValueError(f"{name}: expected targets of shape {tuple(x.shape)}; got {tuple(t.shape)}")
    x, t = unchanged(x), targets_like(x, t)
    if pos_weight is None:
        y = softplus(x) - x * t
    else:
        positive = mul(softplus(-x), t)
        y = mul(positive, pos_weight) + softplus(x) * sub(1.0, t)
    return reduced(y if weight is None else mul(y, weight), reduction)


_KL = ("batchmean", *REDUCTIONS)


@samples(
    Sample(Real((3, 4), -3.0, 0.0), Real((3, 4), 0.1, 1.0)),
    Sample(Real((3, 4), -3.0, 0.0), Real((3, 4), -3.0, 0.0), log_target=True),
    *(Sample(Real((3, 4), -3.0, 0.0), Real((3, 4), 0.1, 1.0), reduction=r) for r in _KL),
)
def kl_div_loss(log_p: Any, t: Any, log_target: bool = False, reduction: str = "batchmean") -> Variable:
    """Kullback-Leibler divergence of target probabilities from predicted ones: ``t * (log t - log_p)``.

    `kl_div` is SciPy's elementwise function of two probabilities.

    Parameters
    ----------
    log_p : Variable or array, real floating
        Logarithms of probabilities, as `log_softmax` gives.
    t : Variable or array
        Probabilities, or their logarithms. Broadcasts against `log_p`.
    log_target : bool, default False
        Whether `t` holds logarithms.
    reduction : {'batchmean', 'mean', 'sum', 'none'}
        The sum divided by the length of the first axis, which is the mean divergence of the rows;
        divided by the number of elements; the sum; or the terms.

    Returns
    -------
    Variable, 0-d, or the broadcast shape for ``'none'``
        Nats. Where a target is 0, the term is 0, whatever `log_p` is.

    Raises
    ------
    ValueError
        If `reduction` is something else.

    Examples
    --------
    >>> log_p = F.log_softmax(Variable(np.array([[0.0, 0.0]])))
    >>> F.kl_div_loss(log_p, np.array([[1.0, 0.0]])).item()
    0.6931471805599453
    """
    check_reduction("kl_div_loss", reduction, _KL)
    log_p, t = unchanged(log_p), targets_like(log_p, t)
    if log_target:
        return reduced(exp(t) * sub(t, log_p), reduction)
    zero = as_array(t) == 0
    return reduced(xlogy(t, t) - mul(where(zero, 0.0, log_p), t), reduction)


@samples(
    Sample(Real((3, 4)), Real((3, 4))),
    Sample(Real((3, 4)), Real((3, 1))),
    Sample(Real((3, 4)), Real((3, 4)), axis=0),
    Sample(Real((3,)), Real((3,))),
)
def cosine_similarity(x0: Any, x1: Any, axis: int = -1, eps: float = 1e-8) -> Variable:
    """Cosine of the angle between vectors: ``sum(x0 * x1) / (|x0| |x1|)``.

    Parameters
    ----------
    x0, x1 : Variable or array, real floating
        Broadcast against each other.
    axis : int, default -1
        Along which the elements make a vector.
    eps : float, default 1e-8
        The least norm that divides.

    Returns
    -------
    Variable, the broadcast shape without `axis`
        In [-1, 1]; 0 for a vector of zeros.

    Examples
    --------
    >>> F.cosine_similarity(Variable(np.array([3.0, 4.0])), np.array([4.0, 3.0])).item()
    0.96
    """
    x0, x1 = unchanged(x0), unchanged(x1)
    if x0.shape != x1.shape:  # the norms are those of the vectors that are multiplied
        ones = x0.backend.xp.ones_like(as_array(x0 * x1))
        x0, x1 = x0 * ones, x1 * ones
    lengths = (maximum(vector_norm(x, axis=axis), eps) for x in (x0, x1))
    first, second = lengths
    return _sum(x0 * x1, axis=axis) / (first * second)


@samples(
    Sample(Real((5, 3)), Real((5, 3)), (1, -1, 1, -1, -1)),
    Sample(Real((5, 3)), Real((5, 3)), (1, -1, 1, -1, -1), margin=-0.5),
    *(Sample(Real((2, 3)), Real((2, 3)), (1, -1), margin=-0.9, reduction=r) for r in REDUCTIONS),
)
def cosine_embedding_loss(x0: Any, x1: Any, t: Any, margin: float = 0.0, reduction: str = "mean") -> Variable:
    """Bring pairs of vectors together, or apart: ``1 - cos`` where t is 1, ``max(0, cos - margin)`` where -1.

    Parameters
    ----------
    x0, x1 : Variable or array, shape (N, D), real floating
    t : array or sequence of int, shape (N,)
        1 for pairs that belong together, -1 for those that do not.
    margin : float, default 0.0
    reduction : {'mean', 'sum', 'none'}

    Returns
    -------
    Variable, 0-d, or shape (N,) for ``'none'``

    Raises
    ------
    ValueError
        If the shapes do not fit, or `reduction` is something else.

    Examples
    --------
    >>> x = Variable(np.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> F.cosine_embedding_loss(x, np.array([[0.0, 1.0], [1.0, 0.0]]), [1, -1], reduction="none")
    variable([1. 1.])
    """
    name = "cosine_embedding_loss"
    check_reduction(name, reduction)
    t = _constant(x0, t)
    if len(shape_of(name, x0)) != 2 or tuple(t.shape) != tuple(x0.shape[:1]):
        raise ValueError(
            f"{name}: expected vectors of shape (N, D) and labels of shape (N,); "
            f"got {tuple(x0.shape)} and {tuple(t.shape)}"
        )
    cosine = cosine_similarity(x0, x1, axis=1)
    return reduced(where(t > 0, 1.0 - cosine, relu(cosine - margin)), reduction)


def _constant(x: Any, t: Any) -> Array:
    """Integers in the library and on the device of `x`."""
    if hasattr(t, "dtype"):
        return as_array(t)
    owner = owner_of("loss", x)
    return owner.from_numpy(as_array(t), owner.device(as_array(x)))


@samples(
    Sample(Real((4, 3)), Real((4, 3)), Real((4, 3))),
    Sample(Real((4, 3)), Real((4, 3)), Real((4, 3)), margin=5.0, p=1.5),
    Sample(Real((4, 3)), Real((4, 3)), Real((4, 3)), margin=5.0, swap=True),
    *_each_reduction(Real((4, 3)), Real((4, 3)), Real((4, 3)), margin=3.0),
)
def triplet_margin_loss(  # noqa: PLR0917  # the order of the field
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Variable:
    """Have an anchor nearer to a positive than to a negative: ``max(d(a, p) - d(a, n) + margin, 0)``.

    Parameters
    ----------
    anchor, positive, negative : Variable or array, shape (N, D) or (D,), real floating
    margin : float, default 1.0
    p : float, default 2.0
        The distance is the p-norm of the difference.
    eps : float, default 1e-6
        Added to each difference, so that its norm is never 0.
    swap : bool, default False
        Take the distance from the positive to the negative instead where that is less.
    reduction : {'mean', 'sum', 'none'}

    Returns
    -------
    Variable, 0-d, or shape (N,) for ``'none'``

    Raises
    ------
    ValueError
        If `reduction` is something else.

    References
    ----------
    Balntas, Riba, Ponsa, Mikolajczyk 2016, "Learning local feature descriptors with triplets and shallow
    convolutional neural networks", section 3.

    Examples
    --------
    >>> a = Variable(np.array([[0.0, 0.0]]))
    >>> F.triplet_margin_loss(a, np.array([[3.0, 4.0]]), np.array([[0.0, 5.5]])).item().__round__(4)
    0.5
    """
    check_reduction("triplet_margin_loss", reduction)

    def distance(a: Any, b: Any) -> Variable:
        return vector_norm(sub(a, b) + eps, axis=-1, ord=p)

    far = distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(relu(distance(anchor, positive) - far + margin), reduction)
