"""Optimizer, the base: which parameters are updated, the hooks, and what is kept between updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any, ClassVar, Self

from tensorgrad import npz
from tensorgrad.backend import Array, Backend, backend_of, is_array
from tensorgrad.core import Variable, no_grad
from tensorgrad.core.function import explain_memory
from tensorgrad.core.variable import transfer
from tensorgrad.optimizers import saving

Hook = Callable[[list[Variable]], object]
Rule = Callable[..., tuple[Array, ...]]


class Group:
    """Parameters that are updated with settings of their own.

    Attributes
    ----------
    target : object with ``params()``, or list of Variable
    settings : dict
        Attributes of the optimizer and their values for these parameters. They may be changed.
    """

    def __init__(self, target: Any, settings: dict[str, Any]) -> None:
        self.target = target
        self.settings = settings


class Optimizer:
    """Changes parameters by their gradients; a subclass says how, in ``update_one``.

    Arrays are changed in place where their library can do that. Parameters without a gradient are
    left out, and one that several layers share is updated once. What is kept of a parameter between
    updates is dropped with the parameter, and follows it to another library or device.

    Attributes
    ----------
    target : object with ``params()``, or list of Variable
        What `setup` was given.
    groups : list of Group
        What `add_group` was given.
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

    rate_name: ClassVar[str] = "lr"
    """The attribute that schedules change."""
    replayed: Any = 0
    """While a captured step is traced: how many updates there will have been since, a number of the trace."""

    elementwise: ClassVar[bool] = True
    """Whether each element is changed by its own gradient and what is kept of it alone: then a part of a
    parameter can be updated without the rest. A rule that looks at more, as at a norm, says False."""

    def __init__(self) -> None:
        self.target: Any = None
        self.hooks: list[Hook] = []
        self.groups: list[Group] = []
        self._states: dict[Variable, dict[str, Any]] = {}

    # -- what is updated -------------------------------------------------------------------------

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
        self.target = self._checked("setup", target)
        return self

    def add_group(self, target: Any, **settings: Any) -> Self:
        """Update some parameters with settings of their own.

        Parameters
        ----------
        target : Layer, or iterable of Variable
            Some of what `setup` was given, or others. One that is in several groups belongs to the last.
        **settings
            Attributes of this optimizer, such as ``lr``, and their values for these parameters.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If `target` is neither.
        ValueError
            If this optimizer has no such setting; the message lists those it has.

        Examples
        --------
        >>> model = tg.models.MLP((8, 2))
        >>> optimizer = tg.optimizers.AdamW(0.001).setup(model)
        >>> optimizer = optimizer.add_group([model.l0.b, model.l1.b], weight_decay=0.0)
        """
        known = self.settings()
        wrong = [name for name in settings if name not in known]
        if wrong:
            raise ValueError(
                f"{type(self).__name__}.add_group: no setting is named {', '.join(wrong)}; "
                f"there are: {', '.join(known)}"
            )
        self.groups.append(Group(self._checked("add_group", target), settings))
        return self

    def _checked(self, method: str, target: Any) -> Any:
        if hasattr(target, "params") and not isinstance(target, type):
            return target
        single = isinstance(target, Variable) or not isinstance(target, Iterable)
        target = [target] if single else list(target)
        wrong = [p for p in target if not isinstance(p, Variable)]
        if wrong:
            raise TypeError(
                f"{type(self).__name__}.{method}: expected a Layer or a list of Variables; "
                f"got {type(wrong[0]).__name__}"
            )
        return target

    def params(self) -> list[Variable]:
        """Every parameter of the target and of the groups, each once."""
        found = [] if self.target is None else [*_params(self.target)]
        for group in self.groups:
            found += _params(group.target)
        return list(dict.fromkeys(found))

    def add_hook(self, f: Hook) -> None:
        """Let `f` see, and change, the gradients before each update.

        Parameters
        ----------
        f : callable
            Gets the list of the parameters that have a gradient. Hooks run in the order in which
            they were added.
        """
        self.hooks.append(f)

    # -- the update ------------------------------------------------------------------------------

    def update(self) -> None:
        """Change every parameter that has a gradient, once.

        Raises
        ------
        RuntimeError
            If nothing was set up, or what was has no parameters.
        TypeError
            If a gradient is no Variable.
        """
        if self.target is None and not self.groups:
            raise RuntimeError(f"{type(self).__name__}.update: nothing to update; call setup(model) first")
        try:
            self._update_with_hooks()
        except MemoryError as error:
            explain_memory(error)
            raise
        except (AttributeError, TypeError):
            for p in self.params():
                if not isinstance(p.grad, Variable | None):
                    raise TypeError(
                        f"{type(self).__name__}.update: expected gradients that are Variables; "
                        f"got {type(p.grad).__name__}. Set p.grad = tg.Variable(array)."
                    ) from None
            raise

    def _update_with_hooks(self) -> None:
        every = self.params()
        if not every and not isinstance(self.target, list | None):
            raise RuntimeError(
                f"{type(self).__name__}.update: {type(self.target).__name__} has no parameters. A layer "
                "finds those of its attributes, and of layers in an L.LayerList; not in lists and dicts."
            )
        if self._states:
            for gone in self._states.keys() - every:
                del self._states[gone]
        params = _with_gradient(every)
        if self.hooks:
            with no_grad():
                for hook in self.hooks:
                    hook(params)
                    params = _with_gradient(params)
        if not self.groups:
            self.update_all(params)
            return
        owners = {p: group for group in self.groups for p in _params(group.target)}
        for group in (None, *self.groups):
            members = [p for p in params if owners.get(p) is group]
            with self._using({} if group is None else group.settings):
                self.update_all(members)

    @contextmanager
    def _using(self, settings: dict[str, Any]) -> Iterator[None]:
        """Have other settings for a while."""
        before = {name: vars(self)[name] for name in settings}
        vars(self).update(settings)
        try:
            yield
        finally:
            vars(self).update(before)

    def update_all(self, params: list[Variable]) -> None:
        """Change parameters that have a gradient; a rule that looks at all of them together overrides it."""
        for p in params:
            self.update_one(p)

    def fused(
        self, name: str, params: list[Variable], names: tuple[str, ...], numbers: Callable[[Variable], Any]
    ) -> list[Variable]:
        """Change many parameters by a fused kernel of their library, and give back those that none served.

        Parameters
        ----------
        name : str
            The kernel. It gets lists of data, of gradients, and for each of `names` of what `state` keeps;
            and numbers. It changes the data and the state, and gives whether it did.
        params : list of Variable
        names : tuple of str
        numbers : callable
            ``numbers(param)`` is a tuple: one launch serves parameters with the same. In a step that is
            captured, numbers may be 0-d arrays, the same where they are one object.
        """
        alike: dict[Any, tuple[Any, list[Variable]]] = {}
        left = []
        for p in params:
            if p.backend.kernel(name) is None:
                left.append(p)
                continue
            settings = numbers(p)
            same = tuple(id(n) if is_array(n) else n for n in settings)
            alike.setdefault((p.backend, p.dtype, p.backend.device(p.data), same), (settings, []))[1].append(
                p
            )
        for (backend, *_), (settings, members) in alike.items():
            states = [self.state(p, *names) for p in members]
            kept = ([state[name] for state in states] for name in names)
            gs: list[Any] = [p.grad for p in members]
            if not backend.kernel(name)([p.data for p in members], [g.data for g in gs], *kept, *settings):
                left += members
        return left

    def update_one(self, param: Any) -> None:
        """Change ``param.data`` by ``param.grad.data``; subclasses define it."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define update_one. An Optimizer needs update_one(self, param)."
        )

    def apply(self, param: Any, rule: Rule, *names: str) -> None:
        """Change a parameter and what is kept of it by an elementwise rule.

        Parameters
        ----------
        param : Variable
        rule : callable
            Called as ``rule(xp, w, g, *kept)`` with the library's namespace, the data, the gradient and
            the arrays that `state` gives for `names`; gives ``(w, *kept)``. It changes them by ``+=``
            and the like, which is in place where the library can do that, and leaves ``g`` as it is.
            Large arrays come in pieces that fit the cache.
        *names : str
        """
        backend = param.backend
        state = self.state(param, *names)
        arrays = [param.data, param.grad.data, *[state[name] for name in names]]
        blocks = backend.blocks(arrays)
        if blocks is None:
            param.data, *kept = rule(backend.xp, *arrays)
            state.update(zip(names, kept, strict=True))
            return
        for block in blocks:
            rule(backend.xp, *block)

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

    def count(self, param: Variable) -> int:
        """The number of this update of a parameter: 1 at its first."""
        state = self._states.setdefault(param, {})
        t: int = state.get("t", 0) + 1
        state["t"] = t
        return t + self.replayed  # type: ignore[no-any-return]

    # -- the state in dicts and files ------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """The numbers among this optimizer's attributes, as ``lr``, by name."""
        return saving.numbers_of(self)

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on but the parameters themselves: numbers and NumPy arrays.

        With it, and the weights, a run goes on exactly as if it had not been interrupted.

        Returns
        -------
        dict of str to number or NumPy array
            Copies. A parameter is named by its path in the layer, or its place in the list, that was
            set up. Hooks and the target are not in it.

        Examples
        --------
        >>> w = tg.Parameter(np.array([1.0, 2.0]))
        >>> optimizer = tg.optimizers.MomentumSGD().setup([w])
        >>> (w * w).sum().backward()
        >>> optimizer.update()
        >>> list(optimizer.state_dict())
        ['setting/lr', 'setting/momentum', 'setting/nesterov', 'array/0/v']
        """
        return saving.collect(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. After an error nothing has changed.

        Parameters
        ----------
        state : mapping of str to number or array

        Raises
        ------
        ValueError
            If it does not fit; the message names all that is missing, unexpected or of another shape.
        """
        saving.restore(self, state)

    def whole_state(self) -> dict[str, Any]:
        """Numbers and arrays that belong to no single parameter, by name; none by default."""
        return {}

    def load_whole_state(self, state: dict[str, Any]) -> None:
        """Take over what `whole_state` gave, as NumPy arrays, or raise a ValueError."""
        if state:
            raise ValueError(f"{type(self).__name__}: unexpected in the state: {', '.join(state)}")

    def save(self, path: str | PathLike[str]) -> None:
        """Write `state_dict` to an npz file, whole or not at all.

        Parameters
        ----------
        path : str or path
            Used as it is; no ending is added.
        """
        npz.write(path, saving.as_arrays(self.state_dict()))

    def load(self, path: str | PathLike[str]) -> None:
        """Take over what `save` wrote. After an error nothing has changed.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        ValueError
            If the file is damaged or does not fit.
        """
        self.load_state_dict(saving.from_arrays(npz.read(path)))


def rule_of(optimizer: Any) -> Any:
    """The `Optimizer` in what wraps one, as `Accumulate` does: the one that has the rate."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


def _owner(array: Array) -> Backend:
    owner = backend_of(array)
    assert owner is not None, "the data of a Variable is an array"
    return owner


def _params(target: Any) -> Iterable[Variable]:
    params: Iterable[Variable] = target.params() if hasattr(target, "params") else target
    return params


def _with_gradient(params: Iterable[Variable]) -> list[Variable]:
    return [p for p in params if p.grad is not None]
