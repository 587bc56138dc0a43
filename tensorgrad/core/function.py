"""Function, the node of the graph: what an op computes, and what its backward needs to know.

`Function` is what users subclass, as in the book: ``forward`` gets arrays, ``backward`` gets Variables.
`Op` is the base of the built-in ops: the one text of its ``backward`` runs on raw arrays when nothing is
recorded, and on Variables when the backward itself becomes a graph.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar, NamedTuple, TypeVar
from weakref import ref

import numpy as np

from tensorgrad.backend import BY_TYPE, Array, Backend, backend_of, is_array
from tensorgrad.core.config import STATE
from tensorgrad.core.default import default_backend
from tensorgrad.core.node import Edge, Leaf, Spec
from tensorgrad.core.variable import Variable, make_variable

ArrayLike = Any
"""A raw array or a Variable: what a backward of an `Op` computes with, depending on its level."""


class Input(NamedTuple):
    """Keep input `position` for the backward; only if input `needed_by` gets a gradient, where given."""

    position: int
    needed_by: int | None = None


class Output(NamedTuple):
    """Keep output `position` for the backward."""

    position: int


Saves = Input | Output | tuple[Input | Output, ...] | None

_F = TypeVar("_F", bound="Function")
_Selector = Callable[[Any, list[Any], tuple[Any, ...]], tuple[Any, ...]]


def _selector(plan: tuple[Input | Output, ...] | None) -> _Selector:
    """A function (edges, inputs, outputs) -> what a call keeps, of that only what will be asked for."""
    if plan is None:
        return lambda _edges, xs, ys: (*xs, *ys)
    kept = ""  # written out, as a loop would be half of what a call costs
    for item in plan:
        kept += f"{'ys' if isinstance(item, Output) else 'xs'}[{item.position}]"
        needed_by = getattr(item, "needed_by", None)
        kept += ", " if needed_by is None else f" if edges[{needed_by}] is not None else None, "
    return _of_text(kept)


@cache  # most classes keep what another keeps, too
def _of_text(kept: str) -> _Selector:
    return eval(f"lambda edges, xs, ys: ({kept})")  # type: ignore[no-any-return]


class Function:
    """An op of your own: define ``forward`` on arrays and ``backward`` on Variables.

    Calling an instance runs ``forward``, and records a node if any input requires a gradient. Several
    inputs and several outputs (a tuple) are allowed. Outputs that nobody used have a gradient of zeros;
    a backward may return None for an input that gets none.

    By default the arrays of all inputs and outputs are kept for the backward. A class that needs less
    says so: ``saves = Input(0)``, ``saves = (Input(1), Output(0))`` or ``saves = ()``.

    Attributes
    ----------
    inputs : tuple of Variable
        The inputs of the call. Their arrays are freed when a backward is through with them.
    outputs : tuple of weakref to Variable
        ``self.outputs[0]()`` is the first output, or None if nobody holds it any more; within
        ``backward`` it is there.
    generation : int
        One more than the highest generation among the functions that made the inputs.
    xp : module
        The array library of the inputs.

    Examples
    --------
    >>> class Cube(tg.Function):
    ...     def forward(self, x):
    ...         return x**3
    ...     def backward(self, gy):
    ...         (x,) = self.inputs
    ...         return gy * 3 * x**2
    >>> x = Variable(np.array(2.0))
    >>> Cube()(x).backward()
    >>> x.grad
    variable(12.0)
    """

    saves: ClassVar[Saves] = None  # None: every input and output
    no_grad_inputs: ClassVar[tuple[int, ...]] = ()  # inputs that never get one: labels, indices
    hidden: ClassVar[int] = 0  # trailing outputs that are not handed out, only saved
    fresh: ClassVar[bool] = False  # backward returns arrays that nothing else refers to
    on_arrays: ClassVar[bool] = False  # backward can run on raw arrays
    discards: ClassVar[bool] = False  # backward gives 0 to values that were thrown away
    precision: ClassVar[str | None] = None  # under autocast: "half" or "full", of its floating inputs
    repeatable: ClassVar[bool] = False  # forward gives the same again and changes nothing
    elementwise: ClassVar[bool] = False  # of each element of y alone does each of gx depend, and on its gy
    _plan: ClassVar[tuple[Input | Output, ...] | None] = None
    _select: ClassVar[Any] = staticmethod(_selector(None))

    # Of one call. Defaults on the class, so that a subclass need not call super().__init__().
    backend: Any = None
    xp: Any = None
    edges: tuple[Edge | None, ...] = ()  # empty before the call
    generation: int = 0
    several: bool = False  # outputs
    outputs: tuple[Any, ...] = ()
    specs: tuple[Spec, ...] = ()
    saved: Any = ()  # None once a backward has freed it
    kept: tuple[Any, ...] = ()
    names: dict[int, str | None] | None = None
    cut: dict[int, Any] | None = None  # output index -> the Leaf that it became (unchain)
    retained: tuple[Any, ...] = ()
    note: Any = None  # what `graphs.annotate` saw of the call

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._plan = (cls.saves,) if isinstance(cls.saves, Input | Output) else cls.saves
        cls._select = staticmethod(_selector(cls._plan))

    # -- for authors -----------------------------------------------------------------------------

    def forward(self, *xs: Array) -> Any:
        """Compute the outputs (an array, or a tuple of arrays) from arrays."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define forward. A Function needs "
            "forward(self, *arrays), and backward(self, *gys) where gradients are wanted."
        )

    def backward(self, *gys: Any) -> Any:
        """Compute the gradient of every input (None for none) from those of the outputs."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define backward, so no gradient can pass through it."
        )

    def keep(self, *arrays: Any) -> None:
        """Keep constants of the forward (a mask, indices) for the backward, as ``self.kept``."""
        self.kept = arrays

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The inputs of the call; a handle that has died is made anew, with data if it was saved."""
        if not self.edges:
            raise AttributeError(f"{type(self).__name__} has no inputs before it is called")
        arrays = [self._saved_of(Input, i) for i in range(len(self.edges))]
        return tuple(
            handle(edge, array)
            if edge is not None
            else make_variable(None if array is None else self.backend.as_array(array), None, 0)
            for edge, array in zip(self.edges, arrays, strict=True)
        )

    @property
    def needs(self) -> tuple[bool, ...]:
        """For each input, whether anybody asks for its gradient."""
        return tuple(edge is not None for edge in self.edges)

    # -- the call --------------------------------------------------------------------------------

    def __call__(self, *inputs: Any) -> Any:  # noqa: C901, PLR0912, PLR0915  # the hot path
        if self.edges:  # a second call of an instance gets a node of its own
            return self._uncalled()(*inputs)
        state = STATE.get()
        recording = state.enable_backprop
        if state.precision is not None and self.precision is not None:
            inputs = _in_precision(self, inputs, state.precision)
        backend: Any = None
        arrays = []
        edges: list[Edge | None] = []
        generation = -2
        for x in inputs:
            of_graph = isinstance(x, Variable)
            array = x.data if of_graph else x
            try:
                owner = BY_TYPE[type(array)]
            except KeyError:
                array, owner = _resolve(self, x, array)
            edge = None
            if of_graph and recording and x.requires_grad:
                node = x._node
                if node is None or (
                    node.generation < 0 and (owner is None or node.specs[0] != (array.shape, array.dtype))
                ):  # a leaf that no op has met yet, or whose data was replaced by another kind
                    node = x._make_leaf()
                    array = x.data
                    owner = BY_TYPE[type(array)]
                edge = (node, x._index)
                if node.generation > generation:  # noqa: PLR1730  # max() costs a call
                    generation = node.generation
            if owner is not backend and owner is not None:
                if backend is not None:
                    return self(*_unite(self, inputs))
                backend = owner
            arrays.append(array)
            edges.append(edge)
        if backend is None:
            return self(*_scalars_to_arrays(self, inputs))
        if self.no_grad_inputs:
            generation = self._drop_edges(edges, generation)
        self.backend = backend
        self.xp = backend.xp
        self.edges = tuple(edges)
        try:
            ys = self.forward(*arrays)
        except Exception as error:
            self.edges = ()
            if isinstance(error, MemoryError):
                explain_memory(error)
            _explain_devices(self, backend, arrays, error)
            raise
        if ys.__class__ is tuple:
            return self._finish_many(arrays, ys, generation)
        if BY_TYPE.get(type(ys)) is None:
            ys = _to_array(self, ys)
        if generation == -2:
            return make_variable(ys, None, 0)
        self.generation = generation + 1
        out = make_variable(ys, self, 0)
        self.outputs = (ref(out),)
        self.specs = ((ys.shape, ys.dtype),)
        if self._plan != ():
            self.saved = self._select(edges, arrays, (ys,))
        return out

    def _finish_many(self, arrays: list[Any], ys: tuple[Any, ...], generation: int) -> Any:
        node = None if generation == -2 else self
        made = [_to_array(self, y) if BY_TYPE.get(type(y)) is None else y for y in ys]
        hidden = self.hidden
        shown = made[:-hidden] if hidden else made
        outs = [make_variable(y, node, i) for i, y in enumerate(shown)]
        if node is not None:
            self.generation = generation + 1
            self.outputs = tuple(map(ref, outs))
            self.specs = tuple([(y.shape, y.dtype) for y in made])
            self.several = True
            self.saved = self._select(self.edges, arrays, made)
        return outs[0] if hidden and len(outs) == 1 else tuple(outs)

    def _drop_edges(self, edges: list[Edge | None], generation: int) -> int:
        """Forget the edges of inputs that get no gradient; the highest generation of the others."""
        unwanted = [i for i in self.no_grad_inputs if i < len(edges) and edges[i] is not None]
        if not unwanted:
            return generation
        for i in unwanted:
            edges[i] = None
        return max((e[0].generation for e in edges if e is not None), default=-2)

    def _uncalled(self) -> Function:
        """A node with the same settings that has not been called."""
        node = _twin(self)
        for name in _OF_ONE_CALL:
            node.__dict__.pop(name, None)
        return node

    # -- for the engine --------------------------------------------------------------------------

    def _saved_of(self, kind: type[Input | Output], index: int) -> Array:
        """The saved array of an input or output, or None."""
        if not self.saved:
            return None
        if self._plan is None:
            return self.saved[index if kind is Input else len(self.edges) + index]
        for item, array in zip(self._plan, self.saved, strict=True):
            if item.__class__ is kind and item[0] == index:
                return array
        return None

    def output_again(self, index: int) -> Variable | None:
        """The handle of an output; one that has died is made anew if its data can be had.

        Its data is what was saved, or computed again from inputs that were saved or are leaves.
        """
        living: Variable | None = self.outputs[index]()
        if living is not None or (self.cut is not None and index in self.cut):
            return living
        array = self._saved_of(Output, index)
        if array is None and self.repeatable:
            xs = [self._array_of(i) for i in range(len(self.edges))]
            array = None if any(x is None for x in xs) else _twin(self).forward(*xs)
        if array is None:
            return None
        made = handle((self, index), array)
        self.outputs = (*self.outputs[:index], ref(made), *self.outputs[index + 1 :])
        return made

    def _array_of(self, index: int) -> Array:
        """The array of an input, as far as it is saved or that of a leaf; None otherwise."""
        array, edge = self._saved_of(Input, index), self.edges[index]
        if array is None and edge is not None and isinstance(edge[0], Leaf):
            leaf = edge[0].variable()
            return None if leaf is None else leaf.data
        return array

    def view(self, namespace: Any, alive: list[Variable]) -> Function:
        """The node as its backward sees it when it computes with Variables.

        `alive` takes handles of the outputs, so that the weak references in ``outputs`` hold.
        """
        node = _twin(self)
        alive.extend(handle((self, i), self._saved_of(Output, i)) for i in range(len(self.specs)))
        node.outputs = tuple(map(ref, alive))
        return node

    def release(self) -> None:
        """Free what was kept for the backward, and remember that it is gone.

        A node that needs nothing can be gone through again, as in the book: there a loss is summed up,
        differentiated and cut off from its past again and again.
        """
        if self.saved or self.kept:
            self.saved = None
            self.kept = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


