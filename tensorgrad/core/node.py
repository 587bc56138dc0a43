"""What edges point to: the place of a value in the graph, without the value.

An edge is ``(node, output index)``; the node is a `Function`, or a `Leaf` for a Variable that no op made.
Nodes refer to Variables weakly, so that no graph is a reference cycle and a dropped Variable frees its
array at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from tensorgrad.core.function import Function
    from tensorgrad.core.variable import Variable

Spec = tuple[tuple[int, ...], Any]
"""Shape and dtype of a value that may be gone."""


class Leaf:
    """The node of a Variable that no op made. Gradients that arrive here go to its ``grad``."""

    __slots__ = ("__weakref__", "names", "specs", "variable")

    generation = -1

    def __init__(self, variable: Variable | None, spec: Spec) -> None:
        self.variable: Callable[[], Variable | None] = ref(variable) if variable is not None else _nobody
        self.names: dict[int, str | None] = {0: variable.name if variable is not None else None}
        self.specs: tuple[Spec, ...] = (spec,)

    @property
    def outputs(self) -> tuple[Callable[[], Variable | None]]:
        """The same view of a node's values that a Function gives."""
        return (self.variable,)


def _nobody() -> None:
    """A reference to a Variable that nobody holds."""


Edge = tuple["Function | Leaf", int]


def uncut(edge: Edge) -> Edge:
    """Where an edge ends: at the leaf, if the value was unchained."""
    node, index = edge
    leaf = None if isinstance(node, Leaf) or node.cut is None else node.cut.get(index)
    return edge if leaf is None else (leaf, 0)
