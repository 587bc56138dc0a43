"""Values that go from one array library to another: the same afterwards, in memory of their own."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backend import BackendUnavailableError, get_backend
from tensorgrad.core.variable import transfer
from under_test import BACKENDS

DTYPES = ["float32", "float64", "complex128", "int64", "bool"]


@pytest.fixture(scope="module", params=BACKENDS)
def other(request):
    """A second backend, each in turn."""
    return get_backend(request.param)


def sample(dtype):
    return np.array([[0.0, 1.5, -2.0], [3.0, 0.0, 1.0]]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_dtype_stay(backend, other, dtype):
    there = transfer(backend.from_numpy(sample(dtype)), other)
    assert isinstance(there, other.array_types)
    back = other.to_numpy(there)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, sample(dtype))


@pytest.mark.parametrize("target", ["numpy", *BACKENDS])
def test_nothing_is_shared(backend, target):
    target = get_backend(target)
    x = backend.from_numpy(np.zeros(3))
    y = transfer(x, target)
    if target is backend:
        assert y is x
        return
    if target.writable:
        y[:] += target.from_numpy(np.ones(3))
        np.testing.assert_array_equal(target.to_numpy(y), np.ones(3))
        np.testing.assert_array_equal(backend.to_numpy(x), np.zeros(3))
    if backend.writable:
        z = transfer(x, target)
        x[:] += backend.from_numpy(np.full(3, 2.0))
        np.testing.assert_array_equal(target.to_numpy(z), np.zeros(3))


def test_to_cpu_moves_a_leaf_in_place_with_its_gradient(backend):
    x = tg.Variable(backend.from_numpy(np.array([1.0, -2.0])), name="x")
    (x * x).sum().backward()
    assert x.to_cpu() is x
    assert type(x.data) is np.ndarray
    assert type(x.grad.data) is np.ndarray
    np.testing.assert_array_equal(x.data, [1.0, -2.0])
    np.testing.assert_array_equal(x.grad.data, [2.0, -4.0])
    assert (x.name, x.requires_grad) == ("x", True)

    x.cleargrad()
    (3.0 * x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [3.0, 3.0])


def test_an_earlier_graph_does_not_see_the_move(backend):
    x = tg.Variable(backend.from_numpy(np.array([1.0, -2.0])))
    y = (x * x).sum()
    x.to_cpu()
    y.backward()
    if backend.name == "numpy":
        np.testing.assert_array_equal(x.grad.data, [2.0, -4.0])
    else:
        assert x.grad is None


def test_to_cpu_of_what_was_computed(backend):
    if backend.name == "numpy":
        pytest.skip("it is there already")
    x = tg.Variable(backend.from_numpy(np.array([1.0, -2.0])))
    with pytest.raises(RuntimeError, match=r"^to_cpu moves a leaf in place; .* Use v\.to\('numpy'\)"):
        (x * x).to_cpu()


def test_a_variable_without_data_stays_as_it_is():
    v = tg.Variable(None)
    assert v.to_cpu() is v
    assert v.data is None


def test_to_is_part_of_the_graph(backend, other):
    x = tg.Variable(backend.from_numpy(np.array([1.0, -2.0, 0.5])))
    y = (x * x).to(other.name)
    assert y.backend is other
    (y * y).sum().backward(create_graph=True)
    first = x.grad
    assert first.backend is backend
    np.testing.assert_allclose(backend.to_numpy(first.data), [4.0, -32.0, 0.5])
    x.cleargrad()
    first.sum().backward()
    assert x.grad.backend is backend
    np.testing.assert_allclose(backend.to_numpy(x.grad.data), [12.0, 48.0, 3.0])


def test_libraries_do_not_mix(backend, other):
    if backend is other:
        pytest.skip("one library")
    x = tg.Variable(backend.from_numpy(np.zeros((2, 3))))
    y = other.from_numpy(np.zeros(3))
    with pytest.raises(
        TypeError,
        match=rf"^Add: expected inputs of one array library; got {backend.name} \(2, 3\) and "
        rf"{other.name} \(3,\)\. Nothing is moved silently",
    ):
        x + y


def test_numpy_scalars_go_along_with_every_library(backend):
    x = tg.Variable(backend.from_numpy(np.ones(2, dtype=np.float32)))
    axisless = () if backend.name == "numpy" else (np.asarray(2.0),)  # to NumPy these are arrays
    for scalar in (np.float64(2.0), 2.0, 2, *axisless):
        y = x * scalar
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(backend.to_numpy(y.data), [2.0, 2.0])


def test_an_unknown_target(backend):
    x = tg.Variable(backend.from_numpy(np.zeros(2)))
    with pytest.raises(LookupError, match=r"^no backend is named 'nowhere'; there are: numpy, "):
        x.to("nowhere")


@pytest.mark.parametrize("device", ["nowhere", "cuda:77"])
def test_a_device_that_is_not_there(backend, device):
    x = tg.Variable(backend.from_numpy(np.ones(2)))
    for move in (
        lambda: x.to(backend.name, device=device),
        lambda: tg.Variable(np.ones(2)).to(backend, device),
    ):
        with pytest.raises(ValueError, match=rf"device .*'{device}'") as e:
            move()
        if backend.name in ("torch", "jax", "dpnp") or (backend.name == "cupy" and device != "nowhere"):
            there = ", ".join(backend.devices())
            assert str(e.value) == (
                f"{backend.name}: expected a device that is here ({there}); got {device!r}"
            )


@pytest.mark.skipif(tg.cuda.is_available(), reason="there is a GPU")
def test_to_gpu_without_one(backend):
    x = tg.Variable(backend.from_numpy(np.zeros(2)))
    for move in (x.to_gpu, lambda: x.to("cupy")):
        with pytest.raises(BackendUnavailableError, match=r"^backend 'cupy': CuPy"):
            move()
    assert x.backend is backend


def test_what_is_no_array_is_not_transferred(backend):
    with pytest.raises(TypeError, match=r"^expected an array to transfer; got float$"):
        transfer(1.0, backend)
