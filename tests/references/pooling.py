"""Pooling, one window at a time."""

from __future__ import annotations

from itertools import product

import numpy as np

from references.convolution import each


def windowed(reduce, x, cuts):
    """`reduce` of each window; `cuts` has for each axis the slices of its windows."""
    y = np.zeros((*x.shape[:2], *map(len, cuts)))
    for place in product(*(range(len(line)) for line in cuts)):
        cut = tuple(line[i] for line, i in zip(cuts, place, strict=True))
        y[(..., *place)] = reduce(x[(..., *cut)].reshape(*x.shape[:2], -1), axis=-1)
    return y


def strided(reduce, border):
    def pool(x, kernel_size, stride=1, pad=0, cover_all=False):
        axes = x.ndim - 2
        lengths = x.shape[2:]
        kernel, stride, pad = each(kernel_size, axes), each(stride, axes), each(pad, axes)
        x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)], constant_values=border)
        cuts = []
        for n, k, s, p, length in zip(x.shape[2:], kernel, stride, pad, lengths, strict=True):
            line = [slice(i, i + k) for i in range(0, n - k + 1, s)]
            i = line[-1].start + s
            if cover_all and line[-1].stop < n and i < p + length:
                line.append(slice(i, n))
            cuts.append(line)
        return windowed(reduce, x, cuts)

    return pool


def adaptive(reduce):
    def pool(x, output_size):
        sizes = each(output_size, x.ndim - 2)
        cuts = [
            [slice(int(np.floor(i * n / o)), int(np.ceil((i + 1) * n / o))) for i in range(o)]
            for n, o in zip(x.shape[2:], sizes, strict=True)
        ]
        return windowed(reduce, x, cuts)

    return pool


REFERENCES = {
    "adaptive_average_pooling": adaptive(np.mean),
    "adaptive_max_pooling": adaptive(np.max),
    "average_pooling": strided(np.mean, 0.0),
    "global_average_pooling": lambda x: x.reshape(*x.shape[:2], -1).mean(axis=-1),
    "pooling": strided(np.max, -np.inf),
    "pooling_simple": strided(np.max, -np.inf),
}
