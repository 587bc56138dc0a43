"""Operators and methods of Variable: every kind of other side, forms of the book, errors."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from gaps import expect_gap
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

ARITHMETIC = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
EVERY = pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS], ids=lambda op: op.__name__)

A = np.asarray([[1.5, 2.5], [3.5, 0.5]])
B = np.asarray([[0.5, 2.5], [1.25, 2.0]])


@EVERY
def test_variable_and_variable(backend, op):
    y = op(Variable(backend.from_numpy(A)), Variable(backend.from_numpy(B)))
    assert isinstance(y, Variable)
    assert_close(y, op(A, B))


@EVERY
@pytest.mark.parametrize("number", [2, 1.5, np.float64(1.5), np.int64(2)], ids=repr)
def test_a_number_on_either_side(backend, op, number):
    v = Variable(backend.from_numpy(A.astype(np.float32)))
    for y, want in ((op(v, number), op(A, number)), (op(number, v), op(number, A))):
        assert isinstance(y, Variable)
        comparison = op in COMPARISONS
        assert to_numpy(y).dtype == (np.bool_ if comparison else np.float32)
        assert_close(to_numpy(y), np.asarray(want).astype(to_numpy(y).dtype), rtol=1e-6)


@EVERY
def test_an_array_on_the_right(backend, op):
    y = op(Variable(backend.from_numpy(A)), backend.from_numpy(B))
    assert_close(y, op(A, B))


@EVERY
def test_an_array_on_the_left(request, backend, op):
    expect_gap(request, backend.name, "an array on the left")
    array, v = backend.from_numpy(A), Variable(backend.from_numpy(B))
    y = op(array, v)
    assert isinstance(y, Variable)
    assert_close(y, op(A, B))


def test_an_array_on_the_left_of_a_matrix_product(request, backend):
    expect_gap(request, backend.name, "an array on the left")
    array, v = backend.from_numpy(A), Variable(backend.from_numpy(B))
    y = array @ v
    assert isinstance(y, Variable)
    assert_close(y, A @ B)
    y.sum().backward()
    assert_close(v.grad, A.T @ np.ones((2, 2)))


def test_arrays_and_numbers_get_no_gradient(backend):
    v = Variable(backend.from_numpy(B))
    assert (v * backend.from_numpy(A)).creator.needs == (True, False)
    assert (3.0 - v).creator.needs == (False, True)
    check_gradients(lambda v: (2.0 - v) / (v * backend.from_numpy(A)) + 3, [v])


def test_powers_on_either_side(backend):
    v = Variable(backend.from_numpy(B))
    check_gradients(lambda v: v**3 + 2**v + v**v + v**-1.5, [v])
    assert_close(2**v, 2**B)


def test_floor_division_is_a_constant(backend):
    v = Variable(backend.from_numpy(A))
    assert not (v // 2).requires_grad
    assert not (7 // v).requires_grad


def test_remainder(backend):
    v, w = Variable(backend.from_numpy(A)), Variable(backend.from_numpy(B))
    (v % w).sum().backward()
    assert_close(v.grad, np.ones((2, 2)))
    assert_close(w.grad, -np.floor(A / B))
    assert_close(-v % 2, -A % 2)


def test_signs(backend):
    v = Variable(backend.from_numpy(A - 2.0))
    assert +v is v
    assert_close(-v, 2.0 - A)
    assert_close(abs(v), np.abs(A - 2.0))
    check_gradients(lambda v: abs(-v), [v])


# -- comparisons and masks ---------------------------------------------------------------------------


def test_comparisons_are_constants_of_bool(backend):
    v = Variable(backend.from_numpy(A))
    for op in COMPARISONS:
        y = op(v, 2.0)
        assert not y.requires_grad
        assert to_numpy(y).dtype == np.bool_


def test_masks_combine(backend):
    v = Variable(backend.from_numpy(A))
    inside = (v > 1.0) & (v < 3.0)
    assert_close(inside, (A > 1.0) & (A < 3.0))
    assert_close(~inside | (v == 1.5), ~((A > 1.0) & (A < 3.0)) | (A == 1.5))
    assert_close(inside ^ (v > 2.0), ((A > 1.0) & (A < 3.0)) ^ (A > 2.0))
    assert not inside.requires_grad


def test_equality_with_what_is_no_array():
    v = Variable(np.asarray(1.0))
    assert (v == None) is False  # noqa: E711  # what == gives is what is tested
    assert (v != None) is True  # noqa: E711
    assert (v == "one") is False
    assert v in [None, v]
    with pytest.raises(TypeError, match="not supported between instances of 'Variable' and 'NoneType'"):
        assert v < None


# -- who answers -------------------------------------------------------------------------------------


class Unit:
    """What a library that knows nothing of Variables may define."""

    def __radd__(self, other: Any) -> str:
        return "unit answers"

    def __matmul__(self, other: Any) -> Any:
        return NotImplemented


def test_an_unknown_right_side_may_answer():
    v = Variable(np.asarray(1.0))
    assert v + Unit() == "unit answers"
    with pytest.raises(TypeError, match="unsupported operand type"):
        v - Unit()
    with pytest.raises(TypeError, match="unsupported operand type"):
        Unit() @ v
    with pytest.raises(TypeError, match="unsupported operand type"):
        v + None


def test_lists_are_told_what_to_do():
    v = Variable(np.asarray([1.0]))
    text = "Numbers and lists become arrays with tensorgrad.as_variable or numpy.asarray"
    for f in (lambda: v - [1.0], lambda: [1.0] * v, lambda: v @ [1.0], lambda: v == [1.0]):
        with pytest.raises(TypeError, match=text):
            f()


# -- methods -----------------------------------------------------------------------------------------


def test_reshape_and_transpose_in_the_forms_of_the_book(backend):
    array = np.arange(24.0).reshape(2, 3, 4)
    v = Variable(backend.from_numpy(array))
    for y in (v.reshape(6, 4), v.reshape((6, 4)), v.reshape([6, 4]), v.reshape(-1, 4)):
        assert_close(y, array.reshape(6, 4))
    assert_close(v.transpose(), array.transpose())
    assert_close(v.transpose(None), array.transpose())
    assert_close(v.T, array.T)
    assert_close(v.mT, np.swapaxes(array, 1, 2))
    for y in (v.transpose(1, 0, 2), v.transpose((1, 0, 2)), v.transpose([1, 0, -1])):
        assert_close(y, array.transpose(1, 0, 2))
    assert_close(v.flatten(), array.ravel())
    assert_close(v.reshape(1, 24).squeeze(), array.ravel())


def test_reductions_as_methods(backend):
    array = np.asarray([[1.0, 4.0, 2.0], [0.0, 3.0, 8.0]])
    v = Variable(backend.from_numpy(array))
    for name in ("sum", "mean", "max", "min", "var", "std", "prod"):
        assert_close(getattr(v, name)(), np.asarray(getattr(array, name)()), what=name)
        assert_close(getattr(v, name)(1), getattr(array, name)(1), what=name)
        want = getattr(array, name)(axis=0, keepdims=True)
        assert_close(getattr(v, name)(axis=0, keepdims=True), want, what=name)
    assert_close(v.cumsum(1), array.cumsum(1))


def test_products_as_methods(backend):
    v, w = Variable(backend.from_numpy(A)), Variable(backend.from_numpy(B))
    assert_close(v.dot(w), A @ B)
    assert_close(v.matmul(w), A @ B)


def test_copy_owns_its_memory():
    v = Variable(np.asarray([1.0, 2.0]))
    w = v.copy()
    w.data[0] = 5.0
    assert_close(v, [1.0, 2.0])
    (w * 2).sum().backward()
    assert_close(v.grad, [2.0, 2.0])


def test_the_namespace_of_a_variable(backend):
    v = Variable(backend.from_numpy(A))
    xp = v.__array_namespace__()
    assert xp is Variable(backend.from_numpy(B)).__array_namespace__(api_version="2024.12")
    assert xp.__name__ == f"tensorgrad.{backend.name}"
    with pytest.raises(ValueError, match=r"expected a version of the standard in .*; got '1999.12'"):
        v.__array_namespace__(api_version="1999.12")


# -- types -------------------------------------------------------------------------------------------


def test_no_operator_widens_float32(backend):
    v = Variable(backend.from_numpy(A.astype(np.float32)))
    y = ((2.0 * v + 1) / 3 - v**2) % 5.0
    y = F.where(y > 0.5, y, 0.5) ** 0.5 @ v
    assert to_numpy(y).dtype == np.float32
    y.sum().backward()
    assert to_numpy(v.grad).dtype == np.float32