_OF_ONE_CALL = (
    *("backend", "xp", "edges", "generation", "several", "outputs", "specs"),
    *("saved", "kept", "names", "cut", "retained", "note"),
)


class Op(Function):
    """The base of the built-in ops.

    ``backward`` is written once, with operators, ``self.xp``, ``self.saved`` (in the order of the class's
    `saves`), ``self.kept`` and `nested` alone. It gets None for an output without a gradient. Where
    gradients are not recorded, all of these are raw arrays and ``self.xp`` is the array library;
    otherwise they are Variables and ``self.xp`` is tensorgrad's namespace. Broadcasting is undone by
    the engine.

    `fresh` says that every array which backward returns is new: nothing else refers to it.
    """

    saves: ClassVar[Saves] = ()
    on_arrays: ClassVar[bool] = True
    recording: bool = False

    def view(self, namespace: Any, alive: list[Variable]) -> Function:
        node = _twin(self)
        node.xp = namespace
        node.recording = True
        saved = []
        for item, array in zip(self._plan or (), self.saved, strict=True):
            edge = (self, item[0]) if item.__class__ is Output else self.edges[item[0]]
            saved.append(array if edge is None or array is None else handle(edge, array))
        node.saved = tuple(saved)
        return node

    def nested(self, op: Function, *xs: ArrayLike) -> Any:
        """Run another op at the level of this backward: plainly on arrays, or as a node of the graph."""
        if self.recording:
            return op(*xs)
        op.backend = self.backend
        op.xp = self.xp
        op.edges = (None,) * len(xs)
        return op.forward(*xs)

    def fused(self, name: str, *args: Any) -> Any:
        """What the backend's fused kernel `name` gives, or None where the formula has to serve.

        It does where the backend has no such kernel, or none for these arrays, and in a backward that is
        recorded: there the formula is a graph of ops.
        """
        if self.recording:
            return None
        kernel = self.backend.kernel(name)
        return None if kernel is None else kernel(*args)


