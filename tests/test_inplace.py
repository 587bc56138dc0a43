"""In-place operators and item assignment: new values under old handles, and views that follow."""

from __future__ import annotations

import gc
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.testing import assert_close, check_gradients


def leaf(*shape, dtype=float):
    return Variable(np.arange(1.0, 1 + np.prod(shape)).reshape(shape).astype(dtype))


# -- operators -----------------------------------------------------------------------------------

IN_PLACE = {
    "+=": (lambda a, b: a.__iadd__(b), lambda a, b: a + b),
    "-=": (lambda a, b: a.__isub__(b), lambda a, b: a - b),
    "*=": (lambda a, b: a.__imul__(b), lambda a, b: a * b),
    "/=": (lambda a, b: a.__itruediv__(b), lambda a, b: a / b),
    "**=": (lambda a, b: a.__ipow__(b), lambda a, b: a**b),
    "%=": (lambda a, b: a.__imod__(b), lambda a, b: a % b),
    "@=": (lambda a, b: a.__imatmul__(b), lambda a, b: a @ b),
}


@pytest.mark.parametrize("sign", IN_PLACE)
def test_in_place_operators_give_the_value_and_the_gradients_of_the_plain_ones(backend, sign):
    change, plain = IN_PLACE[sign]
    a, b = (Variable(backend.from_numpy(np.array(v))) for v in ([[1.5, 2.5], [3.5, 4.5]], [[2.0, 3.0]] * 2))
    c, d = Variable(a.data), Variable(b.data)
    y = a * 1.0
    handle = y
    z = change(y, b)
    assert z is handle
    expected = plain(c * 1.0, d)
    assert_close(z, expected, rtol=1e-15)
    (z * z).sum().backward()
    (expected * expected).sum().backward()
    assert_close(a.grad, c.grad, rtol=1e-14)
    assert_close(b.grad, d.grad, rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda v: v.__iand__(6), [0, 2, 2]),
        (lambda v: v.__ior__(4), [5, 6, 7]),
        (lambda v: v.__ixor__(1), [0, 3, 2]),
        (lambda v: v.__ilshift__(2), [4, 8, 12]),
        (lambda v: v.__irshift__(1), [0, 1, 1]),
        (lambda v: v.__ifloordiv__(2), [0, 1, 1]),
    ],
)
def test_in_place_operators_of_integers(backend, change, expected):
    v = Variable(backend.from_numpy(np.array([1, 2, 3])), requires_grad=False)
    assert change(v) is v
    assert_close(v, np.array(expected), rtol=0)
    assert v.dtype == backend.from_numpy(np.array([1])).dtype


def test_what_was_computed_before_keeps_its_value_and_its_gradient():
    x = leaf(3)
    y = x * 2.0
    z = y * y
    y += 1.0
    assert_close(z, [4.0, 16.0, 36.0])
    (z + y).sum().backward()
    assert_close(x.grad, 8 * x.data + 2)  # of (2 x)**2 + 2 x + 1


def test_second_derivatives_through_in_place_changes():
    def f(x):
        y = x * x
        y[1:] *= x[:-1]
        y += 1.0
        y[0] = x[2] ** 3
        return (y * y).sum()

    check_gradients(f, np.array([0.5, 1.5, -1.2]), order=2)


def test_a_leaf_is_not_changed_and_the_error_says_what_to_do():
    x = Variable(np.ones(2), name="weights")
    for change in (
        lambda: x.__iadd__(1.0),
        lambda: x.__setitem__(0, 1.0),
        lambda: x[:1].__imul__(2.0),
        lambda: F.reshape(x, (1, 2)).__setitem__(0, 2.0),
    ):
        with pytest.raises(RuntimeError, match=r"a leaf that requires a gradient, 'weights'.*v = v \+ x"):
            change()
    assert_close(x, np.ones(2))
    assert x.creator is None


def test_a_leaf_is_changed_under_no_grad_and_stays_one():
    x = leaf(3)
    with tg.no_grad():
        x -= 1.0
        x[0] = 5.0
    assert_close(x, [5.0, 1.0, 2.0])
    assert x.creator is None
    (x * x).sum().backward()
    assert_close(x.grad, [10.0, 2.0, 4.0])


