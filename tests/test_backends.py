"""The contract of a backend, on every backend; and the registry that finds it."""

from __future__ import annotations

import math
import subprocess
import sys
from importlib.metadata import EntryPoint
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import backend as contract
from tensorgrad import functions as F
from tensorgrad.backend import (
    Backend,
    BackendUnavailableError,
    backend_of,
    get_backend,
    importing,
    is_array,
    is_basic,
)
from under_test import BACKENDS

DTYPES = ["float32", "float64", "complex64", "complex128", "int32", "int64", "uint8", "bool"]


def only(name: str) -> pytest.MarkDecorator:
    """For a test of one backend: it runs where that backend is under test."""
    return pytest.mark.skipif(name not in BACKENDS, reason=f"{name} is not under test")


def numbers(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal(shape) * 3
    return np.asarray((drawn + 1j * drawn[..., ::-1]) if "complex" in dtype else drawn).astype(dtype)


# -- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_there_and_back(backend, shape, dtype):
    if shape == () and "complex" in dtype:
        array = np.asarray(1 + 2j, dtype=dtype)
    else:
        array = numbers(shape, dtype)
    there = backend.from_numpy(array)
    assert isinstance(there, backend.array_types)
    assert backend_of(there) is backend
    assert tuple(there.shape) == shape
    back = backend.to_numpy(there)
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape) == (array.dtype, shape)
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(3.0)[::-1],
        np.broadcast_to(np.float64(2.0), (2, 3)),
        np.arange(3).astype(">i4"),
    ],
    ids=["transposed", "reversed", "broadcast", "big-endian"],
)
def test_from_numpy_takes_every_layout(backend, array):
    np.testing.assert_array_equal(backend.to_numpy(backend.from_numpy(array)), array)


def test_from_numpy_copies(backend):
    array = np.zeros(3)
    there = backend.from_numpy(array)
    array += 1.0
    np.testing.assert_array_equal(backend.to_numpy(there), np.zeros(3))


def test_copy_has_its_own_memory(backend):
    x = backend.from_numpy(np.zeros(3))
    y = backend.copy(x)
    assert isinstance(y, backend.array_types)
    if backend.writable:
        y[:] += backend.from_numpy(np.ones(3))
        np.testing.assert_array_equal(backend.to_numpy(x), np.zeros(3))
    spread = backend.copy(backend.xp.broadcast_to(backend.from_numpy(np.zeros(())), (2, 2)))
    np.testing.assert_array_equal(backend.to_numpy(spread), np.zeros((2, 2)))


@pytest.mark.parametrize("value", [2.5, 3, True, np.float32(1.5), np.float64(2.0)])
def test_as_array_of_a_number(backend, value):
    array = backend.as_array(value)
    assert isinstance(array, backend.array_types)
    assert tuple(array.shape) == ()
    assert backend.to_numpy(array) == value
    if isinstance(value, np.generic):
        assert backend.to_numpy(array).dtype == value.dtype


def test_as_array_of_an_array(backend):
    x = backend.from_numpy(np.zeros(2))
    assert backend.as_array(x) is x


def test_kinds_of_dtypes(backend):
    xp = backend.xp
    assert backend.is_floating(xp.float32)
    assert backend.is_floating(xp.complex64)
    assert not backend.is_floating(xp.int64)
    assert not backend.is_floating(xp.bool)
    assert backend.is_complex(xp.complex128)
    assert not backend.is_complex(xp.float64)


def test_ones_like(backend):
    x = backend.from_numpy(np.zeros((2, 3), dtype=np.float32))
    ones = backend.ones_like(x)
    assert ones.dtype == x.dtype
    assert backend.device(ones) == backend.device(x)
    np.testing.assert_array_equal(backend.to_numpy(ones), np.ones((2, 3)))


