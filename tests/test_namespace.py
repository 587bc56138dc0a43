"""tensorgrad's Array API namespace: every name of the standard, with and without gradients."""

from __future__ import annotations

import copy
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad.backend import get_backend
from tensorgrad.core import namespace_of
from tensorgrad.functions import namespace as module
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

A = np.asarray([[1.0, 4.0, 2.0], [0.5, 3.0, 8.0]])
B = np.asarray([[2.0, 0.25, 1.0], [1.5, 3.25, 0.5]])
S = np.asarray([[0.25, -0.5, 0.75], [0.5, -0.25, 0.125]])  # within the domain of asin, acos, atanh


@pytest.fixture
def ns(backend: Any) -> Any:
    return namespace_of(backend)


# -- calls as the standard writes them -----------------------------------------------------------------

CALLS: dict[str, Any] = {
    "abs": lambda xp, a, b, s: xp.abs(s),
    "acos": lambda xp, a, b, s: xp.acos(s),
    "acosh": lambda xp, a, b, s: xp.acosh(a + 1.0),
    "add": lambda xp, a, b, s: xp.add(a, b),
    "asin": lambda xp, a, b, s: xp.asin(s),
    "asinh": lambda xp, a, b, s: xp.asinh(s),
    "astype": lambda xp, a, b, s: xp.astype(a, xp.float64, copy=False),
    "atan": lambda xp, a, b, s: xp.atan(s),
    "atan2": lambda xp, a, b, s: xp.atan2(a, b),
    "atanh": lambda xp, a, b, s: xp.atanh(s),
    "broadcast_arrays": lambda xp, a, b, s: xp.broadcast_arrays(a, b[0, :])[1],
    "broadcast_to": lambda xp, a, b, s: xp.broadcast_to(a, (2, 2, 3)),
    "clip": lambda xp, a, b, s: xp.clip(a, min=0.75, max=3.5),
    "concat": lambda xp, a, b, s: xp.concat([a, b], axis=1),
    "conj": lambda xp, a, b, s: xp.conj(a),
    "copysign": lambda xp, a, b, s: xp.copysign(a, s),
    "nextafter": lambda xp, a, b, s: xp.nextafter(a, b),
    "cos": lambda xp, a, b, s: xp.cos(a),
    "cosh": lambda xp, a, b, s: xp.cosh(s),
    "cumulative_prod": lambda xp, a, b, s: xp.cumulative_prod(a, axis=1, include_initial=True),
    "cumulative_sum": lambda xp, a, b, s: xp.cumulative_sum(a, axis=1, include_initial=True),
    "diff": lambda xp, a, b, s: xp.diff(a, axis=1, n=1, prepend=b[:, :1], append=s),
    "divide": lambda xp, a, b, s: xp.divide(a, b),
    "exp": lambda xp, a, b, s: xp.exp(s),
    "expand_dims": lambda xp, a, b, s: xp.expand_dims(a, axis=1),
    "expm1": lambda xp, a, b, s: xp.expm1(s),
    "flip": lambda xp, a, b, s: xp.flip(a, axis=1),
    "hypot": lambda xp, a, b, s: xp.hypot(a, b),
    "imag": lambda xp, a, b, s: xp.imag(a) + a,
    "log": lambda xp, a, b, s: xp.log(a),
    "log10": lambda xp, a, b, s: xp.log10(a),
    "log1p": lambda xp, a, b, s: xp.log1p(a),
    "log2": lambda xp, a, b, s: xp.log2(a),
    "logaddexp": lambda xp, a, b, s: xp.logaddexp(a, b),
    "matmul": lambda xp, a, b, s: xp.matmul(a, xp.matrix_transpose(b)),
    "matrix_transpose": lambda xp, a, b, s: xp.matrix_transpose(a),
    "max": lambda xp, a, b, s: xp.max(a, axis=0, keepdims=True),
    "maximum": lambda xp, a, b, s: xp.maximum(a, s),
    "mean": lambda xp, a, b, s: xp.mean(a, axis=(0, 1), keepdims=True),
    "meshgrid": lambda xp, a, b, s: xp.meshgrid(a[0, :], b[:, 0], indexing="xy")[0],
    "min": lambda xp, a, b, s: xp.min(a, axis=-1),
    "minimum": lambda xp, a, b, s: xp.minimum(a, s),
    "moveaxis": lambda xp, a, b, s: xp.moveaxis(a, 0, -1),
    "multiply": lambda xp, a, b, s: xp.multiply(a, b),
    "negative": lambda xp, a, b, s: xp.negative(a),
    "permute_dims": lambda xp, a, b, s: xp.permute_dims(a, (1, 0)),
    "positive": lambda xp, a, b, s: xp.positive(a),
    "pow": lambda xp, a, b, s: xp.pow(a, b),
    "prod": lambda xp, a, b, s: xp.prod(a, axis=1, keepdims=False),
    "real": lambda xp, a, b, s: xp.real(a),
    "reciprocal": lambda xp, a, b, s: xp.reciprocal(a),
    "remainder": lambda xp, a, b, s: xp.remainder(a, b + 0.125),
    "repeat": lambda xp, a, b, s: xp.repeat(a, 2, axis=0),
    "reshape": lambda xp, a, b, s: xp.reshape(a, (3, 2), copy=True),
    "roll": lambda xp, a, b, s: xp.roll(a, shift=1, axis=1),
    "sign": lambda xp, a, b, s: xp.sign(s) * s,
    "sin": lambda xp, a, b, s: xp.sin(a),
    "sinh": lambda xp, a, b, s: xp.sinh(s),
    "sort": lambda xp, a, b, s: xp.sort(a, axis=0, descending=True),
    "sqrt": lambda xp, a, b, s: xp.sqrt(a),
    "square": lambda xp, a, b, s: xp.square(a),
    "squeeze": lambda xp, a, b, s: xp.squeeze(a[:1, :], axis=0),
    "stack": lambda xp, a, b, s: xp.stack([a, b], axis=-1),
    "std": lambda xp, a, b, s: xp.std(a, axis=1, correction=1, keepdims=True),
    "subtract": lambda xp, a, b, s: xp.subtract(a, b),
    "sum": lambda xp, a, b, s: xp.sum(a, axis=0, dtype=xp.float64, keepdims=True),
    "take": lambda xp, a, b, s: xp.take(a, xp.asarray([2, 0]), axis=1),
    "take_along_axis": lambda xp, a, b, s: xp.take_along_axis(a, xp.argsort(a, axis=1), axis=1),
    "tan": lambda xp, a, b, s: xp.tan(s),
    "tanh": lambda xp, a, b, s: xp.tanh(a),
    "tensordot": lambda xp, a, b, s: xp.tensordot(a, b, axes=((0,), (0,))),
    "tile": lambda xp, a, b, s: xp.tile(a, (1, 2)),
    "tril": lambda xp, a, b, s: xp.tril(a, k=1),
    "triu": lambda xp, a, b, s: xp.triu(a, k=1),
    "unstack": lambda xp, a, b, s: xp.unstack(a, axis=1)[2],
    "var": lambda xp, a, b, s: xp.var(a, axis=0, correction=0.5, keepdims=False),
    "vecdot": lambda xp, a, b, s: xp.vecdot(a, b, axis=-1),
    "where": lambda xp, a, b, s: xp.where(a > b, a, b),
}


