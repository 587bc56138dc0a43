"""scikit-learn under ``array_api_dispatch=True``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn import metrics, preprocessing
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import pairwise
from sklearn.mixture import GaussianMixture

from consumers.call import LINE, LINE2, Call, P, Q, U, X, Y, namespace

TALL = np.concatenate([X.T, Y.T[::-1] * 0.8])[:, :3]  # 12 rows of 3
TARGET = LINE[:12]
LABELS = np.asarray([0, 1, 1, 0, 1, 0])
SIGNED = np.asarray([0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0])


def dispatched(name: str, function: Callable[..., Any], *inputs: np.ndarray, rtol: float = 1e-6) -> Call:
    """A call within scikit-learn's context of array dispatch."""

    def call(*xs: Any) -> Any:
        with sklearn.config_context(array_api_dispatch=True):
            return function(*xs)

    return Call(f"sklearn.{name}", call, inputs, rtol)


_PAIRWISE: dict[str, Any] = {
    "euclidean_distances": pairwise.euclidean_distances,
    "euclidean_distances, squared": lambda x, y: pairwise.euclidean_distances(x, y, squared=True),
    "manhattan_distances": pairwise.manhattan_distances,
    "cosine_distances": pairwise.cosine_distances,
    "paired_euclidean_distances": pairwise.paired_euclidean_distances,
    "paired_manhattan_distances": pairwise.paired_manhattan_distances,
    "paired_cosine_distances": pairwise.paired_cosine_distances,
    "linear_kernel": pairwise.linear_kernel,
    "polynomial_kernel": lambda x, y: pairwise.polynomial_kernel(x, y, degree=3),
    "sigmoid_kernel": pairwise.sigmoid_kernel,
    "rbf_kernel": lambda x, y: pairwise.rbf_kernel(x, y, gamma=0.4),
    "laplacian_kernel": lambda x, y: pairwise.laplacian_kernel(x, y, gamma=0.4),
    "cosine_similarity": pairwise.cosine_similarity,
    "pairwise_distances": lambda x, y: pairwise.pairwise_distances(x, y, metric="euclidean"),
    "pairwise_kernels": lambda x, y: pairwise.pairwise_kernels(x, y, metric="rbf"),
}
_POSITIVE: dict[str, Any] = {
    "additive_chi2_kernel": pairwise.additive_chi2_kernel,
    "chi2_kernel": pairwise.chi2_kernel,
}
_REGRESSION: dict[str, Any] = {
    "mean_squared_error": metrics.mean_squared_error,
    "root_mean_squared_error": metrics.root_mean_squared_error,
    "mean_absolute_error": metrics.mean_absolute_error,
    "median_absolute_error": metrics.median_absolute_error,
    "max_error": metrics.max_error,
    "r2_score": metrics.r2_score,
    "explained_variance_score": metrics.explained_variance_score,
    "mean_absolute_percentage_error": metrics.mean_absolute_percentage_error,
    "mean_pinball_loss": lambda y, z: metrics.mean_pinball_loss(y, z, alpha=0.3),
}
_RATES: dict[str, Any] = {
    "mean_squared_log_error": metrics.mean_squared_log_error,
    "root_mean_squared_log_error": metrics.root_mean_squared_log_error,
    "mean_tweedie_deviance": lambda y, z: metrics.mean_tweedie_deviance(y, z, power=1.5),
    "mean_poisson_deviance": metrics.mean_poisson_deviance,
    "mean_gamma_deviance": metrics.mean_gamma_deviance,
    "d2_tweedie_score": lambda y, z: metrics.d2_tweedie_score(y, z, power=1.5),
}
_SCALERS: dict[str, Any] = {
    "StandardScaler": preprocessing.StandardScaler,
    "MinMaxScaler": preprocessing.MinMaxScaler,
    "MaxAbsScaler": preprocessing.MaxAbsScaler,
    "RobustScaler": preprocessing.RobustScaler,
    "PowerTransformer": preprocessing.PowerTransformer,
    "QuantileTransformer": lambda: preprocessing.QuantileTransformer(n_quantiles=4),
}


def _probabilities(p: Any) -> Any:
    xp = namespace(p)
    both = xp.stack([p, 1 - p], axis=1)
    return both


