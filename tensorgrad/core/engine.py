"""The backward engine: gradients flow from the outputs to the leaves, node by node.

Nodes come off a heap of generations, so that each has all its gradients when its turn comes, and nothing
recurses. Gradients travel in a table that belongs to the call. Without ``create_graph`` they are raw
arrays; with it they are Variables, and the backward is recorded in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any
from weakref import ref

from tensorgrad.backend import BY_TYPE, Backend, backend_of
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.arrivals import HOOKED, awaited, run_hooks
from tensorgrad.core.config import STATE, set_recording
from tensorgrad.core.function import Function, Op
from tensorgrad.core.node import Edge, Leaf, Spec
from tensorgrad.core.variable import Variable, as_array, make_variable

_namespace_factory: list[Callable[[Backend], Any]] = []


def set_namespace_factory(factory: Callable[[Backend], Any]) -> None:
    """Tell the core where tensorgrad's own Array API namespace of a backend comes from."""
    _namespace_factory[:] = [factory]


def namespace_of(backend: Backend) -> Any:
    """The Array API namespace over a backend whose functions take and give Variables."""
    return _namespace_factory[0](backend)


class Copy(Op):
    """``y = x`` in memory of its own; ``dy/dx = 1``."""

    def forward(self, x: Any) -> Any:
        return self.backend.copy(x)

    def backward(self, gy: Any) -> Any:
        return gy


def sum_to(xp: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """Sum `x` over the axes along which `shape` was broadcast: the adjoint of broadcasting."""
    lead = len(x.shape) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, x.shape[lead:], strict=True)):
        raise ValueError(f"expected a shape that broadcasts to {tuple(x.shape)}; got {tuple(shape)}")
    axes = tuple(i for i, m in enumerate(x.shape) if i < lead or (shape[i - lead] == 1 != m))
    if axes:
        x = xp.sum(x, axis=axes, keepdims=True, dtype=x.dtype)
    return xp.reshape(x, shape) if lead else x


