"""Convolution and pooling: the book's faults, identities, errors, dtypes, memory, torch's values."""

from __future__ import annotations

import re

import numpy as np
import pytest

from references.convolution import correlated, transposed
from tensorgrad import Variable, utils
from tensorgrad import functions as F
from tensorgrad.functions.patches import Windows
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(0)


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def variable(backend, array: np.ndarray) -> Variable:
    return Variable(backend.from_numpy(array))


# -- the faults of the book ----------------------------------------------------------------------


def test_the_border_of_max_pooling_is_never_the_largest(backend):
    x = variable(backend, -1 - normal(1, 2, 3, 3) ** 2)
    y = F.pooling(x, 3, 1, 1)
    assert to_numpy(y).max() < -1
    assert_close(F.pooling_simple(x, 3, 1, 1), to_numpy(y), rtol=0, atol=0)
    y.sum().backward()
    assert to_numpy(x.grad).sum() == 18  # nothing was lost to the border


def test_integers_are_pooled_too():
    y = F.pooling(np.full((1, 1, 2, 2), -5), 2, pad=1)
    assert y.dtype == np.int64
    assert y.data.tolist() == [[[[-5] * 3] * 3]]


@pytest.mark.parametrize("pool", [F.pooling, F.average_pooling])
def test_third_derivatives_of_pooling(backend, pool):
    x = variable(backend, normal(1, 1, 4, 4))
    grads = []
    y = (pool(x, 2, 2) ** 4).sum()
    for _ in range(3):
        x.cleargrad()
        y.backward(create_graph=True)
        grads.append(x.grad)
        y = x.grad.sum()
    parts = to_numpy(x).reshape(2, 2, 2, 2)
    if pool is F.pooling:
        top = parts.max(axis=(1, 3), keepdims=True)
        want = 24 * np.where(parts == top, top, 0)
    else:
        want = np.broadcast_to(24 * parts.mean(axis=(1, 3), keepdims=True) / 4, parts.shape)
    assert_close(grads[2], want.reshape(1, 1, 4, 4), rtol=1e-10, atol=1e-10)


def test_average_pooling_does_not_swap_height_and_width():
    x = Variable(normal(1, 1, 2, 6))
    y = F.average_pooling(x, (1, 3), (1, 3))
    assert_close(y, x.data.reshape(1, 1, 2, 2, 3).mean(axis=-1), rtol=1e-12, atol=1e-12)
    y.backward()
    assert_close(x.grad, np.full((1, 1, 2, 6), 1 / 3), rtol=1e-12, atol=0)


def test_double_backward_of_conv2d_through_the_kernels(backend):
    x, W = variable(backend, normal(2, 2, 4, 4)), variable(backend, normal(3, 2, 3, 3))
    y = F.conv2d(x, W, pad=1)
    y.backward(create_graph=True)
    gW = W.grad
    W.cleargrad()
    x.cleargrad()
    (gW**2).sum().backward()
    # gW sums x over the windows and is the same for every kernel, so its own gradient in x is another sum
    assert W.grad is None
    want = to_numpy(F.conv_transpose2d(np.ones((2, 3, 4, 4)), 2 * to_numpy(gW), pad=1))
    assert_close(x.grad, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("shape", "kernel", "settings"),
    [((1, 2, 4, 3), (2, 2, 2, 2), {"pad": 1}), ((2, 2, 5, 5), (2, 1, 3, 2), {"stride": 2, "groups": 2})],
)
def test_third_derivatives_of_convolution(backend, shape, kernel, settings):
    def gradient_norm(x, W):
        y = F.conv2d(x, W, **settings)
        (y**3).sum().backward(create_graph=True)
        gx, gW = x.grad, W.grad
        x.cleargrad()
        W.cleargrad()
        return gx, gW

    xs = [variable(backend, normal(*shape) / 2), variable(backend, normal(*kernel) / 2)]
    check_gradients(gradient_norm, xs, order=2)


