"""ndonnx arrays: what is computed with them becomes a graph of ONNX operators, which `tg.export_onnx` writes.

An array has a known value, which is computed at once, or stands for an input of the graph. A program that
looks at the value of the latter cannot become a graph, and is told so. There are no random numbers: one that
is drawn now would be a constant of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tensorgrad.backend import Array, Backend, importing, native

with importing("ndonnx", install="python -m pip install 'tensorgrad[onnx]'"):
    import ndonnx as ndx
    import onnx
    import onnxruntime  # noqa: F401  # with it ndonnx computes what is known already

    from tensorgrad_backends.ndonnx_arrays import constant, getitem, ours, traced
    from tensorgrad_backends.ndonnx_functions import namespace, put
    from tensorgrad_backends.ndonnx_kernels import KERNELS, erf

OPSET = 21
"""The version of ONNX's operators that the graphs are made of."""


class NdonnxBackend(Backend):
    """Arrays of ndonnx: constants, and the values of a graph of ONNX operators."""

    name = "ndonnx"
    writable = False  # item assignment exists, but knows fewer indices than scatter_add
    xp = namespace()
    array_types = (ndx.Array,)

    @property
    def module(self) -> Any:
        return ndx

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        return traced(constant(native(array)))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.array(ours(array).unwrap_numpy())

    def to_device(self, array: Array, device: Any) -> Array:
        return array

    # -- graphs ----------------------------------------------------------------------------------

    def argument(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array whose value is given when the graph is run."""
        return ours(ndx.argument(shape=shape, dtype=ndx.from_numpy_dtype(dtype)))

    def graph(self, inputs: dict[str, Array], outputs: dict[str, Array]) -> onnx.ModelProto:
        """The ONNX model that computes `outputs` from `inputs`, which `argument` made."""
        made = ndx.build(inputs, outputs)
        del made.opset_import[:]  # the lowest that does
        made.opset_import.append(onnx.helper.make_opsetid("", OPSET))
        constants = [onnx.helper.make_node("Constant", [], [t.name], value=t) for t in made.graph.initializer]
        del made.graph.initializer[:]
        nodes = [*constants, *made.graph.node]
        del made.graph.node[:]
        made.graph.node.extend(nodes)
        return made

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        return getitem(array, index)

    def setitem(self, base: Array, index: Any, values: Any) -> Array:
        return put(base, index, values, "none")

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        return put(base, index, values, "add")

    def uniform(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        _random()

    def normal(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        _random()

    def kernel(self, name: str) -> Callable[..., Any] | None:
        return KERNELS.get(name)

    def special(self, name: str) -> Any:
        return erf if name == "erf" else None


def _random() -> NoReturn:
    raise TypeError(
        "ndonnx: random numbers are drawn when the graph is made, and would be constants of the ONNX file. "
        "Give them as an input."
    )
