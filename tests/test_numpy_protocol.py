"""NumPy's functions on Variables: values as NumPy's, a graph, and gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad.functions.numpy_functions import STEPS, WRITERS
from tensorgrad.functions.numpy_protocol import _tables
from tensorgrad.functions.numpy_support import FUNCTIONS
from tensorgrad.functions.numpy_ufuncs import ACCUMULATIONS, HOST_STEPS, REDUCTIONS, UFUNCS
from tensorgrad.functions.numpy_ufuncs import STEPS as UFUNC_STEPS
from tensorgrad.testing import assert_close, check_gradients

_tables()
RNG = np.random.default_rng(0)
A = RNG.uniform(0.3, 0.9, (3, 4))
B = RNG.uniform(1.1, 1.9, (3, 4))
S = RNG.uniform(-0.4, 0.4, (3, 3)) + 2 * np.eye(3)
H = S + S.T + 3 * np.diag([0.0, 1.0, 2.0])
P = S @ S.T
T = RNG.uniform(0.3, 0.9, (2, 3, 4))
V = np.array([0.4, -1.3, 2.1, 0.7, -0.2])
W = np.array([1.5, 0.2, -0.6])
N = np.array([[1.0, np.nan, 3.0], [0.5, 2.5, np.nan]])
Z = A + 1j * B
C = A > 0.6

# ufunc -> its arguments; arrays become Variables
UFUNC_CALLS = {
    "float_power": (A, B),
    "fmod": (B - 2 * A, A),
    "heaviside": (V, B.ravel()[:5]),
    "ldexp": (A, np.arange(4)),
    "matmul": (A, B.T),
    "vecdot": (A, B),
    "matvec": (A, B[0]),
    "vecmat": (B[:, 0], A),
    "modf": (B,),
    "divmod": (B, A),
    "arccosh": (B,),
    "copysign": (A, V[:4]),
    "conjugate": (A,),
    "left_shift": (np.arange(4), np.arange(4)),
    "right_shift": (np.arange(4), np.arange(4)),
    "bitwise_and": (np.arange(4), np.arange(4)[::-1]),
    "bitwise_or": (np.arange(4), np.arange(4)[::-1]),
    "bitwise_xor": (np.arange(4), np.arange(4)[::-1]),
    "invert": (np.arange(4),),
    "gcd": (np.arange(4), np.arange(4)[::-1]),
    "lcm": (np.arange(4), np.arange(4)[::-1]),
    "bitwise_count": (np.arange(4),),
}
ALL_UFUNCS = [n for n in (*UFUNCS, *UFUNC_STEPS, *HOST_STEPS) if hasattr(np, n) and n != "isnat"]


def ufunc_args(name):
    return UFUNC_CALLS.get(name) or (A, B)[: getattr(np, name).nin]


def variables(tree):
    if isinstance(tree, np.ndarray):
        return Variable(tree.copy())
    if isinstance(tree, list | tuple):
        return type(tree)(map(variables, tree))
    return tree


def leaves(tree):
    if isinstance(tree, list | tuple):
        return [x for item in tree for x in leaves(item)]
    return [tree]


def check_values(got, want):
    """The same structure, shapes, dtypes and values; Variables for arrays."""
    if isinstance(want, list | tuple):
        assert isinstance(got, list | tuple)
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            check_values(g, w)
    elif isinstance(want, np.ndarray | np.generic):
        if type(got) in (bool, int):  # of np.allclose, and the rank of np.linalg.lstsq
            assert got == want
            return
        assert type(got) is Variable
        assert_close(got, want, rtol=1e-12, atol=1e-13)
    else:
        assert got == want


@pytest.mark.parametrize("name", ALL_UFUNCS)
def test_ufunc(name):
    ufunc, args = getattr(np, name), ufunc_args(name)
    xs = variables(args)
    if name in HOST_STEPS or name in ("left_shift", "right_shift", "invert") or name.startswith("bitwise"):
        xs = [tg.stop_gradient(x) for x in xs]
    check_values(ufunc(*xs), ufunc(*args))
    if len(args) == 2 and isinstance(args[1], np.ndarray):
        check_values(ufunc(args[0], xs[1]), ufunc(*args))
        check_values(ufunc(xs[0], args[1]), ufunc(*args))


@pytest.mark.parametrize("name", [n for n in UFUNCS if hasattr(np, n)])
def test_ufunc_records_the_graph(name):
    ufunc, args = getattr(np, name), ufunc_args(name)
    floats = [x for x in args if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    rest = args[len(floats) :]
    ys = ufunc(*variables(floats), *rest)
    assert any(y.creator is not None or y.requires_grad for y in leaves(ys))

    def f(*xs):
        return [y for y in leaves(ufunc(*xs, *rest)) if y.requires_grad]

    check_gradients(f, floats)


@pytest.mark.parametrize("name", [*UFUNC_STEPS, *HOST_STEPS - {"isnat"}])
def test_ufunc_of_constants_gives_constants(name):
    if not hasattr(np, name):
        pytest.skip(f"this NumPy has no {name}")
    if name == "sign":
        return  # its gradient is recorded, and 0
    ys = getattr(np, name)(*[tg.stop_gradient(x) for x in variables(ufunc_args(name))])
    assert not ys.requires_grad


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduce(name, keepdims):
    reduce = getattr(np, name).reduce
    for axis in (0, 1, None, (0, 1)):
        want = reduce(A, axis=axis, keepdims=keepdims)
        check_values(reduce(Variable(A), axis=axis, keepdims=keepdims), want)
    check_values(reduce(Variable(A)), reduce(A))
    if name not in ("logical_and", "logical_or"):
        check_gradients(lambda x: reduce(x, axis=1, keepdims=keepdims), [A])


def test_reduce_with_initial_and_where():
    for name, initial in (("add", 2.0), ("multiply", 2.0), ("maximum", 0.5), ("minimum", 0.7)):
        reduce = getattr(np, name).reduce
        want = reduce(A, axis=1, initial=initial, where=C)
        check_values(reduce(Variable(A), axis=1, initial=initial, where=C), want)
        check_gradients(lambda x: reduce(x, axis=1, initial=initial, where=C), [A])  # noqa: B023
    with pytest.raises(TypeError, match=r"numpy.maximum.reduce: where= needs initial="):
        np.maximum.reduce(Variable(A), where=C)
    check_values(
        np.add.reduce(Variable(A.astype("float32")), dtype="float64"), A.astype("float32").sum(0, float)
    )


@pytest.mark.parametrize("name", ACCUMULATIONS)
def test_accumulate(name):
    accumulate = getattr(np, name).accumulate
    check_values(accumulate(Variable(A)), accumulate(A))
    check_values(accumulate(Variable(A), axis=1), accumulate(A, axis=1))
    check_gradients(lambda x: accumulate(x, axis=1), [A])


def test_outer():
    check_values(np.multiply.outer(Variable(V), Variable(A)), np.multiply.outer(V, A))
    check_values(np.subtract.outer(V, Variable(W)), np.subtract.outer(V, W))
    check_values(np.less.outer(V, Variable(W)), np.less.outer(V, W))
    check_gradients(np.divide.outer, [A, B[0]])


def test_dtype_of_a_ufunc():
    x = Variable(A.astype("float32"))
    check_values(np.add(x, x, dtype="float64"), np.add(x.data, x.data, dtype="float64"))
    check_values(np.sin(x, dtype=np.float64), np.sin(x.data, dtype=np.float64))
    with pytest.raises(TypeError, match=r"numpy.less: dtype= is not supported"):
        np.less(x, x, dtype=object)


def test_lists_and_numbers_beside_variables():
    x = Variable(W)
    check_values(np.add([1.0, 2.0, 3.0], x), W + np.arange(1.0, 4.0))
    check_values(np.multiply(x, [[1.0], [2.0]]), W * np.array([[1.0], [2.0]]))
    check_values(np.float64(2.0) * x, 2.0 * W)
    single = Variable(W.astype("float32"))
    assert np.add(2.0, single).dtype == np.float32


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**", "//", "%", "<", "<=", "==", "!=", ">", ">="])
def test_operators_with_an_array_on_the_left(operator):
    got = eval(f"a {operator} v", {"a": A, "v": Variable(B)})
    check_values(got, eval(f"a {operator} b", {"a": A, "b": B}))
    assert got.requires_grad is (operator in ("+", "-", "*", "/", "**", "%"))


def test_matrix_product_with_an_array_on_the_left():
    v = Variable(B.T)
    y = A @ v
    check_values(y, A @ B.T)
    np.sum(y).backward()
    assert_close(v.grad, A.T @ np.ones((3, 3)))


# function -> calls: arrays in the positional arguments become Variables
CALLS = {
    "sum": [((A,), {}), ((A, 0), {}), ((A,), {"axis": (0, 1), "keepdims": True}), ((A,), {"where": C}),
            ((A,), {"initial": 1.5}), ((A, 1, "float32"), {})],
    "prod": [((A,), {}), ((A,), {"axis": 1, "keepdims": True}), ((A,), {"where": C, "initial": 2.0})],
    "max": [((A,), {}), ((A,), {"axis": 0}), ((A,), {"initial": 0.6, "where": C})],
    "amax": [((A,), {"axis": 0})],
    "min": [((A,), {}), ((A,), {"axis": 1, "keepdims": True}), ((A,), {"initial": 0.6})],
    "amin": [((A,), {"axis": 0})],
    "all": [((C,), {}), ((A,), {"axis": 0}), ((C,), {"where": A > 0.7})],
    "any": [((C,), {}), ((C,), {"axis": 0, "keepdims": True})],
    "nansum": [((N,), {}), ((N,), {"axis": 0})],
    "nanprod": [((N,), {"axis": 1})],
    "nanmax": [((N,), {"axis": 0}), ((N,), {})],
    "nanmin": [((N,), {"axis": 1})],
    "nanmean": [((N,), {}), ((N,), {"axis": 1, "keepdims": True})],
    "nanvar": [((N,), {"axis": 1}), ((N,), {"ddof": 1})],
    "nanstd": [((N,), {"axis": 1})],
    "mean": [((A,), {}), ((A, 0), {}), ((A,), {"axis": 1, "where": A > 0.4}), ((np.arange(5),), {})],
    "var": [((A,), {}), ((A,), {"axis": 0, "ddof": 1}), ((Z,), {"axis": 0})],
    "std": [((A,), {}), ((A,), {"axis": 1, "keepdims": True, "ddof": 1}), ((Z,), {})],
    "ptp": [((A,), {"axis": 1})],
    "cumsum": [((A,), {}), ((A, 1), {})],
    "cumprod": [((A,), {}), ((A,), {"axis": 0})],
    "nancumsum": [((N,), {"axis": 1})],
    "nancumprod": [((N,), {"axis": 1})],
    "cumulative_sum": [((A,), {"axis": 1}), ((A,), {"axis": 0, "include_initial": True})],
    "cumulative_prod": [((A,), {"axis": 1})],
    "clip": [((A, 0.4, 0.7), {}), ((A, None, 0.7), {}), ((A, 0.4 * np.ones(4), None), {})],
    "where": [((C, A, B), {}), ((C, A, 0.0), {}), ((C, 1.0, B), {}), ((C,), {})],
    "select": [(([C, A > 0.4], [A, B], 0.5), {})],
    "round": [((B,), {}), ((B, 1), {})],
    "around": [((B, 2), {})],
    "fix": [((V,), {})],
    "real": [((Z,), {}), ((A,), {})],
    "imag": [((Z,), {})],
    "angle": [((Z,), {}), ((Z,), {"deg": True})],
    "nan_to_num": [((N,), {}), ((np.array([np.inf, 1.0, -np.inf]),), {"posinf": 9.0, "neginf": -9.0})],
    "sinc": [((np.array([-1.5, 0.0, 1e-7, 0.3]),), {})],
    "unwrap": [((np.array([0.0, 1.0, 5.0, 9.0, 2.0]),), {})],
    "copy": [((A,), {})],
    "astype": [((A, "float32"), {})],
    "interp": [((np.array([0.2, 1.4]), np.array([0.0, 1.0, 2.0]), W), {}),
               ((V, np.array([0.15, 1.1, 0.65]), W), {"period": 1.5}),
               ((V, np.array([0.0, 1.0, 2.0]), W), {"left": 7.0, "right": 8.0})],
    "convolve": [((V, W), {}), ((V, W, "same"), {}), ((V, W, "valid"), {})],
    "correlate": [((V, W), {}), ((V, W, "full"), {}), ((V, W, "same"), {})],
    "pad": [((A, 1), {}), ((A, ((1, 0), (2, 1))), {"constant_values": 0.5}), ((A, 1, "reflect"), {}),
            ((A, 1, "edge"), {}), ((A, (1, 2)), {})],
    "diff": [((A,), {}), ((A, 2, 0), {}), ((A,), {"prepend": 0.0}), ((A,), {"append": B[:, :1]})],
    "sort": [((V,), {}), ((A, 0), {}), ((A, None), {})],
    "argsort": [((V,), {}), ((A, 0), {})],
    "partition": [((V, 4), {})],
    "argmax": [((A,), {}), ((A,), {"axis": 1, "keepdims": True})],
    "argmin": [((A,), {"axis": 0})],
    "count_nonzero": [((C,), {}), ((A,), {"axis": 0})],
    "nonzero": [((V,), {})],
    "searchsorted": [((np.array([0.1, 0.5, 0.8]), A), {}), ((np.array([0.1, 0.5]), 0.5), {"side": "right"})],
    "isclose": [((A, A + 1e-9), {}), ((N, N), {"equal_nan": True})],
    "allclose": [((A, A + 1e-9), {}), ((A, B), {})],
    "array_equal": [((A, A), {}), ((A, B[0]), {}), ((A, B), {})],
    "unique": [((np.array([3.0, 1.0, 3.0, 2.0]),), {}),
               ((np.array([3.0, 1.0, 3.0, 2.0]),),
                {"return_index": True, "return_inverse": True, "return_counts": True})],
    "unique_values": [((np.array([3.0, 1.0, 3.0, 2.0]),), {})],
    "take_along_axis": [((A, np.array([[1], [0], [2]])), {"axis": 1})],
    "zeros_like": [((A,), {}), ((A,), {"dtype": "float32"})],
    "ones_like": [((A,), {}), ((A,), {"shape": (2, 2)})],
    "full_like": [((A, 2.5), {}), ((A, 2.5), {"dtype": "float32"})],
    "shape": [((A,), {})],
    "ndim": [((A,), {})],
    "size": [((A,), {}), ((A, 1), {})],
    "iscomplexobj": [((A,), {}), ((Z,), {})],
    "isrealobj": [((A,), {})],
    "result_type": [((A, np.float32), {})],
    "array_str": [((W,), {})],
    "reshape": [((A, (4, 3)), {}), ((A, -1), {})],
    "ravel": [((A,), {})],
    "transpose": [((T,), {}), ((T, (1, 0, 2)), {})],
    "permute_dims": [((T, (1, 0, 2)), {})],
    "matrix_transpose": [((T,), {})],
    "moveaxis": [((T, 0, -1), {}), ((T, (0, 1), (-1, 0)), {})],
    "swapaxes": [((T, 0, -1), {})],
    "rollaxis": [((T, 2), {}), ((T, 0, 3), {}), ((T, -1, 1), {})],
    "expand_dims": [((A, 0), {}), ((A, (0, 2)), {})],
    "squeeze": [((A[:, :1],), {}), ((A[:, :1], 1), {})],
    "broadcast_to": [((W, (2, 3)), {}), ((A[:1, 0], 4), {})],
    "broadcast_arrays": [((W, A[:, :1]), {})],
    "atleast_1d": [((np.array(2.0),), {}), ((W, A), {})],
    "atleast_2d": [((W,), {}), ((np.array(2.0), T), {})],
    "atleast_3d": [((W,), {}), ((A,), {}), ((np.array(2.0),), {})],
    "concatenate": [(([A, B],), {}), (((A, B), 1), {}), (([A, W], None), {}),
                    (([A, B],), {"dtype": "float32"})],
    "concat": [(([A, B],), {"axis": 1})],
    "stack": [(([A, B],), {}), (([A, B], -1), {})],
    "vstack": [(([W, S],), {})],
    "hstack": [(([W, V],), {}), (([A, B],), {})],
    "dstack": [(([A, B],), {}), (([W, W],), {})],
    "column_stack": [(([W, S],), {})],
    "block": [(([[S, A], [A[:, :3], B]],), {}), (([W, V],), {})],
    "append": [((A, B), {}), ((A, B, 0), {})],
    "split": [((A, 2, 1), {}), ((A, [1]), {})],
    "array_split": [((V, 3), {}), ((A, 3, 1), {})],
    "vsplit": [((A, 3), {})],
    "hsplit": [((A, 2), {}), ((V, [2]), {})],
    "dsplit": [((T, 2), {})],
    "unstack": [((A,), {}), ((A,), {"axis": 1})],
    "take": [((A, np.array([2, 0]), 0), {}), ((A, [1, 5]), {})],
    "compress": [((np.array([True, False, True]), A, 0), {}), ((np.array([True, False, True]), A), {})],
    "extract": [((C, A), {})],
    "delete": [((A, 1, 0), {}), ((A, [0, 2], 1), {}), ((V, slice(1, 3)), {})],
    "diagonal": [((A,), {}), ((T, 1, 1, 2), {})],
    "diag": [((S,), {}), ((W,), {}), ((W, 1), {}), ((W, -2), {}), ((A, -1), {})],
    "diagflat": [((S,), {})],
    "tril": [((A,), {}), ((A, 1), {})],
    "triu": [((A,), {})],
    "flip": [((A,), {}), ((A, 1), {})],
    "fliplr": [((A,), {})],
    "flipud": [((A,), {})],
    "roll": [((A, 2), {}), ((A, 1, 0), {})],
    "rot90": [((A,), {}), ((A, 2), {}), ((A, 3), {}), ((T, -1, (1, 2)), {}), ((A, 4), {})],
    "repeat": [((A, 2), {}), ((W, [1, 0, 2]), {}), ((A, 2, 1), {})],
    "tile": [((W, 2), {}), ((A, (2, 1)), {})],
    "meshgrid": [((W, V), {}), ((W, V), {"indexing": "ij", "sparse": True}), ((W, V), {"sparse": True})],
    "linspace": [((np.array(0.5), 2.0, 4), {}), ((W, W + 1, 3), {"axis": 1}),
                 ((0.0, np.array(1.0), 4), {"endpoint": False, "retstep": True})],
    "dot": [((A, B.T), {}), ((W, W + 1), {}), ((A, B[0]), {}),
            ((A, 2.0), {}), ((T, RNG.uniform(size=(4, 2))), {}),
            ((T, RNG.uniform(size=(2, 4, 3))), {})],
    "vdot": [((A, B), {}), ((Z, Z + 1), {})],
    "inner": [((A, B), {}), ((W, W), {})],
    "outer": [((W, V), {}), ((A, W), {})],
    "tensordot": [((A, B.T), {"axes": 1}), ((A, B), {"axes": ((0, 1), (0, 1))})],
    "einsum": [(("ij,kj->ik", A, B), {}), (("ii", S), {})],
    "kron": [((A, S), {}), ((W, A), {})],
    "cross": [((S, W), {}), ((S, S.T), {"axis": 0})],
    "trace": [((S,), {}), ((T, 1, 1, 2), {})],
    "linalg.matmul": [((A, B.T), {})],
    "linalg.tensordot": [((A, B.T), {"axes": 1})],
    "linalg.vecdot": [((A, B), {})],
    "linalg.outer": [((W, V), {})],
    "linalg.cross": [((S, S.T), {})],
    "linalg.matrix_transpose": [((A,), {})],
    "linalg.multi_dot": [(([A, B.T, S],), {})],
    "linalg.trace": [((T,), {"offset": 1})],
    "linalg.diagonal": [((T,), {"offset": -1})],
    "linalg.inv": [((S,), {})],
    "linalg.det": [((S,), {})],
    "linalg.slogdet": [((S,), {})],
    "linalg.solve": [((S, A), {}), ((S, W), {})],
    "linalg.cholesky": [((np.tril(P),), {}), ((np.triu(P),), {"upper": True})],  # it reads one triangle
    "linalg.qr": [((S,), {}), ((A.T, "r"), {})],
    "linalg.eigh": [((H,), {})],
    "linalg.eigvalsh": [((S,), {}), ((S, "U"), {})],
    "linalg.svd": [((A,), {"full_matrices": False}), ((A,), {"compute_uv": False})],
    "linalg.svdvals": [((A,), {})],
    "linalg.pinv": [((A,), {}), ((A, 1e-10), {})],
    "linalg.matrix_power": [((S, 3), {}), ((S, -1), {})],
    "linalg.matrix_rank": [((S,), {})],
    "linalg.lstsq": [((A.T, V[:4]), {}), ((A, B), {"rcond": -1})],
    "linalg.cond": [((S,), {}), ((S, 1), {}), ((S, "fro"), {})],
    "linalg.norm": [((W,), {}), ((A,), {}), ((A, "fro"), {}), ((A, 1), {}), ((W, np.inf), {}), ((A, 2), {}),
                    ((A,), {"axis": 1, "keepdims": True}), ((T, "nuc", (0, 2)), {}), ((T,), {"axis": (0, 1)}),
                    ((T,), {"keepdims": True}), ((T, 1, (0, 2), True), {}), ((W, 3), {})],
    "linalg.vector_norm": [((A,), {"axis": 0, "ord": 1})],
    "linalg.matrix_norm": [((T,), {"keepdims": True})],
    "fft.fft": [((V,), {}), ((V, 8), {"norm": "ortho"}), ((Z,), {"axis": 0})],
    "fft.ifft": [((V,), {})],
    "fft.rfft": [((V,), {}), ((A, 3, 0), {})],
    "fft.irfft": [((Z,), {}), ((Z, 5), {})],
    "fft.hfft": [((Z,), {})],
    "fft.ihfft": [((V,), {})],
    "fft.fftn": [((A,), {})],
    "fft.ifftn": [((A,), {"axes": (0,)})],
    "fft.rfftn": [((A,), {})],
    "fft.irfftn": [((Z,), {})],
    "fft.fft2": [((T,), {})],
    "fft.ifft2": [((T,), {"norm": "forward"})],
    "fft.rfft2": [((T,), {})],
    "fft.irfft2": [((Z,), {})],
    "fft.fftshift": [((A,), {}), ((A,), {"axes": 0})],
    "fft.ifftshift": [((A,), {})],
    "average": [((A,), {}), ((A, 1, B), {}), ((A, 1, B[0]), {"returned": True})],
    "median": [((V,), {}), ((A,), {"axis": 0, "keepdims": True}), ((T,), {"axis": (0, 2)})],
    "percentile": [((V, 30), {}), ((A, [10, 60], 1), {})],
    "quantile": [((V, 0.3), {}), ((A, [0.1, 0.6]), {"axis": 0, "method": "midpoint"}),
                 ((A, 0.4), {"keepdims": True, "method": "lower"}), ((V, 0.35), {"method": "higher"})],
    "cov": [((A,), {}), ((W, W**2), {}), ((A,), {"rowvar": False, "ddof": 0}), ((W,), {})],
    "corrcoef": [((A,), {})],
    "trapezoid": [((A,), {}), ((A,), {"dx": 0.5, "axis": 0}), ((A, np.array([0.0, 1.0, 3.0, 4.0])), {}),
                  ((A, np.cumsum(B, 1)), {})],
    "gradient": [((V,), {}), ((A,), {}), ((A, 0.5), {"axis": 1}),
                 ((V, np.array([0.0, 1.0, 3.0, 4.0, 6.0])), {})],
    "polyval": [((W, V), {}), (([1.0, 2.0], V), {})],
    "vander": [((W,), {}), ((W, 4), {"increasing": True})],
    "ediff1d": [((V,), {}), ((V,), {"to_begin": 1.0, "to_end": W})],
}  # fmt: skip
NOT_COMPARED = {"empty_like", "array_repr", "trapz"}  # values that say nothing, or have a test of their own


def numpy_function(name):
    module, _, short = name.rpartition(".")
    return getattr(getattr(np, module) if module else np, short, None)


EACH = [(n, i) for n in CALLS for i in range(len(CALLS[n])) if numpy_function(n) is not None]


def test_every_function_has_calls():
    assert FUNCTIONS.keys() - CALLS.keys() == NOT_COMPARED


@pytest.mark.parametrize(("name", "i"), EACH)
def test_function(name, i):
    function, (args, kwargs) = numpy_function(name), CALLS[name][i]
    got, want = function(*variables(args), **kwargs), function(*args, **kwargs)
    if name == "result_type":
        assert got == want
        return
    check_values(got, want)


def differentiable(args):
    found = []
    for x in args:
        if isinstance(x, list | tuple):
            found += differentiable(x)
        elif isinstance(x, np.ndarray) and x.dtype == np.float64:
            found.append(x)
    return found


def filled(args, xs):
    """The arguments with these in the place of their float arrays."""
    made = []
    for x in args:
        if isinstance(x, list | tuple):
            made.append(type(x)(filled(x, xs)))
        else:
            made.append(next(xs) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x)
    return made


CONSTANT = STEPS | {"round", "around", "fix", "full_like"}


def is_differentiable(name, i):
    """Whether a call has double precision in, and more than constants out."""
    args, kwargs = CALLS[name][i]
    single = any(isinstance(x, str) and x == "float32" for x in (*leaves(args), *kwargs.values()))
    return differentiable(args) and not single and name not in CONSTANT and (name, len(args)) != ("where", 1)


@pytest.mark.parametrize(("name", "i"), [call for call in EACH if is_differentiable(*call)])
def test_gradient_of_a_function(name, i):
    function, (args, kwargs) = numpy_function(name), CALLS[name][i]
    xs = differentiable(args)
    if name.startswith("nan"):
        xs = [np.where(np.isfinite(x), x, 0.25) for x in xs]  # differences of nan say nothing
    if name.startswith("unique"):
        xs = [x + 0.1 * np.arange(x.size) for x in xs]  # ties have no derivative

    def f(*xs):
        ys = leaves(function(*filled(args, iter(xs)), **kwargs))
        ys = [y for y in ys if isinstance(y, Variable) and y.requires_grad]
        assert ys
        return [part for y in ys for part in ((np.real(y), np.imag(y)) if np.iscomplexobj(y) else (y,))]

    check_gradients(f, xs)


# -- what is refused -----------------------------------------------------------------------------


def test_in_place_on_an_array_says_how():
    a, v = A.copy(), Variable(B)
    with pytest.raises(
        TypeError, match=r"numpy.add: out= is an array, which keeps no gradient. .*a = a \+ v for a \+= v"
    ):
        a += v
    assert_close(a, A)
    a += tg.stop_gradient(v)
    assert type(a) is np.ndarray
    assert_close(a, A + B)


def test_out_cannot_be_a_variable():
    with pytest.raises(TypeError, match=r"numpy.add: out= cannot be a Variable"):
        np.add(A, B, out=Variable(A))
    with pytest.raises(TypeError, match=r"numpy.sum: out= cannot be a Variable"):
        np.sum(Variable(A), out=Variable(np.array(0.0)))
    with pytest.raises(TypeError, match=r"numpy.sum: out= is an array, which keeps no gradient"):
        np.sum(Variable(A), out=np.array(0.0))


def test_arguments_that_are_not_supported_are_named():
    v = Variable(A)
    for call, text in [
        (lambda: np.sin(v, where=C), r"numpy.sin: where= is not supported"),
        (lambda: np.sin(v, casting="unsafe"), r"numpy.sin: casting= is not supported"),
        (lambda: np.var(v, where=C), r"numpy.var: where= is not supported"),
        (lambda: np.sum(v, 0, None, np.zeros(4)), r"numpy.sum: argument 4 is not supported by position"),
        (lambda: np.ravel(v, order="F"), r"numpy.ravel: order= is not supported"),
        (lambda: np.take(v, [0], mode="clip"), r"numpy.take: mode= is not supported"),
        (lambda: np.quantile(v, 0.5, method="weibull"), r"numpy.quantile: method='weibull' is not supported"),
        (lambda: np.add.at(v, [0], 1.0), r"numpy.add.at: not defined for Variables"),
        (lambda: np.add.reduceat(v, [0, 1]), r"numpy.add.reduceat: not defined for Variables"),
        (lambda: np.subtract.reduce(v), r"numpy.subtract.reduce: reduce is not defined"),
        (lambda: np.maximum.accumulate(v), r"numpy.maximum.accumulate: accumulate is not defined"),
    ]:
        with pytest.raises(TypeError, match=text):
            call()


def test_functions_that_are_not_supported_are_named():
    v = Variable(A)
    for name, args in [("apply_along_axis", (np.sum, 0, v)), ("histogram", (v,)), ("linalg.eigvals", (v,))]:
        with pytest.raises(
            TypeError, match=rf"numpy.{name}: not defined for Variables.*tg.stop_gradient\(v\)"
        ):
            numpy_function(name)(*args)


def test_constants_go_through_numpy():
    c = tg.stop_gradient(Variable(A))
    check_values(np.apply_along_axis(np.sum, 0, c), A.sum(0))
    check_values(np.histogram(c, bins=3), np.histogram(A, bins=3))
    check_values(np.sin(c, where=C, out=np.zeros_like(A)) * Variable(B), np.where(C, np.sin(A), 0) * B)
    with tg.no_grad():
        check_values(np.histogram(Variable(A), bins=3), np.histogram(A, bins=3))


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_writing_into_a_variable_is_refused(name):
    v = Variable(A)
    args = {"copyto": (B,), "fill_diagonal": (0.0,), "place": (C, [0.0])}.get(name, (C, 0.0, 0)[:2])
    if name == "put_along_axis":
        args = (np.zeros((3, 1), int), 0.0, 1)
    with pytest.raises(TypeError, match=rf"numpy.{name}: it writes into its argument.*v\[\.\.\.\] = values"):
        getattr(np, name)(v, *args)
    assert_close(v, A)


def test_writing_a_variable_into_an_array():
    a = np.zeros((3, 4))
    with pytest.raises(TypeError, match=r"numpy.copyto: it writes into an array, which keeps no gradient"):
        np.copyto(a, Variable(A))
    np.copyto(a, tg.stop_gradient(Variable(A)))
    assert_close(a, A)


def test_every_function_of_numpy_is_known_or_refused():
    """None of those that NumPy hands over loses a gradient: what is in no table refuses."""
    known = {*FUNCTIONS, *STEPS, *WRITERS}
    v = Variable(A)
    for prefix, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        for short in dir(module):
            function = getattr(module, short)
            if type(function).__name__ != "_ArrayFunctionDispatcher" or prefix + function.__name__ in known:
                continue
            with pytest.raises(TypeError, match=rf"^numpy\.{prefix}{function.__name__}: not defined"):
                v.__array_function__(function, (Variable,), (v,), {})


def test_types_that_nobody_knows_may_answer_for_themselves():
    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return "ufunc of Other"

        def __array_function__(self, func, types, args, kwargs):
            return "function of Other"

    v = Variable(A)
    assert np.add(v, Other()) == "ufunc of Other"
    assert np.concatenate([v, Other()]) == "function of Other"


def test_creation_like_a_variable(backend):
    v = Variable(backend.from_numpy(A.astype("float32")))
    for name, args in [
        ("zeros", (3,)),
        ("ones", ((2, 3),)),
        ("full", (3, 2.5)),
        ("arange", (5,)),
        ("eye", (3,)),
    ]:
        made = getattr(np, name)(*args, like=v)
        assert made.backend is backend
        assert_close(backend.to_numpy(made.data).astype(float), getattr(np, name)(*args).astype(float))
    assert np.zeros(3, "float32", like=v).dtype == v.dtype
    assert_close(np.asarray([1.0, 2.0], dtype="float64", like=v), [1.0, 2.0])
    with pytest.raises(TypeError, match=r"numpy.zeros: order= is not supported with like=v"):
        np.zeros((3, 3), order="F", like=v)


def test_repr():
    assert np.array_repr(Variable(W)) == repr(Variable(W))
    assert np.empty_like(Variable(W)).shape == (3,)


def test_parameters_take_part():
    p = tg.Parameter(A.copy())
    np.sum(np.sin(p) * B).backward()
    assert_close(p.grad, np.cos(A) * B)


def test_second_derivative_through_numpy():
    x = Variable(np.array(0.7))
    y = np.sin(x) ** 2
    (g,) = tg.gradients(y, [x], create_graph=True)
    (h,) = tg.gradients(g, [x])
    assert_close(h, 2 * np.cos(1.4), rtol=1e-12)


# -- other libraries -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sin", "exp2", "cbrt", "floor", "isnan", "fabs", "degrees"])
def test_ufunc_on_every_backend(backend, name):
    x = Variable(backend.from_numpy(A))
    y = getattr(np, name)(x)
    assert y.backend is backend
    assert_close(y, getattr(np, name)(A), rtol=1e-12)


PORTABLE = [
    ("sum", (A, 0)), ("mean", (A,)), ("concatenate", ([A, B],)), ("where", (C, A, B)), ("dot", (A, B.T)),
    ("transpose", (T,)), ("stack", ([A, B], 1)), ("clip", (A, 0.4, 0.7)), ("median", (A, 0)), ("diag", (W,)),
    ("linalg.inv", (S,)), ("linalg.norm", (A,)), ("fft.fft", (V,)), ("std", (A,)), ("kron", (A, S)),
    ("argsort", (V,)), ("isclose", (A, B)), ("unique", (V,)), ("zeros_like", (A,)), ("cov", (A,)),
    ("trapezoid", (A,)), ("linspace", (W, W + 1, 3)), ("rot90", (A,)), ("array_split", (V, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), PORTABLE, ids=[n for n, _ in PORTABLE])
def test_function_on_every_backend(backend, name, args):
    if numpy_function(name) is None:
        pytest.skip(f"this NumPy has no {name}")

    def moved(tree):
        if isinstance(tree, list | tuple):
            return type(tree)(map(moved, tree))
        return Variable(backend.from_numpy(tree)) if isinstance(tree, np.ndarray) else tree

    got = leaves(numpy_function(name)(*moved(args)))
    want = leaves(numpy_function(name)(*args))
    for g, w in zip(got, want, strict=True):
        assert g.backend is backend
        assert_close(g.backend.to_numpy(g.data).astype(w.dtype), w, rtol=1e-10, atol=1e-12)


def test_what_cupy_hands_over():
    class Kernel:
        def __init__(self, name):
            self.name = name

    v = Variable(A)
    hook = v.__cupy_override_elementwise_kernel__
    check_values(hook(Kernel("cupy_true_divide"), B, v), B / A)
    check_values(hook(Kernel("cupy_arcsin"), v), np.arcsin(A))
    check_values(hook(Kernel("sinc"), v), np.sinc(A))
    with pytest.raises(TypeError, match=r"numpy.sin: out= is an array"):
        hook(Kernel("cupy_sin"), v, out=A.copy())
    with pytest.raises(TypeError, match=r"cupy: .* is not defined for Variables. Pass v.data."):
        hook(Kernel("my_kernel"), v)


@pytest.mark.parametrize("ufunc", [np.fmax, np.fmin, np.fmod, np.heaviside, np.copysign])
def test_numbers_beside_variables_are_weak(ufunc):
    x = np.array([0.5, -1.5, 3.0], np.float32)
    for args in ((x, 2.0), (2.0, x), (x, 2)):
        check_values(ufunc(*map(variables, args)), ufunc(*args))


def test_copysign_of_integers_is_floating():
    check_values(np.copysign(np.arange(3), Variable(V[:3])), np.copysign(np.arange(3), V[:3]))


def test_sinc_of_complex_numbers():
    z = np.array([2 + 2j, 0.1j, 1e-5j, 0j, -0.3 + 0.4j])
    check_values(np.sinc(Variable(z)), np.sinc(z))
    check_gradients(lambda x, y: np.real(np.sinc(x + 1j * y)), [z.real[[0, 4]], z.imag[[0, 4]]])


def test_lengths_and_axes_of_numpy():
    t = Variable(T)
    for f in (
        lambda t: np.reshape(t, np.prod(t.shape)),
        lambda t: np.tile(t, np.int64(2)),
        lambda t: np.array_split(t, np.int64(2)),
        lambda t: np.average(t, axis=np.int64(1), weights=np.arange(1.0, 4.0)),
        lambda t: np.linalg.norm(t, axis=np.int64(1)),
        lambda t: np.median(t, axis=np.int64(1)),
        lambda t: np.broadcast_to(t[0, 0, 0], np.int64(3)),
    ):
        check_values(f(t), f(T))


def test_a_quantile_of_nothing():
    for f in (np.median, lambda v, axis: np.quantile(v, 0.3, axis=axis)):
        with pytest.raises(ValueError, match=r"an element or more along axis 1; got shape \(3, 0\)"):
            f(Variable(np.zeros((3, 0))), axis=1)