def test_to_the_device_where_it_is(backend):
    x = backend.from_numpy(np.arange(3.0))
    y = backend.to_device(x, backend.device(x))
    assert backend.device(y) == backend.device(x)
    np.testing.assert_array_equal(backend.to_numpy(y), np.arange(3.0))


def test_what_people_read(backend):
    assert repr(backend) == f"<backend {backend.name}>"
    assert backend.version[0].isdigit()
    assert backend.devices()
    assert all(isinstance(device, str) for device in backend.devices())
    assert backend.module is sys.modules[backend.module.__name__]


def test_memory_and_synchronisation(backend):
    backend.synchronize()
    info = backend.memory_info()
    assert set(info) <= {"used", "held", "free", "total"}
    assert all(isinstance(n, int) and n >= 0 for n in info.values())


def test_special_functions(backend):
    assert backend.special("no_such_function") is None
    erf = backend.special("erf")
    if erf is not None:
        y = erf(backend.from_numpy(np.array([0.5])))
        assert isinstance(y, backend.array_types)
        assert backend.to_numpy(y)[0] == pytest.approx(math.erf(0.5), rel=1e-12)


# -- random numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (50, 80)])
def test_random_numbers(backend, shape, dtype):
    kind = getattr(backend.xp, dtype)
    device = backend.device(backend.from_numpy(np.zeros(1)))
    for draw in (backend.uniform, backend.normal):
        backend.seed(7)
        one, two = draw(shape, kind), draw(shape, kind, device)
        backend.seed(7)
        again = draw(shape, kind)
        for x in (one, two, again):
            assert isinstance(x, backend.array_types)
            assert (tuple(x.shape), x.dtype) == (shape, kind)
        np.testing.assert_array_equal(backend.to_numpy(one), backend.to_numpy(again))
        if 0 not in shape:
            assert (backend.to_numpy(one) != backend.to_numpy(two)).any()


def test_the_moments_of_random_numbers(backend):
    backend.seed(0)
    u = backend.to_numpy(backend.uniform((200, 200), backend.xp.float64))
    assert 0 <= u.min() < u.max() < 1
    assert u.mean() == pytest.approx(1 / 2, abs=0.01)
    assert u.var() == pytest.approx(1 / 12, abs=0.002)
    n = backend.to_numpy(backend.normal((200, 200), backend.xp.float64))
    assert n.mean() == pytest.approx(0, abs=0.02)
    assert n.var() == pytest.approx(1, abs=0.03)


def test_uniform_stays_below_one_in_float32(backend, monkeypatch):
    largest = 1 - 2**-53  # 1.0 when it is rounded to float32
    monkeypatch.setattr(np.random, "random_sample", lambda shape: np.full(shape, largest))
    assert backend.to_numpy(Backend.uniform(backend, (3,), backend.xp.float32)).max() < 1


# -- elements ------------------------------------------------------------------------------------

rows = np.array([0, 2, 2, -1])
INDICES = {
    "int": ((3, 4), (1, ...)),
    "ints": ((3, 4), (1, -1)),
    "slices": ((3, 4), (slice(1, None), slice(None, None, 2))),
    "reversed": ((3, 4), (slice(None, None, -1), slice(2, 0, -1))),
    "reversed to nothing": ((3, 4), (slice(0, 2, -1), ...)),
    "new axis": ((3, 4), (None, slice(None), 0)),
    "ellipsis": ((3, 4), (..., 0)),
    "rows": ((4,), rows),
    "pairs": ((4, 3), (rows, np.array([1, 0, 0, 2]))),
    "grid": ((4, 3), (np.array([[0], [3]]), np.array([1, 1]))),
    "one": ((4, 3), (np.array(2), np.array(0))),
    "none": ((4,), np.zeros(0, dtype=np.int64)),
    "mask": ((3, 4), np.arange(12).reshape(3, 4) % 3 == 0),
    "mask of nothing": ((3,), np.zeros(3, dtype=bool)),
}
# What the standard leaves open.
OPEN = {
    "rows of a matrix": ((4, 3), (rows, ...)),
    "whole rows": ((4, 3), rows),
    "columns": ((3, 4), (slice(None), rows)),
    "columns from behind": ((3, 4), (slice(None, None, -1), rows)),
    "rows from behind": ((4, 3), (rows, slice(None, None, -1))),
    "last axis": ((2, 3, 4), (..., rows)),
    "apart": ((4, 2, 3), (rows, slice(None), np.array([1, 1, 2, 1]))),
    "mask of rows": ((3, 4), (np.array([True, False, True]), slice(1, None))),
    "mask after the rest": ((2, 3), (None, slice(None, None, -1), np.array([True, False, True]))),
    "empty rows": ((0, 3), np.zeros(0, dtype=np.int64)),
    "rows of nothing": ((4, 0), rows),
    "0-d": ((), ()),
}
REFUSED = {"array_api_strict": OPEN.keys() - {"0-d"}, "dpnp": {"apart"}}


