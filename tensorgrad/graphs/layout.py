"""Where the nodes of a small graph stand: in layers, inputs above, few edges crossing, most straight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

GAP = 18.0  # from side to side
LAYER_GAP = 30.0


@dataclass(eq=False)
class Cell:
    """Something with a place: a node, or a bend of an edge that passes through a layer.

    `left` and `right` are how far it reaches from its centre `x`; `y` is its top.
    """

    left: float
    right: float
    height: float
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    rank: float = 0.0
    up: list[Cell] = field(default_factory=list)
    down: list[Cell] = field(default_factory=list)
    is_bend: bool = False


def arrange(cells: Sequence[Cell], edges: Sequence[tuple[int, int]]) -> tuple[list[list[Cell]], float, float]:
    """Give the cells their places.

    Parameters
    ----------
    cells : sequence of Cell
        Each after those with edges to it.
    edges : sequence of (int, int)
        From and to, as numbers of cells.

    Returns
    -------
    courses : list of list of Cell
        For each edge the cells that it goes through, both ends included.
    width, height : float
    """
    for a, b in edges:
        cells[b].layer = max(cells[b].layer, cells[a].layer + 1)
    fed = {b for _, b in edges}
    uses: dict[int, list[int]] = {}
    for a, b in edges:
        uses.setdefault(a, []).append(cells[b].layer)
    for a, users in uses.items():  # what has no inputs stands just above what uses it first
        if a not in fed:
            cells[a].layer = min(users) - 1
    layers: list[list[Cell]] = [[] for _ in range(1 + max((c.layer for c in cells), default=-1))]
    for cell in cells:
        layers[cell.layer].append(cell)
    courses = [_course(cells[a], cells[b], layers) for a, b in edges]
    _order(layers)
    return courses, *_place(layers)


def _course(start: Cell, end: Cell, layers: list[list[Cell]]) -> list[Cell]:
    """Link two cells, through a bend in every layer between theirs."""
    course = [start]
    for layer in range(start.layer + 1, end.layer):
        bend = Cell(5.0, 5.0, 0.0, layer, is_bend=True)
        layers[layer].append(bend)
        course.append(bend)
    course.append(end)
    for a, b in pairwise(course):
        a.down.append(b)
        b.up.append(a)
    return course


def _order(layers: list[list[Cell]]) -> None:
    """Order each layer by the mean place of what its cells hang on, downwards and upwards in turn."""

    def number(layer: list[Cell]) -> None:
        for i, cell in enumerate(layer):
            cell.rank = i

    for layer in layers:
        number(layer)
    for sweep in range(8):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            keys = {}
            for cell in layer:
                others = cell.up if sweep % 2 == 0 else cell.down
                keys[cell] = fmean(other.rank for other in others) if others else cell.rank
            layer.sort(key=keys.__getitem__)
            number(layer)


def _place(layers: list[list[Cell]]) -> tuple[float, float]:
    for layer in layers:
        x = 0.0
        for cell in layer:
            cell.x = x + cell.left
            x += cell.left + cell.right + GAP
        for cell in layer:
            cell.x -= x / 2
    for sweep in range(10):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _pull(layer, up=sweep % 2 == 0 or sweep > 7, down=sweep % 2 == 1 or sweep > 7)
    y = 0.0
    for layer in layers:
        height = max(cell.height for cell in layer)
        for cell in layer:
            cell.y = y if cell.is_bend else y + (height - cell.height) / 2
            cell.height = height if cell.is_bend else cell.height
        y += height + LAYER_GAP
    everything = [cell for layer in layers for cell in layer]
    least = min((cell.x - cell.left for cell in everything), default=0.0)
    for cell in everything:
        cell.x -= least
    return max((cell.x + cell.right for cell in everything), default=0.0), max(y - LAYER_GAP, 0.0)


def _pull(layer: list[Cell], *, up: bool, down: bool) -> None:
    """Move cells to the mean of their neighbours, as near as order and widths allow (least squares).

    The order makes it an isotonic regression: blocks of cells side by side are pooled.
    """
    offsets, offset = [], 0.0
    blocks: list[tuple[float, float, int]] = []  # weight, weighted sum of wishes, first cell
    for i, cell in enumerate(layer):
        if i:
            gap = 6.0 if cell.is_bend and layer[i - 1].is_bend else GAP
            offset += layer[i - 1].right + cell.left + gap
        offsets.append(offset)
        total = weight = 0.0
        for other in (*(cell.up if up else ()), *(cell.down if down else ())):
            strength = (4.0 if cell.is_bend else 1.0) * (2.0 if other.is_bend else 1.0)
            total += strength * other.x
            weight += strength
        if not weight:
            total, weight = 0.01 * cell.x, 0.01
        block = (weight, total - weight * offset, i)
        while blocks and blocks[-1][1] / blocks[-1][0] > block[1] / block[0]:
            left = blocks.pop()
            block = (left[0] + block[0], left[1] + block[1], left[2])
        blocks.append(block)
    ends = [first for _, _, first in blocks[1:]] + [len(layer)]
    for (weight, total, first), end in zip(blocks, ends, strict=True):
        for i in range(first, end):
            layer[i].x = total / weight + offsets[i]
