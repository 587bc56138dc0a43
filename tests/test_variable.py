"""Variable as users hold it: its array, its text, its copies; and what it refuses."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import tensorgrad as tg
from gaps import expect_gap
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- making one ----------------------------------------------------------------------------------


def test_the_array_is_not_copied(backend):
    array = backend.from_numpy(np.ones(3))
    assert Variable(array).data is array


def test_attributes(var, backend, xp):
    x = var([[1, 2, 3], [4, 5, 6]], np.float32, name="x")
    assert x.shape == (2, 3)
    assert type(x.shape) is tuple
    assert (x.ndim, x.size, len(x)) == (2, 6, 2)
    assert x.dtype == xp.float32
    assert x.backend is backend
    assert x.device == backend.device(x.data)
    assert x.name == "x"
    assert x.requires_grad
    assert x.grad is None
    assert x.creator is None
    assert x.generation == 0


def test_numpy_scalars_become_arrays():
    assert type(Variable(np.float64(2.0)).data) is np.ndarray


@pytest.mark.parametrize("value", [1.0, 1, True, 1j])
def test_numbers_are_refused(value):
    expected = (
        f"Variable: expected an array; got {type(value).__name__}. "
        "Use tensorgrad.as_variable(x), which makes one of numbers and lists."
    )
    with pytest.raises(TypeError, match=message(expected)):
        Variable(value)


@pytest.mark.parametrize("value", [[1.0, 2.0], (1.0,), "text", {"a": 1}, object()])
def test_what_is_no_array_is_refused(value):
    expected = (
        rf"^Variable: expected an array of a registered library \(numpy, .*\); "
        rf"got builtins.{type(value).__name__}. "
        r"Numbers and lists become arrays with tensorgrad.as_variable or numpy.asarray.$"
    )
    with pytest.raises(TypeError, match=expected):
        Variable(value)


def test_a_variable_of_a_variable_is_refused():
    expected = "Variable: expected an array; got a Variable. Use v.data or v.copy()."
    with pytest.raises(TypeError, match=message(expected)):
        Variable(Variable(np.array(1.0)))


def test_numpy_subclasses_that_would_lose_something_are_refused():
    expected = "Variable: numpy MaskedArray is not supported (masks would be lost); pass a plain array"
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}"):
        Variable(np.ma.array([1.0], mask=[True]))


def test_data_filled_in_later(var):
    x = Variable(None, name="late")
    assert repr(x) == "variable(None)"
    expected = "Add: expected an array; Variable 'late' has no data yet. Set its data first."
    with pytest.raises(TypeError, match=message(expected)):
        F.add(x, 1.0)
    with pytest.raises(TypeError, match=message("Variable 'late' has no data yet")):
        x.item()
    x.data = var([1.0, 2.0]).data
    (x * x).backward()
    assert_close(x.grad, [2.0, 4.0])


def test_as_variable_and_as_array(backend):
    x = Variable(backend.from_numpy(np.ones(2)))
    assert tg.as_variable(x) is x
    assert tg.as_array(x) is x.data
    assert tg.as_array(x.data) is x.data
    assert_close(tg.as_variable([1.0, 2.0]), np.array([1.0, 2.0]))
    assert_close(tg.as_array(2), np.array(2))
    assert isinstance(tg.as_array(2.0, backend.xp), backend.array_types)
    assert type(tg.as_array(np.float32(2.0))) is np.ndarray
    with pytest.raises(TypeError, match="expected an array of a registered library"):
        tg.as_variable("text")


def test_parameter_is_a_variable():
    p = Parameter(np.ones(2), name="W")
    assert isinstance(p, Variable)
    (p * p).sum().backward()
    assert_close(p.grad, [2.0, 2.0])
    assert type(p * 2.0) is Variable
    assert repr(p) == "variable([1. 1.])"


# -- data that changes ---------------------------------------------------------------------------


def test_data_changed_in_place(var, backend):
    x = var([1.0, 2.0])
    if backend.name == "jax":  # its arrays never change
        with pytest.raises(TypeError):
            x.data[0] = 5.0
        return
    x.data[0] = 5.0
    (x * x).backward()
    assert_close(x.grad, [10.0, 4.0])


def test_data_replaced_by_another_shape_and_dtype(var):
    x = var([1.0, 2.0])
    (x * x).backward()
    x.cleargrad()
    x.data = var([[1.0, 2.0, 3.0]], np.float32).data
    (x * x).backward()
    assert_close(x.grad, np.array([[2.0, 4.0, 6.0]], np.float32))


def test_the_graph_keeps_the_array_that_it_saw():
    x = Variable(np.array(3.0))
    y = x * x
    x.data = np.array(100.0)
    y.backward()
    assert_close(x.grad, 6.0)


def test_an_update_of_a_0d_array_gives_a_number():
    """NumPy's arithmetic makes numbers of 0-d arrays: ``x.data`` becomes an array again."""
    x = Variable(np.array(2.0))
    for _ in range(2):
        x.cleargrad()
        (x * x).backward()
        x.data = x.data - 0.25 * x.grad.data
    assert type(x.data) is np.float64
    assert repr(x) == "variable(0.5)"
    assert_close(x + x, 1.0)
    assert type(x.data) is np.ndarray
    x.data = x.data - 0.25
    with tg.no_grad():
        assert_close(x * x, 0.0625)


