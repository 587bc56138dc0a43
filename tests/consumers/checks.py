"""A call checked: the values against plain NumPy, the gradient against differences of plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from consumers.call import Call
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing.arrays import to_numpy

STEP = 1e-3


def check(call: Call, backend: Any) -> None:
    """Raise what the call raises, or an AssertionError that says which number is wrong."""
    values = [np.array(x) for x in call.inputs]
    chosen = [i for i, x in enumerate(values) if x.dtype.kind == "f"]
    want = _outputs(call.function(*(x.copy() for x in values)))
    weights = [_weights(y) for y in want]

    got: list[np.ndarray] = []

    def loss(*xs: Any) -> Any:
        ys = _outputs(call.function(*map(_variable, xs)))
        for y in ys:
            assert isinstance(y, Variable), f"a {type(y).__name__} came back: no gradient goes through it"
            got.append(to_numpy(y))
        assert len(ys) == len(want)
        terms = [_weighted(y, w, backend) for y, w in zip(ys, weights, strict=True)]
        return sum(terms[1:], terms[0])

    arrays = [backend.from_numpy(x.copy()) for x in values]
    grads = tg.grad(loss, argnums=chosen)(*arrays)
    for y, w in zip(got, want, strict=True):
        np.testing.assert_allclose(y, w, rtol=1e-7, atol=1e-10)
        assert y.shape == np.shape(w)
    rng = np.random.default_rng(7)
    along = [rng.uniform(-1.0, 1.0, values[i].shape) for i in chosen]
    slope = 0.0
    scale = 0.0
    for i, g, d in zip(chosen, map(to_numpy, grads), along, strict=True):
        assert g.shape == values[i].shape
        assert g.dtype == values[i].dtype
        slope += float(np.sum(g * d))
        scale += float(np.sum(np.abs(g * d)))
    expected = _difference(call, values, chosen, along, weights)
    assert abs(expected) > 1e-9, f"a slope of {expected} cannot tell a right gradient from none"
    assert abs(slope - expected) <= call.rtol * max(scale, abs(expected)), f"{slope} is not {expected}"


def _variable(x: Any) -> Any:
    """A constant as the functions see it: a Variable without a gradient."""
    return x if isinstance(x, Variable) else Variable(x, requires_grad=False)


def _outputs(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _weights(y: Any) -> np.ndarray:
    rng = np.random.default_rng(11)
    w = rng.uniform(0.5, 1.5, np.shape(y))
    return w + 1j * rng.uniform(0.5, 1.5, np.shape(y)) if np.iscomplexobj(y) else w


def _weighted(y: Variable, w: np.ndarray, backend: Any) -> Any:
    """The sum of elements times weights; of both parts where complex."""
    if np.iscomplexobj(w):
        return _weighted(F.real(y), w.real, backend) + _weighted(F.imag(y), w.imag, backend)
    return (y * Variable(backend.from_numpy(np.asarray(w)), requires_grad=False)).sum()


def _difference(
    call: Call, values: list[Any], chosen: list[int], along: list[Any], weights: list[Any]
) -> float:
    """The slope along a direction, by differences of fourth order."""

    def at(t: float) -> float:
        moved = [x.copy() for x in values]
        for i, d in zip(chosen, along, strict=True):
            moved[i] = moved[i] + t * d
        ys = _outputs(call.function(*moved))
        return float(
            sum(
                np.sum(np.real(y) * w.real) + np.sum(np.imag(y) * w.imag)
                for y, w in zip(ys, weights, strict=True)
            )
        )

    return (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP)
