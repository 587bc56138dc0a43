"""Special functions: by Python's own mathematics where it has them, else by SciPy's.

On NumPy SciPy's functions are the values too; the formulas are compared with them on the other backends and
in `tests/test_special.py`.
"""

import math

import numpy as np
from scipy import special


def each(function):
    return np.vectorize(function, otypes=[float])


def of(name):
    return getattr(special, name)


SCIPYS = """
    betainc betaincc binom boxcox boxcox1p chdtr chdtrc cosdg cosm1 cotdg digamma ellipk ellipkm1 entr
    erfcinv erfcx erfinv exp1 expi expn exprel fdtr fdtrc gammainc gammaincc gdtr gdtrc huber i0 i0e i1
    i1e inv_boxcox inv_boxcox1p j0 j1 k0 k0e k1 k1e kl_div log_ndtr loggamma logit multigammaln ndtr ndtri
    pdtr poch polygamma pseudo_huber psi rel_entr rgamma sindg spence stdtr tandg xlog1py xlogy y0 y1 yn
    zeta
"""

REFERENCES = {
    **{name: of(name) for name in SCIPYS.split()},
    "beta": lambda a, b: each(math.gamma)(a) * each(math.gamma)(b) / each(math.gamma)(a + b),
    "betaln": lambda a, b: each(math.lgamma)(a) + each(math.lgamma)(b) - each(math.lgamma)(a + b),
    "cbrt": each(math.cbrt),
    "erf": each(math.erf),
    "erfc": each(math.erfc),
    "exp2": each(math.exp2),
    "exp10": each(lambda x: math.pow(10, x)),
    "expit": each(lambda x: 0.5 + 0.5 * math.tanh(x / 2)),
    "gamma": each(math.gamma),
    "gammaln": each(math.lgamma),
    "log_expit": lambda x: -np.logaddexp(0.0, -x),
    "sinc": np.sinc,
}
