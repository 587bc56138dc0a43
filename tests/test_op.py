"""What every op shares: how its inputs mix, what it keeps, and its one backward on two levels."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Input, Op, Output, Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- numbers and mixtures ------------------------------------------------------------------------


def test_numbers_alone_become_numpy_arrays():
    y = F.add(1.0, 2.0)
    assert isinstance(y.data, np.ndarray)
    assert_close(y, 3.0)
    assert not y.requires_grad


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_python_scalars_are_weak(var, dtype):
    x = var([1.0, 2.0], dtype)
    for y in (x * 2.0, 2.0 * x, x + 1, x**2, x / 3, 1 - x):
        assert to_numpy(y).dtype == dtype
        y.sum().backward()
        assert to_numpy(x.grad).dtype == dtype
        x.cleargrad()


def test_a_numpy_scalar_is_weak_too(var):
    x = var([1.0, 2.0], np.float32)
    assert to_numpy(x * np.float64(2.0)).dtype == np.float32


def test_numpy_arrays_without_axes_go_along_with_anything(var):
    x = var([1.0, 2.0])
    y = F.mul(x, np.array(3.0))
    y.backward()
    assert_close(x.grad, [3.0, 3.0])


def test_libraries_do_not_mix():
    array_api_strict = pytest.importorskip("array_api_strict")
    x = Variable(np.ones(3))
    z = Variable(array_api_strict.ones((3, 1)))
    expected = (
        "Add: expected inputs of one array library; got numpy (3,) and array_api_strict (3, 1). "
        "Nothing is moved silently: use v.to(name), v.to_gpu() or v.to_cpu() on one of them."
    )
    with pytest.raises(TypeError, match=message(expected)):
        F.add(x, z)


# -- what is kept --------------------------------------------------------------------------------


def test_a_function_that_says_what_it_saves():
    class Square(Function):
        saves = Input(0)

        def forward(self, x):
            return x * x

        def backward(self, gy):
            (x,) = self.inputs
            return gy * 2 * x

    y = Square()(Variable(np.array([1.0, 2.0])))
    assert len(y.creator.saved) == 1
    check_gradients(Square(), [np.array([1.0, 2.0])])


def test_what_was_not_saved_is_not_there():
    seen = []

    class Linear(Function):
        saves = ()

        def forward(self, x):
            return 3 * x

        def backward(self, gy):
            seen.append(self.inputs[0].data)
            return 3 * gy

    x = Variable(np.array(1.0))
    y = Linear()(Linear()(x))
    assert y.creator.saved == ()
    y.backward()
    assert_close(x.grad, 9.0)
    assert seen == [None, x.data]  # the value in between is gone; x is held here


def test_keep():
    class Positive(Function):
        saves = ()

        def forward(self, x):
            self.keep(x > 0)
            return x * (x > 0)

        def backward(self, gy):
            (mask,) = self.kept
            return gy * mask

    x = Variable(np.array([-1.0, 2.0]))
    y = Positive()(x)
    node = y.creator
    y.backward()
    assert_close(x.grad, [0.0, 1.0])
    assert node.kept == ()


# -- built-in ops: one backward, two levels ------------------------------------------------------


class Sigmoid(Op):
    saves = Output(0)
    fresh = True
    levels: list[tuple[type, str]]

    def forward(self, x):
        return 1 / (1 + self.xp.exp(-x))

    def backward(self, gy):
        (y,) = self.saved
        self.levels.append((type(gy), self.xp.__name__))
        return gy * y * (1 - y)


def test_an_op_gets_arrays_or_variables(var, backend):
    Sigmoid.levels = []
    x = var([1.0, 2.0])
    Sigmoid()(x).backward()
    x.cleargrad()
    Sigmoid()(x).backward(create_graph=True)
    x.cleargrad()
    (raw, recorded) = Sigmoid.levels
    assert issubclass(raw[0], (*backend.array_types, np.generic))
    assert raw[1] == backend.xp.__name__
    assert recorded == (Variable, f"tensorgrad.{backend.name}")


def test_an_op_of_ones_own_to_third_order(var):
    Sigmoid.levels = []
    check_gradients(Sigmoid(), [var([0.5, -1.0])], order=3)


def test_nested_ops_are_nodes_only_where_the_backward_is_recorded(var):
    class Outer(Op):
        saves = Input(0)

        def forward(self, x):
            return x * x * x

        def backward(self, gy):
            (x,) = self.saved
            return gy * self.nested(Inner(), x)

    class Inner(Op):
        saves = Input(0)

        def forward(self, x):
            return 3 * x * x

        def backward(self, gy):
            (x,) = self.saved
            return gy * 6 * x

    check_gradients(Outer(), [var([1.0, 2.0])], order=2)


def test_inputs_that_never_get_a_gradient():
    class Pick(Op):
        no_grad_inputs = (1,)

        def forward(self, x, i):
            self.keep(i)
            return x * i

        def backward(self, gy):
            (i,) = self.kept
            return gy * i, None

    x, i = Variable(np.array([1.0, 2.0])), Variable(np.array([1.0, 0.0]))
    y = Pick()(x, i)
    assert y.creator.needs == (True, False)
    y.backward()
    assert_close(x.grad, [1.0, 0.0])
    assert i.grad is None
    assert not Pick()(x.data, i).requires_grad


def test_hidden_outputs():
    """An output that only the backward needs: saved, not handed out, and differentiable."""

    class ExpPlus(Op):
        hidden = 1
        saves = Output(1)

        def forward(self, x):
            e = self.xp.exp(x)
            return e + x, e

        def backward(self, gy, g_hidden):
            (e,) = self.saved
            total = None if gy is None else gy * (e + 1)
            if g_hidden is not None:
                more = g_hidden * e
                total = more if total is None else total + more
            return total

    x = Variable(np.array([0.5, 1.0]))
    y = ExpPlus()(x)
    assert isinstance(y, Variable)
    check_gradients(ExpPlus(), [x], order=3)


def test_inputs_on_two_devices():
    xp = pytest.importorskip("array_api_strict")
    here, there = xp.Device("CPU_DEVICE"), xp.Device("device1")
    x, y = Variable(xp.ones(3, device=here)), Variable(xp.ones(3, device=there))
    names = " and ".join(sorted(map(str, (here, there))))
    expected = (
        f"Add: expected inputs on one device; got {names}. Move one of them with v.to(backend, device=...)."
    )
    with pytest.raises(ValueError, match=message(expected)):
        F.add(x, y)


# -- fused kernels -------------------------------------------------------------------------------


@pytest.fixture
def kernels(monkeypatch):
    """The kernels that NumPy's backend has in this test, by name."""
    found = {}
    monkeypatch.setattr(type(get_backend("numpy")), "kernel", lambda self, name: found.get(name))
    return found


