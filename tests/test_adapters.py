"""SciPy's optimizers and einops, through the adapters."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients

optimize = pytest.importorskip("scipy.optimize")


def rosenbrock(x, scale=100.0):
    return (scale * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


START = np.array([-1.2, 1.0, 0.8])


def test_value_and_derivatives_are_those_of_scipy(backend):
    f = tg.scipy_objective(rosenbrock, backend.name)
    assert type(f(START)) is float
    assert f(START) == pytest.approx(optimize.rosen(START), rel=1e-12)
    for got, want in (
        (f.jac(START), optimize.rosen_der(START)),
        (f.hess(START), optimize.rosen_hess(START)),
        (f.hessp(START, np.ones(3)), optimize.rosen_hess_prod(START, np.ones(3))),
    ):
        assert type(got) is np.ndarray
        np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "trust-ncg", "Newton-CG", "trust-constr"])
def test_minimize(backend, method):
    f = tg.scipy_objective(rosenbrock, backend.name)
    hess = {"hess": f.hess} if method.startswith("trust") else {}
    found = optimize.minimize(f, START, jac=f.jac, method=method, tol=1e-9, **hess)
    np.testing.assert_allclose(found.x, np.ones(3), atol=1e-4)


def test_minimize_with_arguments_and_the_hessian_times_a_vector():
    f = tg.scipy_objective(rosenbrock)
    found = optimize.minimize(f, START, (10.0,), "trust-krylov", f.jac, hessp=f.hessp, tol=1e-9)
    np.testing.assert_allclose(found.x, np.ones(3), atol=1e-6)


def test_several_values_have_a_jacobian(backend):
    times = np.linspace(0.0, 2.0, 9)
    data = 2.5 * np.exp(-1.3 * times)
    t, y = (tg.Variable(backend.from_numpy(a), requires_grad=False) for a in (times, data))
    f = tg.scipy_objective(lambda x: x[0] * F.exp(-x[1] * t) - y, backend.name)
    found = optimize.least_squares(f, np.ones(2), jac=f.jac)
    np.testing.assert_allclose(found.x, [2.5, 1.3], rtol=1e-8)
    g = tg.scipy_objective(lambda x: F.stack([x[0] ** 2 - 2.0, x[0] * x[1] - 1.0]), backend.name)
    root = optimize.root(g, np.ones(2), jac=g.jac)
    np.testing.assert_allclose(root.x, [np.sqrt(2), np.sqrt(0.5)], rtol=1e-10)


def test_the_gradient_at_the_last_point_is_there_already():
    calls = []

    def counted(x):
        calls.append(1)
        return (x * x).sum()

    f = tg.scipy_objective(counted)
    x = np.array([1.0, 2.0])
    f(x)
    assert_close(f.jac(x), [2.0, 4.0])
    assert len(calls) == 1
    x += 1.0  # optimizers change their point in place
    assert_close(f.jac(x), [4.0, 6.0])
    assert len(calls) == 2


def test_the_gradient_with_other_arguments_is_computed_anew():
    f = tg.scipy_objective(lambda x, scale=1.0: scale * (x * x).sum())
    x = np.array([1.0, 2.0])
    f(x, 2.0)
    assert_close(f.jac(x, 3.0), [6.0, 12.0])
    assert_close(f.jac(x), [2.0, 4.0])


def test_an_error_of_the_function_is_its_own():
    def wrong(x):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        tg.scipy_objective(wrong)(np.ones(2))


def test_einops(backend, var):
    einops = pytest.importorskip("einops")
    tg.register_einops()
    tg.register_einops()  # once more changes nothing
    values = np.arange(24.0).reshape(2, 3, 4)
    x = var(values)
    assert_close(einops.rearrange(x, "a b c -> c (a b)"), values.reshape(6, 4).T)
    assert_close(einops.reduce(x, "a b c -> b", "mean"), values.mean(axis=(0, 2)))
    assert_close(einops.einsum(x, x, "a b c, a d c -> b d"), np.einsum("abc,adc->bd", values, values))
    check_gradients(lambda x: einops.repeat(x * x, "a b c -> b (a r) c", r=2), [x])
    assert isinstance(einops.asnumpy(tg.stop_gradient(x)), np.ndarray)
