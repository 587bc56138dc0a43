"""The fused CUDA kernels: NVRTC compiles each, and each gives what the formula of its op gives on NumPy.

The second half needs CuPy's arrays: those of a device, or the double's (see `cuda_double`), where the text of
a kernel runs on the host: its threads in rising order, and in falling order, since none may depend on it.
"""

from __future__ import annotations

import os
import weakref
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend

KERNELS = Path(find_spec("tensorgrad_backends").origin).parent / "cuda_kernels"
ON_DOUBLE = bool(os.environ.get("TENSORGRAD_CUPY_DOUBLE"))
HALVES = ("float16", "bfloat16")
DTYPES = (*HALVES, "float32", "float64")
TOLERANCE = {"float16": 4e-3, "bfloat16": 3.2e-2, "float32": 4e-6, "float64": 1e-12}

on_cupy = pytest.mark.skipif(
    not ON_DOUBLE and not tg.cuda.is_available(),
    reason="neither a CUDA device nor the double of CuPy is here",
)


@pytest.fixture
def _known(dtype):
    """Skips what the CuPy that is installed has no arrays of."""
    if dtype == "bfloat16" and not hasattr(get_backend("cupy").xp, dtype):
        pytest.skip("this CuPy has no bfloat16: it comes with CuPy 14 and ml_dtypes")


def every_dtype(test):
    return pytest.mark.parametrize("dtype", DTYPES)(pytest.mark.usefixtures("_known")(test))


# -- NVRTC ---------------------------------------------------------------------------------------


FILES = sorted(path.stem for path in KERNELS.glob("*.cu"))

nvrtc_only = pytest.mark.skipif(ON_DOUBLE, reason="the double has no compiler for a device")


def sources():
    pytest.importorskip("cupy", exc_type=ImportError)
    from tensorgrad_backends.cuda_kernels import sources

    return sources


@pytest.mark.cuda
def test_every_file_of_kernels_is_listed():
    assert sorted(sources().FILES) == FILES


def nvrtc_log(source: str, arch: int) -> str | None:
    """What NVRTC says of a source that it refuses, given as by CuPy; None if it made a cubin."""
    from cupy._core import core
    from cupy_backends.cuda.libs import nvrtc

    added = core.assemble_cupy_compiler_options(sources().OPTIONS)  # with CuPy's headers, and CUDA's
    options = (*added, "-ftz=true", f"-arch=sm_{arch}", "--device-as-default-execution-space")
    program = nvrtc.createProgram(source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, options)
        return None if nvrtc.getCUBIN(program).startswith(b"\x7fELF") else "no cubin"
    except nvrtc.NVRTCError:
        return nvrtc.getProgramLog(program)
    finally:
        nvrtc.destroyProgram(program)


@nvrtc_only
@pytest.mark.cuda
@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("file", FILES)
def test_nvrtc_makes_a_cubin(file, arch):
    assert set(sources().TYPES) == set(DTYPES)
    assert [nvrtc_log(sources().code(file, dtype), arch) for dtype in DTYPES] == [None] * len(DTYPES)


@nvrtc_only
@pytest.mark.cuda
def test_nvrtc_refuses_a_wrong_source():
    wrong = sources().code("softmax", "float32").replace("block_sum(total)", "block_sum(total, 1)", 1)
    assert "too many arguments" in nvrtc_log(wrong, 80)


# -- what the kernels compute ------------------------------------------------------------------------


@pytest.fixture(params=["rising", "falling"] if ON_DOUBLE else ["on the device"])
def launched(request):
    """The names of the kernels that ran; the threads of a block in both orders, on the double."""
    if not ON_DOUBLE:
        yield None
        return
    from cuda_double import modules

    modules.LAUNCHED.clear()
    modules.BACKWARDS[0] = request.param == "falling"
    yield modules.LAUNCHED
    modules.BACKWARDS[0] = False


def on(backend, function, arrays, cotangent):
    """The value of a function, and the gradients of its floating arguments, as NumPy arrays."""
    backend.seed(0)
    vs = [backend.from_numpy(a) if a.dtype.kind in "iu" else Variable(backend.from_numpy(a)) for a in arrays]
    ys = function(*vs)
    y = ys[0] if isinstance(ys, tuple) else ys
    y.backward(grad=Variable(backend.from_numpy(cotangent(y.shape).astype(str(y.dtype)))))
    variables = [v for v in vs if isinstance(v, Variable)]
    assert all(v.grad.dtype == v.dtype for v in variables)
    return [backend.to_numpy(a) for a in (y.data, *(v.grad.data for v in variables))]


