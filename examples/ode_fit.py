"""Fit a differential equation to measurements, by gradients through its solver.

The Hudson's Bay Company counted the pelts of snowshoe hares and of lynxes that it bought, year by year. The
counts of 1900 to 1920, which come with the package, rise and fall as the equations of Lotka and Volterra say
that prey u and predators v do:

    du/dt = (alpha - beta v) u,      dv/dt = (delta u - gamma) v

Unknown are the four rates, the two numbers at the start, and how far the counts scatter about the solution;
the errors of measurement are taken as log-normal. The solver is the classical Runge-Kutta method in ten
lines, written for arrays of any library: given Variables, each step is in the graph, and one backward gives
the gradient of the likelihood in all eight unknowns. The Hessian at the best fit gives their uncertainty:
its inverse is the covariance of the estimates for a large sample (Fisher information).

Carpenter (2018), "Predator-Prey Population Dynamics: the Lotka-Volterra model in Stan", fits the same model
to the same counts by Monte Carlo, with priors, and has alpha 0.55, beta 0.028, gamma 0.80, delta 0.024.

    python examples/ode_fit.py              prints the fit
    python examples/ode_fit.py fit.png      draws it too (needs matplotlib: pip install 'tensorgrad[plot]')
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

import tensorgrad as tg
from tensorgrad import functions as F

YEARS, COUNTS = tg.datasets.get_lynx_hare()

NAMES = ["alpha", "beta", "gamma", "delta", "u(0)", "v(0)", "sigma hare", "sigma lynx"]
START = np.log([0.5, 0.02, 0.8, 0.02, 30.0, 5.0, 0.4, 0.4])  # the unknowns are positive: their logarithms
STEPS = 5  # of the solver per year: the logarithms of the solution are then exact to 1e-4


def rates(y: Any, p: Any) -> Any:
    """The right-hand side in logarithms, which keeps the numbers positive: d(log u)/dt and d(log v)/dt."""
    xp = y.__array_namespace__()
    u, v = xp.unstack(xp.exp(y))
    return xp.stack([p[0] - p[1] * v, p[3] * u - p[2]])


def solve(p: Any, steps: int = STEPS, every: int = STEPS) -> Any:
    """log u and log v of the years 1900 to 1920, of shape (21, 2); at all steps with ``every=1``."""
    xp = p.__array_namespace__()
    y, h = xp.log(p[4:6]), 1.0 / steps
    path = [y]
    for i in range((len(YEARS) - 1) * steps):
        k1 = rates(y, p)
        k2 = rates(y + h / 2 * k1, p)
        k3 = rates(y + h / 2 * k2, p)
        k4 = rates(y + h * k3, p)
        y = y + h / 6 * (k1 + 2 * (k2 + k3) + k4)
        if (i + 1) % every == 0:
            path.append(y)
    return xp.stack(path)


def negative_log_likelihood(q: Any) -> Any:
    """Of the logarithms of the unknowns, but for a constant: what the fit minimises."""
    p = F.exp(q)
    residuals = (np.log(COUNTS) - solve(p)) / p[6:8]
    return 0.5 * (residuals * residuals).sum() + len(YEARS) * q[6:8].sum()


class Fit(NamedTuple):
    """The result."""

    estimates: np.ndarray  # as in NAMES
    intervals: np.ndarray  # (8, 2): 95 %
    value: float  # of the negative log-likelihood
    gradient: np.ndarray  # at the end, in the logarithms


def fit() -> Fit:
    """The most likely unknowns, and what the curvature of the likelihood says of their uncertainty."""
    objective = tg.scipy_objective(negative_log_likelihood)
    found = minimize(objective, START, jac=objective.jac, method="BFGS", options={"gtol": 1e-6})
    covariance = np.linalg.inv(objective.hess(found.x))
    # An interval in the logarithm is one of factors: no bound is negative.
    spread = 1.959964 * np.sqrt(np.diag(covariance))
    intervals = np.exp(np.stack([found.x - spread, found.x + spread], axis=1))
    return Fit(np.exp(found.x), intervals, float(found.fun), objective.jac(found.x))


def draw(result: Fit, path: str) -> None:
    """The counts and the solution between them, as a picture."""
    import matplotlib.pyplot as plt  # noqa: PLC0415  (optional)

    figure, axes = plt.subplots(figsize=(8, 4))
    path_taken = np.exp(solve(result.estimates, every=1))
    times = np.linspace(YEARS[0], YEARS[-1], len(path_taken))
    for column, (name, color) in enumerate([("hare", "tab:blue"), ("lynx", "tab:red")]):
        axes.plot(YEARS, COUNTS[:, column], "o", color=color, label=f"{name}: pelts")
        axes.plot(times, path_taken[:, column], "-", color=color, label=f"{name}: fit")
    axes.set_xticks(YEARS[::5])
    axes.set_xlabel("year")
    axes.set_ylabel("thousands")
    axes.legend()
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    """Fit, print, and draw where a file is named."""
    result = fit()
    print(f"Lotka-Volterra on the Hudson Bay pelts, {YEARS[0]} to {YEARS[-1]}: {STEPS} steps a year")
    print(f"{'':12}{'estimate':>10}   95 % interval")
    for name, value, (low, high) in zip(NAMES, result.estimates, result.intervals, strict=True):
        print(f"{name:12}{value:10.4f}   {low:.4f} to {high:.4f}")
    alpha, _, gamma, *_ = result.estimates
    print(f"period of small cycles: {2 * math.pi / math.sqrt(alpha * gamma):.1f} years")
    if len(sys.argv) > 1:
        draw(result, sys.argv[1])
        print(f"drawn in {sys.argv[1]}")


if __name__ == "__main__":
    main()
