"""Indexing against NumPy's, on every backend: values, gradients, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy
from under_test import BACKENDS

EXAMPLES = 10 if {"jax", "dask"} & set(BACKENDS) else 150
"""JAX compiles each shape anew, and dask makes a graph: a second for each example."""

# -- any index that NumPy takes -------------------------------------------------------------------

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
ARRAY_SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1)])


@st.composite
def slices(draw: Any, n: int) -> slice:
    bound = st.none() | st.integers(-n - 2, n + 2)
    step = st.none() | st.sampled_from([1, 2, 3, -1, -2])
    return slice(draw(bound), draw(bound), draw(step))


@st.composite
def int_arrays(draw: Any, n: int) -> np.ndarray:
    shape = draw(ARRAY_SHAPES)
    size = int(np.prod(shape))
    values = draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size))
    return np.asarray(values, dtype=np.int64).reshape(shape)


@st.composite
def indices(draw: Any, shape: tuple[int, ...], *, basic: bool) -> tuple[Any, ...]:
    """An index for some of the axes, with None and Ellipsis strewn in."""
    index: list[Any] = []
    axis = 0
    while axis < len(shape) and draw(st.integers(0, 5)):
        n = shape[axis]
        kinds = ["int", "slice", "all"] if basic else ["int", "slice", "all", "ints", "ints", "mask", "mask2"]
        kind = draw(st.sampled_from(kinds))
        if kind == "int":
            index.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            index.append(draw(slices(n)))
        elif kind == "all":
            index.append(slice(None))
        elif kind == "ints":
            index.append(draw(int_arrays(n)))
        else:
            axes = shape[axis : axis + (2 if kind == "mask2" else 1)]
            bits = draw(st.lists(st.booleans(), min_size=int(np.prod(axes)), max_size=int(np.prod(axes))))
            index.append(np.asarray(bits).reshape(axes))
            axis += len(axes) - 1
        axis += 1
    if draw(st.booleans()):
        where = draw(st.integers(0, len(index)))
        left = [i for i in index[where:] if i is not None]
        used = sum(i.ndim if isinstance(i, np.ndarray) and i.dtype == bool else 1 for i in left)
        front = len(shape) - used
        taken = index[:where]
        fits = all(_fits(i, shape[front + k]) for k, i in enumerate(left)) if front >= 0 else False
        if fits and not any(isinstance(i, np.ndarray) and i.dtype == bool for i in left):
            index = [*taken, ..., *index[where:]]
    for _ in range(draw(st.integers(0, 2))):
        index.insert(draw(st.integers(0, len(index))), None)
    return tuple(index)


def _fits(item: Any, n: int) -> bool:
    if isinstance(item, int):
        return -n <= item < n
    return not isinstance(item, np.ndarray) or bool(((item >= -n) & (item < n)).all())


@st.composite
def cases(draw: Any, *, basic: bool) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    shape = draw(SHAPES)
    return shape, draw(indices(shape, basic=basic))


def on_backend(backend: Any, index: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(backend.from_numpy(i) if isinstance(i, np.ndarray) and i.ndim else i for i in index)


def check_against_numpy(backend: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> None:
    array = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    x = Variable(backend.from_numpy(array))
    ours = on_backend(backend, index)
    try:
        want = array[index]
    except IndexError:  # arrays that do not broadcast
        with pytest.raises((IndexError, ValueError, RuntimeError, TypeError)):
            x[ours]
        return
    y = x[ours]
    assert_close(y, want, rtol=0, atol=0)

    weights = np.arange(1.0, want.size + 1).reshape(want.shape)
    y.backward(grad=backend.from_numpy(weights))
    expected = np.zeros(shape)
    np.add.at(expected, index, weights)
    assert_close(x.grad, expected, rtol=1e-12, atol=0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=cases(basic=True))
def test_slices_integers_none_and_ellipsis(backend, case):
    check_against_numpy(backend, *case)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(case=cases(basic=False))
def test_mixtures_with_integer_and_bool_arrays(backend, case):
    check_against_numpy(backend, *case)


MIXTURES = [
    (slice(None), [0, 2, 2]),
    ([1, 1], slice(None), [0, 3]),
    (0, slice(None), [0, 3]),
    (slice(None), 1, [0, 3]),
    (slice(None), [0, 2], None, [1, 1]),
    (..., [0, 2], [3, 3]),
    (slice(None), [[0], [2]], [[1, 1]]),
    (None, [1, 0], slice(None, None, -1), 2),
    ([True, False], [0, 2, 0]),
    (slice(None), [True, False, True], slice(1, None, 2)),
    (np.int64(1), ..., [0, -1]),
    ([1, 0],),
    [1, 0, 1],
]


@pytest.mark.parametrize("index", MIXTURES, ids=repr)
def test_gradients_of_mixtures_to_second_order(backend, index):
    array = np.arange(24.0).reshape(2, 3, 4) / 24
    x = Variable(backend.from_numpy(array))
    assert_close(x[index], array[index], rtol=0, atol=0)
    check_gradients(lambda x: x[index] * x[index], [x])


# -- what an index may be --------------------------------------------------------------------------


def test_variables_as_index(backend):
    x = Variable(backend.from_numpy(np.arange(6.0).reshape(3, 2)))
    rows = Variable(backend.from_numpy(np.asarray([2, 0, 2])))
    columns = Variable(backend.from_numpy(np.asarray([1, 1, 0])))
    assert_close(x[rows], [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]])
    y = x[rows, columns]
    assert_close(y, [5.0, 1.0, 4.0])
    y.sum().backward()
    assert_close(x.grad, [[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    assert rows.grad is None
    assert columns.grad is None
    assert_close(x[Variable(backend.from_numpy(np.asarray(1)))], [2.0, 3.0])
    assert_close(x[x > 2.5], [3.0, 4.0, 5.0])


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_every_integer_dtype_is_an_index(backend, dtype):
    x = Variable(backend.from_numpy(np.arange(4.0)))
    index = backend.from_numpy(np.asarray([1, 0, 1, 0], dtype=dtype))
    assert_close(x[index], [1.0, 0.0, 1.0, 0.0])
    assert_close(F.take(x, index), [1.0, 0.0, 1.0, 0.0])


def test_lists_and_numpy_numbers(backend):
    x = Variable(backend.from_numpy(np.arange(3.0)))
    assert_close(x[[2, -1, 0]], [2.0, 2.0, 0.0])
    assert_close(x[[True, False, True]], [0.0, 2.0])
    assert x[[]].shape == (0,)
    assert_close(x[np.int32(1)], np.asarray(1.0))
    assert_close(x[np.asarray(-1)], np.asarray(2.0))


def test_an_element_picked_twice_gets_both_gradients(backend):
    x = Variable(backend.from_numpy(np.zeros(3)))
    y = x[[0, 0, 2]]
    y.backward(grad=backend.from_numpy(np.asarray([1.0, 10.0, 100.0])))
    assert_close(x.grad, [11.0, 0.0, 100.0])


def test_what_a_mask_leaves_out_cannot_poison_the_gradient(backend):
    x = Variable(backend.from_numpy(np.asarray([0.0, 1.0, 4.0])))
    y = F.sqrt(x[x > 0.5])
    y.sum().backward()
    assert_close(x.grad, [0.0, 0.5, 0.25])


def test_iteration_and_unpacking(backend):
    x = Variable(backend.from_numpy(np.arange(4.0).reshape(2, 2)))
    a, b = x
    (a * 2 + b * 3).sum().backward()
    assert_close(x.grad, [[2.0, 2.0], [3.0, 3.0]])


def test_float32_stays_float32(backend):
    x = Variable(backend.from_numpy(np.arange(4, dtype=np.float32)))
    for y in (x[1:], x[[0, 0]], x[x > 1.5], F.take(x, [1, 1])):
        assert to_numpy(y).dtype == np.float32
        x.cleargrad()
        y.sum().backward()
        assert to_numpy(x.grad).dtype == np.float32


def test_a_slice_of_a_slice_owns_its_gradient():
    x = Variable(np.arange(4.0))
    x[1:][:2].sum().backward()
    assert x.grad.data.base is None
    assert x.grad.data.flags.writeable


def test_third_derivative_through_indexing(backend):
    x = Variable(backend.from_numpy(np.asarray([1.0, 2.0])))
    y = x[[1, 1]] ** 3
    y.sum().backward(create_graph=True)
    for want in ([0.0, 24.0], [0.0, 24.0 / 2]):
        g = x.grad
        x.cleargrad()
        g.sum().backward(create_graph=True)
        assert_close(x.grad, [0.0, want[1]])


# -- take and take_along_axis ------------------------------------------------------------------------


def test_take_with_indices_of_any_shape(backend):
    array = np.arange(24.0).reshape(2, 3, 4)
    x = Variable(backend.from_numpy(array))
    index = np.asarray([[0, -1, 2], [2, 2, 1]])
    for axis in (1, 2, -1, -2):
        got = F.take(x, backend.from_numpy(index), axis=axis)
        assert_close(got, np.take(array, index, axis=axis))
    assert_close(F.take(x, 1, axis=0), array[1])
    assert_close(F.take(x, [5, -1]), [5.0, 23.0])


def test_take_along_axis_with_argsort(backend):
    array = np.asarray([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    x = Variable(backend.from_numpy(array))
    order = backend.xp.argsort(x.data, axis=1)
    y = F.take_along_axis(x, order, axis=1)
    assert_close(y, np.sort(array, axis=1))
    y.backward(grad=backend.from_numpy(np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])))
    assert_close(x.grad, [[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]])


# -- what is refused ---------------------------------------------------------------------------------


def test_too_many_indices(backend):
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    with pytest.raises(IndexError, match=r"get_item: expected at most 2 indices; got 3 for shape \(2, 3\)"):
        x[0, 0, 0]
    with pytest.raises(IndexError, match="get_item: expected at most 2 indices; got 3"):
        x[[0], :, 0]
    with pytest.raises(IndexError, match="get_item: expected at most one Ellipsis"):
        x[..., 0, ...]
    with pytest.raises(IndexError, match="get_item: expected at most one Ellipsis"):
        x[..., [0], ...]


def test_integers_out_of_bounds(backend):
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    with pytest.raises(IndexError, match="get_item: index 2 is out of bounds for an axis of length 2"):
        x[2]
    with pytest.raises(IndexError, match="get_item: index -4 is out of bounds for an axis of length 3"):
        x[0, -4]


def test_arrays_out_of_bounds(backend):
    if backend.name in ("jax", "dpnp", "cupy"):
        pytest.skip(f"{backend.name} does not look: that would wait for the device")
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    text = "is out of bounds for an axis of length"
    with pytest.raises(IndexError, match=f"get_item: index 2 {text} 2"):
        x[[0, 2]]
    with pytest.raises(IndexError, match=f"get_item: index 3 {text} 3"):
        x[[0, 1], [0, 3]]
    with pytest.raises(IndexError, match=f"get_item: index -4 {text} 3"):
        x[:, [-4]]
    with pytest.raises(IndexError, match=f"get_item: index 5 {text} 3"):
        F.take(x, [3, 5], axis=1)


def test_masks_of_another_shape(backend):
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    mask = backend.from_numpy(np.ones(3, dtype=bool))
    with pytest.raises(
        IndexError,
        match=r"get_item: expected a mask of shape \(2,\), as x has along these axes; got \(3,\)",
    ):
        x[mask]
    with pytest.raises(IndexError, match=r"expected a mask of shape \(2,\), .*; got \(3,\)"):
        x[mask, 0]
    with pytest.raises(IndexError, match="get_item: expected an array of bools as a mask; got one bool"):
        x[True]


def test_what_is_no_index(backend):
    x = Variable(backend.from_numpy(np.zeros(3)))
    for wrong in (1.0, [0.5], backend.from_numpy(np.zeros(2)), Variable(backend.from_numpy(np.zeros(2)))):
        with pytest.raises(
            IndexError, match=r"get_item: expected integers or bools as an index; got .*float"
        ):
            x[wrong]
    with pytest.raises(TypeError, match="expected an array of a registered library"):
        x["name"]
    with pytest.raises(IndexError, match="take: expected integers; got bools"):
        F.take(x, [True, False])


def test_an_index_of_another_library(backend):
    other = "numpy" if backend.name != "numpy" else "array_api_strict"
    index = get_backend(other).from_numpy(np.asarray([0, 1]))
    x = Variable(backend.from_numpy(np.zeros(3)))
    text = rf"get_item: expected an index of {backend.name}, the library of x; got {other} \(2,\)"
    with pytest.raises(TypeError, match=text):
        x[index]


def test_take_along_axis_needs_as_many_axes(backend):
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    with pytest.raises(
        ValueError, match=r"take_along_axis: expected indices that broadcast to shape \(2, 3\)"
    ):
        F.take_along_axis(x, [0, 1])
    with pytest.raises(ValueError, match=r"but for axis 1; got shape \(3, 1\)"):
        F.take_along_axis(x, backend.from_numpy(np.zeros((3, 1), dtype=int)), axis=1)


def test_an_axis_that_does_not_exist(backend):
    x = Variable(backend.from_numpy(np.zeros((2, 3))))
    with pytest.raises(ValueError, match="take: expected an axis from -2 to 1; got 2"):
        F.take(x, [0], axis=2)


def test_raw_arrays_are_constants(backend):
    array = backend.from_numpy(np.arange(3.0))
    for y in (F.get_item(array, 0), F.get_item(array, [0, 0]), F.take(array, [1])):
        assert not y.requires_grad
    with tg.no_grad():
        assert Variable(array)[[0]].creator is None
