"""Every public function as part of an ONNX file, at its first sample; or why that cannot be."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.exporting import CannotExportError
from tensorgrad.testing import assert_close, make_arrays
from under_test import BACKENDS

if "ndonnx" not in BACKENDS:  # asked for, it must be there
    for library in ("ndonnx", "onnxruntime"):
        pytest.importorskip(library, reason="the extra `onnx` is not installed")

FUNCTIONS = {
    name: f
    for name, f in ((name, getattr(F, name)) for name in dir(F))
    if not isinstance(f, ModuleType) and getattr(f, "__samples__", ())
}

LINALG = "no ONNX operator is known for it .*linalg'"
COMPLEX = "no ONNX operator is known for it .*'(complex64|fft)'"
LOOP = "the value of an array is asked for"  # a series that goes on until it is exact
CANNOT: dict[str, str] = {
    **dict.fromkeys(("cholesky", "cross", "det", "eigh", "eigvalsh", "inv"), LINALG),
    **dict.fromkeys(("eig", "eigvals"), r"eig(vals)?: ndonnx .* has no linalg\.eig"),
    **dict.fromkeys(("lstsq", "matrix_rank", "pinv", "qr", "slogdet", "solve", "svd", "svdvals"), LINALG),
    **dict.fromkeys(("fft", "fftn", "hfft", "ifft", "ifftn", "ihfft"), COMPLEX),
    **dict.fromkeys(("irfft", "irfftn", "rfft", "rfftn"), COMPLEX),
    **dict.fromkeys(("betainc", "gammainc", "stdtr"), LOOP),
    "copysign": "no ONNX operator is known for it",
    "nextafter": "no ONNX operator is known for it",
}
"""Function -> what the message says."""

ALIKE = {"betaincc", "chdtr", "chdtrc", "fdtr", "fdtrc", "gammaincc", "gdtr", "gdtrc", "pdtr"}
"""Functions with the series of betainc and gammainc; not tried, as each takes a second to get to its end."""

NDONNX = get_backend("ndonnx")


def arguments(name: str) -> list[Any]:
    return make_arrays(FUNCTIONS[name].__samples__[0], get_backend("numpy"), "float32", seed=0)


def call(name: str, args: list[Any]) -> Any:
    return FUNCTIONS[name](*args, **FUNCTIONS[name].__samples__[0].kwargs)


def test_every_function_gives_the_same_in_a_file(tmp_path):
    """All in one file, since most of the time goes into the start of onnxruntime."""
    names = [name for name in FUNCTIONS if name not in {*CANNOT, *ALIKE}]

    def everything(inputs: dict[str, list[Any]]) -> list[Any]:
        return [call(name, args) for name, args in inputs.items()]

    inputs = {name: arguments(name) for name in names}
    with tg.no_grad(), tg.test_mode():
        counts = [len(tg.core.tree.tree_leaves(call(name, inputs[name]))) for name in names]
    outputs = [f"{name}_{i}" for name, count in zip(names, counts, strict=True) for i in range(count)]
    made = tg.export_onnx(everything, inputs, tmp_path / "functions.onnx", output_names=outputs)
    assert made.difference <= 1e-5
    assert len(names) >= 200


def test_what_cannot_be_written_is_named_with_its_op(tmp_path):
    assert [name for name in (*CANNOT, *ALIKE) if name not in FUNCTIONS] == []
    for name, text in CANNOT.items():
        with pytest.raises(CannotExportError, match=rf"^\w+ cannot be exported: {text}"):
            tg.export_onnx(lambda args, name=name: call(name, args), arguments(name), tmp_path / "f.onnx")
    assert list(tmp_path.iterdir()) == []


# -- the backend by itself -------------------------------------------------------------------------------


def test_indices_are_those_of_numpy():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    ours = NDONNX.from_numpy(x)
    one, two = np.array([1, 0, -1]), np.array([2, -1, 0])
    basic = [0, -1, slice(1, None), slice(None, None, -1), slice(-1, 0, -2), (..., None, 0), (1, None, ...)]
    basic += [(slice(None), 1), (0, ..., -2), (slice(5, None), 0), (None, slice(None), [1][0], slice(0, 0))]
    for index in basic:
        assert_close(NDONNX.to_numpy(NDONNX.getitem(ours, index)), x[index], rtol=0, atol=0, what=str(index))
    for index in [(one,), (slice(None), one), (one, two), (np.array([[1], [0]]), two)]:
        moved = tuple(NDONNX.from_numpy(i) if isinstance(i, np.ndarray) else i for i in index)
        got = NDONNX.to_numpy(NDONNX.getitem(ours, moved))
        assert_close(got, x[index], rtol=0, atol=0, what=str(index))
    for index in (2, (0, 3), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            NDONNX.getitem(ours, index)


def test_values_are_put_and_added_where_they_belong():
    base, values = np.zeros((3, 2), np.float32), np.float32([[1, 2], [4, 8], [16, 32]])
    twice = np.array([0, 2, 0])
    added = NDONNX.scatter_add(*map(NDONNX.from_numpy, (base, twice, values)))
    assert_close(NDONNX.to_numpy(added), np.float32([[17, 34], [0, 0], [4, 8]]), rtol=0, atol=0)
    put = NDONNX.setitem(NDONNX.from_numpy(base), (slice(None), 1), 3.0)
    assert_close(NDONNX.to_numpy(put), np.float32([[0, 3]] * 3), rtol=0, atol=0)
    assert_close(NDONNX.to_numpy(NDONNX.from_numpy(base)), base, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "xs"),
    [
        ("expm1", ([-50, -1, -1e-6, 0, 1e-6, 0.9, 1, 80],)),
        ("log1p", ([-0.5, -1e-6, 0, 1e-6, 1, 1e30, np.inf],)),
        ("hypot", ([3e30, 0, 1e-30, np.inf, 3], [4e30, 0, 1e-30, 1, -4])),
        ("atan2", ([1, 1, -1, -1, 0, 2, -2, 0], [1, -1, 1, -1, 1, 0, 0, -1])),
        ("vector_norm", ([3, -4, 0.5],)),
        ("cumulative_prod", ([3, -4, 0.5, 0, 2],)),
    ],
)
def test_functions_that_ndonnx_lacks(name, xs):
    arrays = [np.array(x, np.float32) for x in xs]
    space = NDONNX.xp.linalg if name == "vector_norm" else NDONNX.xp
    names = {"atan2": np.arctan2, "vector_norm": np.linalg.norm, "cumulative_prod": np.cumprod}
    want = names.get(name, getattr(np, name, None))(*arrays)
    got = NDONNX.to_numpy(getattr(space, name)(*map(NDONNX.from_numpy, arrays)))
    assert_close(got, want, rtol=3e-7, atol=0)


@pytest.mark.parametrize("order", [1, 2, 3, np.inf, -np.inf])
def test_norms(order):
    x = np.float32([[3, -4, 0.5], [1, 2, -7]])
    got = NDONNX.xp.linalg.vector_norm(NDONNX.from_numpy(x), axis=1, keepdims=True, ord=order)
    assert_close(NDONNX.to_numpy(got), np.linalg.norm(x, order, 1, keepdims=True), rtol=1e-6, atol=0)


def test_there_are_no_random_numbers():
    for draw in (NDONNX.uniform, NDONNX.normal):
        with pytest.raises(TypeError, match=r"would be constants of the ONNX file\. Give them as an input"):
            draw((2,), NDONNX.xp.float32)
