"""The test kit tested: it passes what is right, and says what is wrong with what is not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tensorgrad import Function, Variable, no_grad
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.core.sample import Bools, Ints, Listed, Real, Sample
from tensorgrad.testing import assert_close, check_gradients, make_arrays, numerical_grad
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- functions with a fault ----------------------------------------------------------------------


class Cube(Function):
    """Right, but for what its subclasses do."""

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.inputs
        return gy * self.slope(x)

    def slope(self, x):
        return 3 * x**2


class WrongInOneElement(Cube):
    def slope(self, x):
        factors = np.ones(x.shape)
        factors[-1] = 1.01
        return 3 * x**2 * factors


class WrongSecondOrder(Cube):
    """The right numbers, but as a constant: it has no derivative."""

    def slope(self, x):
        return 3 * x.data**2


class RightOnlyForOnes(Function):
    """Its gradient ignores gy: a check that starts from ones would not see it."""

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.inputs
        return 3 * x**2


class NoSecondInput(Function):
    def forward(self, x, y):
        return x * y

    def backward(self, gy):
        _x, y = self.inputs
        return gy * y, None


class OtherWhenRecorded(Function):
    """Gives another gradient with create_graph."""

    def forward(self, x):
        return x * 1.0

    def backward(self, gy):
        return gy * 2.0 if gy.requires_grad else gy


X = np.array([1.0, 2.0, 3.0])


def test_what_is_right_passes_to_every_order(var):
    check_gradients(Cube(), [var(X)], order=1)
    check_gradients(Cube(), [var(X)])
    check_gradients(Cube(), [var(X)], order=4)
    assert check_gradients(Cube(), var(X)) is None


def test_a_wrong_element_is_named(var):
    expected = (
        r"^gradient of input 0 \('x'\), index \(2,\): expected 3\.\d+; got 3\.\d+; "
        r"tolerance [\d.e-]+ \(rtol=1e-05, atol=1e-07\); 1 of 3 elements differ$"
    )
    wrong = Variable(np.full(3, 1.0), name="x")
    with pytest.raises(AssertionError, match=expected):
        check_gradients(lambda x: F.sum(WrongInOneElement()(x)) * 1.0, [wrong], seed=1)


def test_along_a_direction_a_wrong_element_is_found_and_named_too(var):
    calls = []

    def counted(f):
        return lambda x: calls.append(None) or f(x)

    wrong = r"^gradient of input 0, index \(2,\): .*; 1 of 3 elements differ$"
    with pytest.raises(AssertionError, match=wrong):
        check_gradients(lambda x: F.sum(WrongInOneElement()(x)), [Variable(X)], every_element=False)
    check_gradients(counted(Cube()), [var(np.ones(100))], order=1, every_element=False)
    assert len(calls) < 10
    check_gradients(counted(Cube()), [var(np.ones(100))], order=1)
    assert len(calls) > 200


def test_a_wrong_second_order(var):
    check_gradients(WrongSecondOrder(), [var(X)], order=1)
    expected = r"^order 2: gradient of input 0 \(no gradient arrived\), index \(0,\): expected .*; got 0\.0;"
    with pytest.raises(AssertionError, match=expected):
        check_gradients(WrongSecondOrder(), [var(X)])


def test_a_gradient_that_is_right_only_for_ones(var):
    with pytest.raises(AssertionError, match=r"^gradient of input 0, index \(0,\)"):
        check_gradients(RightOnlyForOnes(), [var(X)])


def test_an_input_without_its_gradient(var):
    expected = r"^gradient of input 1 \(no gradient arrived\), index \(0,\): expected .*; got 0\.0"
    with pytest.raises(AssertionError, match=expected):
        check_gradients(NoSecondInput(), [var(X), var(X)])
    check_gradients(NoSecondInput(), [var(X), var(X, requires_grad=False)])


def test_a_recorded_backward_that_differs(var):
    expected = r"^gradient of input 0 with create_graph=True, index \(0,\)"
    check_gradients(OtherWhenRecorded(), [var(X)], order=1)
    with pytest.raises(AssertionError, match=expected):
        check_gradients(OtherWhenRecorded(), [var(X)])


def test_a_wrong_forward_is_found_by_its_backward(var):
    class WrongForward(Cube):
        def forward(self, x):
            return x**3 + x

    with pytest.raises(AssertionError, match="gradient of input 0"):
        check_gradients(WrongForward(), [var(X)])


def test_the_gradient_in_the_cotangent_is_checked(var):
    class OfGradient(Function):
        """The gradient of a cube as a function of (x, gy); its own gradient in gy is wrong."""

        def forward(self, x, gy):
            return 3 * x**2 * gy

        def backward(self, ggx):
            x, gy = self.inputs
            return ggx * 6 * x * gy, ggx * 3.1 * x**2

    class Outer(Cube):
        def backward(self, gy):
            return OfGradient()(self.inputs[0], gy)

    expected = r"^order 2: gradient of cotangent 0, index \(0,\)"
    with pytest.raises(AssertionError, match=expected):
        check_gradients(Outer(), [var(X)])


def test_several_outputs_and_lists_of_inputs(var):
    def f(xs, c):
        x, y = xs
        return x * y, F.sin(x) * c

    check_gradients(f, [[var(X), var(X[:1])], 2.0])

    def g(xs):
        return NoSecondInput()(*xs)

    with pytest.raises(AssertionError, match=r"^gradient of input 0, item 1 \(no gradient arrived\)"):
        check_gradients(g, [[var(X), var(X)]])


def test_raw_arrays_are_checked_too(backend):
    check_gradients(Cube(), [backend.from_numpy(X)])
    with pytest.raises(AssertionError, match="gradient of input 0"):
        check_gradients(RightOnlyForOnes(), [backend.from_numpy(X)])


def test_inputs_in_float32_are_checked_in_float64(var):
    """In float32 the differences would be too coarse."""
    x = var(X, np.float32)
    check_gradients(Cube(), [x])
    c = var(X, np.float32, requires_grad=False)
    check_gradients(lambda x, c: x * c, [x, c])


def test_inputs_stay_as_they_are(var):
    x, y = var(X, np.float32), var(X)
    (x * x).backward()
    gradient, data = x.grad, x.data
    check_gradients(lambda x, y: x * y, [x, y])
    assert x.data is data
    assert x.grad is gradient
    assert y.grad is None
    assert_close(x, X.astype(np.float32), rtol=0, atol=0)


def test_variables_that_f_brings_along_get_no_gradient(var):
    w = var(X)
    check_gradients(lambda x: x * w, [var(X)])
    assert w.grad is None


def test_a_function_of_integers_and_bools_beside(var, backend):
    mask = Variable(backend.from_numpy(np.array([True, False, True])))
    check_gradients(lambda x, m: x * backend.xp.astype(m.data, x.dtype), [var(X), mask])


def test_an_output_that_does_not_depend_on_the_input(var):
    check_gradients(lambda x: (x * 2.0, var(X)), [var(X)])


def test_a_linear_function_has_no_second_derivative_but_in_the_cotangent(var):
    check_gradients(lambda x: x * 3.0 + 1.0, [var(X)], order=3)


def test_empty_and_0d_inputs(var):
    check_gradients(Cube(), [var(np.zeros((0, 3)))])
    check_gradients(Cube(), [var(2.0)])


def test_what_cannot_be_checked():
    expected = (
        "check_gradients: expected a floating input that requires a gradient; "
        "got int, ndarray of int64, Variable of float64 with requires_grad=False"
    )
    frozen = Variable(X, requires_grad=False)
    with pytest.raises(TypeError, match=message(expected)):
        check_gradients(F.add, [1, np.array([1, 2], np.int64), frozen])
    expected = "expected f to return a Variable, or a tuple or list of them; got ndarray of float64"
    with pytest.raises(TypeError, match=message(expected)):
        check_gradients(lambda x: x.data, [X])
    expected = "differences are taken of real inputs; input 0 is complex128"
    with pytest.raises(TypeError, match=message(expected)):
        check_gradients(lambda x: x, [X.astype(complex)])


def test_a_check_within_no_grad_finds_no_gradient():
    with no_grad(), pytest.raises(AssertionError, match="no gradient arrived"):
        check_gradients(Cube(), [X])


# -- differences ---------------------------------------------------------------------------------


def test_numerical_grad(var, backend):
    x = var(X, np.float32)
    grad = numerical_grad(lambda x: x**3, x)
    assert isinstance(grad, backend.array_types)
    assert_close(grad, 3 * X**2, rtol=1e-8)
    assert_close(numerical_grad(lambda x: (x * x, 2 * x), x), 2 * X + 2, rtol=1e-8)
    assert_close(numerical_grad(lambda x: x * x, var(0.0)), 0.0, atol=1e-12)
    assert x.grad is None


def test_numerical_grad_of_large_values():
    """The step grows with x."""
    assert_close(numerical_grad(lambda x: x * x, np.array([1e8])), [2e8], rtol=1e-6)


# -- comparisons ---------------------------------------------------------------------------------


def test_assert_close_passes(var):
    assert assert_close(var(X), X) is None
    assert_close(var(X), [1.0, 2.0, 3.0])
    assert_close(1.0, var(1.0))
    assert_close(var([np.nan, np.inf, -np.inf]), [np.nan, np.inf, -np.inf])
    assert_close(var([1, 2], np.int64), np.array([1, 2]))
    assert_close(var([True, False], bool), np.array([True, False]))
    assert_close(var(X) * (1 + 1e-13), X)
    assert_close(var(X) * 1.1, X, rtol=0.11)
    assert_close(np.zeros((0, 2)), np.zeros((0, 2)))


def test_assert_close_compares_shape_then_dtype_then_values(var):
    with pytest.raises(AssertionError, match=message("value: expected shape (1, 3); got (3,)")):
        assert_close(var(X), X[None])
    with pytest.raises(AssertionError, match=message("y: expected dtype float32; got float64")):
        assert_close(var(X), X.astype(np.float32), what="y")
    expected = (
        "y, index (1,): expected 2.0; got 2.5; tolerance 3e-12 (rtol=1e-12, atol=1e-12); "
        "2 of 3 elements differ"
    )
    with pytest.raises(AssertionError, match=message(expected)):
        assert_close(var([1.0, 2.5, 2.5]), X, what="y")


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.nan, 1.0),
        (1.0, np.nan),
        (np.inf, -np.inf),
        (np.inf, 1.0),
        (1.0, np.inf),
    ],
)
def test_assert_close_on_what_is_not_finite(actual, expected):
    with pytest.raises(AssertionError, match="1 of 1 elements differ"):
        assert_close(np.array([actual]), np.array([expected]))


def test_integers_and_bools_must_be_equal():
    with pytest.raises(AssertionError, match="1 of 2 elements differ"):
        assert_close(np.array([1, 2]), np.array([1, 3]))
    with pytest.raises(AssertionError, match="1 of 2 elements differ"):
        assert_close(np.array([True, True]), np.array([True, False]))


# -- arrays from descriptions --------------------------------------------------------------------

SAMPLE = Sample(
    Real((2, 3), 0.5, 2.0), Ints((4,), 3), Bools((5,)), Listed((Real((2,)), Real())), "as it is", 7
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_make_arrays(backend, dtype):
    x, i, b, xs, text, number = make_arrays(SAMPLE, backend, dtype)
    assert isinstance(x, Variable)
    assert isinstance(x.data, backend.array_types)
    assert to_numpy(x).dtype == dtype
    assert x.shape == (2, 3)
    assert ((to_numpy(x) >= 0.5) & (to_numpy(x) < 2.0)).all()
    assert isinstance(i, backend.array_types)
    assert to_numpy(i).dtype.kind == "i"
    assert set(to_numpy(i).tolist()) <= {0, 1, 2}
    assert isinstance(b, backend.array_types)
    assert to_numpy(b).dtype == bool
    assert [v.shape for v in xs] == [(2,), ()]
    assert (text, number) == ("as it is", 7)


def test_make_arrays_is_the_same_everywhere(backend):
    here, numpys = make_arrays(SAMPLE, backend, seed=3), make_arrays(SAMPLE, "numpy", seed=3)
    for a, b in zip([*here[:3], *here[3]], [*numpys[:3], *numpys[3]], strict=True):
        assert_close(a, b, rtol=0, atol=0)
    other = make_arrays(SAMPLE, get_backend("numpy"), seed=4)
    assert not np.array_equal(other[0].data, numpys[0].data)
