"""Special functions: the plain formulas over wide ranges, at the edges, and where SciPy looks for them."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import array_api_compat.numpy as plain
import numpy as np
import pytest
from scipy import special as scipy_special

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad import Variable
from tensorgrad.core import namespace_of
from tensorgrad.functions import (
    special,
    special_bessel,
    special_bessel_jy,
    special_bessel_k,
    special_beta,
    special_degrees,
    special_distributions,
    special_entropy,
    special_gamma,
    special_gamma_ratios,
    special_incomplete,
    special_integrals,
    special_normal,
    special_powers,
)
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(0)
EDGES = np.asarray([0.0, -0.0, math.inf, -math.inf, math.nan])
LINE = np.concatenate([np.linspace(-30, 30, 1001), 10 ** np.linspace(-20, 4, 100), EDGES])
POSITIVE = np.concatenate([np.linspace(0.001, 40, 1001), 10 ** RNG.uniform(-20, 15, 200)])
RANGE = np.concatenate([10 ** np.linspace(-8, 2.4, 1001), EDGES[:2], [-1.0, math.nan]])
DEGREES = np.linspace(-720, 720, 1441)
LEFT = np.concatenate([np.linspace(-20.3, 0.9, 800), [0.0, -1.0, -2.0, -7.0]])
UNIT = np.concatenate([np.linspace(0, 1, 1001), 10 ** np.linspace(-300, -1, 200), [-0.1, 1.1, math.nan]])

# Name, formula, SciPy's function, where, and how near they are, relative or absolute. Where it is not some
# units in the last place of numbers of size 1, SciPy's value is the one that is off, or the condition of the
# function magnifies the rounding of its argument.
ONE_ARGUMENT = {
    "erf": (special.erf_by_formula, scipy_special.erf, LINE, 2e-15, 0),
    "erfc": (special.erfc_by_formula, scipy_special.erfc, LINE, 2e-13, 1e-300),
    "erfcx": (special.erfcx_by_formula, scipy_special.erfcx, LINE[LINE > -26], 2e-13, 0),
    "ndtr": (special_normal.ndtr_by_formula, scipy_special.ndtr, LINE, 4e-13, 1e-300),
    "log_ndtr": (special_normal.log_ndtr_by_formula, scipy_special.log_ndtr, LINE, 4e-13, 1e-300),
    "ndtri": (special_normal.ndtri_by_formula, scipy_special.ndtri, UNIT, 4e-15, 0),
    "erfinv": (special_normal.erfinv_by_formula, scipy_special.erfinv, 2 * UNIT - 1, 4e-15, 0),
    "erfcinv": (special_normal.erfcinv_by_formula, scipy_special.erfcinv, 2 * UNIT, 4e-15, 0),
    "gammaln": (special_gamma.gammaln_by_formula, scipy_special.gammaln, POSITIVE, 1e-14, 1e-14),
    "gammaln, left": (special_gamma.gammaln_by_formula, scipy_special.gammaln, LEFT, 2e-14, 1e-13),
    "gamma": (special_gamma.gamma_by_formula, scipy_special.gamma, np.linspace(0.01, 171, 999), 1e-14, 0),
    "gamma, left": (special_gamma.gamma_by_formula, scipy_special.gamma, LEFT, 1e-13, 0),
    "gamma, edges": (special_gamma.gamma_by_formula, scipy_special.gamma, EDGES[:3], 1e-15, 0),
    "digamma": (special_gamma.digamma_by_formula, scipy_special.digamma, POSITIVE, 1e-14, 1e-14),
    "digamma, left": (special_gamma.digamma_by_formula, scipy_special.digamma, LEFT, 1e-12, 1e-13),
    "i0e": (special_bessel.i0e_by_formula, scipy_special.i0e, LINE[:-3], 4e-15, 0),
    "i1e": (special_bessel.i1e_by_formula, scipy_special.i1e, LINE[:-3], 4e-15, 1e-300),
    "i0": (special_bessel.i0_by_formula, scipy_special.i0, np.linspace(-700, 700, 999), 4e-13, 0),
    "i1": (special_bessel.i1_by_formula, scipy_special.i1, np.linspace(-700, 700, 999), 4e-13, 0),
    "entr": (
        special_entropy._entr,
        scipy_special.entr,
        np.concatenate([POSITIVE, EDGES[:2], [-1.0]]),
        1e-15,
        0,
    ),
    "logit": (special_entropy._logit, scipy_special.logit, UNIT, 4e-15, 1e-16),
    "cbrt": (special_powers._cbrt, scipy_special.cbrt, LINE, 1e-15, 0),
    "exprel": (
        special_powers._exprel,
        scipy_special.exprel,
        LINE[np.isfinite(LINE) & (LINE < 700)],
        1e-14,
        0,
    ),
    **{
        name: (
            getattr(special_bessel_jy, f"{name}_by_formula"),
            getattr(scipy_special, name),
            RANGE,
            0,
            3e-15,
        )
        for name in ("j0", "j1")
    },
    **{
        name: (
            getattr(special_bessel_jy, f"{name}_by_formula"),
            getattr(scipy_special, name),
            RANGE,
            1e-15,
            atol,
        )
        for name, atol in [("y0", 3e-14), ("y1", 3e-14)]
    },
    **{
        name: (getattr(special_bessel_k, f"{name}_by_formula"), getattr(scipy_special, name), RANGE, 3e-15, 0)
        for name in ("k0", "k1", "k0e", "k1e")
    },
    "exp1": (lambda xp, x: special_integrals.expn_by_formula(xp, 1, x), scipy_special.exp1, RANGE, 1e-14, 0),
    "expi": (special_integrals.expi_by_formula, scipy_special.expi, RANGE, 5e-14, 1e-15),
    "expi, left": (special_integrals.expi_by_formula, scipy_special.expi, -RANGE, 1e-14, 0),
    "spence": (special_integrals.spence_by_formula, scipy_special.spence, RANGE, 5e-15, 1e-15),
    "ellipkm1": (
        special_integrals.ellipkm1_by_formula,
        scipy_special.ellipkm1,
        np.concatenate([10 ** np.linspace(-300, 1, 400), EDGES]),
        2e-15,
        0,
    ),
    "rgamma": (special_gamma_ratios.rgamma_by_formula, scipy_special.rgamma, LEFT, 1e-13, 0),
    "cosdg": (special_degrees.cosdg_by_formula, scipy_special.cosdg, DEGREES, 0, 1e-15),
    "sindg": (special_degrees.sindg_by_formula, scipy_special.sindg, DEGREES, 0, 1e-15),
}


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_a_formula_agrees_with_scipy(name):
    formula, reference, x, rtol, atol = ONE_ARGUMENT[name]
    with np.errstate(all="ignore"):  # infinity and nan are what is asked for at some of these
        got = formula(plain, x)
    assert_close(got, reference(x), rtol=rtol, atol=atol, what=name)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_formula_of_polygamma(n):
    right = POSITIVE[POSITIVE > 1e-3]
    got = special_gamma.polygamma_by_formula(plain, n, right)
    assert_close(got, scipy_special.polygamma(n, right), rtol=1e-14, atol=0)
    left = np.linspace(-6.3, -0.05, 101)
    with np.errstate(all="ignore"):
        got = special_gamma.polygamma_by_formula(plain, n, left)
    assert_close(
        got, scipy_special.polygamma(n, left), rtol=1e-11, atol=1e-9
    )  # zeros, and cancellation there


@pytest.mark.parametrize("s", [1.1, 2.0, 3.5, 7.0])
def test_the_formula_of_zeta(s):
    q = 10 ** RNG.uniform(-5, 8, 300)
    assert_close(special_gamma.zeta_by_formula(plain, s, q), scipy_special.zeta(s, q), rtol=1e-14, atol=0)


def test_the_formula_of_betaln():
    """SciPy's is off in the tenth digit for large arguments: exact integers show which one is right."""
    a, b = 10 ** RNG.uniform(-3, 2, (2, 1000))
    assert_close(
        special_beta.betaln_by_formula(plain, a, b), scipy_special.betaln(a, b), rtol=1e-13, atol=1e-13
    )
    n, k = 50_000, 30_000  # 1 / beta(n - k + 1, k) = k * binom(n, k)
    want = -math.log(math.comb(n, k)) - math.log(k)
    got = special_beta.betaln_by_formula(plain, np.asarray(n - k + 1.0), np.asarray(float(k)))
    assert_close(got, np.asarray(want), rtol=1e-14)


