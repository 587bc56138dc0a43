"""Calls that do not work with a gradient: whose limit it is, the reason, and what is raised.

A call that is not here works on every backend. One that is here and works is an error of the tests.
"""

from __future__ import annotations

from consumers.call import Limit

EVERYWHERE = ""

_CONVERTS = Limit("consumer", "converts its input by `np.asarray`, for NumPy or for compiled code")
_COMPILED_SPECIAL = Limit(
    "tensorgrad", "`tg.special` has no such function, so SciPy converts the array for its compiled one"
)
_NUMBER = Limit("consumer", "returns a Python float, whatever the array", AssertionError)
_ORDER = Limit("tensorgrad", "the order of the function is a number, without a derivative", ValueError)
_AT_INFINITY = Limit(
    "tensorgrad",
    "0 * inf: the integrand has points at infinity, of weight 0, where its derivative is nan",
    AssertionError,
)
_PYTHON_BOOL = Limit(
    "consumer", "`dtype=bool`, which is a dtype of NumPy's but not of the standard", ValueError
)
_NUMPY_DTYPE = Limit("consumer", "gives NumPy the dtype of another library")
_MIXES = Limit("consumer", "computes with NumPy constants and the array")
_NUMPY_ATTRIBUTE = Limit("consumer", "an attribute that only NumPy's arrays have", AttributeError)
_NUMPY_FUNCTION = Limit("consumer", "calls a function of NumPy's that the standard does not have")
_AS_OBJECT = Limit("consumer", "gives the array itself to compiled code", ValueError)
_BOOL_SUM = Limit("consumer", "adds a bool array and a number")
_SOLVER = Limit("consumer", "has only `solver='svd'` under array dispatch", ValueError)
_MIXED_DTYPES = Limit("standard", "`int32 += int64`: the standard does not define it")

LIMITS: dict[str, dict[str, Limit]] = {}


def _add(limit: Limit, calls: str, backend: str = EVERYWHERE) -> None:
    """Note a limit for calls, given one a line."""
    for line in calls.strip().splitlines():
        LIMITS.setdefault(line.strip(), {})[backend] = limit


def limit_of(call: str, backend: str) -> Limit | None:
    """The limit that a call meets on a backend, if any."""
    found = LIMITS.get(call, {})
    return found.get(backend, found.get(EVERYWHERE))