def test_a_constant_takes_the_graph_of_what_is_put_into_it():
    x = leaf(2)
    out = Variable(np.zeros(3), requires_grad=False)
    out[1:] = x * 2.0
    assert out.requires_grad
    out.sum().backward()
    assert_close(x.grad, [2.0, 2.0])


def test_the_name_stays_with_the_handle():
    y = leaf(2) * 1.0
    y.name = "state"
    y += 1.0
    assert y.name == "state"
    assert y.creator.names == {0: "state"}


def test_a_value_under_another_handle_is_left_alone():
    x = leaf(2)
    y = x * 1.0
    for z in (+y, F.clip(y), y.copy(), y.astype("float64")):
        z[...] = 7.0
    assert_close(y, [1.0, 2.0])


def test_dtype_and_shape_of_an_in_place_result():
    y = leaf(2, dtype=np.float32) * 1
    y += np.ones(2)
    assert y.dtype == np.float32
    count = Variable(np.array([1, 2]), requires_grad=False)
    with pytest.raises(TypeError, match=r"/=: expected a result of dtype int64; it has float64"):
        count /= 2
    with pytest.raises(ValueError, match=r"\+=: expected an operand that broadcasts to shape \(2,\)"):
        y += np.ones((3, 2), np.float32)
    z = y * 1
    with pytest.raises(TypeError, match=r"\*=: expected a result of dtype float32; it has complex64"):
        z *= 1j
    assert_close(count, np.array([1, 2]))


# -- item assignment -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 7.0),
        ((slice(None), 1), [7.0, 8.0]),
        (slice(None, None, -1), [[1.0, 2.0, 3.0]]),
        ((..., None, 0), [[7.0], [8.0]]),
        ([1, 1], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        (([0, 1], [2, 2]), [7.0, 8.0]),
        (np.array([[True, False, True], [False, True, False]]), 0.5),
        (np.array([[True, False, True], [False, True, False]]), [7.0, 8.0, 9.0]),
        (np.array([False, True]), [7.0, 8.0, 9.0]),
        (np.zeros((2, 3), bool), 1.0),
        (np.array([], int), 1.0),
        ((), 3.0),
    ],
)
def test_assignment_is_numpys(backend, index, value):
    expected = np.arange(6.0).reshape(2, 3)
    start = expected.copy()
    expected[index] = value
    if isinstance(index, np.ndarray):
        index = backend.from_numpy(index)
    for v in (  # of a graph, of a constant, of a constant that nothing else refers to
        Variable(backend.from_numpy(start)) * 1.0,
        Variable(held := backend.from_numpy(start), requires_grad=False),
        Variable(backend.from_numpy(start), requires_grad=False),
    ):
        v[index] = value
        assert_close(v, expected, rtol=0)
    assert_close(held, start, rtol=0)


def test_what_a_graph_needs_is_not_overwritten():
    x = leaf(3)
    factor = Variable(np.array([1.0, 2.0, 3.0]), requires_grad=False)
    y = x * factor
    factor[0] = 100.0
    y.sum().backward()
    assert_close(x.grad, [1.0, 2.0, 3.0])
    assert_close(factor, [100.0, 2.0, 3.0])


def test_filling_a_constant_copies_nothing():
    out = Variable(np.zeros(4), requires_grad=False)
    memory = out.data.__array_interface__["data"]
    for i in range(4):
        out[i] = float(i)
    assert out.data.__array_interface__["data"] == memory
    assert_close(out, [0.0, 1.0, 2.0, 3.0])