def test_data_that_is_no_array():
    x = Variable(np.array(2.0))
    _ = x * x
    x.data = [1.0, 2.0]
    with pytest.raises(TypeError, match=r"^Mul: expected an array of .*; got builtins.list\."):
        _ = x * x


# -- text and numbers ----------------------------------------------------------------------------


def test_repr_as_in_the_book():
    assert repr(Variable(np.array([1, 2, 3]))) == "variable([1 2 3])"
    assert repr(Variable(np.array(1.5))) == "variable(1.5)"
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    assert repr(x) == "variable([[1 2 3]\n          [4 5 6]])"
    assert str(x) == repr(x)


def test_repr_on_every_backend(var):
    assert repr(var([[1.0, 2.0], [3.0, 4.0]])) == "variable([[1. 2.]\n          [3. 4.]])"


def test_conversions_to_numbers(var):
    x = var([2.5])
    assert (x.item(), float(x), int(x), complex(x), bool(x)) == (2.5, 2.5, 2, 2.5 + 0j, True)
    assert not var(0.0)
    assert [10, 20, 30][Variable(np.array(1))] == 20


def test_conversions_that_are_refused():
    x = Variable(np.ones((2, 3)))
    with pytest.raises(ValueError, match=message("item: expected one element; got shape (2, 3)")):
        x.item()
    with pytest.raises(ValueError, match=message("item: expected one element; got shape (0,)")):
        float(Variable(np.ones(0)))
    expected = (
        "the truth value of a Variable of shape (2, 3) is ambiguous; "
        "use (v != 0).data.any() or .all(), or `v is None`"
    )
    with pytest.raises(ValueError, match=message(expected)):
        bool(x)
    expected = "expected an integer Variable as an index; got dtype float64"
    with pytest.raises(TypeError, match=message(expected)):
        [1, 2, 3][Variable(np.array(1.0))]


def test_formats():
    x = Variable(np.array(2.5))
    assert f"{x:.3f} {x}" == "2.500 variable(2.5)"
    assert f"{Variable(np.arange(2))}" == "variable([0 1])"
    with pytest.raises(TypeError, match=r"format '.2f': expected a Variable without axes; got shape \(1,\)"):
        f"{Variable(np.ones(1)):.2f}"


def test_a_0d_variable_has_no_length():
    x = Variable(np.array(1.0))
    with pytest.raises(TypeError, match=message("len() of a 0-d Variable: it has no axis")):
        len(x)
    with pytest.raises(TypeError, match=message("iteration over a 0-d Variable: it has no axis")):
        iter(x)


def test_variables_are_keys_by_identity():
    x, y = Variable(np.ones(2)), Variable(np.ones(2))
    assert len({x, y}) == 2
    assert {x: 1}[x] == 1


def test_no_new_attributes():
    """A misspelt name is an error, not a silent attribute."""
    with pytest.raises(AttributeError, match="gard"):
        Variable(np.ones(2)).gard = None


# -- integers and bools --------------------------------------------------------------------------


def test_a_variable_of_integers_gets_integer_gradients():
    """As the book prints it."""
    x = Variable(np.array([1, 2, 3]))
    y = F.add(x, np.array([4, 5, 6]))
    assert repr(y) == "variable([5 7 9])"
    y.backward()
    assert repr(x.grad) == "variable([1 1 1])"


def test_bools_are_constants(backend):
    mask = Variable(backend.from_numpy(np.array([True, False])))
    assert not mask.requires_grad
    mask = Variable(backend.from_numpy(np.array([True, False])), requires_grad=True)
    assert not mask.requires_grad


def test_raw_arrays_and_numbers_are_constants(var):
    x, c = var([1.0, 2.0]), var([3.0, 4.0]).data
    for y in (x * c, F.mul(c, x), x * 2.0, 2.0 * x):
        assert y.requires_grad
        assert len([e for e in y.creator.edges if e is not None]) == 1


# -- copies --------------------------------------------------------------------------------------