_add(
    _AS_OBJECT,
    """
    scipy.signal.deconvolve
    """,
)
_add(
    _BOOL_SUM,
    """
    sklearn.preprocessing.SplineTransformer
    """,
    "array_api_strict",
)
_add(
    _COMPILED_SPECIAL,
    """
    scipy.special.zetac
    scipy.special.gammainccinv
    scipy.special.gammaincinv
    scipy.special.betaincinv
    scipy.special.hyp1f1
    scipy.special.chdtri, in the last
    """,
)
_add(
    _CONVERTS,
    """
    scipy.stats.scoreatpercentile
    scipy.stats.linregress, statistic
    scipy.stats.linregress, p-value
    scipy.stats.cramervonmises, statistic
    scipy.stats.ks_1samp, statistic
    scipy.stats.wasserstein_distance
    scipy.stats.energy_distance
    scipy.stats.expectile
    scipy.stats.theilslopes
    scipy.stats.norm.logpdf
    scipy.stats.Normal().logpdf
    scipy.stats.gaussian_kde
    scipy.fft.dct
    scipy.fft.idct
    scipy.fft.dctn
    scipy.fft.dst
    scipy.signal.convolve, direct
    scipy.signal.correlate, direct
    scipy.signal.convolve2d
    scipy.signal.resample_poly
    scipy.signal.upfirdn
    scipy.signal.detrend, linear
    scipy.signal.detrend, constant
    scipy.signal.savgol_filter
    scipy.signal.medfilt
    scipy.signal.wiener
    scipy.signal.periodogram
    scipy.signal.welch
    scipy.signal.zpk2tf
    scipy.signal.cspline1d
    scipy.signal.stft
    scipy.integrate.simpson
    scipy.integrate.simpson, x
    scipy.integrate.solve_ivp
    scipy.optimize.linear_sum_assignment
    scipy.linalg.det
    scipy.linalg.inv
    scipy.linalg.solve
    scipy.linalg.cholesky
    scipy.linalg.eigh
    scipy.linalg.svd
    scipy.linalg.qr
    scipy.linalg.norm
    scipy.linalg.expm
    scipy.linalg.logm
    scipy.linalg.pinv
    scipy.linalg.lstsq
    scipy.linalg.khatri_rao
    scipy.interpolate.CubicSpline, in y
    scipy.interpolate.PPoly
    scipy.interpolate.BSpline
    scipy.interpolate.make_interp_spline
    scipy.interpolate.RegularGridInterpolator
    scipy.spatial.distance.cdist
    scipy.spatial.distance.euclidean
    scipy.spatial.distance.cosine
    scipy.ndimage.gaussian_filter
    scipy.ndimage.uniform_filter
    scipy.ndimage.median_filter
    scipy.ndimage.maximum_filter
    scipy.ndimage.sobel
    scipy.ndimage.laplace
    scipy.ndimage.zoom
    scipy.ndimage.rotate
    scipy.ndimage.shift
    scipy.ndimage.map_coordinates
    scipy.ndimage.fourier_gaussian
    scipy.ndimage.center_of_mass
    scipy.ndimage.sum
    scipy.ndimage.mean
    scipy.ndimage.variance
    scipy.ndimage.vectorized_filter
    scipy.ndimage.convolve1d
    scipy.ndimage.correlate
    scipy.cluster.vq.vq, distances
    scipy.cluster.vq.kmeans
    scipy.cluster.vq.kmeans2
    scipy.cluster.hierarchy.linkage
    scipy.cluster.hierarchy.maxdists
    array_api_extra.lazy_apply, as_numpy
    sklearn.metrics.median_absolute_error
    sklearn.preprocessing.scale
    sklearn.linear_model.LinearRegression
    sklearn.linear_model.LogisticRegression
    """,
)
_add(
    _CONVERTS,
    """
    scipy.optimize.root_scalar
    sklearn.preprocessing.PowerTransformer
    sklearn.preprocessing.SplineTransformer
    """,
    "numpy",
)
_add(
    _AT_INFINITY,
    """
    scipy.integrate.tanhsinh, infinite
    """,
    "numpy",
)
_add(
    _MIXED_DTYPES,
    """
    scipy.integrate.nsum
    """,
    "numpy",
)
_add(
    _MIXES,
    """
    scipy.signal.lfilter
    scipy.signal.sosfilt
    scipy.signal.filtfilt
    """,
)
_add(
    _MIXES,
    """
    scipy.integrate.fixed_quad
    sklearn.metrics.hinge_loss
    """,
    "array_api_strict",
)
_add(
    _NUMBER,
    """
    scipy.integrate.quad
    sklearn.metrics.mean_squared_error
    sklearn.metrics.root_mean_squared_error
    sklearn.metrics.mean_absolute_error
    sklearn.metrics.max_error
    sklearn.metrics.r2_score
    sklearn.metrics.explained_variance_score
    sklearn.metrics.mean_absolute_percentage_error
    sklearn.metrics.mean_pinball_loss
    sklearn.metrics.mean_squared_log_error
    sklearn.metrics.root_mean_squared_log_error
    sklearn.metrics.mean_tweedie_deviance
    sklearn.metrics.mean_poisson_deviance
    sklearn.metrics.mean_gamma_deviance
    sklearn.metrics.d2_tweedie_score
    sklearn.metrics.log_loss
    sklearn.metrics.brier_score_loss
    sklearn.metrics.calinski_harabasz_score
    sklearn.metrics.davies_bouldin_score
    """,
)
_add(
    _NUMPY_ATTRIBUTE,
    """
    scipy.signal.minimum_phase
    scipy.linalg.toeplitz
    scipy.interpolate.RBFInterpolator
    """,
)
_add(
    _NUMPY_ATTRIBUTE,
    """
    sklearn.metrics.silhouette_score
    """,
    "numpy",
)
_add(
    _NUMPY_DTYPE,
    """
    scipy.optimize.root_scalar
    sklearn.preprocessing.PowerTransformer
    """,
    "array_api_strict",
)
_add(
    _NUMPY_FUNCTION,
    """
    sklearn.preprocessing.RobustScaler
    sklearn.preprocessing.QuantileTransformer
    """,
)
_add(
    _NUMPY_FUNCTION,
    """
    sklearn.metrics.silhouette_score
    """,
    "array_api_strict",
)
_add(
    _NUMPY_FUNCTION,
    """
    sklearn.metrics.hinge_loss
    """,
    "numpy",
)
_add(
    _ORDER,
    """
    scipy.special.zeta
    """,
)
_add(
    _PYTHON_BOOL,
    """
    scipy.integrate.tanhsinh
    scipy.integrate.tanhsinh, limits
    scipy.integrate.tanhsinh, infinite
    scipy.integrate.nsum
    scipy.optimize.elementwise.find_minimum, f_x
    scipy.optimize.elementwise.find_minimum, x
    """,
    "array_api_strict",
)
_add(
    _SOLVER,
    """
    sklearn.linear_model.Ridge, cholesky
    """,
)
