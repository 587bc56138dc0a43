"""Functions of one's own, as in the book: calls, instances, and what is refused."""

from __future__ import annotations

import re
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class Cube(Function):
    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.inputs
        return gy * 3 * x**2


class Polar(Function):
    """``(r, phi) -> (r cos phi, r sin phi)``: several inputs and outputs."""

    def forward(self, r, phi):
        return r * self.xp.cos(phi), r * self.xp.sin(phi)

    def backward(self, gx, gy):
        _r, phi = self.inputs
        x, y = (reference() for reference in self.outputs)
        return gx * F.cos(phi) + gy * F.sin(phi), gy * x - gx * y


# -- as in the book ------------------------------------------------------------------------------


def test_forward_gets_arrays_and_backward_gets_variables(backend, var):
    seen = []

    class Look(Function):
        def forward(self, x):
            seen.append(type(x))
            return x

        def backward(self, gy):
            seen.append(type(gy))
            return gy

    Look()(var(2.0)).backward()
    assert issubclass(seen[0], backend.array_types)
    assert seen[1] is Variable


def test_one_input_one_output(var):
    x = var(2.0)
    y = Cube()(x)
    assert_close(y, 8.0)
    assert isinstance(y.creator, Cube)
    y.backward()
    assert_close(x.grad, 12.0)


def test_gradients_of_ones_own_function_to_third_order(var):
    check_gradients(Cube(), [var([1.0, -2.0, 3.0])], order=3)


def test_several_inputs_and_outputs(var):
    r, phi = var([1.0, 2.0]), var([0.5, 1.5])
    x, y = Polar()(r, phi)
    assert_close(x, to_numpy(r) * np.cos(to_numpy(phi)), rtol=1e-15)
    assert x.creator is y.creator
    check_gradients(Polar(), [r, phi])


def test_raw_arrays_and_numbers_as_inputs(var):
    x, c = var([1.0, 2.0]), var([3.0, 4.0]).data

    class Product(Function):
        def forward(self, a, b):
            return a * b

        def backward(self, gy):
            a, b = self.inputs
            return gy * b, gy * a

    for y, expected in ((Product()(x, c), [3.0, 4.0]), (Product()(c, x), [3.0, 4.0])):
        x.cleargrad()
        y.backward()
        assert_close(x.grad, expected)
    x.cleargrad()
    Product()(x, 5.0).backward()
    assert_close(x.grad, [5.0, 5.0])


def test_inputs_and_outputs():
    x = Variable(np.array(2.0), name="x")
    f = Cube()
    y = f(x)
    assert f.inputs[0] is x
    assert f.outputs[0]() is y
    assert f.generation == 0
    assert y.generation == 1
    assert f.needs == (True,)
    node = ref(f)
    del y
    assert f.outputs[0]() is None
    del f
    assert node() is None


def test_an_input_that_died_is_made_anew():
    y = Cube()(Variable(np.array(2.0), name="gone"))
    (again,) = y.creator.inputs
    assert again.name == "gone"
    assert_close(again, 2.0)


def test_the_inputs_are_those_of_the_forward_though_data_was_replaced():
    x = Variable(np.array(2.0))
    y = Cube()(x)
    x.data = np.array(100.0)
    y.backward()
    assert_close(x.grad, 12.0)


def test_no_inputs_before_the_call():
    expected = "Cube has no inputs before it is called"
    with pytest.raises(AttributeError, match=message(expected)):
        _ = Cube().inputs


def test_outputs_live_within_backward():
    """Nobody holds the output: the backward may still use it."""

    class Exp(Function):
        def forward(self, x):
            return np.exp(x)

        def backward(self, gy):
            return gy * self.outputs[0]()

    x = Variable(np.array(1.0))
    y = Exp()(x) * 2.0
    y.backward(create_graph=True)
    assert_close(x.grad, 2 * np.e, rtol=1e-15)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    assert_close(x.grad, 2 * np.e, rtol=1e-15)


