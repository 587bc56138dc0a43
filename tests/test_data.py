"""Data sets and data loaders: what is in them, and the order in which it comes."""

# ruff: noqa: NPY002  (orders are drawn from the state that users of the book seed)
from __future__ import annotations

import hashlib
import math
import pickle
import re
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import DataLoader, Dataset, SeqDataLoader, cuda
from tensorgrad.backend import BackendUnavailableError, backend_of
from tensorgrad.datasets import Digits, Spiral, get_spiral
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- Dataset -------------------------------------------------------------------------------------


class Count(Dataset):
    def prepare(self):
        self.data = np.arange(5) if self.train else np.arange(5, 7)
        self.label = -self.data


def double(x):
    return 2 * x


def test_examples_and_labels():
    assert list(Count()) == [(0, 0), (1, -1), (2, -2), (3, -3), (4, -4)]
    assert list(Count(train=False)) == [(5, -5), (6, -6)]
    assert (len(Count()), len(Count(False))) == (5, 2)
    with pytest.raises(IndexError):
        Count()[5]


def test_transforms():
    both = Count(transform=double, target_transform=abs)
    assert both[3] == (6, 3)
    assert Count(True, double)[3] == (6, -3)
    assert Count(target_transform=abs)[3] == (3, 3)
    assert pickle.loads(pickle.dumps(both))[3] == (6, 3)


def test_a_data_set_without_labels():
    class Unlabelled(Dataset):
        def prepare(self):
            self.data = [1.0, 2.0]

    def never(t):
        raise AssertionError

    data = Unlabelled(target_transform=never)
    assert data[1] == (2.0, None)
    (batch,) = DataLoader(data, 2, shuffle=False)
    np.testing.assert_array_equal(batch[0], [1.0, 2.0])
    assert batch[1] is None


def test_a_data_set_without_data_says_so():
    expected = (
        "Dataset has no data: set self.data (and self.label) in prepare(), or define __getitem__ and __len__"
    )
    with pytest.raises(TypeError, match=message(expected)):
        len(Dataset())


# -- the digits ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled():
    with np.load(Path(tg.__file__).parent / "data" / "digits.npz", allow_pickle=False) as archive:
        return archive["images"], archive["labels"]


def test_the_bundled_file_is_the_one_that_its_licence_speaks_of(bundled):
    images, labels = bundled
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    licence = (Path(tg.__file__).parent / "data" / "digits.LICENSE.md").read_text("utf-8")
    assert digest in licence
    assert (images.shape, images.dtype) == ((1797, 8, 8), np.uint8)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_parts_of_the_digits(bundled):
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1438, 359)
    for part in (train, test):
        assert part.data.dtype == np.float32
        assert part.label.dtype == np.int64
        assert (part.data.min(), part.data.max()) == (0, 1)
    together = np.concatenate([train.data, test.data])
    whole = bundled[0].reshape(-1, 64) / np.float32(16)
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(whole, axis=0))
    assert len(together) == len(whole)


def test_a_fifth_of_each_digit_is_held_out(bundled):
    test = Digits(train=False)
    for digit in range(10):
        images = bundled[0][bundled[1] == digit].reshape(-1, 64) / np.float32(16)
        held_out = test.data[test.label == digit]
        np.testing.assert_array_equal(held_out, images[2::5])
        assert abs(len(held_out) - len(images) / 5) < 1


def test_the_shape_of_a_digit():
    x, t = Digits()[0]
    assert (x.shape, int(t)) == ((64,), 0)
    image, _ = Digits(flatten=False)[0]
    assert image.shape == (1, 8, 8)
    np.testing.assert_array_equal(image.ravel(), x)
    np.testing.assert_array_equal(Digits(transform=double)[0][0], 2 * x)


