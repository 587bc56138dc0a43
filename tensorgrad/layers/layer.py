"""Layer, the base: what finds, moves, saves and loads parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, NamedTuple, Self
from weakref import ref

import numpy as np

from tensorgrad.backend import Backend, get_backend
from tensorgrad.core import Parameter
from tensorgrad.layers import weights


class Layer:
    """Parameters and other layers, and a ``forward`` that computes with them.

    Assign a `Parameter` or a `Layer` to an attribute, and it is one of this layer's; replace or
    delete the attribute, and it no longer is. The order is that of the first assignment. What
    stands in lists and dicts is not looked at.

    Attributes
    ----------
    inputs, outputs : tuple of weakref
        Of the latest call: ``layer.outputs[0]()`` is its first output, or None if nobody holds it
        any more.

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
            self.outputs = (_weak(outputs),)
            return outputs
        self.outputs = tuple(map(_weak, outputs))
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

    def cleargrads(self) -> None:
        """Forget the gradient of every parameter."""
        for p in self.params():
            p.cleargrad()

    # -- where they are --------------------------------------------------------------------------

    def to(self, backend: str | Backend, device: Any = None) -> Self:
        """Move every parameter, and its gradient, to an array library, in place.

        Parameters that wait for the first input are made there too.

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
        return self

    def to_cpu(self) -> Self:
        """Move every parameter to the host, as NumPy arrays, in place; returns self."""
        return self.to("numpy")

    def to_gpu(self, device: Any = None) -> Self:
        """Move every parameter to the GPU, as CuPy arrays, in place; returns self."""
        return self.to("cupy", device)

    # -- weights in files ------------------------------------------------------------------------

    def save_weights(self, path: str | PathLike[str]) -> None:
        """Write every parameter to an npz file; its keys are paths such as ``l1/W``.

        Nothing is moved. An older file is replaced only when the new one is complete.

        Parameters
        ----------
        path : str or path
            Used as it is; no ending is added.

        Raises
        ------
        ValueError
            If a parameter has no data yet.
        """
        named = dict(self.namedparams())
        empty = [name for name, p in named.items() if p.data is None]
        if empty:
            raise ValueError(
                f"save_weights: {', '.join(empty)} of {type(self).__name__} without data yet. "
                "Call the model on an input first: it fixes the sizes that were left open."
            )
        weights.write(path, {name: p.backend.to_numpy(p.data) for name, p in named.items()})

    def load_weights(self, path: str | PathLike[str]) -> None:
        """Read every parameter from an npz file that `save_weights` wrote.

        Each keeps its library, its device and its dtype. Those that wait for the first input get
        their data now. After an error nothing has changed.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        ValueError
            If the file is damaged, or does not fit: the message names every parameter of another
            shape, every one that is missing and every one that is unexpected.
        """
        arrays = weights.read(path)
        slots = {slot.path: slot for slot in self._slots()}
        faults = [
            f"{key}: {fault}"
            for key, slot in slots.items()
            if (fault := slot.fault(arrays.get(key))) is not None
        ]
        faults += [f"{key}: only in the file" for key in arrays if key not in slots]
        if faults:
            raise ValueError(
                f"load_weights: {path} does not fit this {type(self).__name__}; nothing was "
                "loaded. Was it saved from a model of other sizes?\n  " + "\n  ".join(faults)
            )
        ready = [(slot.parameter, slot.placed(arrays[key])) for key, slot in slots.items()]
        for p, data in ready:
            p.data = data

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        """The shape (None where open) and NumPy dtype that a parameter without data will have.

        A layer whose parameters wait for the first input defines it, so that `load_weights` can
        check what it puts there. None: anything goes.
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

    def fault(self, array: weights.NumpyArray | None) -> str | None:
        """Why an array from a file cannot be the parameter's data, or None."""
        if array is None:
            return "missing in the file"
        p = self.parameter
        shape: tuple[int | None, ...]
        if p.data is not None:
            shape, dtype = p.shape, p.dtype
            floating, is_complex = p.backend.is_floating(dtype), p.backend.is_complex(dtype)
        elif (spec := self.layer.lazy_spec(self.name)) is not None:
            shape, dtype = spec[0], np.dtype(spec[1])
            floating, is_complex = dtype.kind in "fc", dtype.kind == "c"
        else:
            return None
        if not weights.fits(array.shape, shape):
            return f"expected shape {shape}, got {array.shape}"
        if array.dtype.kind in ("" if is_complex else "c" if floating else "cf"):
            return f"expected dtype {dtype}, got {array.dtype}"
        return None

    def placed(self, array: weights.NumpyArray) -> Any:
        """The array in the library, on the device and in the dtype of the parameter."""
        p = self.parameter
        if p.data is not None:
            data = p.backend.from_numpy(array, p.device)
            return data if data.dtype == p.dtype else p.backend.xp.astype(data, p.dtype)
        spec = self.layer.lazy_spec(self.name)
        if spec is not None:
            array = array.astype(spec[1], copy=False)
        backend, device = self.layer._place or ("numpy", None)
        return get_backend(backend).from_numpy(array, device)


def _weak(value: Any) -> Callable[[], Any]:
    """A weak reference; one that is dead from the start where the type allows none."""
    try:
        return ref(value)
    except TypeError:
        return _gone


def _gone() -> None:
    """Refers to what cannot be referred to weakly: a number, a tuple."""