def of(backend, index):
    if isinstance(index, tuple):
        return tuple(of(backend, item) for item in index)
    return backend.from_numpy(index) if isinstance(index, np.ndarray) else index


def check_elements(backend, scatter_add, shape, index, dtype):
    base = numbers(shape, dtype) if shape else np.asarray(1.5).astype(dtype)
    there = backend.from_numpy(base)
    picked = backend.getitem(there, of(backend, index))
    assert isinstance(picked, backend.array_types)
    np.testing.assert_array_equal(backend.to_numpy(picked), base[index])

    values = numbers(base[index].shape or (1,), dtype, seed=1).reshape(base[index].shape)
    want = base.copy()
    np.add.at(want, index, values)
    got = scatter_add(there, of(backend, index), backend.from_numpy(values))
    assert isinstance(got, backend.array_types)
    assert got.dtype == picked.dtype
    np.testing.assert_allclose(backend.to_numpy(got), want, rtol=1e-5 if "32" in dtype else 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex128"])
@pytest.mark.parametrize("case", INDICES)
def test_elements(backend, case, dtype):
    shape, index = INDICES[case]
    check_elements(backend, backend.scatter_add, shape, index, dtype)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("case", OPEN)
def test_elements_that_the_standard_leaves_open(backend, case, dtype):
    shape, index = OPEN[case]
    if case in REFUSED.get(backend.name, ()):
        with pytest.raises(IndexError):
            backend.getitem(backend.from_numpy(numbers(shape)), of(backend, index))
        return
    check_elements(backend, backend.scatter_add, shape, index, dtype)


def test_distinct_elements_are_added_to(backend):
    base, values = numbers((3, 4), "float32"), numbers((3,), "float32", seed=1)
    rows, columns = np.arange(3), np.asarray([2, 0, 2])
    want = base.copy()
    want[rows, columns] += values
    index = of(backend, (rows, columns))
    got = backend.add_distinct(backend.from_numpy(base), index, backend.from_numpy(values))
    assert isinstance(got, backend.array_types)
    np.testing.assert_array_equal(backend.to_numpy(got), want)


@pytest.mark.parametrize("shape", [(), (3, 4), (1000, 300)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaled_values_are_added(backend, shape, dtype):
    base, values = np.asarray(numbers(shape, dtype)), np.asarray(numbers(shape, dtype, seed=1))
    there = backend.from_numpy(base)
    got = backend.add_scaled(there, backend.from_numpy(values), -0.5)
    assert isinstance(got, backend.array_types)
    got = backend.to_numpy(got)
    assert got.dtype == base.dtype
    np.testing.assert_array_equal(got, base - values / 2)


def test_scaled_values_are_added_in_place_on_numpy_in_any_layout():
    backend = get_backend("numpy")
    base, values = numbers((700, 500), "float32"), numbers((500, 700), "float32", seed=1).T
    want = base + 2 * values
    got = backend.add_scaled(base, values, 2.0)
    assert got is base
    np.testing.assert_array_equal(got, want)


def skip_default_formula(backend, dtype="float32"):
    if backend.name == "dask":
        pytest.skip("Dask always adds in a task of its own")
    if backend.name == "jax" and dtype != "float64":
        pytest.skip("JAX compiles each of the steps: one dtype shows enough")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex128"])
@pytest.mark.parametrize("case", INDICES)
def test_elements_by_the_default_formula(backend, case, dtype):
    shape, index = INDICES[case]
    skip_default_formula(backend, dtype)
    if backend.name == "torch" and "reversed" in case:
        pytest.skip("PyTorch has no negative steps: its backend handles them itself")
    if not backend.writable and is_basic(index):
        pytest.skip("left to the library: an array that cannot be written has its own way")

    def default(base, index, values):
        return Backend.scatter_add(backend, base, index, values)

    check_elements(backend, default, shape, index, dtype)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_scatter_add_of_any_integers(backend, data):
    """With many repetitions, by the backend's own way and by the default formula."""
    lead = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=2), label="indexed axes")
    rest = data.draw(st.lists(st.integers(0, 3), max_size=2), label="other axes")
    picked = tuple(data.draw(st.lists(st.integers(0, 4), max_size=2), label="shape of the index"))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    arrays = tuple(rng.integers(-n, n, picked) for n in lead)
    values = rng.standard_normal((*picked, *rest))
    want = np.zeros((*lead, *rest))
    np.add.at(want, arrays, values)
    index = of(backend, arrays)
    ways = [backend.scatter_add]
    if backend.name not in ("dask", "jax"):
        ways.append(lambda *args: Backend.scatter_add(backend, *args))
    for scatter_add in ways:
        base = backend.from_numpy(np.zeros((*lead, *rest)))
        got = scatter_add(base, index, backend.from_numpy(values))
        np.testing.assert_allclose(backend.to_numpy(got), want, rtol=1e-12, atol=1e-12)


def test_values_are_broadcast(backend):
    index = backend.from_numpy(np.array([0, 2, 2]))
    for values in (np.asarray(1.5), np.array([1.5])):
        got = backend.scatter_add(backend.from_numpy(np.zeros(3)), index, backend.from_numpy(values))
        np.testing.assert_array_equal(backend.to_numpy(got), [1.5, 0.0, 3.0])


def test_the_default_formula_rounds_like_a_sum(backend):
    """A running sum would lose what small neighbours of large values add."""
    skip_default_formula(backend)
    positions = np.repeat(np.arange(64), 512)
    values = np.where(positions < 32, 1e6, 1e-3).astype(np.float32)
    base = backend.from_numpy(np.zeros(64, dtype=np.float32))
    got = Backend.scatter_add(backend, base, backend.from_numpy(positions), backend.from_numpy(values))
    want = np.where(np.arange(64) < 32, 1e6 * 512, 1e-3 * 512)
    np.testing.assert_allclose(backend.to_numpy(got), want, rtol=1e-6)


def test_infinities_do_not_spread_to_other_elements(backend):
    skip_default_formula(backend)
    index = backend.from_numpy(np.array([0, 1, 1, 2]))
    values = backend.from_numpy(np.array([np.inf, 1.0, 2.0, np.nan]))
    base = backend.from_numpy(np.zeros(4))
    got = backend.to_numpy(Backend.scatter_add(backend, base, index, values))
    np.testing.assert_array_equal(got, [np.inf, 3.0, np.nan, 0.0])


@pytest.mark.parametrize(
    ("index", "basic"),
    [
        (1, True),
        (np.int64(1), True),
        ((slice(None), None, ..., -1), True),
        (True, False),
        ([0, 1], False),
        (np.array([0, 1]), False),
        ((0, np.array(1)), False),
    ],
)
def test_is_basic(index, basic):
    assert is_basic(index) is basic


# -- what one library alone needs ----------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in BACKENDS if n in ("torch", "jax")])
def test_convolution_is_the_library_s_own(name, monkeypatch):
    def formula(*args):
        raise AssertionError("the formula was computed")

    monkeypatch.setattr("tensorgrad.functions.convolution_ops.Products.rows", formula)
    backend = get_backend(name)
    x, W = (tg.Variable(backend.from_numpy(np.ones(s))) for s in ((1, 2, 4, 4), (3, 2, 3, 3)))
    tg.functions.conv2d(x, W, stride=2, pad=1).sum().backward()
    assert backend.to_numpy(W.grad.data).sum() == 2 * 3 * 25
    assert backend.to_numpy(x.grad.data).sum() == 2 * 3 * 25


@only("torch")
class TestTorch:
    def test_autograd_of_its_own_is_refused(self):
        torch = get_backend("torch").module
        for tensor in (torch.zeros(2, requires_grad=True), torch.nn.Parameter(torch.zeros(2))):
            with pytest.raises(TypeError, match=r"requires_grad=True\. Pass x\.detach\(\)"):
                tg.Variable(tensor)
            assert tg.Variable(tensor.detach()).requires_grad

    def test_nothing_that_is_made_takes_part_in_autograd(self):
        torch = get_backend("torch").module
        x = tg.Variable(torch.ones(3))
        y = (x * x).sum()
        y.backward(create_graph=True)
        assert not y.data.requires_grad
        assert not x.grad.data.requires_grad

    def test_what_numpy_has_no_dtype_or_layout_for(self):
        torch = get_backend("torch").module
        backend = get_backend("torch")
        as_float32 = backend.to_numpy(torch.tensor([1.5], dtype=torch.bfloat16))
        assert as_float32.dtype == np.float32
        assert as_float32.tolist() == [1.5]
        conjugated = torch.tensor([1 + 2j]).conj()
        assert backend.to_numpy(conjugated).tolist() == [1 - 2j]

    def test_random_numbers_are_pytorch_s_own(self):
        import torch

        backend = get_backend("torch")
        for draw, theirs in ((backend.uniform, torch.rand), (backend.normal, torch.randn)):
            tg.seed(3)
            ours = draw((4,), torch.float64)
            torch.manual_seed(3)
            assert ours.tolist() == theirs(4, dtype=torch.float64).tolist()
        state = backend.random_state()
        drawn = backend.uniform((4,), torch.float32).tolist()
        backend.set_random_state(state)
        assert backend.uniform((4,), torch.float32).tolist() == drawn

    def test_dropout_in_a_checkpoint_draws_once(self):
        import torch

        x = tg.Variable(torch.ones(100, dtype=torch.float64))
        after = []
        for call in (F.dropout, tg.checkpoint(F.dropout)):
            tg.seed(3)
            x.cleargrad()
            y = call(x)
            y.sum().backward()
            np.testing.assert_array_equal(x.grad.data.numpy(), y.data.numpy())  # of the same mask
            after.append(torch.rand(2).tolist())
        tg.seed(None)
        assert after[0] == after[1]


@only("jax")
class TestJax:
    def test_data_of_64_bits_is_not_narrowed_silently(self):
        code = """
        import numpy as np
        from tensorgrad.backend import get_backend
        b = get_backend("jax")
        for array in (np.zeros(2), np.zeros(2, complex), np.array([2**40])):
            try:
                b.from_numpy(array)
            except TypeError as error:
                print(error)
        print(b.from_numpy(np.array([1, -2])), b.from_numpy(np.zeros(1, np.float32)))
        print(b.uniform((2,), b.xp.float32).dtype, b.normal((2,), b.xp.float32).dtype)
        """
        lines = run(code, JAX_ENABLE_X64="0").splitlines()
        assert lines[0] == (
            "jax: expected data that JAX keeps as it is; got float64, which it would make float32. "
            "Call jax.config.update('jax_enable_x64', True) first, or convert the data yourself: "
            "array.astype('float32')"
        )
        assert "got complex128, which it would make complex64" in lines[1]
        assert "got int64, which it would make int32" in lines[2]
        assert lines[3:] == ["[ 1 -2] [0.]", "float32 float32"]

    def test_gradients_inside_jit(self):
        jax = sys.modules["jax"]
        backend = get_backend("jax")

        def gradients(a, i):
            x = tg.Variable(a)
            y = (tg.functions.tanh(x) * x).sum() + (x[i] * x[i]).sum()
            y.backward(create_graph=True)
            first = x.grad
            x.cleargrad()
            (first * first).sum().backward()
            return first.data, x.grad.data

        a = backend.from_numpy(np.linspace(-1.0, 1.0, 5))
        i = backend.from_numpy(np.array([0, 3, 3]))
        for got, want in zip(jax.jit(gradients)(a, i), gradients(a, i), strict=True):
            np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-12)

    def test_a_tracer_is_owned_by_jax(self):
        jax = sys.modules["jax"]
        owners = []
        jax.make_jaxpr(lambda a: owners.append(backend_of(a)) or a)(1.0)
        assert owners == [get_backend("jax")]


