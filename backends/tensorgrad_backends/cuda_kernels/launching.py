"""How a kernel is compiled, once for each device, and launched."""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy as np

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels import sources

_MOST = 1 << 30  # elements that an int counts, with room for a step
_BLOCK = 256


def serves(*arrays: Array) -> bool:
    """Whether the kernels serve these arrays: on the current device, not empty, of one dtype they know.

    Nor may they have more elements than an int counts.
    """
    dtype, here = arrays[0].dtype, cupy.cuda.runtime.getDevice()
    return dtype.name in sources.TYPES and all(
        a.dtype == dtype and 0 < a.size < _MOST and a.data.device_id == here for a in arrays
    )


def computed_in(dtype: Any) -> Any:
    """The dtype that a kernel for `dtype` computes in."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def dense(array: Array) -> Array:
    """The array, in memory row by row."""
    return cupy.ascontiguousarray(array)


@cupy.memoize(for_each_device=True)  # type: ignore[untyped-decorator]
def _function(file: str, dtype: str, name: str) -> Any:
    return cupy.RawModule(code=sources.code(file, dtype), options=sources.OPTIONS).get_function(name)


def launch(file: str, name: str, dtype: Any, blocks: int, threads: int, *args: Any) -> None:
    """Run the kernel `name` of a file on the current stream.

    Parameters
    ----------
    file, name : str
    dtype : numpy.dtype
        What T is.
    blocks, threads : int
    *args : array, int, float, numpy scalar or None
        An int is passed as an int, a float as an A; None is a null pointer.

    Raises
    ------
    ValueError
        If an array lies on another device: CuPy does not look, and its address would end the program.
    """
    here = cupy.cuda.runtime.getDevice()
    for x in args:
        if isinstance(x, cupy.ndarray) and x.data.device_id != here:
            raise ValueError(
                f"{name}: expected arrays on the current device, {here}; got one on {x.data.device_id}. "
                f"Move it, or compute within `with tensorgrad.cuda.Device({x.data.device_id})`."
            )
    real = computed_in(dtype).type
    given = tuple(_argument(x, real) for x in args)
    _function(file, dtype.name, name)((blocks,), (threads,), given)


def _argument(x: Any, real: Any) -> Any:
    if x is None:
        return np.uintp(0)
    if isinstance(x, float):
        return real(x)
    return np.int32(x) if isinstance(x, int) else x


def each(file: str, name: str, dtype: Any, n: int, *args: Any) -> None:
    """Launch a kernel that goes through n elements; the last arguments of `launch`."""
    launch(file, name, dtype, min(-(-n // _BLOCK), 1 << 16), _BLOCK, *args)


def threads_for(n: int) -> int:
    """How many threads share n elements: four to each, and whole warps of 32."""
    return min(1024, max(32, 1 << math.ceil(math.log2(max(n / 4, 1)))))
