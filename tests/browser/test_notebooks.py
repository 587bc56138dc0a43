"""The notebooks of docs/ run, and show what they are about."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted(Path(__file__).parents[2].joinpath("docs", "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def executed(path: Path, folder: Path) -> Any:
    """The notebook with the outputs of a run in that folder."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute()
    return notebook


def outputs(notebook: Any, beginning: str) -> dict[str, Any]:
    """By their types the outputs of the cell that has a line which begins so."""
    (cell,) = [c for c in notebook.cells if c.cell_type == "code" and f"\n{beginning}" in f"\n{c.source}"]
    found: dict[str, Any] = {}
    for output in cell.outputs:
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
        found |= output.get("data", {}) or {"text": output.text}
    return found


def as_page(notebook: Any, path: Path) -> Path:
    """The richest form of every output, one below the other."""
    parts = ["<body style='font: 14px sans-serif; margin: 20px; width: 900px'>"]
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        data = output.get("data", {})
        if "text/html" in data:
            parts.append(data["text/html"])
        elif "image/svg+xml" in data:
            parts.append(data["image/svg+xml"])
        elif "image/png" in data:
            parts.append(f"<img src='data:image/png;base64,{data['image/png']}'>")
        else:
            parts.append(f"<pre>{escape(data.get('text/plain', output.get('text', '')))}</pre>")
    path.write_text("<hr>".join(parts), encoding="utf-8")
    return path


def test_there_are_two_without_outputs():
    import nbformat

    assert [path.stem for path in NOTEBOOKS] == ["first-look", "training"]
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.fixture
def run(tmp_path, browser, screenshots, monkeypatch):
    """Run a notebook, and leave a picture of what it shows."""
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows figures in the cells

    def run(name: str) -> Any:
        notebook = executed(next(path for path in NOTEBOOKS if path.stem == name), tmp_path)
        page = browser.new_page(viewport={"width": 960, "height": 800})
        page.goto(as_page(notebook, tmp_path / f"{name}.html").as_uri())
        page.screenshot(path=screenshots / f"notebook-{name}.png", full_page=True)
        page.close()
        return notebook

    return run


def test_a_first_look(run, tmp_path):
    notebook = run("first-look")
    assert "shape (201,) · float64" in outputs(notebook, "import matplotlib")["text/html"]
    assert outputs(notebook, "y = F.tanh(x)")["image/png"]
    picture = outputs(notebook, "tg.graphs.Graph(rosenbrock)")["image/svg+xml"]
    assert [picture.count(f">{name}</text>") for name in ("Pow", "Sub", "a", "b")] == [3, 2, 1, 1]
    assert "has a gradient" in outputs(notebook, "rosenbrock.backward()")["text/html"]
    assert "TransformerEncoderBlock" in outputs(notebook, "model = ")["text/html"]
    assert "(8, 16, 65)" in outputs(notebook, "model.summary")["text/html"]
    page = outputs(notebook, "tg.graphs.Graph(loss).page")["text/html"]
    assert page.startswith("<iframe")
    assert "scores = model(tokens[:, :-1])" in page
    assert (tmp_path / "gpt.html").exists()


def test_training(run):
    notebook = run("training")
    shown = outputs(notebook, "trainer = tg.Trainer")
    assert WIDGET in shown, "the bar is that of notebooks"
    assert base64.b64decode(shown["image/png"]).startswith(b"\x89PNG"), "the curves"
    (widgets,) = notebook.metadata.widgets.values()
    texts = [str(w["state"].get("value", "")).replace("\u2007", " ") for w in widgets["state"].values()]
    assert any("epoch 6/6" in text for text in texts)
    assert any("examples/s" in text and "test_accuracy" in text for text in texts)
    (cell,) = [c for c in notebook.cells if "trainer.fit" in c.source]
    pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1, "it is drawn again, not one below the other"
    assert "Linear" in outputs(notebook, "with tg.profile")["text/html"]
    text = outputs(notebook, "wrong = ")["text"]
    assert float(text.partition("%")[0]) > 93