def test_the_formula_of_binom():
    n = np.repeat(np.arange(0.0, 50.0), 5)
    k = np.floor(n * np.tile(np.linspace(0.0, 1.0, 5), 50))
    want = np.asarray([float(math.comb(int(i), int(j))) for i, j in zip(n, k, strict=True)])
    assert_close(special_beta.binom_by_formula(plain, n, k), want, rtol=1e-13, atol=0)
    outside = special_beta.binom_by_formula(plain, np.asarray([3.0, 3.0]), np.asarray([-1.0, 4.0]))
    assert_close(outside, np.zeros(2))


def test_the_formulas_of_incomplete_functions():
    a = 10 ** RNG.uniform(-3, 4, 300)
    x = a * 10 ** RNG.uniform(-1, 1, 300)
    lower, upper = special_incomplete.gammainc_pair(plain, a, x)
    assert_close(lower, scipy_special.gammainc(a, x), rtol=1e-12, atol=1e-14)
    assert_close(upper, scipy_special.gammaincc(a, x), rtol=1e-12, atol=1e-14)
    b = 10 ** RNG.uniform(-2, 4, 300)
    x = RNG.uniform(0, 1, 300)
    got = special_incomplete.betainc_by_formula(plain, a, b, x)
    assert_close(got, scipy_special.betainc(a, b, x), rtol=1e-11, atol=1e-12)
    df, t = 10 ** RNG.uniform(-1, 4, 300), 3 * RNG.standard_normal(300)
    got = special_distributions.stdtr_by_formula(plain, df, t)
    assert_close(got, scipy_special.stdtr(df, t), rtol=1e-11, atol=1e-12)


