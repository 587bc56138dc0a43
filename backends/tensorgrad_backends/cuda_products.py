"""Products of stacks of matrices by cuBLAS, as they lie in memory; those of 16 bits are summed in float32.

CuPy's own product copies the factors of a stack that are turned, makes those of float16 float32, has none for
bfloat16, and does not use TF32.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import cupy
import numpy as np

from tensorgrad.backend import Array

_CUDA_TYPES = {"float16": 2, "bfloat16": 14, "float32": 0, "float64": 1}
"""CUDA_R_16F, CUDA_R_16BF, CUDA_R_32F and CUDA_R_64F of library_types.h."""


def serves(x1: Array, x2: Array) -> bool:
    """Whether `matmul` takes these arrays: of one dtype, not empty, their shapes fit, and there is a stack.

    CuPy does well with two matrices, but of 16 bits it sums the product of two vectors in 16 bits. Arrays on
    another than the current device are CuPy's affair too.
    """
    if x1.dtype.name not in _CUDA_TYPES or x1.dtype != x2.dtype or not x1.size or not x2.size:
        return False
    here = cupy.cuda.runtime.getDevice()
    if x1.data.device_id != here or x2.data.device_id != here:
        return False
    fit = x1.ndim > 0 < x2.ndim and x1.shape[-1] == x2.shape[max(x2.ndim - 2, 0)]
    return bool(fit and (max(x1.ndim, x2.ndim) > 2 or x1.itemsize == 2))


def matmul(x1: Array, x2: Array, out: Array | None = None) -> Array:
    """``x1 @ x2`` of arrays that `serves` takes.

    Parameters
    ----------
    x1 : array, shape (..., n, k) or (k,)
    x2 : array, shape (..., k, m) or (k,)
    out : array, the shape and dtype of the result, optional
        Dense in memory: it takes the result.

    Returns
    -------
    array, shape (..., n, m)
        Without n where `x1` is a vector, without m where `x2` is one.
    """
    a = x1[None, :] if x1.ndim == 1 else x1
    b = x2[:, None] if x2.ndim == 1 else x2
    shape = [*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]]
    if b.ndim == 2:  # one product of tall matrices, not a stack
        a = a.reshape(1, -1, a.shape[-1])
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if x1.ndim == 1:
        del shape[-2]
    if x2.ndim == 1:
        del shape[-1]
    y = cupy.empty(tuple(shape), x1.dtype) if out is None else out
    _gemm(_operand(a, lead), _operand(b, lead), y, math.prod(lead))
    return y


class Operand(NamedTuple):
    """A stack of matrices in memory, as cuBLAS wants it: column by column.

    Attributes
    ----------
    array : array, shape (..., rows, columns)
        What keeps the memory.
    by_columns : bool
        Whether the matrices lie there column by column; if not, row by row.
    leading : int
        Elements from one column to the next, or from row to row.
    apart : int
        Elements from matrix to matrix.
    """

    array: Array
    by_columns: bool
    leading: int
    apart: int


def _operand(x: Array, lead: tuple[int, ...]) -> Operand:
    """Matrices, spread to a stack of the shape `lead`: as they lie where cuBLAS can read them, or a copy."""
    shape = (*lead, *x.shape[-2:])
    found = _layout(cupy.broadcast_to(x, shape)) or _layout(cupy.broadcast_to(_dense(x), shape))
    if found is None:  # spread along some of several axes
        found = Operand(_dense(cupy.broadcast_to(x, shape)), False, shape[-1], shape[-2] * shape[-1])
    return found


def _dense(x: Array) -> Array:
    return cupy.ascontiguousarray(x)


def _layout(stack: Array) -> Operand | None:
    """How a stack lies in memory; None if cuBLAS cannot read it."""
    rows, columns = stack.shape[-2:]
    *outer, of_row, of_column = (step // stack.itemsize for step in stack.strides)
    steps = [(n, step) for n, step in zip(stack.shape[:-2], outer, strict=True) if n > 1]
    if any(step != n * inner for (_, step), (n, inner) in pairwise(steps)) or any(s < 0 for _, s in steps):
        return None
    apart = steps[-1][1] if steps else 0
    if (columns == 1 or of_column == 1) and (rows == 1 or of_row >= columns):
        return Operand(stack, False, of_row if rows > 1 else columns, apart)
    if (rows == 1 or of_row == 1) and (columns == 1 or of_column >= rows):
        return Operand(stack, True, of_column if columns > 1 else rows, apart)
    return None


def _gemm(a: Operand, b: Operand, y: Array, count: int) -> None:
    """``y = a b`` for each pair of a stack. Column by column, y^T = b^T a^T lies where y does."""
    from cupy.cuda import cublas, device  # noqa: PLC0415  # CuPy loads the library when it is asked for it

    (n, k), m = a.array.shape[-2:], b.array.shape[-1]
    dtype, wide = _CUDA_TYPES[y.dtype.name], y.dtype == np.float64
    one, zero = (np.array(number, np.float64 if wide else np.float32) for number in (1, 0))
    computed_in = cublas.CUBLAS_COMPUTE_64F if wide else cublas.CUBLAS_COMPUTE_32F
    if y.dtype == np.float32 and _tf32_is_allowed():
        computed_in = cublas.CUBLAS_COMPUTE_32F_FAST_TF32

    def given(x: Operand) -> tuple[int, int, int, int]:
        return x.array.data.ptr, dtype, x.leading, x.apart

    cublas.gemmStridedBatchedEx(
        device.get_cublas_handle(),
        cublas.CUBLAS_OP_T if b.by_columns else cublas.CUBLAS_OP_N,
        cublas.CUBLAS_OP_T if a.by_columns else cublas.CUBLAS_OP_N,
        *(m, n, k),
        one.ctypes.data,
        *given(b),
        *given(a),
        zero.ctypes.data,
        *(y.data.ptr, dtype, m, n * m),
        *(count, computed_in, cublas.CUBLAS_GEMM_DEFAULT),
    )


def _tf32_is_allowed() -> bool:
    core = cupy._core
    return bool(core.get_compute_type(np.float32) == core._routines_linalg.COMPUTE_TYPE_TF32)
