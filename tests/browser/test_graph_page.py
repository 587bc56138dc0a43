"""The page of a graph in a browser: what is drawn, pointing, typing, searching, and 5,000 ops."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import models as M
from tensorgrad.graphs import Graph, annotate


class Net(tg.Model):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = M.MLP((16, 8), activation=F.relu)
        self.head = tg.layers.Linear(3)

    def forward(self, x):
        h = self.encoder(x)
        return self.head(F.tanh(h))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of a small model's loss, with lines and times."""
    model, x = Net(), np.ones((4, 5), np.float32)
    with annotate():
        loss = F.sum(model(x) ** 2)
        loss.backward(retain_graph=True)
    return Graph(loss).page(tmp_path_factory.mktemp("page") / "graph.html", title="Net").path


def titles(page) -> list[str]:
    """What is drawn."""
    return page.evaluate("picture.items.map((item) => item.node ? item.node.name : item.group.name)")


def click(page, name: str, times: int = 1) -> None:
    """Click an item, or the title of an open box."""
    place = page.evaluate(
        """name => {
            const named = (item) => (item.node ? item.node.name : item.group.name) === name;
            const item = picture.items.find(named) || picture.boxes.find(named);
            const [x, y] = item.open ? [20, 12] : [item.anchor, item.height / 2];
            const { view } = picture;
            return [(item.x + x - view.x) * view.scale, (item.y + y - view.y) * view.scale];
        }""",
        name,
    )
    page.locator("#picture").click(position={"x": place[0], "y": place[1]}, click_count=times)


def details(page) -> str:
    return page.locator("#details").inner_text()


def ink(page) -> int:
    """How many pixels of the canvas are not of the colour in its corner."""
    return page.evaluate(
        """() => {
            picture.draw();
            const { width, height } = picture.canvas;
            const pixels = new Uint32Array(picture.context.getImageData(0, 0, width, height).data.buffer);
            return pixels.filter((pixel) => pixel !== pixels[0]).length;
        }"""
    )


def test_it_opens_with_the_graph_and_what_it_is_in_all(opened, path, screenshots):
    page = opened(path)
    assert page.title() == "Net"
    assert titles(page).count("Linear") == 3
    assert ink(page) > 10_000
    assert "ops\n7\n" in details(page).replace("\t", "\n")
    page.screenshot(path=screenshots / "graph-light.png")


def test_a_click_tells_shape_dtype_memory_times_and_line(opened, path, screenshots):
    page = opened(path)
    click(page, "Tanh")
    text = details(page).replace("\t", "\n")
    for part in (
        "Tanh",
        "shape\n(4, 8)",
        "dtype\nfloat32",
        "memory\n128 B",
        "kept for backward\n128 B",
        "in\nNet",
    ):
        assert part in text
    assert "time forward\n" in text
    assert "time backward\n" in text
    assert "test_graph_page.py:" in text
    assert "return self.head(F.tanh(h))" in text
    page.screenshot(path=screenshots / "graph-clicked.png")
    page.get_by_role("button", name="Linear (4, 8)").click()
    assert details(page).startswith("Linear")
    page.get_by_role("button", name="W (16, 8)").click()
    assert "parameter" in details(page)


def test_boxes_fold_up_and_open(opened, path):
    page = opened(path)
    before = len(titles(page))
    click(page, "encoder", times=2)
    assert len(titles(page)) == before - 2
    assert "encoder" in titles(page)
    assert "a call of MLP" in details(page)
    click(page, "encoder", times=2)
    assert len(titles(page)) == before
    page.get_by_role("button", name="Fold all").click()
    assert titles(page) == ["Net", "Pow", "Sum"]
    page.get_by_role("button", name="Open all").click()
    assert titles(page).count("Linear") == 3


def test_it_zooms_about_the_pointer_and_moves(opened, path):
    page = opened(path)
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    under = "() => [picture.view.x + 300 / picture.view.scale, picture.view.y + 200 / picture.view.scale]"
    place, scale = page.evaluate(under), page.evaluate("picture.view.scale")
    page.mouse.wheel(0, -400)
    page.wait_for_function("scale => picture.view.scale > 1.5 * scale", arg=scale)
    assert page.evaluate(under) == pytest.approx(place)
    before = page.evaluate("[picture.view.x, picture.view.y, picture.view.scale]")
    page.mouse.down()
    page.mouse.move(box["x"] + 360, box["y"] + 230)
    page.mouse.up()
    after = page.evaluate("[picture.view.x, picture.view.y, picture.view.scale]")
    assert after == pytest.approx([before[0] - 60 / before[2], before[1] - 30 / before[2], before[2]])
    page.get_by_role("button", name="Fit").click()
    assert page.evaluate("picture.view.scale") == pytest.approx(scale)


def test_by_keys_alone(opened, path):
    page = opened(path)
    page.locator("#picture").focus()
    press = page.keyboard.press
    press("ArrowDown")
    assert details(page).startswith("Linear")
    press("ArrowDown")
    assert details(page).startswith("ReLU")
    press("ArrowUp")
    assert details(page).startswith("Linear")
    press("Backspace")
    assert details(page).startswith("l0")
    press("Enter")
    assert page.evaluate("picture.selected.open")
    scale = page.evaluate("picture.view.scale")
    press("+")
    assert page.evaluate("picture.view.scale") == pytest.approx(1.25 * scale)
    press("0")
    press("Escape")
    assert details(page).startswith("Net")
    press("/")
    page.keyboard.type("tanh")
    assert page.locator("#found").inner_text() == "2 found"  # the op, and what its line calls too
    press("Enter")
    assert details(page).startswith("Tanh")
    press("Escape")
    assert page.evaluate("picture.matches.size") == 0