def check(function, arrays, dtype, names, launched, *, scale=1.0):
    """On CuPy, a function gives what it gives on NumPy in float64, by the kernels of these names."""
    rng = np.random.default_rng(1)
    drawn = {}
    cotangent = lambda shape: drawn.setdefault(shape, rng.standard_normal(shape))  # noqa: E731
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    exact = [a if a.dtype.kind in "iu" else a.astype("float64") for a in arrays]
    if dtype in HALVES:  # both sides see the cotangent that it holds
        cotangent = lambda shape: drawn.setdefault(  # noqa: E731
            shape, rng.standard_normal(shape).astype(dtype).astype("float64")
        )
    with np.errstate(all="ignore"):
        want = on(get_backend("numpy"), function, exact, cotangent)
    got = on(get_backend("cupy"), function, arrays, cotangent)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == dtype
        assert g.shape == w.shape
        with np.errstate(over="ignore"):
            w = w.astype(dtype).astype("float64")  # noqa: PLW2901  # what the dtype can hold
        size = np.abs(w[np.isfinite(w)]).max(initial=1.0)
        np.testing.assert_allclose(
            g.astype("float64"), w, rtol=TOLERANCE[dtype], atol=scale * TOLERANCE[dtype] * size
        )
    if launched is not None:
        assert set(names) <= set(launched)


EXTREMES = np.array(
    [
        *(0.0, -0.0, 1e-40, -1e-310, 6e-8, 1.0, -1.0, 30.0, -30.0, 88.0, -88.0, 6e4, -6e4),
        *(1e30, -1e30, np.inf, -np.inf, np.nan),
    ]
)
"""Denormal, infinite, and where exponentials overflow: in float16 some of them are infinite already."""


def normals(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@on_cupy
@pytest.mark.cuda
@every_dtype
@pytest.mark.parametrize("name", ["gelu", "tanh_gelu", "silu", "softplus"])
def test_activations(name, dtype, launched):
    function = {"tanh_gelu": lambda x: F.gelu(x, "tanh")}.get(name, getattr(F, name, None))
    names = (name, f"{name}_gradient")
    for shape in ((1,), (33,), (7, 1031)):
        check(function, [3 * normals(*shape)], dtype, names, launched)
    with np.errstate(over="ignore"):
        extremes = EXTREMES.astype(dtype)
    if name != "softplus":  # at these the product with the density is inf times 0 in one order, 0 in another
        extremes = extremes[np.abs(extremes) < 1e4]
    check(function, [extremes], dtype, names, launched)


@on_cupy
@pytest.mark.cuda
@every_dtype
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, dtype, launched):
    function = getattr(F, name)
    names = (name, f"{name}_gradient")
    for shape in ((1, 1), (3, 33), (5, 1027), (2, 4100)):
        check(function, [4 * normals(*shape)], dtype, names, launched, scale=4)
    rows = np.array(
        [[0.0, 1e4, -1e4], [-np.inf, 0.0, 1.0], [np.nan, 0.0, 1.0], [-np.inf] * 3, [np.inf, 0, 1.0]]
    )
    check(function, [rows], dtype, names, launched)


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_softmax_cross_entropy(dtype, launched):
    names = ("softmax_cross_entropy", "softmax_cross_entropy_gradient")
    rng = np.random.default_rng(0)
    for rows, n, kind in ((1, 1, "int64"), (3, 33, "int32"), (5, 1027, "uint8")):
        labels = rng.integers(0, min(n, 200), rows).astype(kind)
        check(F.softmax_cross_entropy, [4 * normals(rows, n), labels], dtype, names, launched)
    check(
        F.softmax_cross_entropy,
        [np.array([[1e4, 0.0], [0.0, -1e4]]), np.array([[0], [0]])],
        dtype,
        names,
        launched,
    )


