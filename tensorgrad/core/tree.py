"""Containers of arrays: nested tuples, named tuples, lists and dicts, flattened and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `function` to every leaf; `others` are containers of the same structure.

    Everything that is no tuple, list or dict is a leaf, except None, which stays None.

    Raises
    ------
    ValueError
        If the structures differ.
    """
    if tree is None:
        return None
    if isinstance(tree, dict):
        _same([tree, *others], lambda t: isinstance(t, dict) and t.keys() == tree.keys())
        return type(tree)(
            (key, tree_map(function, value, *(o[key] for o in others))) for key, value in tree.items()
        )
    if isinstance(tree, tuple | list):
        _same([tree, *others], lambda t: isinstance(t, tuple | list) and len(t) == len(tree))
        mapped = [tree_map(function, *items) for items in zip(tree, *others, strict=True)]
        return type(tree)(*mapped) if hasattr(tree, "_fields") else type(tree)(mapped)
    return function(tree, *others)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of a container, depth first."""
    return list(_leaves(tree))


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for item in tree:
            yield from _leaves(item)
    elif tree is not None:
        yield tree


def _same(trees: list[Any], fits: Callable[[Any], bool]) -> None:
    for other in trees[1:]:
        if not fits(other):
            raise ValueError(
                f"expected containers of one structure; got {_sketch(trees[0])} and {_sketch(other)}"
            )


def _sketch(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"dict with keys {list(tree)}"
    if isinstance(tree, tuple | list):
        return f"{type(tree).__name__} of {len(tree)}"
    return type(tree).__name__
