"""What a Trainer's callbacks see and write: hooks, early stopping, logs, curves, progress."""

from __future__ import annotations

import csv
import json
import re
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import DataLoader, Trainer, training
from tensorgrad import functions as F
from tensorgrad import optimizers as O
from tensorgrad.training import Callback, EarlyStopping, KeepBest, Monitor, curves, progress
from tensorgrad.training.curves import draw

PNG = b"\x89PNG\r\n\x1a\n"


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def loader(n=12, size=4):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    return DataLoader(list(zip(x, (x[:, 0] > 0).astype(np.int64), strict=True)), size)


def made(*callbacks, **options):
    model = tg.models.MLP((4, 2))
    optimizer = O.SGD(0.1).setup(model)
    options = {"progress": False, "metrics": {"accuracy": F.accuracy}, **options}
    return Trainer(model, F.softmax_cross_entropy, optimizer, callbacks=callbacks, **options)


class Script(Callback):
    """Puts values of its own into the records."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, trainer):
        trainer.history[-1]["value"] = self.values[trainer.epoch - 1]


# -- hooks ---------------------------------------------------------------------------------------


class Notes(Callback):
    def __init__(self, notes, name=""):
        self.notes = notes
        self.name = name

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda trainer: self.notes.append((self.name + name, trainer.epoch, trainer.step))
        return super().__getattribute__(name)


def test_the_order_of_the_hooks():
    notes = []
    made(Notes(notes)).fit(loader(8), 2)
    assert notes == [
        ("on_fit_start", 0, 0),
        ("on_epoch_start", 0, 0),
        ("on_step_end", 0, 1),
        ("on_step_end", 0, 2),
        ("on_epoch_end", 1, 2),
        ("on_epoch_start", 1, 2),
        ("on_step_end", 1, 3),
        ("on_step_end", 1, 4),
        ("on_epoch_end", 2, 4),
        ("on_fit_end", 2, 4),
    ]


@pytest.mark.parametrize(
    ("hook", "place"),
    [
        ("on_fit_start", "epoch 0, step 0"),
        ("on_epoch_start", "epoch 0, step 0"),
        ("on_step_end", "epoch 0, step 1"),
        ("on_epoch_end", "epoch 1, step 3"),
        ("on_fit_end", "epoch 1, step 3"),
    ],
)
def test_an_error_says_which_callback_it_was_and_the_others_end(hook, place):
    def fail(self, trainer):
        raise LookupError("nothing there")

    notes = []
    faulty = type("Faulty", (Callback,), {hook: fail})()
    with pytest.raises(LookupError, match=r"^nothing there\n") as caught:
        made(Notes(notes), faulty).fit(loader(), 1)
    assert caught.value.__notes__ == [f"in Faulty.{hook}, at {place}"]
    assert notes[-1][0] == "on_fit_end"
    assert [name for name, *_ in notes].count("on_fit_end") == 1


def test_the_loss_of_a_step_is_there_without_its_graph():
    seen = []

    class Look(Callback):
        def on_step_end(self, trainer):
            seen.append(float(trainer.loss_of_step))
            assert type(trainer.loss_of_step) is not tg.Variable

    trainer = made(Look())
    trainer.fit(loader(), 2)
    assert seen == trainer.losses


# -- early stopping and the best -----------------------------------------------------------------


def test_early_stopping():
    values = [3.0, 2.0, 2.5, 1.95, 1.9, float("nan"), 1.7]
    for patience, delta, mode, epochs in [
        (1, 0.0, "min", 3),
        (2, 0.0, "min", 7),
        (2, 0.2, "min", 4),
        (2, 0.0, "max", 3),
    ]:
        stopping = EarlyStopping("value", mode, patience=patience, min_delta=delta)
        trainer = made(Script(values), stopping)
        trainer.fit(loader(), 7)
        assert trainer.epoch == epochs, (patience, delta, mode)


def test_the_best_weights_are_kept(tmp_path):
    seen = []

    class Weights(Callback):
        def on_epoch_end(self, trainer):
            seen.append(trainer.model.state_dict())

    best = KeepBest("value", "max")
    trainer = made(Script([0.1, 0.5, 0.5, float("nan"), 0.2]), Weights(), best, folder=tmp_path)
    trainer.fit(loader(), 5)
    assert best.best == 0.5
    trainer.model.load_weights(tmp_path / "best.npz")
    for path, array in trainer.model.state_dict().items():
        np.testing.assert_array_equal(array, seen[1][path])


def test_wrong_settings():
    with pytest.raises(ValueError, match=message("EarlyStopping: expected mode 'min' or 'max'; got 'low'")):
        EarlyStopping(mode="low")
    with pytest.raises(ValueError, match=message("EarlyStopping: expected patience >= 1; got 0")):
        EarlyStopping(patience=0)
    expected = "no value is named 'test_loss'; there are: epoch, step, lr, loss, seconds"
    with pytest.raises(LookupError, match=f"^{re.escape(expected)}\n"):
        made(EarlyStopping()).fit(loader(), 1)
    expected = "KeepBest: expected a path, or a Trainer with a folder to write best.npz to"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}\n"):
        made(KeepBest()).fit(loader(), 1)


def test_states_of_callbacks_come_back_by_their_kind(tmp_path):
    def callbacks():
        return [EarlyStopping("loss", patience=5), Monitor("loss"), EarlyStopping("test_loss", patience=7)]

    first = made(*callbacks())
    first.fit(loader(), 3, loader())
    first.callbacks[0].waited = 3
    first.callbacks[2].best = -1.5
    first.save(tmp_path / "checkpoint.npz")
    again = made(Notes([]), *callbacks(), Monitor("loss"))
    again.load(tmp_path / "checkpoint.npz")
    _, a, b, c, fresh = again.callbacks
    assert (a.waited, b.best, c.best) == (3, first.callbacks[1].best, -1.5)
    assert fresh.best == np.inf


# -- logs and curves -----------------------------------------------------------------------------


def test_logs(tmp_path):
    trainer = made(Script([1.0, float("nan")]), folder=tmp_path / "made" / "here")
    trainer.fit(loader(), 2, test=loader())
    with (tmp_path / "made" / "here" / "log.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [{k: float(v) for k, v in row.items()} for row in table] == [
        {k: pytest.approx(v, nan_ok=True) for k, v in record.items()} for record in trainer.history
    ]
    lines = (tmp_path / "made" / "here" / "log.jsonl").read_text().splitlines()
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert records[0] == trainer.history[0]
    assert records[1] == {**trainer.history[1], "value": None}
    names = {path.name for path in (tmp_path / "made" / "here").iterdir()}
    assert names == {"log.csv", "log.jsonl", "checkpoint.npz"}


def records(folder):
    """What was written in a folder of TensorBoard, one after the other."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason="reads the events")
    found = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            found.append(event_pb2.Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def events(folder):
    """The values in a folder of TensorBoard, as (tag, step) -> value: a number, or a histogram."""
    return {
        (value.tag, event.step): value.histo if value.HasField("histo") else value.simple_value
        for event in records(folder)
        for value in event.summary.value
    }


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX", reason="writes the events")

    class Stop(Callback):
        def on_step_end(self, trainer):
            if trainer.step == 5:
                raise RuntimeError

    def run(*callbacks):
        return made(training.TensorBoardLog(), *callbacks, folder=tmp_path, checkpoint_steps=1)

    with pytest.raises(RuntimeError):
        run(Stop()).fit(loader(), 2, test=loader())
    trainer = run()
    trainer.fit(loader(), 2, test=loader(), resume=True)
    found = events(tmp_path / "tensorboard")
    assert [found["batch/loss", i + 1] for i in range(6)] == pytest.approx(trainer.losses)
    for record in trainer.history:
        for name in ("lr", "loss", "test_loss", "test_accuracy"):
            assert found[f"epoch/{name}", record["step"]] == pytest.approx(record[name])


def test_tensorboard_histograms(tmp_path):
    pytest.importorskip("tensorboardX", reason="writes the events")
    trainer = made(training.TensorBoardLog(histograms=2), folder=tmp_path)
    trainer.model.still = tg.Parameter(np.array([np.nan, 2.0], np.float32), requires_grad=False)
    trainer.fit(loader(), 3)
    found = events(tmp_path / "tensorboard")
    step = trainer.history[1]["step"]
    tags = {tag for tag, _ in found if not tag.startswith(("epoch", "batch"))}
    named = dict(trainer.model.namedparams())
    assert tags == {f"weights/{path}" for path in named} | {
        f"gradients/{path}" for path in named if path != "still"
    }
    assert {at for tag, at in found if tag in tags} == {step}  # after the second epoch of three
    assert found["weights/l0/W", step].num == named["l0/W"].size
    assert trainer.optimizer.hooks == []
    still = found["weights/still", step]
    assert (still.num, still.min, still.max) == (1, 2.0, 2.0)
    with pytest.raises(ValueError, match="TensorBoardLog: expected histograms >= 1; got 0"):
        training.TensorBoardLog(histograms=0)


def test_tensorboard_graph(tmp_path):
    graph_pb2 = pytest.importorskip("tensorboardX.proto.graph_pb2", reason="reads the graph")
    x = loader().next()[0]
    trainer = made(training.TensorBoardLog(example=x), folder=tmp_path)
    trainer.fit(loader(), 1)
    (graph,) = [
        graph_pb2.GraphDef.FromString(r.graph_def) for r in records(tmp_path / "tensorboard") if r.graph_def
    ]
    nodes = {node.name: node for node in graph.node}
    ops = [node for node in graph.node if node.op not in ("leaf", "parameter")]
    linear = [node for node in ops if node.op == "Linear"]
    assert [node.name.rpartition("/")[0] for node in linear] == ["MLP/l0", "MLP/l1"]
    assert all(name.partition(":")[0] in nodes for node in graph.node for name in node.input)
    (shape,) = linear[-1].attr["_output_shapes"].list.shape
    assert [length.size for length in shape.dim] == list(trainer.model(x).shape)


def test_curves(tmp_path):
    pytest.importorskip("matplotlib", reason="draws")
    trainer = made(training.Curves(), folder=tmp_path)
    trainer.fit(loader(), 2, test=loader())
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)
    for history in ([{"epoch": 1, "loss": 1.0}], [{"epoch": 1, "loss": np.nan, "a": 1.0, "test_a": 2.0}]):
        draw(history, [1.0], tmp_path / "odd.png")
        assert (tmp_path / "odd.png").read_bytes().startswith(PNG)
    assert "matplotlib.pyplot" not in sys.modules or "pyplot" in str(sys.modules["matplotlib.pyplot"])


