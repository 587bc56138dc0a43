"""ONNX files: every model of the package and of the examples, every op, and what cannot be written."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import models as M
from tensorgrad.backend import get_backend
from tensorgrad.exporting import CannotExportError
from tensorgrad.testing import assert_close
from under_test import BACKENDS

if "ndonnx" not in BACKENDS:  # asked for, it must be there
    for library in ("ndonnx", "onnxruntime"):
        pytest.importorskip(library, reason="the extra `onnx` is not installed")

import onnx
import onnxruntime

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def example(name: str) -> ModuleType:
    """A program of examples/."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(EXAMPLES))
        return importlib.import_module(name)


def reals(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def tokens(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 9, shape)


def run(path: Path, **inputs: Any) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(str(path)).run(None, inputs)


def written(path: Path) -> Any:
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    return model.graph


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in written(path).node)


def trained(model: tg.Layer, x: np.ndarray) -> tg.Layer:
    """The model with running statistics that are not those at the start."""
    for _ in range(3):
        model(x)
    return model


# -- every model -----------------------------------------------------------------------------------------


def vae(latent_size: int = 2) -> Any:
    model = example("vae").VAE(latent_size, 16)
    model(np.abs(reals(2, 64)) % 1)
    return model


MODELS: dict[str, Callable[[], tuple[Any, np.ndarray]]] = {
    "MLP": lambda: (M.MLP((8, 3)), reals(2, 4)),
    "Sequential": lambda: (M.Sequential(L.Linear(4), F.relu, L.LayerNorm(), L.Linear(2)), reals(2, 3)),
    "CNN of mnist.py": lambda: (example("mnist").CNN(), reals(2, 1, 28, 28)),
    "classifier of the demo": lambda: (importlib.import_module("tensorgrad.demo").Classifier(), reals(2, 64)),
    "MLP of digits.py": lambda: (example("digits").mlp(), reals(2, 1, 8, 8)),
    "CNN of digits.py": lambda: (trained(example("digits").cnn(), reals(4, 1, 8, 8)), reals(2, 1, 8, 8)),
    "transformer of digits.py": lambda: (example("digits").Transformer(16), reals(2, 1, 8, 8)),
    "encoder of vae.py": lambda: (vae().encode, reals(2, 64)),
    "decoder of vae.py": lambda: (vae().decoder, reals(2, 2)),
    "generator of gan.py": lambda: (trained(example("gan").generator(), reals(4, 32)), reals(2, 32)),
    "critic of gan.py": lambda: (example("gan").critic(), reals(2, 64)),
    "LSTM of text.py": lambda: (example("text").CharLSTM(9, 8), tokens(2, 4)),
    "RNN of sin_curve.py": lambda: (example("sin_curve").Network("rnn", 5), reals(2, 1)),
    "LSTM of sin_curve.py": lambda: (example("sin_curve").Network("lstm", 5), reals(2, 1)),
    "GPT": lambda: (M.GPT(9, context=8, size=8, n_layers=2, n_heads=2), tokens(2, 5)),
    "U-Net": lambda: (trained(M.UNet(2, width=4, depth=2), reals(1, 3, 9, 8)), reals(1, 3, 9, 8)),
    "VGG16": lambda: (M.VGG16(n_classes=3, width=2, hidden_size=8), reals(1, 3, 32, 32)),
    "ResNet18": lambda: (trained(M.ResNet18(n_classes=3, width=4), reals(2, 3, 33, 33)), reals(1, 3, 33, 33)),
    "SqueezeNet": lambda: (M.SqueezeNet(n_classes=3), reals(1, 3, 40, 40)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_what_the_model_gives(name, tmp_path):
    model, x = MODELS[name]()
    path = tmp_path / "model.onnx"
    made = tg.export_onnx(model, x, path, batch_axis=0)
    assert made.difference <= 1e-5
    layer = getattr(model, "__self__", model)
    assert set(made.parameters) <= set(dict(layer.namedparams()))
    if layer is model and "sin_curve" not in name:  # where it is one step, the state of the start is not used
        assert made.parameters == tuple(layer.state_dict())

    (input_name,) = made.inputs
    larger = np.concatenate([x, x[::-1], x])
    with tg.no_grad(), tg.test_mode():
        layer.reset_state()
        want = model(larger)
    want = want if isinstance(want, tuple) else (want,)
    got = run(path, **{input_name: larger})
    for y, expected in zip(got, want, strict=True):
        assert_close(y, expected.data, rtol=1e-5, atol=1e-5, what=name)
    assert "If" not in operators(path)


def test_the_operators_are_those_of_onnx(tmp_path):
    path = tmp_path / "model.onnx"
    tg.export_onnx(*MODELS["CNN of mnist.py"](), path)
    counts = operators(path)
    assert [counts[name] for name in ("Conv", "MaxPool", "Relu", "MatMul")] == [2, 2, 3, 2]
    assert set(counts) == {"Conv", "MaxPool", "Relu", "MatMul", "Add", "Reshape", "Constant", "Identity"}
    tg.export_onnx(*MODELS["U-Net"](), path)
    assert {"Conv", "ConvTranspose", "MaxPool", "Concat"} < set(operators(path))
    tg.export_onnx(*MODELS["GPT"](), path)
    assert {"Gather", "LayerNormalization", "MatMul"} < set(operators(path))


def test_a_recurrent_network_with_its_state(tmp_path):
    model = L.NStepLSTM(3, n_layers=2, bidirectional=True)
    x, h, c = reals(4, 2, 2), reals(4, 2, 3), reals(4, 2, 3)
    names = {"input_names": ("x", "h", "c"), "output_names": ("y", "last_h", "last_c")}
    made = tg.export_onnx(model, (x, h, c), tmp_path / "lstm.onnx", batch_axis=1, **names)
    assert made.inputs["x"] == ((4, "batch", 2), "float32")
    assert made.outputs["last_c"] == ((4, "batch", 3), "float32")
    inputs = {"x": x[:, :1], "h": h[:, :1], "c": c[:, :1]}
    for y, expected in zip(run(tmp_path / "lstm.onnx", **inputs), model(*inputs.values()), strict=True):
        assert_close(y, expected.data, rtol=1e-5, atol=1e-5)


# -- what is in the file ---------------------------------------------------------------------------------


def test_parameters_are_initializers_by_their_names(tmp_path):
    model = M.MLP((8, 3))
    made = tg.export_onnx(model, reals(2, 4), tmp_path / "mlp.onnx")
    model_proto = onnx.load(str(tmp_path / "mlp.onnx"))
    found = {t.name: onnx.numpy_helper.to_array(t) for t in model_proto.graph.initializer}
    assert list(found) == ["l0/W", "l0/b", "l1/W", "l1/b"] == list(made.parameters)
    for name, array in model.state_dict().items():
        assert_close(found[name], array, rtol=0, atol=0)
    assert made.opset == 21 == model_proto.opset_import[0].version
    assert model_proto.producer_name == "tensorgrad"
    assert model_proto.graph.name == "MLP"
    assert not model_proto.metadata_props


def test_inputs_and_outputs_have_names(tmp_path):
    path = tmp_path / "f.onnx"

    def f(left: Any, right: Any) -> Any:
        return left - right, {"sum": left + right}

    made = tg.export_onnx(f, (reals(2), tg.Variable(reals(2))), path)
    assert list(made.inputs) == ["left", "right"]
    assert list(made.outputs) == ["output0", "output1"]
    assert made.outputs["output1"] == ((2,), "float32")
    made = tg.export_onnx(f, (reals(2), reals(2)), path, input_names="ab", output_names=["d", "s"])
    got = run(path, a=np.float32([3, 4]), b=np.float32([1, 1]))
    assert [y.tolist() for y in got] == [[2, 3], [4, 5]]
    made = tg.export_onnx(lambda *xs: F.concat(list(xs)), (reals(2), reals(3)), path)
    assert list(made.inputs) == ["input0", "input1"]


def test_what_is_no_array_is_given_as_it_is(tmp_path):
    made = tg.export_onnx(lambda x, n: x * n, (reals(2), 3), tmp_path / "f.onnx")
    assert list(made.inputs) == ["x"]
    (y,) = run(tmp_path / "f.onnx", x=np.float32([1, 2]))
    assert y.tolist() == [3, 6]


def test_an_input_that_nothing_is_computed_with_stays(tmp_path):
    made = tg.export_onnx(lambda x, unused: x + 1, (reals(2), reals(3)), tmp_path / "f.onnx")
    assert list(made.inputs) == ["x", "unused"]


def test_double_precision_stays(tmp_path):
    x = reals(2, 2, 5, 4).astype(np.float64)
    W = reals(3, 2, 3, 3).astype(np.float64)
    made = tg.export_onnx(
        lambda x: F.softmax(F.conv2d(x, W, pad=1).reshape(2, -1)), x, tmp_path / "f.onnx", tolerance=1e-12
    )
    assert made.outputs["output"] == ((2, 60), "float64")


@pytest.mark.parametrize("library", ["array_api_strict", "numpy"])
def test_a_model_of_another_library(library, tmp_path):
    model = M.MLP((8, 3)).to(library)
    x = get_backend(library).from_numpy(reals(2, 4))
    made = tg.export_onnx(model, x, tmp_path / "mlp.onnx", batch_axis=0)
    assert made.difference <= 1e-6
    assert all(p.backend.name == library for p in model.params())


def test_constants_of_the_model_are_constants_of_the_file(tmp_path):
    mean = reals(4)
    tg.export_onnx(lambda x: x - tg.Variable(mean), reals(2, 4), tmp_path / "f.onnx")
    (y,) = run(tmp_path / "f.onnx", x=np.zeros((2, 4), np.float32))
    assert_close(y, np.stack([-mean, -mean]), rtol=0, atol=0)


# -- the batch -------------------------------------------------------------------------------------------


def test_without_a_batch_axis_every_length_is_fixed(tmp_path):
    made = tg.export_onnx(M.MLP((3,)), reals(2, 4), tmp_path / "mlp.onnx")
    assert made.inputs == {"x": ((2, 4), "float32")}
    assert made.outputs == {"output": ((2, 3), "float32")}
    with pytest.raises(
        onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="Got: 3 Expected: 2"
    ):
        run(tmp_path / "mlp.onnx", x=reals(3, 4))


def test_lengths_that_follow_from_the_batch(tmp_path):
    path = tmp_path / "f.onnx"

    def f(x: Any) -> Any:
        n = x.shape[0]
        state = x.backend.xp.zeros((n, 3), dtype=x.dtype)
        doubled = F.concat([x, x + state], axis=0)
        flat = F.reshape(doubled, (2 * n * 3,))
        return doubled, flat[: 3 * n], F.broadcast_to(x[:1], (n, n, 3)), F.sum(x, axis=0) / n

    made = tg.export_onnx(f, tg.Variable(reals(4, 3)), path, batch_axis=0)
    shapes = [shape for shape, _ in made.outputs.values()]
    assert shapes == [("2 * batch", 3), ("3 * batch",), ("batch", "batch", 3), (3,)]
    for n in (1, 2, 7):
        x = reals(n, 3)
        for got, want in zip(run(path, x=x), f(tg.Variable(x)), strict=True):
            assert_close(got, want.data, rtol=1e-6, atol=1e-6)


def test_one_axis_for_each_input(tmp_path):
    made = tg.export_onnx(
        lambda x, table: F.take(table, x, axis=1),
        (tokens(4), reals(2, 9)),
        tmp_path / "f.onnx",
        batch_axis=[0, None],
    )
    assert made.inputs == {"x": (("batch",), "int64"), "table": ((2, 9), "float32")}
    assert made.outputs == {"output": ((2, "batch"), "float32")}


def test_what_does_not_follow_from_the_batch_is_an_error(tmp_path):
    path = tmp_path / "f.onnx"
    whole = "no one graph serves all. Leave batch_axis out, for a file of one size."
    with pytest.raises(
        CannotExportError, match="does other things with batches of 2, 3 and 5: " + re.escape(whole)
    ):
        tg.export_onnx(lambda x: x if len(x) < 3 else x + 1.0, reals(2, 3), path, batch_axis=0)
    with pytest.raises(CannotExportError, match="is another operation for each size .*" + re.escape(whole)):
        tg.export_onnx(lambda x: F.exp(x) if len(x) < 3 else F.sin(x), reals(2, 3), path, batch_axis=0)
    with pytest.raises(CannotExportError, match="MaxPool is another operation for each size"):
        tg.export_onnx(lambda x: F.pooling(x, len(x)), reals(2, 1, 6, 6), path, batch_axis=0)
    with pytest.raises(CannotExportError, match="Mul gets other numbers for each size"):
        tg.export_onnx(lambda x: x * math_of(len(x)), reals(2, 3), path, batch_axis=0)
    with pytest.raises(CannotExportError, match="Add gets another array for each size"):
        tg.export_onnx(lambda x: x + np.arange(len(x), dtype=np.float32), reals(2), path, batch_axis=0)
    assert not path.exists()


def math_of(n: int) -> float:
    return 1 / n**0.5


# -- what cannot be written ------------------------------------------------------------------------------


class Branching(tg.Model):
    def __init__(self) -> None:
        super().__init__()
        self.l = L.Linear(3)

    def forward(self, x: Any) -> tg.Variable:
        y = self.l(x)
        return y if F.sum(y) > 0 else -y


def test_a_branch_on_values_is_told_of(tmp_path):
    model = Branching()
    text = (
        r"^line \d+ of .*test_export_onnx.py \(return y if F.sum\(y\) > 0 else -y\) cannot be exported: the "
        "value of an array is asked for that is only known when the ONNX file is run"
    )
    with pytest.raises(CannotExportError, match=text):
        tg.export_onnx(model, reals(2, 4), tmp_path / "f.onnx")
    assert not (tmp_path / "f.onnx").exists()
    assert isinstance(model.l.W.data, np.ndarray)
    assert model(reals(2, 4)).requires_grad


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: F.svd(x)[0], "SVD cannot be exported: no ONNX operator is known for it .*linalg'"),
        (
            lambda x: x[x > 0],
            r"GetElements cannot be exported: the shape of its result, \(None,\), is only known",
        ),
        (lambda x: x + x.backend.normal(x.shape, x.dtype), "random numbers are drawn when the graph is made"),
        (lambda x: F.sum(x).item() * x, "the value of an array is asked for"),
        (lambda x: (x, "text"), "^output 1 is no array: str$"),
        (lambda x: None, "^the model gives nothing that could be written$"),
    ],
)
def test_the_op_is_named(f, text, tmp_path):
    with pytest.raises(CannotExportError, match=text):
        tg.export_onnx(f, tg.Variable(reals(2, 2)), tmp_path / "f.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_changes_from_call_to_call_is_not_kept(tmp_path):
    count = iter(range(100))
    with pytest.raises(CannotExportError, match=r"output differs by 0\.\d+, and the tolerance is 1e-05"):
        tg.export_onnx(lambda x: x + float(next(count)), np.float32([10.0]), tmp_path / "f.onnx")
    assert list(tmp_path.iterdir()) == []
    made = tg.export_onnx(lambda x: x + float(next(count)), reals(2), tmp_path / "f.onnx", tolerance=None)
    assert made.difference is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"input_names": ["a", "b"]}, r"expected 1 different input_names; got \('a', 'b'\)"),
        ({"output_names": ["a", "b"]}, r"expected 1 different output_names; got \('a', 'b'\)"),
        ({"output_names": ["x"]}, "expected output_names that no input and no parameter has; got x"),
        ({"input_names": ["l0/W"]}, "expected input_names that no parameter has; got l0/W"),
        ({"batch_axis": 2}, r"expected a batch_axis that the inputs have, .* got 2 for shapes \(2, 4\)"),
        ({"batch_axis": [0, 0]}, r"or one for each of 1; got \[0, 0\] for shapes \(2, 4\)"),
    ],
)
def test_what_does_not_fit_the_inputs(options, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        tg.export_onnx(M.MLP((3,)), reals(2, 4), tmp_path / "f.onnx", **options)


def test_an_example_needs_an_array_and_one_batch(tmp_path):
    with pytest.raises(ValueError, match="expected an example with an array at least"):
        tg.export_onnx(M.MLP((3,)), 1.0, tmp_path / "f.onnx")
    with pytest.raises(ValueError, match=r"expected one size of the batch in all inputs; got \[2, 3\]"):
        tg.export_onnx(F.add, (reals(2, 1), reals(3, 1)), tmp_path / "f.onnx", batch_axis=0)


# -- the model is as it was ------------------------------------------------------------------------------


def test_state_and_mode_of_the_model_stay(tmp_path):
    model = example("sin_curve").Network("lstm", 5)
    x = reals(2, 1)
    model(x)
    carried = model.carried_state()
    before = model.state_dict()
    tg.export_onnx(model, x, tmp_path / "f.onnx")
    for name, array in model.carried_state().items():
        assert array is carried[name]
    for name, array in model.state_dict().items():
        assert_close(array, before[name], rtol=0, atol=0)
    assert tg.Config.train
    assert tg.Config.enable_backprop


def test_running_statistics_are_used_and_not_changed(tmp_path):
    model = M.Sequential(L.Linear(3), L.BatchNorm(), L.Dropout(0.5))
    x = reals(8, 4)
    model(x)
    before = model.state_dict()
    tg.export_onnx(model, x, tmp_path / "f.onnx")
    assert all(
        np.array_equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True)
    )
    (y,) = run(tmp_path / "f.onnx", x=x)
    with tg.test_mode():
        assert_close(y, model(x).data, rtol=1e-5, atol=1e-5)
