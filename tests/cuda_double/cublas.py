"""CuPy's module of cuBLAS, as far as it is used: products of stacks, read from memory as cuBLAS does."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from cuda_double.arrays import CUBLAS, computed
from cuda_double.graphs import refuse

HANDLE = 4711
CUBLAS_OP_N, CUBLAS_OP_T = 0, 1
CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_32F_FAST_TF32 = 68, 70, 77
CUBLAS_GEMM_DEFAULT = -1
TYPES = {2: "float16", 14: "bfloat16", 0: "float32", 1: "float64"}  # CUDA_R_16F and so on

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
    assert (handle, algo) == (HANDLE, CUBLAS_GEMM_DEFAULT)
    assert Atype == Btype == Ctype
    dtype = np.dtype(TYPES[Atype])
    kinds = {CUBLAS_COMPUTE_32F: (2, 4), CUBLAS_COMPUTE_64F: (8,), CUBLAS_COMPUTE_32F_FAST_TF32: (4,)}
    assert dtype.itemsize in kinds[computeType]
    scale = np.float64 if computeType == CUBLAS_COMPUTE_64F else np.float32
    assert (_number(alpha, scale), _number(beta, scale)) == (1.0, 0.0)
    assert min(m, n, k, batchCount) > 0
    assert lda >= (k if transa else m)
    assert ldb >= (n if transb else k)
    assert ldc >= m
    CALLS.append((transa, transb, m, n, k, batchCount, computeType))

    def compute() -> None:
        for i in range(batchCount):
            a = _columns(A, dtype, (k, m) if transa else (m, k), lda, i * strideA)
            b = _columns(B, dtype, (n, k) if transb else (k, n), ldb, i * strideB)
            c = _columns(C, dtype, (m, n), ldc, i * strideC)
            a, b = (x.T if turned else x for x, turned in ((a, transa), (b, transb)))
            c[...] = a.astype(scale) @ b.astype(scale)

    computed(compute)


def _number(address: int, dtype: Any) -> float:
    return np.ctypeslib.as_ctypes_type(dtype).from_address(address).value


def _columns(address: int, dtype: Any, shape: tuple[int, int], leading: int, start: int) -> np.ndarray:
    """A matrix in memory, column by column."""
    rows, columns = shape
    count = leading * (columns - 1) + rows
    memory = (ctypes.c_uint8 * (count * dtype.itemsize)).from_address(address + start * dtype.itemsize)
    flat = np.frombuffer(memory, np.uint8).view(dtype)
    return np.lib.stride_tricks.as_strided(
        flat, shape, (dtype.itemsize, leading * dtype.itemsize), writeable=True
    )