def test_incomplete_functions_at_the_edges():
    inf, nan = math.inf, math.nan
    a, x = np.asarray(
        [(0, 0), (0, 1), (1, 0), (-1, 1), (1, -1), (inf, 1), (1, inf), (inf, inf), (nan, 1), (1, nan)]
    ).T
    lower, upper = special_incomplete.gammainc_pair(plain, a, x)
    assert_close(lower, scipy_special.gammainc(a, x))
    assert_close(upper, scipy_special.gammaincc(a, x))
    a, b, x = np.asarray([(1, 2, 0), (1, 2, 1), (1, 2, -1), (1, 2, 2), (nan, 1, 0.5), (1, 1, nan)]).T
    assert_close(special_incomplete.betainc_by_formula(plain, a, b, x), scipy_special.betainc(a, b, x))
    df, t = np.asarray([(1.0, inf), (1.0, -inf), (1.0, 1e200), (3.0, nan)]).T
    with np.errstate(over="ignore"):
        assert_close(special_distributions.stdtr_by_formula(plain, df, t), np.asarray([1.0, 0.0, 1.0, nan]))


PAIRS = {
    "xlogy": (special_entropy._xlogy, 0.0),
    "xlog1py": (special_entropy._xlog1py, -1.0),
    "rel_entr": (special_entropy._rel_entr, 0.0),
    "kl_div": (special_entropy._kl_div, 0.0),
}


@pytest.mark.parametrize("name", PAIRS)
def test_products_with_logarithms_at_the_edges(name):
    formula, pole = PAIRS[name]
    x, y = np.meshgrid([0.0, 0.5, 2.0, math.nan], [pole, 0.5, 3.0, math.nan])
    with np.errstate(all="ignore"):
        assert_close(formula(plain, x, y), getattr(scipy_special, name)(x, y), rtol=1e-14)


@pytest.mark.parametrize("name", PAIRS)
def test_where_both_are_at_the_pole_both_gradients_are_zero(name, var):
    x, y = var([0.0, 0.5]), var([PAIRS[name][1], 0.5])
    with np.errstate(all="ignore"):
        getattr(F, name)(x, y).sum().backward()
    assert (to_numpy(x.grad)[0], to_numpy(y.grad)[0]) == (0.0, 0.0)
    assert np.isfinite(to_numpy(x.grad)).all()
    assert np.isfinite(to_numpy(y.grad)).all()


@pytest.mark.parametrize("name", ["i0", "i1", "i0e", "i1e", "exprel", "sinc"])
def test_first_and_second_slope_at_zero(name, var):
    want = {"i0": (0, 0.5), "i1": (0.5, 0), "i1e": (0.5, None), "exprel": (1 / 2, 1 / 3), "i0e": (0, None)}
    first, second = want.get(name, (0, -(math.pi**2) / 3))
    x = var([0.0])
    getattr(F, name)(x).sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    assert_close(g, np.asarray([float(first)]), atol=1e-15)
    if second is not None:  # the scaled ones have a kink there, or a jump of the second slope
        g.sum().backward()
        assert_close(x.grad, np.asarray([float(second)]), rtol=1e-12)


def test_slopes_in_the_tails_of_the_normal_distribution(var):
    x = var([-1e5, -40.0, 0.0, 40.0, 1e5])
    F.log_ndtr(x).sum().backward(create_graph=True)
    assert_close(
        x.grad, np.asarray([1e5, 40.024968827179, 0.797884560802865, 0.0, 0.0]), rtol=1e-9, atol=1e-200
    )
    g, x.grad = x.grad, None
    g.sum().backward()
    assert np.isfinite(to_numpy(x.grad)).all()