def test_a_shallow_copy_of_a_leaf_is_a_leaf_of_its_own():
    x = Variable(np.array([1.0, 2.0]), name="x")
    (x * 1.0).backward()
    twin = copy.copy(x)
    assert twin.data is x.data
    assert twin.name == "x"
    x.cleargrad()
    twin.cleargrad()
    (twin * 3.0).backward()
    assert_close(twin.grad, [3.0, 3.0])
    assert x.grad is None


def test_a_shallow_copy_of_a_result_is_at_the_same_place():
    x = Variable(np.array(2.0))
    y = x * x
    twin = copy.copy(y)
    assert twin.creator is y.creator
    (twin * 3.0).backward()
    assert_close(x.grad, 12.0)


def test_a_deep_copy_shares_nothing(var):
    x = var([1.0, 2.0], name="x")
    (x * x).backward()
    y = x * x
    for v in (x, y):
        twin = copy.deepcopy(v)
        assert twin.data is not v.data
        assert_close(twin, v)
        assert twin.creator is None
        assert twin.requires_grad
    twin = copy.deepcopy(x)
    assert twin.name == "x"
    assert_close(twin.grad, x.grad)
    assert twin.grad is not x.grad
    twin.cleargrad()
    (twin * 3.0).backward()
    assert_close(twin.grad, [3.0, 3.0])
    assert_close(x.grad, [2.0, 4.0])


def test_a_deep_copy_keeps_what_was_one_object():
    x = Variable(np.ones(2))
    first, second = copy.deepcopy([x, x])
    assert first is second


def test_deep_copies_own_their_memory():
    x = Variable(np.ones(2))
    (x * 2.0).backward()
    twin = copy.deepcopy(x)
    assert not np.shares_memory(twin.data, x.data)
    assert not np.shares_memory(twin.grad.data, x.grad.data)


@pytest.mark.parametrize("kind", [Variable, Parameter])
def test_pickling(kind):
    x = kind(np.array([1.0, 2.0]), name="x")
    (x * x).backward(create_graph=True)
    loaded = pickle.loads(pickle.dumps(x))
    assert type(loaded) is kind
    assert (loaded.name, loaded.requires_grad) == ("x", True)
    assert_close(loaded, x)
    assert_close(loaded.grad, [2.0, 4.0])
    assert loaded.grad.creator is None
    loaded.cleargrad()
    (loaded * 3.0).backward()
    assert_close(loaded.grad, [3.0, 3.0])
    x.cleargrad()


def test_pickling_of_a_result_leaves_the_graph_behind():
    x = Variable(np.array(2.0))
    loaded = pickle.loads(pickle.dumps(x * x))
    assert loaded.creator is None
    assert_close(loaded, 4.0)


def test_pickling_without_data_or_gradient():
    loaded = pickle.loads(pickle.dumps(Variable(None, name="late", requires_grad=False)))
    assert (loaded.data, loaded.grad, loaded.name, loaded.requires_grad) == (None, None, "late", False)


# -- names ---------------------------------------------------------------------------------------


def test_a_name_outlives_its_handle():
    x = Variable(np.array(2.0), name="x")
    t = x * x
    t.name = "t"
    y = t * t
    node = t.creator
    del t
    assert [v.name for v in y.creator.inputs] == ["t", "t"]
    assert [v.name for v in node.inputs] == ["x", "x"]


# -- raw arrays beside it ------------------------------------------------------------------------


def test_a_raw_array_on_the_left(request, backend, var):
    expect_gap(request, backend.name, "an array on the left")
    x, c = var([1.0, 2.0]), var([3.0, 4.0]).data
    for y, expected in (
        (c + x, [4.0, 6.0]),
        (c - x, [2.0, 2.0]),
        (c * x, [3.0, 8.0]),
        (c / x, [3.0, 2.0]),
    ):
        assert isinstance(y, Variable)
        assert y.requires_grad
        assert_close(y, expected)


def test_a_numpy_array_on_the_left():
    x = Variable(np.array([1.0, 2.0]))
    for y in (np.array([3.0, 4.0]) * x, np.float64(3.0) * x, np.array(3.0) + x, np.ones(2) - x):
        assert isinstance(y, Variable)
        assert y.requires_grad
    assert_close(np.array([3.0, 4.0]) * x, [3.0, 8.0])
    assert_close(np.ones(2) / x, [1.0, 0.5])


def test_the_array_namespace_is_one_per_backend(var, backend):
    assert var(1.0).__array_namespace__() is var(2.0).__array_namespace__()
    assert var(1.0).__array_namespace__().__name__ == f"tensorgrad.{backend.name}"


def test_what_a_namespace_creates_requires_no_gradient(var):
    xp = var(1.0).__array_namespace__()
    made = xp.ones((2,))
    assert isinstance(made, Variable)
    assert not made.requires_grad
