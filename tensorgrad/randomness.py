"""Where random numbers on the host come from: NumPy's global state, or a generator of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

_own: list[tuple[int, np.random.RandomState]] = []  # the seed and its generator, once there is one
_of_context: ContextVar[Any] = ContextVar("tensorgrad.generator", default=None)


def host() -> Any:
    """What draws on the host: it has ``random_sample``, ``randn``, ``permutation`` and the like.

    ``np.random`` itself, whose state users of the book seed, until `use` was given a seed.
    """
    of_context = _of_context.get()
    if of_context is not None:
        return of_context
    return _own[0][1] if _own else np.random


@contextmanager
def using(seed: int) -> Iterator[None]:
    """Draw from a generator of this context's own: threads that do so repeat their numbers."""
    token = _of_context.set(np.random.RandomState(seed))
    try:
        yield
    finally:
        _of_context.reset(token)


def use(seed: int | None) -> None:
    """Draw from a generator of our own with this seed; from NumPy's global state again for None."""
    # RandomState, since NumPy promises that its numbers stay the same in every version.
    _own[:] = [] if seed is None else [(seed, np.random.RandomState(seed))]


def seed_late(backend: Any) -> None:
    """Seed the generators of a backend that is loaded after `use`; the host's go on where they are."""
    if _own:
        seed, generator = _own[0]
        state = generator.get_state()
        backend.seed(seed)
        generator.set_state(state)


def state() -> dict[str, Any]:
    """All that random numbers on the host come from: NumPy's state, our own generator, Python's module."""
    import random  # noqa: PLC0415  # 1.5 ms, for checkpoints alone

    version, internal, gauss = random.getstate()
    return {
        "numpy": list(np.random.get_state()),  # noqa: NPY002  # the state that users of the book seed
        "own": [_own[0][0], list(_own[0][1].get_state())] if _own else None,
        "python": [version, np.array(internal, np.uint32), gauss],
    }


def set_state(state: Mapping[str, Any]) -> None:
    """Draw from here on what was drawn after `state` gave this."""
    np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002  # as above
    own = state["own"]
    use(None if own is None else own[0])
    if own is not None:
        _own[0][1].set_state(tuple(own[1]))
    import random  # noqa: PLC0415  # as above

    version, internal, gauss = state["python"]
    random.setstate((version, tuple(map(int, internal)), gauss))