class Pass:
    """One backward: its table of gradients, its heap, its mode."""

    def __init__(
        self, *, create_graph: bool, retain_graph: bool | None = None, retain_grad: bool = False
    ) -> None:
        self.create_graph = create_graph
        self.retain_graph = create_graph if retain_graph is None else retain_graph
        self.retain_grad = retain_grad
        self.watched: dict[Edge, Any] = {}  # values whose gradient is asked for, not only passed on
        self.useful: set[Any] | None = None  # with watched values: the nodes on the way to them
        self.table: dict[Function, Any] = {}  # a gradient; a list of them where outputs are several
        self.leaves: dict[Leaf, tuple[Any, bool]] = {}  # a gradient, and whether it owns its memory
        self.awaited: dict[Leaf, int] = {}  # leaves with hooks, and how many edges may still bring a gradient
        self.masked: set[Any] = set()  # nodes whose gradient is 0 where a value was thrown away
        self.owner: Backend | None = None  # the backend of `namespace`, the last one that was used
        self.namespace: Any = None
        self.waiting: dict[int, list[Function]] = {}  # nodes with gradients, by their generation, negative
        self.heap: list[int] = []  # its keys: the highest generation comes first

    def add(self, node: Function | Leaf, index: int, g: Any, owned: bool) -> None:
        """Let a gradient arrive at a value."""
        if isinstance(node, Leaf):
            before = self.leaves.get(node)
            if before is None:
                self.leaves[node] = (g, owned)
                return
            total, owns = before
            if owns and not self.create_graph and total.dtype == g.dtype:
                total += g  # nothing else refers to it
            else:
                total = total + g
            self.leaves[node] = (total, True)
            return
        table = self.table
        before = table.get(node)
        if before is None:
            if node.several:
                table[node] = gys = [None] * len(node.specs)
                gys[index] = g
            else:
                table[node] = g
            turn = -node.generation
            level = self.waiting.get(turn)
            if level is None:
                self.waiting[turn] = [node]
                heappush(self.heap, turn)
            else:
                level.append(node)
        elif node.several:
            before[index] = g if before[index] is None else before[index] + g
        else:
            table[node] = before + g

    def start(self, output: Variable, seed: Any) -> None:
        """Begin at this value with this gradient."""
        if self.create_graph:
            seed = seed if isinstance(seed, Variable) else make_variable(seed, None, 0)
        elif isinstance(seed, Variable):
            seed = seed.data
        self.add(output._node or output._make_leaf(), output._index, seed, False)

    def await_hooked(self, output: Variable) -> None:
        """Run the hooks of leaves below this value as soon as their gradients are complete."""
        if HOOKED and isinstance(output._node, Function):
            self.awaited = awaited(output._node)

    def run(self) -> None:  # noqa: C901, PLR0912, PLR0915  # the hot path: a call per step would cost as much
        """Work until no gradient is under way; what is left in ``leaves`` is the result."""
        heap, waiting, table, useful = self.heap, self.waiting, self.table, self.useful
        raw = not self.create_graph
        retain_grad, stops = self.retain_grad, {node for node, _ in self.watched}
        special = retain_grad or bool(stops)
        leaves, masked, retain_graph = self.leaves, self.masked, self.retain_graph
        hooked = self.awaited
        real = None  # the dtype that was last seen not to be complex
        while heap:
            # all of a generation, since gradients come from higher ones alone
            for node in waiting.pop(heappop(heap)):
                gys = table.pop(node)
                if node.cut is not None or (special and (retain_grad or node in stops)):
                    gys = self._stop_over(node, gys)
                    if gys is None:
                        continue
                if node.saved is None:
                    raise RuntimeError(
                        f"backward through {node!r} for the second time: what it had saved was freed by the "
                        "first. Pass retain_graph=True to the first backward, or compute the output again."
                    )
                dtype = node.specs[0][1]
                if dtype is not real:
                    real = None if node.backend.is_complex(dtype) else dtype
                if real is None and node.on_arrays:
                    gxs = self._conjugated(node, gys)
                elif not (raw and node.on_arrays):
                    gxs = self._backward_on_variables(node, gys if node.several else (gys,))
                else:
                    gxs = node.backward(*gys) if node.several else node.backward(gys)
                if gxs.__class__ is not tuple:
                    gxs = (gxs,)
                edges = node.edges
                if len(gxs) != len(edges):
                    raise ValueError(
                        f"{type(node).__name__}.backward: expected {len(edges)} gradients, one for each "
                        f"input; got {len(gxs)}"
                    )
                if node.discards or (masked and node in masked):
                    gxs = self._zeros_stay(node, gys, gxs)
                if not retain_graph:
                    node.release()
                for edge, gx in zip(edges, gxs):  # noqa: B905  # the lengths are equal: checked above
                    if edge is None or gx is None:
                        continue
                    target, index = edge
                    if useful is not None and target not in useful:
                        continue
                    shape, dtype = target.specs[index]
                    owned = node.fresh
                    if gx.shape != shape or (gx.dtype is not dtype and gx.dtype != dtype):
                        fitted = self._fit(node, gx, shape, dtype)
                        owned = owned or fitted is not gx
                        gx = fitted  # noqa: PLW2901
                    if isinstance(target, Leaf):
                        if target in leaves:
                            self.add(target, index, gx, owned)
                        else:
                            leaves[target] = (gx, owned)
                        continue
                    turn = -target.generation
                    if turn in waiting or target.several:
                        self.add(target, index, gx, owned)
                    else:  # the first of its generation
                        table[target] = gx
                        waiting[turn] = [target]
                        heappush(heap, turn)
                gys = gx = fitted = None  # gradients do not outlive their node
                del gxs
                if hooked:
                    self._arrived(edges)

    def _arrived(self, edges: tuple[Edge | None, ...]) -> None:
        """Nothing more comes through these edges: deliver to the leaves that are complete now."""
        for edge in edges:
            leaf = None if edge is None else edge[0]
            left = self.awaited.get(leaf)  # type: ignore[arg-type]  # no Function is a key
            if not isinstance(leaf, Leaf) or left is None:
                continue
            if left > 1:
                self.awaited[leaf] = left - 1
                continue
            del self.awaited[leaf]
            if leaf in self.leaves:
                self._give(leaf, *self.leaves.pop(leaf))

    def _zeros_stay(self, node: Function, gy: Any, gxs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Where a value was thrown away (by a mask, by an index), what it came from has gradient 0 too.

        Its slope may be infinite or nan there, as that of ``log`` at 0, and 0 times that is nan: such a nan
        becomes 0. Only what lies above such a choice, through ops that go element by element, pays for it.
        """
        if node.discards or node.elementwise or isinstance(node, ViewOp):
            self.masked.update(edge[0] for edge in node.edges if edge is not None)
        if not node.elementwise or node.several or node not in self.masked:
            return gxs
        variables = isinstance(gy, Variable)
        owner = backend_of(gy.data if variables else gy) or node.backend
        xp = namespace_of(owner) if variables else owner.xp
        return tuple(
            g
            if g is None or g is gy or g.shape != gy.shape
            else xp.where(xp.logical_or(gy != 0, xp.isfinite(g)), g, 0.0)  # what is finite keeps its graph
            for g in gxs
        )

    def _conjugated(self, node: Function, gys: Any) -> tuple[Any, ...]:
        """The backward of an op with complex results.

        The gradient of a real loss is ``dL/dRe x + i dL/dIm x``, so for a holomorphic op with slope f' it
        is ``gy * conj(f')``, which is ``conj(conj(gy) * f')``: the ops' formulas stay those of real numbers.
        """
        gys = [self._conj(node, g) for g in (gys if node.several else [gys])]
        gxs: Any
        if self.create_graph:
            gxs = self._backward_on_variables(node, gys)
        else:
            gxs = node.backward(*gys)
            gxs = gxs if isinstance(gxs, tuple) else (gxs,)
        return tuple(self._conj(node, g) for g in gxs)

    @staticmethod
    def _conj(node: Function, g: Any) -> Any:
        if g is None:
            return None
        owner = backend_of(g.data if isinstance(g, Variable) else g) or node.backend  # To changes it
        if not owner.is_complex(g.dtype):
            return g
        return (namespace_of(owner) if isinstance(g, Variable) else owner.xp).conj(g)

    def _backward_on_variables(self, node: Function, gys: Any) -> tuple[Any, ...]:
        """Run a backward with Variables: because it is recorded, or because a user wrote it so."""
        alive: list[Variable] = []
        if node.backend is not self.owner:
            self.owner, self.namespace = node.backend, namespace_of(node.backend)
        view = node.view(self.namespace, alive)
        if not isinstance(node, Op):
            given = next(g for g in gys if g is not None)
            gys = [_zeros(spec, given) if g is None else g for g, spec in zip(gys, node.specs, strict=True)]
        if not self.create_graph:
            gys = [make_variable(as_array(g), None, 0) for g in gys]
        gxs = view.backward(*gys)
        gxs = gxs if isinstance(gxs, tuple) else (gxs,)
        if self.create_graph:
            for g in gxs:
                if g is not None and g.__class__ is not Variable:
                    break
            else:
                return gxs  # the usual case, in half the time
        return tuple(None if g is None else self._at_level(node, g) for g in gxs)

    def _at_level(self, node: Function, g: Any) -> Any:
        """What a backward returned, as this pass carries gradients."""
        if isinstance(g, Variable):
            return g if self.create_graph else g.data
        try:
            owner = backend_of(g)
        except TypeError as error:
            raise TypeError(f"{type(node).__name__}.backward: {error}") from None
        array = node.backend.as_array(g) if owner is None else g
        return make_variable(array, None, 0) if self.create_graph else array

    def _fit(self, node: Function, g: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        """Undo broadcasting and promotion: the gradient of an input has its shape and its dtype."""
        owner = backend_of(g.data if isinstance(g, Variable) else g) or node.backend
        xp = namespace_of(owner) if isinstance(g, Variable) else owner.xp
        if g.shape != shape:
            try:
                g = sum_to(xp, g, shape)
            except ValueError as error:
                raise ValueError(
                    f"{type(node).__name__}.backward: the gradient of an input of shape {tuple(shape)} "
                    f"has shape {tuple(g.shape)}: {error}"
                ) from None
        if g.dtype != dtype and owner.is_floating(dtype):
            if owner.is_complex(g.dtype) and not owner.is_complex(dtype):
                g = xp.real(g)
            g = xp.astype(g, dtype)
        return g

    def _stop_over(self, node: Function, gys: Any) -> Any:
        """Leave gradients where they are asked for; turn aside those of outputs that were unchained.

        Returns those that go on, None if none do.
        """
        gys = list(gys) if node.several else [gys]
        for i, g in enumerate(gys):
            if (node, i) in self.watched and g is not None:
                self.watched[node, i] = g if self.create_graph else self.own(g)
        if self.retain_grad:
            for i, reference in enumerate(node.outputs):
                v = reference()
                if v is not None and v._node is node and gys[i] is not None:
                    g = gys[i]
                    v.grad = g if self.create_graph else make_variable(self.own(g), None, 0)
                    living = (r for r in node.retained if r() is not None)
                    node.retained = (*living, ref(v.grad))  # weak: the gradient may refer to the node
        for i, leaf in (node.cut or {}).items():
            if gys[i] is not None:
                self.add(leaf, 0, gys[i], False)
                gys[i] = None
        useful = self.useful
        if all(g is None for g in gys):
            return None
        if useful is not None and not any(e is not None and e[0] in useful for e in node.edges):
            return None  # no watched value lies above this node
        return gys if node.several else gys[0]

    def watch(self, values: list[Edge], start: list[Edge]) -> None:
        """Ask for the gradients of these values, and go nowhere but towards them from `start`."""
        self.watched = dict.fromkeys(values)
        targets = {node for node, _ in values}
        oldest = min([node.generation for node in targets])
        found = {node for node, _ in start if node.generation >= oldest}
        stack = list(found)
        while stack:
            node = stack.pop()
            if isinstance(node, Leaf):
                continue
            for edge in node.edges:
                if edge is not None and edge[0] not in found and edge[0].generation >= oldest:
                    found.add(edge[0])
                    stack.append(edge[0])
        self.useful = useful = targets & found
        for node in sorted(found, key=_generation):
            if not isinstance(node, Leaf) and node not in useful:
                for edge in node.edges:
                    if edge is not None and edge[0] in useful:
                        useful.add(node)
                        break

    def own(self, g: Any) -> Any:
        """The gradient in memory that nothing else refers to."""
        if self.create_graph:
            return Copy()(g)
        owner: Any = backend_of(g)
        return g.copy() if owner is None else owner.copy(g)

    def deliver(self) -> None:
        """Add what has arrived at the leaves to the ``grad`` of those that still live."""
        for leaf, (g, owned) in self.leaves.items():
            self._give(leaf, g, owned)

    def _give(self, leaf: Leaf, g: Any, owned: bool) -> None:
        v = leaf.variable()
        if v is None or v._node is not leaf or not v.requires_grad:  # gone, moved or frozen
            return
        if v.grad is not None:
            total = v.grad + g
        else:
            total = g if owned else self.own(g)
        if isinstance(total, Variable):
            v.grad = total
        else:
            v.grad = make_variable(total if type(total) in BY_TYPE else as_array(total), None, 0)
        if HOOKED:
            run_hooks(v)


_generation = attrgetter("generation")


def _zeros(spec: Spec, like: Any) -> Any:
    """The gradient of an output that nobody used, beside a gradient of another one."""
    array = as_array(like)
    owner: Any = backend_of(array)
    zeros = owner.xp.zeros(spec[0], dtype=spec[1], device=owner.device(array))
    return make_variable(zeros, None, 0) if isinstance(like, Variable) else zeros


def gradients(
    outputs: list[Variable],
    inputs: list[Variable],
    seeds: list[Any],
    *,
    create_graph: bool,
    retain_graph: bool | None = None,
) -> list[Any]:
    """The gradients of `inputs`, and nothing else: no ``grad`` is read or written.

    Raw arrays, or Variables with `create_graph`; None for an input that no output depends on. `outputs`
    that require no gradient are left out.
    """
    starts = [(o, s) for o, s in zip(outputs, seeds, strict=True) if o.requires_grad]
    edges: list[Edge] = [(x._node or x._make_leaf(), x._index) for x in inputs]
    if not starts or not edges:
        return [None] * len(inputs)
    before = set_recording(create_graph)
    try:
        one = Pass(create_graph=create_graph, retain_graph=retain_graph)
        one.watch(edges, [(o._node or o._make_leaf(), o._index) for o, _ in starts])
        for output, seed in starts:
            if output._node in (one.useful or ()):
                one.start(output, seed)
        one.run()
        for leaf, (g, owned) in one.leaves.items():
            one.watched[leaf, 0] = g if owned or create_graph else one.own(g)
    finally:
        STATE.set(before)
    return [one.watched.get(edge) for edge in edges]
