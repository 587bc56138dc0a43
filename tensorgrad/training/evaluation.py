"""Metrics of a whole data set from its batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tensorgrad.backend import backend_of
from tensorgrad.core import as_array

Metric = Callable[[Any, Any], Any]


class Whole:
    """A metric that gets all examples at once: one that is no mean over examples, as an F1 score.

    Parameters
    ----------
    metric : callable
        From what a model gives and the targets, both joined along the first axis.

    Examples
    --------
    >>> metrics = {"accuracy": F.accuracy, "f1": tg.training.Whole(F.f1_score)}
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def __call__(self, y: Any, t: Any) -> Any:
        return self.metric(y, t)


def evaluate(pairs: Iterable[tuple[Any, Any]], metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Every metric over all pairs of outputs and targets; the device is waited for at the end alone.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    whole = {name: metric for name, metric in metrics.items() if isinstance(metric, Whole)}
    means: dict[str, list[Any]] = {name: [] for name in metrics if name not in whole}
    sizes, kept = [], []
    for y, t in pairs:
        sizes.append(y.shape[0] if y.shape else 1)
        for name, values in means.items():
            values.append(as_array(metrics[name](y, t)))
        if whole:
            kept.append((as_array(y), as_array(t)))
    if not sizes:
        raise ValueError("Trainer.evaluate: expected batches; got none")
    found = {name: np.average(list(map(float, values)), weights=sizes) for name, values in means.items()}
    if whole:
        y, t = (_joined(arrays) for arrays in zip(*kept, strict=True))
        found |= {name: float(metric(y, t)) for name, metric in whole.items()}
    return {name: float(found[name]) for name in metrics}


def _joined(arrays: tuple[Any, ...]) -> Any:
    owner: Any = backend_of(arrays[0])
    return owner.xp.concat(arrays)
