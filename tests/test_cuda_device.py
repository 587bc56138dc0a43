"""The CuPy backend on a GPU: what the double cannot show."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import cuda
from tensorgrad.backend import get_backend

pytestmark = pytest.mark.gpu


def test_there_and_back_on_the_gpu():
    v = tg.Variable(np.array([1.0, -2.0]), name="v")
    (v * v).sum().backward()
    assert v.to_gpu() is v
    assert cuda.get_array_module(v) is cuda.cupy
    assert v.grad.backend.name == "cupy"
    v.cleargrad()
    (v * v).sum().backward()
    assert v.to_cpu().data.tolist() == [1.0, -2.0]
    assert v.grad.data.tolist() == [2.0, -4.0]


def test_nested_on_the_gpu():
    moved = cuda.to_gpu({"x": [np.zeros(2), 1]})
    assert isinstance(moved["x"][0], cuda.cupy.ndarray)
    assert cuda.to_cpu(moved)["x"][0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i4", "i8"])
def test_scatter_add_on_the_gpu(dtype):
    backend = get_backend("cupy")
    rng = np.random.default_rng(0)
    rows = rng.integers(-4, 4, 20)
    base = rng.integers(0, 9, (4, 3)).astype(dtype)
    values = rng.integers(0, 9, (20, 3)).astype(dtype)  # sums of small integers are exact
    got = backend.scatter_add(*map(backend.from_numpy, (base, rows, values)))
    np.add.at(base, rows, values)
    np.testing.assert_array_equal(backend.to_numpy(got), base)


def test_random_numbers_on_the_gpu():
    backend = get_backend("cupy")
    for dtype in (np.float16, np.float32, np.float64):
        backend.seed(3)
        one = backend.to_numpy(backend.uniform((100, 100), dtype))
        backend.seed(3)
        np.testing.assert_array_equal(one, backend.to_numpy(backend.uniform((100, 100), dtype)))
        assert 0 <= one.min() < one.max() < 1
        assert backend.normal((), dtype).dtype == dtype


def test_devices_and_memory_on_the_gpu():
    before = cuda.memory_info()
    with cuda.Device(0) as device:
        held = cuda.cupy.zeros(2**20, dtype=np.uint8)
    cuda.synchronize()
    after = cuda.memory_info()
    assert device.id == 0
    assert after["used"] - before["used"] == held.nbytes
    assert after["held"] >= after["used"]
    assert 0 < after["free"] <= after["total"]
    assert get_backend("cupy").devices()[0].startswith("cuda:0 (")


def test_the_peak_of_memory_on_the_gpu():
    with cuda.memory_peak() as memory:
        before = memory["peak"]
        held = cuda.cupy.zeros(2**20, dtype=np.uint8)
        del held
        cuda.cupy.zeros(2**10, dtype=np.uint8)
    assert memory["peak"] - before == 2**20


def test_streams_on_the_gpu():
    begin, end, stream = cuda.Event(), cuda.Event(), cuda.Stream()
    begin.record()
    made = cuda.cupy.ones(1000)
    end.record()
    with stream:
        stream.wait(end)
        total = made.sum()
        stream.synchronize()
    assert int(total) == 1000
    assert begin.milliseconds(end) >= 0


def test_batches_are_copied_ahead_on_the_gpu():
    """Each is whole where it is used, though memory of earlier ones is used again."""
    data = [(np.full(1 << 16, i, np.float32), i) for i in range(64)]
    loader = tg.DataLoader(data, 4, shuffle=False, workers=1, gpu=True)
    sums = [(x * 2).sum() for x, _ in loader]
    want = [sum(2 * i << 16 for i in range(k, k + 4)) for k in range(0, 64, 4)]
    np.testing.assert_allclose([float(s) for s in sums], want)


def test_tf32_on_the_gpu():
    a = cuda.as_cupy(np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32))
    exact = cuda.as_numpy(a).astype(np.float64)
    exact = exact @ exact
    try:
        for allowed, tolerance in ((True, 2e-1), (False, 1e-3)):
            cuda.allow_tf32(allowed)
            np.testing.assert_allclose(cuda.as_numpy(a @ a), exact, atol=tolerance)
    finally:
        cuda.allow_tf32(False)
