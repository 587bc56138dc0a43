"""Metrics of a whole data set from its batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tensorgrad.backend import backend_of
from tensorgrad.core import as_array
from tensorgrad.training.ranks import Ranks

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


def evaluate(
    pairs: Iterable[tuple[Any, Any]], metrics: Mapping[str, Metric], ranks: Ranks
) -> dict[str, float]:
    """Every metric over all pairs of outputs and targets of all ranks; the device is waited for at the end.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    whole = {name: metric for name, metric in metrics.items() if isinstance(metric, Whole)}
    means: dict[str, list[Any]] = {name: [] for name in metrics if name not in whole}
    sizes, kept = [], []
    for y, t in pairs:
        if y.shape and y.shape[0] == 0:
            continue
        sizes.append(y.shape[0] if y.shape else 1)
        for name, values in means.items():
            values.append(as_array(metrics[name](y, t)))
        if whole:
            kept.append((as_array(y), as_array(t)))
    sums = [float(np.dot(list(map(float, values)), sizes)) for values in means.values()]
    *sums, count = ranks.sums([*sums, float(sum(sizes))])
    if not count:
        raise ValueError("Trainer.evaluate: expected batches; got none")
    found = {name: total / count for name, total in zip(means, sums, strict=True)}
    if whole:
        y, t = _joined(kept, ranks)
        found |= {name: float(metric(y, t)) for name, metric in whole.items()}
        found = ranks.gathered(found)[0]
    return {name: found[name] for name in metrics}


def _joined(kept: list[tuple[Any, Any]], ranks: Ranks) -> Any:
    """Outputs and targets of all batches of all ranks: of several by way of NumPy."""
    if not ranks.alone:
        on_host = [tuple(_owner(a).to_numpy(a) for a in pair) for pair in kept]
        kept = [pair for pairs in ranks.gathered(on_host) for pair in pairs]
    return [_owner(arrays[0]).xp.concat(arrays) for arrays in zip(*kept, strict=True)]


def _owner(array: Any) -> Any:
    return backend_of(array)