# -- what must hold ------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_transposed_convolution_is_the_adjoint(stride, groups):
    W = normal(4, 2 // groups * 2, 3, 2)
    x = normal(2, W.shape[1] * groups, 6, 5)
    y = F.conv2d(x, W, stride=stride, pad=1, groups=groups)
    z = RNG.standard_normal(y.shape)
    back = F.deconv2d(z, W, stride=stride, pad=1, outsize=(6, 5), groups=groups)
    assert_close((y * z).sum(), (back * x).sum().data, rtol=1e-12, atol=1e-12)


def test_col2im_is_the_adjoint_of_im2col():
    x, kernel, stride, pad = normal(2, 3, 5, 4), (3, 2), (2, 1), (1, 0)
    cols = F.im2col(x, kernel, stride, pad)
    z = RNG.standard_normal(cols.shape)
    back = F.col2im(z, x.shape, kernel, stride, pad)
    assert_close((cols * z).sum(), (back * x).sum().data, rtol=1e-12, atol=1e-12)


def test_im2col_has_memory_of_its_own(backend):
    for kernel in (1, 2):
        x = variable(backend, normal(1, 1, 3, 3))
        before = to_numpy(x).copy()
        y = F.im2col(x, kernel, to_matrix=False).data
        if backend.writable:
            y[...] = 0
        assert_close(x, before, rtol=0, atol=0)


def test_ties_go_to_the_first(backend):
    x = variable(backend, np.ones((1, 1, 3, 3)))
    F.pooling(x, 2).backward()
    assert to_numpy(x.grad)[0, 0].tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_a_large_kernel_numbers_its_pixels_in_more_than_a_byte(backend):
    x = np.zeros((1, 1, 17, 17))
    x[0, 0, 16, 15] = 1.0
    v = variable(backend, x)
    F.pooling(v, 17).backward()
    assert_close(v.grad, x, rtol=0, atol=0)


def test_an_infinite_gradient_stays_where_it_belongs():
    x = Variable(np.arange(4.0).reshape(1, 1, 2, 2))
    y = F.pooling(x, 2)
    (y * np.inf).backward()
    assert x.grad.data.tolist() == [[[[0, 0], [0, np.inf]]]]


def test_what_is_kept_of_max_pooling_is_a_byte_for_each_window():
    y = F.pooling(Variable(normal(2, 3, 8, 8)), 2, 2)
    (found,) = y.creator.kept
    assert (found.dtype, found.shape) == (np.uint8, (2, 3, 4, 4))
    assert y.creator.saved in ((), None)
    with np.errstate(all="raise"):
        assert not F.pooling(normal(2, 3, 8, 8), 2, 2).requires_grad


@pytest.mark.parametrize("n", [1, 5, 300])
def test_a_batch_in_parts(monkeypatch, n):
    """NumPy's temporaries are small: a batch is convolved part by part, with the same result."""
    x, W = normal(n, 2, 6, 5), normal(3, 2, 3, 3)
    whole = [Variable(x), Variable(W)]
    y = F.conv2d(*whole, pad=1)
    (y * y).sum().backward()
    backend = y.backend
    monkeypatch.setattr(type(backend), "temporary", 1)
    parts = [Variable(x), Variable(W)]
    z = F.conv2d(*parts, pad=1)
    (z * z).sum().backward()
    for got, want in [(z, y), (parts[0].grad, whole[0].grad), (parts[1].grad, whole[1].grad)]:
        assert_close(got, want, rtol=1e-10, atol=1e-10)


def test_an_empty_batch(backend):
    x, W = variable(backend, np.zeros((0, 2, 4, 4))), variable(backend, normal(3, 2, 2, 2))
    y = F.conv2d(x, W)
    assert y.shape == (0, 3, 3, 3)
    y.sum().backward()
    assert to_numpy(W.grad).tolist() == np.zeros((3, 2, 2, 2)).tolist()
    assert F.pooling(x, 2, 2).shape == (0, 2, 2, 2)


def test_complex_images_have_complex_gradients():
    x, W = normal(1, 1, 3, 3) + 1j * normal(3, 3), normal(1, 1, 2, 2) * (1 - 2j)
    v = Variable(x)
    y = F.conv2d(v, W)
    assert_close(
        y,
        correlated(x.real, W.real)
        - correlated(x.imag, W.imag)
        + 1j * (correlated(x.real, W.imag) + correlated(x.imag, W.real)),
        rtol=1e-12,
        atol=1e-12,
    )
    F.real(y).sum().backward()
    ones = np.ones((1, 1, 2, 2))
    want = transposed(ones, W.real) - 1j * transposed(ones, W.imag)
    assert_close(v.grad, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes_are_kept(dtype):
    x, W, b = (a.astype(dtype) for a in (normal(1, 2, 4, 4), normal(3, 2, 2, 2), normal(3)))
    for f in (lambda v: F.conv2d(v, W, b), lambda v: F.deconv2d(v, W.transpose(1, 0, 2, 3), b)):
        v = Variable(x)
        y = f(v)
        y.sum().backward()
        assert (y.dtype, v.grad.dtype) == (dtype, dtype)
    for pool in (F.pooling, F.average_pooling):
        assert pool(x, 2, pad=1).dtype == dtype
    assert F.adaptive_average_pooling(x, 3).dtype == dtype


def test_the_default_windows_are_those_of_strides(backend):
    from tensorgrad.backend import Backend

    x = backend.from_numpy(normal(2, 3, 7, 6))
    for setting in [((2, 3), (1, 1), (1, 1)), ((3, 2), (2, 1), (1, 2)), ((1, 1), (3, 2), (1, 1))]:
        want = Backend.windows(backend, x, *setting)
        got = backend.windows(x, *setting)
        assert got.shape == want.shape
        assert_close(backend.copy(got), to_numpy(want), rtol=0, atol=0)
        if hasattr(backend.xp, "permute_dims"):  # images that do not lie in order
            turned = backend.xp.permute_dims(x, (1, 0, 3, 2))
            assert_close(
                backend.copy(backend.windows(turned, *setting)),
                to_numpy(Backend.windows(backend, turned, *setting)),
                rtol=0,
                atol=0,
            )


def test_masked_takes_no_harm_from_what_is_hidden(backend):
    x = backend.from_numpy(np.array([np.inf, np.nan, -1.5, np.inf]))
    mask = backend.from_numpy(np.array([False, False, True, True]))
    assert to_numpy(backend.masked(x, mask)).tolist() == [0.0, 0.0, -1.5, np.inf]


def test_the_sizes_that_the_book_computes():
    assert utils.get_conv_outsize(7, 3, 2, 1) == 4
    assert utils.get_deconv_outsize(4, 3, 2, 1) == 7
    windows = Windows((3,), (2,), ((1, 1),), (1,))
    assert (windows.counts((7,)), windows.lengths((4,))) == ((4,), (7,))
    assert (utils.pair(3), utils.pair((1, 2))) == ((3, 3), (1, 2))
    with pytest.raises(ValueError, match=message("pair: expected an int or a tuple of two; got [1, 2]")):
        utils.pair([1, 2])


# -- against torch -------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [{}, {"stride": 2, "pad": 1}, {"dilation": 2, "pad": 2}, {"groups": 2}, {"pad": "same"}],
    ids=repr,
)
def test_convolutions_agree_with_torch(axes, settings):
    torch = pytest.importorskip("torch")
    renamed = {"padding" if k == "pad" else k: v for k, v in settings.items()}
    groups = settings.get("groups", 1)
    x, W, b = normal(2, 4, *range(5, 5 + axes)), normal(6, 4 // groups, *[3] * axes), normal(6)
    ours = [Variable(a) for a in (x, W, b)]
    theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, W, b)]
    y = getattr(F, f"conv{axes}d")(*ours, **settings)
    z = getattr(torch.nn.functional, f"conv{axes}d")(*theirs, **renamed)
    agree(y, z, ours, theirs)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_transposed_convolutions_agree_with_torch(axes):
    torch = pytest.importorskip("torch")
    x, W, b = normal(2, 4, *range(3, 3 + axes)), normal(4, 3, *[3] * axes), normal(6)
    ours = [Variable(a) for a in (x, W, b)]
    theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, W, b)]
    outsize = tuple(2 * n for n in range(3, 3 + axes))  # a convolution makes 3, 4, 5 of it
    y = getattr(F, f"conv_transpose{axes}d")(*ours, 2, 1, outsize, groups=2)
    z = getattr(torch.nn.functional, f"conv_transpose{axes}d")(*theirs, 2, 1, output_padding=1, groups=2)
    agree(y, z, ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: F.pooling(x, 3, 2, 1), lambda f, x: f.max_pool2d(x, 3, 2, 1)),
        (lambda x: F.pooling(x, 3, 2, cover_all=True), lambda f, x: f.max_pool2d(x, 3, 2, ceil_mode=True)),
        (
            lambda x: F.pooling(x, 2, 3, 1, cover_all=True),
            lambda f, x: f.max_pool2d(x, 2, 3, 1, ceil_mode=True),
        ),
        (lambda x: F.average_pooling(x, (3, 2), 2, 1), lambda f, x: f.avg_pool2d(x, (3, 2), 2, 1)),
        (lambda x: F.adaptive_max_pooling(x, (3, 2)), lambda f, x: f.adaptive_max_pool2d(x, (3, 2))),
        (lambda x: F.adaptive_average_pooling(x, (3, 2)), lambda f, x: f.adaptive_avg_pool2d(x, (3, 2))),
    ],
    ids=["max", "max to the end", "max in gaps", "average", "adaptive max", "adaptive average"],
)
def test_pooling_agrees_with_torch(ours, theirs):
    torch = pytest.importorskip("torch")
    x = np.maximum(normal(2, 3, 7, 5), 0)  # zeros that tie, as behind relu
    v, t = Variable(x), torch.from_numpy(x.copy()).requires_grad_()
    agree(ours(v), theirs(torch.nn.functional, t), [v], [t])


