"""bfloat16 and products of stacks on CuPy's arrays: those of a device, or the double's (see `cuda_double`).

The double computes a product from the memory that it is given, as cuBLAS reads it, and gives bfloat16 the
dtypes that the installed CuPy says it would.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

import tensorgrad as tg
import test_ops
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend

ON_DOUBLE = bool(os.environ.get("TENSORGRAD_CUPY_DOUBLE"))
HALVES = ("float16", "bfloat16")

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not ON_DOUBLE and not tg.cuda.is_available(),
        reason="neither a CUDA device nor the double of CuPy is here",
    ),
]


@pytest.fixture
def xp():
    found = get_backend("cupy").xp
    if not hasattr(found, "bfloat16"):
        pytest.skip("this CuPy has no bfloat16: it comes with CuPy 14 and ml_dtypes")
    return found


def on_device(values, dtype):
    backend = get_backend("cupy")
    return backend.xp.astype(backend.from_numpy(np.asarray(values, np.float32)), dtype)


def host(array):
    return get_backend("cupy").to_numpy(array).astype(np.float64)


def normals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# -- products ------------------------------------------------------------------------------------


def stacks(dtype):
    """Pairs of factors that lie in memory in each way that there is."""
    made = lambda *shape: on_device(normals(*shape, seed=len(shape)), dtype)  # noqa: E731
    swapped = lambda *shape: get_backend("cupy").xp.matrix_transpose(made(*shape))  # noqa: E731
    return {
        "matrices": (made(5, 7), made(7, 3)),
        "a stack": (made(2, 5, 7), made(2, 7, 3)),
        "turned left": (swapped(2, 7, 5), made(2, 7, 3)),
        "turned right": (made(2, 5, 7), swapped(2, 3, 7)),
        "both turned": (swapped(2, 7, 5), swapped(2, 3, 7)),
        "two axes": (made(2, 3, 5, 7), made(2, 3, 7, 4)),
        "one matrix for all": (made(2, 3, 5, 7), made(7, 4)),
        "one on the left": (made(5, 7), made(2, 3, 7, 4)),
        "spread along one axis": (made(2, 1, 5, 7), made(1, 3, 7, 4)),
        "heads": (made(2, 5, 3, 7).transpose(0, 2, 1, 3), made(2, 4, 3, 7).transpose(0, 2, 3, 1)),
        "parts of rows": (made(2, 5, 9)[..., 1:8], made(2, 7, 6)[..., ::2]),
        "backwards": (made(4, 5, 7)[::-1], made(4, 7, 3)),
        "every other": (made(4, 5, 7)[::2], made(2, 7, 3)),
        "a vector on the left": (made(7), made(2, 7, 3)),
        "a vector on the right": (made(2, 5, 7), made(7)),
        "vectors": (made(7), made(7)),
        "columns": (made(2, 5, 1), made(2, 1, 3)),
        "rows": (made(2, 1, 7), made(2, 7, 1)),
    }


@pytest.mark.parametrize("dtype", [*HALVES, "float32", "float64"])
def test_a_product_is_rounded_once(xp, dtype):
    for name, (a, b) in stacks(dtype).items():
        y = xp.matmul(a, b)
        want = np.matmul(host(a), host(b))
        assert y.dtype == dtype, name
        assert y.shape == want.shape, name
        ulp = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 1e-6, "float64": 1e-14}[dtype]
        atol = 1e-14 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(host(y), want, rtol=0.51 * ulp, atol=atol, err_msg=name)


only_double = pytest.mark.skipif(not ON_DOUBLE, reason="only the double tells what cuBLAS was asked for")


def copies(monkeypatch):
    """The shapes of the arrays that are copied to be dense, from here on."""
    import cupy

    made = []
    real = cupy.ascontiguousarray

    def dense(a):
        found = real(a)
        if found is not a:
            made.append(a.shape)
        return found

    monkeypatch.setattr(cupy, "ascontiguousarray", dense)
    return made


@only_double
def test_factors_are_copied_only_where_cublas_cannot_read_them(xp, monkeypatch):
    from cuda_double import cublas

    copied, found = copies(monkeypatch), set()
    for name, (a, b) in stacks("bfloat16").items():
        cublas.CALLS.clear()
        copied.clear()
        xp.matmul(a, b)
        assert len(cublas.CALLS) == 1, name
        if copied:
            found.add(name)
    assert found == {"parts of rows", "backwards", "spread along one axis", "heads"}


@pytest.mark.parametrize("dtype", HALVES)
def test_a_long_sum_loses_nothing(xp, dtype):
    ones = on_device(np.ones((2, 1, 3000)), dtype)
    assert host(xp.matmul(ones, xp.matrix_transpose(ones))).ravel() == pytest.approx(
        [3000.0] * 2, rel=0.0 if dtype == "float16" else 2.0**-8
    )  # summed in bfloat16 it would stay at 256


@only_double
def test_stacks_of_float32_are_of_tf32_where_that_is_allowed(xp):
    from cuda_double import cublas

    kinds = []
    for allowed, dtype in ((True, "float32"), (False, "float32"), (True, "float16"), (True, "float64")):
        tg.cuda.allow_tf32(allowed)
        xp.matmul(*stacks(dtype)["a stack"])
        kinds.append(cublas.CALLS[-1][-1])
    tg.cuda.allow_tf32(False)
    half, double, tf32 = (getattr(cublas, f"CUBLAS_COMPUTE_{k}") for k in ("32F", "64F", "32F_FAST_TF32"))
    assert kinds == [tf32, half, half, double]


@only_double
def test_a_convolution_copies_no_patches(xp, monkeypatch):
    """They are the largest arrays of a step, and its backward takes them turned."""
    copied = copies(monkeypatch)
    x = Variable(on_device(normals(4, 3, 8, 8), "float32"))
    W = Parameter(on_device(normals(5, 3, 3, 3), "float32"))
    F.sum(F.conv2d(x, W, pad=1) ** 2).backward()
    assert copied == []


@only_double
def test_arrays_on_another_device_are_left_to_cupy(xp):
    from cuda_double import cublas

    a, b = stacks("float32")["a stack"]
    cublas.CALLS.clear()
    with tg.cuda.Device(1):
        xp.matmul(a, b)
    assert cublas.CALLS == []


def test_what_is_no_stack_is_cupy_s(xp):
    a, b = on_device(normals(2, 3, 4), "bfloat16"), on_device(normals(2, 4, 2), "float32")
    assert xp.matmul(a, b).dtype == "float32"
    assert xp.matmul(b[..., :0], b[:, :0, :]).shape == (2, 4, 2)
    assert xp.matmul(a[..., :0], on_device(normals(2, 0, 2), "bfloat16")).shape == (2, 3, 2)
    with pytest.raises(ValueError):  # noqa: PT011  # CuPy's message
        xp.matmul(a, a)


# -- bfloat16 ------------------------------------------------------------------------------------


def test_the_namespace_knows_bfloat16(xp):
    x = on_device([1.5, -2.0], xp.bfloat16)
    assert xp.isdtype(x.dtype, "real floating")
    assert xp.isdtype(x.dtype, ("integral", "numeric"))
    assert not xp.isdtype(x.dtype, ("integral", "bool", "complex floating"))
    assert xp.isdtype(x.dtype, xp.bfloat16)
    assert not xp.isdtype(x.dtype, xp.float16)
    assert not xp.isdtype(np.dtype("float16"), xp.bfloat16)
    with pytest.raises(ValueError, match="kind"):
        xp.isdtype(x.dtype, "half")
    info = xp.finfo(x.dtype)
    assert (info.bits, float(info.eps), float(info.max)) == (16, 2.0**-7, 3.3895313892515355e38)
    assert xp.finfo(xp.float32).bits == 32


def test_functions_keep_it(xp):
    x = on_device([[1.5, -2.0, 0.5], [3.0, -0.25, 4.0]], xp.bfloat16)
    square = on_device([[2.0, 1.0], [0.5, 4.0]], xp.bfloat16)
    calls = {
        "where": lambda xp, x, square: xp.where(x > 0, x, xp.zeros_like(x)),
        "where with a number": lambda xp, x, square: xp.where(x > 0, 1.5, x),
        "maximum": lambda xp, x, square: xp.maximum(x, 0.5),
        "minimum": lambda xp, x, square: xp.minimum(0.5, x),
        "multiply": lambda xp, x, square: xp.multiply(x, 0.5),
        "clip": lambda xp, x, square: xp.clip(x, -1.0, 1.0),
        "sort": lambda xp, x, square: xp.sort(x, axis=1),
        "cumulative_sum": lambda xp, x, square: xp.cumulative_sum(x, axis=1),
        "std": lambda xp, x, square: xp.std(x, axis=0),
        "round": lambda xp, x, square: xp.round(x),
        "tril": lambda xp, x, square: xp.tril(square),
        "triu": lambda xp, x, square: xp.triu(square, k=1),
        "sum": lambda xp, x, square: xp.sum(x, axis=0),
        "mean": lambda xp, x, square: xp.mean(x),
        "exp": lambda xp, x, square: xp.exp(x),
        "concat": lambda xp, x, square: xp.concat([x, x]),
        "vecdot": lambda xp, x, square: xp.vecdot(x, x),
        "vector_norm": lambda xp, x, square: xp.linalg.vector_norm(x, axis=1),
        "inv": lambda xp, x, square: xp.linalg.inv(square),
    }
    numpy = get_backend("numpy").xp
    for name, call in calls.items():
        y = call(xp, x, square)
        assert y.dtype == xp.bfloat16, name
        np.testing.assert_allclose(host(y), call(numpy, host(x), host(square)), rtol=2.0**-8, err_msg=name)
    assert host(xp.argsort(x, axis=1)).tolist() == [[1, 2, 0], [1, 0, 2]]
    values, indices, *_ = xp.unique_all(x[:1])
    assert (values.dtype, host(indices).tolist()) == (xp.bfloat16, [1, 2, 0])
    assert xp.where(x > 0, x, on_device(0.0, xp.float32)).dtype == xp.float32
    assert xp.sum(x, dtype=xp.float32).dtype == xp.float32


def test_random_numbers_have_its_steps(xp):
    backend = get_backend("cupy")
    drawn = backend.uniform((5000,), xp.bfloat16)
    assert drawn.dtype == xp.bfloat16
    assert host(drawn).max() < 1.0
    assert np.unique(host(drawn)).size == 256
    assert backend.normal((3,), xp.bfloat16).dtype == xp.bfloat16


def test_there_and_back(xp):
    backend = get_backend("cupy")
    x = on_device([1.0, np.inf, -2.5], xp.bfloat16)
    on_host = backend.to_numpy(x)
    assert on_host.dtype.name == "bfloat16"
    again = backend.from_numpy(on_host)
    assert (again.dtype, host(again).tolist()) == (xp.bfloat16, [1.0, np.inf, -2.5])


class Net(tg.Model):
    def __init__(self):
        super().__init__()
        self.l1 = tg.layers.Linear(16, in_size=8)
        self.norm = tg.layers.LayerNorm()
        self.l2 = tg.layers.Linear(3, in_size=16)

    def forward(self, x):
        return self.l2(F.dropout(F.leaky_relu(self.norm(self.l1(x))), 0.1))


def test_a_model_all_of_bfloat16_learns(xp):
    """Weights, activations, gradients and Adam's means are of 16 bits: no float32 array is made of them."""
    tg.seed(0)
    model = Net().to_gpu()
    x, t = on_device(normals(24, 8), xp.bfloat16), get_backend("cupy").from_numpy(np.arange(24) % 3)
    model(x)
    for p in model.params():
        p.data = xp.astype(p.data, xp.bfloat16)
    optimizer = tg.optimizers.AdamW(0.02).setup(model)
    optimizer.add_hook(tg.optimizers.ClipGrad(1.0))
    losses = []
    for _ in range(60):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        assert {str(p.grad.dtype) for p in model.params()} == {"bfloat16"}
        optimizer.update()
        losses.append(float(host(loss.data)))
    assert {str(p.dtype) for p in model.params()} == {"bfloat16"}
    assert losses[0] > 0.9
    assert losses[-1] < 0.5 * losses[0]


