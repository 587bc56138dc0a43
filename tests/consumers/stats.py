"""scipy.stats."""

from __future__ import annotations

from typing import Any

from scipy import stats

from consumers.call import LINE, LINE2, WEIGHTS, Call, P, Q, U, X, Y

Z = LINE * 0.3 + LINE2**2

CALLS = [
    # means
    Call("scipy.stats.gmean", lambda x: stats.gmean(x, axis=1), (P,)),
    Call("scipy.stats.gmean, weights", lambda x, w: stats.gmean(x, axis=1, weights=w), (P, WEIGHTS + 0 * P)),
    Call("scipy.stats.hmean", lambda x: stats.hmean(x, axis=0), (P,)),
    Call("scipy.stats.pmean", lambda x: stats.pmean(x, 1.7, axis=1), (P,)),
    Call("scipy.stats.tmean", lambda x: stats.tmean(x, (-1.1, 1.4)), (X,)),
    Call("scipy.stats.trim_mean", lambda x: stats.trim_mean(x, 0.2, axis=1), (X,)),
    Call("scipy.stats.circmean", lambda x: stats.circmean(x, axis=1), (U + 1,)),
    Call("scipy.stats.directional_stats", lambda x: stats.directional_stats(x).mean_direction, (P,)),
    # moments and shapes of distributions
    Call("scipy.stats.moment", lambda x: stats.moment(x, order=3, axis=1), (X,)),
    Call("scipy.stats.skew", lambda x: stats.skew(x, axis=1), (X,)),
    Call("scipy.stats.skew, unbiased", lambda x: stats.skew(x, axis=None, bias=False), (X,)),
    Call("scipy.stats.kurtosis", lambda x: stats.kurtosis(x, axis=1), (X,)),
    Call("scipy.stats.kurtosis, unbiased", lambda x: stats.kurtosis(x, axis=0, bias=False), (X**3,)),
    Call("scipy.stats.describe", lambda x: tuple(stats.describe(x, axis=1)[2:]), (X,)),
    Call("scipy.stats.kstat", lambda x: stats.kstat(x, 3), (LINE,)),
    Call("scipy.stats.kstatvar", lambda x: stats.kstatvar(x, 2), (LINE,)),
    Call("scipy.stats.lmoment", stats.lmoment, (LINE,)),
    # spread
    Call("scipy.stats.sem", lambda x: stats.sem(x, axis=1), (X,)),
    Call("scipy.stats.variation", lambda x: stats.variation(x, axis=1, ddof=1), (P,)),
    Call("scipy.stats.iqr", lambda x: stats.iqr(x, axis=1), (X,)),
    Call("scipy.stats.median_abs_deviation", lambda x: stats.median_abs_deviation(x, axis=1), (X[:, :5],)),
    Call("scipy.stats.gstd", lambda x: stats.gstd(x, axis=1), (P,)),
    Call("scipy.stats.tvar", lambda x: stats.tvar(x, (-1.1, 1.4), axis=None), (X,)),
    Call("scipy.stats.tstd", lambda x: stats.tstd(x, (-1.1, 1.4), axis=None), (X,)),
    Call("scipy.stats.tsem", lambda x: stats.tsem(x, (-1.1, 1.4), axis=None), (X,)),
    Call("scipy.stats.tmin", lambda x: stats.tmin(x, -1.0, axis=1), (X,)),
    Call("scipy.stats.tmax", lambda x: stats.tmax(x, 1.0, axis=1), (X,)),
    Call("scipy.stats.circvar", lambda x: stats.circvar(x, axis=1), (U,)),
    Call("scipy.stats.circstd", lambda x: stats.circstd(x, axis=1), (U,)),
    Call("scipy.stats.mode", lambda x: stats.mode(x, axis=1).mode, (X,)),
    # standard scores, order
    Call("scipy.stats.zscore", lambda x: stats.zscore(x, axis=1, ddof=1), (X,)),
    Call("scipy.stats.zmap", lambda x, y: stats.zmap(x, y, axis=1), (X, Y)),
    Call("scipy.stats.gzscore", lambda x: stats.gzscore(x, axis=1), (P,)),
    Call("scipy.stats.quantile", lambda x: stats.quantile(x, 0.3, axis=1), (X,)),
    Call("scipy.stats.quantile, in p", stats.quantile, (LINE, U[0, :3])),
    Call(
        "scipy.stats.quantile, harrell-davis",
        lambda x: stats.quantile(x, 0.4, method="harrell-davis"),
        (LINE,),
    ),
    Call("scipy.stats.sigmaclip", lambda x: stats.sigmaclip(x, 1.5, 1.5)[0], (LINE,)),
    Call("scipy.stats.scoreatpercentile", lambda x: stats.scoreatpercentile(x, 30), (LINE,)),
    # information
    Call("scipy.stats.entropy", lambda p: stats.entropy(p, axis=1), (P,)),
    Call("scipy.stats.entropy, relative", lambda p, q: stats.entropy(p, q, base=2, axis=0), (P, Q)),
    Call("scipy.stats.differential_entropy", stats.differential_entropy, (LINE,)),
    # likelihoods
    Call("scipy.stats.boxcox_llf, in data", lambda x: stats.boxcox_llf(0.7, x), (P[0, :],)),
    Call("scipy.stats.yeojohnson_llf, in data", lambda x: stats.yeojohnson_llf(0.7, x), (LINE,)),
    # The statistic and the p-value of tests.
    *[
        Call(f"scipy.stats.{name}{part}", function, inputs)
        for name, test, inputs in [
            ("ttest_1samp", lambda x: stats.ttest_1samp(x, 0.2, axis=1), (X,)),
            ("ttest_ind", lambda x, y: stats.ttest_ind(x, y, axis=1), (X, Y)),
            ("ttest_ind, Welch", lambda x, y: stats.ttest_ind(x, y, axis=1, equal_var=False), (X, Y)),
            ("ttest_rel", lambda x, y: stats.ttest_rel(x, y, axis=1), (X, Y)),
            (
                "ttest_ind_from_stats",
                lambda m, s: stats.ttest_ind_from_stats(m[0, 0], s[0, 0], 9, m[0, 1], s[0, 1], 7),
                (X, P),
            ),
            ("pearsonr", stats.pearsonr, (LINE, Z)),
            ("f_oneway", lambda x, y: stats.f_oneway(x, y, axis=1), (X, Y)),
            ("chisquare", lambda x: stats.chisquare(x, axis=1), (P,)),
            ("power_divergence", lambda x: stats.power_divergence(x, axis=1, lambda_=0.7), (P,)),
            ("skewtest", stats.skewtest, (LINE**3,)),
            ("kurtosistest", stats.kurtosistest, (LINE**3,)),
            ("normaltest", stats.normaltest, (LINE**3,)),
            ("jarque_bera", stats.jarque_bera, (LINE,)),
            ("bartlett", stats.bartlett, (LINE, Z)),
            ("levene", stats.levene, (LINE, Z)),
            ("alexandergovern", lambda x, y: _pair(stats.alexandergovern(x, y)), (LINE, Z)),
            ("combine_pvalues", stats.combine_pvalues, (U[0, :],)),
            ("linregress", stats.linregress, (LINE, Z)),
        ]
        for part, function in [
            (", statistic", lambda *xs, test=test: test(*xs)[0]),
            (", p-value", lambda *xs, test=test: test(*xs)[1]),
        ]
    ],
    Call(
        "scipy.stats.ttest_1samp, confidence interval",
        lambda x: tuple(stats.ttest_1samp(x, 0.2).confidence_interval(0.9)),
        (LINE,),
    ),
    Call(
        "scipy.stats.pearsonr, confidence interval",
        lambda x, y: tuple(stats.pearsonr(x, y).confidence_interval(0.9)),
        (LINE, Z),
    ),
    Call("scipy.stats.cramervonmises, statistic", lambda x: stats.cramervonmises(x, _cdf).statistic, (LINE,)),
    Call("scipy.stats.ks_1samp, statistic", lambda x: stats.ks_1samp(x, _cdf).statistic, (LINE,)),
    Call("scipy.stats.false_discovery_control", stats.false_discovery_control, (U[0, :],)),
    Call("scipy.stats.wasserstein_distance", stats.wasserstein_distance, (LINE, LINE2)),
    Call("scipy.stats.energy_distance", stats.energy_distance, (LINE, LINE2)),
    Call("scipy.stats.expectile", lambda x: stats.expectile(x, 0.3), (LINE,)),
    Call("scipy.stats.theilslopes", lambda y: stats.theilslopes(y)[0], (LINE,)),
    Call("scipy.stats.norm.logpdf", stats.norm.logpdf, (X,)),
    Call("scipy.stats.Normal().logpdf", lambda x: stats.Normal().logpdf(x), (X,)),
    Call("scipy.stats.gaussian_kde", stats.gaussian_kde(LINE), (LINE2,)),
]


def _pair(result: Any) -> Any:
    return result.statistic, result.pvalue


def _cdf(x: Any) -> Any:
    xp = x.__array_namespace__()
    return 1 / (1 + xp.exp(-1.7 * x))