def test_an_op_takes_the_kernel_that_its_backend_has(kernels):
    kernels["silu"] = lambda x: x + 1
    kernels["silu_gradient"] = lambda gy, x, y: gy * x * 10
    x = Variable(np.array([1.0, 2.0]))
    y = F.silu(x)
    y.sum().backward()
    assert_close(y, [2.0, 3.0])
    assert_close(x.grad, [10.0, 20.0])


def test_the_formula_serves_what_a_kernel_does_not(kernels):
    want = F.silu(Variable(np.array([1.0, 2.0])))
    kernels["silu"] = lambda x: None
    assert_close(F.silu(Variable(np.array([1.0, 2.0]))), want)


def test_a_recorded_backward_computes_the_formula(kernels):
    kernels["gelu_gradient"] = lambda gy, x, y: gy * 0
    x = Variable(np.array([0.5, -1.0]))
    F.gelu(x).sum().backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.sum().backward()
    density = np.exp(-(x.data**2) / 2) / np.sqrt(2 * np.pi)
    assert_close(x.grad, density * (2 - x.data**2))


def test_who_runs_out_of_memory_is_told_what_is_alive():
    """In an op, in a backward and in an update: the largest arrays, by the op that made them."""

    class Greedy(Op):
        def __init__(self, backward=False):
            self.only = backward

        def forward(self, x):
            if self.only:
                return x + 1
            raise MemoryError("no more")

        def backward(self, gy):
            raise MemoryError("no more")

    class Rule(tg.optimizers.Optimizer):
        def update_one(self, param):
            raise MemoryError("no more")

    x = tg.Parameter(np.ones((64, 2048)), name="W")
    y = F.exp(x)
    z = y * F.sin(x)  # keeps what Exp has made, and what Sin has
    x.grad = Variable(np.ones((64, 2048)))
    for fails in (lambda: Greedy()(x), Greedy(backward=True)(z).sum().backward, Rule().setup([x]).update):
        with pytest.raises(MemoryError, match=r"^no more") as e:
            fails()
        (note,) = e.value.__notes__
        assert note.startswith("Variables and graphs hold ")
        for made in ("leaf W", "gradient of leaf W", "Exp", "Sin", "Mul"):
            assert f"\n  1.0 MiB: (64, 2048) float64, {made}\n" in f"{note}\n"
