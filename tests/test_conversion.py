"""Other dtypes, other libraries: gradients come back in the dtype and library of their input."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def test_there_and_back(backend):
    x = Variable(np.asarray([1.0, 2.0, 3.0]))
    y = x.to(backend)
    assert isinstance(y.data, backend.array_types)
    z = F.exp(y * y).to("numpy") * x
    assert isinstance(z.data, np.ndarray)
    z.sum().backward(create_graph=True)
    assert isinstance(x.grad.data, np.ndarray)
    e = np.exp(x.data**2)
    assert_close(x.grad, e * (1 + 2 * x.data**2), rtol=1e-11)
    g = x.grad
    x.cleargrad()
    g.sum().backward()
    assert_close(x.grad, e * (6 * x.data + 4 * x.data**3), rtol=1e-11)


def test_gradients_in_between_lie_where_their_value_lies(backend):
    x = Variable(np.asarray([1.0, 2.0], dtype=np.float32))
    y = x.to(backend.name)
    (y * y).sum().backward(retain_grad=True)
    assert isinstance(y.grad.data, backend.array_types)
    assert isinstance(x.grad.data, np.ndarray)
    assert_close(x.grad, np.asarray([2.0, 4.0], dtype=np.float32))


def test_complex_values_travel(backend):
    x = Variable(np.asarray([1.0 + 2.0j]))
    y = x.to(backend) * 2j
    F.real(y).sum().backward()  # -2 imag x
    assert_close(x.grad, [-2.0j])


def test_to_the_same_library(backend):
    x = Variable(backend.from_numpy(np.asarray([1.0])))
    y = x.to(device=backend.device(x.data))
    assert y is not x
    y.sum().backward()
    assert_close(x.grad, [1.0])


def test_to_an_unknown_library():
    with pytest.raises(LookupError, match="no backend is named 'abacus'"):
        Variable(np.zeros(1)).to("abacus")


@pytest.mark.parametrize("dtype", ["float32", "f4", np.float32, np.dtype("float32"), "native"], ids=repr)
def test_astype_in_every_spelling(backend, dtype):
    x = Variable(backend.from_numpy(np.asarray([1.5, 2.5])))
    y = x.astype(backend.xp.float32 if dtype == "native" else dtype)
    assert to_numpy(y).dtype == np.float32
    (y * y).sum().backward(create_graph=True)
    assert to_numpy(x.grad).dtype == np.float64
    assert_close(x.grad, [3.0, 5.0])
    g = x.grad
    x.cleargrad()
    g.sum().backward()
    assert_close(x.grad, [2.0, 2.0])


def test_astype_without_fractions_is_a_constant(backend):
    x = Variable(backend.from_numpy(np.asarray([1.5, 2.5])))
    for dtype in ("int64", "bool", int):
        assert not x.astype(dtype).requires_grad
    assert_close(to_numpy(x.astype("int64")), np.asarray([1, 2]))


def test_astype_of_integers_starts_a_gradient(backend):
    x = Variable(backend.from_numpy(np.asarray([1, 2])))
    y = x.astype("float64")
    (y * y).sum().backward()
    assert_close(x.grad, [2.0, 4.0])


def test_astype_to_what_is_no_dtype(backend):
    x = Variable(backend.from_numpy(np.zeros(1)))
    with pytest.raises(TypeError, match=f"astype: expected a dtype of {backend.name}; got 'decimal'"):
        x.astype("decimal")
    with pytest.raises(TypeError, match=r"astype: expected an array of a registered .* got builtins\.list"):
        F.astype([1.0], "float32")


def test_parts_of_complex_numbers(backend):
    x = Variable(backend.from_numpy(np.asarray([1.0 + 2.0j, 3.0 - 1.0j])))
    assert_close(F.conj(x), [1.0 - 2.0j, 3.0 + 1.0j])
    (F.real(x) * 3 + F.imag(x) * 5).sum().backward()
    assert_close(x.grad, [3.0 + 5.0j] * 2)
    x.cleargrad()
    F.real(F.conj(x) * x).sum().backward()  # |x|**2
    assert_close(x.grad, [2.0 + 4.0j, 6.0 - 2.0j])


def test_get_backend_or_its_name(backend):
    x = Variable(np.zeros(1))
    assert x.to(backend).backend is x.to(backend.name).backend is get_backend(backend.name)
