"""Recurrent layers over whole sequences: stacked, in both directions, of examples of several lengths."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tensorgrad import functions as F
from tensorgrad.core import Parameter, Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.initializers import LeCunNormal
from tensorgrad.layers.layer import Layer


class _Cell(Layer):
    """The weights of one layer in one direction: W, U, b, and of a GRU q."""

    def __init__(self, gates: int, hidden_size: int, in_size: int | None, dtype: Any, extra: bool) -> None:
        super().__init__()
        self.dtype = dtype
        self.width = gates * hidden_size
        self.W = Parameter(None, name="W")
        self.U = Parameter(LeCunNormal()((hidden_size, self.width), dtype), name="U")
        self.b = Parameter(np.zeros(self.width, dtype), name="b")
        if extra:
            self.q = Parameter(np.zeros(hidden_size, dtype), name="q")
        if in_size is not None:
            self.settle(in_size)

    def settle(self, in_size: int) -> None:
        """Draw W, if it is still open."""
        if self.W.data is None:
            self.W.data = self._put(LeCunNormal()((in_size, self.width), self.dtype))

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        return ((None, self.width), self.dtype) if name == "W" else None


class _NStep(Layer):
    """The base: layers over layers, directions, lengths; subclasses name the function and its gates."""

    function: ClassVar[Any]
    gates: ClassVar[int]
    states: ClassVar[int] = 1
    extra: ClassVar[bool] = False

    def __init__(
        self,
        hidden_size: int,
        n_layers: int = 1,
        in_size: int | None = None,
        *,
        bidirectional: bool = False,
        dropout_ratio: float = 0.0,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        if n_layers < 1:
            raise ValueError(f"{type(self).__name__}: expected one layer or more; got {n_layers}")
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.dropout_ratio = dropout_ratio
        size = in_size
        for name in self._names():
            number = int(name.removesuffix("_back")[1:])
            size = in_size if number == 0 else hidden_size * (2 if bidirectional else 1)
            setattr(self, name, _Cell(self.gates, hidden_size, size, dtype, self.extra))

    def _names(self) -> list[str]:
        """The attributes of the cells: l0, l0_back, l1, ..."""
        ways = ("", "_back") if self.bidirectional else ("",)
        return [f"l{i}{way}" for i in range(self.n_layers) for way in ways]

    def forward(self, x: Any, *states: Any, lengths: Any = None) -> tuple[Variable, ...]:
        name = type(self).__name__
        array = as_array(x)
        if len(array.shape) != 3 or array.shape[0] == 0:
            raise ValueError(f"{name}: expected x of shape (T, N, D), T > 0; got {tuple(array.shape)}")
        cells = [getattr(self, cell) for cell in self._names()]
        if cells[0].W.data is None:
            self._follow(array)
            for cell in cells[: 2 if self.bidirectional else 1]:
                cell.settle(array.shape[-1])
        starts = self._starts(states, array.shape[1], len(cells))
        backward = _Reversal(array, lengths) if self.bidirectional else None
        last: list[list[Variable]] = [[] for _ in starts]
        ways = 2 if self.bidirectional else 1
        for i in range(0, len(cells), ways):
            if i > 0 and self.dropout_ratio:
                x = F.dropout(x, self.dropout_ratio)
            ys = []
            for way in range(ways):
                k = i + way
                cell = cells[k]
                weights = (cell.W, cell.U, cell.b, *((cell.q,) if self.extra else ()))
                seen = backward(x) if way and backward else x
                y, *ends = type(self).function(seen, *(s[k] for s in starts), *weights, lengths=lengths)
                ys.append(backward(y) if way and backward else y)
                for found, end in zip(last, ends, strict=True):
                    found.append(end)
            x = F.concat(ys, axis=-1) if len(ys) > 1 else ys[0]
        return x, *(F.stack(found, axis=0) for found in last)

    def _starts(self, states: tuple[Any, ...], N: int, count: int) -> list[Any]:
        """For each kind of state, what each cell starts from."""
        shape = (count, N, self.hidden_size)
        if not states or all(s is None for s in states):
            W = getattr(self, self._names()[0]).W
            zeros = W.backend.xp.zeros(shape[1:], dtype=W.dtype, device=W.device)
            return [[zeros] * count] * self.states
        for s in states:
            if s is None or tuple(s.shape) != shape:
                got = None if s is None else tuple(s.shape)
                raise ValueError(f"{type(self).__name__}: expected a state of shape {shape}; got {got}")
        if len(states) != self.states:
            raise ValueError(
                f"{type(self).__name__}: expected {self.states} states, or none; got {len(states)}"
            )
        return [F.unstack(s, axis=0) for s in states]


class _Reversal:
    """The steps of each example in reverse order; what follows its end stays there."""

    def __init__(self, x: Any, lengths: Any) -> None:
        self.index = None
        if lengths is not None:
            owner = Variable(x).backend
            found = as_array(lengths)
            found = found if isinstance(found, np.ndarray) else Variable(found).backend.to_numpy(found)
            t = np.arange(x.shape[0])[:, None]
            index = np.where(t < found, found - 1 - t, t)[..., None]
            self.index = owner.from_numpy(index.astype("int64"), owner.device(x))

    def __call__(self, x: Any) -> Variable:
        y: Variable = F.flip(x, axis=0) if self.index is None else F.take_along_axis(x, self.index, axis=0)
        return y


class NStepRNN(_NStep):
    """Elman networks over whole sequences, one on top of the other; see `tensorgrad.functions.rnn`.

    Parameters
    ----------
    hidden_size : int
    n_layers : int, default 1
    in_size : int, optional
        By default the last length of the first input.
    bidirectional : bool, default False
        Run a second network from the end to the beginning; y has the states of both.
    dropout_ratio : float, default 0
        Between layers, in training.
    dtype : NumPy dtype, default float32

    Attributes
    ----------
    l0, l0_back, l1, ... : Layer
        The weights W, U and b of each layer and direction.

    Notes
    -----
    `forward` takes x of shape (T, N, in_size), h of shape (layers times directions, N, hidden_size) if it is
    not zeros, and ``lengths=`` where examples end earlier. It gives y of shape (T, N, hidden_size), or twice
    that length in both directions, and h at the end.

    Examples
    --------
    >>> y, h = tg.layers.NStepRNN(4, n_layers=2)(np.ones((5, 3, 2), np.float32))
    >>> y.shape, h.shape
    ((5, 3, 4), (2, 3, 4))
    """

    function = F.rnn
    gates = 1


class NStepLSTM(_NStep):
    """Long short-term memories over whole sequences, one on top of the other.

    Parameters and attributes are those of `NStepRNN`; the formula is that of `tensorgrad.functions.lstm`.

    Notes
    -----
    `forward` takes x of shape (T, N, in_size), h and c of shape (layers times directions, N, hidden_size) if
    they are not zeros, and ``lengths=``. It gives y as `NStepRNN` does, and h and c at the end.

    Examples
    --------
    >>> lstm = tg.layers.NStepLSTM(4, bidirectional=True)
    >>> y, h, c = lstm(np.ones((5, 3, 2), np.float32), lengths=[5, 2, 1])
    >>> y.shape, c.shape
    ((5, 3, 8), (2, 3, 4))
    """

    function = F.lstm
    gates = 4
    states = 2


class NStepGRU(_NStep):
    """Gated recurrent units over whole sequences, one on top of the other.

    Parameters and attributes are those of `NStepRNN`, with a bias q for each cell; the formula is that of
    `tensorgrad.functions.gru`.

    Examples
    --------
    >>> y, h = tg.layers.NStepGRU(4)(np.ones((5, 3, 2), np.float32))
    >>> y.shape, h.shape
    ((5, 3, 4), (1, 3, 4))
    """

    function = F.gru
    gates = 3
    extra = True