def test_gradients_of_gradients(xp):
    x = Variable(on_device([0.5, -1.0, 2.0], xp.bfloat16))
    W = Parameter(on_device(normals(3, 3), xp.bfloat16))
    y = F.sum(F.tanh(F.matmul(x, W)))
    y.backward(create_graph=True)
    gx = x.grad
    W.cleargrad()
    F.sum(gx * gx).backward()
    assert (gx.dtype, W.grad.dtype) == (xp.bfloat16, xp.bfloat16)
    exact = Variable(host(x.data)), Parameter(host(W.data))
    F.sum(F.tanh(F.matmul(*exact))).backward(create_graph=True)
    gx = exact[0].grad
    exact[1].cleargrad()
    F.sum(gx * gx).backward()
    want = exact[1].grad.data
    np.testing.assert_allclose(host(W.grad.data), want, atol=0.05 * np.abs(want).max())


# -- the table of ops ----------------------------------------------------------------------------

GIVE_FLOAT32 = """
    chdtr chdtrc cholesky cosine_embedding_loss eigh eigvalsh ellipk expn huber huber_loss inv_boxcox
    inv_boxcox1p multigammaln pseudo_huber sinc spence stdtr trapezoid triplet_margin_loss yn
"""
"""Ops with a Python float beside an array in their formula, for which CuPy gives float32."""

