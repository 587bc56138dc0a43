"""Variable, the handle that users hold: an array, its gradient, and its place in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from tensorgrad.backend import BY_TYPE, Array, Backend, backend_of, get_backend
from tensorgrad.core.config import STATE
from tensorgrad.core.node import Leaf

if TYPE_CHECKING:
    from tensorgrad.core.function import Function

_new = object.__new__
_F = TypeVar("_F", bound=Callable[..., Any])


class Variable:
    """An array with a gradient, and the memory of how it was made.

    Parameters
    ----------
    data : array of any registered library, any shape and dtype, or None
        Not copied. None leaves the data to be filled in later.
    name : str, optional
        Shown in graph pictures and summaries.
    requires_grad : bool, default True
        Whether backwards bring a gradient here. Always False for bool arrays, which are constants.

    Raises
    ------
    TypeError
        If `data` is a number, a list or anything else that is no array.

    Examples
    --------
    >>> x = Variable(np.array([1.0, 2.0, 3.0]))
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    variable([2. 4. 6.])
    """

    __slots__ = ("__weakref__", "_index", "_name", "_node", "_shared", "data", "grad", "requires_grad")

    __array_priority__ = 200.0

    data: Any
    grad: Variable | None
    requires_grad: bool
    _name: str | None
    _node: Function | Leaf | None
    _index: int
    _shared: Any  # set on what shares elements with another Variable: see `alias`

    def __init__(self, data: Array = None, name: str | None = None, *, requires_grad: bool = True) -> None:
        if data is not None:
            owner = BY_TYPE.get(type(data))
            data = _checked(data) if owner is None else owner.adopt(data)
            if _is_bool(type(data), data.dtype):  # type: ignore[arg-type]  # every class is hashable
                requires_grad = False
        self.data = data
        self.grad = None
        self.requires_grad = bool(requires_grad)
        self._name = name
        self._node = None
        self._index = 0

    # -- the array -------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return tuple(self.data.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        n = 1
        for length in self.data.shape:
            n *= length
        return n

    @property
    def dtype(self) -> Any:
        """The data type of the elements, in the array library's own terms."""
        return self.data.dtype

    @property
    def device(self) -> Any:
        """Where the array lies, in the array library's own terms."""
        return self.backend.device(self.data)

    @property
    def backend(self) -> Backend:
        """The backend that owns the array."""
        return _owner(self)

    def __len__(self) -> int:
        if not self.data.shape:
            raise TypeError("len() of a 0-d Variable: it has no axis")
        return int(self.data.shape[0])

    def __iter__(self) -> Iterator[Variable]:
        if not self.data.shape:
            raise TypeError("iteration over a 0-d Variable: it has no axis")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        if self.data is None:
            return "variable(None)"
        from tensorgrad.core.display import text_of  # noqa: PLC0415  # nothing that computes needs it

        text = text_of(_owner(self), self.data).replace("\n", "\n" + " " * 9)
        return f"variable({text})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.shape:
            raise TypeError(f"format {spec!r}: expected a Variable without axes; got shape {self.shape}")
        return format(self.item(), spec)

    def _repr_html_(self) -> str:
        from tensorgrad.core.display import html_of  # noqa: PLC0415

        return html_of(self)

    def item(self) -> Any:
        """The only element as a Python number. On a device this waits and copies.

        Raises
        ------
        ValueError
            If there is more than one element, or none.
        """
        owner = _owner(self)
        if self.size != 1:
            raise ValueError(f"item: expected one element; got shape {self.shape}")
        return owner.to_numpy(self.data).item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of a Variable of shape {self.shape} is ambiguous; "
                "use (v != 0).data.any() or .all(), or `v is None`"
            )
        return bool(self.item())

    def __index__(self) -> int:
        value = self.item()
        if not isinstance(value, int):
            raise TypeError(f"expected an integer Variable as an index; got dtype {self.dtype}")
        return value

    # -- leaving tensorgrad ----------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self.requires_grad and STATE.get().enable_backprop:
            raise TypeError(
                "np.asarray(v): this Variable requires a gradient, which a NumPy array would lose. "
                "Take v.data where that is meant, or tensorgrad.stop_gradient(v); NumPy's functions, "
                "such as np.sin(v), keep it."
            )
        if copy is None:
            return np.asarray(self.data, dtype=dtype)
        return np.array(self.data, dtype=dtype, copy=copy)

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        if self.requires_grad and STATE.get().enable_backprop:
            raise BufferError(
                "from_dlpack(v): this Variable requires a gradient, which the other library would lose. "
                "Pass v.data where that is meant; v.to(name) moves it with its gradient."
            )
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        given = {name: value for name, value in options.items() if value is not None}
        return self.data.__dlpack__(**given)  # not every library knows all of them

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self.data.__dlpack_device__()
        return kind, number

    __hash__ = object.__hash__  # == is elementwise; a handle is a key by identity

    # -- the graph -------------------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """What pictures and summaries call this value."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name
        if self._node is not None:
            names = self._node.names
            if names is None:
                names = self._node.names = {}
            names[self._index] = name

    @property
    def creator(self) -> Function | None:
        """The function that made this value; None for a leaf."""
        node = self._node
        return None if node is None or isinstance(node, Leaf) else node

    @property
    def generation(self) -> int:
        """The longest way to a leaf, counted in functions; 0 for a leaf."""
        return 0 if self._node is None else self._node.generation + 1

    def _make_leaf(self) -> Leaf:
        _owner(self)  # numbers become arrays
        self._node = node = Leaf(self, (self.data.shape, self.data.dtype))
        return node

    def cleargrad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    # -- copies and transfers --------------------------------------------------------------------

    def __copy__(self) -> Variable:
        """Another handle of the same array: at the same place in the graph, or a leaf of its own."""
        twin: Variable = _new(type(self))
        for slot in ("data", "grad", "requires_grad", "_name", "_node", "_index"):
            setattr(twin, slot, getattr(self, slot))
        if self.creator is None:
            twin._node = None
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        """A leaf with a copy of the data (and of the gradient); the graph is not copied."""
        twin: Variable = _new(type(self))
        memo[id(self)] = twin
        twin.__setstate__(self.__getstate__())
        if self.data is not None:
            twin.data = _owner(self).copy(self.data)
        if twin.grad is not None:
            twin.grad = twin.grad.__deepcopy__(memo)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """The value, without the graph that it was computed in."""
        grad = None if self.grad is None else make_variable(self.grad.data, None, 0)
        return {
            "data": self.data,
            "grad": grad,
            "name": self._name,
            "requires_grad": self.requires_grad,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.data = state["data"]
        self.grad = state["grad"]
        self.requires_grad = state["requires_grad"]
        self._name = state["name"]
        self._node = None
        self._index = 0

    def to_cpu(self) -> Variable:
        """Move the data (and the gradient) to the host, as NumPy arrays, in place; returns self."""
        return self._move("numpy", None)

    def to_gpu(self, device: Any = None) -> Variable:
        """Move the data (and the gradient) to the GPU, as CuPy arrays, in place; returns self."""
        return self._move("cupy", device)

    def _move(self, backend: str, device: Any) -> Variable:
        if self.data is None:
            return self
        target = get_backend(backend)
        data = transfer(self.data, target, device)
        if data is self.data:  # it is there
            return self
        if self.creator is not None:
            raise RuntimeError(
                f"to_{'cpu' if backend == 'numpy' else 'gpu'} moves a leaf in place; this Variable was "
                f"computed by {self.creator!r}. Use v.to({backend!r}), which is part of the graph."
            )
        self.data = data
        self._node = None  # earlier graphs keep the array that they saw
        if hasattr(self, "_shared"):
            del self._shared
        if self.grad is not None:
            self.grad = make_variable(transfer(self.grad.data, target, device), None, 0)
        return self

    if TYPE_CHECKING:  # operators and methods that are ops: installed by tensorgrad.functions

        def backward(
            self,
            retain_grad: bool = ...,
            create_graph: bool = ...,
            retain_graph: bool | None = ...,
            *,
            grad: Any = ...,
        ) -> None: ...
        def on_grad(self, hook: Callable[[Variable], object]) -> Callable[[], None]: ...
        def unchain(self) -> None: ...
        def unchain_backward(self) -> None: ...
        def reshape(self, *shape: Any) -> Variable: ...
        def transpose(self, *axes: Any) -> Variable: ...
        def squeeze(self, axis: Any = ...) -> Variable: ...
        def sum(self, axis: Any = ..., keepdims: bool = ..., *, dtype: Any = ...) -> Variable: ...
        def mean(self, axis: Any = ..., keepdims: bool = ...) -> Variable: ...
        def var(self, axis: Any = ..., keepdims: bool = ..., *, correction: float = ...) -> Variable: ...
        def std(self, axis: Any = ..., keepdims: bool = ..., *, correction: float = ...) -> Variable: ...
        def prod(self, axis: Any = ..., keepdims: bool = ..., *, dtype: Any = ...) -> Variable: ...
        def cumsum(self, axis: Any = ..., *, dtype: Any = ...) -> Variable: ...
        def max(self, axis: Any = ..., keepdims: bool = ...) -> Variable: ...
        def min(self, axis: Any = ..., keepdims: bool = ...) -> Variable: ...
        def dot(self, other: Any) -> Variable: ...
        def matmul(self, other: Any) -> Variable: ...
        def flatten(self) -> Variable: ...
        def astype(self, dtype: Any, *, copy: bool = ...) -> Variable: ...
        def copy(self) -> Variable: ...
        def to(self, backend: Any = ..., device: Any = ...) -> Variable: ...
        @property
        def T(self) -> Variable: ...
        @property
        def mT(self) -> Variable: ...
        def __array_namespace__(self, *, api_version: str | None = ...) -> Any: ...
        def to_device(self, device: Any, /, *, stream: Any = ...) -> Variable: ...
        def __getitem__(self, index: Any) -> Variable: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Variable: ...
        def __radd__(self, other: Any) -> Variable: ...
        def __iadd__(self, other: Any) -> Self: ...
        def __sub__(self, other: Any) -> Variable: ...
        def __rsub__(self, other: Any) -> Variable: ...
        def __isub__(self, other: Any) -> Self: ...
        def __mul__(self, other: Any) -> Variable: ...
        def __rmul__(self, other: Any) -> Variable: ...
        def __imul__(self, other: Any) -> Self: ...
        def __truediv__(self, other: Any) -> Variable: ...
        def __rtruediv__(self, other: Any) -> Variable: ...
        def __itruediv__(self, other: Any) -> Self: ...
        def __floordiv__(self, other: Any) -> Variable: ...
        def __rfloordiv__(self, other: Any) -> Variable: ...
        def __ifloordiv__(self, other: Any) -> Self: ...
        def __mod__(self, other: Any) -> Variable: ...
        def __rmod__(self, other: Any) -> Variable: ...
        def __imod__(self, other: Any) -> Self: ...
        def __pow__(self, other: Any) -> Variable: ...
        def __rpow__(self, other: Any) -> Variable: ...
        def __ipow__(self, other: Any) -> Self: ...
        def __matmul__(self, other: Any) -> Variable: ...
        def __rmatmul__(self, other: Any) -> Variable: ...
        def __imatmul__(self, other: Any) -> Self: ...
        def __and__(self, other: Any) -> Variable: ...
        def __rand__(self, other: Any) -> Variable: ...
        def __iand__(self, other: Any) -> Self: ...
        def __or__(self, other: Any) -> Variable: ...
        def __ror__(self, other: Any) -> Variable: ...
        def __ior__(self, other: Any) -> Self: ...
        def __xor__(self, other: Any) -> Variable: ...
        def __rxor__(self, other: Any) -> Variable: ...
        def __ixor__(self, other: Any) -> Self: ...
        def __lshift__(self, other: Any) -> Variable: ...
        def __rlshift__(self, other: Any) -> Variable: ...
        def __ilshift__(self, other: Any) -> Self: ...
        def __rshift__(self, other: Any) -> Variable: ...
        def __rrshift__(self, other: Any) -> Variable: ...
        def __irshift__(self, other: Any) -> Self: ...
        def __invert__(self) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __pos__(self) -> Variable: ...
        def __abs__(self) -> Variable: ...
        def __lt__(self, other: Any) -> Variable: ...
        def __le__(self, other: Any) -> Variable: ...
        def __gt__(self, other: Any) -> Variable: ...
        def __ge__(self, other: Any) -> Variable: ...
        def __eq__(self, other: object) -> Variable: ...  # type: ignore[override]  # elementwise
        def __ne__(self, other: object) -> Variable: ...  # type: ignore[override]  # elementwise


class Parameter(Variable):
    """A Variable that a layer owns and an optimizer updates."""

    __slots__ = ()


def make_variable(data: Array, node: Function | Leaf | None, index: int) -> Variable:
    """A handle of a value in the graph; without a node, a constant."""
    v: Variable = _new(Variable)
    v.data = data
    v.grad = None
    v._name = None
    v.requires_grad = node is not None
    v._node = node
    v._index = index
    return v


def method(function: _F) -> _F:
    """Make a function a method of Variable, under its own name."""
    setattr(Variable, function.__name__, function)
    return function


def install(**methods: Any) -> None:
    """Give Variable operators and methods that are ops of the layer above."""
    for name, function in methods.items():
        setattr(Variable, name, function)


def _owner(v: Variable) -> Backend:
    """The backend of the data; a number that was assigned becomes an array.

    ``x.data = x.data - 0.1`` assigns one: NumPy's arithmetic makes numbers of 0-d arrays.
    """
    if v.data is None:
        raise TypeError(f"Variable {v.name!r} has no data yet")
    owner = backend_of(v.data)
    if owner is None:
        v.data = np.asarray(v.data)
        owner = get_backend("numpy")
    return owner


@cache  # NumPy takes 4 us to write the name of a dtype
def _is_bool(_library: type, dtype: Any) -> bool:
    """Whether a dtype is that of truth values. Dtypes of two libraries are never compared."""
    return "bool" in str(dtype)


def _checked(data: Any) -> Array:
    """An array that may become a Variable's data, or a TypeError that says what would do."""
    if isinstance(data, Variable):
        raise TypeError("Variable: expected an array; got a Variable. Use v.data or v.copy().")
    if isinstance(data, np.generic):
        return np.asarray(data)
    try:
        owner = backend_of(data)
    except TypeError as error:
        raise TypeError(f"Variable: {error}") from None
    if owner is None:
        raise TypeError(
            f"Variable: expected an array; got {type(data).__name__}. "
            "Use tensorgrad.as_variable(x), which makes one of numbers and lists."
        )
    return owner.adopt(data)


def as_array(x: Any, array_module: Any = np) -> Array:
    """Numbers and nested lists as an array; arrays as they are; the array of a Variable.

    Parameters
    ----------
    x : Variable, array, number or nested list
    array_module : namespace, default NumPy
        Where numbers and lists become arrays.

    Examples
    --------
    >>> tg.as_array(2.0)
    array(2.)
    """
    if isinstance(x, Variable):
        return x.data
    if isinstance(x, list | tuple | float | int | complex | np.generic):
        return array_module.asarray(x)
    _checked(x)
    return x


def as_variable(obj: Any) -> Variable:
    """A Variable as it is; anything that `as_array` takes as a new Variable.

    Examples
    --------
    >>> tg.as_variable([1.0, 2.0])
    variable([1. 2.])
    """
    return obj if isinstance(obj, Variable) else Variable(as_array(obj))


def transfer(array: Array, target: Backend, device: Any = None) -> Array:
    """An array in another library or on another device; as it is where it is there already."""
    source = backend_of(array)
    if source is None:
        raise TypeError(f"expected an array to transfer; got {type(array).__name__}")
    if source is target:
        return array if device is None else source.to_device(array, device)
    return target.from_numpy(source.to_numpy(array), device)