@on_cupy
@pytest.mark.cuda
def test_a_label_out_of_range_gives_nan(launched):
    backend = get_backend("cupy")
    x = Variable(backend.from_numpy(normals(3, 4)))
    for label in (-1, 4):
        loss = F.softmax_cross_entropy(x, backend.from_numpy(np.array([0, label, 1])))
        assert np.isnan(backend.to_numpy(loss.data))


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_normalisation(dtype, launched):
    names = ("standardize", "standardize_gradient", "column_sums")

    def of(function, *shapes, seed=0):
        """Arguments: x, then scales near 1 and shifts."""
        x, *rest = shapes
        parameters = [1 + 0.1 * normals(*shape, seed=seed + i) for i, shape in enumerate(rest)]
        check(function, [2 + normals(*x, seed=seed), *parameters], dtype, names, launched, scale=20)

    of(F.layer_norm, (1, 3), (3,), (3,))
    of(F.layer_norm, (5, 7, 33), (33,), (33,))
    of(F.layer_norm, (3, 1030), (1030,), (1030,))
    of(lambda x, g: F.layer_norm(x, g, None, axis=(-2, -1)), (4, 3, 5), (3, 5))
    of(F.layer_norm, (2, 65))
    of(F.rms_norm, (5, 33), (33,))
    of(F.batch_norm, (17, 5), (5,), (5,))
    names = ("standardize", "standardize_gradient", "channel_sums")
    of(F.batch_norm, (3, 5, 4, 7), (5,), (5,))
    of(F.batch_norm, (1, 2, 40, 30), (2,), (2,))
    of(lambda x, g, b: F.group_norm(x, 3, g, b), (2, 6, 5, 3), (6,), (6,))


@on_cupy
@pytest.mark.cuda
def test_batch_norm_moves_its_running_statistics(launched):
    x = normals(8, 3, 5)
    moved = []
    for name in ("numpy", "cupy"):
        backend = get_backend(name)
        layer = tg.layers.BatchNorm()
        layer(backend.from_numpy(x))
        moved.append([backend.to_numpy(p.data) for p in (layer.avg_mean, layer.avg_var)])
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-12)


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_recurrent_steps(dtype, launched):
    n, h, d, t = 3, 5, 4, 3
    lengths = np.array([3, 1, 2])
    x, state = normals(t, n, d), normals(n, h, seed=1)

    def weights(gates):
        return (
            0.5 * normals(d, gates * h, seed=2),
            0.5 * normals(h, gates * h, seed=3),
            normals(gates * h, seed=4),
        )

    names = ("lstm_step", "lstm_step_gradient")
    lstm = [x, state, normals(n, h, seed=5), *weights(4)]
    check(lambda *a: F.lstm(*a, lengths), lstm, dtype, names, launched, scale=8)
    check(lambda *a: F.lstm(*a)[2], lstm, dtype, names, launched, scale=8)
    names = ("gru_step", "gru_step_gradient")
    check(
        lambda *a: F.gru(*a, lengths),
        [x, state, *weights(3), normals(h, seed=6)],
        dtype,
        names,
        launched,
        scale=8,
    )


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_patches(dtype, launched):
    x = normals(2, 3, 7, 9)
    settings = ((3, 1, 0), ((2, 3), (2, 1), (1, 0)), (1, 2, 1))
    for window in settings:
        check(
            lambda v, w=window: F.im2col(v, *w, to_matrix=False), [x], dtype, ("im2col", "col2im"), launched
        )
    cols = normals(2, 3, 3, 3, 5, 7)
    back = lambda v: F.col2im(v, (2, 3, 7, 9), 3, to_matrix=False)  # noqa: E731
    check(back, [cols], dtype, ("im2col", "col2im"), launched)


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_convolution(dtype, launched):
    names = ("im2col", "col2im")
    x, w, b = normals(2, 4, 7, 9), normals(6, 4, 3, 2), normals(6)
    check(lambda x, w, b: F.conv2d(x, w, b, stride=2, pad=1), [x, w, b], dtype, names, launched, scale=8)
    check(
        lambda x, w: F.deconv2d(x, w, stride=2, pad=1),
        [x, normals(4, 3, 3, 3)],
        dtype,
        names,
        launched,
        scale=8,
    )
    depthwise = ("depthwise", "depthwise_transposed", "depthwise_kernel")
    several = lambda x, w: F.conv2d(x, w, pad=1, groups=4)  # noqa: E731
    check(several, [x, normals(8, 1, 3, 3)], dtype, depthwise, launched, scale=8)
    check(several, [x, normals(4, 1, 3, 2)], dtype, depthwise, launched, scale=8)


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_pooling(dtype, launched):
    x = normals(2, 3, 7, 9)
    for window in ((2, 2, 0), ((3, 2), (2, 1), 1), (3, 1, 1)):
        names = ("max_pool_uint8", "unpool_uint8")
        check(lambda v, w=window: F.pooling(v, *w), [x], dtype, names, launched, scale=4)
        names = ("average_pool", "spread")
        check(lambda v, w=window: F.average_pooling(v, *w), [x], dtype, names, launched, scale=4)
    ties = np.array([[[[1.0, 1.0, np.nan, -np.inf], [1.0, 0.0, 2.0, -np.inf]]]])
    check(lambda v: F.pooling(v, 2, 2), [ties], dtype, (), launched)
    wide = ("max_pool_int32", "unpool_int32")
    check(lambda v: F.pooling(v, 17), [normals(1, 1, 18, 19)], dtype, wide, launched, scale=9)


