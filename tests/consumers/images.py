"""scipy.ndimage and scipy.cluster."""

from __future__ import annotations

from typing import Any

from scipy import ndimage
from scipy.cluster import hierarchy, vq

from consumers.call import IMAGE, KERNEL, Call, X, Y

_ONE: dict[str, Any] = {
    "gaussian_filter": lambda x: ndimage.gaussian_filter(x, 1.2),
    "uniform_filter": lambda x: ndimage.uniform_filter(x, 3),
    "median_filter": lambda x: ndimage.median_filter(x, 3),
    "maximum_filter": lambda x: ndimage.maximum_filter(x, 3),
    "sobel": ndimage.sobel,
    "laplace": ndimage.laplace,
    "zoom": lambda x: ndimage.zoom(x, 2),
    "rotate": lambda x: ndimage.rotate(x, 30),
    "shift": lambda x: ndimage.shift(x, 0.5),
    "map_coordinates": lambda x: ndimage.map_coordinates(x, x[:2, :]),
    "fourier_gaussian": lambda x: ndimage.fourier_gaussian(x + 0j, 1.5),
    "center_of_mass": ndimage.center_of_mass,
    "sum": ndimage.sum,
    "mean": ndimage.mean,
    "variance": ndimage.variance,
    "vectorized_filter": lambda x: ndimage.vectorized_filter(x, _mean_square, size=(3, 3)),
}


def _mean_square(x: Any, axis: Any) -> Any:
    return x.__array_namespace__().mean(x * x, axis=axis)


CALLS = [
    *(Call(f"scipy.ndimage.{name}", function, (IMAGE,)) for name, function in _ONE.items()),
    Call("scipy.ndimage.convolve1d", ndimage.convolve1d, (IMAGE, KERNEL)),
    Call("scipy.ndimage.correlate", ndimage.correlate, (IMAGE, X[:3, :3])),
    Call("scipy.cluster.vq.whiten", vq.whiten, (X,)),
    Call("scipy.cluster.vq.vq, distances", lambda x, y: vq.vq(x, y[:2, :])[1], (X, Y)),
    Call("scipy.cluster.vq.kmeans", lambda x, y: vq.kmeans(x, y[:2, :])[0], (X, Y)),
    Call("scipy.cluster.vq.kmeans2", lambda x, y: vq.kmeans2(x, y[:2, :], minit="matrix")[0], (X, Y)),
    Call("scipy.cluster.hierarchy.linkage", lambda x: hierarchy.linkage(x)[:, 2], (X,)),
    Call("scipy.cluster.hierarchy.maxdists", lambda x: hierarchy.maxdists(hierarchy.linkage(x)), (X,)),
]
