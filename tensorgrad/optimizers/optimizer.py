"""Optimizer, the base: which parameters are updated, the hooks, and what is kept between updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

from tensorgrad.backend import Array, Backend, backend_of
from tensorgrad.core import Variable, no_grad
from tensorgrad.core.variable import transfer

Hook = Callable[[list[Variable]], object]


class Optimizer:
    """Changes parameters by their gradients; a subclass says how, in ``update_one``.

    Arrays are changed in place where their library can do that. Parameters without a gradient are
    left out, and one that several layers share is updated once. What is kept of a parameter between
    updates is dropped with the parameter, and follows it to another library or device.

    Attributes
    ----------
    target : object with ``params()``, or list of Variable
        What `setup` was given.
    hooks : list of callable
        Run by `update` before anything else.

    Examples
    --------
    >>> class SignSGD(tg.optimizers.Optimizer):
    ...     def __init__(self, lr=0.01):
    ...         super().__init__()
    ...         self.lr = lr
    ...     def update_one(self, param):
    ...         param.data -= self.lr * np.sign(param.grad.data)
    >>> w = tg.Parameter(np.array([1.0, 2.0]))
    >>> optimizer = SignSGD(lr=0.5).setup([w])
    >>> (w * w).sum().backward()
    >>> optimizer.update()
    >>> w
    variable([0.5 1.5])
    """

    def __init__(self) -> None:
        self.target: Any = None
        self.hooks: list[Hook] = []
        self._states: dict[Variable, dict[str, Any]] = {}

    def setup(self, target: Any) -> Self:
        """Say what is to be updated.

        Parameters
        ----------
        target : Layer, or iterable of Variable
            A layer is asked for its parameters at each update.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If `target` is neither.
        """
        if not hasattr(target, "params"):
            single = isinstance(target, Variable) or not isinstance(target, Iterable)
            target = [target] if single else list(target)
            wrong = [p for p in target if not isinstance(p, Variable)]
            if wrong:
                raise TypeError(
                    f"{type(self).__name__}.setup: expected a Layer or a list of Variables; "
                    f"got {type(wrong[0]).__name__}"
                )
        self.target = target
        return self

    def add_hook(self, hook: Hook) -> None:
        """Let `hook` see, and change, the gradients before each update.

        Parameters
        ----------
        hook : callable
            Gets the list of the parameters that have a gradient. Hooks run in the order in which
            they were added.
        """
        self.hooks.append(hook)

    def update(self) -> None:
        """Change every parameter that has a gradient, once.

        Raises
        ------
        RuntimeError
            If nothing was set up.
        """
        if self.target is None:
            raise RuntimeError(f"{type(self).__name__}.update: nothing to update; call setup(model) first")
        every = list(dict.fromkeys(_params(self.target)))
        if self._states:
            for gone in self._states.keys() - every:
                del self._states[gone]
        params = _with_gradient(every)
        if self.hooks:
            with no_grad():
                for hook in self.hooks:
                    hook(params)
                    params = _with_gradient(params)
        for p in params:
            self.update_one(p)

    def update_one(self, param: Any) -> None:
        """Change ``param.data`` by ``param.grad.data``; subclasses define it."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define update_one. An Optimizer needs update_one(self, param)."
        )

    def state(self, param: Variable, *names: str) -> dict[str, Any]:
        """What is kept of a parameter: an array for each name, zeros at first, beside its data.

        The dict is the optimizer's own: assign to its items, and put numbers there too.
        """
        state = self._states.get(param)
        data = param.data
        owner = _owner(data)
        if state is None:
            state = self._states[param] = {}
        for name in names:
            array = state.get(name)
            if array is None:
                state[name] = owner.xp.zeros_like(data)
            elif _owner(array) is not owner or owner.device(array) != owner.device(data):
                state[name] = transfer(array, owner, owner.device(data))
        return state


def _owner(array: Array) -> Backend:
    owner = backend_of(array)
    assert owner is not None, "the data of a Variable is an array"
    return owner


def _params(target: Any) -> Iterable[Variable]:
    params: Iterable[Variable] = target.params() if hasattr(target, "params") else target
    return params


def _with_gradient(params: Iterable[Variable]) -> list[Variable]:
    return [p for p in params if p.grad is not None]