@only("dask")
class TestDask:
    def test_shapes_stay_known_with_a_mask(self):
        x = get_backend("dask").from_numpy(np.arange(3.0))
        for mask in (x > 0, (x > 0).compute()):
            assert get_backend("dask").getitem(x, mask).shape == (2,)

    def test_an_unknown_shape_is_refused(self):
        x = get_backend("dask").from_numpy(np.arange(3.0))
        with pytest.raises(ValueError, match=r"known shape; got \(nan,\)\..*compute_chunk_sizes"):
            tg.Variable(x[x > 1])

    def test_nothing_is_computed_before_it_is_asked_for(self):
        da = get_backend("dask").module
        calls = []
        x = tg.Variable(da.ones(4, chunks=2).map_blocks(lambda b: calls.append(1) or b, meta=np.ones(0)))
        (x * x).sum().backward()
        assert calls == []
        assert x.grad.data.compute().tolist() == [2.0] * 4
        assert calls


@only("array_api_strict")
def test_devices_of_array_api_strict():
    backend = get_backend("array_api_strict")
    x = backend.from_numpy(np.arange(3.0), "device1")
    assert str(backend.device(x)) == "array_api_strict.Device('device1')"
    assert backend.to_numpy(x).tolist() == [0.0, 1.0, 2.0]
    y = tg.Variable(x)
    (y * y).sum().backward()
    assert y.grad.device == y.device
    with pytest.raises(ValueError, match=r"Mul: expected inputs on one device; got .*CPU_DEVICE.*device1"):
        y * backend.from_numpy(np.arange(3.0))


