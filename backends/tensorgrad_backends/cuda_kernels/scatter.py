"""Rows added to a table."""

from __future__ import annotations

import cupy

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels.launching import dense, each, serves


def scatter_rows(table: Array, rows: Array, values: Array) -> Array | None:
    """``table[rows] += values``, in place; rows that occur several times are all added."""
    if not serves(table, values) or not table.flags.c_contiguous or rows.dtype.kind not in "iu":
        return None
    if table.itemsize != 4 and int(cupy.cuda.Device().compute_capability) < 70:
        return None  # CUDA adds numbers of 16 bits atomically from Volta on, of 64 from Pascal on
    rows = dense(rows.astype(cupy.int64, copy=False))
    height, width = table.shape[0], table.size // table.shape[0]
    given = (table, rows, dense(values), rows.size, height, width)
    each("scatter", "scatter_rows", table.dtype, values.size, *given)
    return table
