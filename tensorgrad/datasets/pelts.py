"""Counts of animals, a data set for models of populations."""

from __future__ import annotations

from typing import Any

import numpy as np

NumpyArray = np.ndarray[Any, Any]


def get_lynx_hare() -> tuple[NumpyArray, NumpyArray]:
    """Pelts of snowshoe hares and of lynxes that the Hudson's Bay Company bought, 1900 to 1920.

    They stand for the numbers of both animals, which rise and fall in turn: the usual data for models of
    prey and predators. They come with the package.

    Returns
    -------
    years : NumPy array, shape (21,), int64
    counts : NumPy array, shape (21, 2), float64
        Thousands of pelts: of hares, of lynxes.

    References
    ----------
    Elton, Nicholson 1942, "The ten-year cycle in numbers of the lynx in Canada", Journal of Animal
    Ecology 11, as tabulated by Howard 2009, "Modeling basics", and used by Carpenter 2018,
    "Predator-prey population dynamics: the Lotka-Volterra model in Stan".

    Examples
    --------
    >>> years, counts = tg.datasets.get_lynx_hare()
    >>> years[[0, -1]]
    array([1900, 1920])
    >>> counts.max(axis=0)
    array([77.4, 59.4])
    """
    from pathlib import Path  # noqa: PLC0415  # it would take a tenth of `import tensorgrad`

    table = np.loadtxt(Path(__file__).parents[1] / "data" / "lynx_hare.csv", delimiter=",", skiprows=1)
    return table[:, 0].astype(np.int64), table[:, 1:]