def test_every_op_of_the_namespace_is_called():
    assert sorted(CALLS) == sorted(module.DIFFERENTIABLE)


@pytest.mark.parametrize("name", CALLS)
def test_calls_of_the_standard(backend, ns, name):
    plain = get_backend("numpy").xp
    want = CALLS[name](plain, A, B, S)
    arrays = [Variable(backend.from_numpy(x)) for x in (A, B, S)]
    y = CALLS[name](ns, *arrays)
    assert isinstance(y, Variable)
    assert y.requires_grad
    assert_close(y, want, rtol=1e-11)
    check_gradients(lambda *xs: CALLS[name](ns, *xs), arrays, order=1)


# -- constants -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "floor",
        "ceil",
        "round",
        "trunc",
        "isfinite",
        "isnan",
        "isinf",
        "signbit",
        "logical_not",
        "argmax",
        "argmin",
        "argsort",
        "any",
        "all",
        "count_nonzero",
        "zeros_like",
        "ones_like",
    ],
)
def test_functions_without_a_derivative_give_constants(backend, ns, name):
    array = A > 1 if name in ("logical_not", "any", "all") else A + 0.25
    v = Variable(backend.from_numpy(array))
    y = getattr(ns, name)(v)
    assert isinstance(y, Variable)
    assert not y.requires_grad
    assert_close(to_numpy(y), np.asarray(getattr(get_backend("numpy").xp, name)(array)))


