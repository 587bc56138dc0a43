"""Weights in files: what comes back, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tensorgrad import Layer, Parameter
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import backend_of
from tensorgrad.layers import weights
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def parameter(*values: float) -> Parameter:
    return Parameter(np.array(values))


class Two(Layer):
    """Two linear layers whose input size is open."""

    def __init__(self) -> None:
        super().__init__()
        self.first = L.Linear(4)
        self.second = L.Linear(2, nobias=True)

    def forward(self, x):
        return self.second(F.tanh(self.first(x)))


def called(model: Layer) -> Layer:
    model(np.ones((1, 3), np.float32))
    return model


def values(layer: Layer) -> dict[str, np.ndarray]:
    return {path: to_numpy(p).copy() for path, p in layer.namedparams()}


def owners(layer: Layer) -> set[str]:
    return {backend_of(p.data).name for p in layer.params() if p.data is not None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.npz"


def test_weights_come_back(file, backend):
    model = called(Two()).to(backend)
    expected = values(model)
    before = [p.data for p in model.params()]
    model.save_weights(file)
    assert all(p.data is array for p, array in zip(model.params(), before, strict=True))

    twin = called(Two()).to(backend)
    twin.load_weights(str(file))
    assert owners(twin) == {backend.name}
    for path, value in values(twin).items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, expected[path])


def test_weights_come_back_on_their_device(file, backend):
    model = called(Two()).to(backend)
    devices = [backend.device(p.data) for p in model.params()]
    model.save_weights(file)
    model.load_weights(file)
    assert [backend.device(p.data) for p in model.params()] == devices


def test_the_file_is_plain_npz(file):
    model = called(Two())
    model.save_weights(file)
    with np.load(file, allow_pickle=False) as archive:
        assert archive.files == ["first/W", "first/b", "second/W"]
        np.testing.assert_array_equal(archive["second/W"], model.second.W.data)


def test_the_same_weights_make_the_same_file(file, tmp_path):
    model = called(Two())
    model.save_weights(file)
    model.save_weights(tmp_path / "again")
    assert file.read_bytes() == (tmp_path / "again").read_bytes()


def test_names_that_numpy_s_own_writer_would_trip_over(file):
    layer = Layer()
    layer.file = parameter(1)
    layer.save_weights(file)
    layer.file.data = np.zeros(1)
    layer.load_weights(file)
    assert layer.file.data == 1


def test_files_that_numpy_wrote_can_be_loaded(file):
    model = called(Two())
    expected = {path: np.asfortranarray(value + 1) for path, value in values(model).items()}
    np.savez_compressed(file, **expected)
    model.load_weights(file)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, expected[path])


def test_weights_of_an_open_layer(file, backend):
    called(Two()).save_weights(file)
    model = Two().to(backend)
    model.load_weights(file)
    assert owners(model) == {backend.name}
    assert model.first.in_size == 3
    expected = called(Two())
    expected.load_weights(file)
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    assert_close(model(backend.from_numpy(x)), to_numpy(expected(x)))


def test_a_loaded_layer_trains_on(file):
    called(Two()).save_weights(file)
    model = Two()
    model.load_weights(file)
    F.sum(model(np.ones((1, 3), np.float32))).backward()
    assert all(p.grad.shape == p.shape for p in model.params())


def test_the_dtype_is_the_layer_s(file, backend):
    double = L.Linear(2, dtype=np.float64, in_size=3)
    double.save_weights(file)
    for layer in (L.Linear(2, in_size=3).to(backend), L.Linear(2).to(backend)):
        layer.load_weights(file)
        for p, saved in zip(layer.params(), double.params(), strict=True):
            assert p.dtype == backend.xp.float32
            np.testing.assert_array_equal(to_numpy(p), saved.data.astype(np.float32))


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_weights_of_half_precision_come_back(backend, half, tmp_path, ending):
    layer = L.Linear(2, in_size=3).to(backend)
    for p in layer.params():
        p.data = backend.xp.astype(p.data, getattr(backend.xp, half))
    before = {name: to_numpy(F.astype(p, backend.xp.float32)).copy() for name, p in layer.namedparams()}
    layer.save_weights(tmp_path / f"weights{ending}")
    for p in layer.params():
        p.data = backend.xp.zeros_like(p.data)
    layer.load_weights(tmp_path / f"weights{ending}")
    for name, p in layer.namedparams():
        assert p.dtype == getattr(backend.xp, half)
        np.testing.assert_array_equal(to_numpy(F.astype(p, backend.xp.float32)), before[name])


def test_a_layer_that_says_nothing_of_its_open_parameter_takes_what_there_is(file):
    class Open(Layer):
        def __init__(self):
            super().__init__()
            self.w = Parameter(None)

    np.savez(file, w=np.arange(3))
    layer = Open()
    layer.load_weights(file)
    assert_close(layer.w, np.arange(3))


def test_saving_what_has_no_data_yet_is_refused(file):
    expected = (
        "save_weights: first/W, second/W of Two without data yet. "
        "Call the model on an input first: it fixes the sizes that were left open."
    )
    with pytest.raises(ValueError, match=message(expected)):
        Two().save_weights(file)
    assert list(file.parent.iterdir()) == []


MISFITS = {
    "first/W": np.zeros((3, 5)),
    "first/b": np.zeros(4, np.complex64),
    "third/W": np.zeros(1),
}


@pytest.mark.parametrize("model", [Two(), called(Two())], ids=["open", "called"])
def test_all_that_does_not_fit_is_named_and_nothing_is_loaded(file, model):
    np.savez(file, **MISFITS)
    before = values(model) if model.first.W.data is not None else None
    expected = (
        f"load_weights: {file} does not fit this Two; nothing was loaded. "
        "Was it saved from a model of other sizes?\n"
        f"  first/W: expected shape {'(None, 4)' if before is None else '(3, 4)'}, got (3, 5)\n"
        "  first/b: expected dtype float32, got complex64\n"
        "  second/W: missing in the file\n"
        "  third/W: only in the file"
    )
    with pytest.raises(ValueError, match=message(expected)):
        model.load_weights(file)
    if before is None:
        assert model.first.W.data is None
    else:
        for path, value in values(model).items():
            np.testing.assert_array_equal(value, before[path])


def test_one_misfit_keeps_the_others_from_being_loaded(file):
    model = called(Two())
    before = values(model)
    np.savez(
        file, **{path: value[..., :1] if path == "second/W" else value + 1 for path, value in before.items()}
    )
    with pytest.raises(ValueError, match=r"second/W: expected shape \(4, 2\), got \(4, 1\)$"):
        model.load_weights(file)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, before[path])


def test_complex_weights_do_not_fit_an_open_real_layer(file):
    np.savez(file, W=np.zeros((3, 2), np.complex64), b=np.zeros(2))
    with pytest.raises(ValueError, match=r"W: expected dtype float32, got complex64$"):
        L.Linear(2).load_weights(file)


def test_floats_do_not_fit_integers(file):
    layer = Layer()
    layer.n = Parameter(np.array([1, 2]))
    np.savez(file, n=np.array([1.5, 2.5]))
    with pytest.raises(ValueError, match=r"n: expected dtype int64, got float64$"):
        layer.load_weights(file)


def test_no_folder_to_save_to(tmp_path):
    folder = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError, match=message(f"no folder {folder} to write w.npz to")):
        called(Two()).save_weights(folder / "w.npz")


def test_no_file_to_load_from(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        Two().load_weights(tmp_path / "nowhere.npz")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(file, monkeypatch):
    model = called(Two())
    model.save_weights(file)
    content = file.read_bytes()
    write_array = np.lib.format.write_array

    def break_off(stream, array, **options):
        write_array(stream, array[:1], **options)
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", break_off)
    with pytest.raises(OSError, match="disk full"):
        model.save_weights(file)
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_a_link_is_followed(file, tmp_path):
    link = tmp_path / "link.npz"
    file.write_bytes(b"")
    link.symlink_to(file)
    called(Two()).save_weights(link)
    assert link.is_symlink()
    Two().load_weights(file)


def test_pickles_are_neither_written_nor_read(file):
    with pytest.raises(ValueError, match=r"^w: dtype object cannot be written to an npz file\. "):
        weights.write(file, {"w": np.array([{}], dtype=object)})
    np.savez(file, w=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="is not a whole npz file of numbers: Object arrays cannot"):
        weights.read(file)


def test_what_is_no_npz_file_is_refused(file):
    for content in (b"", b"weights", b"PK\3\4 but not more"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"is not a whole npz file of numbers: .* Was it cut short"):
            weights.read(file)


def test_a_file_cut_short_is_refused_wherever_the_cut_is(file):
    weights.write(file, {"w": np.arange(3.0), "b": np.zeros(1, np.float32)})
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not a whole npz file of numbers"):
            weights.read(file)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_an_altered_file_is_refused_or_says_the_same(file, flip):
    layer = L.Linear(1, in_size=2)
    before = values(layer)
    weights.write(file, {path: value + 1 for path, value in before.items()})
    whole = file.read_bytes()
    refused = 0
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= flip
        file.write_bytes(altered)
        layer.W.data, layer.b.data = before["W"], before["b"]
        try:
            layer.load_weights(file)
        except ValueError:
            refused += 1
            added = 0
        else:  # dates and the like, which nobody reads
            added = 1
        for path, value in values(layer).items():
            np.testing.assert_array_equal(value, before[path] + added)
    assert refused > len(whole) / 2
