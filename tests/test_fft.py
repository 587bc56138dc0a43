"""Fourier transforms of real and complex signals: gradients against differences and PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad import Variable
from tensorgrad.core import namespace_of
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy

EPS = 1e-6
TO_COMPLEX = ("fft", "ifft", "fftn", "ifftn")
OF_REAL = ("rfft", "ihfft", "rfftn")
TO_REAL = ("irfft", "hfft", "irfftn")
SETTINGS: list[dict[str, Any]] = [
    {},
    {"norm": "ortho"},
    {"norm": "forward", "n": 3},
    {"n": 8, "axis": 0},
    {"n": 1},
]
OF_SEVERAL: list[dict[str, Any]] = [{}, {"axes": (1, 0), "norm": "forward"}, {"s": (4, 5), "axes": (0, 1)}]


def settings_of(name: str) -> list[dict[str, Any]]:
    return OF_SEVERAL if name.endswith("n") else SETTINGS


COMPLEX = [(name, i) for name in (*TO_COMPLEX, *TO_REAL) for i in range(len(settings_of(name)))]
EVERY = [*COMPLEX, *((name, i) for name in OF_REAL for i in range(len(settings_of(name))))]


def signal(name: str, shape: tuple[int, ...] = (3, 4), dtype: str = "float64", seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, shape)
    if name not in OF_REAL:
        x = x + 1j * rng.uniform(-1.0, 1.0, shape)
    return x.astype(np.result_type(np.dtype(dtype), np.complex64) if x.dtype.kind == "c" else dtype)


def weights_of(y: Any) -> Any:
    w = signal("fft", tuple(y.shape), seed=3)
    return w.astype(np.complex64) if "64" in str(y.dtype) and "complex" in str(y.dtype) else w


def loss_of(y: Any) -> Any:
    """A real number in which both parts of every element count differently."""
    if not isinstance(y, Variable):
        return float((y * signal("fft", y.shape, seed=3)).real.sum())
    w = y.backend.from_numpy(weights_of(y))
    if not y.backend.is_complex(y.dtype):
        return F.sum(y * y.backend.xp.real(w))
    return F.sum(F.real(y * Variable(w, requires_grad=False)))


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_the_gradient_is_that_of_differences_in_both_parts(name, number):
    f, settings = getattr(F, name), settings_of(name)[number]
    x = Variable(signal(name))
    loss_of(f(x, **settings)).backward()
    want = np.zeros_like(x.data)
    for i in np.ndindex(x.shape):
        for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
            step = np.zeros_like(x.data)
            step[i] = EPS * unit
            up, down = (float(loss_of(f(x.data + s, **settings)).data) for s in (step, -step))
            want[i] += unit * (up - down) / (2 * EPS)
    assert x.grad.dtype == x.dtype
    np.testing.assert_allclose(x.grad.data, want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "number"), COMPLEX)
def test_values_of_complex_signals(name, number, backend):
    settings = settings_of(name)[number]
    x = signal(name)
    y = getattr(F, name)(backend.from_numpy(x), **settings)
    assert_close(to_numpy(y), getattr(np.fft, name)(x, **settings), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "number"), EVERY)
def test_value_and_gradients_are_those_of_pytorch(name, number, dtype, backend):
    """The gradient, and the gradient of a number made of it."""
    torch = pytest.importorskip("torch")
    settings = dict(settings_of(name)[number])
    x = signal(name, dtype=dtype)
    v = Variable(backend.from_numpy(x))
    t = torch.tensor(x, requires_grad=True)
    theirs = {{"axis": "dim", "axes": "dim"}.get(key, key): value for key, value in settings.items()}
    y, z = getattr(F, name)(v, **settings), getattr(torch.fft, name)(t, **theirs)
    rtol = atol = 1e-5 if dtype == "float32" else 1e-12
    assert_close(to_numpy(y), z.detach().resolve_conj().numpy(), rtol=rtol, atol=atol)
    w = weights_of(y)
    cubes, theirs_cubed = y * y * y, z * z * z
    if backend.is_complex(y.dtype):
        F.sum(F.real(cubes * Variable(backend.from_numpy(w), requires_grad=False))).backward(
            create_graph=True
        )
        loss = (theirs_cubed * torch.tensor(w)).real.sum()
    else:
        w = np.ascontiguousarray(w.real.astype(to_numpy(y).dtype))
        F.sum(cubes * backend.from_numpy(w)).backward(create_graph=True)
        loss = (theirs_cubed * torch.tensor(w)).sum()
    (slope,) = torch.autograd.grad(loss, t, create_graph=True)
    g, v.grad = v.grad, None
    assert g.dtype == v.dtype
    assert_close(to_numpy(g), slope.detach().resolve_conj().numpy(), rtol=rtol, atol=10 * atol)
    F.sum(F.real(g * g)).backward()
    (second,) = torch.autograd.grad((slope * slope).real.sum(), t)
    assert_close(to_numpy(v.grad), second.resolve_conj().numpy(), rtol=rtol, atol=100 * atol)


@pytest.mark.parametrize("name", ["fft", "fftn", "rfft", "rfftn", "ihfft"])
def test_there_and_back(name, backend):
    x = Variable(backend.from_numpy(signal(name)))
    back = {"ihfft": "hfft"}.get(name, f"i{name}")
    y = getattr(F, back)(getattr(F, name)(x))
    assert_close(to_numpy(y), to_numpy(x), rtol=1e-13, atol=1e-13)
    loss_of(y).backward()
    w = weights_of(y)
    assert_close(to_numpy(x.grad), w.conj() if name in TO_COMPLEX else w.real, rtol=1e-13, atol=1e-13)


def test_lengths_of_minus_one_stay(backend):
    x = backend.from_numpy(signal("fftn"))
    y = F.fftn(x, s=(-1, 6), axes=(0, 1))
    assert_close(to_numpy(y), np.fft.fftn(signal("fftn"), s=(3, 6), axes=(0, 1)), rtol=1e-13, atol=1e-13)
    y = F.irfftn(x, s=(-1, -1), axes=(0, 1))
    assert y.shape == (3, 6)
    assert F.fftn(x, s=(2,)).shape == (3, 2)


def test_many_axes(backend):
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 2, 2))
    assert_close(to_numpy(F.fftn(backend.from_numpy(x))), np.fft.fftn(x), rtol=1e-13, atol=1e-12)


def test_real_signals_are_taken_as_complex_ones(backend):
    for dtype, made in (("float32", "complex64"), ("float64", "complex128"), ("int64", None)):
        x = np.asarray([1, 2, 4]).astype(dtype)
        y = F.fft(backend.from_numpy(x))
        assert made is None or str(y.dtype).endswith(made)
        np.testing.assert_allclose(to_numpy(y), np.fft.fft(x), rtol=1e-6)


def test_the_namespace_has_them(backend):
    xp = namespace_of(backend)
    v = Variable(backend.from_numpy(signal("fft", (4,))))
    y = xp.fft.fftshift(xp.fft.fft(v, n=5, axis=-1, norm="ortho"), axes=0)
    assert y.requires_grad
    assert_close(
        to_numpy(y), np.fft.fftshift(np.fft.fft(to_numpy(v), 5, norm="ortho")), rtol=1e-13, atol=1e-13
    )
    np.testing.assert_allclose(to_numpy(xp.fft.fftfreq(5, d=0.5)), np.fft.fftfreq(5, 0.5), rtol=1e-6)
    assert not xp.fft.rfftfreq(5).requires_grad
    with pytest.raises(AttributeError, match="fft has no attribute 'dct'"):
        _ = xp.fft.dct


def test_frequencies_follow_the_default_backend(backend):
    with tg.using_backend(backend.name):
        for name in ("fftfreq", "rfftfreq"):
            y = getattr(tg.fft, name)(5, d=0.5, dtype=backend.xp.float32)
            assert isinstance(y.data, backend.array_types)
            assert_close(y, getattr(np.fft, name)(5, 0.5).astype(np.float32))


def test_wrong_arguments():
    x = np.ones((2, 3))
    for call, error, message in (
        (lambda: F.fft(x, axis=2), ValueError, "fft: expected an axis from -2 to 1; got 2"),
        (lambda: F.fft(x, n=0), ValueError, "fft: expected a length of 1 or more; got 0"),
        (lambda: F.irfft(x[:, :1]), ValueError, "irfft: expected a length of 1 or more; got 0"),
        (lambda: F.ifft(x, norm="both"), ValueError, "ifft: expected norm .* got 'both'"),
        (lambda: F.fftn(x, axes=(0, -2)), ValueError, "fftn: expected axes that differ"),
        (lambda: F.fftn(x, s=(2,), axes=(0, 1)), ValueError, "as many lengths as axes; got s="),
        (lambda: F.rfftn(x, axes=()), ValueError, "rfftn: expected one axis or more; got none"),
        (lambda: F.irfftn(x, axes=()), ValueError, "irfftn: expected one axis or more; got none"),
        (lambda: F.rfft(x + 0j), TypeError, "rfft: expected real numbers; got complex128. fft takes"),
        (lambda: F.ihfft(x + 0j), TypeError, "ihfft: expected real numbers; got complex128"),
        (lambda: F.fft([1.0]), TypeError, "fft: "),
    ):
        with pytest.raises(error, match=message):
            call()