def test_under_no_grad_nothing_is_kept():
    f = Cube()
    with tg.no_grad():
        y = f(Variable(np.array(2.0)))
    assert y.creator is None
    assert f.saved == ()


def test_repr():
    assert repr(Cube()) == "<Cube>"


# -- instances -----------------------------------------------------------------------------------


def test_an_instance_used_twice(var):
    """The second call gets a node of its own: the first is not disturbed."""
    cube = Cube()
    x = var(2.0)
    y = cube(x)
    z = cube(y)
    assert y.creator is not z.creator
    z.backward()
    assert_close(z, 512.0)
    assert_close(x.grad, 9 * 2.0**8)


def test_an_instance_used_twice_keeps_its_settings():
    class Scale(Function):
        def __init__(self, factor):
            self.factor = factor

        def forward(self, x):
            return self.factor * x

        def backward(self, gy):
            return self.factor * gy

    scale = Scale(3.0)
    x = Variable(np.array(1.0))
    scale(scale(scale(x))).backward()
    assert_close(x.grad, 27.0)


def test_an_instance_whose_forward_failed_can_be_used_again():
    class Picky(Cube):
        def forward(self, x):
            if x < 0:
                raise ValueError("negative")
            return super().forward(x)

    f = Picky()
    with pytest.raises(ValueError, match="negative"):
        f(Variable(np.array(-1.0)))
    x = Variable(np.array(2.0))
    f(x).backward()
    assert_close(x.grad, 12.0)


def test_one_input_twice(var):
    x = var(3.0)

    class Product(Function):
        def forward(self, a, b):
            return a * b

        def backward(self, gy):
            a, b = self.inputs
            return gy * b, gy * a

    Product()(x, x).backward()
    assert_close(x.grad, 6.0)


# -- what is missing or wrong --------------------------------------------------------------------


def test_no_forward():
    class Nothing(Function):
        pass

    expected = (
        "Nothing does not define forward. A Function needs forward(self, *arrays), and "
        "backward(self, *gys) where gradients are wanted."
    )
    with pytest.raises(NotImplementedError, match=message(expected)):
        Nothing()(Variable(np.array(1.0)))


def test_no_backward():
    class Half(Function):
        def forward(self, x):
            return x / 2

    y = Half()(Variable(np.array(1.0)))
    assert_close(y, 0.5)
    expected = "Half does not define backward, so no gradient can pass through it."
    with pytest.raises(NotImplementedError, match=message(expected)):
        y.backward()


class Gives(Function):
    def __init__(self, what):
        self.what = what

    def forward(self, x):
        return self.what

    def backward(self, gy):
        return gy


def test_a_forward_that_returns_a_number(backend, var):
    for number in (2.0, np.float64(2.0)):
        y = Gives(number)(var(1.0))
        assert isinstance(y.data, backend.array_types)
        assert y.shape == ()
        assert_close(y.item(), 2.0)


def test_a_forward_that_returns_a_variable():
    expected = (
        "Gives.forward: expected an array; got a Variable. "
        "forward computes with arrays (self.xp); only backward computes with Variables."
    )
    with pytest.raises(TypeError, match=message(expected)):
        Gives(Variable(np.array(1.0)))(Variable(np.array(1.0)))


@pytest.mark.parametrize("what", [None, "text", [1.0]])
def test_a_forward_that_returns_no_array(what):
    expected = r"^Gives.forward returned no array: expected an array of a registered library"
    with pytest.raises(TypeError, match=expected):
        Gives(what)(Variable(np.array(1.0)))


def test_no_inputs_at_all():
    expected = "Cube: expected at least one input; got none"
    with pytest.raises(TypeError, match=message(expected)):
        Cube()()


def test_none_as_an_input():
    with pytest.raises(TypeError, match=message("Cube: expected an array; got None")):
        Cube()(None)


def test_a_list_as_an_input():
    with pytest.raises(TypeError, match=r"^Cube: expected an array of .*; got builtins.list\."):
        Cube()([1.0, 2.0])
