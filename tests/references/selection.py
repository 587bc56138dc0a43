"""Choices, spelled out."""

import numpy as np


def maximum(x0, x1):
    return np.where(np.asarray(x0) < x1, x1, x0)


def minimum(x0, x1):
    return np.where(np.asarray(x0) < x1, x0, x1)


def where(condition, x0, x1):
    condition, x0, x1 = np.broadcast_arrays(condition, x0, x1)
    y = np.array(x1, dtype=np.float64)
    y[condition] = x0[condition]
    return y


def clip(x, x_min=None, x_max=None):
    return np.clip(x, x_min, x_max)


REFERENCES = {"maximum": maximum, "minimum": minimum, "where": where, "clip": clip}
