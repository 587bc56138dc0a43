"""Complex numbers: the gradient of a real loss is ``dL/dRe x + i dL/dIm x``, against differences."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad import Variable
from tensorgrad.backend import get_backend
from tensorgrad.testing import assert_close

EPS = 1e-6


def numbers(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 1.5, shape) + 1j * rng.uniform(0.5, 1.5, shape)


W = numbers(2, 3, seed=7)
C = numbers(2, 3, seed=8)

HOLOMORPHIC = {
    "add": lambda x: x + C,
    "sub": lambda x: C - x,
    "mul": lambda x: x * C * x,
    "div": lambda x: C / x,
    "square": lambda x: x**2,
    **{
        name: getattr(F, name)
        for name in (
            *("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "reciprocal", "neg"),
            *("sin", "cos", "tan", "asin", "acos", "atan"),
            *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
        )
    },
    "pow": lambda x: x ** (0.5 * C),
    "rpow": lambda x: 2.0**x,
    "outer": lambda x: F.outer(x[0], x[1]),
    "tensordot": lambda x: F.tensordot(x, numbers(3, 3, seed=9), axes=1),
    "cumsum": lambda x: F.cumsum(x * x, axis=0),
    "mean": lambda x: F.mean(x, axis=0),
    "where": lambda x: F.where(np.array([True, False, True]), x, x * x),
    "matmul": lambda x: F.matmul(x, numbers(3, 3, seed=9)),
    "sum": lambda x: F.sum(x, axis=1, keepdims=True) * C,
    "get_item": lambda x: x[:, np.array([0, 2, 0])],
    "concat": lambda x: F.concat([x, x * x], axis=1),
    "prod": lambda x: F.prod(x, axis=1),
    "broadcast": lambda x: x[0] * C,
}


NOT_HOLOMORPHIC = {
    "abs": F.abs,
    "real": F.real,
    "imag": F.imag,
    "conj": F.conj,
    "sign": F.sign,
    "var": lambda x: F.var(x, axis=1),
    "std": lambda x: F.std(x, axis=1),
    "vecdot": lambda x: F.vecdot(x[0], x[1]),
    # In NumPy's order: by the real parts, and where they are equal by the imaginary ones.
    "max": lambda x: F.max(x, axis=1),
    "min": lambda x: F.min(x, axis=0),
    "maximum": lambda x: F.maximum(x, C),
    "minimum": lambda x: F.minimum(x, C),
    "clip": lambda x: F.clip(x, x[0, 0], x[1, 1]),
    "sort": lambda x: tg.sort(x, axis=1) * C,
    "sort, descending": lambda x: tg.sort(x, axis=0, descending=True) * C,
}
EVERY = {**HOLOMORPHIC, **NOT_HOLOMORPHIC}


def loss_of(y):
    """A real number of complex ones, in which both parts of every one count differently."""
    weights = numbers(*y.shape, seed=3)
    if isinstance(y, Variable):
        return F.sum(F.real(y * weights))
    return float(np.real(y * weights).sum())


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("turn", [1, 1j, -1, -1j], ids=["I", "II", "III", "IV"])
def test_the_gradient_is_that_of_differences_in_both_parts(name, turn):
    """In all four quadrants: a branch cut must not change the sign of a gradient."""
    f = EVERY[name]
    x = Variable(numbers(2, 3) * turn)
    loss_of(f(x)).backward()
    want = np.zeros((2, 3), complex)
    for i in np.ndindex(2, 3):
        for unit in (1, 1j):
            step = np.zeros((2, 3), complex)
            step[i] = EPS * unit
            with tg.no_grad():
                up, down = (loss_of(f(Variable(x.data + s)).data) for s in (step, -step))
            want[i] += unit * (up - down) / (2 * EPS)
    assert x.grad.dtype == x.dtype
    np.testing.assert_allclose(x.grad.data, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", EVERY)
def test_a_recorded_backward_gives_the_same(name):
    f = EVERY[name]
    plain, recorded = Variable(numbers(2, 3)), Variable(numbers(2, 3))
    loss_of(f(plain)).backward()
    loss_of(f(recorded)).backward(create_graph=True)
    np.testing.assert_allclose(recorded.grad.data, plain.grad.data, rtol=1e-12)


def test_the_second_derivative():
    z = Variable(np.asarray(0.5 + 0.25j))
    F.real(z**3).backward(create_graph=True)
    g = z.grad  # conj(3 z^2)
    np.testing.assert_allclose(g.data, np.conj(3 * z.data**2))
    z.cleargrad()
    F.real(g).backward()
    np.testing.assert_allclose(z.grad.data, np.conj(6 * z.data))


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (F.real, lambda z: 1.0 + 0 * z),
        (F.imag, lambda z: 1j + 0 * z),
        (lambda z: F.real(F.conj(z) * z), lambda z: 2 * z),
    ],
    ids=["real", "imag", "square of the modulus"],
)
def test_functions_that_are_not_holomorphic(f, slope):
    x = Variable(numbers(2, 3))
    F.sum(f(x)).backward()
    np.testing.assert_allclose(x.grad.data, slope(x.data), rtol=1e-12)


def test_a_real_input_of_a_complex_product_has_a_real_gradient():
    x, c = Variable(np.asarray([1.0, 2.0])), numbers(2)
    F.sum(F.real(x * c)).backward()
    assert x.grad.dtype == np.float64
    np.testing.assert_allclose(x.grad.data, c.real)


def test_the_absolute_value_at_0_has_gradient_0_as_in_torch():
    x = Variable(np.array([0j, 3 + 4j]))
    F.sum(F.abs(x)).backward()
    np.testing.assert_allclose(x.grad.data, [0, 0.6 + 0.8j])


@pytest.mark.parametrize("name", ["max", "sort"])
def test_an_order_that_the_library_does_not_have_is_its_error(name):
    x = Variable(get_backend("array_api_strict").from_numpy(numbers(3)))
    with pytest.raises(TypeError, match="real"):
        getattr(tg, name)(x)


@pytest.mark.parametrize(
    "call",
    [
        F.softplus,
        lambda x: F.sigmoid_cross_entropy(x, np.array([0, 1])),
        lambda x: F.binary_cross_entropy_with_logits(x, np.array([0.0, 1.0])),
    ],
    ids=["softplus", "sigmoid_cross_entropy", "binary_cross_entropy_with_logits"],
)
def test_what_is_made_for_real_numbers_refuses_complex_ones(call):
    with pytest.raises(TypeError, match="softplus: expected a real floating dtype; got complex128"):
        call(Variable(numbers(2)))


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "abs", "tanh", "acosh", "reciprocal", "conj", "sign"])
def test_torch_has_the_same_convention(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's gradients")
    names = {"sign": "sgn", "conj": "conj_physical"}
    x, z = Variable(numbers(2, 3)), torch.tensor(numbers(2, 3), requires_grad=True)
    F.sum(F.real(getattr(F, name)(x) * C)).backward()
    (getattr(torch, names.get(name, name))(z) * torch.tensor(C)).real.sum().backward()
    np.testing.assert_allclose(x.grad.data, z.grad.numpy(), rtol=1e-12)


def test_powers_with_another_kind_of_base(backend):
    """The logarithm of the base is complex where the power is, and not cut to the dtype of the exponent."""
    z = np.array([0.5 + 1j, -0.3j])
    base = np.array([-0.8, 2.5])
    x = Variable(backend.from_numpy(z))
    F.sum(F.real(Variable(backend.from_numpy(base)) ** x)).backward()
    power = base.astype(complex) ** z
    assert_close(x.grad, np.conj(power * np.log(base.astype(complex))), rtol=1e-12)
    x = Variable(backend.from_numpy(np.array([0.5, -1.5])))
    F.sum(F.real((1 - 2j) ** x)).backward()
    power = (1 - 2j) ** np.array([0.5, -1.5])
    assert_close(x.grad, np.real(power * np.log(1 - 2j)), rtol=1e-12)


def test_a_number_to_the_power_of_integers():
    x = Variable(np.array([2, 3]))
    F.sum(2.5**x).backward()
    assert_close(x.grad, 2.5 ** np.array([2, 3]) * np.log(2.5), rtol=1e-12)