@on_cupy
@pytest.mark.cuda
def test_second_derivatives_of_pooling_and_dropout(launched):
    backend = get_backend("cupy")
    x = Variable(backend.from_numpy(normals(1, 2, 4, 4)))
    y = F.pooling(x, 2, 2)
    F.dropout(y * y, 0.5).sum().backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.sum().backward()  # d/dx of 2 x where it was the largest and stayed
    first, second = backend.to_numpy(gx.data), backend.to_numpy(x.grad.data)
    np.testing.assert_allclose(second * backend.to_numpy(x.data), first)
    assert 0 < (second != 0).sum() < 8
    if launched is not None:
        assert {"picked_uint8", "dropout"} <= set(launched)


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_embedding_scatter(dtype, launched):
    ids = np.array([[0, 2, 2, 4], [2, 4, 4, 4]])
    function = lambda w, i: F.embed_id(i, w)  # noqa: E731
    check(function, [normals(5, 33), ids], dtype, ("scatter_rows",), launched, scale=4)


# -- dropout -----------------------------------------------------------------------------------------


def philox(key: int, low: int, high: int) -> list[int]:
    """Philox4x32-10 of Salmon et al. 2011 in Python: the numbers at a counter."""
    mask = 2**32 - 1
    k = [key & mask, key >> 32]
    c = [low & mask, low >> 32, high & mask, high >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & mask, (a >> 32) ^ c[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def test_philox_in_python_gives_the_known_answers():
    """Those of the authors' library Random123, file kat_vectors."""
    assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 2**64 - 1
    assert philox(ones, ones, ones) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


@on_cupy
@pytest.mark.cuda
@every_dtype
def test_dropout_draws_philox_and_the_same_again(dtype, launched):
    backend = get_backend("cupy")
    backend.seed(12345)
    begun = 0
    for n, ratio in ((1, 0.5), (37, 0.25), (2050, 0.9), (5, 0.0), (5, 1.0)):
        x = Variable(backend.from_numpy(np.ones(n, dtype)))
        y = F.dropout(x, ratio)
        y.sum().backward()
        drawn = np.array([philox(12345, begun + i, 0) for i in range(-(-n // 4))], float).reshape(-1)[:n]
        want = np.where(drawn >= ratio * 2**32, 1 / (1 - ratio) if ratio < 1 else 0.0, 0.0)
        np.testing.assert_allclose(backend.to_numpy(y.data), want.astype(dtype), rtol=1e-3)
        np.testing.assert_array_equal(backend.to_numpy(x.grad.data), backend.to_numpy(y.data))
        begun += -(-n // 4)


@on_cupy
@pytest.mark.cuda
def test_a_random_state_goes_back_to_the_same_mask(launched):
    backend = get_backend("cupy")
    x = Variable(backend.from_numpy(np.ones(64)))
    state = backend.random_state()
    one = backend.to_numpy(F.dropout(x).data)
    assert (backend.to_numpy(F.dropout(x).data) != one).any()
    backend.set_random_state(state)
    np.testing.assert_array_equal(backend.to_numpy(F.dropout(x).data), one)


# -- updates -----------------------------------------------------------------------------------------


SHAPES = ((1,), (3, 5), (8192,), (8193,), (2, 4096, 3), ())


def trained(name, optimizer, dtype, hook=None):
    """The parameters after three updates with the same gradients on a library."""
    backend = get_backend(name)
    rng = np.random.default_rng(0)
    ps = [tg.Parameter(backend.from_numpy(rng.standard_normal(s).astype(dtype))) for s in SHAPES]
    optimizer = optimizer().setup(ps)
    if hook is not None:
        optimizer.add_hook(hook)
    for _ in range(3):
        for p in ps:
            g = rng.standard_normal(p.shape).astype(dtype)
            p.grad = Variable(backend.from_numpy(g), requires_grad=False)
        optimizer.update()
    return [backend.to_numpy(p.data) for p in ps]


@on_cupy
@pytest.mark.cuda
@every_dtype
@pytest.mark.parametrize(
    ("kernel", "optimizer"),
    [
        ("sgd", lambda: tg.optimizers.SGD(0.1)),
        ("momentum_sgd", lambda: tg.optimizers.MomentumSGD(0.1)),
        ("momentum_sgd", lambda: tg.optimizers.MomentumSGD(0.1, nesterov=True)),
        ("adam", lambda: tg.optimizers.Adam(0.01)),
        ("adam", lambda: tg.optimizers.AdamW(0.01, weight_decay=0.5)),
    ],
    ids=["SGD", "MomentumSGD", "Nesterov", "Adam", "AdamW"],
)
def test_updates_of_all_parameters_in_one_launch(kernel, optimizer, dtype, launched):
    tolerance = {"float16": 1e-2, "bfloat16": 8e-2, "float32": 1e-5, "float64": 1e-12}[dtype]
    precise = "float64" if dtype in HALVES else dtype  # Adam's eps is 0 in float16, as is its v
    for got, want in zip(
        trained("cupy", optimizer, dtype), trained("numpy", optimizer, precise), strict=True
    ):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    if launched is not None:
        assert launched.count(kernel) == 3  # one for each update


@on_cupy
@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("highest", [1.0, 1e9])
def test_clipping_by_the_common_norm(highest, dtype, launched):
    hook = tg.optimizers.ClipGrad(highest)
    got, want = (trained(name, lambda: tg.optimizers.SGD(1.0), dtype, hook) for name in ("cupy", "numpy"))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=2e-5 if dtype == "float32" else 1e-12, atol=1e-6)
    if launched is not None:
        assert [launched.count(name) for name in ("squares", "clip_rate", "scaled", "sgd")] == [3] * 4


@on_cupy
@pytest.mark.cuda
def test_clipped_gradients_are_never_all_there_twice(launched, monkeypatch):
    """They come a few at a time, and those that they replace are let go meanwhile."""
    from tensorgrad_backends.cuda_kernels import optimizers

    monkeypatch.setattr(optimizers, "_GROUP", 200)
    backend = get_backend("cupy")
    gs = [np.full(n, n, np.float64) for n in (10, 10, 40, 5)]  # 80, 80, 320 and 40 bytes
    given = [backend.from_numpy(g) for g in gs]
    gone = [weakref.ref(g) for g in given]
    clipped = backend.kernel("clip_by_norm")(given, 1.0)
    del given
    norm = np.sqrt(sum((g * g).sum() for g in gs))
    for i, (y, g) in enumerate(zip(clipped, gs, strict=True)):
        assert [ref() is None for ref in gone] == [j < (2, 2, 3, 4)[i] for j in range(4)]
        np.testing.assert_allclose(backend.to_numpy(y), g / (norm + 1e-6))
    if launched is not None:
        assert launched.count("scaled") == 3


@on_cupy
@pytest.mark.cuda
def test_an_optimizer_with_a_rule_of_its_own_keeps_it(launched):
    class Slow(tg.optimizers.SGD):
        def update_one(self, param):
            param.data -= 0.5

    backend = get_backend("cupy")
    p = tg.Parameter(backend.from_numpy(np.ones(3)))
    p.grad = Variable(backend.from_numpy(np.ones(3)), requires_grad=False)
    Slow().setup([p]).update()
    assert backend.to_numpy(p.data).tolist() == [0.5] * 3
    tg.optimizers.NAdam(0.1).setup([p]).update()
    if launched is not None:
        assert not {"sgd", "adam"} & set(launched)