def test_comparisons_take_numbers(backend, ns):
    v = Variable(backend.from_numpy(A))
    assert_close(ns.greater(v, 1.0), A > 1.0)
    assert_close(ns.less_equal(1.0, v), A >= 1.0)
    assert_close(ns.floor_divide(v, 2.0), A // 2.0)


def test_results_of_several_arrays(backend, ns):
    v = Variable(backend.from_numpy(np.asarray([3.0, 1.0, 3.0])))
    found = ns.unique_counts(v)
    assert_close(found.values, [1.0, 3.0])
    assert_close(to_numpy(found.counts), [1, 2])
    assert not found.counts.requires_grad
    (places,) = ns.nonzero(v > 2.0)
    assert_close(to_numpy(places), [0, 2])


def test_creation(backend, ns):
    device = backend.device(backend.from_numpy(A))
    made = [
        ns.zeros((2, 3), dtype=ns.float32, device=device),
        ns.ones(3),
        ns.arange(3),
        ns.linspace(0.0, 1.0, 3),
        ns.eye(2),
        ns.full((2,), 1.5),
        ns.asarray([1.0, 2.0]),
        ns.empty((1,)),
    ]
    for v in made:
        assert isinstance(v, Variable)
        assert isinstance(v.data, backend.array_types)
        assert not v.requires_grad
    assert_close(made[0], np.zeros((2, 3), dtype=np.float32))
    assert_close(made[5], [1.5, 1.5])


def test_like(backend, ns):
    v = Variable(backend.from_numpy(A.astype(np.float32)))
    for y, want in ((ns.zeros_like(v), 0), (ns.ones_like(v), 1), (ns.full_like(v, 2.5), 2.5)):
        assert not y.requires_grad
        assert_close(y, np.full((2, 3), want, dtype=np.float32))


def test_a_value_with_a_gradient_fills_an_array(backend, ns):
    v = Variable(backend.from_numpy(np.asarray(2.0)))
    y = ns.full((2, 2), v) + ns.full_like(backend.from_numpy(B[:, :2]), v)
    assert_close(y, np.full((2, 2), 4.0))
    y.sum().backward()
    assert_close(v.grad, np.asarray(8.0))


def test_asarray_keeps_the_graph(backend, ns):
    v = Variable(backend.from_numpy(np.asarray([1.0, 2.0])))
    assert ns.asarray(v) is v
    y = ns.asarray(v, dtype=ns.float32, copy=True)
    assert y.data is not v.data
    y.sum().backward()
    assert_close(v.grad, [1.0, 1.0])
    copied = ns.asarray(v, copy=True)
    assert copied is not v
    assert copied.creator is not None
    with pytest.raises(ValueError, match=r"cannot be .* without a copy"):
        ns.asarray(v, dtype=ns.float32, copy=False)


def test_asarray_of_lists_of_variables(backend, ns):
    a, b = (Variable(backend.from_numpy(np.asarray(x))) for x in (2.0, 3.0))
    y = ns.asarray([[a, b], [b, 1.0]])
    assert_close(y, [[2.0, 3.0], [3.0, 1.0]])
    y.sum().backward()
    assert_close(a.grad, np.asarray(1.0))
    assert_close(b.grad, np.asarray(2.0))


def test_asarray_converts_because_it_is_asked_to(backend, ns):
    v = Variable(np.asarray([1.0, 2.0]))
    y = ns.asarray(v)
    assert y.backend is backend
    y.sum().backward()
    assert_close(v.grad, [1.0, 1.0])
    assert isinstance(v.grad.data, np.ndarray)
    assert ns.asarray(np.asarray([1.0])).backend is backend


# -- dtypes, constants, inspection ----------------------------------------------------------------------


def test_constants_and_dtypes_pass_through(backend, ns):
    assert (ns.pi, ns.e, ns.inf, ns.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(ns.nan)
    for name in ("float32", "float64", "int64", "bool", "complex128", "uint8"):
        assert getattr(ns, name) is getattr(backend.xp, name)


def test_inspection_takes_variables(backend, ns):
    v = Variable(backend.from_numpy(A.astype(np.float32)))
    w = Variable(backend.from_numpy(A))
    assert ns.isdtype(v.dtype, "real floating")
    assert float(ns.finfo(v).eps) == float(np.finfo(np.float32).eps)
    assert ns.iinfo(ns.arange(3)).max >= 2**31 - 1
    assert ns.can_cast(v, ns.float64)
    assert not ns.can_cast(w, ns.int64)
    assert ns.result_type(w.data, v.data) == w.dtype
    assert ns.result_type(ns.asarray(w.data), v.data) == w.dtype


def test_reductions_of_masks_are_truth_values(backend, ns):
    v = Variable(backend.from_numpy(A))
    assert ns.any(v > 7.0)
    assert not ns.all(v > 7.0)


# -- names -------------------------------------------------------------------------------------------------


def test_every_name_is_there(backend, ns):
    names = dir(ns)
    assert names == sorted(names)
    assert set(CALLS) <= set(names)
    assert {"floor", "arange", "float32", "pi", "linalg", "fft", "finfo", "asarray"} <= set(names)
    assert all(hasattr(ns, name) for name in names)
    assert ns.floor is ns.floor
    assert ns.linalg.det is ns.linalg.det


def test_unknown_names(backend, ns):
    for name in ("einsum", "relu", "ndarray", "_private"):
        with pytest.raises(
            AttributeError, match=f"namespace tensorgrad.{backend.name} has no attribute '{name}'"
        ):
            getattr(ns, name)
        assert not hasattr(ns, name)


def test_one_namespace_for_each_backend(backend, ns):
    assert ns is namespace_of(backend)
    assert repr(ns) == f"<namespace tensorgrad.{backend.name}>"


def test_copies_and_pickles_are_the_namespace_itself(backend, ns):
    for one in (ns, ns.linalg):
        assert copy.copy(one) is copy.deepcopy(one) is pickle.loads(pickle.dumps(one)) is one


def test_linalg(backend, ns):
    v, w = Variable(backend.from_numpy(A)), Variable(backend.from_numpy(B))
    y = ns.linalg.matmul(v, ns.linalg.matrix_transpose(w))
    assert y.requires_grad
    assert_close(y, A @ B.T)
    assert_close(ns.linalg.outer(v[0], w[0]), np.outer(A[0], B[0]))
    assert_close(ns.linalg.vecdot(v, w), (A * B).sum(axis=1))
    assert repr(ns.linalg) == f"<namespace tensorgrad.{backend.name}.linalg>"
    with pytest.raises(AttributeError, match="linalg has no attribute 'cond'"):
        _ = ns.linalg.cond


# -- nothing loses a gradient silently -------------------------------------------------------------------


def test_creation_refuses_a_gradient_that_would_be_lost(ns):
    v = Variable(np.asarray([1.0, 4.0]))
    expected = f"{ns.__name__}.arange: expected numbers; got a Variable that requires a gradient"
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}.* Pass v.data"):
        ns.arange(v[0], stop=v[1])
    assert_close(ns.arange(v.data[0].item(), stop=v.data[1].item()), [1.0, 2.0, 3.0])


def test_ends_with_a_gradient(backend, ns):
    start, stop = (Variable(backend.from_numpy(np.asarray(x))) for x in (1.0, 3.0))
    y = ns.linspace(start, stop, 5)
    assert_close(y, np.linspace(1.0, 3.0, 5))
    (y * ns.asarray(backend.from_numpy(np.arange(5.0)))).sum().backward()
    assert_close(start.grad, np.asarray(2.5))
    assert_close(stop.grad, np.asarray(7.5))
    assert_close(ns.linspace(0, stop, 3, endpoint=False), [0.0, 1.0, 2.0])


def test_distinct_elements_bring_their_gradient(backend, ns):
    v = Variable(backend.from_numpy(np.asarray([3.0, 1.0, 3.0, 2.0])))
    weights = Variable(backend.from_numpy(np.asarray([1.0, 2.0, 4.0])), requires_grad=False)
    for find in (
        ns.unique_values,
        lambda v: ns.unique_all(v).values,
        lambda v: ns.unique_counts(v).values,
        lambda v: ns.unique_inverse(v).values,
    ):
        values = find(v)
        assert_close(values, [1.0, 2.0, 3.0])
        (grad,) = tg.gradients((values * weights).sum(), [v])
        assert_close(grad, [4.0, 1.0, 0.0, 2.0])  # the first of equal elements stands for them
    assert not ns.unique_counts(v).counts.requires_grad
