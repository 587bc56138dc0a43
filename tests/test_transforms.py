"""Transforms of images and arrays."""

# ruff: noqa: NPY002  (they draw from the state that users of the book seed)
from __future__ import annotations

import gc
import pickle
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import transforms as T

IMAGE = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.fixture(scope="module")
def pil():
    module = pytest.importorskip("PIL.Image", reason="images need Pillow")
    gc.freeze()
    return module


@pytest.fixture
def photo(pil):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return pixels, pil.fromarray(pixels)


# -- the book's ----------------------------------------------------------------------------------


def test_compose():
    assert T.Compose([lambda x: x + 1, lambda x: x * 2])(3) == 8
    assert T.Compose()(3) == 3
    assert T.Compose([])(3) == 3


def test_convert(photo):
    pixels, image = photo
    assert T.Convert()(image).mode == "RGB"
    assert T.Convert("L")(image).mode == "L"
    np.testing.assert_array_equal(np.asarray(T.Convert("BGR")(image)), pixels[:, :, ::-1])


def test_resize(photo):
    _, image = photo
    assert T.Resize(3)(image).size == (3, 3)
    assert T.Resize((4, 2))(image).size == (4, 2)
    want = np.asarray(image.resize((4, 2), 2))
    np.testing.assert_array_equal(np.asarray(T.Resize((4, 2))(image)), want)


def test_to_array_and_back(photo):
    pixels, image = photo
    x = T.ToArray()(image)
    assert (x.shape, x.dtype) == ((3, 6, 8), np.float32)
    np.testing.assert_array_equal(x, pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(np.asarray(T.ToPIL()(x)), pixels)
    assert T.ToArray()(x) is x
    grey = T.ToArray(np.uint8)(image.convert("L"))
    assert (grey.shape, grey.dtype) == ((1, 6, 8), np.uint8)
    assert T.ToPIL()(grey).mode == "L"
    assert np.asarray(T.ToPIL()(np.array([[[-3.0, 2.6, 300.0]]])))[0].tolist() == [0, 3, 255]


@pytest.mark.parametrize("size", [3, (2, 4), (5, 3)])
def test_center_crop_of_images_and_arrays(photo, size):
    pixels, image = photo
    width, height = (size, size) if isinstance(size, int) else size
    left, top = (8 - width) // 2, (6 - height) // 2
    want = pixels[top : top + height, left : left + width]
    np.testing.assert_array_equal(np.asarray(T.CenterCrop(size)(image)), want)
    got = T.CenterCrop(size)(pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(got, want.transpose(2, 0, 1))


def test_normalize():
    np.testing.assert_allclose(T.Normalize(1, 2)(IMAGE), (IMAGE - 1) / 2)
    got = T.Normalize([1.0, 2.0], (2.0, 4.0))(IMAGE)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[1], (IMAGE[1] - 2) / 4)
    np.testing.assert_allclose(T.Normalize([1.0], [2.0])(IMAGE), (IMAGE - 1) / 2)
    np.testing.assert_allclose(T.Normalize([1.0, 2.0])(IMAGE.astype(np.uint8))[1], IMAGE[1] - 2)
    expected = "Normalize: expected a number for each channel of shape (2, 5, 4); got (3,)"
    with pytest.raises(ValueError, match=message(expected)):
        T.Normalize([1, 2, 3])(IMAGE)


def test_flatten_and_dtypes():
    assert T.Flatten()(IMAGE).shape == (40,)
    assert T.ToFloat is T.AsType
    assert T.ToFloat()(np.array([1])).dtype == np.float32
    assert T.AsType(np.float64)(IMAGE).dtype == np.float64
    assert T.ToInt()(np.array([1.7])).tolist() == [1]
    assert T.ToInt()(np.float32(3.0)) == 3


# -- at random -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("flip", "axis"), [(T.RandomHorizontalFlip, 2), (T.RandomVerticalFlip, 1)])
def test_flips(photo, flip, axis):
    pixels, image = photo
    x = pixels.transpose(2, 0, 1)
    np.testing.assert_array_equal(flip(p=1.0)(x), np.flip(x, axis))
    np.testing.assert_array_equal(flip(p=0.0)(x), x)
    np.testing.assert_array_equal(T.ToArray()(flip(p=1.0)(image)), np.flip(x, axis))
    assert flip(p=0.0)(image) is image
    flipped = sum(not np.array_equal(flip()(x), x) for _ in range(200))
    assert 60 < flipped < 140


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 3), st.integers(0, 10_000))
def test_random_crop_is_a_part_of_the_padded_array(width, height, pad, seed):
    np.random.seed(seed)
    if width > 4 + 2 * pad or height > 5 + 2 * pad:
        return
    got = T.RandomCrop((width, height), pad=pad, fill=-1)(IMAGE)
    assert got.shape == (2, height, width)
    whole = np.pad(IMAGE, [(0, 0), (pad, pad), (pad, pad)], constant_values=-1)
    windows = np.lib.stride_tricks.sliding_window_view(whole, (height, width), (1, 2))
    assert (windows == got[:, None, None]).all(axis=(0, 3, 4)).any()