# -- the spiral ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("train", "seed"), [(True, 1984), (False, 2020)])
def test_the_spiral_is_the_book_s(train, seed):
    state = np.random.RandomState(seed)
    points, labels = [], []
    for arm in range(3):
        for i in range(100):
            radius = i / 100
            angle = 4.0 * arm + 4.0 * radius + 0.2 * state.randn()
            points.append((radius * math.sin(angle), radius * math.cos(angle)))
            labels.append(arm)
    order = state.permutation(300)
    x, t = get_spiral(train)
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((300, 2), np.float32, (300,), np.int64)
    np.testing.assert_allclose(x, np.array(points)[order], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(t, np.array(labels)[order])
    assert np.random.rand() == state.rand()  # what comes after it is fixed too
    data = Spiral(train)
    np.testing.assert_array_equal(data.data, x)
    np.testing.assert_array_equal(data.label, t)


# -- DataLoader ----------------------------------------------------------------------------------


def seen(loader):
    return [x.tolist() for x, _ in loader]


def test_batches_in_order():
    loader = DataLoader(Count(), 2, shuffle=False)
    batches = list(loader)
    assert [x.tolist() for x, _ in batches] == [[0, 1], [2, 3], [4]]
    assert [t.tolist() for _, t in batches] == [[0, -1], [-2, -3], [-4]]
    assert all(type(a) is np.ndarray for batch in batches for a in batch)
    assert loader.max_iter == len(loader) == 3
    assert seen(loader) == seen(loader)


def test_a_dtype_is_kept():
    x, t = next(DataLoader(Digits(), 7))
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((7, 64), np.float32, (7,), np.int64)


@given(st.integers(1, 20), st.integers(1, 25))
def test_an_epoch_has_every_example_once(size, batch_size):
    loader = DataLoader([(i, i) for i in range(size)], batch_size)
    for _ in range(2):
        batches = seen(loader)
        assert [len(b) for b in batches[:-1]] == [batch_size] * (len(batches) - 1)
        assert sorted(chain.from_iterable(batches)) == list(range(size))


def test_an_empty_data_set_has_no_batches():
    assert seen(DataLoader([], 3)) == []


def test_the_order_is_drawn_as_in_the_book():
    np.random.seed(3)
    loader = DataLoader(Count(), 5)
    orders = [seen(loader)[0] for _ in range(3)]
    np.random.seed(3)
    assert orders == [np.random.permutation(5).tolist() for _ in range(3)]
    assert np.random.permutation(5).tolist() == loader.index.tolist()


def test_an_abandoned_epoch_starts_anew():
    loader = DataLoader(Count(), 2, shuffle=False)
    for x, _ in loader:
        assert x.tolist() == [0, 1]
        break
    assert seen(loader) == [[0, 1], [2, 3], [4]]
    shuffled = DataLoader(Count(), 2)
    for _ in shuffled:
        break
    assert sorted(chain.from_iterable(seen(shuffled))) == [0, 1, 2, 3, 4]


def test_next_and_reset():
    loader = DataLoader(Count(), 3, shuffle=False)
    assert loader.next()[0].tolist() == [0, 1, 2]
    loader.reset()
    assert next(loader)[0].tolist() == [0, 1, 2]
    assert loader.next()[0].tolist() == [3, 4]
    with pytest.raises(StopIteration):
        loader.next()
    assert loader.next()[0].tolist() == [0, 1, 2]  # the next epoch has begun


@pytest.mark.parametrize("kind", [DataLoader, SeqDataLoader])
@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_nothing_is_refused(kind, batch_size):
    expected = f"{kind.__name__}: expected batch_size >= 1; got {batch_size}"
    with pytest.raises(ValueError, match=message(expected)):
        kind(Count(), batch_size)


@pytest.mark.parametrize("kind", [DataLoader, SeqDataLoader])
def test_batches_of_another_library(backend, kind):
    moved = kind(Count(), 5)
    assert moved.to(backend) is moved
    for loader in (moved, kind(Count(), 5, device=backend.name)):
        x, t = next(loader)
        assert backend_of(x) is backend_of(t) is backend
        assert sorted(to_numpy(x).tolist()) == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(to_numpy(t), -to_numpy(x))
    assert loader.to_cpu() is loader
    assert {type(array) for batch in loader for array in batch} == {np.ndarray}
    assert not loader.gpu


def test_a_device_by_its_name():
    loader = DataLoader(Count(), 2, device="numpy:cpu")
    assert (loader._backend.name, loader._device) == ("numpy", "cpu")
    assert type(next(loader)[0]) is np.ndarray
    expected = "DataLoader: expected gpu=True or a device, not both; got device='numpy'"
    with pytest.raises(ValueError, match=message(expected)):
        DataLoader(Count(), 2, gpu=True, device="numpy")
    with pytest.raises(LookupError, match="no backend is named 'gpu'"):
        DataLoader(Count(), 2, device="gpu")


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("kind", [DataLoader, SeqDataLoader])
def test_batches_on_a_missing_gpu(kind):
    for attempt in (lambda: kind(Count(), 2, gpu=True), lambda: kind(Count(), 2).to_gpu()):
        with pytest.raises(BackendUnavailableError, match=re.escape(cuda.why_unavailable())):
            attempt()


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [DataLoader, SeqDataLoader])
def test_batches_on_the_gpu(kind):
    for loader in (kind(Count(), 2, gpu=True), kind(Count(), 2).to_gpu()):
        assert loader.gpu
        assert {backend_of(a).name for batch in loader for a in batch} == {"cupy"}
        assert not loader.to_cpu().gpu


# -- SeqDataLoader -------------------------------------------------------------------------------


def test_rows_are_sequences():
    assert seen(SeqDataLoader([(i, 0) for i in range(6)], 2)) == [[0, 3], [1, 4], [2, 5]]
    assert seen(SeqDataLoader([(i, 0) for i in range(7)], 2)) == [[0, 3], [1, 4], [2, 5], [3, 6]]
    assert seen(SeqDataLoader([(i, 0) for i in range(8)], 3)) == [[0, 2, 4], [1, 3, 5], [2, 4, 6]]
    assert seen(SeqDataLoader([(i, 0) for i in range(5)], 4)) == [[0, 1, 2, 3], [1, 2, 3, 4]]


def test_the_last_row_starts_over():
    # Stretches of 2 cover 8 of 11 examples in 3 batches; 11 / 4 batches take one more step.
    rows = np.array(seen(SeqDataLoader([(i, 0) for i in range(11)], 5)))
    np.testing.assert_array_equal(rows, [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9], [2, 4, 6, 8, 10]])


@given(st.integers(1, 20), st.integers(1, 25))
def test_successive_batches_go_on_where_the_last_one_was(size, batch_size):
    loader = SeqDataLoader([(i, i + 1) for i in range(size)], batch_size)
    batches = list(loader)
    assert len(batches) == math.ceil(size / batch_size)
    for (_, t), (x, _) in pairwise(batches):
        np.testing.assert_array_equal(t % size, x)
    assert seen(loader) == [x.tolist() for x, _ in batches]


def test_sequences_start_anew_too():
    loader = SeqDataLoader(Count(), 2)
    next(loader)
    assert seen(loader) == [[0, 2], [1, 3], [2, 4]]
