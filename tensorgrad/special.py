"""Special functions, differentiable: what `v.__array_namespace__().special` has, under the names of SciPy.

Where SciPy's array API support is on (``SCIPY_ARRAY_API=1``), ``scipy.special.gammaln(v)`` comes here too.
"""

from tensorgrad.functions.extremes import logsumexp as logsumexp
from tensorgrad.functions.softmax import log_softmax as log_softmax
from tensorgrad.functions.softmax import softmax as softmax
from tensorgrad.functions.special import erf as erf
from tensorgrad.functions.special import erfc as erfc
from tensorgrad.functions.special import erfcx as erfcx
from tensorgrad.functions.special_bessel import i0 as i0
from tensorgrad.functions.special_bessel import i0e as i0e
from tensorgrad.functions.special_bessel import i1 as i1
from tensorgrad.functions.special_bessel import i1e as i1e
from tensorgrad.functions.special_beta import beta as beta
from tensorgrad.functions.special_beta import betaln as betaln
from tensorgrad.functions.special_beta import binom as binom
from tensorgrad.functions.special_beta import multigammaln as multigammaln
from tensorgrad.functions.special_distributions import chdtr as chdtr
from tensorgrad.functions.special_distributions import chdtrc as chdtrc
from tensorgrad.functions.special_distributions import fdtr as fdtr
from tensorgrad.functions.special_distributions import fdtrc as fdtrc
from tensorgrad.functions.special_distributions import stdtr as stdtr
from tensorgrad.functions.special_entropy import entr as entr
from tensorgrad.functions.special_entropy import expit as expit
from tensorgrad.functions.special_entropy import kl_div as kl_div
from tensorgrad.functions.special_entropy import log_expit as log_expit
from tensorgrad.functions.special_entropy import logit as logit
from tensorgrad.functions.special_entropy import rel_entr as rel_entr
from tensorgrad.functions.special_entropy import xlog1py as xlog1py
from tensorgrad.functions.special_entropy import xlogy as xlogy
from tensorgrad.functions.special_gamma import digamma as digamma
from tensorgrad.functions.special_gamma import gamma as gamma
from tensorgrad.functions.special_gamma import gammaln as gammaln
from tensorgrad.functions.special_gamma import polygamma as polygamma
from tensorgrad.functions.special_gamma import psi as psi
from tensorgrad.functions.special_gamma import zeta as zeta
from tensorgrad.functions.special_incomplete import betainc as betainc
from tensorgrad.functions.special_incomplete import betaincc as betaincc
from tensorgrad.functions.special_incomplete import gammainc as gammainc
from tensorgrad.functions.special_incomplete import gammaincc as gammaincc
from tensorgrad.functions.special_normal import erfcinv as erfcinv
from tensorgrad.functions.special_normal import erfinv as erfinv
from tensorgrad.functions.special_normal import log_ndtr as log_ndtr
from tensorgrad.functions.special_normal import ndtr as ndtr
from tensorgrad.functions.special_normal import ndtri as ndtri
from tensorgrad.functions.special_powers import boxcox as boxcox
from tensorgrad.functions.special_powers import boxcox1p as boxcox1p
from tensorgrad.functions.special_powers import cbrt as cbrt
from tensorgrad.functions.special_powers import exp2 as exp2
from tensorgrad.functions.special_powers import exp10 as exp10
from tensorgrad.functions.special_powers import exprel as exprel
from tensorgrad.functions.special_powers import huber as huber
from tensorgrad.functions.special_powers import pseudo_huber as pseudo_huber
from tensorgrad.functions.special_powers import sinc as sinc
