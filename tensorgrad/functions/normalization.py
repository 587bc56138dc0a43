"""Normalisation: mean 0 and variance 1 over some axes, then a scale and a shift."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array, Backend
from tensorgrad.core import Config, Variable, as_array
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import div
from tensorgrad.functions.elementwise import sqrt
from tensorgrad.functions.manipulation import axes_of, owner_of, reshape, shape_of
from tensorgrad.functions.standardization import Normalization, Rescale, RootMeanSquare, Standardize

Shape = tuple[int, ...]

_C = Real((3,), 0.5, 1.5)
_BATCHES = (
    Sample(Real((4, 3)), _C, Real((3,))),
    Sample(Real((2, 3, 2, 2)), _C, Real((3,))),
    Sample(Real((2, 3, 4)), _C, Real((3,)), None, None, 0.5, 0.1),
)


@samples(*_BATCHES)
def batch_norm(  # noqa: PLR0917  # the book's signature
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any = None,
    var: Any = None,
    decay: float = 0.9,
    eps: float = 2e-5,
) -> Variable:
    """Normalise each channel over the batch, and over what axes follow the second.

    In training the statistics are those of the batch, and the running ones are moved towards them:
    ``mean = decay * mean + (1 - decay) * batch mean``, and `var` likewise, by the unbiased variance of
    the batch. Under `tensorgrad.test_mode` the running statistics are used, as constants.

    Parameters
    ----------
    x : Variable or array, shape (N, C) or (N, C, ...), real floating
    gamma, beta : Variable or array, shape (C,)
        Scale and shift.
    mean, var : Variable or array, shape (C,), optional
        Running statistics, changed in place in training. Without them the statistics are always those of
        the batch. Arrays that their library cannot change (JAX's) are given as Variables.
    decay : float, default 0.9
    eps : float, default 2e-5
        Added to the variance.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If shapes do not go together, or a channel has no element.
    TypeError
        If `x` is not real floating, or a running statistic cannot be changed.

    References
    ----------
    Ioffe, Szegedy, "Batch normalization", ICML 2015, algorithms 1 and 2.

    Examples
    --------
    >>> x = Variable(np.array([[1.0, 2.0], [3.0, 6.0]]))
    >>> mean, var = np.zeros(2), np.ones(2)
    >>> F.batch_norm(x, np.ones(2), np.zeros(2), mean, var, eps=0.0)
    variable([[-1. -1.]
              [ 1.  1.]])
    >>> mean, var
    (array([0.2, 0.4]), array([1.1, 1.7]))
    """
    shape = _checked_shape("batch_norm", x)
    if len(shape) < 2:
        raise ValueError(f"batch_norm: expected x of shape (N, C, ...); got {shape}")
    given = {"gamma": gamma, "beta": beta} | {
        k: v for k, v in (("mean", mean), ("var", var)) if v is not None
    }
    for name, array in given.items():
        _check_parameter("batch_norm", name, array, shape[1:2])
    if len(given) == 3:
        raise ValueError("batch_norm: expected both of mean and var, or none of them; got one")
    if mean is not None and not Config.train:
        return fixed_batch_norm(x, gamma, beta, as_array(mean), as_array(var), eps)
    axes = (0, *range(2, len(shape)))
    count = math.prod(shape[i] for i in axes)
    if count == 0:
        raise ValueError(f"batch_norm: expected one element or more in each channel; got x of shape {shape}")
    if mean is not None:
        owner = owner_of("batch_norm", x)
        for name in ("mean", "var"):
            _check_changeable(name, given[name], owner)
    spread = tuple(n if i == 1 else 1 for i, n in enumerate(shape))
    op = Standardize(shape, axes, spread, eps)
    y: Variable = op(x, gamma, beta)
    of_batch = op.taken_statistics()
    if mean is not None:
        for running, found, scale in zip(
            (mean, var), of_batch, (1.0, count / max(count - 1, 1)), strict=True
        ):
            move_statistic(running, op.xp.reshape(found, shape[1:2]), decay, scale, owner)
    return y


@samples(
    Sample(Real((4, 3)), _C, Real((3,)), Real((3,)), _C),
    Sample(Real((2, 3, 2, 2)), _C, Real((3,)), Real((3,)), _C, 0.1),
)
def fixed_batch_norm(  # noqa: PLR0917  # like batch_norm
    x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float = 2e-5
) -> Variable:
    """Normalise each channel by given statistics: what `batch_norm` does under `tensorgrad.test_mode`.

    Parameters
    ----------
    x : Variable or array, shape (N, C) or (N, C, ...), real floating
    gamma, beta, mean, var : Variable or array, shape (C,)
        All of them get gradients.
    eps : float, default 2e-5
        Added to the variance.

    Returns
    -------
    Variable, shape of `x`
        ``(x - mean) / sqrt(var + eps) * gamma + beta``

    Raises
    ------
    ValueError
        If shapes do not go together.
    TypeError
        If `x` is not real floating.

    Examples
    --------
    >>> one = np.ones(2)
    >>> F.fixed_batch_norm(Variable(np.array([[1.0, 3.0]])), one, one, one, one, eps=0.0)
    variable([[1. 3.]])
    """
    shape = _checked_shape("fixed_batch_norm", x)
    if len(shape) < 2:
        raise ValueError(f"fixed_batch_norm: expected x of shape (N, C, ...); got {shape}")
    for name, array in (("gamma", gamma), ("beta", beta), ("mean", mean), ("var", var)):
        _check_parameter("fixed_batch_norm", name, array, shape[1:2])
    scale = div(gamma, sqrt(var + eps))
    spread = (shape[1], *(1,) * (len(shape) - 2))
    if len(shape) > 2:
        mean, scale, beta = (reshape(v, spread) for v in (mean, scale, beta))
    return Rescale()(x, mean, scale, beta)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 4))),
    Sample(Real((2, 3)), _C, Real((3,))),
    Sample(Real((2, 3)), _C, eps=0.1),
    Sample(Real((2, 2, 3)), None, Real((3,))),
    Sample(Real((2, 2, 3)), Real((2, 3), 0.5, 1.5), Real((2, 3)), axis=(-2, -1)),
    Sample(Real((2, 3, 2)), _C, Real((3,)), axis=1),
)
def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, axis: int | tuple[int, ...] = -1, eps: float = 1e-5
) -> Variable:
    """Normalise over `axis`, each example on its own.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    gamma, beta : Variable or array, the lengths of `x` along `axis`, optional
        Scale and shift.
    axis : int or tuple of int, default -1
    eps : float, default 1e-5
        Added to the variance.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has no such axis, or shapes do not go together.
    TypeError
        If `x` is not real floating.

    References
    ----------
    Ba, Kiros, Hinton, "Layer normalization", 2016, equations 3 and 4.

    Examples
    --------
    >>> F.layer_norm(Variable(np.array([[1.0, 3.0], [5.0, 5.0]])), eps=0.0001)
    variable([[-0.99995  0.99995]
              [ 0.       0.     ]])
    """
    return _over_axes("layer_norm", Standardize, x, gamma, beta, axis=axis, eps=eps)


@samples(
    Sample(Real((2, 4))),
    Sample(Real((2, 3)), _C),
    Sample(Real((2, 2, 3)), Real((2, 3), 0.5, 1.5), axis=(1, 2), eps=0.1),
)
def rms_norm(x: Any, gamma: Any = None, axis: int | tuple[int, ...] = -1, eps: float = 1e-6) -> Variable:
    """Divide by the root of the mean square over `axis`.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    gamma : Variable or array, the lengths of `x` along `axis`, optional
        Scale.
    axis : int or tuple of int, default -1
    eps : float, default 1e-6
        Added to the mean square.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has no such axis, or shapes do not go together.
    TypeError
        If `x` is not real floating.

    References
    ----------
    Zhang, Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.

    Examples
    --------
    >>> F.rms_norm(Variable(np.array([[3.0, -3.0]])), eps=0.0)
    variable([[ 1. -1.]])
    """
    return _over_axes("rms_norm", RootMeanSquare, x, gamma, None, axis=axis, eps=eps)


@samples(
    Sample(Real((2, 4)), 2),
    Sample(Real((2, 4, 3)), 2, Real((4,), 0.5, 1.5), Real((4,))),
    Sample(Real((2, 3, 2, 2)), 3, _C),
    Sample(Real((2, 3, 2, 2)), 1, None, Real((3,)), eps=0.1),
)
def group_norm(x: Any, groups: int, gamma: Any = None, beta: Any = None, eps: float = 1e-5) -> Variable:
    """Normalise over groups of channels and what axes follow, each example on its own.

    One channel to a group is instance normalisation.

    Parameters
    ----------
    x : Variable or array, shape (N, C, ...), real floating
    groups : int
        A divisor of C.
    gamma, beta : Variable or array, shape (C,), optional
        Scale and shift.
    eps : float, default 1e-5
        Added to the variance.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `groups` does not divide C, or shapes do not go together.
    TypeError
        If `x` is not real floating.

    References
    ----------
    Wu, He, "Group normalization", ECCV 2018, equations 1 to 6.

    Examples
    --------
    >>> F.group_norm(Variable(np.array([[1.0, 3.0, 10.0, 30.0]])), 2, eps=0.0)
    variable([[-1.  1. -1.  1.]])
    """
    shape = _checked_shape("group_norm", x)
    if len(shape) < 2:
        raise ValueError(f"group_norm: expected x of shape (N, C, ...); got {shape}")
    if groups < 1 or shape[1] % groups:
        raise ValueError(f"group_norm: expected groups that divide {shape[1]} channels; got {groups}")
    view = (shape[0], groups, shape[1] // groups, *shape[2:])
    spread = (1, groups, view[2], *(1,) * (len(shape) - 2))
    axes = tuple(range(2, len(view)))
    return _normalized(
        "group_norm", Standardize(view, axes, spread, eps), x, gamma, beta, expected=shape[1:2]
    )


# -- what they share ---------------------------------------------------------------------------------


def _over_axes(
    name: str, kind: type[Normalization], x: Any, gamma: Any, beta: Any, *, axis: Any, eps: float
) -> Variable:
    shape = _checked_shape(name, x)
    axes = tuple(sorted(axes_of(name, axis, len(shape))))
    spread = tuple(n if i in axes else 1 for i, n in enumerate(shape))
    expected = tuple(shape[i] for i in axes)
    return _normalized(name, kind(shape, axes, spread, eps), x, gamma, beta, expected=expected)


def _normalized(name: str, op: Normalization, x: Any, gamma: Any, beta: Any, *, expected: Shape) -> Variable:
    for which, array in (("gamma", gamma), ("beta", beta)):
        if array is not None:
            _check_parameter(name, which, array, expected)
    y: Variable = op(x, 1.0 if gamma is None else gamma, 0.0 if beta is None else beta)
    if isinstance(op, Standardize):
        op.taken_statistics()
    return y


def _checked_shape(name: str, x: Any) -> Shape:
    """The shape of the input, if it is real floating."""
    shape = shape_of(name, x)
    if not owner_of(name, x).xp.isdtype(x.dtype, "real floating"):
        raise TypeError(f"{name}: expected a real floating dtype; got {x.dtype}")
    return shape


def _check_parameter(name: str, which: str, array: Any, expected: Shape) -> None:
    shape = shape_of(name, array)
    if shape != expected:
        raise ValueError(f"{name}: expected {which} of shape {expected}; got {shape}")


def _check_changeable(name: str, running: Any, owner: Backend) -> None:
    other = owner_of("batch_norm", running)
    if other is not owner:
        raise TypeError(
            f"batch_norm: expected {name} of {owner.name}, the library of x; got {other.name}. Nothing is "
            "moved silently: use v.to(name) on one of them."
        )
    if not isinstance(running, Variable) and not owner.writable:
        raise TypeError(
            f"batch_norm: expected {name} that can be changed in place; got an array of {owner.name}, "
            f"which cannot. Pass Variable({name}, requires_grad=False), whose data is then replaced."
        )


def move_statistic(running: Any, found: Array, decay: float, scale: float, owner: Backend) -> None:
    """Move a running statistic towards that of a batch, in place where its library can."""
    array = as_array(running)
    array *= decay
    array = owner.add_scaled(array, owner.xp.astype(found, array.dtype, copy=False), (1 - decay) * scale)
    if isinstance(running, Variable):
        running.data = array
