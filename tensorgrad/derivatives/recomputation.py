"""Checkpoints: what a function computed on the way is thrown away, and computed again in backward."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Any

from tensorgrad.core import Config, Function, Variable, using_config
from tensorgrad.core.engine import Pass
from tensorgrad.core.function import Input, Output
from tensorgrad.core.node import Edge, Leaf
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import make_variable
from tensorgrad.derivatives.repetition import Replay


def checkpoint(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function and keep only its inputs: its backward computes the rest again.

    Memory for time: of a network of n blocks, each under a checkpoint, a backward holds the inputs of the
    blocks and the activations of one block, and computes every block twice.

    Parameters
    ----------
    function : callable
        Takes and returns Variables, arrays, or nested containers of them. Parameters that it refers to,
        such as those of a layer, get their gradients too. It must compute the same when it is called
        again: what it draws from `tensorgrad`'s random numbers and NumPy's global state is drawn again,
        and neither state is advanced twice.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    What `function` returns. Without arguments, `checkpoint` is a decorator.

    Raises
    ------
    RuntimeError
        In backward, if the function computes something of another form the second time.

    Notes
    -----
    Arrays that objects among `function`, what it refers to, and its arguments hold as attributes, such as
    running statistics, are as they were in the first call while it is repeated, and then put back.

    A value in a graph that `function` refers to without taking it as an argument gets its gradient, and
    what that value was computed from stays in memory as it would without a checkpoint. Random generators
    of your own (``np.random.default_rng()``) are not known here: make them in the function.

    References
    ----------
    Griewank, Walther, "Algorithm 799: revolve", ACM TOMS 26 (2000); Chen, Xu, Zhang, Guestrin, "Training
    deep nets with sublinear memory cost", arXiv:1604.06174 (2016).

    Examples
    --------
    >>> x = Variable(np.array(2.0))
    >>> y = tg.checkpoint(lambda x: F.exp(x) * x, x)
    >>> (gx,) = tg.gradients(y, [x])
    >>> gx
    variable(22.16716829679195)
    >>> block = tg.checkpoint(lambda x: F.exp(x) * x)
    >>> block(x)
    variable(14.7781121978613)
    """
    if not args and not kwargs:

        @wraps(function, updated=())
        def called(*args: Any, **kwargs: Any) -> Any:
            return _call(function, *args, **kwargs)

        return called
    return _call(function, *args, **kwargs)


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not Config.enable_backprop:
        return function(*args, **kwargs)
    return Checkpoint(function).run(args, kwargs)