def agree(y, z, ours, theirs):
    assert_close(y, z.detach().numpy(), rtol=1e-10, atol=1e-10)
    weights = np.random.default_rng(1).standard_normal(y.shape)
    (y * weights).sum().backward()
    (z * z.new_tensor(weights)).sum().backward()
    for v, t in zip(ours, theirs, strict=True):
        assert_close(v.grad, t.grad.numpy(), rtol=1e-10, atol=1e-10)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: F.conv2d(normal(3, 4, 4), normal(2, 3, 2, 2)),
            (
                "conv2d: expected x of shape (N, C, H, W); got (3, 4, 4). "
                "x.reshape(...) adds an axis for the batch or the channels."
            ),
        ),
        (
            lambda: F.conv2d(normal(1, 3, 4, 4), normal(2, 3, 2)),
            "conv2d: expected W of shape (OC, C, *kernel), with 4 axes; got (2, 3, 2)",
        ),
        (
            lambda: F.conv2d(normal(1, 3, 4, 4), normal(2, 4, 2, 2)),
            (
                "conv2d: expected W of shape (OC, C, *kernel) with C == x.shape[1]; got x (1, 3, 4, 4), "
                "W (2, 4, 2, 2). Does the layer before give 3 channels?"
            ),
        ),
        (
            lambda: F.conv2d(normal(1, 3, 4, 4), normal(2, 3, 2, 2), groups=2),
            "conv2d: expected groups that divide the 3 channels of x and the length 2 of W; got 2",
        ),
        (
            lambda: F.conv2d(normal(1, 3, 4, 4), normal(2, 3, 2, 2), normal(3)),
            "conv2d: expected b of shape (OC,) == (2,); got (3,)",
        ),
        (
            lambda: F.conv2d(normal(1, 3, 2, 4), normal(2, 3, 3, 3)),
            (
                "conv2d: expected images of at least (3, 3) pixels, the span of the kernel; got (2, 4), "
                "padded (2, 4). Use a smaller kernel or a larger pad."
            ),
        ),
        (
            lambda: F.conv2d(normal(1, 3, 4, 4), normal(2, 3, 3, 3), stride=0),
            "conv2d: expected stride as an int of 1 or more, or a tuple of 2; got 0",
        ),
        (
            lambda: F.conv2d(normal(1, 3, 4, 4), normal(2, 3, 3, 3), pad="full"),
            "conv2d: expected pad as an int, a tuple, 'same' or 'valid'; got 'full'",
        ),
        (
            lambda: F.deconv2d(normal(1, 3, 4, 4), normal(3, 2, 3, 3), None, 2, 1, 9),
            (
                "conv_transpose2d: expected an outsize of which the convolution makes (4, 4): from (7, 7) to "
                "(8, 8), and at least 1; got (9, 9)"
            ),
        ),
        (
            lambda: F.pooling(normal(1, 3, 4, 4), 2, 2, 2),
            (
                "pooling: expected pad below kernel_size, so that no window is padding alone; "
                "got pad 2, kernel_size (2, 2)"
            ),
        ),
        (
            lambda: F.pooling(normal(4, 4), 2),
            (
                "pooling: expected x of shape (N, C, ...); got (4, 4). "
                "x.reshape(...) adds an axis for the batch or the channels."
            ),
        ),
        (
            lambda: F.col2im(normal(3, 4), (1, 1, 2, 3), 2),
            (
                "col2im: expected x of shape (2, 4), what im2col gives for images (1, 1, 2, 3); got (3, 4). "
                "Are kernel_size, stride, pad and to_matrix those of im2col?"
            ),
        ),
        (
            lambda: F.col2im(normal(2, 4), (1, 2, 3), 2),
            "col2im: expected input_shape as (N, C, H, W); got (1, 2, 3)",
        ),
        (
            lambda: F.adaptive_max_pooling(normal(1, 1, 0), 2),
            "adaptive_max_pooling: expected images of at least one pixel; got (0,)",
        ),
    ],
)
def test_shapes_and_settings_that_are_wrong(call, text):
    with pytest.raises(ValueError, match=message(text)):
        call()


def test_settings_of_another_kind():
    text = "pooling: expected stride as an int or 2 of them; got 1.5"
    with pytest.raises(TypeError, match=message(text)):
        F.pooling(normal(1, 1, 4, 4), 2, 1.5)


def test_images_and_kernels_of_two_dtypes():
    x, W = normal(1, 2, 4, 4).astype(np.float32), normal(2, 3, 3, 3)
    for stride in (1, 2):
        y = F.conv_transpose2d(x, W, stride=stride)
        assert y.dtype == np.float64
        assert_close(y, transposed(x.astype(np.float64), W, stride=stride), rtol=1e-12, atol=1e-12)