@pytest.mark.parametrize("name", ["numpy", "dask"])
def test_devices_that_a_library_on_the_host_does_not_have(name):
    if name not in BACKENDS:
        pytest.skip(f"{name} is not under test")
    backend = get_backend(name)
    with pytest.raises(ValueError, match=f"^{name}: expected device 'cpu' or None; got 'cuda:0'$"):
        backend.from_numpy(np.zeros(1), "cuda:0")
    with pytest.raises(ValueError, match="got 'gpu'"):
        backend.to_device(backend.from_numpy(np.zeros(1)), "gpu")


# -- the registry --------------------------------------------------------------------------------


def run(code: str, **environ: str) -> str:
    """What a fresh interpreter prints."""
    import os
    from textwrap import dedent

    done = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_numpy_comes_first_in_the_registry():
    names = list(contract.entry_points())
    assert names[0] == "numpy"
    assert {"cupy", "torch", "jax", "dpnp", "dask", "array_api_strict"} < set(names)
    assert names[1:] == sorted(names[1:])


def test_an_unknown_backend():
    with pytest.raises(LookupError, match=r"no backend is named 'nump'; there are: numpy, array_api_strict"):
        get_backend("nump")


def test_a_backend_is_found_by_name_and_as_itself(backend):
    assert get_backend(backend.name) is backend
    assert get_backend(backend) is backend