def test_search_opens_the_boxes_around_what_it_finds(opened, path):
    page = opened(path)
    page.get_by_role("button", name="Fold all").click()
    page.locator("#search").fill("linear")
    page.locator("#search").press("Enter")
    assert page.locator("#found").inner_text() == "1 of 3"
    assert details(page).startswith("Linear")
    assert "Tanh" in titles(page)
    page.locator("#search").fill("nothing like it")
    assert page.locator("#found").inner_text() == "0 found"


def test_colours_and_boxes_can_be_chosen(opened, path, screenshots):
    page = opened(path, color_scheme="dark")
    assert page.evaluate("picture.isDark")
    by_kind = page.evaluate("picture.items.map((item) => item.colour)")
    page.locator("#colours").select_option("time")
    by_time = page.evaluate("picture.items.map((item) => item.colour)")
    assert by_time != by_kind
    assert len(set(by_time)) > 2
    page.screenshot(path=screenshots / "graph-dark.png")
    page.locator("#grouping").select_option("none")
    assert page.evaluate("picture.boxes.length") == 0
    page.locator("#theme").click()
    assert not page.evaluate("picture.isDark")


def test_names_are_shown_as_they_are(opened, tmp_path):
    evil = "</script><script>console.log('run')</script><img src=x onerror=console.log('run')>"
    graph = Graph(Variable(np.ones(2), name=evil) * 2.0)
    page = opened(graph.page(tmp_path / "graph.html", title=evil).path)
    page.evaluate("chooseNode(0)")
    assert evil in details(page)
    assert page.title() == evil
    assert page.locator("img").count() == 0


def test_derivatives_are_boxes_of_their_own(opened, tmp_path, screenshots):
    model = Net()
    with annotate():
        F.sum(model(np.ones((4, 5), np.float32)) ** 2).backward(create_graph=True)
        norm = F.sum(model.head.W.grad**2)
    page = opened(Graph(norm).page(tmp_path / "graph.html", title="Norm of a gradient").path)
    page.get_by_role("button", name="Fold all").click()
    assert titles(page)[:2] == ["Net", "derivative 1"]
    page.get_by_role("button", name="Open all").click()
    page.screenshot(path=screenshots / "graph-derivative.png")
    named = page.evaluate("picture.boxes.map((box) => box.group.name)")
    assert named.count("head") == 2


def test_in_a_notebook_it_stands_in_a_frame(browser, path, tmp_path):
    around = tmp_path / "notebook.html"
    around.write_text(tg.graphs.Page(path)._repr_html_(), encoding="utf-8")
    page = browser.new_page()
    page.goto(around.as_uri())
    frame = page.frame_locator("iframe")
    assert frame.locator("#details h2").inner_text() == "Net"
    page.close()


def test_ops_side_by_side_are_not_put_into_boxes(opened, tmp_path):
    x = Variable(np.ones(2), name="x")
    page = opened(Graph([F.exp(x) for _ in range(200)]).page(tmp_path / "wide.html").path)
    assert titles(page) == ["Exp"] * 200


BLOCKS = 1_250
LARGE = 4 * BLOCKS


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """5,000 ops: a residual network without layers, with a leaf in each of its blocks."""
    y = Variable(np.ones(3), name="x")
    for i in range(BLOCKS):
        y = F.tanh(y * Variable(np.ones(3), name=f"w{i}")) * 0.5 + y
    graph = Graph(y)
    assert len(graph.ops) == LARGE
    return graph.page(tmp_path_factory.mktemp("page") / "large.html").path


FRAMES = """async () => {
    const frames = async (step) => {
        const start = performance.now();
        for (let i = 0; i < 30; i++) {
            step(i);
            await new Promise(requestAnimationFrame);
        }
        return 30_000 / (performance.now() - start);
    };
    const move = (i) => picture.pan(i % 20 < 10 ? 6 : -6, -4);
    const zoom = (i) => picture.zoom(i % 20 < 10 ? 1.03 : 1 / 1.03);
    const result = {};
    for (const [name, scale] of [["all of it", null], ["readable", 0.8]]) {
        picture.fit();
        if (scale) picture.zoom(scale / picture.view.scale);
        picture.draw();
        result[`${name}: moving`] = await frames(move);
        result[`${name}: zooming`] = await frames(zoom);
    }
    return result;
}"""


def test_five_thousand_ops_stay_fluid(opened, large, screenshots, capsys):
    page = opened(large)
    assert page.evaluate("picture.items.length") < 100, "by generation, and most of them folded up"
    page.screenshot(path=screenshots / "large-folded.png")
    page.get_by_role("button", name="Open all").click()
    assert page.evaluate("picture.items.length") == LARGE + BLOCKS + 1
    arranged = page.evaluate("picture.milliseconds")
    rates = page.evaluate(FRAMES)
    with capsys.disabled():
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        print(f"\n{LARGE:,} ops: arranged in {arranged:.0f} ms; frames per second: {shown}")  # noqa: T201  # for the log
    page.screenshot(path=screenshots / "large-open.png")
    # Far from what a quiet machine reaches, as others may be at work on this one.
    assert arranged < 4_000
    assert min(rates.values()) > 5