def test_third_derivatives(var):
    check_gradients(F.gammaln, [var([0.5, 3.0])], order=3)
    check_gradients(F.digamma, [var([0.5, 3.0])], order=3)


@pytest.mark.parametrize("name", ["gammaln", "erfc", "ndtr", "i0", "exprel", "expit", "log_ndtr"])
def test_float32_and_integers(name, backend):
    f = getattr(F, name)
    narrow = f(Variable(backend.from_numpy(np.asarray([0.25, 0.5], dtype=np.float32))))
    assert str(narrow.dtype).endswith("float32")
    of_integers = f(backend.from_numpy(np.asarray([1, 2])))
    assert backend.is_floating(of_integers.dtype)  # torch's default is float32
    want = to_numpy(f(backend.from_numpy(np.asarray([1.0, 2.0]))))
    np.testing.assert_allclose(to_numpy(of_integers), want, rtol=1e-6)


def test_numbers_beside_arrays_are_weak(backend):
    x = Variable(backend.from_numpy(np.asarray([0.25, 0.5], dtype=np.float32)))
    for y in (
        F.xlogy(x, 2.0),
        F.gammainc(2.0, x),
        F.betaln(x, 3),
        F.stdtr(2, x),
        F.polygamma(2, x),
        F.zeta(2, x),
    ):
        assert str(y.dtype).endswith("float32")
    assert F.gammaln(5).item() == pytest.approx(math.log(24))


# Function, arguments, which of them, and the derivative in it, by mpmath in 30 digits.
IN_PARAMETERS = [
    ("gammainc", (1e-3, 1e-5), 0, -10.818398299),
    ("gammainc", (0.5, 4.0), 0, -1.6565975347e-02),
    ("gammainc", (300.0, 250.0), 0, -2.3004318207e-04),
    ("gammaincc", (300.0, 400.0), 0, 2.2422099845e-08),
    ("betainc", (0.01, 0.02, 0.3), 0, -22.588449241),
    ("betainc", (0.01, 0.02, 0.3), 1, 11.027595790),
    ("betainc", (1000.0, 0.5, 0.99), 0, -7.7420206863e-08),
    ("betainc", (1000.0, 0.5, 0.9999), 1, 0.82284442332),
    ("betainc", (300.0, 300.0, 0.6), 1, 8.7306519488e-08),
    ("stdtr", (0.01, -0.5), 0, -0.88637939834),
    ("stdtr", (80.0, 8.0), 0, 3.0092791596e-13),
    ("stdtr", (0.5, 40.0), 0, 0.20103766129),
]


@pytest.mark.parametrize(("name", "args", "number", "want"), IN_PARAMETERS)
def test_derivatives_in_parameters(var, name, args, number, want):
    inputs = [var(x) for x in args]
    getattr(F, name)(*inputs).backward()
    assert inputs[number].grad.item() == pytest.approx(want, rel=1e-9)


def test_derivatives_in_parameters_at_the_ends(var):
    """The function is 0 or 1 there, whatever the parameter is."""
    ends = [(F.gammainc, [0.0, math.inf]), (F.stdtr, [-math.inf, 0.0, math.inf])]
    ends.append((lambda a, x: F.betainc(a, 2.0, x), [0.0, 1.0]))
    for function, at in ends:
        a = var([2.0] * len(at))
        function(a, var(at, requires_grad=False)).sum().backward()
        assert_close(a.grad, [0.0] * len(at), atol=0)


def test_zeta_has_no_derivative_in_its_order(var):
    with pytest.raises(ValueError, match="zeta: there is no derivative in s"):
        F.zeta(var(2.0), var([0.5]))