COMPLEX = "eig eigvals fft fftn hfft ifft ifftn ihfft irfft irfftn rfft rfftn"
"""Ops that compute with complex numbers: none has parts of 16 bits."""


def test_every_op_takes_bfloat16_and_keeps_it(xp):
    backend = get_backend("cupy")
    narrow = lambda x: type(x)(xp.astype(x.data, xp.bfloat16)) if str(x.dtype) == "float32" else x  # noqa: E731
    wide = set()
    for name in test_ops.PUBLIC:
        if (name, 0) not in test_ops.CASES or name in test_ops.GIVE_THE_DTYPE_ASKED_FOR:
            continue
        args = test_ops.arguments(name, 0, backend, "float32")
        outputs = {"float32": test_ops.call(name, 0, args)}
        args = test_ops.mapped(lambda x: narrow(x) if isinstance(x, Variable) else x, args)
        outputs["bfloat16"] = ys = test_ops.call(name, 0, args)
        kinds = [[str(y.dtype) for y in outputs[dtype]] for dtype in ("float32", "bfloat16")]
        if kinds[1] != [kind.replace("float32", "bfloat16") for kind in kinds[0]]:
            assert kinds[1] == kinds[0], name
            wide.add(name)
        ys = [y for y in ys if y.requires_grad and "complex" not in str(y.dtype)]
        if ys:
            squares = [F.sum(F.astype(y * y, xp.float32)) for y in ys]
            sum(squares[1:], squares[0]).backward()
            for v in test_ops.variables(args):
                assert v.grad is None or v.grad.dtype == v.dtype, name
    assert wide == {*GIVE_FLOAT32.split(), *COMPLEX.split()}
