"""Weights in safetensors files: what comes back, what is refused, and what other programs make of them."""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import backend_of
from tensorgrad.layers import weights
from tensorgrad.testing.arrays import to_numpy

safetensors = pytest.importorskip("safetensors.numpy", reason="the extra of this name")


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class Net(tg.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = L.Linear(4)
        self.norm = L.BatchNorm()
        self.last = L.Linear(2, nobias=True)

    def forward(self, x):
        return self.last(F.relu(self.norm(self.first(x))))


X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


def called() -> Net:
    net = Net()
    net(X)
    return net


def values(layer: tg.Layer) -> dict[str, np.ndarray]:
    return {path: to_numpy(p).copy() for path, p in layer.namedparams()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


def test_weights_come_back(file, backend):
    net = called().to(backend)
    net.save_weights(file)
    for twin in (Net().to(backend), called().to(backend)):  # with open sizes, and with other numbers
        twin.load_weights(str(file))
        assert {backend_of(p.data).name for p in twin.params()} == {backend.name}
        for path, value in values(twin).items():
            assert value.dtype == np.float32
            np.testing.assert_array_equal(value, values(net)[path])
        (twin(backend.from_numpy(X)) ** 2).sum().backward()


def test_every_dtype_order_and_shape_comes_back(file):
    base = np.arange(12).reshape(3, 4)
    arrays = {
        "turned": base.astype(np.float32).T,
        "steps": base.astype(np.float64)[::2, ::3],
        "other order of bytes": base.astype(">f4"),
        "scalar": np.array(2.5),
        "nothing": np.zeros((0, 3), np.float32),
        **{name: base.astype(name) for name in ("bool", "int8", "uint64", "float16", "complex64")},
    }
    weights.write(file, arrays)
    found = weights.read(file)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], array)


def test_the_same_weights_make_the_same_file(file, tmp_path):
    net = called()
    net.save_weights(file)
    net.save_weights(tmp_path / "again.safetensors")
    assert file.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_other_programs_read_and_write_the_same_names(file):
    net = called()
    net.save_weights(file)
    assert {k: v.tolist() for k, v in safetensors.load_file(file).items()} == {
        path: value.tolist() for path, value in values(net).items()
    }
    safetensors.save_file({path: value + 1 for path, value in values(net).items()}, file)
    before = values(net)
    net.load_weights(file)
    for path, value in values(net).items():
        np.testing.assert_array_equal(value, before[path] + 1)


def test_bfloat16_of_others_is_read_as_float32(file):
    torch = pytest.importorskip("torch", reason="writes bfloat16")
    from safetensors.torch import save_file

    values = torch.tensor([1.0, -2.5, 3.0e38, float("inf"), 1e-40]).to(torch.bfloat16)
    save_file({"b": values, "a": torch.ones(2, 2)}, file)
    found = weights.read(file)
    np.testing.assert_array_equal(found["b"], values.float().numpy())
    assert found["b"].dtype == found["a"].dtype == np.float32


# -- what is refused -----------------------------------------------------------------------------


def test_what_does_not_fit_is_named_and_nothing_is_loaded(file):
    net = called()
    before = values(net)
    weights.write(file, {"first/W": np.ones((3, 5)), "first/b": np.ones(4), "third": np.ones(1)})
    expected = (
        f"load_weights: {file} does not fit this Net; nothing was loaded. "
        "Was it saved from a model of other sizes?\n"
        "  first/W: expected shape (3, 4), got (3, 5)\n"
        + "".join(f"  norm/{p}: missing in the file\n" for p in ("avg_mean", "avg_var", "gamma", "beta"))
        + "  last/W: missing in the file\n"
        "  third: only in the file"
    )
    with pytest.raises(ValueError, match=message(expected)):
        net.load_weights(file)
    for path, value in values(net).items():
        np.testing.assert_array_equal(value, before[path])


def test_a_file_cut_short_is_refused_wherever_the_cut_is(file):
    weights.write(file, {"w": np.arange(3.0), "b": np.zeros(1, np.float32)})
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"is not a whole safetensors file: .* Was it cut short"):
            weights.read(file)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_an_altered_file_is_refused_or_says_the_same(file, flip):
    arrays = {"w": np.arange(3.0), "b": np.zeros((1, 2), np.float32)}
    weights.write(file, arrays)
    whole = file.read_bytes()
    accepted, refused = [], []
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= flip
        file.write_bytes(altered)
        try:
            found = weights.read(file)
        except ValueError as error:
            refused.append(str(error))
        else:
            accepted.append(place)
            assert found.keys() == arrays.keys()
            for name, array in arrays.items():
                assert found[name].dtype == array.dtype
                np.testing.assert_array_equal(found[name], array)
    assert all(str(file) in text for text in refused)
    assert len(accepted) <= 8  # a blank of the padding may become another


def test_altered_numbers_are_told_from_a_damaged_file(file):
    weights.write(file, {"w": np.arange(3.0)})
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"\x00")
    expected = f"{file} is not as it was written: its checksum is another. Was it altered?"
    with pytest.raises(ValueError, match=message(expected)):
        weights.read(file)


def test_a_dtype_that_numpy_lacks(file):
    header = json.dumps({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    with pytest.raises(
        ValueError, match=r"weights\.safetensors: w has the dtype F8_E4M3, which NumPy lacks$"
    ):
        weights.read(file)


@pytest.mark.parametrize("array", [np.ones(2, complex), np.array([{}]), np.array(["a"])])
def test_a_dtype_that_the_format_lacks(file, array):
    expected = (
        f"w: dtype {array.dtype} cannot be written to a safetensors file. "
        "Convert it first, to float32 for example."
    )
    with pytest.raises(ValueError, match=message(expected)):
        weights.write(file, {"w": array})
    assert list(file.parent.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(file, monkeypatch):
    net = called()
    net.save_weights(file)
    content = file.read_bytes()

    def break_off(arrays, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(safetensors, "save_file", break_off)
    with pytest.raises(OSError, match="disk full"):
        net.save_weights(file)
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_no_file_and_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        Net().load_weights(tmp_path / "nowhere.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no folder .* to write w\.safetensors to"):
        called().save_weights(tmp_path / "nowhere" / "w.safetensors")


def test_without_the_library_the_error_says_what_to_install(file, monkeypatch):
    net = called()
    net.save_weights(file)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (net.save_weights, net.load_weights):
        with pytest.raises(
            ImportError,
            match=r"^\.safetensors files need safetensors, which is not installed \(.*\)\. "
            r"Install it: python -m pip install safetensors$",
        ):
            call(file)
