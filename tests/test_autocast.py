"""Mixed precision: which ops compute in what, where the mode holds, and the dtypes of gradients."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Config, Parameter, Variable
from tensorgrad import functions as F
from tensorgrad.testing.arrays import to_numpy

HALVES = ("float16", "bfloat16")


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def test_a_library_that_lacks_the_dtype_says_so(backend):
    x = Variable(backend.from_numpy(np.ones((2, 2), np.float32)))
    lacking = [name for name in HALVES if not hasattr(backend.xp, name)]
    assert (backend.name, lacking) in [
        ("numpy", ["bfloat16"]),
        ("array_api_strict", ["float16", "bfloat16"]),
        ("dpnp", ["bfloat16"]),
        ("cupy", []),
        ("cupy", ["bfloat16"]),  # before CuPy 14
        ("torch", []),
        ("jax", []),
    ]
    for name in lacking:
        expected = f"autocast: {backend.name} has no {name} to compute MatMul in"
        with tg.autocast(name), pytest.raises(TypeError, match=message(expected)):
            F.matmul(x, x)


def made(backend, shape, seed=0, dtype=np.float32, kind=Variable):
    return kind(backend.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(dtype)))


# -- which ops compute in what -------------------------------------------------------------------


def in_half(backend):
    x, W = made(backend, (3, 4)), made(backend, (4, 4))
    image, kernel = made(backend, (1, 2, 5, 5)), made(backend, (2, 2, 3, 3))
    row = made(backend, (4,))
    return {
        "matmul": lambda: F.matmul(x, W),
        "operator": lambda: x @ W,
        "linear": lambda: F.linear(x, W, row),
        "tensordot": lambda: F.tensordot(x, W, 1),
        "conv2d": lambda: F.conv2d(image, kernel),
        "deconv2d": lambda: F.deconv2d(image, kernel),
        "attention": lambda: F.scaled_dot_product_attention(x, W, W, causal=True),
    }


def in_full(backend, half):
    y = F.astype(made(backend, (3, 4)), half)
    ones = Variable(backend.from_numpy(np.ones(4, np.float32)))
    labels = backend.from_numpy(np.array([0, 1, 3]))
    return {
        "softmax": lambda: F.softmax(y),
        "log_softmax": lambda: F.log_softmax(y),
        "softmax_cross_entropy": lambda: F.softmax_cross_entropy(y, labels),
        "cross_entropy": lambda: F.cross_entropy(y, labels),
        "mean_squared_error": lambda: F.mean_squared_error(y, ones),
        "binary_cross_entropy_with_logits": lambda: F.binary_cross_entropy_with_logits(y, 0.0 * y),
        "sum": lambda: F.sum(y),
        "mean": lambda: F.mean(y, axis=1),
        "std": lambda: F.std(y),
        "logsumexp": lambda: F.logsumexp(y),
        "cumulative_sum": lambda: F.cumsum(y, 1),
        "vector_norm": lambda: F.vector_norm(y),
        "layer_norm": lambda: F.layer_norm(y, ones, ones),
        "batch_norm": lambda: F.batch_norm(y, ones, ones),
        "rms_norm": lambda: F.rms_norm(y, ones),
        "exp": lambda: F.exp(y),
        "power": lambda: y**3,
    }


def test_products_in_half_precision_and_the_rest_in_full(backend, half):
    dtype = getattr(backend.xp, half)
    for name, call in in_half(backend).items():
        plain = call()
        with tg.autocast(half):
            y = call()
        assert y.dtype == dtype, name
        assert plain.dtype == backend.xp.float32, name
        x = to_numpy(plain)
        np.testing.assert_allclose(
            np.asarray(to_numpy(y), np.float32), x, atol=0.03 * np.abs(x).max(), err_msg=name
        )
    for name, call in in_full(backend, half).items():
        with tg.autocast(half):
            y = call()
        assert y.dtype == backend.xp.float32, name
        assert bool(np.isfinite(to_numpy(y)).all()), name
    y = F.astype(made(backend, (3, 4)), half)
    with tg.autocast(half):
        assert all(z.dtype == dtype for z in (F.relu(y), F.max(y), F.tanh(y), F.reshape(y, (4, 3))))
        assert (y + made(backend, (3, 4))).dtype == backend.xp.float32


def test_gradients_arrive_in_the_dtype_of_their_leaves(backend, half):
    x, W = made(backend, (3, 4)), made(backend, (4, 2), 1, kind=Parameter)
    with tg.autocast(half):
        loss = F.mean_squared_error(F.matmul(F.relu(x), W), made(backend, (3, 2), 2))
    loss.backward()
    assert x.grad.dtype == W.grad.dtype == backend.xp.float32
    got = to_numpy(W.grad)
    W.cleargrad()
    F.mean_squared_error(F.matmul(F.relu(x), W), made(backend, (3, 2), 2)).backward()
    np.testing.assert_allclose(got, to_numpy(W.grad), atol=0.03 * np.abs(got).max())


def test_raw_arrays_and_doubles(backend, half):
    raw = backend.from_numpy(np.ones((2, 2), np.float32))
    double = backend.from_numpy(np.ones((2, 2)))
    with tg.autocast(half):
        assert F.matmul(raw, raw).dtype == getattr(backend.xp, half)
        assert F.matmul(double, double).dtype == backend.xp.float64
        assert F.sum(double).dtype == backend.xp.float64


def test_gradients_of_gradients(backend, half):
    x, W = made(backend, (2, 3)), made(backend, (3, 2), 1)
    with tg.autocast(half):
        y = F.sum(F.tanh(F.matmul(x, W)))
    y.backward(create_graph=True)
    gx = x.grad
    W.cleargrad()
    F.sum(gx * gx).backward()
    got = to_numpy(W.grad)
    x.cleargrad()
    W.cleargrad()
    F.sum(F.tanh(F.matmul(x, W))).backward(create_graph=True)
    gx = x.grad
    W.cleargrad()
    F.sum(gx * gx).backward()
    np.testing.assert_allclose(got, to_numpy(W.grad), atol=0.05 * np.abs(got).max())
    for v in (x, W):
        v.cleargrad()


# -- the mode ------------------------------------------------------------------------------------


def test_the_first_op_of_a_process_on_arrays_is_in_half_precision_too():
    code = """
        import numpy as np, tensorgrad as tg
        with tg.autocast("float16"):
            print(tg.functions.matmul(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)).dtype)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "float16\n", done.stderr


def test_the_mode_belongs_to_its_context():
    x = np.ones((2, 2), np.float32)

    def dtype():
        return F.matmul(x, x).dtype

    found = []
    with tg.autocast("float16"):
        assert (dtype(), Config.precision) == (np.float16, "float16")
        with tg.autocast(None):
            assert dtype() == np.float32
        thread = threading.Thread(target=lambda: found.append(dtype()))
        thread.start()
        thread.join()
        asyncio.run(_in_a_task(found, dtype))
    assert found == [np.float32, np.float16]
    assert (dtype(), Config.precision) == (np.float32, None)
    assert tg.autocast("float16")(dtype)() == np.float16
    assert dtype() == np.float32


async def _in_a_task(found, dtype):
    found.append(dtype())


def test_errors():
    with pytest.raises(
        ValueError, match=message("autocast: expected 'float16', 'bfloat16' or None; got 'int8'")
    ):
        tg.autocast("int8")
    expected = "no configuration is named 'precision'; there are: enable_backprop, train"
    with pytest.raises(LookupError, match=message(expected)):
        tg.using_config("precision", True)
