"""What a run depends on, as a dict of numbers, texts and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.training import checkpoints
from tensorgrad.training.ranks import Ranks

if TYPE_CHECKING:
    from tensorgrad.training.trainer import Trainer

COUNTS = ("epoch", "step", "batch", "stopped", "history")


def collect(trainer: Trainer, ranks: Ranks) -> dict[str, Any]:
    """See `Trainer.save`. The losses have been fetched."""
    own, *others = ranks.gathered(_of_rank(trainer))
    return {
        "format": 1,
        **{name: getattr(trainer, name) for name in COUNTS},
        "losses": np.array(trainer.losses, np.float64),
        "sizes": np.array(trainer.sizes, np.int64),
        "model": trainer.model.state_dict(),
        **{name: part.state_dict() for name, part in _parts(trainer).items()},
        **own,
        **({"ranks": others} if others else {}),
    }


def _of_rank(trainer: Trainer) -> dict[str, Any]:
    """What each rank has of its own."""
    sources = trainer.sources.items()
    return {
        "carried": trainer.model.carried_state(),
        "loaders": {name: source.state_dict() for name, source in sources if hasattr(source, "state_dict")},
        "random": checkpoints.random_state(),
        "random_of_epoch": trainer.random_of_epoch,
    }


def restore(trainer: Trainer, state: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """See `Trainer.load`; gives the state, with what is this rank's own in the place of rank 0's."""
    if state.get("format") != 1:
        raise ValueError(f"checkpoint: expected format 1; got {state.get('format')}")
    state = _seen_by(ranks, state)
    parts = _parts(trainer)
    missing = [name for name in parts if name not in state and not name.startswith("callback")]
    if missing:
        raise ValueError(f"checkpoint: it has no state for the {' and the '.join(missing)} of this Trainer")
    weights = [(p, p.data) for p in trainer.model.params()]
    done: list[tuple[Any, Any]] = []
    try:
        trainer.model.load_state_dict(state["model"])
        for name, part in parts.items():
            if name in state:
                done.append((part, part.state_dict()))
                part.load_state_dict(state[name])
    except ValueError:
        for p, data in weights:
            p.data = data
        for part, before in done:
            part.load_state_dict(before)
        raise
    trainer.model.set_carried_state(state["carried"])
    vars(trainer).update({name: state[name] for name in COUNTS})
    trainer.losses = state["losses"].tolist()
    trainer.sizes = state["sizes"].tolist()
    trainer.random_of_epoch = state["random_of_epoch"]
    return state


def _seen_by(ranks: Ranks, state: dict[str, Any]) -> dict[str, Any]:
    """A state with what this rank has of its own; ranks of another number draw from where they are."""
    every: list[dict[str, Any]] = [state, *state.get("ranks", [])]
    if len(every) == ranks.comm.size:
        return state | every[ranks.comm.rank]
    if state["batch"] and any(array is not None for array in state["carried"].values()):
        raise ValueError(
            f"checkpoint: expected {len(every)} ranks, which wrote it in the middle of a sequence and have a "
            f"part of it each; got {ranks.comm.size}"
        )
    return state | {"random": None}


def take_up(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Set loaders and random numbers as a state says: when all that draws at its making is made."""
    for name, of_loader in state["loaders"].items():
        source: Any = trainer.sources.get(name)
        if hasattr(source, "load_state_dict"):
            source.load_state_dict(of_loader)
    if state["random"] is not None:
        checkpoints.set_random_state(state["random"])


def _parts(trainer: Trainer) -> dict[str, Any]:
    """What has a state of its own, but the model, by name."""
    parts: dict[str, Any] = {
        "optimizer": trainer.optimizer,
        "schedule": trainer.schedule,
        "average": trainer.average,
        "scaler": trainer.scaler,
    }
    met: dict[str, int] = {}
    for callback in trainer.callbacks:
        name = type(callback).__name__
        met[name] = met.get(name, 0) + 1
        parts[f"callback/{name}/{met[name]}"] = callback
    return {name: part for name, part in parts.items() if part is not None}
