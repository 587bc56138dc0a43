"""scipy.integrate, differentiate, optimize, linalg, interpolate, constants."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import constants, differentiate, integrate, interpolate, linalg, optimize
from scipy.optimize import elementwise

from consumers.call import LINE, LINE2, SQUARE, Call, P, U, X, Y, namespace

GRID = np.cumsum(U.ravel()[:16] + 0.2)
A = P[0, :4]
B = np.asarray([2.1, 3.2, 1.4, 0.9])


def wave(t: Any, a: Any) -> Any:
    """A smooth function of time with a parameter."""
    xp = namespace(t)
    return xp.sin(a * t) * xp.exp(-t * t)


def cube(x: Any, a: Any) -> Any:
    """Has one root, which depends on the parameter."""
    return x * x * x + x - a


def bowl(x: Any, a: Any) -> Any:
    """Has one minimum, which depends on the parameter."""
    xp = namespace(x)
    return xp.exp(x) - a * x


def gaussians(t: Any, a: Any) -> Any:
    """Values at points of shape (n, 2) for every parameter."""
    xp = namespace(t)
    squares = xp.sum(t * t, axis=-1)
    return xp.exp(-squares[:, None] * a[None, :])


def _cubature(a: Any) -> Any:
    xp = namespace(a)
    low, high = xp.asarray([0.0, 0.0]), xp.asarray([1.0, 2.0])
    return integrate.cubature(gaussians, low, high, args=(a,), rtol=1e-9).estimate


def _cubature_limits(high: Any) -> Any:
    xp = namespace(high)
    a = xp.asarray([0.7, 1.1])
    return integrate.cubature(gaussians, xp.zeros_like(high), high, args=(a,), rtol=1e-9).estimate


def _tanhsinh(a: Any) -> Any:
    xp = namespace(a)
    return integrate.tanhsinh(wave, xp.asarray(0.0), xp.asarray(2.0), args=(a,)).integral


def _tanhsinh_limits(low: Any, high: Any) -> Any:
    return integrate.tanhsinh(lambda t: wave(t, 1.3), low, high).integral


def _tanhsinh_infinite(a: Any) -> Any:
    xp = namespace(a)
    f = lambda t, a: xp.exp(-a * t * t)  # noqa: E731
    return integrate.tanhsinh(f, xp.asarray(-xp.inf), xp.asarray(xp.inf), args=(a,)).integral


def _nsum(a: Any) -> Any:
    xp = namespace(a)
    return integrate.nsum(lambda k, a: 1 / k**a, xp.asarray(1.0), xp.asarray(xp.inf), args=(a,)).sum


def _derivative(x: Any, a: Any) -> Any:
    return differentiate.derivative(wave, x, args=(a,)).df


def _jacobian(x: Any) -> Any:
    def f(x: Any) -> Any:
        xp = namespace(x)
        return xp.stack([x[0, ...] * x[1, ...], xp.sin(x[0, ...])], axis=0)

    return differentiate.jacobian(f, x).df


def _hessian(x: Any) -> Any:
    def f(x: Any) -> Any:
        xp = namespace(x)
        return xp.exp(x[0, ...]) * x[1, ...] ** 2

    return differentiate.hessian(f, x).ddf


def _find_root(a: Any) -> Any:
    xp = namespace(a)
    return elementwise.find_root(cube, (xp.zeros_like(a), xp.ones_like(a) * 3.0), args=(a,)).x


def _bracketed_root(a: Any) -> Any:
    xp = namespace(a)
    bracket = elementwise.bracket_root(cube, xp.zeros_like(a), args=(a,)).bracket
    return elementwise.find_root(cube, bracket, args=(a,)).x


def _find_minimum(a: Any) -> Any:
    xp = namespace(a)
    init = (xp.ones_like(a) * -3.0, xp.zeros_like(a) + 0.1, xp.ones_like(a) * 3.0)
    return elementwise.find_minimum(bowl, init, args=(a,)).f_x


def _minimum(a: Any) -> Any:
    xp = namespace(a)
    init = (xp.ones_like(a) * -3.0, xp.zeros_like(a) + 0.1, xp.ones_like(a) * 3.0)
    return elementwise.find_minimum(bowl, init, args=(a,)).x


def _ppoly(c: Any) -> Any:
    xp = namespace(c)
    return interpolate.PPoly(c, xp.asarray([0.0, 1.0, 2.0, 3.0]))(xp.asarray([0.5, 1.7]))


def _bspline(c: Any) -> Any:
    xp = namespace(c)
    return interpolate.BSpline(xp.asarray([0.0, 0.0, 1.0, 2.0, 3.0, 3.0]), c, 1)(xp.asarray([0.5, 1.7]))


def _grid(v: Any) -> Any:
    xp = namespace(v)
    axes = (xp.asarray([0.0, 1.0, 2.0, 3.0]), xp.asarray([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    return interpolate.RegularGridInterpolator(axes, v)(xp.asarray([[0.5, 1.5], [2.2, 3.3]]))


CALLS = [
    Call("scipy.integrate.trapezoid", lambda y: integrate.trapezoid(y, dx=0.3, axis=1), (X,)),
    Call("scipy.integrate.trapezoid, x", integrate.trapezoid, (LINE, GRID)),
    Call(
        "scipy.integrate.cumulative_trapezoid",
        integrate.cumulative_trapezoid,
        (LINE, GRID),
    ),
    Call("scipy.integrate.simpson", lambda y: integrate.simpson(y, dx=0.3, axis=1), (X,)),
    Call("scipy.integrate.simpson, x", lambda y, x: integrate.simpson(y, x=x), (LINE, GRID)),
    Call("scipy.integrate.cumulative_simpson", lambda y: integrate.cumulative_simpson(y, dx=0.3), (LINE,)),
    Call("scipy.integrate.romb", integrate.romb, (LINE2[:9],)),
    Call("scipy.integrate.cubature", _cubature, (A,)),
    Call("scipy.integrate.cubature, limits", _cubature_limits, (B[:2],)),
    Call("scipy.integrate.tanhsinh", _tanhsinh, (A,)),
    Call("scipy.integrate.tanhsinh, limits", _tanhsinh_limits, (A - 1, B)),
    Call("scipy.integrate.tanhsinh, infinite", _tanhsinh_infinite, (A,)),
    Call("scipy.integrate.nsum", _nsum, (B + 1.5,)),
    Call("scipy.integrate.quad", lambda a: integrate.quad(lambda t: t * a[0], 0, 1)[0], (A,)),
    Call("scipy.integrate.quad_vec", lambda a: integrate.quad_vec(lambda t: t * a, 0, 1)[0], (A,)),
    Call("scipy.integrate.fixed_quad", lambda a: integrate.fixed_quad(lambda t: t * a[0], 0, 1)[0], (A,)),
    Call("scipy.integrate.solve_ivp", lambda y: integrate.solve_ivp(lambda t, y: -y, (0, 1), y).y, (A,)),
    # The extrapolation divides differences by small steps: what is left is good to about 1e-8.
    Call("scipy.differentiate.derivative", _derivative, (A, B), 1e-5),
    Call("scipy.differentiate.jacobian", _jacobian, (A[:2],), 1e-5),
    Call("scipy.differentiate.hessian", _hessian, (A[:2],), 1e-4),
    Call("scipy.optimize.elementwise.find_root", _find_root, (B,)),
    Call("scipy.optimize.elementwise.bracket_root", _bracketed_root, (B,)),
    Call("scipy.optimize.elementwise.find_minimum, f_x", _find_minimum, (B,)),
    # Where a value is smallest is known to half its digits.
    Call("scipy.optimize.elementwise.find_minimum, x", _minimum, (B,), 1e-4),
    Call("scipy.optimize.rosen", optimize.rosen, (LINE,)),
    Call("scipy.optimize.rosen_der", optimize.rosen_der, (LINE,)),
    Call("scipy.optimize.rosen_hess", optimize.rosen_hess, (LINE,)),
    Call("scipy.optimize.rosen_hess_prod", optimize.rosen_hess_prod, (LINE, LINE2)),
    Call(
        "scipy.optimize.root_scalar", lambda a: optimize.root_scalar(lambda x: x**3 - a[0], x0=1.0).root, (B,)
    ),
    Call("scipy.optimize.linear_sum_assignment", lambda c: optimize.linear_sum_assignment(c)[0], (SQUARE,)),
    *(
        Call(f"scipy.linalg.{name}", function, (SQUARE,))
        for name, function in {
            "det": linalg.det,
            "inv": linalg.inv,
            "solve": lambda a: linalg.solve(a, a[:, 0]),
            "cholesky": lambda a: linalg.cholesky(a @ a.T),
            "eigh": lambda a: linalg.eigh(a + a.T)[0],
            "svd": lambda a: linalg.svd(a)[1],
            "qr": lambda a: linalg.qr(a)[1],
            "norm": linalg.norm,
            "expm": linalg.expm,
            "logm": linalg.logm,
            "pinv": linalg.pinv,
            "lstsq": lambda a: linalg.lstsq(a, a[:, 0])[0],
        }.items()
    ),
    Call("scipy.linalg.block_diag", linalg.block_diag, (X, Y)),
    Call("scipy.linalg.fiedler", linalg.fiedler, (LINE,)),
    Call(
        "scipy.linalg.orthogonal_procrustes",
        lambda a, b: linalg.orthogonal_procrustes(a, b)[0],
        (P.T[:, :3], Y.T[:, :3]),
    ),
    Call("scipy.linalg.toeplitz", linalg.toeplitz, (LINE,)),
    Call("scipy.linalg.khatri_rao", linalg.khatri_rao, (X, Y)),
    Call(
        "scipy.interpolate.CubicSpline, in y",
        lambda x, y: interpolate.CubicSpline(x, y)(x[1:3] + 0.1),
        (GRID, LINE),
    ),
    Call("scipy.interpolate.PPoly", _ppoly, (SQUARE,)),
    Call("scipy.interpolate.BSpline", _bspline, (A,)),
    Call(
        "scipy.interpolate.make_interp_spline",
        lambda x, y: interpolate.make_interp_spline(x, y)(x),
        (GRID, LINE),
    ),
    Call(
        "scipy.interpolate.RegularGridInterpolator",
        _grid,
        (X,),
    ),
    Call(
        "scipy.interpolate.RBFInterpolator",
        lambda y, d: interpolate.RBFInterpolator(y, d)(y + 0.1),
        (np.stack([LINE[:6], LINE2[:6]], axis=1), A[[0, 1, 2, 3, 0, 1]]),
    ),
    Call("scipy.constants.convert_temperature", lambda t: constants.convert_temperature(t, "C", "F"), (X,)),
    Call("scipy.constants.lambda2nu", lambda x: constants.lambda2nu(x) * 1e-8, (P,)),
]