CALLS = [
    *(dispatched(f"metrics.pairwise.{name}", f, X, Y) for name, f in _PAIRWISE.items()),
    *(dispatched(f"metrics.pairwise.{name}", f, P, Q) for name, f in _POSITIVE.items()),
    dispatched("metrics.pairwise.rbf_kernel, of X alone", pairwise.rbf_kernel, X),
    *(dispatched(f"metrics.{name}", f, LINE, LINE2 * 0.7 + 0.01) for name, f in _REGRESSION.items()),
    *(dispatched(f"metrics.{name}", f, P[0, :], Q[0, :]) for name, f in _RATES.items()),
    dispatched(
        "metrics.mean_squared_error, raw values",
        lambda y, z: metrics.mean_squared_error(y, z, multioutput="raw_values"),
        X,
        Y,
    ),
    dispatched("metrics.log_loss", lambda t, p: metrics.log_loss(t, _probabilities(p)), LABELS, U[0, :]),
    dispatched("metrics.brier_score_loss", metrics.brier_score_loss, LABELS, U[0, :]),
    dispatched("metrics.hinge_loss", metrics.hinge_loss, LABELS, X[0, :]),
    *(
        dispatched(f"preprocessing.{name}", lambda x, make=make: make().fit_transform(x), TALL)
        for name, make in _SCALERS.items()
    ),
    dispatched(
        "preprocessing.StandardScaler, inverse",
        lambda x, y: preprocessing.StandardScaler().fit(x).inverse_transform(y),
        X,
        Y,
    ),
    dispatched("preprocessing.Normalizer", lambda x: preprocessing.Normalizer().fit_transform(x), X),
    dispatched("preprocessing.normalize, l1", lambda x: preprocessing.normalize(x, norm="l1"), X),
    dispatched("preprocessing.normalize, max", lambda x: preprocessing.normalize(x, norm="max"), P),
    dispatched("preprocessing.scale", preprocessing.scale, X),
    dispatched("preprocessing.maxabs_scale", preprocessing.maxabs_scale, X),
    dispatched("preprocessing.minmax_scale", preprocessing.minmax_scale, X),
    dispatched(
        "preprocessing.PolynomialFeatures",
        lambda x: preprocessing.PolynomialFeatures(3).fit_transform(x),
        TALL,
    ),
    dispatched(
        "preprocessing.PolynomialFeatures, interactions",
        lambda x: preprocessing.PolynomialFeatures(2, interaction_only=True).fit_transform(x),
        TALL,
    ),
    dispatched(
        "preprocessing.KernelCenterer", lambda x: preprocessing.KernelCenterer().fit_transform(x @ x.T), X
    ),
    dispatched(
        "preprocessing.SplineTransformer", lambda x: preprocessing.SplineTransformer().fit_transform(x), TALL
    ),
    dispatched(
        "preprocessing.FunctionTransformer",
        lambda x: preprocessing.FunctionTransformer(lambda x: x * x).fit_transform(x),
        X,
    ),
    dispatched(
        "linear_model.Ridge, svd", lambda x, y: Ridge(alpha=0.5, solver="svd").fit(x, y).coef_, TALL, TARGET
    ),
    dispatched(
        "linear_model.Ridge, predictions",
        lambda x, y: Ridge(alpha=0.5, solver="svd").fit(x, y).predict(x),
        TALL,
        TARGET,
    ),
    dispatched(
        "linear_model.Ridge, no intercept",
        lambda x, y: Ridge(alpha=0.5, solver="svd", fit_intercept=False).fit(x, y).coef_,
        TALL,
        TARGET,
    ),
    dispatched(
        "linear_model.Ridge, cholesky",
        lambda x, y: Ridge(alpha=0.5, solver="cholesky").fit(x, y).coef_,
        TALL,
        TARGET,
    ),
    dispatched("linear_model.RidgeCV", lambda x, y: RidgeCV(alphas=[0.5, 0.6]).fit(x, y).coef_, TALL, TARGET),
    dispatched(
        "linear_model.LinearRegression", lambda x, y: LinearRegression().fit(x, y).coef_, TALL, TARGET
    ),
    dispatched(
        "linear_model.LogisticRegression", lambda x, t: LogisticRegression().fit(x, t).coef_, TALL, SIGNED
    ),
    dispatched(
        "decomposition.PCA, variances", lambda x: PCA(2, svd_solver="full").fit(x).explained_variance_, TALL
    ),
    dispatched(
        "decomposition.PCA, covariance_eigh",
        lambda x: PCA(2, svd_solver="covariance_eigh").fit(x).explained_variance_,
        TALL,
    ),
    dispatched("decomposition.PCA, transform", lambda x: PCA(2, svd_solver="full").fit_transform(x), TALL),
    dispatched(
        "decomposition.PCA, inverse",
        lambda x: (p := PCA(2, svd_solver="full").fit(x)).inverse_transform(p.transform(x)),
        TALL,
    ),
    dispatched(
        "decomposition.PCA, whiten",
        lambda x: PCA(2, svd_solver="full", whiten=True).fit_transform(x) ** 2,
        TALL,
    ),
    dispatched("decomposition.PCA, score", lambda x: PCA(2, svd_solver="full").fit(x).score_samples(x), TALL),
    dispatched(
        "kernel_approximation.Nystroem",
        lambda x: Nystroem(n_components=3, random_state=0).fit_transform(x),
        TALL,
    ),
    dispatched(
        "mixture.GaussianMixture",
        lambda x: (
            GaussianMixture(2, random_state=0, init_params="random_from_data", max_iter=5, tol=0.0)
            .fit(x)
            .means_
        ),
        TALL,
    ),
    dispatched("metrics.silhouette_score", metrics.silhouette_score, TALL, SIGNED),
    dispatched("metrics.calinski_harabasz_score", metrics.calinski_harabasz_score, TALL, SIGNED),
    dispatched("metrics.davies_bouldin_score", metrics.davies_bouldin_score, TALL, SIGNED),
]
