"""Recurrent networks over whole sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Variable, as_array
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.indexing import get_item
from tensorgrad.functions.manipulation import owner_of, shape_of
from tensorgrad.functions.recurrences import ElmanSequence, GruSequence, LstmSequence
from tensorgrad.functions.selection import where
from tensorgrad.functions.transfer import copy


def _inputs(gates: int, states: int, *more: Any) -> tuple[Any, ...]:
    return (
        *(Real((3, 2, 2)), *[Real((2, 3))] * states),
        *(Real((2, 3 * gates)), Real((3, 3 * gates)), Real((3 * gates,)), *more),
    )


@samples(Sample(*_inputs(1, 1)), Sample(*_inputs(1, 1), lengths=[3, 1]))
def rnn(  # noqa: PLR0917  # the formula's symbols
    x: Any, h: Any, W: Any, U: Any, b: Any, lengths: Any = None
) -> tuple[Variable, Variable]:
    """An Elman network over whole sequences: ``h = tanh(x W + h U + b)`` at each step.

    Parameters
    ----------
    x : Variable or array, shape (T, N, D)
        Step by step, one step or more.
    h : Variable or array, shape (N, H)
        The state at the start.
    W : Variable or array, shape (D, H)
    U : Variable or array, shape (H, H)
    b : Variable or array, shape (H,)
    lengths : sequence or array of int, shape (N,), optional
        How many steps each example has, at least 1; what follows in `x` is ignored.

    Returns
    -------
    y : Variable, shape (T, N, H)
        The state after each step; zeros after the end of an example.
    h : Variable, shape (N, H)
        The state at the end of each example.

    Raises
    ------
    ValueError
        If shapes do not go together, or a length is not in 1..T.

    References
    ----------
    Elman, "Finding structure in time", Cognitive Science 14 (1990) 179-211.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> y, h = F.rnn(np.ones((2, 1, 1)), np.zeros((1, 1)), one, one, np.zeros(1))
    >>> y.shape, h
    ((2, 1, 1), variable([[0.94268079]]))
    """
    index = _checked("rnn", 1, x, (h,), (W, U, b), lengths=lengths)
    y = ElmanSequence(index)(_ended(x, index), h, W, U, b)
    return _ended(y, index), _last(y)


@samples(Sample(*_inputs(4, 2)), Sample(*_inputs(4, 2), lengths=[1, 3]))
def lstm(  # noqa: PLR0917  # the formula's symbols
    x: Any, h: Any, c: Any, W: Any, U: Any, b: Any, lengths: Any = None
) -> tuple[Variable, Variable, Variable]:
    """A long short-term memory over whole sequences.

    At each step, with ``f, i, o = sigmoid(...)`` and ``u = tanh(...)`` of the four parts of
    ``x W + h U + b``, in this order: ``c = f c + i u``, ``h = o tanh(c)``.

    Parameters
    ----------
    x : Variable or array, shape (T, N, D)
        Step by step, one step or more.
    h, c : Variable or array, shape (N, H)
        The state at the start.
    W : Variable or array, shape (D, 4 H)
    U : Variable or array, shape (H, 4 H)
    b : Variable or array, shape (4 H,)
    lengths : sequence or array of int, shape (N,), optional
        How many steps each example has, at least 1; what follows in `x` is ignored.

    Returns
    -------
    y : Variable, shape (T, N, H)
        h after each step; zeros after the end of an example.
    h, c : Variable, shape (N, H)
        The state at the end of each example.

    Raises
    ------
    ValueError
        If shapes do not go together, or a length is not in 1..T.

    References
    ----------
    Hochreiter, Schmidhuber, "Long short-term memory", Neural Computation 9 (1997) 1735-1780; with the
    forget gate of Gers, Schmidhuber, Cummins 2000.

    Examples
    --------
    >>> zeros = np.zeros((1, 2))
    >>> y, h, c = F.lstm(np.ones((5, 1, 3)), zeros, zeros, np.zeros((3, 8)), np.zeros((2, 8)), np.zeros(8))
    >>> y.shape, c
    ((5, 1, 2), variable([[0. 0.]]))
    """
    index = _checked("lstm", 4, x, (h, c), (W, U, b), lengths=lengths)
    y, cs = LstmSequence(index)(_ended(x, index), h, c, W, U, b)
    return _ended(y, index), _last(y), _last(cs)


@samples(
    Sample(*_inputs(3, 1, Real((3,)))),
    Sample(*_inputs(3, 1, Real((3,))), lengths=[2, 3]),
)
def gru(  # noqa: PLR0917  # the formula's symbols
    x: Any, h: Any, W: Any, U: Any, b: Any, q: Any, lengths: Any = None
) -> tuple[Variable, Variable]:
    """A gated recurrent unit over whole sequences.

    At each step, with W, U and b in three parts r, z, n: ``r`` and ``z`` are
    ``sigmoid(x W + h U + b)``, ``n = tanh(x W_n + b_n + r (h U_n + q))`` and ``h = (1 - z) n + z h``.

    Parameters
    ----------
    x : Variable or array, shape (T, N, D)
        Step by step, one step or more.
    h : Variable or array, shape (N, H)
        The state at the start.
    W : Variable or array, shape (D, 3 H)
    U : Variable or array, shape (H, 3 H)
    b : Variable or array, shape (3 H,)
    q : Variable or array, shape (H,)
    lengths : sequence or array of int, shape (N,), optional
        How many steps each example has, at least 1; what follows in `x` is ignored.

    Returns
    -------
    y : Variable, shape (T, N, H)
        The state after each step; zeros after the end of an example.
    h : Variable, shape (N, H)
        The state at the end of each example.

    Raises
    ------
    ValueError
        If shapes do not go together, or a length is not in 1..T.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014; the reset gate
    is applied after the product with U, as in cuDNN, PyTorch and version 1 of the paper.

    Examples
    --------
    >>> W, U = np.zeros((3, 6)), np.zeros((2, 6))
    >>> y, h = F.gru(np.ones((5, 1, 3)), np.ones((1, 2)), W, U, np.zeros(6), np.zeros(2))
    >>> h
    variable([[0.03125 0.03125]])
    """
    index = _checked("gru", 3, x, (h,), (W, U, b), lengths=lengths)
    if shape_of("gru", q) != shape_of("gru", h)[1:]:
        raise ValueError(f"gru: expected q of shape {shape_of('gru', h)[1:]}; got {shape_of('gru', q)}")
    y = GruSequence(index)(_ended(x, index), h, W, U, b, q)
    return _ended(y, index), _last(y)


def _checked(
    name: str, gates: int, x: Any, states: Sequence[Any], weights: Sequence[Any], *, lengths: Any
) -> Array | None:
    """The lengths as an array beside x, if everything fits."""
    shape = shape_of(name, x)
    if len(shape) != 3 or shape[0] == 0:
        raise ValueError(f"{name}: expected x of shape (T, N, D) with one step or more; got {shape}")
    T, N, D = shape
    H = (*shape_of(name, states[0]), 0)[1]
    names = [*("h", "c")[: len(states)], "W", "U", "b"]
    expected = [*[(N, H)] * len(states), (D, gates * H), (H, gates * H), (gates * H,)]
    for which, array, want in zip(names, [*states, *weights], expected, strict=True):
        if shape_of(name, array) != want:
            raise ValueError(
                f"{name}: expected {which} of shape {want} for x {shape} and h of {H} units; "
                f"got {shape_of(name, array)}"
            )
    if lengths is None:
        return None
    owner = owner_of(name, x)
    found = as_array(lengths)
    on_host = found if not hasattr(found, "shape") else _host(found)
    if on_host.shape != (N,) or on_host.dtype.kind not in "iu" or not ((on_host > 0) & (on_host <= T)).all():
        raise ValueError(f"{name}: expected {N} lengths from 1 to {T}; got {on_host.tolist()}")
    return owner.from_numpy(on_host.astype("int64"), owner.device(as_array(x)))


def _last(states: Variable) -> Variable:
    """The state after the last step, in memory of its own: who keeps it does not keep all of them."""
    return copy(get_item(states, -1))


def _host(array: Array) -> Any:
    return owner_of("lengths", array).to_numpy(array)


def _ended(x: Any, lengths: Array | None) -> Any:
    """Inputs or states with zeros after the end of each example."""
    if lengths is None:
        return x
    owner, array = owner_of("lengths", x), as_array(x)
    steps = owner.xp.arange(array.shape[0], dtype=lengths.dtype, device=owner.device(array))
    steps = owner.xp.expand_dims(steps, axis=1)
    return where(owner.xp.expand_dims(steps < lengths, axis=-1), x, 0.0)
