"""The profiler and the debug mode."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad import functions as F
from tensorgrad.core import watch


def step(x: Variable) -> Variable:
    y = F.sum(F.exp(F.tanh(x)) * x)
    y.backward()
    return y


@pytest.fixture(autouse=True)
def _nothing_is_left():
    call, backward = Function.__call__, F.arithmetic.Mul.backward
    yield
    assert Function.__call__ is call
    assert F.arithmetic.Mul.backward is backward
    assert not watch._entered


# -- the profiler --------------------------------------------------------------------------------


def test_every_call_and_every_backward_is_counted(var):
    x = var(np.ones((50, 50)))
    with tg.profile() as p:
        step(x)
        x.cleargrad()
        step(x)
        with tg.no_grad():
            F.tanh(x)
    calls = {row.name: (row.forward_calls, row.backward_calls) for row in p.rows()}
    assert calls == {"Tanh": (3, 2), "Exp": (2, 2), "Mul": (2, 2), "Sum": (2, 2)}
    assert 0 < sum(row.own for row in p.rows()) <= p.seconds


def test_results_are_those_without_it(var):
    plain, profiled = var([0.5, -1.0]), var([0.5, -1.0])
    want = step(plain)
    with tg.profile():
        got = step(profiled)
    assert float(got) == float(want)
    assert np.array_equal(tg.testing.arrays.to_numpy(profiled.grad), tg.testing.arrays.to_numpy(plain.grad))


def test_time_within_an_op_is_its_own_once():
    class Outer(Function):
        def forward(self, x):
            return F.tanh(x).data

        def backward(self, gy):
            (x,) = self.inputs
            return gy / F.cosh(x) ** 2

    with tg.profile() as p:
        Outer()(Variable(np.ones(1000))).sum().backward()
    rows = {row.name: row for row in p.rows()}
    assert rows["Outer"].forward_calls == rows["Outer"].backward_calls == rows["Tanh"].forward_calls == 1
    assert rows["Outer"].own < rows["Outer"].forward + rows["Outer"].backward
    assert rows["Cosh"].forward_calls == 1
    outer = rows["Outer"].forward + rows["Outer"].backward
    others = [r for r in rows.values() if r.name not in ("Outer", "Sum")]
    within = sum(r.forward for r in others)
    assert rows["Outer"].own == pytest.approx(outer - within, abs=1e-12)


def test_second_derivatives_are_seen():
    x = Variable(np.array(2.0))
    with tg.profile() as p:
        y = x**4
        y.backward(create_graph=True)
        g = x.grad
        x.cleargrad()
        g.backward()
    assert float(x.grad) == 48.0
    assert {row.name for row in p.rows()} >= {"Pow", "Mul"}


def test_memory_at_the_peak_by_what_made_it():
    x = Variable(np.ones((1000, 100)))
    size = x.data.nbytes
    with tg.profile() as p:
        y = F.exp(x)
        del y
        z = F.tanh(F.exp(x) * 2.0)
        del z
    # exp, then its double, then tanh's result beside it, of which the double is held by nobody else
    assert p.peak == 3 * size
    assert [(a.name, a.arrays, a.size) for a in p.at_peak()] == [
        ("Exp", 1, size),
        ("Mul", 1, size),
        ("Tanh", 1, size),
    ]
    assert p.memory_curve()[-1].size == 0
    assert all(a.seconds <= b.seconds for a, b in zip(p.memory_curve(), p.memory_curve()[1:], strict=False))


def test_views_and_inputs_count_nothing():
    x = Variable(np.ones((10, 10)))
    with tg.profile() as p:
        y = F.transpose(F.reshape(x, (100, 1)))
    assert y.shape == (1, 100)
    assert p.peak == 0
    with tg.profile(memory=False) as p:
        step(x)
    assert p.peak == 0
    with pytest.raises(ValueError, match="made with memory=False"):
        p.plot_memory("never.png")


def test_regions_table_and_trace(tmp_path, capsys):
    x = Variable(np.ones((20, 20)))
    with tg.profile() as p:
        with p.region("one step"):
            step(x)
        with p.region("one step"):
            pass
    text = p.table()
    assert text == str(p)
    for word in ("Tanh", "forward", "backward", "one step", "at most", "alive then"):
        assert word in text
    p.show()
    assert "Tanh" in capsys.readouterr().out

    p.save_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    events = trace["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    assert len(spans) == len(p.events) == 10
    around = max((e for e in spans if e["name"] == "one step"), key=lambda e: e["dur"])
    for e in spans:
        if e["cat"] in ("forward", "backward"):
            assert around["ts"] <= e["ts"]
            assert e["ts"] + e["dur"] <= around["ts"] + around["dur"]
    assert {e["ph"] for e in events} == {"X", "C"}


def test_the_picture_of_memory(tmp_path):
    pytest.importorskip("matplotlib")
    with tg.profile() as p:
        step(Variable(np.ones((100, 100))))
    p.plot_memory(tmp_path / "memory.png")
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")


def test_transfers_are_counted(backend):
    x = Variable(backend.from_numpy(np.ones(4)))
    with tg.profile() as p:
        y = x * 2.0
        backend.to_numpy(y.data)
    expected = (0, 0) if backend.name == "numpy" else (1, 32)
    assert p.transfers["to host"] == expected
    assert "to_numpy" not in vars(backend)


def test_another_thread_is_not_profiled():
    x = Variable(np.ones(3))
    with tg.profile() as p:
        thread = threading.Thread(target=step, args=(x,))
        thread.start()
        thread.join()
    assert p.rows() == []


def test_nested_and_after_an_error():
    x = Variable(np.ones(3))
    with tg.profile() as outer:
        F.exp(x)
        inner = tg.profile()
        with pytest.raises(ValueError, match="reshape"), inner:
            F.reshape(F.tanh(x), (4,))
    assert [row.name for row in inner.rows()] == ["Tanh"]
    assert sorted(row.name for row in outer.rows()) == ["Exp", "Tanh"]
    p = tg.profile()
    with p, pytest.raises(RuntimeError, match="entered already"), p:
        pass


def test_a_class_that_is_made_while_profiling():
    with tg.profile() as p:

        class Twice(Function):
            def forward(self, x):
                return 2 * x

            def backward(self, gy):
                return 2 * gy

        Twice()(Variable(np.ones(3))).sum().backward()
    assert [r.backward_calls for r in p.rows() if r.name == "Twice"] == [1]


def test_importing_tensorgrad_loads_none_of_it():
    code = "import sys, tensorgrad; print([m for m in sys.modules if 'tools' in m and 'tensorgrad' in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# -- debug mode ----------------------------------------------------------------------------------


def test_the_first_nan_of_a_forward(var):
    x = var([[1.0, -1.0], [4.0, 9.0]], name="x")
    with np.errstate(all="ignore"), tg.debug(), pytest.raises(FloatingPointError) as caught:
        F.exp(F.sqrt(x))  # the line that is named
    head, *details = str(caught.value).splitlines()
    assert head.startswith("Sqrt gave nan (1 of 4 elements, the first at [0, 1]) at ")
    assert "test_tools.py:" in head
    assert head.endswith("F.exp(F.sqrt(x))  # the line that is named")
    assert details == ["  input 0 ('x'): shape (2, 2), float64, from -1 to 9"]


def test_the_first_inf_of_a_backward(var):
    x = var([0.0, 1.0], name="x")
    with np.errstate(all="ignore"), tg.debug():
        y = F.sum(F.sqrt(x))
        with pytest.raises(FloatingPointError) as caught:
            y.backward()
    head, *details = str(caught.value).splitlines()
    assert head.startswith("the backward of Sqrt (called at ")
    assert "y = F.sum(F.sqrt(x))" in head
    assert head.endswith("gave inf (1 of 2 elements, the first at [0]) as the gradient of input 0")
    assert details[0].strip() == "gradient of output 0: shape (2,), float64, from 1 to 1"
    assert details[1].strip() == "input 0 ('x'): shape (2,), float64, from 0 to 1"
    assert x.grad is None


def test_what_counts_can_be_chosen(var):
    x = var([0.0, 1.0])
    with np.errstate(all="ignore"):
        with tg.debug(inf=False):
            F.log(x)
        with tg.debug(nan=False):
            F.sqrt(x - 2.0)
        with tg.debug(inf=False), pytest.raises(FloatingPointError, match="gave nan"):
            F.log(x) - F.log(x)
    with tg.debug():
        F.sum(F.tanh(x) * x).backward(create_graph=True)


def test_a_saved_array_that_was_changed(backend):
    if not backend.writable:
        pytest.skip("arrays of this library cannot be changed")
    x = Variable(backend.from_numpy(np.array([1.0, 2.0])))
    w = Variable(backend.from_numpy(np.array([3.0, 4.0])))
    with tg.debug():
        y = F.sum(x * w)
        w.data[0] = 5.0
        with pytest.raises(
            RuntimeError, match=r"^Mul \(called at .*y = F.sum\(x \* w\)\): input 1, which its"
        ):
            y.backward()
    with tg.debug(saved=False):
        y = F.sum(x * w)
        w.data[0] = 6.0
        y.backward()
    with tg.debug():  # a change after the backward is no fault, nor one that nobody needs
        y = F.sum(x + w)
        w.data[0] = 7.0
        y.backward()


def test_the_dtype_of_a_backward_of_a_user():
    class Careless(Function):
        def forward(self, x):
            return x * 2

        def backward(self, gy):
            return tg.astype(gy, np.float64)

    class Misshapen(Careless):
        def backward(self, gy):
            return F.sum(gy)

    x = Variable(np.ones(3, np.float32))
    Careless()(x).sum().backward()  # without the mode it is brought to the right dtype
    with tg.debug():
        y = Careless()(x).sum()
        expected = r"^Careless.backward \(called at .*\): expected .* float32; got float64"
        with pytest.raises(TypeError, match=expected):
            y.backward()
        y = Misshapen()(x).sum()
        with pytest.raises(ValueError, match=r"^Misshapen.backward: .*shape \(3,\) has shape \(\)"):
            y.backward()


def test_nothing_is_watched_in_another_thread():
    found = []

    def elsewhere():
        with np.errstate(all="ignore"):
            found.append(F.log(Variable(np.array([0.0]))))

    with tg.debug():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert len(found) == 1
