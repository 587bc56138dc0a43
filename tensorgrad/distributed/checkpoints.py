"""Checkpoints of a run of several ranks, from which any number of ranks goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tensorgrad.communicator import Communicator
from tensorgrad.distributed.sharded import ShardedOptimizer, joined
from tensorgrad.training import checkpoints
from tensorgrad.training.ranks import on_every_rank

PARTS = "parts"  # of the optimizers: the files beside the checkpoint


def save_checkpoint(
    path: str | PathLike[str], comm: Communicator, state: Mapping[str, Any], *, sharded: bool = False
) -> None:
    """Write a checkpoint, whole or not at all; a collective.

    Parameters
    ----------
    path : str or path
        Used as it is; no ending is added.
    comm : Communicator
    state : mapping of str to object
        What has a ``state_dict`` (a model, an optimizer, a loader, a schedule), numbers, texts and arrays.
        Of what is not the same on all ranks, that of rank 0 is written.
    sharded : bool, default False
        Let each rank write its part of a `ShardedOptimizer` to a file of its own beside `path`: then no rank
        holds the whole. By default rank 0 writes everything.

    Raises
    ------
    OSError
        On all ranks, if the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> comm = tg.distributed.create_communicator()
    >>> model = tg.layers.Linear(2, in_size=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "run.npz")
    ...     tg.distributed.save_checkpoint(path, comm, {"model": model, "step": 7})
    ...     tg.distributed.load_checkpoint(path, comm, {"model": model})
    {'step': 7}
    """
    path = Path(path)
    cut = {name: x for name, x in state.items() if sharded and isinstance(x, ShardedOptimizer)}
    content = {name: x for name, x in state.items() if name not in cut}
    written = {name: x.state_dict() if hasattr(x, "state_dict") else x for name, x in content.items()}
    files: list[str] = []
    if cut:
        token = comm.bcast_object(os.urandom(6).hex())
        files = [f"{path.name}.{token}.{r}-of-{comm.size}" for r in range(comm.size)]
        parts = {name: x.local_state() for name, x in cut.items()}
        on_every_rank(comm, lambda: checkpoints.write(path.with_name(files[comm.rank]), parts))
    if comm.is_main:
        written[PARTS] = files
    on_every_rank(comm, lambda: _replace(path, written) if comm.is_main else None)


def _replace(path: Path, written: Mapping[str, Any]) -> None:
    """Write the file that makes the checkpoint valid; then the parts of the one before it can go."""
    before = []
    if path.exists():
        try:
            before = list(checkpoints.read(path).get(PARTS, []))
        except ValueError:
            before = []  # it is no checkpoint; it is replaced
    checkpoints.write(path, written)
    for name in before:
        path.with_name(name).unlink(missing_ok=True)


def load_checkpoint(
    path: str | PathLike[str], comm: Communicator, state: Mapping[str, Any]
) -> dict[str, Any]:
    """Take over what `save_checkpoint` wrote, on as many ranks as there are now; a collective.

    Rank 0 reads the file and gives it to the others; the parts of a sharded one are read by every rank.

    Parameters
    ----------
    path : str or path
    comm : Communicator
    state : mapping of str to object with ``load_state_dict``
        By the names under which they were saved.

    Returns
    -------
    dict
        What else was saved.

    Raises
    ------
    OSError
        On all ranks, if there is no such file.
    ValueError
        On all ranks, if it is damaged or does not fit; if it lacks one of the names.
    """
    path = Path(path)
    box: list[Any] = [None]

    def read() -> None:
        if comm.is_main:
            box[0] = checkpoints.read(path)

    on_every_rank(comm, read)
    content: dict[str, Any] = comm.bcast_object(box[0])
    files = content.pop(PARTS, [])
    parts = [checkpoints.read(path.with_name(name)) for name in files]
    missing = [name for name in state if name not in content and not any(name in part for part in parts)]
    if missing:
        raise ValueError(
            f"{path}: it has nothing under the name {', '.join(missing)}; it has {', '.join(content)}"
        )
    for name, x in state.items():
        if name in content:
            x.load_state_dict(content.pop(name))
        else:
            x.load_state_dict(joined([part[name] for part in parts], x.shapes()))
    return content