def test_the_last_of_several_values_stays_and_gets_the_gradient(backend):
    x = Variable(backend.from_numpy(np.zeros(3)))
    values = Variable(backend.from_numpy(np.array([1.0, 2.0, 3.0])))
    y = x * 1.0
    y[[1, 1, 0]] = values
    assert_close(y, [3.0, 2.0, 0.0])
    (y * Variable(backend.from_numpy(np.array([10.0, 20.0, 30.0])))).sum().backward()
    assert_close(values.grad, [0.0, 20.0, 10.0])
    assert_close(x.grad, [0.0, 0.0, 30.0])


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_elements_that_were_replaced_poison_nothing():
    x = Variable(np.array([0.5, 4.0]))
    for index in (0, [0], np.array([True, False])):
        y = x * 1.0
        y[index] = 0.0
        F.sum(F.sqrt(y)).backward()  # the gradient of y[0] is infinite
        assert_close(x.grad, [0.0, 0.25])
        x.cleargrad()
    a = x * 1.0
    m = F.max(a)
    a[a < 1.0] = -np.inf  # as scipy.special.logsumexp does: m still knows the old a
    (F.log(F.sum(F.exp(a - m))) + m).backward()
    assert_close(x.grad, [0.0, 1.0])


def test_assignment_errors():
    y = leaf(2, 3) * 1.0
    with pytest.raises(IndexError):
        y[2] = 0.0
    with pytest.raises(IndexError, match="mask"):
        y[np.array([True, False, True])] = 0.0
    with pytest.raises(ValueError, match=r"broadcasts to shape \(3,\); got shape \(2,\)"):
        y[0] = np.ones(2)
    with pytest.raises(TypeError, match="expected a real value"):
        y[0] = np.ones(3, complex)
    count = Variable(np.zeros(3, int), requires_grad=False)
    with pytest.raises(TypeError, match="hold no gradient"):
        count[0] = F.sum(y)
    assert_close(y, leaf(2, 3))


# -- views ---------------------------------------------------------------------------------------