def test_random_crop_reaches_every_place():
    places = {int(T.RandomCrop(2)(IMAGE)[0, 0, 0]) for _ in range(400)}
    assert places == {4 * row + column for row in range(4) for column in range(3)}


@pytest.mark.parametrize("shape", [(1, 7, 7), (3, 6, 9), (5, 4)])
@pytest.mark.parametrize("degrees", [0.0, 17.0, 90.0, -45.0, 180.0, 263.0])
def test_rotation_against_scipy(shape, degrees):
    ndimage = pytest.importorskip("scipy.ndimage", reason="compared with SciPy where it is installed")
    x = np.random.default_rng(1).standard_normal(shape)
    got = T.RandomRotation((degrees, degrees), fill=0.5)(x)
    want = ndimage.rotate(x, degrees, axes=(-1, -2), reshape=False, order=1, cval=0.5)
    edge = np.isclose(want, 0.5, atol=1e-12) | (got == 0.5)  # on the rim one rounding decides
    np.testing.assert_allclose(got[~edge], want[~edge], atol=1e-9)
    assert edge.mean() < 0.75
    assert ((got == 0.5) != np.isclose(want, 0.5)).mean() < 0.1


def test_rotation_turns_counter_clockwise_and_keeps_the_dtype():
    x = np.array([[[1, 2], [3, 4]]], np.uint8)
    got = T.RandomRotation((90, 90))(x)
    np.testing.assert_array_equal(got, np.rot90(x, axes=(1, 2)))
    assert got.dtype == np.uint8
    assert T.RandomRotation(30)(IMAGE).dtype == np.float32
    angles = T.RandomRotation(5).degrees
    assert angles == (-5.0, 5.0)


def test_cutout():
    x = np.ones((3, 20, 20), np.float32)
    for _ in range(50):
        got = T.Cutout(6, fill=-1)(x)
        hole = got[0] == -1
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert max(np.ptp(rows), np.ptp(columns)) <= 5
        assert 9 <= hole.sum() <= 36
        np.testing.assert_array_equal(got, np.broadcast_to(got[0], got.shape))
    np.testing.assert_array_equal(x, 1)
    assert T.Cutout(6, p=0.0)(x) is x


def test_seeds_repeat_what_is_drawn():
    f = T.Compose([T.RandomCrop(3, pad=1), T.RandomHorizontalFlip(), T.RandomRotation(20), T.Cutout(2)])

    def drawn():
        return np.stack([f(IMAGE) for _ in range(5)])

    np.random.seed(3)
    first = drawn()
    np.random.seed(3)
    np.testing.assert_array_equal(drawn(), first)
    try:
        tg.seed(3)
        second = drawn()
        tg.seed(3)
        np.testing.assert_array_equal(drawn(), second)
    finally:
        tg.seed(None)
    assert len(pickle.loads(pickle.dumps(f)).transforms) == 4


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "expected"),
    [
        (
            lambda: T.Resize(2)(IMAGE),
            TypeError,
            "Resize: expected a PIL image; got ndarray. ToPIL makes one of an array (C, H, W).",
        ),
        (
            lambda: T.ToArray()([1]),
            TypeError,
            "ToArray: expected a PIL image or a NumPy array; got list",
        ),
        (
            lambda: T.Cutout(2)(np.ones(3)),
            TypeError,
            (
                "Cutout: expected a NumPy array of shape (..., H, W); got shape (3,). "
                "ToArray makes one of an image."
            ),
        ),
        (
            lambda: T.ToPIL()(IMAGE),
            ValueError,
            "ToPIL: expected shape (C, H, W) with 1, 3 or 4 channels; got (2, 5, 4)",
        ),
        (
            lambda: T.CenterCrop(5)(IMAGE),
            ValueError,
            "CenterCrop: expected an array of at least 5 x 5; got 5 x 4",
        ),
        (
            lambda: T.RandomCrop(9, pad=2)(IMAGE),
            ValueError,
            "RandomCrop: expected an array of at least 9 x 9; got 9 x 8, the padding included",
        ),
        (lambda: T.Resize(0), ValueError, "Resize: expected positive sizes; got 0"),
        (lambda: T.Cutout(0), ValueError, "Cutout: expected a positive size; got 0"),
        (
            lambda: T.RandomRotation((3, 1)),
            ValueError,
            "RandomRotation: expected a range of degrees from low to high; got (3, 1)",
        ),
    ],
)
def test_errors(call, kind, expected):
    with pytest.raises(kind, match=message(expected)):
        call()


def test_without_pillow_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    expected = "^ToPIL needs Pillow, which is not installed .*Install it: python -m pip install pillow$"
    with pytest.raises(ImportError, match=expected):
        T.ToPIL()(np.zeros((1, 2, 2)))