class Checkpoint(Function):
    """The call of a function as one node, which saves the inputs alone.

    The function is recorded when it is called, to find what it depends on: the arguments, and the leaves
    that it refers to. That graph is then dropped. Backward records it again and runs a pass of its own
    from the outputs to these edges. It works at the level of the outer one, so that gradients with a graph
    are graphs over the same edges.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function: Callable[..., Any] | None = function

    # -- the call --------------------------------------------------------------------------------

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function; its outputs are those of this node."""
        arrays: dict[Edge, Any] = {}
        for x in tree_leaves((args, kwargs)):
            if isinstance(x, Variable) and x.requires_grad:
                arrays[x._node or x._make_leaf(), x._index] = x.data
        given = list(arrays)
        self._template = tree_map(partial(_placeholder, given), (args, kwargs))
        self._train = Config.train
        self._replay: Replay | None = Replay((self._function, args, kwargs))
        result = self._function(*args, **kwargs)  # type: ignore[misc]
        self._replay.note_changes()
        leaves = tree_leaves(result)
        self._positions = [i for i, y in enumerate(leaves) if _is_computed(y, arrays)]
        outputs = [leaves[i] for i in self._positions]
        del leaves
        for leaf in _leaves_below([y._node for y in outputs], given):
            v = leaf.variable()
            if v is not None and (leaf, 0) not in arrays:
                arrays[leaf, 0] = v.data
        if not outputs or not arrays:
            return result
        self.backend = outputs[0].backend
        self.xp = self.backend.xp
        self.edges = tuple(arrays)
        generation = max(y._node.generation for y in outputs)
        values = tuple(y.data for y in outputs)
        made = iter(self._finish_many(list(arrays.values()), values, generation - 1))
        return tree_map(lambda y: next(made) if _is_computed(y, arrays) else y, result)

    def _saved_of(self, kind: type[Input | Output], index: int) -> Any:
        return self.saved[index] if kind is Input and self.saved else None

    # -- the backward ----------------------------------------------------------------------------

    def backward(self, *gys: Variable) -> Any:
        starts = self._starts()
        outputs = self._again()
        one = _Inner(create_graph=Config.enable_backprop)
        one.watched = {edge: None for edge in starts if not isinstance(edge[0], Leaf)}
        one.retain_graph = True  # a value that the function refers to may be of a graph still in use
        for output, gy in zip(outputs, gys, strict=True):
            one.start(output, gy)
        one.run()
        leaves = {leaf: g for leaf, (g, _) in one.leaves.items()}
        return tuple(leaves.get(e[0]) if isinstance(e[0], Leaf) else one.watched[e] for e in starts)

    def _starts(self) -> tuple[Edge, ...]:
        """The edges: none is without a gradient."""
        return tuple(edge for edge in self.edges if edge is not None)

    def _again(self) -> list[Variable]:
        """The outputs, computed once more from the inputs, and recorded."""
        starts, replay = self._starts(), self._replay
        assert replay is not None  # released with what is saved, without which no backward comes here
        handles = [make_variable(x, *edge) for edge, x in zip(starts, self.saved, strict=True)]
        args, kwargs = tree_map(lambda x: handles[x.i] if isinstance(x, _Place) else x, self._template)
        replaced = [(v, "data", x) for v, x in map(_living, starts, self.saved) if v is not None]
        with (
            using_config("enable_backprop", True),
            using_config("train", self._train),
            replay.again((self._function, args, kwargs), replaced),
        ):
            result = self._function(*args, **kwargs)  # type: ignore[misc]
        leaves = tree_leaves(result)
        outputs = [leaves[i] for i in self._positions if i < len(leaves)]
        got = [(y.shape, y.dtype) if _is_computed(y, starts) else type(y).__name__ for y in outputs]
        expected = [(tuple(shape), dtype) for shape, dtype in self.specs]
        if got != expected:
            raise RuntimeError(
                f"checkpoint: {getattr(self._function, '__name__', self._function)} computed something else "
                f"when it was called again: expected {expected}; got {got}. It must depend on its arguments, "
                "and on what stays as it is, alone."
            )
        return outputs

    def release(self) -> None:
        super().release()
        self._function = None
        self._template = ()
        self._replay = None


Checkpoint._select = staticmethod(lambda _edges, xs, _ys: tuple(xs))


class _Place:
    """Where an argument in the graph goes."""

    def __init__(self, i: int) -> None:
        self.i = i


def _placeholder(given: list[Edge], x: Any) -> Any:
    if isinstance(x, Variable) and x.requires_grad:
        return _Place(given.index((x._node, x._index)))  # type: ignore[arg-type]
    return x


def _is_computed(y: Any, given: Collection[Edge]) -> bool:
    """Whether a result is one that the function computed in the graph."""
    return isinstance(y, Variable) and y.creator is not None and (y._node, y._index) not in given


def _living(edge: Edge, array: Any) -> tuple[Variable | None, Any]:
    """The leaf at an edge, where it lives and holds another array by now."""
    v = edge[0].variable() if isinstance(edge[0], Leaf) else None
    return (None if v is None or v.data is array else v), array


def _leaves_below(nodes: list[Any], ends: list[Edge]) -> list[Leaf]:
    """The leaves that nodes depend on, other than by way of `ends`."""
    found: dict[Leaf, None] = {}
    stack = list(dict.fromkeys(nodes))
    seen, stops = set(stack), set(ends)
    while stack:
        for edge in stack.pop().edges:
            if edge is None or edge in stops:
                continue
            node, index = edge
            if isinstance(node, Function) and index in (node.cut or ()):
                node = node.cut[index]  # type: ignore[index]
            if isinstance(node, Leaf):
                found[node] = None
            elif node not in seen:
                seen.add(node)
                stack.append(node)
    return list(found)


class _Inner(Pass):
    """A pass that ends at the watched values."""

    def _stop_over(self, node: Function, gys: Any) -> Any:
        gys = list(gys) if node.several else [gys]
        for i, g in enumerate(gys):
            if g is not None and (node, i) in self.watched:
                self.watched[node, i] = g
                gys[i] = None
        if all(g is None for g in gys):
            return None
        return super()._stop_over(node, gys if node.several else gys[0])
