"""Modes: recording and training. They belong to the context (thread, async task) that sets them."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, NamedTuple


class State(NamedTuple):
    """The modes of one context."""

    enable_backprop: bool = True
    train: bool = True
    precision: str | None = None  # of `autocast`


_SWITCHES = ("enable_backprop", "train")

STATE: ContextVar[State] = ContextVar("tensorgrad.config", default=State())  # noqa: B039  # a NamedTuple cannot change
"""What the hot path reads: ``STATE.get().enable_backprop``."""


_CHANGED: dict[tuple[State, str, Any], State] = {}


def _changed(state: State, name: str, value: Any) -> State:
    """The state with one value changed; made once, as there are few."""
    key = (state, name, value)
    changed = _CHANGED.get(key)
    if changed is None:
        changed = _CHANGED[key] = state._replace(**{name: value})
    return changed


def _check(name: str) -> None:
    if name not in _SWITCHES:
        raise LookupError(f"no configuration is named {name!r}; there are: {', '.join(_SWITCHES)}")


class _Config:
    """The configuration of the current context; reads and writes like attributes.

    Attributes
    ----------
    enable_backprop : bool
        Whether ops record the graph that a backward needs.
    train : bool
        Whether dropout, batch normalisation and the like behave as in training.
    precision : str or None
        What `autocast` says; it is set by that alone.

    Examples
    --------
    >>> tg.Config.enable_backprop
    True
    """

    __slots__ = ()
    enable_backprop: bool
    train: bool
    precision: str | None

    def __getattribute__(self, name: str) -> Any:
        if name in State._fields:
            return getattr(STATE.get(), name)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _check(name)
        STATE.set(_changed(STATE.get(), name, bool(value)))

    def __repr__(self) -> str:
        return repr(STATE.get()).replace("State", "Config", 1)


Config = _Config()


def set_recording(recording: bool) -> State:
    """Switch recording on or off in this context, and return the state to go back to with ``STATE.set``.

    `using_config` without its object, for the engine: it does this twice in every training step.
    """
    before = STATE.get()
    if before.enable_backprop is not recording:
        STATE.set(_changed(before, "enable_backprop", recording))
    return before


class using_config(ContextDecorator):
    """Set one configuration value for a ``with`` block, or for the calls of a decorated function.

    Parameters
    ----------
    name : {'enable_backprop', 'train'}
    value : bool

    Raises
    ------
    LookupError
        If no configuration has that name.

    Examples
    --------
    >>> with tg.using_config("train", False):
    ...     tg.Config.train
    False
    """

    def __init__(self, name: str, value: bool) -> None:
        _check(name)
        self._name = name
        self._value = bool(value)
        self._before: list[bool] = []

    def _recreate_cm(self) -> using_config:
        return using_config(self._name, self._value)

    def __enter__(self) -> None:
        state = STATE.get()
        self._before.append(getattr(state, self._name))
        STATE.set(_changed(state, self._name, self._value))

    def __exit__(self, *exc: object) -> None:
        STATE.set(_changed(STATE.get(), self._name, self._before.pop()))


def no_grad() -> using_config:
    """Record nothing in this block: what ops return has no creator and needs no memory for a backward.

    Examples
    --------
    >>> x = Variable(np.array(2.0))
    >>> with tg.no_grad():
    ...     y = x * x
    >>> y.creator is None
    True
    """
    return using_config("enable_backprop", False)


def test_mode() -> using_config:
    """Behave as at test time in this block: no dropout, running statistics are used, not updated.

    Examples
    --------
    >>> with tg.test_mode():
    ...     tg.Config.train
    False
    """
    return using_config("train", False)


test_mode.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest makes of its name


class autocast(ContextDecorator):
    """Compute products and convolutions in half precision in this block, or in calls of a decorated function.

    `matmul`, `linear`, `tensordot`, convolutions and their transposes, and attention (but for the softmax in
    it) take float32 inputs in the dtype given here, forward and backward. Softmax, losses, normalisation,
    sums and other reductions, recurrent sequences, exponentials, logarithms and powers take half-precision
    inputs in float32. Every other op computes in the dtype of its inputs, as everywhere. float64 is left
    alone. Parameters stay as they are: those in float32 are the master weights, cast where they are used, and
    so are their gradients.

    Parameters
    ----------
    dtype : {'float16', 'bfloat16', None}
        None switches it off in an inner block.

    Raises
    ------
    ValueError
        If `dtype` is another.
    TypeError
        By the first op that needs it, if the library of the arrays lacks the dtype: NumPy has no bfloat16.

    Notes
    -----
    Call the model and the loss in the block; backward may be called outside. Gradients in float16 that are
    smaller than 6e-8 are lost: `tensorgrad.optimizers.GradScaler` scales them up. bfloat16 has the range of
    float32 and needs none. NumPy has no fast products in float16: there it only shows what would happen.

    References
    ----------
    Micikevicius et al., "Mixed precision training", ICLR 2018.

    Examples
    --------
    >>> x, W = np.ones((2, 3), np.float32), tg.Parameter(np.ones((3, 2), np.float32))
    >>> with tg.autocast("float16"):
    ...     y = F.matmul(x, W)
    ...     loss = F.sum(y)
    >>> print(y.dtype, loss.dtype)
    float16 float32
    >>> loss.backward()
    >>> W.grad.dtype
    dtype('float32')
    """

    def __init__(self, dtype: str | None) -> None:
        if dtype not in ("float16", "bfloat16", None):
            raise ValueError(f"autocast: expected 'float16', 'bfloat16' or None; got {dtype!r}")
        self._dtype = dtype
        self._before: list[str | None] = []

    def _recreate_cm(self) -> autocast:
        return autocast(self._dtype)

    def __enter__(self) -> None:
        state = STATE.get()
        self._before.append(state.precision)
        STATE.set(_changed(state, "precision", self._dtype))

    def __exit__(self, *exc: object) -> None:
        STATE.set(_changed(STATE.get(), "precision", self._before.pop()))