def _twin(node: _F) -> _F:
    """A second node with the same attributes: ``copy.copy``, in a fifth of its time."""
    twin = object.__new__(type(node))
    twin.__dict__.update(node.__dict__)
    return twin


class AsType(Op):
    """``y = x`` in another dtype; ``dy/dx = 1``: the engine gives the gradient the dtype of x."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        return self.xp.astype(x, self.dtype)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return gy


def handle(edge: Edge, array: Array) -> Variable:
    """The Variable at an edge: the one that lives, if it still holds `array`, or a new one."""
    node, index = edge
    living = node.outputs[index]() if index < len(node.outputs) else None
    if living is not None and living._node is node and (array is None or living.data is array):
        return living  # type: ignore[no-any-return]
    made = make_variable(array, node, index)
    made._name = node.names.get(index) if node.names else None
    return made


# -- inputs under autocast -----------------------------------------------------------------------

_HALVES = ("float16", "bfloat16")


def _in_precision(function: Function, inputs: tuple[Any, ...], half: str) -> tuple[Any, ...]:
    """The inputs of an op that computes in half precision, or of one that does not."""
    cast = []
    for x in inputs:
        array = x.data if isinstance(x, Variable) else x
        owner = backend_of(array) if is_array(array) else None
        if owner is not None:
            dtype = _cast_to(function, owner, array.dtype, half)
            if dtype is not None:
                x = AsType(dtype)(x) if array is not x else owner.xp.astype(array, dtype)  # noqa: PLW2901
        cast.append(x)
    return tuple(cast)


def _cast_to(function: Function, owner: Backend, dtype: Any, half: str) -> Any:
    """The dtype that an array is to be given, or None."""
    xp = owner.xp
    if function.precision == "full":
        is_half = any(dtype == getattr(xp, name) for name in _HALVES if hasattr(xp, name))
        return xp.float32 if is_half else None
    if dtype != xp.float32:
        return None
    if not hasattr(xp, half):
        raise TypeError(f"autocast: {owner.name} has no {half} to compute {type(function).__name__} in")
    return getattr(xp, half)


# -- inputs that are not simply arrays of one backend --------------------------------------------


def _resolve(function: Function, x: Any, array: Any) -> tuple[Any, Backend | None]:
    """An input of a type that was not met before, or that cannot be one."""
    name = type(function).__name__
    if array is None:
        late = isinstance(x, Variable)
        got = f"Variable {x.name!r} has no data yet. Set its data first." if late else "got None"
        raise TypeError(f"{name}: expected an array; {got}")
    try:
        owner = backend_of(array)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    return (array.item(), None) if owner is None else (array, owner)


def _unite(function: Function, inputs: tuple[Any, ...]) -> list[Any]:
    """Inputs of several backends: NumPy constants without axes go along, anything else is an error."""
    united: list[Any] = []
    owners: dict[str, str] = {}
    for x in inputs:
        if isinstance(x, np.ndarray) and x.ndim == 0:
            united.append(x.item())
            continue
        united.append(x)
        array = x.data if isinstance(x, Variable) else x
        owner = backend_of(array)
        if owner is not None:
            owners.setdefault(owner.name, f"{owner.name} {tuple(array.shape)}")
    if len(owners) > 1:
        raise TypeError(
            f"{type(function).__name__}: expected inputs of one array library; "
            f"got {' and '.join(owners.values())}. Nothing is moved silently: "
            "use v.to(name), v.to_gpu() or v.to_cpu() on one of them."
        )
    return united


def _scalars_to_arrays(function: Function, inputs: tuple[Any, ...]) -> list[Any]:
    """Inputs that are all numbers: arrays of the default backend."""
    if not inputs:
        raise TypeError(f"{type(function).__name__}: expected at least one input; got none")
    default = default_backend()
    values = [x.data if isinstance(x, Variable) else x for x in inputs]
    return [
        default.from_numpy(np.asarray(x)) if isinstance(x, np.generic) else default.xp.asarray(x)
        for x in values
    ]


_NUMBERS = (np.generic, float, int, bool, complex)


def _to_array(function: Function, y: Any) -> Array:
    """An output as an array: numbers become 0-d arrays of the inputs' library."""
    owner = BY_TYPE.get(type(y))
    if owner is not None:
        return y
    if isinstance(y, _NUMBERS):
        return function.backend.as_array(y)
    if isinstance(y, Variable):
        raise TypeError(
            f"{type(function).__name__}.forward: expected an array; got a Variable. "
            "forward computes with arrays (self.xp); only backward computes with Variables."
        )
    try:
        backend_of(y)
    except TypeError as error:
        raise TypeError(f"{type(function).__name__}.forward returned no array: {error}") from None
    return y


