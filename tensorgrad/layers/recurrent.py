"""Recurrent layers that take one step at a call, and remember their state from call to call."""

from __future__ import annotations

from typing import Any, ClassVar

from tensorgrad import functions as F
from tensorgrad.core import Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.linear import Linear


class _Recurrent(Layer):
    """The base: a state that fits the input, and sizes that are open until the first one."""

    carried: ClassVar[tuple[str, ...]] = ("h",)
    h: Variable | None

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.reset_state()

    def _prepare(self, x: Any, first: Linear) -> None:
        """Follow the first input; check that the state is for as many examples as x."""
        x = as_array(x)
        name = type(self).__name__
        if len(x.shape) != 2:
            raise ValueError(f"{name}: expected x of shape (N, in_size); got {tuple(x.shape)}")
        if first.W.data is None:
            self._follow(x)
        if self.h is not None and self.h.shape[0] != x.shape[0]:
            raise ValueError(
                f"{name}: expected a batch of {self.h.shape[0]}, as in the step before; got {x.shape[0]}. "
                "Call reset_state() before another sequence."
            )


class RNN(_Recurrent):
    """One step of an Elman network: ``h = tanh(x2h(x) + h2h(h))``.

    Parameters
    ----------
    hidden_size : int
    in_size : int, optional
        By default the last length of the first input.

    Attributes
    ----------
    x2h : Linear, W of shape (in_size, hidden_size)
    h2h : Linear, W of shape (hidden_size, hidden_size), without b
        Without `in_size` drawn at the second step, as in the book.
    h : Variable, shape (N, hidden_size), or None
        The state. It moves with the layer and is part of the graph: ``loss.unchain_backward()`` cuts that
        off (truncated backpropagation through time), `reset_state` begins a sequence.

    Notes
    -----
    `forward` takes x of shape (N, in_size) and gives h. For sequences as a whole there is `NStepRNN`.

    Examples
    --------
    >>> rnn = tg.layers.RNN(4)
    >>> for x in np.ones((3, 1, 2), np.float32):
    ...     h = rnn(x)
    >>> h.shape
    (1, 4)
    >>> rnn.reset_state()
    """

    def __init__(self, hidden_size: int, in_size: int | None = None) -> None:
        super().__init__(hidden_size)
        self.x2h = Linear(hidden_size, in_size=in_size)
        self.h2h = Linear(hidden_size, in_size=None if in_size is None else hidden_size, nobias=True)

    def forward(self, x: Any) -> Variable:
        self._prepare(x, self.x2h)
        a = self.x2h(x)
        h = F.tanh(a if self.h is None else a + self.h2h(self.h))
        self.h = h
        return h


class LSTM(_Recurrent):
    """One step of a long short-term memory.

    ``f, i, o = sigmoid(x2.(x) + h2.(h))``, ``u = tanh(x2u(x) + h2u(h))``, ``c = f c + i u``,
    ``h = o tanh(c)``.

    Parameters
    ----------
    hidden_size : int
    in_size : int, optional
        By default the last length of the first input.

    Attributes
    ----------
    x2f, x2i, x2o, x2u : Linear, W of shape (in_size, hidden_size)
    h2f, h2i, h2o, h2u : Linear, W of shape (hidden_size, hidden_size), without b
    h, c : Variable, shape (N, hidden_size), or None
        The state; see `RNN`.

    Notes
    -----
    `forward` takes x of shape (N, in_size) and gives h. For sequences as a whole there is `NStepLSTM`.

    References
    ----------
    Hochreiter, Schmidhuber, "Long short-term memory", Neural Computation 9 (1997) 1735-1780; with the
    forget gate of Gers, Schmidhuber, Cummins 2000.

    Examples
    --------
    >>> lstm = tg.layers.LSTM(4)
    >>> lstm(np.ones((1, 2), np.float32)).shape
    (1, 4)
    """

    carried = ("h", "c")
    c: Variable | None
    x2f: Linear

    def __init__(self, hidden_size: int, in_size: int | None = None) -> None:
        super().__init__(hidden_size)
        for gate in "fiou":
            setattr(self, f"x2{gate}", Linear(hidden_size, in_size=in_size))
        for gate in "fiou":
            setattr(self, f"h2{gate}", Linear(hidden_size, in_size=hidden_size, nobias=True))

    def forward(self, x: Any) -> Variable:
        self._prepare(x, self.x2f)
        f, i, o, u = (self._gate(gate, x) for gate in "fiou")
        f, i, o, u = F.sigmoid(f), F.sigmoid(i), F.sigmoid(o), F.tanh(u)
        self.c = i * u if self.c is None else f * self.c + i * u
        h = o * F.tanh(self.c)
        self.h = h
        return h

    def _gate(self, gate: str, x: Any) -> Variable:
        a: Variable = getattr(self, f"x2{gate}")(x)
        return a if self.h is None else a + getattr(self, f"h2{gate}")(self.h)


class GRU(_Recurrent):
    """One step of a gated recurrent unit.

    ``r, z = sigmoid(x2.(x) + h2.(h))``, ``n = tanh(x2n(x) + r h2n(h))``, ``h = (1 - z) n + z h``.

    Parameters
    ----------
    hidden_size : int
    in_size : int, optional
        By default the last length of the first input.

    Attributes
    ----------
    x2r, x2z, x2n : Linear, W of shape (in_size, hidden_size)
    h2r, h2z : Linear, W of shape (hidden_size, hidden_size), without b
    h2n : Linear, W of shape (hidden_size, hidden_size)
    h : Variable, shape (N, hidden_size), or None
        The state; see `RNN`.

    Notes
    -----
    `forward` takes x of shape (N, in_size) and gives h. For sequences as a whole there is `NStepGRU`.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014; the reset gate
    is applied after the product, as in cuDNN and PyTorch.

    Examples
    --------
    >>> gru = tg.layers.GRU(4)
    >>> gru(np.ones((1, 2), np.float32)).shape
    (1, 4)
    """

    x2r: Linear
    h2r: Linear
    h2z: Linear
    h2n: Linear

    def __init__(self, hidden_size: int, in_size: int | None = None) -> None:
        super().__init__(hidden_size)
        for gate in "rzn":
            setattr(self, f"x2{gate}", Linear(hidden_size, in_size=in_size))
        for gate in "rzn":
            setattr(self, f"h2{gate}", Linear(hidden_size, in_size=hidden_size, nobias=gate != "n"))

    def forward(self, x: Any) -> Variable:
        self._prepare(x, self.x2r)
        r, z, n = (getattr(self, f"x2{gate}")(x) for gate in "rzn")
        h = self.h
        if h is None:
            h = Variable(n.backend.xp.zeros_like(n.data), requires_grad=False)
        r, z = F.sigmoid(r + self.h2r(h)), F.sigmoid(z + self.h2z(h))
        n = F.tanh(n + r * self.h2n(h))
        self.h = new = n + z * (h - n)
        return new
