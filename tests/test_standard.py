"""What code that was written for the Array API standard relies on, on every backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad.backend import get_backend
from tensorgrad.core import namespace_of
from tensorgrad.functions import constants
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy

A = np.asarray([[1.0, 4.0, 2.0], [0.5, 3.0, 8.0]])


@pytest.fixture
def ns(backend: Any) -> Any:
    return namespace_of(backend)


@pytest.fixture
def v(backend: Any) -> Variable:
    return Variable(backend.from_numpy(A))


# -- what the namespace says of itself -------------------------------------------------------------------


def test_version(ns, v):
    assert ns.__array_api_version__ == "2025.12"
    for version in ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12", None):
        assert v.__array_namespace__(api_version=version) is ns
    with pytest.raises(ValueError, match=r"expected a version of the standard .* got '2020.12'"):
        v.__array_namespace__(api_version="2020.12")


def test_info(backend, ns, v):
    info = ns.__array_namespace_info__()
    assert set(info.capabilities()) >= {"boolean indexing", "data-dependent shapes", "max dimensions"}
    assert isinstance(info.devices(), tuple)
    assert ns.zeros(1, device=info.default_device()).device == v.device
    defaults = info.default_dtypes()
    assert ns.zeros(1).dtype == defaults["real floating"]
    assert ns.arange(3).dtype == defaults["integral"]
    assert ns.asarray(1j).dtype == defaults["complex floating"]
    assert ns.argmax(v).dtype == defaults["indexing"]
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert info.dtypes()["int8"] == ns.int8


def test_devices_are_taken_where_arrays_are_made(backend, ns, v):
    for device in (v.device, None):
        made = [
            *(ns.zeros(2, device=device), ns.ones(2, device=device), ns.empty(2, device=device)),
            *(ns.full(2, 1.0, device=device), ns.arange(2, device=device), ns.eye(2, device=device)),
            *(ns.linspace(0.0, 1.0, 2, device=device), ns.asarray([1.0], device=device)),
            *(ns.zeros_like(v, device=device), ns.full_like(v, 1.0, device=device), ns.astype(v, ns.float32)),
        ]
        assert all(x.device == v.device for x in made)


def test_devices_by_name(backend, ns):
    if backend.name in ("dask", "cupy"):
        pytest.skip("the first knows no devices, the second has no cpu")
    assert ns.zeros(2, device="cpu").device == ns.zeros_like(ns.asarray([1.0], device="cpu")).device


# -- dtypes ----------------------------------------------------------------------------------------------


def test_limits_of_floating_dtypes_are_numbers_of_python(ns, v):
    for given in (ns.float64, v, v.data, ns.complex128):
        info = ns.finfo(given)
        assert [type(x) for x in info[:5]] == [int, float, float, float, float]
        assert info.dtype == ns.float64
        assert info.bits == 64
        assert (info.eps, info.max, info.min) == (2.0**-52, float(np.finfo(float).max), -info.max)
        assert info.smallest_normal == 2.0**-1022
    assert ns.finfo(ns.float32).bits == 32
    assert ns.finfo(ns.complex64).dtype == ns.float32


def test_limits_of_integer_dtypes_are_numbers_of_python(ns):
    for given in (ns.int16, ns.asarray([1], dtype=ns.int16)):
        info = ns.iinfo(given)
        assert info == constants.IntegerInfo(16, 32767, -32768, ns.int16)
        assert [type(x) for x in info[:3]] == [int, int, int]


def test_dtypes_in_common(ns, v):
    assert ns.result_type(ns.int8, ns.uint8) == ns.int16
    assert ns.result_type(ns.uint16, ns.uint32) == ns.uint32
    assert ns.result_type(ns.float32, 1.0) == ns.float32
    assert ns.result_type(ns.astype(v, ns.float32), v) == ns.float64
    assert ns.result_type(v.data, 1) == ns.float64
    assert ns.isdtype(v.dtype, ("integral", "real floating"))
    assert not ns.isdtype(ns.bool, "numeric")
    assert ns.can_cast(ns.int8, ns.int16)
    assert not ns.can_cast(v, ns.int16)


def test_arrays_without_axes_have_a_say_in_the_dtype(ns):
    wide, narrow = ns.asarray(7, dtype=ns.int64), ns.asarray([2, 3], dtype=ns.int16)
    for name in ("add", "subtract", "multiply", "floor_divide", "remainder", "pow"):
        for y in (getattr(ns, name)(wide, narrow), getattr(ns, name)(narrow, wide)):
            assert y.dtype == ns.int64
    assert ns.add(narrow, 1).dtype == ns.add(1, narrow).dtype == ns.int16
    assert_close(to_numpy(ns.subtract(wide, narrow)), [5, 4])


def test_dtypes_of_another_library_are_known(ns, backend):
    elsewhere = namespace_of(get_backend("array_api_strict"))
    dtype = elsewhere.zeros(1).dtype
    assert ns.isdtype(dtype, "real floating")
    assert ns.finfo(dtype).bits == 64
    assert ns.result_type(dtype, elsewhere.float32) == dtype
    assert elsewhere.isdtype(ns.asarray([1.0]).dtype, "real floating")
    assert elsewhere.iinfo(ns.asarray([1], dtype=ns.int8).dtype).bits == 8


# -- results ---------------------------------------------------------------------------------------------


def test_results_without_axes_are_variables(backend, ns, v):
    results = [
        *(
            ns.sum(v),
            ns.mean(v),
            ns.max(v),
            ns.prod(v),
            ns.std(v),
            ns.argmax(v),
            ns.any(v > 1),
            ns.all(v > 1),
        ),
        *(ns.count_nonzero(v), v[0, 1], ns.floor(v[0, 1]), v[0, 1] > 2.0, v[0, 1] + 1, ns.asarray(1.0)),
        *(ns.linalg.det(v[:, :2]), ns.linalg.trace(v), ns.linalg.vector_norm(v), ns.unstack(v[0])[0]),
    ]
    for y in results:
        assert isinstance(y, Variable)
        assert isinstance(y.data, backend.array_types)
        assert y.shape == ()


def test_several_results_are_named(backend, ns):
    x = Variable(backend.from_numpy(np.asarray([[3.0, 1.0], [3.0, 2.0]])))
    found = ns.unique_all(x)
    assert type(found) is constants.UniqueAllResult
    assert found._fields == ("values", "indices", "inverse_indices", "counts")
    assert_close(to_numpy(found.values), [1.0, 2.0, 3.0])
    assert_close(to_numpy(found.indices), [1, 3, 0])
    assert_close(to_numpy(found.inverse_indices), [[2, 0], [2, 1]])
    assert_close(to_numpy(found.counts), [1, 1, 2])
    assert type(ns.unique_counts(x)) is constants.UniqueCountsResult
    assert type(ns.unique_inverse(x)) is constants.UniqueInverseResult
    assert ns.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert ns.linalg.slogdet(x)._fields == ("sign", "logabsdet")
    assert ns.linalg.qr(x)._fields == ("Q", "R")
    assert ns.linalg.svd(x)._fields == ("U", "S", "Vh")
    assert type(ns.broadcast_arrays(x, x)) is type(ns.meshgrid(x[0], x[1])) is tuple


def test_constants_follow_their_arrays(backend, ns):
    x = get_backend("array_api_strict").xp.asarray([1.5, 2.5])
    for y in (ns.floor(x), ns.zeros_like(Variable(x)), ns.full_like(x, 2.0), ns.searchsorted(x, x[:1])):
        assert y.backend.name == "array_api_strict"


# -- shapes and indices ----------------------------------------------------------------------------------


def test_shapes_in_common(ns):
    assert ns.broadcast_shapes() == ()
    assert ns.broadcast_shapes((2, 1), (3,), (1, 1, 1)) == (1, 2, 3)
    assert ns.broadcast_shapes((None, 3), (1, 3)) == (None, 3)
    assert ns.broadcast_shapes((None,), (4,)) == ns.broadcast_shapes((4,), (None,)) == (4,)
    assert ns.broadcast_shapes((0, 1), (1, 5)) == (0, 5)
    with pytest.raises(ValueError, match=r"expected shapes that broadcast to one; got \(2,\) and \(3,\)"):
        ns.broadcast_shapes((2,), (3,))
    with pytest.raises(ValueError, match="expected shapes that broadcast to one"):
        ns.broadcast_arrays(ns.zeros((2, 3)), ns.zeros((2, 2)))


def test_several_new_axes(ns, v):
    assert ns.expand_dims(v, axis=(0, 2, -1)).shape == (1, 2, 1, 3, 1)
    assert ns.expand_dims(v, axis=()).shape == (2, 3)
    for axis in (4, (0, 4)):
        with pytest.raises(IndexError, match="expand_dims: expected an axis from"):
            ns.expand_dims(v, axis=axis)
    with pytest.raises(ValueError, match="expand_dims: expected each axis once"):
        ns.expand_dims(v, axis=(0, 0))


def test_steps_backwards(ns, v):
    assert_close(v[::-1, ::-2], A[::-1, ::-2])


@pytest.mark.parametrize("mask", [[True, False, True], [[True, False], [True, False]], [[True], [False]]])
def test_masks_of_another_shape(backend, ns, v, mask):
    mask = ns.asarray(mask)
    for index in (mask, mask.data):
        with pytest.raises(IndexError):
            _ = v[index]
        with pytest.raises(IndexError):
            (v + 0.0)[index] = 0.0


def test_numbers_in_place_of_arrays(ns, v):
    assert_close(to_numpy(ns.searchsorted(ns.asarray([1.0, 2.0, 3.0]), 2.5)), 2)
    assert_close(to_numpy(ns.isin(ns.asarray([1, 4, 2]), 4)), [False, True, False])
    assert_close(ns.where(v > 2.0, 1.0, v), np.where(A > 2.0, 1.0, A))


# -- from other libraries --------------------------------------------------------------------------------


def test_dlpack(backend, ns):
    if backend.name in ("dask", "array_api_strict"):
        pytest.skip("the first has no DLPack; the second takes nobody else's arrays in every release")
    y = ns.from_dlpack(np.asarray([1.0, 2.0]))
    assert y.backend is backend
    assert_close(y, [1.0, 2.0])
    assert not y.requires_grad
    constant = tg.stop_gradient(Variable(backend.copy(y.data)))  # NumPy 2.0 exports nothing read-only
    assert_close(ns.from_dlpack(constant), [1.0, 2.0])
    with pytest.raises(BufferError, match="requires a gradient, which the other library would lose"):
        ns.from_dlpack(Variable(y.data))


# -- numbers that the libraries get wrong ------------------------------------------------------------------


def test_expm1_of_complex_infinities():
    xp = get_backend("numpy").xp
    inf, nan = math.inf, math.nan
    with np.errstate(all="ignore"):
        y = xp.expm1(np.asarray([complex(inf, 0), complex(-inf, nan), complex(nan, 0), complex(-0.0, 0)]))
        z = xp.expm1(np.asarray(1e-20 + 1e-20j))
    assert (y[0], y[1].real, y[1].imag, y[2].imag) == (complex(inf, 0), -1.0, 0.0, 0.0)
    assert math.isnan(y[2].real)
    assert math.copysign(1.0, y[3].real) == 1.0
    assert abs(z - (1e-20 + 1e-20j)) < 1e-35


def test_sign_of_complex_zeros(backend):
    for zero in (complex(0.0, -0.0), complex(-0.0, 0.0)):
        y = complex(tg.sign(Variable(backend.from_numpy(np.asarray(zero)))))
        assert (math.copysign(1.0, y.real), math.copysign(1.0, y.imag)) == (1.0, 1.0)
