"""A small graph as a picture in SVG, drawn without any other program."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from tensorgrad.graphs.layout import Cell, arrange

if TYPE_CHECKING:
    from tensorgrad.graphs.collect import Graph, Node

MOST = 400  # nodes, of what Jupyter shows as a picture
_MANY_USES = 4  # from so many on, a leaf is drawn beside each op that uses it

STYLE = """
.g{--text:#1c2026;--faint:#636b76;--line:#9aa3af;--op:#dce6f5;--leaf:#fbe0b8;--parameter:#f6d7d0;
font-family:system-ui,sans-serif;text-anchor:middle}
@media(prefers-color-scheme:dark){.g{--text:#e8eaed;--faint:#a0a8b4;--line:#6b7584;--op:#2b3d5c;--leaf:#574325;
--parameter:#57352f}}
.g .edge{fill:none;stroke:var(--line);stroke-width:1.2}
.g .head{fill:var(--line)}.g text{fill:var(--text);font-size:13px}
.g .small{fill:var(--faint);font-size:11px}.g .op{fill:var(--op)}.g .leaf{fill:var(--leaf)}
.g .parameter{fill:var(--parameter)}
"""


def draw(graph: Graph) -> str:
    """The picture as text."""
    nodes = graph.nodes
    uses = [0] * len(nodes)
    for node in nodes:
        for at in node.inputs:
            if at is not None:
                uses[at[0]] += 1
    beside = [uses[i] > 0 and _is_beside(node, uses[i]) for i, node in enumerate(nodes)]
    places = {i: place for place, i in enumerate(i for i in range(len(nodes)) if not beside[i])}
    drawings = [_Drawing(nodes[i], _leaves(nodes[i], nodes, beside)) for i in places]
    edges = [
        (places[at], places[i])
        for i, node in enumerate(nodes)
        for at in dict.fromkeys(at[0] for at in node.inputs if at is not None)
        if at in places
    ]
    courses, width, height = arrange([drawing.cell for drawing in drawings], edges)
    parts = [_edge(course) for course in courses]
    parts += [part for drawing in drawings for part in drawing.parts()]
    width, height = width + 16, height + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="g" role="img" aria-label="{escape(_said(graph))}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="-8 -8 {width:.0f} {height:.0f}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def _said(graph: Graph) -> str:
    ops = [node.name for node in graph.ops]
    return f"A graph of {len(ops)} ops: {', '.join(ops[:20])}{', ...' if len(ops) > 20 else ''}"


def _is_beside(node: Node, uses: int) -> bool:
    return node.kind == "parameter" or (node.kind == "leaf" and uses >= _MANY_USES)


def _leaves(node: Node, nodes: tuple[Node, ...], beside: list[bool]) -> list[Node]:
    return [nodes[i] for i in dict.fromkeys(at[0] for at in node.inputs if at is not None) if beside[i]]


class _Drawing:
    """A node with the leaves beside it."""

    def __init__(self, node: Node, leaves: list[Node]) -> None:
        self.node = node
        self.leaves = leaves
        self.shape = " ".join(
            f"{value.name} {value.shape}" if value.name and node.kind == "op" else str(value.shape)
            for value in node.outputs
        )
        self.half = max(_width(node.name, 13), _width(self.shape, 11)) / 2 + 10
        self.leaf_width = max((_width(_label(leaf), 11) + 14 for leaf in leaves), default=0.0)
        left = self.half + (self.leaf_width + 10 if leaves else 0)
        self.cell = Cell(left, self.half, max(36.0, 20.0 * len(leaves) - 2))

    def parts(self) -> list[str]:
        cell, half = self.cell, self.half
        middle = cell.y + cell.height / 2
        radius = 6 if self.node.kind == "op" else 18
        tip = f"{self.node.name}: {', '.join(f'{v.shape} {v.dtype}' for v in self.node.outputs)}"
        made = [
            f"<g><title>{escape(tip)}</title>",
            _box(cell.x - half, middle - 18, 2 * half, 36, radius=radius, kind=self.node.kind),
        ]
        if self.node.name:
            made.append(_text(cell.x, middle - 2, self.node.name))
        made.append(_text(cell.x, middle + (12 if self.node.name else 4), self.shape, "small"))
        top = middle - (20 * len(self.leaves) - 2) / 2
        for i, leaf in enumerate(self.leaves):
            width = _width(_label(leaf), 11) + 14
            x, y = cell.x - half - 10 - width, top + 20 * i
            made.append(
                f'<path class="edge" d="M{x + width:.1f} {y + 9:.1f}L{cell.x - half:.1f} {middle:.1f}"/>'
            )
            made.append(_box(x, y, width, 18, radius=9, kind=leaf.kind))
            made.append(_text(x + width / 2, y + 13, _label(leaf), "small"))
        return [*made, "</g>"]


def _label(leaf: Node) -> str:
    return leaf.name or str(leaf.outputs[0].shape)


def _width(text: str, size: int) -> float:
    """About how wide a text is: nobody asks a font here."""
    return 0.6 * size * len(text)


def _box(x: float, y: float, width: float, height: float, *, radius: float, kind: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place} rx="{radius}"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _edge(course: list[Cell]) -> str:
    points = [(course[0].x, course[0].y + course[0].height)]
    for bend in course[1:-1]:
        points += [(bend.x, bend.y), (bend.x, bend.y + bend.height)]
    points.append((course[-1].x, course[-1].y))
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (ax, ay), (bx, by) in pairwise(points):
        half = (ay + by) / 2
        text += f"C{ax:.1f} {half:.1f} {bx:.1f} {half:.1f} {bx:.1f} {by:.1f}"
    x, y = points[-1]
    head = f'<path class="head" d="M{x:.1f} {y:.1f}l-4 -7h8z"/>'
    return f'<path class="edge" d="{text}"/>{head}'