class FakeNotebook:
    """IPython, as far as `LiveCurves` calls it."""

    def __init__(self, monkeypatch, shell: object = True) -> None:
        self.shown: list[list[bytes]] = []  # of each display what it showed, one after the other
        ipython = SimpleNamespace(get_ipython=lambda: shell, version_info=(9, 0))  # matplotlib looks at that
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        parts = SimpleNamespace(Image=lambda data, width: data, display=self.display)
        monkeypatch.setitem(sys.modules, "IPython.display", parts)

    def display(self, image: bytes, display_id: bool) -> SimpleNamespace:
        assert display_id
        self.shown.append([image])
        return SimpleNamespace(update=self.shown[-1].append)


def test_live_curves_are_one_picture_that_changes(monkeypatch):
    pytest.importorskip("matplotlib", reason="draws")
    notebook = FakeNotebook(monkeypatch)
    trainer = made(training.LiveCurves(seconds=0.0))
    trainer.fit(loader(), 3, test=loader())
    assert [len(images) for images in notebook.shown] == [3 + 1]
    assert all(image.startswith(PNG) for image in notebook.shown[0])
    trainer.fit(loader(), 4)
    assert [len(images) for images in notebook.shown] == [4, 2], "a run of its own"


def test_live_curves_within_an_epoch(monkeypatch):
    pytest.importorskip("matplotlib", reason="draws")
    drawn = []
    monkeypatch.setattr(
        curves, "figure_of", lambda h, losses, epochs: drawn.append((len(losses), epochs)) or FIGURE
    )
    notebook = FakeNotebook(monkeypatch)
    made(training.LiveCurves(steps=2, seconds=0.0)).fit(loader(), 2)
    assert drawn == [(2, 2 / 3), (3, 1), (4, 4 / 3), (6, 2), (6, 2), (6, 2)]
    made(training.LiveCurves(steps=1, seconds=1000.0)).fit(loader(), 2)
    assert [len(images) for images in notebook.shown] == [6, 2], "the first and the last"


