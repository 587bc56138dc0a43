"""Layer, the base: what finds, moves, saves and loads parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any, ClassVar, NamedTuple, Self
from weakref import ref

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of, get_backend
from tensorgrad.core import Function, Parameter, Variable
from tensorgrad.core.variable import as_array, transfer
from tensorgrad.core.watch import calls_ops
from tensorgrad.layers import weights


@calls_ops
class Layer:
    """Parameters and other layers, and a ``forward`` that computes with them.

    Assign a `Parameter` or a `Layer` to an attribute, and it is one of this layer's; replace or
    delete the attribute, and it no longer is. The order is that of the first assignment. What
    stands in lists and dicts is not looked at.

    A Parameter with ``requires_grad=False`` (running statistics) is saved, loaded and moved like the
    others; no optimizer changes it, as it gets no gradient.

    Attributes
    ----------
    inputs, outputs : tuple of callable
        Of the latest call, weakly: ``layer.outputs[0]()`` is its first output. If nobody holds that any
        more, but a graph that it is in, it is made anew where its data was saved or can be computed from
        what was: that of a convolution or a linear layer can. Otherwise it is None.
    carried : tuple of str
        Of the class: the attributes that go from call to call, a recurrent layer's ``h``. They move with
        the layer, are not saved, and `reset_state` sets them to None.

    Examples
    --------
    >>> class Scale(tg.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = tg.Parameter(np.array(3.0), name="factor")
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> scale = Scale()
    >>> scale(Variable(np.array([1.0, 2.0])))
    variable([3. 6.])
    >>> [p.name for p in scale.params()]
    ['factor']
    """

    inputs: tuple[Callable[[], Any], ...] = ()
    outputs: tuple[Callable[[], Any], ...] = ()
    carried: ClassVar[tuple[str, ...]] = ()
    _place: tuple[str, Any] | None = None  # backend and device that `to` last moved this layer to

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the outputs; subclasses define it."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define forward. A Layer needs forward(self, *inputs)."
        )

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`, and remember inputs and outputs weakly."""
        outputs = self.forward(*inputs, **options)
        self.inputs = tuple(map(_weak, inputs))
        if not isinstance(outputs, tuple):
            self.outputs = (_output(outputs),)
            return outputs
        self.outputs = tuple(map(_output, outputs))
        return outputs[0] if len(outputs) == 1 else outputs

    # -- parameters ------------------------------------------------------------------------------

    def params(self) -> Iterator[Parameter]:
        """Every parameter of this layer and of those in it, each once, in order of definition."""
        # The order is that of `_slots`; without its paths, since this runs twice in every training step.
        found: dict[int, Parameter] = {}
        met: set[int] = set()
        stack: list[Layer] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) in met:
                continue
            met.add(id(layer))
            inner = []
            for value in vars(layer).values():
                kind = type(value)
                if kind is tuple:
                    continue
                if kind is Parameter or isinstance(value, Parameter):
                    found.setdefault(id(value), value)
                elif isinstance(value, Layer):
                    inner.append(value)
            stack += reversed(inner)
        return iter(found.values())

    def namedparams(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its path, as ``('l1/W', W)``; a shared one has its first path.

        Examples
        --------
        >>> [path for path, _ in tg.models.MLP((8, 2)).namedparams()]
        ['l0/W', 'l0/b', 'l1/W', 'l1/b']
        """
        return ((slot.path, slot.parameter) for slot in self._slots())

    def _slots(self) -> Iterator[_Slot]:
        met: set[int] = set()
        for path, layer in self._layers():
            for name, value in vars(layer).items():
                if isinstance(value, Parameter) and id(value) not in met:
                    met.add(id(value))
                    yield _Slot(path + name, value, layer, name)

    def _layers(self) -> Iterator[tuple[str, Layer]]:
        """The layer itself and all those in it, each once, with their paths."""
        met: set[int] = set()
        stack: list[tuple[str, Layer]] = [("", self)]
        while stack:
            path, layer = stack.pop()
            if id(layer) in met:
                continue
            met.add(id(layer))
            yield path, layer
            inner = [(f"{path}{n}/", v) for n, v in vars(layer).items() if isinstance(v, Layer)]
            inner.reverse()
            stack += inner

    def path_of(self, inner: Layer) -> str | None:
        """Where a layer is in this one, as ``'blocks/0'``; None if it is not."""
        return next((path.removesuffix("/") for path, layer in self._layers() if layer is inner), None)

    def cleargrads(self) -> None:
        """Forget the gradient of every parameter."""
        for p in self.params():
            p.cleargrad()

    # -- where they are --------------------------------------------------------------------------

    def to(self, backend: str | Backend, device: Any = None) -> Self:
        """Move every parameter and its gradient, and recurrent state, to an array library, in place.

        Parameters that wait for the first input are made there too. State leaves the graph that it was
        computed in.

        Parameters
        ----------
        backend : str
            ``"numpy"``, ``"torch"``, ...
        device : optional
            In the library's own terms; its default device if None.

        Returns
        -------
        self

        Raises
        ------
        LookupError
            If no backend has that name.
        BackendUnavailableError
            If it cannot work here; the message says what is missing.

        Examples
        --------
        >>> model = tg.models.MLP((8, 2)).to("numpy")
        """
        name = get_backend(backend).name
        for p in self.params():
            p._move(name, device)
        for _, layer in self._layers():
            layer._place = (name, device)
            for attribute in layer.carried:
                state = getattr(layer, attribute, None)
                if state is not None:
                    moved = transfer(as_array(state), get_backend(backend), device)
                    setattr(layer, attribute, Variable(moved, requires_grad=False))
        return self

    def to_cpu(self) -> Self:
        """Move every parameter to the host, as NumPy arrays, in place; returns self."""
        return self.to("numpy")

    def to_gpu(self, device: Any = None) -> Self:
        """Move every parameter to the GPU, as CuPy arrays, in place; returns self."""
        return self.to("cupy", device)

    def _follow(self, x: Array) -> None:
        """Go where the first input is, unless `to` has put this layer somewhere."""
        owner = backend_of(x)
        if self._place is None and owner is not None:
            self.to(owner, owner.device(x))

    def _put(self, array: weights.NumpyArray) -> Array:
        """A NumPy array in the library and on the device of this layer."""
        backend, device = self._place or ("numpy", None)
        return get_backend(backend).from_numpy(array, device)

    def reset_state(self) -> None:
        """Forget what recurrent layers in this one remember: the next call begins a sequence."""
        for _, layer in self._layers():
            for attribute in layer.carried:
                setattr(layer, attribute, None)

    def carried_state(self) -> dict[str, Array | None]:
        """What recurrent layers in this one remember, by path, as ``l1/h``: arrays without their graph."""
        found = {
            f"{path}{name}": getattr(layer, name, None)
            for path, layer in self._layers()
            for name in layer.carried
        }
        return {path: None if state is None else as_array(state) for path, state in found.items()}

    def set_carried_state(self, state: Mapping[str, Any]) -> None:
        """Remember what `carried_state` gave; nothing where it has nothing.

        Its own state takes a model out of the graph so far: truncated backpropagation through time.
        """
        for path, layer in self._layers():
            for name in layer.carried:
                array = state.get(f"{path}{name}")
                if isinstance(array, np.ndarray):
                    array = layer._put(array)
                setattr(layer, name, None if array is None else Variable(array, requires_grad=False))

    # -- weights in dicts and files --------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter's array by its path, where they lie now.

        Raises
        ------
        ValueError
            If a parameter has no data yet.

        Examples
        --------
        >>> tg.layers.Linear(2, in_size=1).state_dict()["b"]
        array([0., 0.], dtype=float32)
        """
        return {path: p.backend.copy(p.data) for path, p in self._filled("state_dict").items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Take every parameter's values from a dict, as `state_dict` gives it.

        Each keeps its library, its device and its dtype. Those that wait for the first input get their
        data now. After an error nothing has changed.

        Parameters
        ----------
        state : mapping of str to array or Variable
            Of any library. The arrays are copied.
        strict : bool, default True
            Whether a parameter that is missing in `state`, or a name that only `state` has, is an error.

        Returns
        -------
        missing, unexpected : lists of str
            The names that only the layer has, and those that only `state` has.

        Raises
        ------
        ValueError
            If `state` does not fit: the message names every parameter of another shape, and with
            `strict` those that are missing and those that are unexpected.

        Examples
        --------
        >>> layer = tg.layers.Linear(2, in_size=1)
        >>> layer.load_state_dict({"b": np.ones(2)}, strict=False)
        (['W'], [])
        """
        arrays = {name: as_array(array) for name, array in state.items()}
        return self._load(self.own_names(arrays), "load_state_dict: the state", "in the state", strict)

    def _filled(self, caller: str) -> dict[str, Parameter]:
        """The parameters by path, all of them with data."""
        named = dict(self.namedparams())
        empty = [name for name, p in named.items() if p.data is None]
        if empty:
            raise ValueError(
                f"{caller}: {', '.join(empty)} of {type(self).__name__} without data yet. "
                "Call the model on an input first: it fixes the sizes that were left open."
            )
        return named

    def _load(
        self, arrays: Mapping[str, Array], what: str, where: str, strict: bool, *, copy: bool = True
    ) -> tuple[list[str], list[str]]:
        """Give the parameters these arrays: all of them, or none if one does not fit.

        With ``copy=False`` they are nobody else's and need not be copied.
        """
        slots = {slot.path: slot for slot in self._slots()}
        missing = [key for key in slots if key not in arrays]
        unexpected = [key for key in arrays if key not in slots]
        faults = []
        for key, slot in slots.items():
            if key in arrays:
                fault = slot.fault(arrays[key])
            else:
                fault = f"missing {where}" if strict else None
            if fault is not None:
                faults.append(f"{key}: {fault}")
        if strict:
            faults += [f"{key}: only {where}" for key in unexpected]
        if faults:
            raise ValueError(
                f"{what} does not fit this {type(self).__name__}; nothing was "
                "loaded. Was it saved from a model of other sizes?\n  " + "\n  ".join(faults)
            )
        found = [slot for key, slot in slots.items() if key in arrays]
        ready = [(slot, slot.placed(arrays[slot.path], copy)) for slot in found]
        for slot, data in ready:
            slot.parameter.data = data
        return missing, unexpected

    def save_weights(self, path: str | PathLike[str]) -> None:
        """Write every parameter to a file; its keys are paths such as ``l1/W``.

        Nothing is moved. An older file is replaced only when the new one is complete.

        Parameters
        ----------
        path : str or path
            Used as it is. ``.safetensors`` makes a file of that format, any other ending an npz file.

        Raises
        ------
        ValueError
            If a parameter has no data yet.
        ImportError
            If safetensors is needed and not installed.
        """
        named = self._filled("save_weights")
        weights.write(path, {name: p.backend.to_numpy(p.data) for name, p in named.items()})

    def load_weights(self, path: str | PathLike[str]) -> None:
        """Read every parameter from a file that `save_weights` wrote, or another program by these names.

        Each keeps its library, its device and its dtype. Those that wait for the first input get
        their data now. After an error nothing has changed.

        Parameters
        ----------
        path : str or path
            A safetensors file if it ends with ``.safetensors``, and otherwise an npz file.

        Raises
        ------
        ImportError
            If safetensors is needed and not installed.
        ValueError
            If the file is damaged, or does not fit: the message names every parameter of another
            shape, every one that is missing and every one that is unexpected.
        """
        arrays = self.own_names(weights.read(path))
        self._load(arrays, f"load_weights: {path}", "in the file", True, copy=False)

    def own_names(self, state: Mapping[str, Array]) -> Mapping[str, Array]:
        """A state, or what was in a file, under the paths of this layer's parameters: here, as it is.

        A model that knows other programs' names for them defines it.
        """
        return state

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        """The shape (None where open) and NumPy dtype that a parameter without data will have.

        A layer whose parameters wait for the first input defines it, so that `load_weights` can
        check what it puts there. None: anything goes; None for the dtype: any floating one.
        """
        return None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy and a pickle keep: all but the weak references to the latest call."""
        return {k: v for k, v in vars(self).items() if k not in ("inputs", "outputs")}


class _Slot(NamedTuple):
    """A parameter, and where it was found."""

    path: str
    parameter: Parameter
    layer: Layer
    name: str

    def fault(self, array: Array) -> str | None:
        """Why an array cannot be the parameter's data, or None."""
        p = self.parameter
        owner: Any = backend_of(array)
        shape: tuple[int | None, ...]
        if p.data is not None:
            shape, dtype = p.shape, p.dtype
            floating, is_complex = p.backend.is_floating(dtype), p.backend.is_complex(dtype)
        elif (spec := self.layer.lazy_spec(self.name)) is not None:
            shape, dtype = spec[0], np.dtype(spec[1] or np.float32)
            floating, is_complex = dtype.kind in "fc", dtype.kind == "c"
        else:
            return None
        if not weights.fits(array.shape, shape):
            return f"expected shape {shape}, got {tuple(array.shape)}"
        is_wider = owner.is_floating(array.dtype) and not floating
        if is_wider or (owner.is_complex(array.dtype) and not is_complex):
            return f"expected dtype {dtype}, got {array.dtype}"
        return None

    def placed(self, array: Array, copy: bool) -> Any:
        """The array, or a copy, in the library, on the device and in the dtype of the parameter."""
        p = self.parameter
        if p.data is not None:
            data = _moved(array, p.backend, p.device, copy)
            return data if data.dtype == p.dtype else p.backend.xp.astype(data, p.dtype)
        spec = self.layer.lazy_spec(self.name)
        place, device = self.layer._place or ("numpy", None)
        data = _moved(array, get_backend(place), device, copy)
        if spec is None or spec[1] is None:
            return data
        dtype = getattr(get_backend(place).xp, np.dtype(spec[1]).name)
        return data if data.dtype == dtype else get_backend(place).xp.astype(data, dtype)


def _moved(array: Array, target: Backend, device: Any, copy: bool) -> Array:
    """An array in another library or on another device; with `copy` in memory of its own."""
    moved = transfer(array, target, device)
    if not copy:
        return moved
    shared = moved is array or (isinstance(moved, np.ndarray) and not moved.flags.owndata)
    return target.copy(moved) if shared else moved


def _weak(value: Any) -> Callable[[], Any]:
    """A weak reference; one that is dead from the start where the type allows none."""
    try:
        return ref(value)
    except TypeError:
        return _gone


def _output(value: Any) -> Callable[[], Any]:
    if isinstance(value, Variable) and value.creator is not None:
        return _Output(value, value.creator)
    return _weak(value)


class _Output:
    """A weak reference to an output: to its handle, and to the node that can make it anew."""

    __slots__ = ("handle", "index", "node")

    def __init__(self, value: Variable, node: Function) -> None:
        self.handle = ref(value)
        self.node = ref(node)
        self.index = value._index

    def __call__(self) -> Variable | None:
        found = self.handle()
        if found is None and (node := self.node()) is not None:
            found = node.output_again(self.index)
        return found


def _gone() -> None:
    """Refers to what cannot be referred to weakly: a number, a tuple."""
