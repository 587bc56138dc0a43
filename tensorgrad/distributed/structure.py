"""Ranks begin alike: the same structure, the same values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensorgrad.communicator import Communicator
from tensorgrad.core import Variable

Described = tuple[str, tuple[int, ...] | None, str, bool]


def named_parameters(model: Any) -> dict[str, Variable]:
    """The parameters of a layer by path; of a list by place; a mapping as it is."""
    if isinstance(model, Mapping):
        return dict(model)
    if hasattr(model, "namedparams"):
        return dict(model.namedparams())
    single = isinstance(model, Variable)
    return {str(i): p for i, p in enumerate([model] if single else model)}


def check_structure(model: Any, comm: Communicator) -> None:
    """Compare the parameters of all ranks: names, shapes, dtypes and whether they are trained.

    Parameters
    ----------
    model : Layer, iterable of Variable, or mapping of str to Variable
    comm : Communicator

    Raises
    ------
    ValueError
        On all ranks, if two differ, with the first difference; and if a parameter has no data yet.

    Examples
    --------
    >>> layer = tg.layers.Linear(2, in_size=3)
    >>> tg.distributed.check_structure(layer, tg.distributed.LocalCommunicator())
    """
    mine = [_described(path, p) for path, p in named_parameters(model).items()]
    every = comm.allgather_object(mine)
    for rank, others in enumerate(every):
        if others != every[0]:
            number, here, there = _first_difference(every[0], others)
            raise ValueError(
                f"the ranks differ, first in parameter {number}: rank 0 has {here}; rank {rank} has {there}. "
                "Build the same model on every rank: does its size, or an option, depend on the rank or on "
                "what it read?"
            )
    empty = [path for path, shape, _, _ in mine if shape is None]
    if empty:
        raise ValueError(
            f"{', '.join(empty)} without data yet: the ranks cannot begin with the same values. Call the "
            "model on an input first, or give one to setup(model, x): it fixes the sizes that were left open."
        )


def _described(path: str, p: Variable) -> Described:
    if p.data is None:
        return path, None, "no data yet", p.requires_grad
    return path, p.shape, str(p.dtype).rpartition(".")[2], p.requires_grad


def _first_difference(first: list[Described], second: list[Described]) -> tuple[int, str, str]:
    for i in range(max(len(first), len(second))):
        here = first[i] if i < len(first) else None
        there = second[i] if i < len(second) else None
        if here != there:
            return i, _text(here), _text(there)
    raise AssertionError("the lists are equal")


def _text(described: Described | None) -> str:
    if described is None:
        return "none"
    path, shape, dtype, trained = described
    return f"{path} {'' if shape is None else shape} {dtype}{'' if trained else ', not trained'}"


def broadcast_parameters(model: Any, comm: Communicator, root: int = 0) -> None:
    """Give all ranks the values that one has, of every parameter and running statistic.

    Parameters
    ----------
    model : Layer, iterable of Variable, or mapping of str to Variable
        Of the same structure on all ranks; see `check_structure`.
    comm : Communicator
    root : int, default 0

    Examples
    --------
    >>> layer = tg.layers.Linear(2, in_size=3)
    >>> tg.distributed.broadcast_parameters(layer, tg.distributed.LocalCommunicator())
    """
    for p in named_parameters(model).values():
        p.data = comm.broadcast(p.data, root)


def trained(params: Iterable[Variable]) -> list[Variable]:
    """Those that backwards bring gradients to."""
    return [p for p in params if p.requires_grad]
