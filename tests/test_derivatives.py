"""Transforms: pure, nestable, on every backend; against analytic results and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad import Variable
from tensorgrad.backend import BY_TYPE, backend_of, get_backend
from tensorgrad.testing import assert_close


def array(backend, values):
    return backend.from_numpy(np.asarray(values, dtype=np.float64))


def close(backend, got, expected, tol=1e-12):
    assert BY_TYPE[type(got)] is backend, "arrays in must give arrays of the same library out"
    got = backend.to_numpy(got)
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=tol, atol=tol)


X = np.array([0.5, -1.0, 2.0])


def cubes(x):
    return (x**3).sum()


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def rosenbrock_hessian(x):
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] -= 400 * x[i]
        h[i + 1, i] -= 400 * x[i]
    return h


def test_grad_gives_arrays_for_arrays(backend):
    close(backend, tg.grad(cubes)(array(backend, X)), 3 * X**2)


def test_value_and_grad(backend):
    value, gradient = tg.value_and_grad(cubes)(array(backend, X))
    close(backend, value, (X**3).sum())
    close(backend, gradient, 3 * X**2)


def test_has_aux():
    f = lambda x: ((x * x).sum(), {"twice": x * 2.0})  # noqa: E731  # short
    (value, aux), gradient = tg.value_and_grad(f, has_aux=True)(X)
    np.testing.assert_array_equal(aux["twice"], 2 * X)
    np.testing.assert_allclose(value, (X * X).sum())
    np.testing.assert_allclose(gradient, 2 * X)
    gradient, aux = tg.grad(f, has_aux=True)(X)
    np.testing.assert_allclose(gradient, 2 * X)
    assert isinstance(aux["twice"], np.ndarray)


def test_grad_nests_to_the_third_order(backend):
    f = F.tanh
    x = array(backend, 0.3)
    t = np.tanh(0.3)
    close(backend, tg.grad(f)(x), 1 - t**2)
    close(backend, tg.grad(tg.grad(f))(x), -2 * t * (1 - t**2))
    close(backend, tg.grad(tg.grad(tg.grad(f)))(x), (1 - t**2) * (6 * t**2 - 2))


def test_grad_of_a_closure_over_an_outer_input():
    inner = lambda w: tg.grad(lambda x: x * x * w)(2.0)  # noqa: E731  # 4 w
    np.testing.assert_allclose(inner(3.0), 12.0)
    np.testing.assert_allclose(tg.grad(inner)(3.0), 4.0)


def test_variables_in_give_variables_in_the_graph_out():
    x = Variable(X.copy())
    g = tg.grad(cubes)(x)
    assert isinstance(g, Variable)
    assert x.grad is None, "a transform must not touch .grad"
    (g * g).sum().backward()
    np.testing.assert_allclose(x.grad.data, 36 * X**3)


def test_constant_variables_in_give_constant_variables_out():
    g = tg.grad(cubes)(Variable(X, requires_grad=False))
    assert isinstance(g, Variable)
    assert not g.requires_grad


def test_grad_works_and_leaves_the_mode_under_no_grad():
    with tg.no_grad():
        np.testing.assert_allclose(tg.grad(cubes)(X), 3 * X**2)
        assert not tg.Config.enable_backprop


def test_grad_in_containers():
    tree = {"w": [X, 2 * X], "b": (np.array(1.0),)}
    f = lambda p: (p["w"][0] * p["w"][1]).sum() * p["b"][0]  # noqa: E731  # short
    g = tg.grad(f)(tree)
    np.testing.assert_allclose(g["w"][0], 2 * X)
    np.testing.assert_allclose(g["w"][1], X)
    np.testing.assert_allclose(g["b"][0], 2 * (X * X).sum())
    assert isinstance(g["b"], tuple)


def test_argnums():
    f = lambda a, b, c: (a * b * c).sum()  # noqa: E731  # short
    ga, gc = tg.grad(f, argnums=(0, 2))(X, 2 * X, 3 * X)
    np.testing.assert_allclose(ga, 6 * X * X)
    np.testing.assert_allclose(gc, 2 * X * X)
    np.testing.assert_allclose(tg.grad(f, argnums=-1)(X, 2 * X, 3 * X), 2 * X * X)


def test_an_argument_that_is_not_used_has_a_gradient_of_zeros():
    ga, gb = tg.grad(lambda a, b: (a * 2.0).sum(), argnums=(0, 1))(X, X)  # that is the case
    np.testing.assert_array_equal(ga, np.full(3, 2.0))
    np.testing.assert_array_equal(gb, np.zeros(3))


def test_gradients_of_several_arguments_share_no_memory():
    ga, gb = tg.grad(lambda a, b: (a + b).sum(), argnums=(0, 1))(X, X)
    assert not np.shares_memory(ga, gb)
    ga += 1.0  # may be written to: no stride-0 view
    np.testing.assert_array_equal(gb, np.ones(3))


def test_vjp_can_be_called_again(backend):
    value, pullback = tg.vjp(lambda x: x * x, array(backend, X))
    close(backend, value, X * X)
    for scale in (1.0, 3.0):
        (g,) = pullback(array(backend, scale * np.ones(3)))
        close(backend, g, 2 * scale * X)


def test_jvp(backend):
    value, along = tg.jvp(
        lambda x, y: F.sin(x) * y,
        [array(backend, X), array(backend, X + 1)],
        [array(backend, X), array(backend, 2 * X)],
    )
    close(backend, value, np.sin(X) * (X + 1))
    close(backend, along, np.cos(X) * (X + 1) * X + np.sin(X) * 2 * X)


def test_numbers_and_lists_as_directions(backend):
    x = array(backend, X)
    for number in (2.0, np.float64(2.0)):
        (g,) = tg.vjp(cubes, x)[1](number)
        close(backend, g, 6 * X**2)
    _, along = tg.jvp(F.sin, (x,), ([1, 0, 2.5],))
    close(backend, along, np.cos(X) * [1.0, 0.0, 2.5])
    (product,) = tg.hvp(lambda x: x**3, [array(backend, 2.0)], [1.0])
    close(backend, product, 12.0)


def test_jvp_of_a_value_that_does_not_depend_on_the_input():
    _, along = tg.jvp(lambda x: Variable(np.ones(2)), [X], [X])  # that is the case
    np.testing.assert_array_equal(along, np.zeros(2))


def test_jvp_nests_in_grad():
    # the derivative along (1, 1, 1) of the sum of cubes is 3 sum x^2, its gradient 6 x
    g = tg.grad(lambda x: tg.jvp(cubes, [x], [np.ones(3)])[1])(X)
    np.testing.assert_allclose(g, 6 * X)


@pytest.mark.parametrize("mode", ["reverse", "forward", "auto"])
def test_jacobian(backend, mode):
    f = lambda x: F.sin(x)[:2] * x[2]  # noqa: E731  # short
    expected = np.zeros((2, 3))
    expected[0, 0], expected[1, 1] = np.cos(X[:2]) * X[2]
    expected[:, 2] = np.sin(X[:2])
    close(backend, tg.jacobian(f, mode=mode)(array(backend, X)), expected)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_jacobian_of_several_arguments_and_values(mode):
    f = lambda a, b: (a * b, {"s": a.sum()})  # noqa: E731  # short
    (aa, ab), aux = tg.jacobian(f, argnums=(0, 1), mode=mode)(X, 2 * X)
    np.testing.assert_allclose(aa, np.diag(2 * X))
    np.testing.assert_allclose(ab, np.diag(X))
    sa, sb = aux["s"]
    np.testing.assert_allclose(sa, np.ones(3))
    np.testing.assert_allclose(sb, np.zeros(3))


@pytest.mark.parametrize("mode", ["reverse", "forward", "auto"])
def test_jacobian_at_a_constant_is_a_constant(mode):
    at = tg.jacobian(F.sin, mode=mode)
    j = at(Variable(X, requires_grad=False))
    assert isinstance(j, Variable)
    assert not j.requires_grad
    assert isinstance(tg.vmap(at)(np.stack([X, X])), np.ndarray)


def test_argnums_and_axes_of_numpy():
    close(backend_of(X), tg.grad(lambda x, y: (x * y).sum(), argnums=np.int64(1))(X, 2 * X), X)
    close(backend_of(X), tg.vmap(F.sum, in_axes=np.int64(1))(X[None]), X)


def test_jacobian_of_a_matrix_has_both_shapes():
    a = np.arange(6.0).reshape(2, 3)
    j = tg.jacobian(lambda m: m * m)(a)
    assert j.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(j.reshape(6, 6), np.diag(2 * a.ravel()))


def test_hessian_of_rosenbrock(backend):
    close(backend, tg.hessian(rosenbrock)(array(backend, X)), rosenbrock_hessian(X), tol=1e-10)


def test_hvp_is_the_hessian_times_the_direction(backend):
    v = np.array([1.0, -2.0, 0.5])
    (got,) = tg.hvp(rosenbrock, [array(backend, X)], [array(backend, v)])
    close(backend, got, rosenbrock_hessian(X) @ v, tol=1e-10)


def test_stop_gradient():
    np.testing.assert_allclose(tg.grad(lambda x: (x * tg.stop_gradient(x)).sum())(X), X)


def test_custom_gradient_is_used_and_differentiates_again():
    @tg.custom_gradient
    def doubled_slope(x):
        e = F.exp(x)
        return e, lambda gy: gy * e * 2.0

    np.testing.assert_allclose(tg.grad(doubled_slope)(1.0), 2 * np.e)
    np.testing.assert_allclose(tg.grad(tg.grad(doubled_slope))(1.0), 2 * np.e)


def test_custom_gradient_of_several_inputs_and_outputs():
    @tg.custom_gradient
    def both(x, y):
        return (x + y, x * y), lambda gs, gp: (gs + gp * y, gs + gp * x)

    s, p = both(Variable(np.array(2.0)), Variable(np.array(3.0)))
    assert (float(s), float(p)) == (5.0, 6.0)
    gx, gy = tg.grad(lambda x, y: both(x, y)[0] * both(x, y)[1], argnums=(0, 1))(2.0, 3.0)
    np.testing.assert_allclose([gx, gy], [6 + 5 * 3, 6 + 5 * 2])


def test_gradients_are_pure_and_take_values_in_between():
    x = Variable(X.copy())
    h = x * 2.0
    y = (h * h).sum()
    gh, gx = tg.gradients(y, [h, x])
    np.testing.assert_allclose(gh.data, 4 * X)
    np.testing.assert_allclose(gx.data, 8 * X)
    assert x.grad is None
    assert h.grad is None
    assert y.grad is None


def test_gradients_do_not_free_the_graph_above_their_inputs():
    x = Variable(X.copy())
    h = F.tanh(x)
    tg.gradients((h * h).sum(), h)
    h.sum().backward()  # what tanh saved is still there
    np.testing.assert_allclose(x.grad.data, 1 - np.tanh(X) ** 2)


def test_gradients_with_cotangents_and_again():
    x = Variable(X.copy())
    y = x**3
    (g,) = tg.gradients([y], [x], [Variable(X)], create_graph=True)
    np.testing.assert_allclose(g.data, 3 * X**3)
    (gg,) = tg.gradients([g.sum()], [x])
    np.testing.assert_allclose(gg.data, 6 * X**2)


def test_gradients_of_an_output_that_does_not_depend_on_the_input():
    x, y = Variable(X.copy()), Variable(X.copy())
    (g,) = tg.gradients((y * y).sum(), [x])
    np.testing.assert_array_equal(g.data, np.zeros(3))


def test_integers_and_numbers_as_inputs():
    np.testing.assert_allclose(tg.grad(lambda x: x * x)(3.0), 6.0)


class TestErrors:
    def test_a_value_that_is_no_scalar(self):
        with pytest.raises(TypeError, match=r"expected a function with a scalar value.*got shape \(3,\)"):
            tg.grad(lambda x: x * x)(X)

    def test_argnums_out_of_range(self):
        with pytest.raises(ValueError, match="expected positions below 1"):
            tg.grad(cubes, argnums=1)(X)

    def test_primals_and_tangents_are_tuples_or_lists(self):
        for transform in (tg.jvp, tg.hvp):
            name = transform.__name__
            with pytest.raises(TypeError, match=rf"{name}: expected primals as a tuple .* got ndarray"):
                transform(cubes, X[:1], X[:1])
            with pytest.raises(TypeError, match=rf"{name}: expected tangents as a tuple .* got ndarray"):
                transform(cubes, (X,), X)
            with pytest.raises(ValueError, match=rf"{name}: expected one tangent for each of 1 primals"):
                transform(cubes, (X,), (X, X))

    def test_directions_of_another_library(self):
        other = get_backend("array_api_strict").from_numpy(X)
        for call in (lambda: tg.jvp(F.sin, (X,), (other,)), lambda: tg.vjp(F.sin, X)[1](other)):
            with pytest.raises(TypeError, match=r"cotangent of numpy, .* got one of array_api_strict"):
                call()

    def test_has_aux_wants_a_pair(self):
        with pytest.raises(TypeError, match=r"expected a function that returns \(value, aux\); got Var"):
            tg.grad(cubes, has_aux=True)(X)

    def test_jvp_shape(self):
        with pytest.raises(ValueError, match=r"shape \(3,\); got \(2,\)"):
            tg.jvp(cubes, [X], [X[:2]])

    def test_vjp_shape(self):
        with pytest.raises(ValueError, match=r"shape \(3,\); got \(2,\)"):
            tg.vjp(lambda x: x * x, X)[1](X[:2])

    def test_jacobian_mode(self):
        with pytest.raises(ValueError, match="'reverse' or 'forward'; got 'backwards'"):
            tg.jacobian(cubes, mode="backwards")

    def test_gradients_wants_variables(self):
        with pytest.raises(TypeError, match="expected Variables as inputs; got ndarray"):
            tg.gradients(Variable(X), [X])

    def test_gradients_wants_inputs_in_the_graph(self):
        x = Variable(X, requires_grad=False)
        with pytest.raises(TypeError, match="requires no gradient"):
            tg.gradients(Variable(X), [x])

    def test_containers_of_other_structure(self):
        with pytest.raises(ValueError, match="containers of one structure"):
            tg.jvp(lambda p: p[0], [(X, X)], [(X,)])


def test_a_function_may_change_its_arguments_in_place():
    def f(x):
        x *= x
        x[0] = 1.0
        return (x * x).sum()

    a = np.array([2.0, 3.0])
    assert_close(tg.grad(f)(a), [0.0, 4 * 3.0**3])
    assert_close(tg.hessian(f)(a), [[0.0, 0.0], [0.0, 12 * 3.0**2]])
    assert_close(a, [2.0, 3.0], rtol=0)
    v = Variable(a)
    (tg.value_and_grad(f)(v)[0]).backward()
    assert_close(v, [2.0, 3.0], rtol=0)
    assert_close(v.grad, [0.0, 108.0])