def explain_memory(error: MemoryError, count: int = 10) -> None:
    """For who runs out of memory: note the largest arrays in Variables and graphs, and what made them."""
    if getattr(error, "__notes__", None):  # an op within has told it
        return
    held: dict[int, tuple[int, str]] = {}
    for thing in gc.get_objects():
        for array, maker in _held_by(thing) if issubclass(type(thing), Function | Variable) else ():
            if array is not None and is_array(array):
                size = math.prod(array.shape) * getattr(array, "itemsize", 8)
                held.setdefault(id(array), (size, f"{tuple(array.shape)} {array.dtype}, {maker}"))
    largest = sorted(held.values(), reverse=True)[:count]
    lines = [f"  {size / 2**20:.1f} MiB: {what}" for size, what in largest]
    total = sum(size for size, _ in held.values()) / 2**20
    hint = "tensorgrad.checkpoint keeps less for a backward. The largest arrays, and what made them:"
    error.add_note("\n".join([f"Variables and graphs hold {total:.1f} MiB; {hint}", *lines]))


def _held_by(thing: Function | Variable) -> Iterator[tuple[Any, str]]:
    """The arrays that a node or a Variable refers to, each with the name of the op that made it."""
    if isinstance(thing, Variable):
        node = Leaf(thing, ((), None)) if thing._node is None else thing._node
        yield thing.data, _maker(node)
        if thing.grad is not None:
            yield thing.grad.data, f"gradient of {_maker(node)}"
        return
    yield from ((array, _maker(thing)) for array in thing.kept)
    every = (*map(Input, range(len(thing.edges))), *map(Output, range(len(thing.specs))))
    for item, array in zip(every if thing._plan is None else thing._plan, thing.saved or (), strict=False):
        edge = thing.edges[item.position] if isinstance(item, Input) else (thing, 0)
        yield array, "a constant" if edge is None else _maker(edge[0])


def _maker(node: Function | Leaf) -> str:
    name = node.names[0] if isinstance(node, Leaf) else None
    return type(node).__name__ if isinstance(node, Function) else f"leaf {name}" if name else "a leaf"


def _explain_devices(function: Function, backend: Backend, arrays: list[Any], error: Exception) -> None:
    """If a forward failed because its inputs lie on several devices, say that."""
    try:
        devices = {str(backend.device(a)) for a in arrays if BY_TYPE.get(type(a)) is backend}
    except Exception:  # noqa: BLE001  # the first error is the one to report
        return
    if len(devices) > 1:
        raise ValueError(
            f"{type(function).__name__}: expected inputs on one device; "
            f"got {' and '.join(sorted(devices))}. "
            "Move one of them with v.to(backend, device=...)."
        ) from error
