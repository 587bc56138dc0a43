"""CuPy's module of cuBLAS, as far as it is used: products of stacks, read from memory as cuBLAS does."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from cuda_double.arrays import CUBLAS, computed
from cuda_double.graphs import refuse

HANDLE = 4711
CUBLAS_OP_N, CUBLAS_OP_T = 0, 1
CUBLAS_COMPUTE_32F = 68
CUBLAS_GEMM_DEFAULT_TENSOR_OP = 99
TYPES = {2: "float16", 14: "bfloat16"}  # CUDA_R_16F, CUDA_R_16BF

CALLS: list[tuple[Any, ...]] = []
"""The arguments of each call."""


def gemmStridedBatchedEx(  # noqa: N802, PLR0917  # CuPy's name and signature
    handle: int,
    transa: int,
    transb: int,
    m: int,
    n: int,
    k: int,
    alpha: int,
    A: int,
    Atype: int,
    lda: int,
    strideA: int,
    B: int,
    Btype: int,
    ldb: int,
    strideB: int,
    beta: int,
    C: int,
    Ctype: int,
    ldc: int,
    strideC: int,
    batchCount: int,
    computeType: int,
    algo: int,
) -> None:
    """``C = alpha op(A) op(B) + beta C`` column by column, for each of a stack: cuBLAS's documentation."""
    refuse(CUBLAS, NotImplementedError)
    assert (handle, computeType, algo) == (HANDLE, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT_TENSOR_OP)
    assert Atype == Btype == Ctype
    assert (_number(alpha), _number(beta)) == (1.0, 0.0)
    assert min(m, n, k, batchCount) > 0
    assert lda >= (k if transa else m)
    assert ldb >= (n if transb else k)
    assert ldc >= m
    dtype = np.dtype(TYPES[Atype])
    CALLS.append((transa, transb, m, n, k, batchCount))

    def compute() -> None:
        for i in range(batchCount):
            a = _columns(A, dtype, (k, m) if transa else (m, k), lda, i * strideA)
            b = _columns(B, dtype, (n, k) if transb else (k, n), ldb, i * strideB)
            c = _columns(C, dtype, (m, n), ldc, i * strideC)
            a, b = (x.T if turned else x for x, turned in ((a, transa), (b, transb)))
            c[...] = a.astype(np.float32) @ b.astype(np.float32)

    computed(compute)


def _number(address: int) -> float:
    return ctypes.c_float.from_address(address).value


def _columns(address: int, dtype: Any, shape: tuple[int, int], leading: int, start: int) -> np.ndarray:
    """A matrix in memory, column by column."""
    rows, columns = shape
    count = leading * (columns - 1) + rows
    bits = (ctypes.c_uint16 * count).from_address(address + start * dtype.itemsize)
    flat = np.frombuffer(bits, np.uint16).view(dtype)
    return np.lib.stride_tricks.as_strided(
        flat, shape, (dtype.itemsize, leading * dtype.itemsize), writeable=True
    )
