"""The programs in examples/, against figures that were computed without tensorgrad."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def ode_fit() -> Any:
    pytest.importorskip("scipy")
    if not hasattr(np, "unstack"):
        pytest.skip("the example computes with plain NumPy arrays too, and numpy.unstack came with 2.1")
    spec = importlib.util.spec_from_file_location("ode_fit", EXAMPLES / "ode_fit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fitted(ode_fit: Any) -> Any:
    return ode_fit.fit()


def solution(p: Any) -> Any:
    """log u and log v of every year by SciPy's solver, of order 8 and variable step."""
    from scipy.integrate import solve_ivp

    def rates(_: float, y: Any) -> Any:
        u, v = np.exp(y)
        return [p[0] - p[1] * v, p[3] * u - p[2]]

    options = {"method": "DOP853", "rtol": 1e-9, "atol": 1e-9}
    return solve_ivp(rates, (0, 20), np.log(p[4:6]), t_eval=np.arange(21), **options).y.T


def test_the_solver_agrees_with_scipy(ode_fit: Any) -> None:
    p = np.array([0.54, 0.0272, 0.7966, 0.0237, 34.6, 5.84, 0.2, 0.2])
    np.testing.assert_allclose(ode_fit.solve(p), solution(p), atol=1e-4)
    np.testing.assert_allclose(ode_fit.solve(p, steps=20, every=20), solution(p), atol=1e-6)


def test_the_fit_is_that_of_least_squares(ode_fit: Any, fitted: Any) -> None:
    """Least squares in the logarithms, the weights improved until they are those of the residuals."""
    from scipy.optimize import least_squares

    logs = np.log(ode_fit.COUNTS)
    q, sigma = np.log([0.5, 0.02, 0.8, 0.02, 30.0, 5.0]), np.ones(2)
    for _ in range(6):
        q = least_squares(lambda q, s=sigma: ((logs - solution(np.exp(q))) / s).ravel(), q, xtol=1e-10).x
        sigma = np.sqrt(np.mean((logs - solution(np.exp(q))) ** 2, axis=0))
    # The steps of the example's solver are 1e-4 off in the logarithms; so are the estimates.
    np.testing.assert_allclose(fitted.estimates, [*np.exp(q), *sigma], rtol=3e-4)
    assert np.abs(fitted.gradient).max() < 1e-4


def test_the_fit_is_near_the_published_one(fitted: Any) -> None:
    published = np.array([0.55, 0.028, 0.80, 0.024])
    # Means of a posterior, to two digits; these are its mode without the priors.
    np.testing.assert_allclose(fitted.estimates[:4], published, rtol=0.05)
    assert np.all(fitted.intervals[:4, 0] < published)
    assert np.all(fitted.intervals[:4, 1] > published)


def test_the_intervals_are_those_of_a_hessian_by_differences(ode_fit: Any, fitted: Any) -> None:
    def value(q: Any) -> float:
        p = np.exp(q)
        residuals = (np.log(ode_fit.COUNTS) - solution(p)) / p[6:]
        return 0.5 * float(np.sum(residuals**2)) + 21 * float(np.sum(q[6:]))

    q, h = np.log(fitted.estimates), 1e-3 * np.eye(8)
    hessian = np.empty((8, 8))
    for i in range(8):
        for j in range(i + 1):
            ends = value(q + h[i] + h[j]) - value(q + h[i] - h[j]) - value(q - h[i] + h[j])
            hessian[i, j] = hessian[j, i] = (ends + value(q - h[i] - h[j])) / 4e-6
    spread = 1.959964 * np.sqrt(np.diag(np.linalg.inv(hessian)))
    # Differences of second order with steps of 1e-3, and a solver that is 1e-4 off.
    np.testing.assert_allclose(np.log(fitted.intervals[:, 1]) - q, spread, rtol=3e-3)


def test_the_program_prints_and_draws(
    ode_fit: Any, fitted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "fit.png"
    monkeypatch.setattr(ode_fit, "fit", lambda: fitted)
    monkeypatch.setattr(sys, "argv", ["ode_fit.py", str(picture)])
    ode_fit.main()
    printed = capsys.readouterr().out
    assert "alpha           0.54" in printed
    assert "period of small cycles: 9.6 years" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