def test_two_threads_get_the_same_backend(backend, monkeypatch):
    monkeypatch.setattr(contract, "_BY_NAME", {})
    monkeypatch.setattr(contract, "_BY_CLASS", {})
    found = []
    threads = [Thread(target=lambda: found.append(get_backend(backend.name))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1
    contract.register_backend(backend)


def with_entry_point(monkeypatch, name, value):
    entries = {**contract.entry_points(), name: EntryPoint(name, value, contract.GROUP)}
    monkeypatch.setattr(contract, "entry_points", lambda: entries)


def test_a_backend_whose_library_is_missing(monkeypatch, tmp_path):
    (tmp_path / "of_nothing.py").write_text(
        "from tensorgrad.backend import importing\n"
        "with importing('Nothing', install='python -m pip install nothing'):\n"
        "    import no_such_library\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with_entry_point(monkeypatch, "nothing", "of_nothing:Nothing")
    with pytest.raises(BackendUnavailableError) as e:
        get_backend("nothing")
    assert str(e.value) == (
        "backend 'nothing': Nothing is not installed (there is no module 'no_such_library'). "
        "Install it: python -m pip install nothing"
    )


def test_a_backend_that_does_not_import(monkeypatch):
    with_entry_point(monkeypatch, "gone", "no_such_module:Gone")
    with pytest.raises(
        BackendUnavailableError,
        match=r"^backend 'gone' \(no_such_module:Gone\) cannot be imported: No module named ",
    ):
        get_backend("gone")


def test_a_library_that_is_there_and_does_not_import():
    with (
        pytest.raises(
            BackendUnavailableError,
            match=r"^Nothing is installed, but its import fails: no libnothing\.so\. Find it\.$",
        ),
        importing("Nothing", install="get it", mend="Find it."),
    ):
        raise OSError("no libnothing.so")


def test_the_owner_of_a_subclass_is_that_of_its_base(backend):
    class Mine(np.ndarray):
        pass

    array = np.zeros(2).view(Mine)
    assert backend_of(array) is get_backend("numpy")


def test_scalars_have_no_owner():
    for scalar in (1, 1.0, True, 1j, np.float32(1), np.int64(1)):
        assert backend_of(scalar) is None
        assert not is_array(scalar)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_subclasses_of_numpy_that_compute_otherwise_are_refused():
    with pytest.raises(TypeError, match=r"^numpy MaskedArray is not supported \(masks would be lost\)"):
        backend_of(np.ma.masked_array([1.0]))
    with pytest.raises(TypeError, match=r"^numpy matrix is not supported \(its \* is a matrix product\)"):
        backend_of(np.matrix([[1.0]]))


@pytest.mark.parametrize("value", [[1.0], "text", None, {}, SimpleNamespace()])
def test_what_is_no_array(value):
    kind = type(value)
    with pytest.raises(
        TypeError,
        match=rf"expected an array of a registered library \(numpy, .*\); got {kind.__module__}\."
        rf"{kind.__qualname__}\. Numbers and lists become arrays",
    ):
        backend_of(value)
    assert not is_array(value)


def test_a_backend_without_transfers_says_so():
    class Bare(Backend):
        name = "bare"

    with pytest.raises(TypeError, match=r"^backend 'bare' \(Bare\) does not define from_numpy$"):
        Bare().from_numpy(np.zeros(1))
    with pytest.raises(TypeError, match=r"^backend 'bare' \(Bare\) does not define to_numpy$"):
        Bare().to_numpy(np.zeros(1))