VIEWS = {
    "slice": (lambda v: v[1:], lambda a: a[1:]),
    "column": (lambda v: v[:, 1], lambda a: a[:, 1]),
    "T": (lambda v: v.T, lambda a: a.T),
    "slice of T": (lambda v: v.T[::2], lambda a: a.T[::2]),
    "reshape": (lambda v: F.reshape(v, (3, 2)), lambda a: a.reshape(3, 2)),
    "flip": (lambda v: F.flip(v, axis=0), lambda a: a[::-1]),
    "split": (lambda v: F.split(v, [1], axis=1)[1], lambda a: a[:, 1:]),
    "unstack": (lambda v: F.unstack(v, axis=1)[2], lambda a: a[:, 2]),
    "reshape of slice": (lambda v: F.reshape(v[:, :2], (4,))[1:3], None),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("graph", [True, False])
def test_a_change_of_a_view_reaches_the_base_and_its_other_views(backend, name, graph):
    view_of, in_numpy = VIEWS[name]
    x = Variable(backend.from_numpy(np.arange(6.0).reshape(2, 3)))
    base = x * 1.0 if graph else Variable(x.data, requires_grad=False)
    other = base[:, ::-1] if backend.name == "numpy" else base[:, :2]
    view = view_of(base)
    expected = np.arange(6.0).reshape(2, 3)
    if in_numpy is None:  # a copy in NumPy: by hand
        expected[0, 1] *= 10.0
        expected[1, 0] *= 10.0
    else:
        part = in_numpy(expected)
        part *= 10.0
    view *= 10.0
    assert_close(base, expected, rtol=0)
    assert_close(other, expected[:, ::-1] if backend.name == "numpy" else expected[:, :2], rtol=0)
    assert_close(view, view_of(base), rtol=0)
    if graph:
        (base * base).sum().backward(retain_graph=True)
        factor = np.where(expected == np.arange(6.0).reshape(2, 3), 1.0, 10.0)
        assert_close(x.grad, 2 * expected * factor, rtol=1e-15)
        x.cleargrad()
        other.sum().backward()
        assert x.grad is not None


def test_a_change_of_the_base_reaches_its_views():
    x = leaf(4)
    base = x * 1.0
    view = base[1:3]
    nested = view[0]
    base *= 3.0
    base[1] = 7.0
    assert_close(view, [7.0, 9.0])
    assert_close(nested, 7.0)
    view.sum().backward()
    assert_close(x.grad, [0.0, 0.0, 3.0, 0.0])


def test_part_plus_equals_changes_the_base_once():
    x = leaf(3)
    y = x * 1.0
    y[1:] += x[:-1]
    assert_close(y, [1.0, 3.0, 5.0])
    names = []
    node = y.creator
    while node is not None:
        names.append(type(node).__name__)
        node = node.edges[0] and getattr(node.edges[0][0], "edges", None) and node.edges[0][0]
    assert names.count("SetItem") == 1
    y.sum().backward()
    assert_close(x.grad, [2.0, 2.0, 1.0])


def test_views_that_cannot_be_written_through_say_so():
    base = leaf(3) * 1.0
    with pytest.raises(ValueError, match="through BroadcastTo"):
        F.broadcast_to(base, (2, 3)).__iadd__(1.0)
    z = base * (1 + 1j)
    with pytest.raises(ValueError, match="through RealPart"):
        F.real(z).__iadd__(1.0)
    a, b = base[:2], F.broadcast_to(base, (2, 3))
    del base
    with pytest.raises(RuntimeError, match="the array that they are views of is gone"):
        a += 1.0
    assert_close(b, [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])


def test_views_whose_base_nobody_holds_change_together():
    x = leaf(4)
    base = x * 1.0
    a, b = base[:3], base[1:]
    del base
    a *= b  # [1 * 2, 2 * 3, 3 * 4]; b shows the last two of them and a 4
    assert_close(a, [2.0, 6.0, 12.0])
    assert_close(b, [6.0, 12.0, 4.0])
    b.sum().backward()
    assert_close(x.grad, [0.0, 3.0, 6.0, 4.0])


def test_a_view_of_a_view_changes_the_view_when_the_base_is_gone():
    x = leaf(4)
    a = F.flip(x * 1.0)
    a[1:] *= 10.0
    assert_close(a, [4.0, 30.0, 20.0, 10.0])
    b = a[2:]
    b += 1.0
    assert_close(a, [4.0, 30.0, 21.0, 11.0])
    (a * a).sum().backward()
    assert_close(x.grad, [220.0, 420.0, 600.0, 8.0])


def test_a_view_whose_base_nobody_holds_is_changed_alone():
    x = leaf(3)
    view = (x * 2.0)[1:]
    view += 1.0
    assert_close(view, [5.0, 7.0])
    view.sum().backward()
    assert_close(x.grad, [0.0, 2.0, 2.0])


def test_views_keep_nothing_alive():
    base = leaf(3) * 1.0
    view = base[1:]
    base_gone, view_gone = ref(base), ref(view)
    gc.disable()
    try:
        del base
        assert base_gone() is None
        del view
        assert view_gone() is None
    finally:
        gc.enable()


def test_the_list_of_views_does_not_grow():
    base = Variable(np.ones(3), requires_grad=False)
    for _ in range(1000):
        base[1:]
    assert len(base._shared[0].views) < 100


# -- leaving tensorgrad --------------------------------------------------------------------------


def test_asarray_of_what_requires_a_gradient_is_an_error():
    x = leaf(2)
    for v in (x, x * 2.0):
        with pytest.raises(TypeError, match=r"v\.data .*stop_gradient"):
            np.asarray(v)
        with pytest.raises(BufferError, match=r"v\.data"):
            np.from_dlpack(v)
    with tg.no_grad():
        assert_close(np.asarray(x), x.data)
    constant = Variable(np.ones(2, np.float32), requires_grad=False)
    assert np.asarray(constant) is constant.data
    assert np.array(constant) is not constant.data
    assert np.asarray(constant, dtype=np.float64).dtype == np.float64


def test_dlpack_of_constants(backend):
    if backend.name == "dask":
        pytest.skip("Dask arrays have no DLPack")
    v = Variable(backend.from_numpy(np.array([1.0, 2.0])), requires_grad=False)
    assert v.__dlpack_device__() == v.data.__dlpack_device__()
    if int(v.__dlpack_device__()[0]) == 1:  # the host
        assert_close(np.from_dlpack(v), [1.0, 2.0])


def test_to_device(backend):
    x = Variable(backend.from_numpy(np.array([1.0, 2.0])))
    y = x.to_device(x.device)
    assert y.backend is get_backend(backend.name)
    y.sum().backward()
    assert_close(x.grad, [1.0, 1.0])
    with pytest.raises(ValueError, match="stream=None"):
        x.to_device(x.device, stream=1)
