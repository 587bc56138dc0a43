"""Batch normalisation by the statistics of the batch of all ranks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.communicator import Communicator
from tensorgrad.core import Config, Variable, as_variable
from tensorgrad.functions.normalization import move_statistic
from tensorgrad.layers import BatchNorm, Layer


class SyncBatchNorm(BatchNorm):
    """`tensorgrad.layers.BatchNorm` over the examples of all ranks.

    In training n ranks with batches of B / n normalise as one rank with a batch of B does, and the running
    statistics are the same on all. Ranks may have batches of different lengths, or an empty one. Each call
    takes three messages forward, and two backward.

    Parameters
    ----------
    comm : Communicator
    decay, eps, dtype
        As of `tensorgrad.layers.BatchNorm`.

    Raises
    ------
    ValueError
        If `x` is not of shape (N, C, ...), or a channel has no element on any rank.

    Examples
    --------
    >>> norm = tg.distributed.SyncBatchNorm(tg.distributed.LocalCommunicator(), eps=0.0)
    >>> norm(np.array([[1.0], [3.0]]))
    variable([[-1.]
              [ 1.]])
    """

    def __init__(self, comm: Communicator, decay: float = 0.9, eps: float = 2e-5, dtype: Any = None) -> None:
        super().__init__(decay, eps, dtype)
        self.comm = comm

    def forward(self, x: Any) -> Variable:
        if not Config.train:
            return super().forward(x)
        x = as_variable(x)
        if x.ndim < 2:
            raise ValueError(f"SyncBatchNorm: expected x of shape (N, C, ...); got {x.shape}")
        self._settle(x)
        xp, dtype = x.backend.xp, x.dtype
        if xp.finfo(dtype).bits < 32:
            x = F.astype(x, xp.float32)
        axes = (0, *range(2, x.ndim))
        own = math.prod(x.shape[i] for i in axes)
        count = int(self.comm.allreduce(np.array(own)))
        if count == 0:
            raise ValueError(f"SyncBatchNorm: expected an element in each channel; got x of shape {x.shape}")
        mean = F.allreduce(F.sum(x, axis=axes, keepdims=True), self.comm) / count
        centred = x - mean
        var = F.allreduce(F.sum(centred * centred, axis=axes, keepdims=True), self.comm) / count
        spread = mean.shape
        scale = F.reshape(self.gamma, spread) / F.sqrt(var + self.eps)
        y: Variable = F.astype(centred * scale + F.reshape(self.beta, spread), dtype, copy=False)
        for running, found, factor in (
            (self.avg_mean, mean, 1.0),
            (self.avg_var, var, count / max(count - 1, 1)),
        ):
            move_statistic(running, xp.reshape(found.data, running.shape), self.decay, factor, x.backend)
        return y


def synchronize_batch_norm(model: Layer, comm: Communicator) -> Layer:
    """Put a `SyncBatchNorm` with the same parameters in the place of every `BatchNorm` in a model.

    Parameters
    ----------
    model : Layer
        Changed in place.
    comm : Communicator

    Returns
    -------
    Layer
        `model`; where it is a BatchNorm itself, what takes its place.

    Examples
    --------
    >>> model = tg.models.Sequential(tg.layers.Linear(3), tg.layers.BatchNorm(), F.relu)
    >>> comm = tg.distributed.LocalCommunicator()
    >>> type(tg.distributed.synchronize_batch_norm(model, comm).l1).__name__
    'SyncBatchNorm'
    """
    if type(model) is BatchNorm:
        return _synchronized(model, comm)
    made: dict[int, SyncBatchNorm] = {}
    for _, layer in list(model._layers()):
        for name, value in list(vars(layer).items()):
            if type(value) is BatchNorm:
                if id(value) not in made:
                    made[id(value)] = _synchronized(value, comm)
                setattr(layer, name, made[id(value)])
    return model


def _synchronized(norm: BatchNorm, comm: Communicator) -> SyncBatchNorm:
    made = SyncBatchNorm(comm, norm.decay, norm.eps, norm.dtype)
    vars(made).update(norm.__getstate__())
    return made
