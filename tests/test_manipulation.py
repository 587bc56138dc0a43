"""Shapes and places where the table of samples does not go: parts nobody used, nothing to do, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients


def zeros(backend: Any, *shape: int) -> Variable:
    return Variable(backend.from_numpy(np.zeros(shape)))


# -- parts -----------------------------------------------------------------------------------------------


def test_parts_that_nobody_used_have_a_gradient_of_zero(backend):
    x = Variable(backend.from_numpy(np.arange(6.0).reshape(3, 2)))
    _, b, _ = F.split(x, 3)
    (b * b).sum().backward(create_graph=True)
    assert_close(x.grad, [[0.0, 0.0], [4.0, 6.0], [0.0, 0.0]])
    g = x.grad
    x.cleargrad()
    g.sum().backward()
    assert_close(x.grad, [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]])
    x.cleargrad()
    _, second = F.unstack(x, axis=1)
    second.sum().backward()
    assert_close(x.grad, [[0.0, 1.0]] * 3)


def test_parts_may_be_empty(backend):
    x = Variable(backend.from_numpy(np.arange(3.0)))
    parts = F.split(x, [0, 2, 2, 7])
    assert [p.shape for p in parts] == [(0,), (2,), (0,), (1,), (0,)]
    (parts[1].sum() + parts[3].sum() * 5).backward()
    assert_close(x.grad, [1.0, 1.0, 5.0])
    assert F.unstack(zeros(backend, 0, 2)) == ()


def test_split_counts_negative_starts_from_the_end(backend):
    x = Variable(backend.from_numpy(np.arange(4.0)))
    a, b = F.split(x, [-1])
    assert_close(a, [0.0, 1.0, 2.0])
    assert_close(b, [3.0])


def test_one_variable_joined_with_itself(backend):
    x = Variable(backend.from_numpy(np.asarray([1.0, 2.0])))
    (F.concat([x, x]) * backend.from_numpy(np.arange(4.0))).sum().backward()
    assert_close(x.grad, [2.0, 4.0])
    x.cleargrad()
    (F.stack((x, x), axis=1) * backend.from_numpy(np.arange(4.0).reshape(2, 2))).sum().backward()
    assert_close(x.grad, [1.0, 5.0])


def test_joining_gives_constants_no_gradient(backend):
    x, c = zeros(backend, 2), backend.from_numpy(np.ones(2))
    y = F.concat([x, c])
    gxs = y.creator.backward(backend.from_numpy(np.arange(4.0)))
    assert gxs[1] is None
    assert_close(y, [0.0, 0.0, 1.0, 1.0])


# -- nothing to do ---------------------------------------------------------------------------------------


def test_a_variable_that_has_the_shape_already_is_returned(backend):
    x = zeros(backend, 2, 1)
    assert F.reshape(x, (2, 1)) is x
    assert F.broadcast_to(x, (2, 1)) is x
    assert F.sum_to(x, (2, 1)) is x
    assert F.astype(x, x.dtype, copy=False) is x


def test_an_array_that_has_the_shape_already_is_a_constant(backend):
    y = F.reshape(backend.from_numpy(np.zeros(3)), (3,))
    assert isinstance(y, Variable)
    assert not y.requires_grad


# -- repeat and roll -------------------------------------------------------------------------------------


def test_repeat_by_an_array(backend):
    x = Variable(backend.from_numpy(np.asarray([[1.0, 2.0, 3.0]])))
    counts = Variable(backend.from_numpy(np.asarray([2, 0, 1])))
    y = F.repeat(x, counts, axis=1)
    assert_close(y, [[1.0, 1.0, 3.0]])
    y.backward(grad=backend.from_numpy(np.asarray([[1.0, 2.0, 4.0]])))
    assert_close(x.grad, [[3.0, 0.0, 4.0]])
    assert_close(F.repeat(x, [2], axis=1), [[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]])
    assert F.repeat(x, [0, 0, 0], axis=1).shape == (1, 0)
    with pytest.raises(ValueError, match="repeat: expected one number, or one for each of the 3 elements"):
        F.repeat(x, [1, 2], axis=1)


def test_roll_several_axes_by_one_shift(backend):
    array = np.arange(6.0).reshape(2, 3)
    x = Variable(backend.from_numpy(array))
    assert_close(F.roll(x, 1, axis=(0, 1)), np.roll(array, 1, axis=(0, 1)))
    check_gradients(lambda x: F.roll(x, -4, axis=(0, 1)) * x, [x])
    with pytest.raises(ValueError, match=r"roll: expected one shift for each axis; got \(1, 2\) for 0"):
        F.roll(x, (1, 2), axis=0)


# -- errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (-1, 4), (-1, -1), (0, -1), (2, 3, 2)])
def test_reshape_to_another_size(backend, shape):
    text = r"reshape: expected a shape of 6 elements, with -1 for at most one length that follows; got"
    with pytest.raises(ValueError, match=text):
        F.reshape(zeros(backend, 2, 3), shape)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: F.permute_dims(x, (0,)), "permute_dims: expected 2 axes; got (0,)"),
        (lambda x: F.permute_dims(x, (0, 0)), "permute_dims: expected each axis once; got (0, 0)"),
        (lambda x: F.transpose(x, (0, 2)), "permute_dims: expected an axis from -2 to 1; got 2"),
        (
            lambda x: F.moveaxis(x, 0, (0, 1)),
            "moveaxis: expected as many sources as destinations; got 1 and 2",
        ),
        (lambda x: F.expand_dims(x, 3), "expand_dims: expected an axis from -3 to 2; got 3"),
        (lambda x: F.squeeze(x, 1), "squeeze: expected axes of length 1; got 1 for shape (2, 3)"),
        (lambda x: F.broadcast_to(x, (3, 2)), "broadcast_to: expected that (2, 3) broadcasts to (3, 2)"),
        (
            lambda x: F.sum_to(x, (2, 2)),
            "sum_to: expected that (2, 2) broadcasts to (2, 3); x has shape (2, 3)",
        ),
        (lambda x: F.matrix_transpose(x[0]), "matrix_transpose: expected two or more axes; got shape (3,)"),
        (
            lambda x: F.concat([x, x[0]]),
            "concat: expected shapes that differ along axis 0 only; got (2, 3), (3,)",
        ),
        (lambda x: F.concat([]), "concat: expected at least one array; got none"),
        (lambda x: F.stack([x, x.T]), "stack: expected one shape; got (2, 3), (3, 2)"),
        (
            lambda x: F.split(x, 2, axis=1),
            "split: expected a number of equal parts of the 3 elements along axis 1",
        ),
        (lambda x: F.split(x, [2, 1]), "split: expected starts in ascending order; got [2, 1]"),
        (lambda x: F.unstack(x, 2), "unstack: expected an axis from -2 to 1; got 2"),
        (lambda x: F.flip(x, 2), "flip: expected an axis from -2 to 1; got 2"),
        (lambda x: F.tril(x[0]), "tril: expected two or more axes; got shape (3,)"),
    ],
)
def test_errors_say_what_was_expected(backend, call, text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the text is compared below
        call(zeros(backend, 2, 3))
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["reshape", "broadcast_to", "expand_dims", "permute_dims"])
def test_numbers_and_lists_are_told_what_to_do(name):
    with pytest.raises(
        TypeError, match=rf"{name}: expected a Variable or an array; got list\. tensorgrad\.as_var"
    ):
        getattr(F, name)([1.0, 2.0], (2,))


def test_integers_of_numpy_are_axes_and_lengths(backend):
    x = Variable(backend.from_numpy(np.arange(24.0).reshape(2, 3, 4)))
    m = Variable(backend.from_numpy(np.arange(9.0).reshape(3, 3)))
    calls = (
        lambda i: F.reshape(x, i(24)),
        lambda i: F.reshape(x, (i(4), i(6))),
        lambda i: F.transpose(x, (i(1), i(0), i(2))),
        lambda i: F.expand_dims(x, i(1)),
        lambda i: F.squeeze(F.expand_dims(x, 1), i(1)),
        lambda i: F.moveaxis(x, i(0), i(-1)),
        lambda i: F.flip(x, i(1)),
        lambda i: F.roll(x, i(1)),
        lambda i: F.roll(x, i(1), axis=(i(0), i(1))),
        lambda i: F.repeat(x, i(2), axis=i(1)),
        lambda i: F.tile(x, i(2)),
        lambda i: F.split(x, i(3), axis=i(1))[1],
        lambda i: F.concat([x, x], axis=i(1)),
        lambda i: F.sum(x, i(1)),
        lambda i: F.max(x, (i(0), i(-1))),
        lambda i: F.cumsum(x, i(1)),
        lambda i: F.softmax(x, i(2)),
        lambda i: F.matrix_norm(m, ord=i(1)),
        lambda i: F.tensordot(m, m, i(1)),
        lambda i: F.tensordot(m, m, (i(0), i(1))),
        lambda i: F.fftshift(x, i(1)),
    )
    for call in calls:
        assert_close(call(np.int64), call(int))
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        F.reshape(x, 24.0)


def test_roll_as_if_flattened_by_the_sum_of_its_shifts():
    x = Variable(np.arange(6.0).reshape(2, 3))
    assert_close(F.roll(x, (1, 3)), np.roll(x.data, (1, 3)))
    with pytest.raises(ValueError, match="roll: expected one shift for each axis"):
        F.roll(x, (1, 2, 3), axis=(0, 1))