FIGURE = SimpleNamespace(savefig=lambda file, format: file.write(PNG), get_figwidth=lambda: 4.5)


def test_live_curves_need_a_notebook(monkeypatch):
    pytest.importorskip("matplotlib", reason="draws")
    FakeNotebook(monkeypatch)
    with pytest.raises(ValueError, match=message("LiveCurves: expected steps >= 1; got 0")):
        training.LiveCurves(steps=0)
    FakeNotebook(monkeypatch, shell=None)
    expected = "LiveCurves: expected to run in a notebook; this is none. Curves(path) writes a file anywhere"
    with pytest.raises(RuntimeError, match=message(expected)):
        training.LiveCurves()
    monkeypatch.setitem(sys.modules, "IPython", None)
    expected = "LiveCurves: IPython is not installed; python -m pip install 'tensorgrad[notebook]'"
    with pytest.raises(ImportError, match=message(expected)):
        training.LiveCurves()


def test_what_is_missing_is_said_at_once(monkeypatch):
    for name in ("tensorboardX", "matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    install = "python -m pip install 'tensorgrad[training]'"
    expected = f"TensorBoardLog: tensorboardX is not installed; {install}"
    with pytest.raises(ImportError, match=message(expected)):
        training.TensorBoardLog("folder")
    with pytest.raises(ImportError, match=message(f"matplotlib is not installed; {install}")):
        training.Curves("curves.png")


# -- progress ------------------------------------------------------------------------------------


def test_a_bar(capsys):
    pytest.importorskip("tqdm", reason="draws the bar")
    made(progress=True, show_steps=2).fit(loader(), 2, test=loader())
    shown = capsys.readouterr().err.split("\r")
    assert re.search(r"epoch 2/2: 100%.*24\.0/24\.0", shown[-1])
    assert re.search(r"loss 0\.\d+, test_loss 0\.\d+, test_accuracy [01]", shown[-1])


def test_lines_where_tqdm_is_not_installed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    trainer = made(progress=True, show_steps=1)
    trainer.fit(loader(), 1)
    trainer.fit(loader(), 2)
    first, line, _, again = capsys.readouterr().out.splitlines()
    assert first == f"(no progress bar: tqdm is not installed; {progress.INSTALL})"
    assert re.fullmatch(r"epoch 1/1: loss \d\.\d+, [\d,]+ examples/s", line)
    assert re.fullmatch(r"epoch 2/2: loss \d\.\d+, [\d,]+ examples/s", again)


def test_lines_say_how_long_it_takes_yet(capsys, monkeypatch):
    clock = iter([10.0, 14.0, 18.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.Lines(5, None, begun=3) as shown:
        shown.step(8)
        shown.epoch("loss 1")
        shown.step(8)
        shown.epoch("loss 0")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "epoch 4/5: loss 1, 2 examples/s, 4 s left",
        "epoch 5/5: loss 0, 2 examples/s",
    ]


def test_silence(capsys):
    made().fit(loader(), 1)
    assert capsys.readouterr() == ("", "")
