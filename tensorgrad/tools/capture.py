"""A training step that is recorded once and run again as one program, where the array library can do that."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from tensorgrad.backend import Array, Backend, CannotCompileError, is_array
from tensorgrad.core import Variable
from tensorgrad.core.capturing import capturing
from tensorgrad.core.variable import as_array

Place = tuple[dict[str, Any], str]
"""A dict, and the key of an array in it."""


class capture:  # noqa: N801  # used like a function
    """Run a training step as one program of the array library: XLA's on JAX, CUDA graphs on CuPy.

    The first calls run as they are, while they make what is made late: weights, the state of the optimizer.
    Then the step is traced once for each combination of shapes and of the optimizer's settings; parameters,
    running statistics, recurrent state and what the optimizer keeps go in and out of the program. Gradients
    do not come out: they are cleared. A step that cannot be traced runs as it is.

    Parameters
    ----------
    step : callable
        ``step(*arrays)``: forward, backward and update. It may not look at values, and returns a Variable, an
        array, a tuple of them, or nothing.
    model : Layer
    optimizer : Optimizer, optional
        Set up with `model`.

    Attributes
    ----------
    why_not : str or None
        Why calls run as they are: the library compiles nothing, or the step cannot be traced. A warning says
        the latter once.

    Notes
    -----
    Numbers that the step takes from Python are constants of the program, and so are random numbers that are
    drawn on the host: do not capture dropout on JAX. On CuPy dropout draws new numbers in each run.

    What else Python does is not repeated. So schedules, `EMA`, `Accumulate`, L-BFGS and optimizers over many
    ranks, which keep something of their own, make the step run as it is, with a warning: call the step of a
    schedule and the update of an average after the captured step, not within.

    On CuPy the step's kernels are captured in CUDA graphs. What cuBLAS computes is not, since CuPy refuses:
    the products stand between the graphs and are launched one by one. What else CuPy refuses makes the step
    run as it is: decompositions, numbers drawn by cuRAND (as by dropout within attention), copies from the
    host. Each program keeps the memory of a whole step, so few shapes and settings should occur. Arrays
    that the step reads, and that are neither inputs nor parts of the model and the optimizer, must not be
    freed.

    Examples
    --------
    >>> model = tg.models.MLP((8, 2))
    >>> optimizer = tg.optimizers.SGD(0.1).setup(model)
    >>> def step(x, t):
    ...     model.cleargrads()
    ...     loss = F.softmax_cross_entropy(model(x), t)
    ...     loss.backward()
    ...     optimizer.update()
    ...     return loss
    >>> step = tg.tools.capture(step, model, optimizer)
    >>> x, t = np.ones((3, 4)), np.array([0, 1, 1])
    >>> bool(step(x, t).item() > step(x, t).item())
    True
    >>> step.why_not
    'numpy compiles no programs'
    """

    def __init__(self, step: Callable[..., Any], model: Any, optimizer: Any = None) -> None:
        self.step = step
        self.model = model
        while hasattr(optimizer, "optimizer"):  # of what wraps one, that which has the rate
            optimizer = optimizer.optimizer
        self.optimizer = optimizer
        self.why_not: str | None = None
        self._programs: dict[Any, Callable[..., Any]] = {}
        self._seen = -1
        self._form: type = Variable

    def __call__(self, *inputs: Any) -> Any:
        """Run the step."""
        if self.why_not is not None:
            return self.step(*inputs)
        places, arrays = self._places(), [as_array(x) for x in inputs]
        if len(places) != self._seen:  # the last call made something that was not there before
            self._seen = len(places)
            return self.step(*inputs)
        backend: Backend = next(self.model.params()).backend
        key = (tuple(self._settings()), tuple((a.shape, str(a.dtype)) for a in arrays))
        counts, before = self._counts(), [holder[name] for holder, name in places]
        try:
            if key not in self._programs:
                self._programs[key] = backend.compiled(_weakly(self._traced))
            after, outputs = self._programs[key](before, self._done(), *arrays)
        except Exception as error:
            self._put(places, before)
            self._set(counts, 0)
            self.model.cleargrads()
            if not isinstance(error, CannotCompileError):
                raise
            self.why_not = str(error)
            if backend.compiles:
                warnings.warn(f"capture: the step runs as it is: {error}", stacklevel=2)
            return self.step(*inputs)
        self._put(places, after)
        self._set(counts, 1)
        made = tuple(Variable(y, requires_grad=False) for y in outputs)
        return made if self._form is tuple else made[0] if made else None

    def _traced(self, arrays: list[Array], done: Any, *inputs: Array) -> tuple[list[Array], list[Array]]:
        """The step as a function of all that it reads; runs while the library traces it."""
        places = self._places()
        self._put(places, arrays)
        if self.optimizer is not None:
            self.optimizer.replayed = done - self._done()
        try:
            with capturing():
                outputs = self.step(*inputs)
        finally:
            if self.optimizer is not None:
                del self.optimizer.replayed
        self._form = type(outputs)
        given = outputs if isinstance(outputs, tuple) else () if outputs is None else (outputs,)
        if not all(isinstance(y, Variable) or is_array(y) for y in given):
            kinds = " and ".join(sorted({type(y).__name__ for y in given}))
            raise CannotCompileError(f"it returns {kinds}; expected a Variable, an array or a tuple of them")
        self.model.cleargrads()
        if len(self._places()) != len(places):
            raise CannotCompileError("it makes weights or state that were not there before")
        after = [holder[name] for holder, name in places]
        return after, [as_array(y) for y in given]

    # -- what the step reads and changes ---------------------------------------------------------

    def _places(self) -> list[Place]:
        """Where arrays stand that a step may replace."""
        places: list[Place] = [(_Data(p), "data") for p in self.model.params()]
        for _, layer in self.model._layers():
            names = (name for name in layer.carried if getattr(layer, name, None) is not None)
            places += [(_Carried(layer), name) for name in names]
        for state in self._states():
            places += [(state, name) for name, value in state.items() if not isinstance(value, int | float)]
        return places

    def _put(self, places: list[Place], arrays: list[Array]) -> None:
        for (holder, name), array in zip(places, arrays, strict=True):
            holder[name] = array

    def _set(self, counts: list[tuple[Place, int]], more: int) -> None:
        """The counts as they were, or one more: tracing a step counts too."""
        for (holder, name), count in counts:
            holder[name] = count + more

    def _states(self) -> list[dict[str, Any]]:
        return [] if self.optimizer is None else list(self.optimizer._states.values())

    def _counts(self) -> list[tuple[Place, int]]:
        """The numbers that each update raises by one, and their values."""
        found = [((state, "t"), state["t"]) for state in self._states() if "t" in state]
        own = {} if self.optimizer is None else vars(self.optimizer)
        return [*found, ((own, "t"), own["t"])] if "t" in own else found

    def _done(self) -> int:
        """How many updates there were, for the difference between now and when the program was traced."""
        return max((count for _, count in self._counts()), default=0)

    def _settings(self) -> list[Any]:
        settings = {} if self.optimizer is None else self.optimizer.settings()
        return [item for item in settings.items() if item[0] != "t"]


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose object is not kept alive by it."""
    found = WeakMethod(method)

    def call(*args: Any) -> Any:
        bound = found()
        assert bound is not None, "it is called by its object"
        return bound(*args)

    return call


class _Carried(dict[str, Any]):
    """The arrays that a layer carries from call to call, as the items of a dict."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def __getitem__(self, name: str) -> Any:
        return as_array(getattr(self.layer, name))

    def __setitem__(self, name: str, array: Any) -> None:
        setattr(self.layer, name, Variable(array, requires_grad=False))


class _Data(dict[str, Any]):
    """The array of a Variable as the item ``data`` of a dict."""

    def __init__(self, v: Variable) -> None:
        super().__init__()
        self.v = v

    def __getitem__(self, name: str) -> Any:
        return self.v.data

    def __setitem__(self, name: str, array: Any) -> None:
        self.v.data = array