def test_wrong_orders(var):
    x = var([0.5])
    for call, message in (
        (lambda: F.polygamma(-1, x), "expected an integer n that is not negative; got -1"),
        (lambda: F.polygamma(1.5, x), "got 1.5"),
        (lambda: F.zeta(1.0, x), "expected s > 1; got 1.0"),
        (lambda: F.multigammaln(x, 0), "expected d to be a positive integer; got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# -- where they are found ----------------------------------------------------------------------------------


def test_the_namespace_and_the_module_have_the_same(backend):
    of_namespace = namespace_of(backend).special
    names = [name for name in vars(tg.special) if hasattr(getattr(tg.special, name), "__samples__")]
    assert sorted(names) == dir(of_namespace)
    assert all(getattr(of_namespace, name) is getattr(tg.special, name) for name in names)
    with pytest.raises(AttributeError, match="special has no attribute 'wofz'"):
        _ = of_namespace.wofz


def test_without_a_library_the_formulas_serve(backend, monkeypatch):
    """What the table of the ops shows of the library's own functions holds for the formulas as well."""
    none = SimpleNamespace(special=lambda name: None)
    x = backend.from_numpy(np.asarray([0.3, 1.7]))
    with_library = [
        to_numpy(getattr(F, name)(x)) for name in ("erfc", "ndtr", "gammaln", "digamma", "i0", "i1e")
    ]
    monkeypatch.setattr(special, "library_function", lambda backend, name: none.special(name))
    for name, want in zip(("erfc", "ndtr", "gammaln", "digamma", "i0", "i1e"), with_library, strict=True):
        assert_close(to_numpy(getattr(F, name)(x)), want, rtol=1e-13)


SCRIPT = """
import numpy as np, scipy.special, tensorgrad as tg
v = tg.Variable(np.asarray([0.25, 0.5]))
for y, slope in (
    (scipy.special.gammaln(v), scipy.special.digamma),
    (scipy.special.ndtr(v), lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
    (scipy.special.xlogy(v, v), lambda x: np.log(x) + 1),
    (scipy.special.psi(v), lambda x: scipy.special.polygamma(1, x)),
    (scipy.special.rel_entr(v, 2 * v), lambda x: np.log(0.5) + 0 * x),
):
    v.cleargrad()
    y.sum().backward()
    np.testing.assert_allclose(v.grad.data, slope(v.data), rtol=1e-12)
print("agreed")
"""


def test_scipy_finds_them_there():
    env = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "agreed\n", done.stderr


def test_integrals_of_higher_order_and_rising_factorials():
    x = 10 ** RNG.uniform(-6, 2, 300)
    for n in (2, 3, 7):
        got = special_integrals.expn_by_formula(plain, n, x)
        assert_close(got, scipy_special.expn(n, x), rtol=3e-14, atol=0)
        assert special_integrals.expn_by_formula(plain, n, np.zeros(1))[0] == 1 / (n - 1)
    z, m = np.linspace(-5.3, 30, 199)[:, None], np.linspace(-3.1, 8, 77)
    got = special_gamma_ratios.poch_by_formula(plain, z, m)
    assert_close(got, scipy_special.poch(z, m), rtol=2e-12, atol=0)


def test_derivatives_at_removable_singularities():
    """Where a formula of the derivative is 0/0: the limits, from the series of the functions."""
    for f, x, slope, second in [
        (F.j1, 0.0, 0.5, 0.0),
        (F.spence, 1.0, -1.0, 0.5),
        (F.ellipk, 0.0, math.pi / 8, 9 * math.pi / 64),
        (F.rgamma, -2.0, 2.0, None),
        (lambda y: F.inv_boxcox(1.0, y), 0.0, -math.e / 2, 11 * math.e / 12),
    ]:
        v = Variable(np.asarray([x]))
        f(v).backward(create_graph=True)
        (g,) = (v.grad,)
        assert_close(g, np.asarray([slope]), rtol=1e-14, atol=0)
        if second is not None:
            v.cleargrad()
            g.backward()
            assert_close(v.grad, np.asarray([second]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", [-1, 0.5, np.asarray([1, 2])])
def test_an_order_is_one_whole_number(order):
    with pytest.raises(ValueError, match="expected the order to be one integer that is not negative"):
        F.expn(order, Variable(np.ones(2)))


def test_a_pole_that_a_mask_threw_away_leaves_no_nan():
    functions = {
        **{name: getattr(F, name) for name in ("digamma", "gammaln", "k0", "k1", "y0", "y1", "exp1", "expi")},
        **{name: getattr(F, name) for name in ("spence", "ellipkm1", "rgamma", "loggamma")},
        "polygamma": lambda x: F.polygamma(1, x),
        "zeta": lambda x: F.zeta(2.0, x),
        "expn": lambda x: F.expn(2, x),
        "poch": lambda x: F.poch(x, 1.5),
        "betaln": lambda x: F.betaln(x, 1.5),
    }
    for name, f in functions.items():
        x, alone = Variable(np.asarray([0.0, 0.5])), Variable(np.asarray([0.5]))
        with np.errstate(all="ignore"):
            F.where(x.data > 0, f(x), 0.0).sum().backward()
        f(alone).backward()
        assert x.grad.data[0] == 0.0, name
        assert x.grad.data[1] == alone.grad.data[0], name
