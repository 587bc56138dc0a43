"""Sample inputs of ops: each public op says beside its definition what it can be tested with.

They are descriptions, not arrays: `tensorgrad.testing` makes arrays of them, on every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


class Real(NamedTuple):
    """An input with a gradient: an array of this shape, uniform in [low, high)."""

    shape: tuple[int, ...] = ()
    low: float = -2.0
    high: float = 2.0


class Regular(NamedTuple):
    """An input with a gradient: square matrices, far from singular, the symmetric part positive definite."""

    shape: tuple[int, ...]


class Ints(NamedTuple):
    """A constant array of integers in [0, high): labels, indices."""

    shape: tuple[int, ...]
    high: int


class Bools(NamedTuple):
    """A constant array of truth values."""

    shape: tuple[int, ...]


class Listed(NamedTuple):
    """A list of inputs, as `concat` takes."""

    items: tuple[Any, ...]


class Sample:
    """One call: positional arguments (descriptions, or values as they are) and keyword arguments.

    Parameters
    ----------
    *args : Real, Regular, Ints, Bools, Listed or any value
    differentiable : bool
        False for a function without a gradient (`accuracy`): only its values are checked.
    random : bool
        True for a function that draws random numbers: it is checked with a fixed seed.
    through : callable, optional
        Takes the outputs, as Variables or NumPy arrays, and gives a tuple of what is compared. For results
        that are free in a sign, as eigenvectors are.
    **kwargs
        Given to the function as they are.
    """

    def __init__(
        self,
        *args: Any,
        differentiable: bool = True,
        random: bool = False,
        through: Callable[..., tuple[Any, ...]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.args = args
        self.kwargs = kwargs
        self.differentiable = differentiable
        self.random = random
        self.through = through

    def __repr__(self) -> str:
        shown = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"Sample({', '.join(shown)})"


def samples(*calls: Sample) -> Callable[[_F], _F]:
    """Declare sample calls of a public op; the test suite runs every one on every backend."""

    def declare(function: _F) -> _F:
        function.__samples__ = calls  # type: ignore[attr-defined]
        return function

    return declare
