"""The loss of a sequence of labels whose places are not known: CTC."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Variable, as_array
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.elementwise import logaddexp
from tensorgrad.functions.extremes import logsumexp
from tensorgrad.functions.indexing import take_along_axis
from tensorgrad.functions.joining import concat
from tensorgrad.functions.losses_values import REDUCTIONS, check_reduction, reduced
from tensorgrad.functions.manipulation import shape_of, unchanged
from tensorgrad.functions.selection import where

_LOG_P = Real((4, 2, 3), -3.0, 0.0)


@samples(
    Sample(_LOG_P, Ints((2, 2), 2), blank=2),
    Sample(_LOG_P, Ints((2, 2), 2), (4, 3), (2, 1), blank=2),
    Sample(_LOG_P, Ints((2, 3), 2), (3, 4), (0, 2), blank=2),
    *(Sample(_LOG_P, Ints((2, 2), 2), (4, 3), (2, 1), blank=2, reduction=r) for r in REDUCTIONS),
)
def ctc_loss(  # noqa: PLR0917  # the order of the field
    log_p: Any,
    t: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Variable:
    """Connectionist temporal classification: minus the log-probability of all alignments of a target.

    An alignment has a label or the blank for each time; it stands for what is left when repetitions
    are merged and blanks taken out.

    Parameters
    ----------
    log_p : Variable or array, shape (T, N, C), real floating
        Logarithms of probabilities, as `log_softmax` gives along the last axis.
    t : array, shape (N, S), integer
        Labels from 0 to C - 1 but for the blank, padded with any of them.
    input_lengths, target_lengths : sequence or array of int, shape (N,), optional
        How much of each sequence counts; all of it by default.
    blank : int, default 0
        The class of the blank.
    reduction : {'mean', 'sum', 'none'}
        The mean is that of the losses divided by the lengths of their targets.
    zero_infinity : bool, default False
        Give 0, not inf, for a target that is too long for its input.

    Returns
    -------
    Variable, 0-d, or shape (N,) for ``'none'``
        Nats. The gradient of a target that is too long is 0.

    Raises
    ------
    ValueError
        If the shapes do not fit, or an option does not.

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber 2006, "Connectionist temporal classification: labelling
    unsegmented sequence data with recurrent neural networks", eq. 6 to 8, with logarithms.

    Examples
    --------
    >>> log_p = Variable(np.log(np.full((2, 1, 2), 0.5)))
    >>> F.ctc_loss(log_p, np.array([[1]])).item().__round__(6)  # 3 of 4 alignments: 11, 01, 10
    0.287682
    """
    check_reduction("ctc_loss", reduction)
    t = as_array(t)
    shape = shape_of("ctc_loss", log_p)
    if len(shape) != 3 or shape[0] == 0 or len(t.shape) != 2 or t.shape[0] != shape[1]:
        raise ValueError(
            "ctc_loss: expected log-probabilities of shape (T, N, C), T > 0, and targets of shape (N, S); "
            f"got {shape} and {tuple(t.shape)}"
        )
    if not 0 <= blank < shape[2]:
        raise ValueError(f"ctc_loss: expected blank in [0, {shape[2]}); got {blank}")
    log_p = unchanged(log_p)
    owner = log_p.backend
    xp = owner.xp
    device = owner.device(log_p.data)
    inputs = _lengths("input_lengths", input_lengths, shape[0], log_p)
    targets = _lengths("target_lengths", target_lengths, t.shape[1], log_p)
    never = max(-1e30, float(xp.finfo(log_p.dtype).min) / 2)  # finite: the difference of two inf is nan
    states, skips = _states(xp, t, blank, device)
    alpha = _alpha(log_p, states, skips, inputs, never)
    place = xp.reshape(xp.arange(states.shape[1], device=device), (1, -1))
    ends = xp.reshape(2 * targets, (-1, 1))
    at_end = xp.logical_or(place == ends, place == ends - 1)
    total = logsumexp(where(at_end, alpha, never), axis=1)
    y = where(as_array(total) > never / 2, -total, 0.0 if zero_infinity else math.inf)
    if reduction == "mean":
        y = y / xp.astype(xp.where(targets > 0, targets, xp.ones_like(targets)), log_p.dtype)
    return reduced(y, reduction)


def _lengths(name: str, lengths: Any, default: int, log_p: Variable) -> Array:
    owner, n = log_p.backend, log_p.shape[1]
    xp, device = owner.xp, owner.device(log_p.data)
    if lengths is None:
        return xp.full((n,), default, dtype=xp.int64, device=device)
    array = as_array(lengths)
    if not hasattr(lengths, "dtype"):
        array = owner.from_numpy(array, device)
    if tuple(array.shape) != (n,):
        raise ValueError(f"ctc_loss: expected {name} of shape ({n},); got {tuple(array.shape)}")
    return xp.astype(array, xp.int64)


def _states(xp: Any, t: Array, blank: int, device: Any) -> tuple[Array, Array]:
    """Targets with a blank before, between and after labels; and where the blank may be left out."""
    n, count = t.shape
    t = xp.astype(t, xp.int64)
    blanks = xp.full((n, count), blank, dtype=xp.int64, device=device)
    pairs = xp.reshape(xp.stack((blanks, t), axis=2), (n, 2 * count))
    last = xp.full((n, 1), blank, dtype=xp.int64, device=device)
    states = xp.concat((pairs, last), axis=1)
    earlier = xp.concat((last, last, states), axis=1)[:, :-2]
    return states, xp.logical_and(states != blank, states != earlier)


def _alpha(log_p: Variable, states: Array, skips: Array, inputs: Array, never: float) -> Variable:
    """Log-probability of all beginnings of an alignment that end in each state, at the last time."""
    owner = log_p.backend
    xp = owner.xp
    device = owner.device(log_p.data)
    n, width = states.shape
    emitted = take_along_axis(log_p, xp.broadcast_to(states, (log_p.shape[0], n, width)), axis=2)
    place = xp.arange(width, device=device)
    before = xp.full((n, 2), never, dtype=log_p.dtype, device=device)
    alpha = where(place < 2, emitted[0], never)
    for time in range(1, log_p.shape[0]):
        padded = concat((before, alpha), axis=1)
        one, two = padded[:, 1 : width + 1], padded[:, :width]
        reached = logaddexp(logaddexp(alpha, one), where(skips, two, never))
        alpha = where(xp.reshape(time < inputs, (n, 1)), reached + emitted[time], alpha)
    return alpha
